"""Whether a text is in the language of its side, told by a model that is trained on the parallel text itself."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from kivuko.data.pairs import SentencePair
from kivuko.data.shingles import Shingles, text_key
from kivuko.data.trigrams import Trigrams, trigrams

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
        sides = [trigrams([text_key(pair[side]) for pair in pairs]) for side in (0, 1)]
        self._counts = np.stack([np.bincount(_slots(side.members), minlength=1 << _BITS) for side in sides]).astype(
            np.float64
        )
        self._totals = self._counts.sum(axis=1)
        self._logarithms = np.log((self._counts + _SMOOTHING) / (self._totals[:, None] + _SMOOTHING * (1 << _BITS)))
        self._usual = [self._learn(texts, side) for side, texts in enumerate(sides)]

    def score(self, texts: Trigrams, side: int) -> list[SideScores]:
        """Look at texts of a side: 0 is the English, 1 the translations."""
        sizes = np.diff(texts.starts)
        own = texts.sums(self._likelihoods(texts, side))
        other = texts.sums(self._logarithms[1 - side, _slots(texts.members)])
        middle, spread = self._usual[side]
        means = own / np.maximum(sizes, 1)
        deviations = np.where(sizes, (means - middle) * np.sqrt(sizes) / spread if spread else 0.0, 0.0)
        odds = (own - other) / _OVERLAP
        return [SideScores(*row) for row in zip(odds.tolist(), deviations.tolist(), strict=True)]

    def _likelihoods(self, texts: Trigrams, side: int) -> NDArray[np.float64]:
        """Return the log-likelihood of each trigram on its own side."""
        slots = _slots(texts.members)
        if not self._own:
            known: NDArray[np.float64] = self._logarithms[side, slots]
            return known
        sizes = np.diff(texts.starts)
        counts = np.maximum(self._counts[side, slots] - 1, 0) + _SMOOTHING
        totals = self._totals[side] - sizes + _SMOOTHING * (1 << _BITS)
        likelihoods: NDArray[np.float64] = np.log(counts) - np.repeat(np.log(totals), sizes)
        return likelihoods

    def _learn(self, texts: Trigrams, side: int) -> tuple[float, float]:
        """Return the usual mean log-likelihood, and its spread times the root of the number of trigrams."""
        sizes = np.diff(texts.starts)
        if np.count_nonzero(sizes) < LEAST_TO_LEARN:
            return 0.0, 0.0
        means = texts.sums(self._likelihoods(texts, side))[sizes > 0] / sizes[sizes > 0]
        middle = float(np.median(means))
        return middle, 1.4826 * float(np.median(np.abs(means - middle) * np.sqrt(sizes[sizes > 0])))


def _slots(trigrams: Shingles) -> NDArray[np.intp]:
    return ((trigrams * _MULTIPLIER) >> np.uint64(64 - _BITS)).astype(np.intp)
