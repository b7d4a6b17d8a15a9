from io import BytesIO
from random import Random

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sentence_transformers import MultiVectorEncoder

from kivuko.curation.mining import encode_side, find_candidates, margin_among, match, mine, transport_nearness
from kivuko.curation.tokens import encode_tokens, transport_costs
from kivuko.errors import DataError


@pytest.fixture(scope="module")
def english(sentences: list[str]) -> list[str]:
    words = [word for sentence in sentences for word in sentence.split()]
    return [" ".join(words[2 * n : 2 * n + 7]) for n in range(40)]


def unit(rows: list[list[float]]) -> np.ndarray:
    vectors = np.array(rows, dtype=np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def test_hidden_pairs_are_found_and_no_others(tiny_encoder: MultiVectorEncoder, english: list[str]) -> None:
    others = [text.upper() for text in english[30:10:-3]]
    found = mine(english, others, tiny_encoder, tiny_encoder, threshold=1.05)
    assert {tuple(pair) for pair in found.pairs.tolist()} == {(30 - 3 * n, n) for n in range(len(others))}
    assert np.all(np.diff(found.scores) <= 0)


@pytest.mark.parametrize("rescored", [True, False])
def test_order_of_the_texts_changes_nothing(
    tiny_encoder: MultiVectorEncoder, english: list[str], *, rescored: bool
) -> None:
    others = [text.upper() for text in english[5:20]]
    one = mine(english, others, tiny_encoder, tiny_encoder, threshold=1.05, rescored=rescored)
    two = mine(english[::-1], others[::-1], tiny_encoder, tiny_encoder, threshold=1.05, rescored=rescored)
    turned = np.array([len(english), len(others)]) - 1 - two.pairs
    assert {(*map(int, pair),) for pair in one.pairs} == {(*map(int, pair),) for pair in turned}
    np.testing.assert_allclose(one.scores, two.scores, atol=0.01)


def test_margin_is_that_of_the_paper() -> None:
    english, others = unit([[1, 0.1], [0.2, 1], [1, 1]]), unit([[1, 0], [0.5, 1]])
    found = find_candidates(english, others, neighbors=2)
    cosines = english @ others.T
    nearest = np.sort(cosines, axis=1)[:, -2:].sum(1)[:, None] / 4 + np.sort(cosines, axis=0)[-2:].sum(0) / 4
    expected = (cosines / nearest)[found.pairs[:, 0], found.pairs[:, 1]]
    np.testing.assert_allclose(found.margin, expected, rtol=1e-5)
    assert found.pairs.tolist() == [[0, 0], [0, 1], [1, 0], [1, 1], [2, 0], [2, 1]]


def test_sentence_without_tokens_is_no_candidate() -> None:
    english = np.array([[1, 0], [0, 0]], dtype=np.float32)
    assert find_candidates(english, english, neighbors=2).pairs.tolist() == [[0, 0]]


def test_nearness_is_that_of_the_tokens_before_they_were_stored(
    tiny_encoder: MultiVectorEncoder, english: list[str]
) -> None:
    side = encode_side(tiny_encoder, english, BytesIO())
    pairs = np.array([[3, 7], [0, 39], [5, 5]])
    tokens = encode_tokens(tiny_encoder, english)
    expected = 1 - transport_costs(tokens, tokens, pairs)
    np.testing.assert_allclose(transport_nearness(side, side, pairs), expected, atol=5e-3)
    np.testing.assert_allclose(side.means, tokens.means(), atol=1e-6)
    torch.testing.assert_close(side.read([7]).embeddings, tokens.take([7]).embeddings, atol=1e-3, rtol=0)


@given(
    st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=1, unique=True),
    st.randoms(use_true_random=False),
)
def test_no_sentence_is_matched_twice_and_none_is_passed_over(pairs: list[tuple[int, int]], drawn: Random) -> None:
    table, scores = np.array(pairs), np.array([drawn.random() for _ in pairs])
    taken = match(table, scores)
    chosen = table[taken]
    assert len(set(chosen[:, 0])) == len(set(chosen[:, 1])) == len(taken)
    for place, (one, other) in enumerate(pairs):
        rivals = [k for k in taken if table[k, 0] == one or table[k, 1] == other]
        assert max(scores[k] for k in rivals) >= scores[place]


def test_margin_among_candidates_does_not_know_their_scale() -> None:
    pairs, near = np.array([[0, 0], [0, 1], [2, 1]]), np.array([0.9, 0.3, 0.6])
    np.testing.assert_allclose(margin_among(pairs, 3 * near), margin_among(pairs, near))


def test_empty_text_and_too_high_a_threshold_are_refused(tiny_encoder: MultiVectorEncoder, english: list[str]) -> None:
    with pytest.raises(DataError, match="no other sentence"):
        mine(english, [], tiny_encoder, tiny_encoder, threshold=1)
    with pytest.raises(DataError, match="No pair has a score of 50 or more; the best has"):
        mine(english, english, tiny_encoder, tiny_encoder, threshold=50)
