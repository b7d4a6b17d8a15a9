"""How much of a text an encoder reads, against what it makes of the text."""

import copy

import numpy as np
import pytest
from sentence_transformers import MultiVectorEncoder

from kivuko.data.collections import Document
from kivuko.models.encoder import backbone
from kivuko.models.reading import CutTexts, Task, token_limit


def embeddings(encoder: MultiVectorEncoder, text: str, task: Task) -> np.ndarray:
    encode = encoder.encode_query if task == "query" else encoder.encode_document
    return np.asarray(encode([text], convert_to_numpy=True, show_progress_bar=False)[0])


@pytest.fixture
def encoder(tiny_encoder: MultiVectorEncoder) -> MultiVectorEncoder:
    return copy.deepcopy(tiny_encoder)


@pytest.mark.parametrize("task", ["query", "document"])
@pytest.mark.parametrize("prompt", ["", "of maize "])
@pytest.mark.parametrize("own", [None, 20])
def test_a_text_is_cut_if_and_only_if_its_last_word_changes_nothing(
    encoder: MultiVectorEncoder, task: Task, prompt: str, own: int | None
) -> None:
    encoder.prompts = {task: prompt}
    if own is not None:
        setattr(backbone(encoder), f"{task}_length", own)
    assert token_limit(encoder, task) == (own or 64)
    reading = CutTexts(encoder, task)
    found = []
    for count in range(1, 70):
        text = "maize " * count
        more = embeddings(encoder, text + "maize", task), embeddings(encoder, text + "rain", task)
        reads_last = not (more[0].shape == more[1].shape and np.allclose(*more))
        assert reading.is_cut(text + "rain") is not reads_last
        found.append(reads_last)
    assert set(found) == {True, False}
    assert found == sorted(found, reverse=True)  # from one length on nothing more is read


def test_documents_pass_by_and_the_long_ones_are_counted(tiny_encoder: MultiVectorEncoder) -> None:
    documents = [Document("a", "", "maize"), Document("b", "maize " * 70, ""), Document("c", "", "rain. " * 40)]
    cut = CutTexts(tiny_encoder, "document")
    assert list(cut.watch(documents)) == documents
    assert cut.count == 2
    assert tiny_encoder.encode_document(["maize " * 70])[0].shape[0] == cut.limit


def test_no_limit_cuts_nothing(encoder: MultiVectorEncoder) -> None:
    encoder.tokenizer.model_max_length = int(1e30)
    cut = CutTexts(encoder, "document")
    assert cut.limit is None
    assert not cut.is_cut("maize " * 1_000)


@pytest.mark.parametrize(("strategy", "own", "expected"), [("fixed", 20, 24), ("min", 30, 30), ("min", None, 64)])
def test_an_expanded_query_is_cut_where_its_expansion_says(
    encoder: MultiVectorEncoder, strategy: str, own: int | None, expected: int
) -> None:
    transformer = backbone(encoder)
    transformer.query_length = own if strategy == "min" else None
    transformer.query_expansion = {"strategy": strategy, "length": 24}
    assert token_limit(encoder, "query") == expected
    assert token_limit(encoder, "document") == 64
    assert len(embeddings(encoder, "maize " * 70, "query")) == expected
