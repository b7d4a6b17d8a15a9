import random

import pytest

from kivuko.data.identification import SideModels, SideScores
from kivuko.data.pairs import SentencePair
from kivuko.data.shingles import text_key
from kivuko.data.trigrams import trigrams

ENGLISH = "the river and school near market with teacher who reads old letters about village garden"
SWAHILI = "mto na shule karibu soko pamoja mwalimu anayesoma barua zamani kuhusu kijiji bustani yetu"
FINNISH = "joki sekä koulu lähellä toria opettaja joka lukee vanhoja kirjeitä kylästä puutarhassa"


def sentence(words: str, draw: random.Random) -> str:
    return " ".join(draw.choice(words.split()) for _ in range(10))


def score(models: SideModels, text: str, side: int) -> SideScores:
    return models.score(trigrams([text_key(text)]), side)[0]


@pytest.fixture(params=[True, False], ids=["trained on all", "trained on a sample"])
def models(request: pytest.FixtureRequest) -> SideModels:
    draw = random.Random(0)  # noqa: S311
    pairs = [SentencePair(sentence(ENGLISH, draw), sentence(SWAHILI, draw)) for _ in range(400)]
    noise = [SentencePair(sentence(ENGLISH, draw), sentence(ENGLISH, draw)) for _ in range(10)]
    return SideModels([*pairs, *noise], is_all=request.param)


def test_text_of_the_other_side_is_likelier_there(models: SideModels) -> None:
    draw = random.Random(1)  # noqa: S311
    assert score(models, sentence(SWAHILI, draw), 1).odds > 7
    assert score(models, sentence(ENGLISH, draw), 1).odds < -7
    assert score(models, sentence(SWAHILI, draw), 0).odds < -7


def test_text_of_a_third_language_is_unlike_its_side(models: SideModels) -> None:
    draw = random.Random(2)  # noqa: S311
    assert score(models, sentence(SWAHILI, draw), 1).deviations > -6
    assert score(models, sentence(FINNISH, draw), 1).deviations < -6


def test_text_that_was_trained_on_does_not_vouch_for_itself() -> None:
    draw = random.Random(0)  # noqa: S311
    pairs = [SentencePair(sentence(ENGLISH, draw), sentence(SWAHILI, draw)) for _ in range(300)]
    foreign = sentence(FINNISH, draw)
    models = SideModels([*pairs, SentencePair(sentence(ENGLISH, draw), foreign)], is_all=True)
    assert score(models, foreign, 1).deviations < -6


def test_text_without_letters_says_nothing(models: SideModels) -> None:
    assert score(models, "...", 1) == (0.0, 0.0)
