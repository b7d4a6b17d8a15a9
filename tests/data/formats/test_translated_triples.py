"""Training triples with translated queries, in mMARCO's form."""

from pathlib import Path

import pytest

from kivuko.data.formats.translated_triples import read_translated_triples
from kivuko.data.pairs import TranslatedTriple
from kivuko.errors import DataError


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path, Path]:
    """Three triples, with one query and one passage that no triple names."""
    contents = {
        "triples.tsv": "1\ta\tb\n2\tb\tc\n3\tc\ta\n",
        "queries.tsv": "1\tmoja\n2\tmbili\n3\ttatu\n4\tnne\n",
        "passages.tsv": "a\tone\nb\ttwo, with a\ttab\nc\tthree\nd\tfour\n",
    }
    for name, text in contents.items():
        (tmp_path / name).write_text(text)
    triples, queries, passages = (tmp_path / name for name in contents)
    return triples, queries, passages


def test_texts_stand_in_place_of_ids(files: tuple[Path, Path, Path]) -> None:
    found = read_translated_triples(*files, count=3, seed=0)
    assert sorted(found, key=lambda triple: triple.translation) == [
        TranslatedTriple("two, with a\ttab", "mbili", "three"),
        TranslatedTriple("one", "moja", "two, with a\ttab"),
        TranslatedTriple("three", "tatu", "one"),
    ]


def test_seed_decides_the_order_and_few_triples_go_round(files: tuple[Path, Path, Path]) -> None:
    assert read_translated_triples(*files, count=3, seed=1) == read_translated_triples(*files, count=3, seed=1)
    orders = {tuple(read_translated_triples(*files, count=3, seed=seed)) for seed in range(20)}
    assert len(orders) == 6
    many = read_translated_triples(*files, count=7, seed=0)
    assert len(many) == 7
    assert len(set(many[:3])) == len(set(many[3:6])) == 3


def test_what_is_missing_is_named(files: tuple[Path, Path, Path]) -> None:
    files[2].write_text("a\tone\nb\ttwo\n")
    with pytest.raises(DataError, match=r"passages.tsv lacks 1 of the ids .* 'c'"):
        read_translated_triples(*files, count=3, seed=0)
    files[0].write_text("")
    with pytest.raises(DataError, match="holds no triple"):
        read_translated_triples(*files, count=3, seed=0)
