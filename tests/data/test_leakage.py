from pathlib import Path

import pytest
from ir_measures import Qrel

from kivuko.config import BitextSource
from kivuko.data.bitext import Bitext, SentencePair
from kivuko.data.collections import Collection, Document, Query
from kivuko.data.leakage import JudgedTexts, Leaks, Overlap, count_leaks, find_leaks, remove_leaks
from kivuko.errors import DataError


def collection() -> Collection:
    return Collection(
        corpus=[
            Document("d1", "", "The long rains begin in March."),
            Document("d2", "The Nile", "It flows north to the sea."),
            Document("d3", "", "Nobody asked for this one."),
        ],
        queries=[
            Query("q1", "Mvua za masika huanza mwezi wa Machi."),
            Query("q2", "Mto Nili hutiririka wapi?"),
            Query("q3", "Swali lisilo na jibu."),
        ],
        qrels=[Qrel("q1", "d1", 1), Qrel("q2", "d2", 1), Qrel("q3", "d3", 0)],
    )


def leaks(*pairs: tuple[str, str]) -> Leaks:
    (found,) = count_leaks([SentencePair(*pair) for pair in pairs], [JudgedTexts(collection(), near=0.8)])
    return found


def test_a_judged_pair_that_is_a_training_pair_leaks_whole() -> None:
    found = leaks(("the long rains begin in march.", "Mvua za  masika huanza mwezi wa Machi."))
    assert found.whole == found.either == Overlap(1, 0, 2)
    assert found.training == found.english == found.translation == Overlap(1, 0, 1)


def test_a_query_with_another_document_leaks_by_its_side_only() -> None:
    found = leaks(("Something else.", "Mvua za masika huanza mwezi wa Machi."))
    assert (found.queries, found.documents) == (Overlap(1, 0, 2), Overlap(0, 0, 2))
    assert (found.whole, found.either) == (Overlap(0, 0, 2), Overlap(1, 0, 2))
    assert (found.english, found.translation) == (Overlap(0, 0, 1), Overlap(1, 0, 1))


def test_two_training_pairs_with_a_side_each_do_not_leak_the_pair_whole() -> None:
    found = leaks(
        ("The long rains begin in March.", "Kitu kingine."),
        ("Something else.", "Mvua za masika huanza mwezi wa Machi."),
    )
    assert found.whole == Overlap(0, 0, 2)
    assert found.training == Overlap(2, 0, 2)


def test_sides_may_be_the_other_way_round() -> None:
    assert leaks(("Mvua za masika huanza mwezi wa Machi.", "The long rains begin in March.")).whole.exact == 1


@pytest.mark.parametrize(
    "translation",
    [
        "Mvua za masika, huanza mwezi wa Machi!",
        "mvua za masika huanza mwezi wa machi",
        "- “Mvua za masika huanza mwezi wa Machi.”",
        "Mvua za masika huanza mwezi waMachi.",
    ],
)
def test_other_punctuation_and_spacing_is_the_same_and_not_exact(translation: str) -> None:
    found = leaks(("Something else.", translation))
    assert found.queries == Overlap(0, 0, 2, same=1)
    assert found.training == found.translation == Overlap(0, 0, 1, same=1)
    assert "1 of 2 judged pairs leak by either side (0 exactly, 1 with the same letters and digits)" in found.summary()


@pytest.mark.parametrize(
    ("judged", "trained"),
    [
        ("Ẹ káàárọ̀, ṣé dáadáa ni?", "E kaaaro, se daadaa ni?"),
        ("Ẹ káàárọ̀, ṣé dáadáa ni?", "Ẹ kaaarọ, ṣe daadaa ni?"),
        ("Ela não está aqui.", "Ela nao esta aqui."),
        ("ذَهَبَ الوَلَدُ", "ذهب الولــد"),
        ("שָׁלוֹם לָכֶם", "שלום לכם"),
        ("Oʻzbek tili", "O'zbek tili"),
    ],
)
def test_marks_that_may_be_left_out_make_no_other_text(judged: str, trained: str) -> None:
    for one, other in ((judged, trained), (trained, judged)):
        asked = JudgedTexts(Collection([Document("d", "", "Else.")], [Query("q", one)], [Qrel("q", "d", 1)]))
        (found,) = count_leaks([SentencePair("Something.", other)], [asked])
        assert found.queries == Overlap(0, 0, 1, same=1)


@pytest.mark.parametrize(("judged", "trained"), [("की", "का"), ("ที่ดี", "ทาดา"), ("か", "が"), ("কি", "কা")])
def test_marks_that_are_vowels_make_another_text(judged: str, trained: str) -> None:
    asked = JudgedTexts(Collection([Document("d", "", "Else.")], [Query("q", judged)], [Qrel("q", "d", 1)]))
    (found,) = count_leaks([SentencePair("Something.", trained)], [asked])
    assert found.is_clean


def test_a_pair_whose_sides_are_found_unequally_well_leaks_as_the_worse_of_them() -> None:
    found = leaks(("The long rains begin in March", "Mvua za masika huanza mwezi wa Machi."))
    assert found.whole == Overlap(0, 0, 2, same=1)
    assert found.either == Overlap(1, 0, 2)
    assert found.training == Overlap(1, 0, 1)


def test_other_words_are_only_near() -> None:
    found = leaks(("Something else.", "Mvua za masika huanza mwezi wa Machi."[:-7] + "Mach"))
    assert found.queries == Overlap(0, 1, 2)


def test_items_within_longer_texts_are_counted_apart() -> None:
    found = leaks(
        ("The Nile is long. The long rains begin in March. They end in May, and farmers plant.", "Kitu."),
        ("Else.", "Alisema: mvua za masika huanza mwezi wa Machi, halafu wakulima hupanda mahindi."),
    )
    assert (found.queries, found.documents) == (Overlap(0, 0, 2, within=1), Overlap(0, 0, 2, within=1))
    assert found.either == Overlap(0, 0, 2, within=1)
    assert found.whole == Overlap(0, 0, 2)
    assert found.training == Overlap(0, 0, 2, within=2)
    assert not found.is_clean
    assert found.summary().endswith(
        "0 of 2 training pairs have a part in it; 1 more judged pairs stand within longer texts or in pieces, "
        "with 2 more training pairs"
    )


def test_a_piece_of_a_document_is_counted_and_removed(tmp_path: Path) -> None:
    passage = "The long rains begin in March. They end in May, and then the farmers plant maize and beans."
    asked = Collection([Document("d", "", passage)], [Query("q", "Lini?")], [Qrel("q", "d", 1)])
    pairs = [SentencePair("They end in May, and then the farmers plant.", "x"), SentencePair("They end.", "y")]
    source = BitextSource(path=tmp_path / "en-sw.tsv", language="sw")
    [kept], found = remove_leaks([Bitext(source, pairs, 0, "")], JudgedTexts(asked))
    assert found.documents == Overlap(0, 0, 1, within=1)
    assert kept.pairs == pairs[1:]


def test_text_without_letters_is_the_same_as_no_other() -> None:
    empty = Collection([Document("d", "", "...")], [Query("q", "?!")], [Qrel("q", "d", 1)])
    (found,) = count_leaks([SentencePair("—", "!")], [JudgedTexts(empty)])
    assert found.is_clean


def test_what_is_found_both_ways_counts_as_exact() -> None:
    query = "Mvua za masika huanza mwezi wa Machi"
    assert leaks(("One.", query + "!"), ("Two.", query + ".")).queries == Overlap(1, 0, 2)


def test_a_document_is_found_with_and_without_its_title() -> None:
    assert leaks(("It flows north to the sea.", "x")).documents.exact == 1
    assert leaks(("The Nile It flows north to the sea.", "x")).documents.exact == 1


def test_what_nobody_judged_relevant_is_no_test_item() -> None:
    found = leaks(("Nobody asked for this one.", "Swali lisilo na jibu."))
    assert found.is_clean
    assert found.either == Overlap(0, 0, 2)


def test_bitexts_are_counted_together(tmp_path: Path) -> None:
    source = BitextSource(path=tmp_path / "en-sw.tsv", language="sw")
    one = Bitext(source, [SentencePair("One.", "Mto Nili hutiririka wapi?")], 0, "")
    two = Bitext(source, [SentencePair("The long rains begin in March.", "Mbili.")], 0, "")
    found = find_leaks([one, two], collection())
    assert found.either == Overlap(2, 0, 2)
    assert "2 of 2 judged pairs leak by either side (2 exactly)" in found.summary()


def test_collection_without_relevant_documents_is_refused() -> None:
    with pytest.raises(DataError, match="relevant"):
        JudgedTexts(Collection([], [Query("q", "text")], [Qrel("q", "d", 1)]))
