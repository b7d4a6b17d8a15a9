"""Whether a text is in the language of its side, told by a model that is trained on the parallel text itself."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from kivuko.data.pairs import SentencePair
from kivuko.data.shingles import Shingles, shingles, text_key

LEAST_TO_LEARN = 200
_BITS = 20
_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)
_SMOOTHING = 0.1
# Trigrams overlap: three that follow each other say about as much as one.
_OVERLAP = 3


class SideScores(NamedTuple):
    """How a text looks to the models of both sides.

    Attributes:
        odds: Logarithm of how much likelier its trigrams are on its own side than on the other; negative if they are
            likelier on the other one.
        deviations: How far the mean log-likelihood of its trigrams lies from what is usual on its side for as many of
            them, in robust standard deviations; negative if they are unlikely.
    """

    odds: float
    deviations: float


class SideModels:
    """Models of the trigrams of the two sides, for languages that no library knows.

    The chance of a trigram on a side is the share of the side's trigrams that it makes up, smoothed, each counted once
    a text. A text that the model was trained on is scored without itself, or it would be thought usual for that alone.

    Args:
        pairs: What to train on.
        is_all: Whether each text that will be asked about is among `pairs`.

    References:
        Cavnar and Trenkle, "N-Gram-Based Text Categorization", SDAIR 1994, for n-grams of characters; the likelihoods
        are those of a naive Bayes classifier.
    """

    def __init__(self, pairs: Sequence[SentencePair], *, is_all: bool) -> None:
        self._own = is_all
        self._counts = np.zeros((2, 1 << _BITS), np.float64)
        for pair in pairs:
            for side, text in enumerate(pair):
                self._counts[side, _slots(shingles(text_key(text)))] += 1
        self._totals = self._counts.sum(axis=1)
        self._logarithms = np.log((self._counts + _SMOOTHING) / (self._totals[:, None] + _SMOOTHING * (1 << _BITS)))
        self._usual = [self._learn([pair[side] for pair in pairs], side) for side in (0, 1)]

    def score(self, text: str, side: int) -> SideScores:
        """Look at a text of a side: 0 is the English, 1 the translations."""
        slots = _slots(shingles(text_key(text)))
        if not len(slots):
            return SideScores(0.0, 0.0)
        own, other = self._likelihoods(slots, side), self._likelihoods(slots, 1 - side, is_own=False)
        middle, spread = self._usual[side]
        deviations = (float(own.mean()) - middle) * np.sqrt(len(slots)) / spread if spread else 0.0
        return SideScores(float((own - other).sum()) / _OVERLAP, float(deviations))

    def _likelihoods(self, slots: NDArray[np.intp], side: int, *, is_own: bool = True) -> NDArray[np.float64]:
        if not (self._own and is_own):
            known: NDArray[np.float64] = self._logarithms[side, slots]
            return known
        counts: NDArray[np.float64] = np.maximum(self._counts[side, slots] - 1, 0) + _SMOOTHING
        total = float(self._totals[side]) - len(slots) + _SMOOTHING * (1 << _BITS)
        return np.log(counts / total)

    def _learn(self, texts: Sequence[str], side: int) -> tuple[float, float]:
        """Return the usual mean log-likelihood, and its spread times the root of the number of trigrams."""
        found = [(values.mean(), len(values)) for text in texts
                 if len(values := self._likelihoods(_slots(shingles(text_key(text))), side))]  # fmt: skip
        if len(found) < LEAST_TO_LEARN:
            return 0.0, 0.0
        means, sizes = (np.array(column, np.float64) for column in zip(*found, strict=True))
        middle = float(np.median(means))
        return middle, 1.4826 * float(np.median(np.abs(means - middle) * np.sqrt(sizes)))


def _slots(trigrams: Shingles) -> NDArray[np.intp]:
    return ((trigrams * _MULTIPLIER) >> np.uint64(64 - _BITS)).astype(np.intp)
