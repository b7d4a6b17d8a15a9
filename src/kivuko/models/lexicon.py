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
) -> Lexicon:
    """Estimate which English piece each target piece translates, with IBM Model 1 in both directions.

    Model 1 explains each token f of a sentence by one token e of the other, or by nothing:
    p(f | e_1 .. e_l) = 1 / (l + 1) * sum_i t(f | e_i), with e_0 the empty word. Expectation maximization is exact and
    has one optimum but for the symmetry of the table; every iteration is a few passes over one array of links.

    Args:
        english: Piece ids of each English sentence.
        translations: Piece ids of each translation, in the same order.
        english_size: Number of English pieces.
        target_size: Number of target pieces.
        iterations: Passes of expectation maximization. Positive.

    References:
        Brown et al., "The Mathematics of Statistical Machine Translation", Computational Linguistics 1993, section 4.2.
        Liang, Taskar and Klein, "Alignment by Agreement", NAACL 2006, for the product of both directions.
    """
    if len(english) != len(translations):
        raise ValueError(
            f"expected as many translations as English sentences, got {len(translations)} and {len(english)}"
        )
    forward = _expected_links(english, translations, english_size, target_size, iterations)
    backward = _expected_links(translations, english, target_size, english_size, iterations)
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
) -> csr_array:
    """Return the expected links of `explained` pieces (rows) to `given` pieces (columns) after the iterations."""
    rows, columns, tokens = _links(given, explained)
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
        empty_weight = empty[explained_flat]
        total = np.bincount(tokens, weights=weight, minlength=len(explained_flat)) + empty_weight
        weight /= total[tokens]
        counts = np.bincount(cell, weights=weight, minlength=len(cells))
        column_totals = np.bincount(cell_columns, weights=counts, minlength=given_size)
        table = counts / np.maximum(column_totals, np.finfo(np.float64).tiny)[cell_columns]
        empty_counts = np.bincount(explained_flat, weights=empty_weight / total, minlength=explained_size)
        empty = empty_counts / empty_counts.sum()
    return csr_array((counts, (cells // given_size, cell_columns)), shape=(explained_size, given_size))


def _links(given: Sequence[Sequence[int]], explained: Sequence[Sequence[int]]) -> tuple[IntArray, IntArray, IntArray]:
    """List every (explained, given) pair of tokens in all sentence pairs, and the running number of the explained."""
    given_lengths = np.fromiter((len(sentence) for sentence in given), dtype=np.int64, count=len(given))
    explained_lengths = np.fromiter((len(sentence) for sentence in explained), dtype=np.int64, count=len(explained))
    given_flat = np.concatenate([np.asarray(sentence, dtype=np.int64) for sentence in given])
    explained_flat = np.concatenate([np.asarray(sentence, dtype=np.int64) for sentence in explained])
    # Each explained token is repeated once for every given token of its sentence.
    repeats = np.repeat(given_lengths, explained_lengths)
    tokens = np.repeat(np.arange(len(explained_flat)), repeats)
    starts = np.repeat(np.cumsum(given_lengths) - given_lengths, explained_lengths)
    within = np.arange(len(tokens)) - np.repeat(np.cumsum(repeats) - repeats, repeats)
    columns = given_flat[np.repeat(starts, repeats) + within]
    return explained_flat[tokens], columns, tokens
