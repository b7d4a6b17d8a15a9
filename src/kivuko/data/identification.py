"""Whether a text is in the language of its side, told by a model that is trained on the parallel text itself."""

from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from kivuko.data.pairs import SentencePair
from kivuko.data.samples import pair_digests
from kivuko.data.seen import Keys
from kivuko.data.shingles import Shingles, text_key
from kivuko.data.trigrams import Trigrams, trigrams

LEAST_TO_LEARN = 200
_BITS = 20
_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)
_SMOOTHING = 0.1
# Trigrams overlap: three that follow each other say about as much as one.
_OVERLAP = 3
# From how many deviations below the usual a pair is not trained on.
_DOUBTFUL = 4.0


class SideScores(NamedTuple):
    """How a text looks to the models of both sides.

    Attributes:
        odds: Logarithm of how much likelier its trigrams are on its own side than on the other; negative if they are
            likelier on the other one.
        deviations: How far the mean log-likelihood of its trigrams without digits that the other side does not have
            lies from what is usual on its side for as many of them, in robust standard deviations; negative if they
            are unlikely.
    """

    odds: float
    deviations: float


class SideModels:
    """Models of the trigrams of the two sides, for languages that no library knows.

    The chance of a trigram on a side is the share of the side's trigrams that it makes up, smoothed, each counted once
    a text. A text that the model was trained on is scored without itself, or it would be thought usual for that alone.
    The models are trained twice: the second time without the pairs that the first ones doubt, which would vouch for
    others like them. How usual a text is, those of its trigrams say that the other side of the pair does not have and
    that hold no digit: names that both have, and numbers, are of no language.

    Args:
        pairs: What to train on.

    References:
        Cavnar and Trenkle, "N-Gram-Based Text Categorization", SDAIR 1994, for n-grams of characters; the likelihoods
        are those of a naive Bayes classifier.
    """

    def __init__(self, pairs: Sequence[SentencePair]) -> None:
        self._own = np.unique(pair_digests(pairs))
        texts = [trigrams([text_key(pair[side]) for pair in pairs]) for side in (0, 1)]
        both = [_Side.of(*sides) for sides in _both_ways(texts)]
        self._drafts = [_Model(side, np.ones(len(pairs), np.bool_)) for side in both]
        trained = self._is_believed(both)
        self._models = [_Model(side, trained) for side in both]

    def score(
        self, english: Trigrams, translations: Trigrams, *, digests: Keys | None = None
    ) -> list[tuple[SideScores, SideScores]]:
        """Look at both sides of some pairs.

        Args:
            english: Trigrams of the English sides.
            translations: Trigrams of the others.
            digests: What `pair_digests` makes of the pairs, which tells those that were trained on; None if none were.
        """
        both = [_Side.of(*sides) for sides in _both_ways([english, translations])]
        trained = np.zeros(len(english.starts) - 1, np.bool_)
        if digests is not None:
            trained = np.isin(digests, self._own) & self._is_believed(both)
        scores = []
        for side, model, other in zip(both, self._models, self._models[::-1], strict=True):
            likelihoods = model.likelihoods(side.texts, trained)
            odds = side.texts.sums(likelihoods - other.logarithms[_slots(side.texts.members)]) / _OVERLAP
            deviations = model.deviations(side, likelihoods)
            scores.append([SideScores(*row) for row in zip(odds.tolist(), deviations.tolist(), strict=True)])
        return list(zip(*scores, strict=True))

    def _is_believed(self, both: "Sequence[_Side]") -> NDArray[np.bool_]:
        """Say of each pair, if the drafts were trained on it, whether they think both sides usual."""
        is_own = np.ones(len(both[0].texts.starts) - 1, np.bool_)
        believed: NDArray[np.bool_] = np.logical_and.reduce(
            [
                draft.deviations(side, draft.likelihoods(side.texts, is_own)) > -_DOUBTFUL
                for draft, side in zip(self._drafts, both, strict=True)
            ]
        )
        return believed


class _Side(NamedTuple):
    """Texts of a side.

    Attributes:
        texts: Their trigrams.
        telling: Which of these the other side of the pair does not have, and hold no digit.
        sizes: How many of these each text has.
    """

    texts: Trigrams
    telling: NDArray[np.bool_]
    sizes: NDArray[np.float64]

    @classmethod
    def of(cls, texts: Trigrams, others: Trigrams) -> "_Side":
        telling = ~(texts.shared_with(others) | _holds_digit(texts.members))
        return cls(texts, telling, texts.sums(telling.astype(np.float64)))


class _Model:
    """A model of one side, trained on some of its texts."""

    def __init__(self, side: _Side, trained: NDArray[np.bool_]) -> None:
        counted = _slots(side.texts.members)[np.repeat(trained, np.diff(side.texts.starts))]
        self._counts = np.bincount(counted, minlength=1 << _BITS).astype(np.float64)
        self._total = len(counted) + _SMOOTHING * (1 << _BITS)
        self.logarithms = np.log((self._counts + _SMOOTHING) / self._total)
        self._middle = self._spread = 0.0
        learnable = trained & (side.sizes > 0)
        if np.count_nonzero(learnable) >= LEAST_TO_LEARN:
            means = _means(side, self.likelihoods(side.texts, trained))[learnable]
            self._middle = float(np.median(means))
            self._spread = 1.4826 * float(np.median(np.abs(means - self._middle) * np.sqrt(side.sizes[learnable])))

    def likelihoods(self, texts: Trigrams, is_own: NDArray[np.bool_]) -> NDArray[np.float64]:
        """Return the log-likelihood of each trigram; `is_own` says which texts are among those trained on."""
        slots = _slots(texts.members)
        if not is_own.any():
            known: NDArray[np.float64] = self.logarithms[slots]
            return known
        sizes = np.diff(texts.starts)
        counts = np.maximum(self._counts[slots] - np.repeat(is_own, sizes), 0) + _SMOOTHING
        likelihoods: NDArray[np.float64] = np.log(counts) - np.repeat(np.log(self._total - sizes * is_own), sizes)
        return likelihoods

    def deviations(self, side: _Side, likelihoods: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return how far from the usual each text is, in robust standard deviations."""
        if not self._spread:
            return np.zeros(len(side.sizes))
        distances = (_means(side, likelihoods) - self._middle) * np.sqrt(side.sizes) / self._spread
        found: NDArray[np.float64] = np.where(side.sizes > 0, distances, 0.0)
        return found


def _holds_digit(members: Shingles) -> NDArray[np.bool_]:
    digits = _digits()
    points = (members >> np.uint64(shift) & np.uint64(0x1FFFFF) for shift in (0, 21, 42))
    held: NDArray[np.bool_] = np.logical_or.reduce([digits[each.astype(np.intp)] for each in points])
    return held


@cache
def _digits() -> NDArray[np.bool_]:
    """Return of each code point whether it is a digit."""
    return np.fromiter((chr(point).isdecimal() for point in range(0x110000)), np.bool_, 0x110000)


def _both_ways(sides: Sequence[Trigrams]) -> list[tuple[Trigrams, Trigrams]]:
    return [(sides[0], sides[1]), (sides[1], sides[0])]


def _means(side: _Side, likelihoods: NDArray[np.float64]) -> NDArray[np.float64]:
    means: NDArray[np.float64] = side.texts.sums(np.where(side.telling, likelihoods, 0.0)) / np.maximum(side.sizes, 1)
    return means


def _slots(trigrams: Shingles) -> NDArray[np.intp]:
    return ((trigrams * _MULTIPLIER) >> np.uint64(64 - _BITS)).astype(np.intp)
