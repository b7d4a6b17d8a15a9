import re
from pathlib import Path

import pytest

from kivuko.config import BitextSource
from kivuko.data.bitext import Bitext, read_bitext
from kivuko.data.collections import Collection, read_collection
from kivuko.data.mini import BITEXT, write_mini

TOPICS = {"health", "farming", "school", "market", "travel", "law", "news"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("mini")
    write_mini(directory)
    return directory


@pytest.fixture(scope="module")
def bitext(folder: Path) -> Bitext:
    return read_bitext(BitextSource(path=folder / BITEXT, language="sw"))


@pytest.fixture(scope="module")
def swahili(folder: Path) -> Collection:
    return read_collection(folder / "sw-en")


@pytest.fixture(scope="module")
def english(folder: Path) -> Collection:
    return read_collection(folder / "en-en")


def words(text: str) -> list[str]:
    return re.findall(r"\w+", text.casefold())


def overlap(one: str, other: str) -> float:
    """Share of words in common, of all the words of both (Jaccard)."""
    first, second = set(words(one)), set(words(other))
    return len(first & second) / len(first | second)


def test_it_has_what_its_docstring_counts(bitext: Bitext, swahili: Collection) -> None:
    documents = list(swahili.corpus)
    assert (len(bitext.pairs), bitext.empty_sides) == (2352, 0)
    assert (len(documents), len(swahili.queries)) == (168, 98)
    assert {document.doc_id.rpartition("-")[0] for document in documents} == TOPICS


def test_every_question_is_judged_and_has_its_english_original(swahili: Collection, english: Collection) -> None:
    asked = [query.query_id for query in swahili.queries]
    assert asked == [query.query_id for query in english.queries]
    assert {qrel.query_id for qrel in swahili.qrels} == set(asked)
    assert {qrel.doc_id for qrel in swahili.qrels} <= {document.doc_id for document in swahili.corpus}


def test_no_pair_stands_twice_by_either_side(bitext: Bitext) -> None:
    assert len({pair.english.casefold() for pair in bitext.pairs}) == len(bitext.pairs)
    assert len({pair.translation.casefold() for pair in bitext.pairs}) == len(bitext.pairs)


def test_no_question_or_near_copy_is_in_the_bitext(bitext: Bitext, swahili: Collection, english: Collection) -> None:
    closest_swahili = max(overlap(q.text, p.translation) for q in swahili.queries for p in bitext.pairs)
    closest_english = max(overlap(q.text, p.english) for q in english.queries for p in bitext.pairs)
    assert closest_swahili <= 0.6
    assert closest_english <= 0.6


def test_sentences_follow_no_template(bitext: Bitext) -> None:
    openings: dict[tuple[str, ...], int] = {}
    for pair in bitext.pairs:
        opening = tuple(words(pair.translation)[:3])
        openings[opening] = openings.get(opening, 0) + 1
    assert max(openings.values()) <= 0.01 * len(bitext.pairs)


def test_names_and_numbers_are_in_many_pairs(bitext: Bitext) -> None:
    numbers = sum(any(word.isdigit() for word in words(pair.english)) for pair in bitext.pairs)
    names = sum(bool(re.search(r"(?<=[a-z,] )[A-Z][a-z]+", pair.english)) for pair in bitext.pairs)
    assert numbers > 200
    assert names > 400


def test_most_words_of_the_questions_occur_in_the_bitext(bitext: Bitext, swahili: Collection) -> None:
    known = {word for pair in bitext.pairs for word in words(pair.translation)}
    asked = {word for query in swahili.queries for word in words(query.text)}
    assert len(asked & known) / len(asked) > 0.8
