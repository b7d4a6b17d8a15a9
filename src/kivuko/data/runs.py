"""Stretches of parallel text in which each English sentence has its neighbour's translation."""

import itertools
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import regex
from numpy.typing import NDArray

from kivuko.data.pairs import SentencePair
from kivuko.data.profile import LengthRatio
from kivuko.data.readers import Record

OFFSETS = (0, -2, -1, 1, 2)
_BLOCK = 4096
_CONTEXT = 256
_MOST = 3.0
_ANCHOR = 2.5
_MOST_ANCHORS = 3
_SWITCH = 15.0
_ANCHORS = regex.compile(r"\p{Nd}+|\p{L}[\p{L}\p{M}]{3,}")
_ASCII_ANCHORS = re.compile("[0-9]+|[a-z]{4,}")  # the same, of a text in lower case


class Placed(NamedTuple):
    """A record, and where its translation seems to be.

    Attributes:
        record: What was read.
        pair: Its sides, tidied.
        offset: By how many records its translation stands too late, 0 where it is.
    """

    record: Record
    pair: SentencePair
    offset: int


def place(pairs: Iterable[tuple[Record, SentencePair]], ratio: LengthRatio) -> Iterator[Placed]:
    """Find the runs of records that are shifted by one or two.

    Each offset of a record has a log-likelihood: the squared deviation of the lengths, which is that of a normal
    distribution up to a bound, and numbers and words that both sides share. The path through the offsets that is the
    likeliest, with a price on each change, is Viterbi's. It is found in blocks with some context, so that no more than
    a few thousand records are in memory; a run that no more than half a dozen records speak for is not found.

    Args:
        pairs: Records in the order of the text, and their tidied sides.
        ratio: What is usual between the lengths; of one that was not learned nothing follows.

    References:
        Gale and Church, "A Program for Aligning Sentences in Bilingual Corpora", Computational Linguistics 1993, for
        the lengths. Viterbi, "Error Bounds for Convolutional Codes", IEEE Transactions on Information Theory 1967.
    """
    stream = iter(pairs)
    before: list[tuple[Record, SentencePair]] = []
    block = list(itertools.islice(stream, _BLOCK))
    while block:
        after = list(itertools.islice(stream, _BLOCK))
        window = [pair for _, pair in (*before, *block, *after[:_CONTEXT])]
        offsets = _path(_likelihoods(window, ratio))[len(before) :] if ratio.s else [0] * len(block)
        for (record, pair), offset in zip(block, offsets, strict=False):
            yield Placed(record, pair, offset)
        before, block = block[-_CONTEXT:], after


def _likelihoods(pairs: Sequence[SentencePair], ratio: LengthRatio) -> NDArray[np.float64]:
    """Return the log-likelihood of each of `OFFSETS`, up to a constant (records, offsets)."""
    lengths = np.array([[len(side) for side in pair] for pair in pairs], np.float64)
    anchors = [[_anchors(side) for side in pair] for pair in pairs]
    found = np.full((len(pairs), len(OFFSETS)), -_MOST)
    for column, offset in enumerate(OFFSETS):
        first, last = max(0, -offset), len(pairs) - max(0, offset)
        if first >= last:
            continue
        english, translation = lengths[first:last, 0], lengths[first + offset : last + offset, 1]
        deviations = (translation - ratio.c * english) / (ratio.s * np.sqrt(np.maximum(english, 1)))
        shared = [len(anchors[i][0] & anchors[i + offset][1]) for i in range(first, last)]
        values = -np.minimum(deviations**2 / 2, _MOST) + _ANCHOR * np.minimum(shared, _MOST_ANCHORS)
        # An empty side says nothing of where the others belong.
        found[first:last, column] = np.where((english > 0) & (translation > 0), values, -_MOST)
    return found


def _path(likelihoods: NDArray[np.float64]) -> list[int]:
    best = [0.0] + [-_SWITCH] * (len(OFFSETS) - 1)
    origins: list[list[int]] = []
    for row in likelihoods.tolist():
        top = max(range(len(best)), key=best.__getitem__)
        origin = [state if value >= best[top] - _SWITCH else top for state, value in enumerate(best)]
        best = [
            likelihood + (best[state] if state == source else best[source] - _SWITCH)
            for state, (source, likelihood) in enumerate(zip(origin, row, strict=True))
        ]
        origins.append(origin)
    state = max(range(len(best)), key=best.__getitem__)
    path = []
    for origin in reversed(origins):
        path.append(OFFSETS[state])
        state = origin[state]
    return path[::-1]


def _anchors(text: str) -> frozenset[str]:
    """Return the numbers and the longer words of a text, as they would be copied to its translation."""
    if text.isascii():
        return frozenset(_ASCII_ANCHORS.findall(text.lower()))
    return frozenset(
        "".join(str(unicodedata.digit(digit)) for digit in each) if each[0].isdecimal() else each.casefold()
        for each in _ANCHORS.findall(text)
    )
