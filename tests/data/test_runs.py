import random

from kivuko.data.pairs import SentencePair
from kivuko.data.profile import profile
from kivuko.data.readers import Record
from kivuko.data.runs import place

WORDS = [("river", "mto"), ("school", "shule"), ("market", "soko"), ("village", "kijiji"), ("teacher", "mwalimu")]


def sentences(count: int) -> list[SentencePair]:
    draw = random.Random(0)  # noqa: S311
    pairs = []
    for _ in range(count):
        words = [draw.choice(WORDS) for _ in range(draw.randint(2, 20))]
        pairs.append(SentencePair(*(" ".join(side) for side in zip(*words, strict=True))))
    return pairs


def offsets(pairs: list[SentencePair], learned_from: list[SentencePair]) -> list[int]:
    records = [Record(number, *pair) for number, pair in enumerate(pairs, start=1)]
    ratio = profile([Record(1, *pair) for pair in learned_from], distinct=False).ratio
    placed = list(place(zip(records, pairs, strict=True), ratio))
    assert [each.record for each in placed] == records
    return [each.offset for each in placed]


def shifted(pairs: list[SentencePair], start: int, end: int) -> list[SentencePair]:
    """Lose one translation at the start of a stretch and gain an odd one at its end."""
    translations = [pair.translation for pair in pairs]
    translations = [*translations[:start], *translations[start + 1 : end + 1], "kitu", *translations[end + 1 :]]
    return [SentencePair(pair.english, text) for pair, text in zip(pairs, translations, strict=True)]


def test_run_that_is_shifted_is_found_with_its_direction() -> None:
    pairs = sentences(400)
    found = offsets(shifted(pairs, 150, 200), pairs)
    assert found[151:199] == [-1] * 48
    assert not any(found[:148] + found[204:])


def test_aligned_text_has_no_run_whatever_the_order() -> None:
    pairs = sentences(400)
    assert not any(offsets(pairs, pairs))
    assert not any(offsets(sorted(pairs), pairs))


def test_run_is_found_across_the_border_of_two_blocks() -> None:
    pairs = sentences(4500)
    found = offsets(shifted(pairs, 4090, 4130), pairs)
    assert found[4092:4129] == [-1] * 37
    assert not any(found[:4080] + found[4140:])


def test_numbers_tell_where_lengths_do_not() -> None:
    pairs = [SentencePair(f"Year {1000 + number}.", f"Mwaka {1000 + number}.") for number in range(200)]
    learned_from = [*pairs, *sentences(400)]
    found = offsets(shifted(pairs, 80, 110), learned_from)
    assert found[82:109] == [-1] * 27
    arabic = [SentencePair("Year 7.", "سنة ٧") for _ in range(100)]
    assert not any(offsets(arabic, learned_from))


def test_nothing_follows_from_lengths_that_were_not_learned() -> None:
    pairs = sentences(400)
    assert not any(offsets(shifted(pairs, 150, 200), pairs[:10]))
