from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray
from sentence_transformers import MultiVectorEncoder

from kivuko.data.collections import Document
from kivuko.errors import ConfigError
from kivuko.search import build_index, exact, exact_search, maxsim_scores
from kivuko.search.index import Index
from kivuko.search.manifest import Manifest

DIM = 4
Embeddings = list[NDArray[np.float32]]

# Whole numbers are exact in float16 and their products in float32, so scores can be compared with ==, ties included.
token_sets = st.lists(
    st.integers(0, 5).flatmap(lambda n: arrays.arrays(np.float32, (n, DIM), elements=st.integers(-3, 3))),
    min_size=1,
    max_size=12,
)


def index_of(embeddings: Embeddings, dtype: type = np.float32) -> Index:
    starts = np.cumsum([0, *map(len, embeddings)])
    manifest = Manifest(
        model_name="",
        dim=embeddings[0].shape[1],
        dtype=np.dtype(dtype).name,
        documents=len(embeddings),
        tokens=int(starts[-1]),
        files={},
    )
    return Index(
        directory=Path(),
        manifest=manifest,
        doc_ids=[f"d{number}" for number in range(len(embeddings))],
        embeddings=np.concatenate(embeddings).astype(dtype),
        offsets=np.stack([starts, starts], axis=1),
        payload=np.zeros(0, dtype=np.uint8),
    )


def loop(documents: Embeddings, query: NDArray[np.float32], top_k: int) -> list[tuple[float, int]]:
    scored = [
        (float((query @ tokens.T).max(1).sum()), number) for number, tokens in enumerate(documents) if len(tokens)
    ]
    scored.sort(key=lambda found: (found[0], f"d{found[1]}"), reverse=True)
    return scored[:top_k] if len(query) else []


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
@given(documents=token_sets, queries=token_sets, top_k=st.integers(1, 14))
def test_search_equals_the_loop_over_documents_ties_and_empty_sides_included(
    documents: Embeddings, queries: Embeddings, top_k: int, dtype: type
) -> None:
    rankings = exact_search(index_of(documents, dtype), queries, top_k=top_k)
    assert [list(zip(ranking.scores.tolist(), ranking.positions.tolist(), strict=True)) for ranking in rankings] == [
        loop(documents, query, top_k) for query in queries
    ]


@given(documents=token_sets, queries=token_sets)
def test_tiles_blocks_and_passes_change_nothing(documents: Embeddings, queries: Embeddings) -> None:
    index = index_of(documents, np.float16)
    whole = exact_search(index, queries, top_k=5)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(exact, "TILE_TOKENS", 3)  # smaller than some documents
        patch.setattr(exact, "BLOCK_TOKENS", 2)
        patch.setattr(exact, "MAX_SCORES", 1)
        cut = exact_search(index, queries, top_k=5)
    for one, other in zip(whole, cut, strict=True):
        np.testing.assert_array_equal(one.positions, other.positions)
        np.testing.assert_array_equal(one.scores, other.scores)


def test_every_finite_float16_is_widened_exactly() -> None:
    every = np.arange(2**16, dtype=np.uint16).view(np.float16)
    finite = every[np.isfinite(every)].reshape(-1, 32)
    widened = exact._widen(finite, np.empty(finite.shape, dtype=np.float32))
    np.testing.assert_array_equal(widened.view(np.uint32), finite.astype(np.float32).view(np.uint32))


@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 1e-5), ("float16", 2e-2)])
def test_scores_are_those_of_the_encoder_itself(
    tiny_encoder: MultiVectorEncoder, documents: list[Document], tmp_path: Path, dtype: str, tolerance: float
) -> None:
    index = build_index(tiny_encoder, documents, tmp_path / "index", model_name="tiny", dtype=dtype)
    queries = tiny_encoder.encode_query(["mto mrefu", "When do the rains begin?"], convert_to_numpy=True)
    encoded = tiny_encoder.encode_document([document.content for document in documents])
    expected = tiny_encoder.similarity(queries, encoded).numpy()
    np.testing.assert_allclose(maxsim_scores(index, queries), expected, atol=tolerance)


def test_no_query_gives_no_ranking() -> None:
    assert exact_search(index_of([np.ones((2, DIM), np.float32)]), [], top_k=3) == []


@pytest.mark.parametrize("top_k", [0, -1])
def test_a_top_k_below_one_is_refused(top_k: int) -> None:
    with pytest.raises(ConfigError, match=f"at least 1, got {top_k}"):
        exact_search(index_of([np.ones((2, DIM), np.float32)]), [], top_k=top_k)
