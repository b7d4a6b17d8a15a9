import numpy as np
import pytest
from sentence_transformers import MultiVectorEncoder

from kivuko.curation.lexicon_induction import ranked_translations
from kivuko.data.bitext import SentencePair
from kivuko.experiment.lexicon import link_by_ibm1, link_by_transport

PAIRS = [
    SentencePair("The big house.", "Nyumba kubwa."),
    SentencePair("House", "nyumba"),
    SentencePair("A big book", "Kitabu kikubwa"),
    SentencePair("book", "kitabu"),
]


def test_model_1_looks_words_up_in_either_direction() -> None:
    first = {entry.word: entry.translation for entry in ranked_translations(link_by_ibm1(PAIRS), top_k=1)}
    assert (first["nyumba"], first["kitabu"]) == ("house", "book")
    back = {
        entry.word: entry.translation for entry in ranked_translations(link_by_ibm1(PAIRS, to_english=False), top_k=1)
    }
    assert (back["house"], back["book"]) == ("nyumba", "kitabu")


def test_transport_links_equal_words_of_a_model_with_itself(tiny_encoder: MultiVectorEncoder) -> None:
    same = [SentencePair(text, text) for text in ("lion", "maize and beans", "the Nile")]
    entries = ranked_translations(link_by_transport(same, tiny_encoder, tiny_encoder), top_k=1)
    assert {entry.word: entry.translation for entry in entries} == {
        word: word for word in ("lion", "maize", "and", "beans", "the", "nile")
    }


def test_transport_counts_do_not_depend_on_the_order_of_pairs(tiny_encoder: MultiVectorEncoder) -> None:
    forward, backward = (
        ranked_translations(link_by_transport(pairs, tiny_encoder, tiny_encoder)) for pairs in (PAIRS, PAIRS[::-1])
    )
    assert [entry[:2] for entry in forward] == [entry[:2] for entry in backward]
    np.testing.assert_array_equal([entry.links for entry in forward], [entry.links for entry in backward])


def test_directions_hold_the_same_links(tiny_encoder: MultiVectorEncoder) -> None:
    to, of = (link_by_transport(PAIRS, tiny_encoder, tiny_encoder, to_english=flag) for flag in (True, False))
    assert to.counts.sum() == pytest.approx(of.counts.sum())
    assert set(to.words) == set(of.translations)
