import pytest
from sentence_transformers import MultiVectorEncoder
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from kivuko.models.fertility import Fertility, fertility


@pytest.fixture(scope="module")
def tokenizer() -> PreTrainedTokenizerFast:
    """A vocabulary of whole words, and the letter `a` alone and within a word."""
    vocabulary = {"[UNK]": 0, "mto": 1, "mw": 2, "##a": 3, "a": 4, "##na": 5}
    backend = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    return PreTrainedTokenizerFast(tokenizer_object=backend, unk_token="[UNK]")


def test_pieces_are_counted_by_word_as_often_as_it_stands_there(tokenizer: PreTrainedTokenizerFast) -> None:
    found = fertility(tokenizer, ["mto mwana", "mto, mto!"])
    assert found == Fertility(words=4, pieces=6, whole=3, unknown=0, script="Latn")
    assert found.per_word == 1.5
    assert found.warning is None


def test_unknown_words_are_not_whole_and_warn(tokenizer: PreTrainedTokenizerFast) -> None:
    found = fertility(tokenizer, ["mto ወንዝ"])
    assert (found.whole, found.unknown) == (1, 1)
    assert "50.0% of the words" in (found.warning or "")


def test_crumbs_warn(tokenizer: PreTrainedTokenizerFast) -> None:
    found = fertility(tokenizer, ["aaaa mwaa"])
    assert found.per_word == 3.5
    assert "3.50 pieces each" in (found.warning or "")


def test_script_without_spaces_is_no_crumbs() -> None:
    thai = Fertility(words=10, pieces=80, whole=0, unknown=0, script="Thai")
    assert thai.warning is None
    assert thai._replace(script="Latn").warning is not None


def test_text_without_words_is_not_judged(tokenizer: PreTrainedTokenizerFast) -> None:
    found = fertility(tokenizer, ["1,200", "!"])
    assert found.words == 0
    assert found.warning is None
    assert found.record()["pieces_per_word"] == 0.0


def test_pieces_of_words_are_those_of_the_sentence(tiny_encoder: MultiVectorEncoder, sentences: list[str]) -> None:
    words = "mvua za masika huanza"
    found = fertility(tiny_encoder.tokenizer, [words])
    assert found.pieces == len(tiny_encoder.tokenizer.tokenize(words))
