from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pytest
from sentence_transformers import MultiVectorEncoder

from kivuko.curation import QualityScorer
from kivuko.curation.quality import _regress
from kivuko.data.bitext import SentencePair
from kivuko.errors import DataError

WORDS = (
    "rain",
    "farmer",
    "maize",
    "bean",
    "clinic",
    "child",
    "measles",
    "bus",
    "teacher",
    "hare",
    "lion",
    "river",
    "sea",
)
FALSE = 18


def made_up(word: str) -> str:
    return f"{word[::-1]}u"


@pytest.fixture(scope="module")
def clean() -> list[SentencePair]:
    """Sixty sentences in two languages: English words, and the same ones in capitals, which the tiny model reads."""
    drawn = np.random.default_rng(5)
    texts = [" ".join(drawn.choice(WORDS, 5, replace=False)) for _ in range(60)]
    return [SentencePair(text, text.upper()) for text in texts]


@pytest.fixture(scope="module")
def noisy(clean: list[SentencePair]) -> list[SentencePair]:
    """The first ones have each other's translations."""
    return [SentencePair(clean[n].english, clean[(n + 1) % FALSE].translation) for n in range(FALSE)] + clean[FALSE:]


@pytest.fixture(scope="module")
def scorer(noisy: list[SentencePair], tiny_encoder: MultiVectorEncoder) -> QualityScorer:
    return QualityScorer(noisy, tiny_encoder, tiny_encoder)


def values(scorer: QualityScorer, pairs: Sequence[SentencePair]) -> np.ndarray:
    return np.array(scorer(pairs))


def test_true_pairs_score_above_shuffled_ones(scorer: QualityScorer, noisy: list[SentencePair]) -> None:
    scores = [quality.score for quality in scorer(noisy)]
    assert min(scores[FALSE:]) > max(scores[:FALSE])


def test_noise_is_estimated(scorer: QualityScorer, clean: list[SentencePair], tiny_encoder: MultiVectorEncoder) -> None:
    assert scorer.noise == pytest.approx(FALSE / len(clean), abs=0.12)
    assert QualityScorer(clean, tiny_encoder, tiny_encoder).noise < 0.05


def test_score_is_the_stated_function(scorer: QualityScorer, noisy: list[SentencePair]) -> None:
    constant, margin, coverage = scorer.weights
    for quality in scorer(noisy[:5]):
        assert quality.score == pytest.approx(constant + margin * quality.margin + coverage * quality.coverage)


def test_order_of_the_text_changes_nothing(
    scorer: QualityScorer, noisy: list[SentencePair], tiny_encoder: MultiVectorEncoder
) -> None:
    turned = QualityScorer([*reversed(noisy), *noisy[:7]], tiny_encoder, tiny_encoder)
    assert turned.weights == scorer.weights
    np.testing.assert_allclose(values(turned, noisy[::-1])[::-1], values(scorer, noisy), atol=0.02)


def test_same_text_has_the_same_scores(
    scorer: QualityScorer, noisy: list[SentencePair], tiny_encoder: MultiVectorEncoder
) -> None:
    again = QualityScorer(noisy, tiny_encoder, tiny_encoder)
    assert again(noisy) == scorer(noisy)


def test_coverage_knows_the_words_that_translate_each_other(tiny_encoder: MultiVectorEncoder) -> None:
    drawn = np.random.default_rng(1)
    texts = [drawn.choice(WORDS, 4, replace=False) for _ in range(150)]
    pairs = [SentencePair(" ".join(words), " ".join(map(made_up, words))) for words in texts]
    scorer = QualityScorer(pairs, tiny_encoder, tiny_encoder)
    true = [quality.coverage for quality in scorer(pairs)]
    crossed = [SentencePair(one.english, other.translation) for one, other in pairwise(pairs)]
    false = [quality.coverage for quality in scorer(crossed)]
    assert np.mean(true) > 0.9
    assert np.mean(false) < 0.6


def test_rare_words_are_not_explained_by_their_own_pair(tiny_encoder: MultiVectorEncoder) -> None:
    pairs = [SentencePair(f"alpha{n} beta{n}", f"gamma{n} delta{n}") for n in range(40)]
    scorer = QualityScorer(pairs, tiny_encoder, tiny_encoder)
    assert {quality.coverage for quality in scorer(pairs)} == {0.0}


def test_pair_without_a_word_gets_a_score(scorer: QualityScorer) -> None:
    [quality] = scorer([SentencePair("!", "rain")])
    assert quality.coverage == 0
    assert np.isfinite(quality.score)


def test_too_few_pairs_are_refused(clean: list[SentencePair], tiny_encoder: MultiVectorEncoder) -> None:
    with pytest.raises(DataError, match="at least 20 different sentence pairs to learn from, got 3"):
        QualityScorer(clean[:3] * 20, tiny_encoder, tiny_encoder)


def test_no_feature_counts_against_a_pair() -> None:
    random = np.random.default_rng(3)
    margin, noise = random.normal(size=(200, 1)), random.normal(size=(200, 1))
    given = np.hstack([margin + 1, noise - 0.5])
    chance = np.hstack([margin - 1, noise + 0.5])
    weights = _regress(given, chance)
    assert weights.coverage == 0
    swapped = _regress(given[:, ::-1], chance[:, ::-1])
    assert (swapped.margin, swapped.coverage) == (0, pytest.approx(weights.margin))
    alone = _regress(given * [1, 0], chance * [1, 0])
    assert (alone.constant, alone.margin) == pytest.approx((weights.constant, weights.margin), abs=1e-6)
    assert _regress(-abs(given), abs(chance))[1:] == (0, 0)
