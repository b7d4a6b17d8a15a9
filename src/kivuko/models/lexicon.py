"""A translation table between pieces, learned from bitext by IBM Model 1."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

IntArray = NDArray[np.int64]


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
    tension: float = 0.0,
) -> Lexicon:
    """Estimate which English piece each target piece translates, with IBM Model 1 in both directions.

    Model 1 explains each token f of a sentence by one token e of the other, or by nothing:
    p(f | e_1 .. e_l) = 1 / (l + 1) * sum_i t(f | e_i), with e_0 the empty word. Expectation maximization is exact and
    has one optimum but for the symmetry of the table; every iteration is a few passes over one array of links.

    With a tension, a token is rather explained by those that stand where it stands itself, as in Model 2 with a prior
    towards the diagonal: for token j of m and token i of l, exp(-tension |(j - 1/2) / m - (i - 1/2) / l|) in place of
    1, scaled to a mean of 1 over i. The empty word has no place and keeps its share.

    Args:
        english: Piece ids of each English sentence.
        translations: Piece ids of each translation, in the same order.
        english_size: Number of English pieces.
        target_size: Number of target pieces.
        iterations: Passes of expectation maximization. Positive.
        tension: How much order counts; 0 is Model 1, in which it does not. Not negative.

    References:
        Brown et al., "The Mathematics of Statistical Machine Translation", Computational Linguistics 1993, section 4.2.
        Dyer, Chahuneau and Smith, "A Simple, Fast, and Effective Reparameterization of IBM Model 2", NAACL 2013, for
        the prior; there the tension is learned from a start of 4, and the share of the empty word is fixed.
        Liang, Taskar and Klein, "Alignment by Agreement", NAACL 2006, for the product of both directions.
    """
    if len(english) != len(translations):
        raise ValueError(
            f"expected as many translations as English sentences, got {len(translations)} and {len(english)}"
        )
    if tension < 0:
        raise ValueError(f"tension must not be negative, got {tension}")
    forward = _expected_links(english, translations, english_size, target_size, iterations, tension)
    backward = _expected_links(translations, english, target_size, english_size, iterations, tension)
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
    tension: float,
) -> csr_array:
    """Return the expected links of `explained` pieces (rows) to `given` pieces (columns) after the iterations."""
    rows, columns, tokens = _links(given, explained)
    prior = _diagonal_prior(given, explained, tokens, tension) if tension else None
    cell_ids = rows * given_size + columns
    cells, cell = np.unique(cell_ids, return_inverse=True)
    cell = cell.astype(np.int32)  # half the memory of the largest array
    cell_columns = cells % given_size
    # The empty word: one extra cell per explained piece, at the end of the table.
    explained_flat = np.concatenate([np.asarray(sentence, dtype=np.int64) for sentence in explained])
    table: NDArray[Any] = np.full(len(cells), 1.0 / explained_size)
    empty: NDArray[Any] = np.full(explained_size, 1.0 / explained_size)
    counts: NDArray[Any] = table
    for _ in range(iterations):
        weight = table[cell]
        if prior is not None:
            weight *= prior
        empty_weight = empty[explained_flat]
        total = np.bincount(tokens, weights=weight, minlength=len(explained_flat)) + empty_weight
        weight /= total[tokens]
        counts = np.bincount(cell, weights=weight, minlength=len(cells))
        column_totals = np.bincount(cell_columns, weights=counts, minlength=given_size)
        table = counts / np.maximum(column_totals, np.finfo(np.float64).tiny)[cell_columns]
        empty_counts = np.bincount(explained_flat, weights=empty_weight / total, minlength=explained_size)
        empty = empty_counts / empty_counts.sum()
    return csr_array((counts, (cells // given_size, cell_columns)), shape=(explained_size, given_size))


def _diagonal_prior(
    given: Sequence[Sequence[int]], explained: Sequence[Sequence[int]], tokens: IntArray, tension: float
) -> NDArray[np.float32]:
    """Return the prior weight of each link of `_links`, of mean 1 for each explained token."""
    given_lengths = _lengths(given)
    explained_lengths = _lengths(explained)
    place = (_within(explained_lengths) + 0.5) / np.repeat(explained_lengths, explained_lengths)
    candidates = np.repeat(given_lengths, explained_lengths)
    distance = np.abs(place[tokens] - (_within(candidates) + 0.5) / candidates[tokens])
    prior = np.exp(-tension * distance)
    means = np.bincount(tokens, weights=prior, minlength=len(candidates)) / np.maximum(candidates, 1)
    return (prior / means[tokens]).astype(np.float32)


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
