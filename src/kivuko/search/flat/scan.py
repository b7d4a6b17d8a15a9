"""MaxSim over int8 codes: by signs first, then by integers, the head again by the query as it is.

Where there are many documents, `kivuko.search.flat.signs` picks some hundreds of candidates; this step alone
approximates, and `exhaustive` leaves it out. From there on nothing is lost: with documents d and a query q as stored
and as given, and c a query rounded to int8, the scan knows <d, c> exactly, and by Cauchy and Schwarz
|<d, q> - <d, c>| <= |d| |q - c|. So MaxSim over q is within `margin`, that is max |d| times the sum of |q - c| over the
query's tokens, of what the scan says, and a document that is further below the k-th best cannot be among the k best.
Those that are not below it are scored again in float32.
"""

from collections.abc import Sequence
from typing import NamedTuple, no_type_check

import numpy as np
import torch
from numpy.typing import NDArray

from kivuko.search.flat.gpu import scan_on_device
from kivuko.search.flat.quantize import quantize
from kivuko.search.flat.segment import Segment
from kivuko.search.flat.signs import can_rank, rank_by_signs
from kivuko.transport.compiled_loop import machine_code

TILE_TOKENS = 4_096  # 512 kB of codes and 256 kB of products: both stay in the cache of one core
LANES = 16  # query tokens are padded to a multiple of this: products of such widths are twice as fast
LOWEST = np.float32(-3e38)  # not infinity, which the compiled loops may take for anything
ROUNDING = 1e-5  # of |d| |q|: more than float32 loses in a product and a sum
CANDIDATES, LEAST_CANDIDATES = 10, 500  # by signs: so many for each document that is wanted, and no fewer
SCATTERED = 0.5  # share of the documents up to which they are gathered before they are scanned
SMALLEST_DIM = 64  # fewer signs tell too little
WORTHWHILE = 4  # documents to a candidate from which on signs are looked at


class Head(NamedTuple):
    """The best documents: positions across the segments, and MaxSim scores; in no order."""

    positions: NDArray[np.int64]
    scores: NDArray[np.float32]


def find_head(
    segments: Sequence[Segment],
    query: NDArray[np.float32],
    allowed: NDArray[np.bool_],
    *,
    top_k: int,
    exhaustive: bool = False,
    device: torch.device | None = None,
) -> Head:
    """Score all documents that may be among the `top_k` best, and every one that ties with the last of them.

    Args:
        segments: Where to look. Positions count through all of them.
        query: Finite token embeddings, (tokens, dim).
        allowed: The positions to look at. A document without tokens is never found.
        top_k: How many are wanted.
        exhaustive: Whether to scan every document by integers, too.
        device: A GPU to scan on, exhaustively; the head is scored again on the CPU in either case.
    """
    nothing = Head(np.empty(0, np.int64), np.empty(0, np.float32))
    if not segments or not len(query):
        return nothing
    starts = np.cumsum([0, *map(len, segments)])
    if device:
        rough = np.concatenate([scan_on_device(each, query, device) for each in segments])
    else:
        if not exhaustive:
            allowed = _candidates(segments, query, allowed, max(CANDIDATES * top_k, LEAST_CANDIDATES))
        parts = np.split(allowed, starts[1:-1])
        rough = np.concatenate([_scan(each, part, query) for each, part in zip(segments, parts, strict=True)])
    rough[~allowed] = -np.inf
    found = np.flatnonzero(np.isfinite(rough))
    if not len(found):
        return nothing
    if len(found) <= top_k:
        return Head(found, _rescore(segments, starts, query, found))
    best = found[np.argpartition(rough[found], -top_k)[-top_k:]]
    scores = _rescore(segments, starts, query, best)
    close = found[rough[found] >= scores.min() - _margin(segments, query)]
    others = np.setdiff1d(close, best, assume_unique=True)
    return Head(np.concatenate([best, others]), np.concatenate([scores, _rescore(segments, starts, query, others)]))


def _candidates(
    segments: Sequence[Segment], query: NDArray[np.float32], allowed: NDArray[np.bool_], wanted: int
) -> NDArray[np.bool_]:
    """Leave the documents that are best by their signs, where there are many and signs tell of products."""
    if query.shape[1] < SMALLEST_DIM or np.count_nonzero(allowed) < WORTHWHILE * wanted:
        return allowed
    if not can_rank([segment.signs for segment in segments]):
        return allowed
    estimated = np.concatenate([rank_by_signs(segment.signs, query) for segment in segments])
    estimated[~allowed] = -np.inf
    chosen = np.zeros_like(allowed)
    chosen[np.argpartition(estimated, -wanted)[-wanted:]] = True
    return chosen & allowed


def _scan(segment: Segment, wanted: NDArray[np.bool_], query: NDArray[np.float32]) -> NDArray[np.float32]:
    """Compute MaxSim of the wanted documents with the rounded query, by integer products.

    Others, and those without tokens, may get minus infinity.
    """
    lengths = np.diff(segment.token_starts)
    if np.count_nonzero(wanted) > SCATTERED * len(wanted):
        return _products(segment.codes, segment.scales, segment.token_starts, query)
    scores = np.full(len(wanted), -np.inf, dtype=np.float32)
    if wanted.any():
        tokens = np.flatnonzero(np.repeat(wanted, lengths))
        starts = np.concatenate([[0], np.cumsum(lengths[wanted])])
        scores[wanted] = _products(segment.codes[tokens], segment.scales[tokens], starts, query)
    return scores


def _products(
    stored_codes: NDArray[np.int8], scales: NDArray[np.float32], starts: NDArray[np.int64], query: NDArray[np.float32]
) -> NDArray[np.float32]:
    rounded = quantize(query)
    width = -(-len(query) // LANES) * LANES
    codes = torch.zeros((width, stored_codes.shape[1]), dtype=torch.int8)
    codes[: len(query)] = torch.from_numpy(rounded.codes)
    best = np.full((len(starts) - 1, width), LOWEST, dtype=np.float32)
    products = torch.empty((min(TILE_TOKENS, len(stored_codes)), width), dtype=torch.int32)
    stored = torch.from_numpy(stored_codes)
    for first in range(0, len(stored), TILE_TOKENS):
        tile = stored[first : first + TILE_TOKENS]
        room = products[: len(tile)]
        torch._int_mm(tile, codes.T, out=room)
        _fold(room.numpy(), scales, starts, first, best)
    scores = best[:, : len(query)] @ rounded.scales
    scores[np.diff(starts) == 0] = -np.inf
    return scores


def _margin(segments: Sequence[Segment], query: NDArray[np.float32]) -> float:
    exact = query.astype(np.float64)
    lost = np.linalg.norm(exact - quantize(query).dequantized(), axis=1).sum()
    longest = max(segment.record.longest for segment in segments)
    return float(longest * (lost + ROUNDING * np.linalg.norm(exact, axis=1).sum()))


def _rescore(
    segments: Sequence[Segment], starts: NDArray[np.int64], query: NDArray[np.float32], positions: NDArray[np.int64]
) -> NDArray[np.float32]:
    """Compute MaxSim in float32 for rising or any positions, in their order."""
    scores = np.empty(len(positions), dtype=np.float32)
    for segment, first in zip(segments, starts.tolist(), strict=False):
        here = np.flatnonzero((positions >= first) & (positions < first + len(segment)))
        if len(here):
            scores[here] = _maxsim(
                segment.codes,
                segment.scales,
                segment.token_starts,
                positions[here] - first,
                np.ascontiguousarray(query),
            )
    return scores


@machine_code
@no_type_check
def _fold(products, scales, starts, first, best):
    """Raise best[document, query token] to the products of a tile of tokens that begins at `first`."""
    last = first + products.shape[0]
    document = np.searchsorted(starts, first, side="right") - 1
    while document < best.shape[0] and starts[document] < last:
        row = best[document]
        for token in range(max(starts[document], first), min(starts[document + 1], last)):
            scale = scales[token]
            line = products[token - first]
            for j in range(row.shape[0]):
                row[j] = max(row[j], np.float32(line[j]) * scale)
        document += 1


@machine_code
@no_type_check
def _maxsim(codes, scales, starts, documents, query):
    """Compute MaxSim of some documents, dequantized, with a query in float32."""
    scores = np.empty(len(documents), dtype=np.float32)
    best = np.empty(query.shape[0], dtype=np.float32)
    wide = np.empty(query.shape[1], dtype=np.float32)
    for n in range(len(documents)):
        best[:] = LOWEST
        for token in range(starts[documents[n]], starts[documents[n] + 1]):
            for k in range(wide.shape[0]):
                wide[k] = np.float32(codes[token, k])
            for j in range(query.shape[0]):
                product = np.float32(0)
                for k in range(wide.shape[0]):
                    product += wide[k] * query[j, k]
                best[j] = max(best[j], product * scales[token])
        scores[n] = best.sum()
    return scores
