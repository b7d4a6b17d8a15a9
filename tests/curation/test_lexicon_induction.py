from pathlib import Path

import pytest

from kivuko.curation.lexicon_induction import (
    Entry,
    count_links,
    entry_words,
    ranked_translations,
    read_dictionary,
    score_lexicon,
    write_lexicon,
)
from kivuko.data.bitext import SentencePair
from kivuko.errors import DataError
from kivuko.models.word_lexicon import WordLinks

LINKS = [
    ("Nyumba", "House", 1.0),
    ("nyumba", "house", 0.5),
    ("nyumba", "home", 0.5),
    ("kubwa", "large", 0.5),
    ("kubwa", "big", 0.5),
    (".", ".", 1.0),
    ("1,200", "1,200", 1.0),
]


@pytest.fixture
def links() -> WordLinks:
    return count_links(LINKS)


def test_strengths_of_a_link_add_up_whatever_the_case(links: WordLinks) -> None:
    assert [entry for entry in ranked_translations(links) if entry.word == "nyumba"] == [
        Entry("nyumba", "house", 0.75, 1.5),
        Entry("nyumba", "home", 0.25, 0.5),
    ]


def test_what_has_no_letter_is_not_listed(links: WordLinks) -> None:
    assert {entry.word for entry in ranked_translations(links)} == {"nyumba", "kubwa"}
    assert entry_words("Mwaka wa 2020 – ng’ombe!") == ["mwaka", "wa", "ng'ombe"]


def test_words_and_ties_are_in_the_order_of_the_alphabet(links: WordLinks) -> None:
    listed = [(entry.word, entry.translation) for entry in ranked_translations(links)]
    assert listed == [("kubwa", "big"), ("kubwa", "large"), ("nyumba", "house"), ("nyumba", "home")]
    assert ranked_translations(count_links(reversed(LINKS))) == ranked_translations(links)


def test_few_and_probable_translations_can_be_asked_for(links: WordLinks) -> None:
    assert len(ranked_translations(links, top_k=1)) == 2
    assert [entry.translation for entry in ranked_translations(links, minimum=0.6)] == ["house"]


def test_no_link_is_an_error() -> None:
    with pytest.raises(DataError, match="No words are linked"):
        count_links([("!", "house", 1.0)])


def test_dictionary_is_read_either_way_and_phrases_are_left_out() -> None:
    pairs = [SentencePair("House", "nyumba"), SentencePair("home", "nyumba"), SentencePair("a while", "kitambo")]
    assert read_dictionary(pairs) == {"nyumba": {"house", "home"}}
    assert read_dictionary(pairs, to_english=False) == {"house": {"nyumba"}, "home": {"nyumba"}}
    with pytest.raises(DataError, match="one word on both sides"):
        read_dictionary(pairs[2:])


def test_score_counts_covered_words_and_the_first_translations(links: WordLinks) -> None:
    score = score_lexicon(
        ranked_translations(links), {"nyumba": {"home"}, "kubwa": {"big"}, "ndogo": {"small"}, "mto": {"river"}}
    )
    assert (score.dictionary_words, score.covered, score.coverage) == (4, 2, 0.5)
    assert score.precision == {1: 0.5, 5: 1.0}


def test_lexicon_that_covers_nothing_scores_zero(links: WordLinks) -> None:
    assert score_lexicon(ranked_translations(links), {"mto": {"river"}}).precision == {1: 0.0, 5: 0.0}


def test_written_file_has_a_line_a_translation(links: WordLinks, tmp_path: Path) -> None:
    path = tmp_path / "lexicon.tsv"
    assert write_lexicon(ranked_translations(links, top_k=1), path) == 2
    assert path.read_text(encoding="utf-8").splitlines() == [
        "word\ttranslation\tprobability\tcount",
        "kubwa\tbig\t0.5000\t0.50",
        "nyumba\thouse\t0.7500\t1.50",
    ]
    assert [entry.name for entry in tmp_path.iterdir()] == ["lexicon.tsv"]


def test_failed_write_leaves_nothing(links: WordLinks, tmp_path: Path) -> None:
    path = tmp_path / "lexicon.tsv"
    path.mkdir()
    with pytest.raises(DataError, match="cannot be written"):
        write_lexicon(ranked_translations(links), path)
    assert [entry.name for entry in tmp_path.iterdir()] == ["lexicon.tsv"]
