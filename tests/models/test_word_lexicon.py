from pathlib import Path

import numpy as np
import pytest

from kivuko.errors import DataError
from kivuko.models.word_lexicon import WordLexicon, learn_word_lexicon, read_word_lexicon, write_word_lexicon
from kivuko.models.words import Analyzer

ENGLISH = ["the house", "the books", "the big house", "a big book", "house", "this book"]
SWAHILI = ["nyumba", "kitabu", "nyumba kubwa", "kitabu kikubwa", "nyumba", "kitabu hiki"]


@pytest.fixture(scope="module")
def lexicon() -> WordLexicon:
    return learn_word_lexicon(
        SWAHILI,
        ENGLISH,
        query_analyzer=Analyzer(),
        document_analyzer=Analyzer(stemmer="english"),
        iterations=10,
        tension=0,
        minimum=0.0,
    )


def test_words_find_their_translations_by_stem(lexicon: WordLexicon) -> None:
    assert lexicon.translations("kitabu")[0][0] == "book"
    assert lexicon.translations("nyumba")[0][0] == "hous"
    assert lexicon.translations("meli") == []


def test_probabilities_of_a_word_sum_to_one(lexicon: WordLexicon) -> None:
    np.testing.assert_allclose(lexicon.probabilities.sum(axis=1), 1)


def test_small_probabilities_are_dropped_and_the_others_left_as_they_are(lexicon: WordLexicon) -> None:
    cut = learn_word_lexicon(
        SWAHILI,
        ENGLISH,
        query_analyzer=Analyzer(),
        document_analyzer=Analyzer(stemmer="english"),
        iterations=10,
        tension=0,
        minimum=0.2,
    )
    whole = lexicon.probabilities.toarray()
    np.testing.assert_array_equal(cut.probabilities.toarray(), np.where(whole >= 0.2, whole, 0))


def test_pairs_without_words_or_with_too_many_are_left_out(lexicon: WordLexicon) -> None:
    more = learn_word_lexicon(
        [*SWAHILI, "?", "a", "neno " * 101],
        [*ENGLISH, "what", "!", "word"],
        query_analyzer=Analyzer(),
        document_analyzer=Analyzer(stemmer="english"),
        iterations=10,
        tension=0,
        minimum=0.0,
    )
    np.testing.assert_array_equal(more.probabilities.toarray(), lexicon.probabilities.toarray())


def test_nothing_to_learn_from_is_said() -> None:
    with pytest.raises(DataError, match="no sentence pair of 1 to 100 words"):
        learn_word_lexicon(["?"], ["!"], query_analyzer=Analyzer(), document_analyzer=Analyzer())


def test_a_lexicon_comes_back_from_its_file(tmp_path: Path, lexicon: WordLexicon) -> None:
    path = tmp_path / "en-sw.tsv"
    write_word_lexicon(lexicon, path)
    again = read_word_lexicon(path)
    assert (again.query_analyzer, again.document_analyzer) == (lexicon.query_analyzer, lexicon.document_analyzer)
    for word in lexicon.query_words:
        one, other = lexicon.translations(word, minimum=0), again.translations(word, minimum=0)
        assert dict(other) == pytest.approx({translation: value for translation, value in one if value}, rel=1e-5)
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("nyumba\thous", "line 2: expected word, word, probability, got 2"),
        ("nyumba\thous\tmuch", "line 2: expected a probability"),
        ("nyumba\thous\t1.5", "line 2: expected a probability"),
        ("nyumba\thous\tnan", "line 2: expected a probability"),
        ("", "holds no translation"),
    ],
)
def test_a_malformed_file_is_refused(tmp_path: Path, lexicon: WordLexicon, line: str, message: str) -> None:
    path = tmp_path / "en-sw.tsv"
    write_word_lexicon(lexicon, path)
    path.write_text(path.read_text().splitlines()[0] + "\n" + line + "\n")
    with pytest.raises(DataError, match=message):
        read_word_lexicon(path)


def test_a_file_without_settings_is_refused_with_an_example(tmp_path: Path) -> None:
    path = tmp_path / "en-sw.tsv"
    path.write_text("nyumba\thouse\t0.9\n")
    with pytest.raises(DataError, match=r"line 1: expected settings such as .*kivuko-word-lexicon 1"):
        read_word_lexicon(path)


def test_a_folder_that_is_not_there_is_said(tmp_path: Path, lexicon: WordLexicon) -> None:
    with pytest.raises(DataError, match="cannot be written"):
        write_word_lexicon(lexicon, tmp_path / "nowhere" / "en-sw.tsv")
