import tempfile
from collections.abc import Sequence

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from kivuko.search.flat import FlatStore, create_store, gpu, scan
from kivuko.search.store import Entry, Passage

Tokens = NDArray[np.float32]


def tokens(dim: int, most: int) -> st.SearchStrategy[Tokens]:
    shapes = st.tuples(st.integers(0, most), st.just(dim))
    return shapes.flatmap(lambda shape: arrays(np.float32, shape, elements=st.floats(-2, 2, width=16)))


@st.composite
def collections(draw: st.DrawFn) -> tuple[list[list[Tokens]], Tokens]:
    """Draw the passages of up to three segments, and a query."""
    dim = draw(st.integers(2, 9))
    segments = draw(st.lists(st.lists(tokens(dim, 5), min_size=1, max_size=6), min_size=1, max_size=3))
    return segments, draw(tokens(dim, 20))


def filled(directory: str, segments: Sequence[Sequence[Tokens]]) -> FlatStore:
    store = create_store(f"{directory}/store", dim=segments[0][0].shape[1], model_name="")
    for number, segment in enumerate(segments):
        store.add(Entry(Passage(f"{number}-{place}", "", ""), each) for place, each in enumerate(segment))
    return store


def maxsim(store: FlatStore, query: Tokens) -> dict[str, float]:
    """Score the passages of a store, as they are stored, in double precision."""
    scores = {}
    for doc_id in store.doc_ids:
        stored = store.embeddings(doc_id).astype(np.float64)
        if len(stored) and len(query):
            scores[doc_id] = float((query.astype(np.float64) @ stored.T).max(axis=1).sum())
    return scores


def assert_same(store: FlatStore, query: Tokens, top_k: int) -> None:
    expected = maxsim(store, query)
    [matches] = store.search([query], top_k=top_k)
    found = {match.passage.doc_id: match.score for match in matches}
    assert len(found) == len(matches) == min(top_k, len(expected))
    assert [match.score for match in matches] == sorted(found.values(), reverse=True)
    assert found == pytest.approx({doc_id: expected[doc_id] for doc_id in found}, abs=1e-4)
    missed = [score for doc_id, score in expected.items() if doc_id not in found]
    assert max(missed, default=-np.inf) <= min(found.values(), default=np.inf) + 1e-4


@settings(max_examples=60, deadline=None)
@given(collections(), st.integers(1, 20), st.sampled_from([1, 3, 8_192]), st.sampled_from([None, "cpu"]))
def test_search_is_exact_maxsim_over_the_stored_embeddings(
    collection: tuple[list[list[Tokens]], Tokens], top_k: int, tile: int, device: str | None
) -> None:
    segments, query = collection
    with tempfile.TemporaryDirectory() as directory, pytest.MonkeyPatch.context() as patch:
        patch.setattr(scan, "TILE_TOKENS", tile)
        patch.setattr(gpu, "TILE_TOKENS", tile)
        store = filled(directory, segments)
        store._device = torch.device(device) if device else None  # the code of a GPU runs on any device
        assert_same(store, query, top_k)


def test_search_is_exact_where_a_rounded_query_alone_would_find_others() -> None:
    random = np.random.default_rng(0)
    core = random.normal(size=(4, 32))
    passages = [(core + 0.01 * random.normal(size=core.shape)).astype(np.float32) for _ in range(600)]
    differences = 0
    with tempfile.TemporaryDirectory() as directory:
        store = filled(directory, [passages[:400], passages[400:]])
        segments = store._state.segments
        for query in random.normal(size=(20, 6, 32)).astype(np.float32):
            assert_same(store, query, top_k=100)
            expected = np.array(list(maxsim(store, query).values()))
            rough = np.concatenate([scan._scan(each, np.ones(len(each), dtype=bool), query) for each in segments])
            assert np.abs(rough - expected).max() <= scan._margin(segments, query)
            again = np.concatenate([gpu.scan_on_device(each, query, torch.device("cpu")) for each in segments])
            assert np.abs(again - rough).max() < 1e-4
            differences += {*np.argsort(rough)[-100:].tolist()} != {*np.argsort(expected)[-100:].tolist()}
    assert differences, "the rescoring was never needed"


def test_equal_scores_are_ordered_by_doc_id_falling() -> None:
    same = np.ones((2, 4), dtype=np.float32)
    with tempfile.TemporaryDirectory() as directory:
        store = filled(directory, [[same, same], [same, same]])
        [matches] = store.search([same], top_k=3)
    assert [match.passage.doc_id for match in matches] == ["1-1", "1-0", "0-1"]


@pytest.mark.slow
@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")
def test_a_gpu_finds_the_same() -> None:
    random = np.random.default_rng(0)
    passages = list(random.normal(size=(3_000, 30, 128)).astype(np.float32))
    with tempfile.TemporaryDirectory() as directory:
        filled(directory, [passages[:2_000], passages[2_000:]])
        on_cpu, on_gpu = FlatStore(f"{directory}/store", device="cpu"), FlatStore(f"{directory}/store")
        for query in random.normal(size=(10, 12, 128)).astype(np.float32):
            assert on_gpu.search([query], top_k=100) == on_cpu.search([query], top_k=100)


def test_a_dimension_whose_sums_float32_could_not_hold_stays_on_the_cpu() -> None:
    assert gpu.LARGEST_DIM == 1_040
    assert gpu.usable_gpu(1_041) is None
