from pathlib import Path

import numpy as np
import pytest

from kivuko.search import filters
from kivuko.search.filters import FieldKind, field_kinds, filter_faults, read_value
from kivuko.search.flat import create_store
from kivuko.search.lineage import Lineage
from kivuko.search.opening import StoreKind, open_or_create_store
from kivuko.search.store import Entry, OpenStore, Passage

PASSAGES = [
    Passage("a", "", "maize", "en", {"year": 2024, "peer": True}),
    Passage("b", "", "beans", "sw", {"year": 2024.5, "seen": "often"}),
    Passage("c", "", "buses", None, {"seen": 3}),
]
TEXT, NUMBER, BOOLEAN = FieldKind.STRING, FieldKind.NUMBER, FieldKind.BOOLEAN


@pytest.fixture
def store(tmp_path: Path) -> OpenStore:
    store = create_store(tmp_path / "store", dim=4, model_name="tiny", model_digest=None)
    store.add(Entry(passage, np.ones((2, 4), dtype=np.float32)) for passage in PASSAGES)
    return store


def test_fields_of_a_store_have_the_kinds_of_their_values(store: OpenStore) -> None:
    assert {name: set(kinds) for name, kinds in (field_kinds(store) or {}).items()} == {
        "title": {TEXT}, "text": {TEXT}, "language": {TEXT},
        "year": {NUMBER}, "peer": {BOOLEAN}, "seen": {TEXT, NUMBER},
    }  # fmt: skip


def test_a_field_of_a_passage_that_was_deleted_is_unknown(store: OpenStore) -> None:
    store.delete(["a"])
    assert "peer" not in (field_kinds(store) or {})


def test_fields_of_too_many_passages_in_qdrant_are_not_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("qdrant_edge")
    edge = open_or_create_store(
        StoreKind.qdrant, tmp_path / "edge", dim=4, encoder=Lineage("tiny", "0" * 64), language="en"
    )
    edge.add(Entry(passage, np.ones((2, 4), dtype=np.float32)) for passage in PASSAGES)
    assert set(field_kinds(edge) or {}) == {"title", "text", "language", "year", "peer", "seen"}
    monkeypatch.setattr(filters, "LOOKED_THROUGH", 2)
    assert field_kinds(edge) is None
    edge.close()


@pytest.mark.parametrize(
    ("where", "told"),
    [
        ({"language": "sw", "year": 2024, "peer": False, "seen": "often"}, {}),
        ({"seen": 3}, {}),
        ({"yaer": 2024}, {"yaer": "Expected one of the fields language, peer, seen, text, title, year"}),
        ({"year": "2024", "peer": 1}, {"year": "Expected a number", "peer": "Expected a boolean"}),
        ({"seen": True}, {"seen": "Expected a number or a string"}),
    ],
)
def test_a_filter_that_can_find_nothing_is_told_why(
    store: OpenStore, where: dict[str, str | int | float | bool], told: dict[str, str]
) -> None:
    assert filter_faults(where, field_kinds(store)) == told


def test_what_keeps_nothing_to_filter_by_says_so_and_what_is_not_known_is_not_judged() -> None:
    assert "keeps nothing" in filter_faults({"year": 1}, {})["year"]
    assert filter_faults({}, {}) == {}
    assert filter_faults({"year": 1}, None) == {}


@pytest.mark.parametrize(
    ("text", "kinds", "read"),
    [
        ("12", {NUMBER}, 12),
        ("12", {TEXT}, "12"),
        ("12", {TEXT, NUMBER}, 12),
        ("012", {NUMBER}, "012"),
        ('"12"', {NUMBER}, "12"),
        ("true", {TEXT}, "true"),
        ("true", {BOOLEAN}, True),
        ("NaN", {TEXT}, "NaN"),
        ("null", None, "null"),
        ("[" * 100_000, None, "[" * 100_000),
    ],
)
def test_a_value_is_read_as_what_the_field_has(
    text: str, kinds: set[FieldKind] | None, read: str | int | float | bool
) -> None:
    assert read_value(text, kinds) == read
    assert type(read_value(text, kinds)) is type(read)
