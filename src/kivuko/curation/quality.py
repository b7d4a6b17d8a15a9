"""How likely a sentence pair is one: transport cost between its tokens against chance, and words with a translation."""

import hashlib
import heapq
import math
from collections import Counter
from collections.abc import Container, Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit
from sentence_transformers import MultiVectorEncoder

from kivuko.curation.tokens import Tokens, check_models, encode_tokens, transport_costs
from kivuko.data.bitext import SentencePair
from kivuko.errors import DataError
from kivuko.models.word_lexicon import WordLexicon, learn_word_lexicon
from kivuko.models.words import Analyzer

REFERENCES = 8  # sentences of each side that every sentence of the other is compared with
LEARNED_FROM = 200_000  # pairs that the word tables are learned from, at most
FITTED_ON = 500  # pairs, and as many random pairings, that the weights are learned from
LEAST_PAIRS = 20
_LIKELY = 0.02  # from which probability a word is a translation
_RIDGE = 1e-3
_ANALYZER = Analyzer()

Translations = Mapping[str, frozenset[str]]
FloatArray = NDArray[np.float64]


class PairQuality(NamedTuple):
    """What speaks for a sentence pair.

    Attributes:
        cost: Of carrying the student's tokens of the translation to the teacher's of the English, in [0, 2].
        margin: How much less that is than with the sentences of other pairs, on average.
        coverage: Share of words that have a likely translation on the other side, rare words counting for more, mean of
            both sides, in [0, 1].
        score: Log-odds that this is a pair of the text rather than two of its sentences drawn at random.
    """

    cost: float
    margin: float
    coverage: float
    score: float


class Weights(NamedTuple):
    """The score as a function: `constant + margin * pair.margin + coverage * pair.coverage`."""

    constant: float
    margin: float
    coverage: float


class QualityScorer:
    r"""Scores sentence pairs of a text that it has seen a sample of.

    The score is a logistic regression between pairs of the text and random pairings of its own sentences, so nothing
    has to be labeled. Pairs that are none are like random pairings, and so they do not change which of two pairs is the
    better one: p(text | x) / p(random | x) = (1 - noise) p(true | x) / p(random | x) + noise grows with the first term
    alone. A word is looked up in the table of the half of the pairs that its own is not in; otherwise a rare word would
    be explained by the very pair that is in doubt. The student may have been trained on the text.

    The sample is made of the pairs with the smallest digests, so the order of the text changes nothing.

    Args:
        pairs: The text; read once. Memory holds at most `LEARNED_FROM` pairs.
        student: Encoder of the translations.
        teacher: Encoder of the English sentences, in the space of the student.

    Attributes:
        weights: What was learned.
        noise: Share of pairs that are like random pairings: how much of the text lies below the median score of random
            pairings, times two, at most 1. Far too low where the student was trained on the text, since it has learned
            the false pairs too.

    Raises:
        DataError: If there are fewer than `LEAST_PAIRS` different pairs.
        ModelError: If the embeddings of the models differ in size.

    References:
        Menon et al., "Learning from Corrupted Binary Labels via Class-Probability Estimation", ICML 2015, for why the
        order of the scores withstands the noise.
    """

    def __init__(self, pairs: Iterable[SentencePair], student: MultiVectorEncoder, teacher: MultiVectorEncoder) -> None:
        check_models(student, teacher)
        self._student, self._teacher = student.eval(), teacher.eval()
        sample = _sample(pairs, LEARNED_FROM)
        if len(sample) < LEAST_PAIRS:
            raise DataError(
                f"Expected at least {LEAST_PAIRS} different sentence pairs to learn from, got {len(sample)}."
            )
        self._tables = tuple(_likely_words([pair for pair in sample if _half(pair) != half]) for half in (0, 1))
        self._rarity = tuple(_Rarity(side) for side in zip(*sample, strict=True))
        fitted = sample[:FITTED_ON]
        self._references = fitted[:REFERENCES]
        self._english, self._translations = self._encode(self._references)
        sides = self._encode(fitted)
        given = self._features(fitted, *sides)
        # Neighbors in the order of digests have nothing to do with each other.
        shifted = [*range(1, len(fitted)), 0]
        random = [
            SentencePair(one.english, fitted[other].translation) for one, other in zip(fitted, shifted, strict=True)
        ]
        chance = self._features(random, sides[0], sides[1].take(shifted))
        self.weights = _regress(given[:, 1:], chance[:, 1:])
        below = self._score(given) < np.median(self._score(chance))
        self.noise = min(1.0, 2 * float(below.mean()))

    def __call__(self, pairs: Sequence[SentencePair]) -> list[PairQuality]:
        """Score pairs; what is held in memory grows with their number."""
        if not pairs:
            return []
        features = self._features(pairs, *self._encode(pairs))
        scores = self._score(features)
        return [
            PairQuality(cost, margin, coverage, score)
            for (cost, margin, coverage), score in zip(features.tolist(), scores.tolist(), strict=True)
        ]

    def _encode(self, pairs: Sequence[SentencePair]) -> tuple[Tokens, Tokens]:
        return (
            encode_tokens(self._teacher, [pair.english for pair in pairs]),
            encode_tokens(self._student, [pair.translation for pair in pairs]),
        )

    def _features(self, pairs: Sequence[SentencePair], english: Tokens, translations: Tokens) -> FloatArray:
        """Return cost, margin and coverage, (pairs, 3)."""
        places, count = np.arange(len(pairs)), len(self._references)
        cost = transport_costs(english, translations, np.stack([places, places], axis=1))
        grid = np.stack([np.repeat(places, count), np.tile(np.arange(count), len(pairs))], axis=1)
        others = np.concatenate(
            [
                transport_costs(english, self._translations, grid).reshape(-1, count),
                transport_costs(self._english, translations, grid[:, ::-1]).reshape(-1, count),
            ],
            axis=1,
        )
        # A reference that shares a side with the pair is no other sentence.
        same = [
            [one.english == r.english or one.translation == r.translation for r in self._references] for one in pairs
        ]
        usual = np.ma.masked_array(others, np.tile(np.array(same, dtype=bool), 2)).mean(axis=1).filled(1.0)
        coverage = [self._coverage(pair) for pair in pairs]
        return np.stack([cost, np.asarray(usual) - cost, coverage], axis=1)

    def _coverage(self, pair: SentencePair) -> float:
        """Return the weighted share of covered words, mean of both sides; a word that both sides have is covered."""
        english, translated = (_ANALYZER.words(side) for side in pair)
        if not english or not translated:
            return 0.0
        table, there = self._tables[_half(pair)], set(english)
        links = {word: (table.get(word, frozenset()) | {word}) & there for word in set(translated)}
        meant = frozenset[str]().union(*links.values())
        covered = {word for word, linked in links.items() if linked}
        return (self._rarity[0].share(english, meant) + self._rarity[1].share(translated, covered)) / 2

    def _score(self, features: FloatArray) -> FloatArray:
        constant, *weights = self.weights
        scores: FloatArray = constant + features[:, 1:] @ np.array(weights)
        return scores


def _digest(pair: SentencePair) -> int:
    text = "\t".join(pair).encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest())


def _half(pair: SentencePair) -> int:
    return _digest(pair) & 1  # the order of the sample goes by the high bits


def _sample(pairs: Iterable[SentencePair], size: int) -> list[SentencePair]:
    """Return the different pairs with the smallest digests, in the order of these."""
    heap: list[tuple[int, SentencePair]] = []
    held: set[int] = set()
    for pair in pairs:
        digest = _digest(pair)
        if digest in held or (len(heap) == size and digest > -heap[0][0]):
            continue
        held.add(digest)
        if len(heap) < size:
            heapq.heappush(heap, (-digest, pair))
        else:
            held.discard(-heapq.heapreplace(heap, (-digest, pair))[0])
    return [pair for _, pair in sorted(heap, reverse=True)]


def _likely_words(pairs: Sequence[SentencePair]) -> Translations:
    """Return the likely English words of each word of the translations."""
    try:
        lexicon: WordLexicon = learn_word_lexicon(
            [pair.translation for pair in pairs],
            [pair.english for pair in pairs],
            query_analyzer=_ANALYZER,
            document_analyzer=_ANALYZER,
            minimum=_LIKELY,
        )
    except DataError:  # a half without a single proper pair knows no word
        return {}
    table = lexicon.probabilities
    return {
        word: frozenset(lexicon.document_words[column] for column in table.indices[start:end])
        for word, start, end in zip(lexicon.query_words, table.indptr[:-1], table.indptr[1:], strict=True)
    }


class _Rarity:
    """Weighs words by log(1 + n / n(word)) with n(word) of the n texts having it."""

    def __init__(self, texts: Iterable[str]) -> None:
        self._counts: Counter[str] = Counter()
        self._texts = 0
        for text in texts:
            self._texts += 1
            self._counts.update(set(_ANALYZER.words(text)))

    def share(self, words: Sequence[str], chosen: Container[str]) -> float:
        """Return how much of the weight of some words lies on chosen ones, in [0, 1]."""
        weights = [math.log1p(self._texts / max(self._counts[word], 1)) for word in words]
        return sum(weight for word, weight in zip(words, weights, strict=True) if word in chosen) / sum(weights)


def _regress(given: FloatArray, chance: FloatArray) -> Weights:
    """Fit a logistic regression whose slopes are not negative: every feature speaks for a pair.

    Of few pairs the table of words knows little, and an unbounded slope of coverage can come out negative.
    """
    slopes, kept = np.zeros(given.shape[1]), list(range(given.shape[1]))
    constant, found = _fit(given, chance)
    while kept and found.min() < 0:
        kept.pop(int(found.argmin()))
        constant, found = _fit(given[:, kept], chance[:, kept])
    slopes[kept] = found
    return Weights(constant, *slopes.tolist())


def _fit(given: FloatArray, chance: FloatArray) -> tuple[float, FloatArray]:
    """Fit a logistic regression with a small ridge by Newton's method, on standardized features.

    Returns:
        The constant and a slope for each feature.
    """
    rows = np.concatenate([given, chance])
    mean, scale = rows.mean(axis=0), np.maximum(rows.std(axis=0), 1e-9)
    design = np.column_stack([np.ones(len(rows)), (rows - mean) / scale])
    labels = np.repeat([1.0, 0.0], [len(given), len(chance)])
    ridge = _RIDGE * len(rows) * np.diag([0.0, *np.ones(rows.shape[1])])
    weights = np.zeros(design.shape[1])
    for _ in range(25):
        chances = expit(design @ weights)
        gradient = design.T @ (labels - chances) - ridge @ weights
        hessian = (design * (chances * (1 - chances))[:, None]).T @ design + ridge
        weights += np.linalg.solve(hessian, gradient)
    slopes = weights[1:] / scale
    return float(weights[0] - slopes @ mean), slopes
