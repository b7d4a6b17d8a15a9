from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from kivuko.search.flat import FlatStore, create_store, scan, signs
from kivuko.search.flat.quantize import quantize
from kivuko.search.store import Entry, Match, Passage

DIM = 96


def unit(random: np.random.Generator, *shape: int) -> NDArray[np.float32]:
    tokens = random.normal(size=shape)
    return (tokens / np.linalg.norm(tokens, axis=-1, keepdims=True)).astype(np.float32)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 19), min_size=1, max_size=6), st.sampled_from([2, 64, 65, 130]), st.integers(1, 5))
def test_documents_are_ranked_by_their_fewest_differing_bits(lengths: list[int], dim: int, asked: int) -> None:
    random = np.random.default_rng(0)
    starts = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    stored, query = quantize(random.normal(size=(starts[-1], dim))), unit(random, asked, dim)
    estimated = signs.rank_by_signs(signs.make_signs(*stored, starts), query)
    rotation = signs._rotation(dim).astype(np.float64)
    length = rotation.shape[1]
    assert np.array_equal(rotation @ rotation.T, length * np.eye(dim))
    differing = (stored.codes @ rotation >= 0)[None] != (query @ rotation >= 0)[:, None]
    cosines = np.cos(np.pi * differing.sum(axis=2) / length)
    for document, (first, last) in enumerate(pairwise(starts)):
        expected = cosines[:, first:last].max(axis=1).sum() if last > first else -np.inf
        assert estimated[document] == pytest.approx(expected, abs=1e-4)


def test_segments_of_different_lengths_are_not_ranked_by_angles(tmp_path: Path) -> None:
    random = np.random.default_rng(8)
    store = create_store(tmp_path / "store", dim=DIM, model_name="")
    for name, count, length in (("short", 2_100, 1), ("long", 50, 3)):
        passages = length * unit(random, count, 2, DIM)
        store.add(Entry(Passage(f"{name}-{number}", "", ""), each) for number, each in enumerate(passages))
    for matches in store.search(queries(), top_k=10):
        assert all(match.passage.doc_id.startswith("long") for match in matches)


def test_empty_passages_and_zeros_do_not_turn_the_signs_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = create_store(tmp_path / "store", dim=DIM, model_name="")
    passages = unit(np.random.default_rng(9), 2_100, 2, DIM)
    passages[3, 1] = 0
    store.add(Entry(Passage(str(number), "", ""), each) for number, each in enumerate(passages))
    store.add([Entry(Passage("empty", "", ""), np.empty((0, DIM), np.float32))])
    ranked: list[int] = []
    monkeypatch.setattr(scan, "rank_by_signs", lambda *told: ranked.append(1) or signs.rank_by_signs(*told))
    [matches] = store.search([passages[7]], top_k=5)
    assert len(ranked) == 2
    assert matches[0].passage.doc_id == "7"


@pytest.fixture(scope="module")
def crowded(tmp_path_factory: pytest.TempPathFactory) -> FlatStore:
    """5,000 passages in two segments, a hundred of them deleted."""
    random = np.random.default_rng(3)
    store = create_store(tmp_path_factory.mktemp("crowded") / "store", dim=DIM, model_name="")
    for part in range(2):
        passages = unit(random, 2_500, 9, DIM)
        store.add(
            Entry(Passage(f"{part}-{number}", "", "", "sw" if number % 20 == 0 else "en"), each[: 1 + number % 9])
            for number, each in enumerate(passages)
        )
    store.delete(f"1-{number}" for number in range(100))
    return store


def queries() -> list[NDArray[np.float32]]:
    return list(unit(np.random.default_rng(4), 20, 6, DIM))


def shared(found: list[list[Match]], exact: list[list[Match]]) -> float:
    """Return which share of the exact answers was found; what was found has exact scores."""
    shares = []
    for some, best in zip(found, exact, strict=True):
        scores = {match.passage.doc_id: match.score for match in best}
        assert all(match.score == pytest.approx(scores.get(match.passage.doc_id, match.score)) for match in some)
        shares.append(np.mean([match.passage.doc_id in scores for match in some]))
    return float(np.mean(shares))


def test_candidates_by_signs_hold_the_best_of_passages_with_subjects(tmp_path: Path) -> None:
    random = np.random.default_rng(7)
    subjects = unit(random, 300, DIM)
    store = create_store(tmp_path / "store", dim=DIM, model_name="")
    passages = [subjects[random.choice(300, 6)] + unit(random, 6, DIM) for _ in range(4_000)]
    store.add(
        Entry(Passage(str(number), "", ""), each / np.linalg.norm(each, axis=1, keepdims=True))
        for number, each in enumerate(passages)
    )
    asked = [subjects[random.choice(300, 5)] for _ in range(20)]
    exact = FlatStore(store.directory, exhaustive=True).search(asked, top_k=10)
    assert shared(store.search(asked, top_k=10), exact) > 0.97


def test_exhaustive_leaves_the_signs_out(crowded: FlatStore) -> None:
    exhaustive = FlatStore(crowded.directory, exhaustive=True)
    exact = exhaustive.search(queries(), top_k=10)
    # Random vectors are as hard as can be: nothing is near anything, and what is missed is replaced by nearly as good.
    assert 0.7 < shared(crowded.search(queries(), top_k=10), exact) < 1
    assert all(segment._signs for segment in crowded._state.segments)
    assert not any(segment._signs for segment in exhaustive._state.segments)


def test_what_is_near_is_found(crowded: FlatStore) -> None:
    for doc_id in ("0-8", "1-1700", "0-2498"):
        tokens = crowded.embeddings(doc_id)
        noised = tokens + 0.1 * unit(np.random.default_rng(5), *tokens.shape)
        [matches] = crowded.search([noised], top_k=1)
        assert [match.passage.doc_id for match in matches] == [doc_id]


def test_deleted_passages_are_no_candidates(crowded: FlatStore) -> None:
    for matches in crowded.search(queries(), top_k=100):
        assert len(matches) == 100
        assert not {match.passage.doc_id for match in matches} & {f"1-{number}" for number in range(100)}


def test_a_filter_that_leaves_few_is_exact(crowded: FlatStore) -> None:
    exhaustive = FlatStore(crowded.directory, exhaustive=True)
    expected = exhaustive.search(queries(), top_k=10, where={"language": "sw"})
    assert crowded.search(queries(), top_k=10, where={"language": "sw"}) == expected


def test_embeddings_of_different_lengths_are_scanned_by_integers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    random = np.random.default_rng(6)
    store = create_store(tmp_path / "store", dim=DIM, model_name="")
    passages = random.uniform(0.2, 1, size=(2_500, 1, 1)).astype(np.float32) * unit(random, 2_500, 2, DIM)
    store.add(Entry(Passage(str(number), "", ""), each) for number, each in enumerate(passages))
    monkeypatch.setattr(scan, "rank_by_signs", lambda *_: pytest.fail("angles do not rank these"))
    assert len(store.search(queries(), top_k=10)) == 20
