"""A translation table between pieces, learned from bitext by IBM Model 1."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

IntArray = NDArray[np.int64]

# A tension is one number: the first million links tell as much of it as all of them.
_TENSION_LINKS = 1_000_000
_TENSION_STEPS = 5
_LARGEST_TENSION = 20.0


class Lexicon(NamedTuple):
    """Expected links between target pieces and English pieces.

    Attributes:
        counts: Sparse (target pieces, English pieces) expected number of links under both directions of the model: the
            geometric mean of the two expectations, so that a link counts as far as both directions believe in it.
    """

    counts: csr_array


def align_pieces(
    english: Sequence[Sequence[int]],
    translations: Sequence[Sequence[int]],
    *,
    english_size: int,
    target_size: int,
    iterations: int = 8,
    tension: float | None = 0.0,
    weights: Sequence[float] | None = None,
) -> Lexicon:
    """Estimate which English piece each target piece translates, with IBM Model 1 in both directions.

    Model 1 explains each token f of a sentence by one token e of the other, or by nothing:
    p(f | e_1 .. e_l) = 1 / (l + 1) * sum_i t(f | e_i), with e_0 the empty word. Expectation maximization is exact and
    has one optimum but for the symmetry of the table; every iteration is a few passes over one array of links.

    With a tension, a token is rather explained by those that stand where it stands itself, as in Model 2 with a prior
    towards the diagonal: for token j of m and token i of l, exp(-tension |(j - 1/2) / m - (i - 1/2) / l|) in place of
    1, scaled to a mean of 1 over i. The empty word has no place and keeps its share. A tension that is learned starts
    at 0, which is Model 1, and is made anew after every iteration, as the likeliest for the links that were expected in
    it. A tension from the start forces the order of one side on the other, which harms where the orders differ.

    Args:
        english: Piece ids of each English sentence.
        translations: Piece ids of each translation, in the same order.
        english_size: Number of English pieces.
        target_size: Number of target pieces.
        iterations: Passes of expectation maximization. Positive.
        tension: How much order counts; 0 is Model 1, in which it does not. Not negative; None learns it.
        weights: What the expected links of each sentence count, as if it stood there so often: a pair of a dictionary
            whose word has four translations counts a quarter. Positive; None is 1 for all.

    References:
        Brown et al., "The Mathematics of Statistical Machine Translation", Computational Linguistics 1993, section 4.2.
        Dyer, Chahuneau and Smith, "A Simple, Fast, and Effective Reparameterization of IBM Model 2", NAACL 2013, for
        the prior; there the tension starts at 4 and is learned by gradient steps, and the share of the empty word is
        fixed.
        Liang, Taskar and Klein, "Alignment by Agreement", NAACL 2006, for the product of both directions.
    """
    if len(english) != len(translations):
        raise ValueError(
            f"expected as many translations as English sentences, got {len(translations)} and {len(english)}"
        )
    if tension is not None and tension < 0:
        raise ValueError(f"tension must not be negative, got {tension}")
    if weights is not None and (len(weights) != len(english) or min(weights, default=1) <= 0):
        raise ValueError(f"expected {len(english)} positive weights, got {len(weights)}, the least {min(weights)}")
    forward = _expected_links(english, translations, english_size, target_size, iterations, tension, weights)
    backward = _expected_links(translations, english, target_size, english_size, iterations, tension, weights)
    # Both hold the same cells in the same order once the second is transposed: the co-occurring pieces.
    backward = csr_array(backward.T.tocsr())
    forward.sort_indices()
    backward.sort_indices()
    agreement = csr_array((np.sqrt(forward.data * backward.data), forward.indices, forward.indptr), shape=forward.shape)
    return Lexicon(agreement)


def _expected_links(
    given: Sequence[Sequence[int]],
    explained: Sequence[Sequence[int]],
    given_size: int,
    explained_size: int,
    iterations: int,
    tension: float | None,
    weights: Sequence[float] | None,
) -> csr_array:
    """Return the expected links of `explained` pieces (rows) to `given` pieces (columns) after the iterations."""
    rows, columns, tokens = _links(given, explained)
    distance = None if tension == 0 else _distances(given, explained, tokens)
    now = tension or 0.0
    cell_ids = rows * given_size + columns
    cells, cell = np.unique(cell_ids, return_inverse=True)
    cell = cell.astype(np.int32)  # half the memory of the largest array
    cell_columns = cells % given_size
    # The empty word: one extra cell per explained piece, at the end of the table.
    explained_flat = np.concatenate([np.asarray(sentence, dtype=np.int64) for sentence in explained])
    counted = None if weights is None else np.repeat(np.asarray(weights, dtype=np.float64), _lengths(explained))
    table: NDArray[Any] = np.full(len(cells), 1.0 / explained_size)
    empty: NDArray[Any] = np.full(explained_size, 1.0 / explained_size)
    counts: NDArray[Any] = table
    for _ in range(iterations):
        weight = table[cell]
        if distance is not None and now:
            weight *= _diagonal_prior(distance, tokens, now)
        empty_weight = empty[explained_flat]
        total = np.bincount(tokens, weights=weight, minlength=len(explained_flat)) + empty_weight
        weight /= total[tokens]
        empty_weight = empty_weight / total
        if counted is not None:
            weight *= counted[tokens]
            empty_weight *= counted
        counts = np.bincount(cell, weights=weight, minlength=len(cells))
        if distance is not None and tension is None:
            now = _likeliest_tension(distance, tokens, weight, now)
        column_totals = np.bincount(cell_columns, weights=counts, minlength=given_size)
        table = counts / np.maximum(column_totals, np.finfo(np.float64).tiny)[cell_columns]
        empty_counts = np.bincount(explained_flat, weights=empty_weight, minlength=explained_size)
        empty = empty_counts / empty_counts.sum()
    return csr_array((counts, (cells // given_size, cell_columns)), shape=(explained_size, given_size))


def _distances(
    given: Sequence[Sequence[int]], explained: Sequence[Sequence[int]], tokens: IntArray
) -> NDArray[np.float32]:
    """Return how far apart both tokens of each link of `_links` stand in their sentences, in [0, 1)."""
    given_lengths, explained_lengths = _lengths(given), _lengths(explained)
    place = (_within(explained_lengths) + 0.5) / np.repeat(explained_lengths, explained_lengths)
    candidates = np.repeat(given_lengths, explained_lengths)
    return np.abs(place[tokens] - (_within(candidates) + 0.5) / candidates[tokens]).astype(np.float32)


def _diagonal_prior(distance: NDArray[np.float32], tokens: IntArray, tension: float) -> NDArray[np.float32]:
    """Return the prior weight of each link, of mean 1 for each explained token."""
    prior = np.exp(-np.float32(tension) * distance)
    means = np.bincount(tokens, weights=prior) / np.maximum(np.bincount(tokens), 1)
    return np.asarray(prior / means.astype(np.float32)[tokens])


def _likeliest_tension(
    distance: NDArray[np.float32], tokens: IntArray, expected: NDArray[np.float64], tension: float
) -> float:
    """Return the tension under which these expected links are likeliest, by Newton's method.

    With r_t the links expected of token t, sum_t r_t E_prior[distance | t] has to be what was expected; the
    likelihood is concave in the tension, and the derivative of E is minus the variance.
    """
    some = slice(0, _TENSION_LINKS)
    distance, tokens, expected = distance[some], tokens[some], expected[some]
    mass = np.bincount(tokens, weights=expected)
    observed = float(expected @ distance)
    for _ in range(_TENSION_STEPS):
        prior = np.exp(-np.float32(tension) * distance)
        total = np.maximum(np.bincount(tokens, weights=prior), np.finfo(np.float32).tiny)
        mean = np.bincount(tokens, weights=prior * distance) / total
        variance = np.bincount(tokens, weights=prior * distance**2) / total - mean**2
        slope = float(mass @ variance)
        if slope <= 0:
            break
        tension = min(max(tension + float(mass @ mean - observed) / slope, 0.0), _LARGEST_TENSION)
    return tension


def _lengths(sentences: Sequence[Sequence[int]]) -> IntArray:
    return np.fromiter((len(sentence) for sentence in sentences), dtype=np.int64, count=len(sentences))


def _within(lengths: IntArray) -> IntArray:
    """Count from zero within runs of these lengths, one behind the other."""
    return np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)


def _links(given: Sequence[Sequence[int]], explained: Sequence[Sequence[int]]) -> tuple[IntArray, IntArray, IntArray]:
    """List every (explained, given) pair of tokens in all sentence pairs, and the running number of the explained."""
    given_lengths, explained_lengths = _lengths(given), _lengths(explained)
    given_flat = np.concatenate([np.asarray(sentence, dtype=np.int64) for sentence in given])
    explained_flat = np.concatenate([np.asarray(sentence, dtype=np.int64) for sentence in explained])
    # Each explained token is repeated once for every given token of its sentence.
    repeats = np.repeat(given_lengths, explained_lengths)
    tokens = np.repeat(np.arange(len(explained_flat)), repeats)
    starts = np.repeat(np.cumsum(given_lengths) - given_lengths, explained_lengths)
    columns = given_flat[np.repeat(starts, repeats) + _within(repeats)]
    return explained_flat[tokens], columns, tokens
