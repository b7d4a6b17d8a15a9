import math
import tracemalloc

import pytest

from kivuko.data import profile as profiles
from kivuko.data.profile import profile, survey
from kivuko.data.readers import Record
from kivuko.errors import DataError


def records(*pairs: tuple[str, str]) -> list[Record]:
    return [Record(number, *pair) for number, pair in enumerate(pairs, start=1)]


def test_counts_are_of_all_pairs_and_leave_out_what_is_none() -> None:
    found = profile(
        [*records(("Go  home.", "घरी जा."), ("go home.", "घरी जा."), ("No.", "")), Record(4, "x", "", "broken")]
    )
    assert (found.records, found.pairs, found.distinct, dict(found.left_out)) == (
        4,
        2,
        1,
        {"empty side": 1, "broken": 1},
    )
    assert (found.english.words, found.translation.words, found.english.distinct) == (4, 4, 1)
    assert (found.english.script, found.translation.script) == ("Latn", "Deva")


def test_lengths_are_quantiles_in_characters() -> None:
    found = profile(records(*(("a" * length, "b" * 2 * length) for length in range(1, 102))))
    assert found.english.lengths == (1, 6, 26, 51, 76, 96, 101)
    assert found.ratio.c == 2


def test_too_few_pairs_teach_no_limit() -> None:
    found = profile(records(("One.", "Moja."), ("Two.", "Mbili.")))
    assert math.isinf(found.english.length_limit)
    assert found.ratio.deviations(4, 4_000) == 0


def test_sample_is_always_the_same_one() -> None:
    pairs = records(*(("a" * length, "b") for length in range(1, 500)))
    one, other = profile(pairs, sample=20), profile(pairs, sample=20)
    assert one == other
    assert one.english.lengths != profile(pairs).english.lengths
    assert one.english.characters == sum(range(1, 500))


def test_nothing_to_read_is_refused_with_the_reason() -> None:
    with pytest.raises(DataError, match="no record"):
        profile([])
    with pytest.raises(DataError, match="2 records, most left out for: broken"):
        profile([Record(1, "", "", "broken"), Record(2, "", "", "broken")])


def test_long_texts_do_not_wait_in_memory_to_be_counted() -> None:
    long = (Record(number, f"{number}" + "a" * 25_000, f"{number}" + "b" * 25_000) for number in range(800))
    tracemalloc.start()
    try:
        found = profile(long, sample=1)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert found.distinct == 800
    assert peak < 15e6, "the text is some 40 MB"


def test_sample_of_long_texts_is_smaller_and_all_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = records(*((f"{number} " + "a" * 400, f"{number} " + "b" * 600) for number in range(100)))
    whole, sample = survey(texts)
    assert len(sample) == 100
    monkeypatch.setattr(profiles, "_MOST_CHARACTERS", 30_000)
    found, smaller = survey(texts)
    assert 10 <= len(smaller) < 30
    assert sum(len(side) for pair in smaller for side in pair) <= 30_000
    assert (found.pairs, found.english.characters) == (whole.pairs, whole.english.characters)
    assert survey(texts)[1] == smaller
