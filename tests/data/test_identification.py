import random

import pytest

from kivuko.data.identification import SideModels, SideScores
from kivuko.data.pairs import SentencePair
from kivuko.data.samples import pair_digests
from kivuko.data.shingles import text_key
from kivuko.data.trigrams import trigrams

ENGLISH = "the river and school near market with teacher who reads old letters about village garden"
SWAHILI = "mto na shule karibu soko pamoja mwalimu anayesoma barua zamani kuhusu kijiji bustani yetu"
FINNISH = "joki sekä koulu lähellä toria opettaja joka lukee vanhoja kirjeitä kylästä puutarhassa"


def sentence(words: str, draw: random.Random) -> str:
    return " ".join(draw.choice(words.split()) for _ in range(10))


def score(models: SideModels, text: str, side: int) -> SideScores:
    nothing = trigrams([""])
    both = [trigrams([text_key(text)]), nothing]
    return models.score(*(both if side == 0 else both[::-1]))[0][side]


@pytest.fixture
def models() -> SideModels:
    draw = random.Random(0)  # noqa: S311
    pairs = [SentencePair(sentence(ENGLISH, draw), sentence(SWAHILI, draw)) for _ in range(400)]
    noise = [SentencePair(sentence(ENGLISH, draw), sentence(ENGLISH, draw)) for _ in range(10)]
    return SideModels([*pairs, *noise])


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
    own = SentencePair(sentence(ENGLISH, draw), foreign)
    models = SideModels([*pairs, own])
    sides = [trigrams([text_key(side)]) for side in own]
    _, found = models.score(*sides, digests=pair_digests([own]))[0]
    assert found.deviations < -6


def test_foreign_pairs_do_not_vouch_for_each_other() -> None:
    draw = random.Random(0)  # noqa: S311
    pairs = [SentencePair(sentence(ENGLISH, draw), sentence(SWAHILI, draw)) for _ in range(300)]
    foreign = [SentencePair(sentence(ENGLISH, draw), sentence(FINNISH, draw)) for _ in range(15)]
    models = SideModels([*pairs, *foreign])
    sides = [trigrams([text_key(pair[side]) for pair in foreign]) for side in (0, 1)]
    assert all(translation.deviations < -6 for _, translation in models.score(*sides, digests=pair_digests(foreign)))


def test_names_that_both_sides_have_are_of_no_language(models: SideModels) -> None:
    name = " Shchyokino-Zyuzyuk Qwrtzk Xylptsk Grzbwlk Vshchmyk"
    draw = random.Random(3)  # noqa: S311
    sides = [sentence(SWAHILI, draw), sentence(ENGLISH, draw) + name]
    swahili, english = (trigrams([text_key(text)]) for text in (sides[0] + name, sides[1]))
    assert models.score(english, swahili)[0][1].deviations > -6
    assert models.score(trigrams([""]), swahili)[0][1].deviations < -6


def test_numbers_are_of_no_language(models: SideModels) -> None:
    assert score(models, "mto na shule 12:45 2003 1998 77123 90210 4711", 1).deviations > -6


def test_text_without_letters_says_nothing(models: SideModels) -> None:
    assert score(models, "...", 1) == (0.0, 0.0)
