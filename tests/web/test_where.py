"""A served store whose passages have fields: asked to filter, and refusing filters that can find nothing."""

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sentence_transformers import MultiVectorEncoder
from starlette.testclient import TestClient

from kivuko.data.collections import Document
from kivuko.models.encoder import model_identity
from kivuko.search.flat import create_store
from kivuko.search.store import Passage, ingest
from kivuko.search.words import build_words
from kivuko.web.app import create_app
from kivuko.web.problems import Problem
from kivuko.web.schemas import BatchRequest
from kivuko.web.service import Service, load_services, open_collection

ASK = {"query": "maize and beans", "language": "sw", "collection": "store"}


@pytest.fixture(scope="module")
def fielded(
    tiny_encoder: MultiVectorEncoder,
    tiny_encoder_dir: Path,
    documents: list[Document],
    served_index: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[TestClient]:
    place = tmp_path_factory.mktemp("fielded") / "store"
    identity = model_identity(tiny_encoder_dir)
    store = create_store(place, dim=32, model_name=str(tiny_encoder_dir), model_digest=identity)
    passages = [
        Passage(*document, "sw" if number % 2 else "en", {"year": 2020 + number % 3, "peer": number < 5})
        for number, document in enumerate(documents)
    ]
    ingest(store, tiny_encoder, passages)
    build_words(store, place)
    exact = shutil.copytree(served_index, place.parent / "exact")
    services = load_services({"store": str(place), "exact": str(exact)}, {"sw": str(tiny_encoder_dir)})
    with TestClient(create_app(services), base_url="http://127.0.0.1:8000", raise_server_exceptions=False) as client:
        yield client


def test_collections_say_what_they_can_be_filtered_by(fielded: TestClient) -> None:
    collections = {each["name"]: each["fields"] for each in fielded.get("/api/collections").json()["collections"]}
    own = {name: ["string"] for name in ("title", "text", "language")}
    assert collections == {"store": own | {"year": ["number"], "peer": ["boolean"]}, "exact": {}}


@pytest.mark.parametrize("ranker", ["maxsim", "bm25", "rrf"])
def test_only_documents_with_all_values_are_found_and_carry_their_fields(fielded: TestClient, ranker: str) -> None:
    where = {"language": "en", "year": 2020, "peer": True}
    [found] = fielded.post("/api/search", json=ASK | {"where": where, "ranker": ranker}).json()["results"]
    assert (found["doc_id"], found["language"], found["fields"]) == ("d0", "en", {"year": 2020, "peer": True})


def test_a_batch_is_filtered_as_its_queries_are_alone(fielded: TestClient) -> None:
    where = {"year": 2021}
    alone = fielded.post("/api/search", json=ASK | {"where": where}).json()["results"]
    assert {each["doc_id"] for each in alone} == {"d1", "d4", "d7"}
    rest = {key: value for key, value in ASK.items() if key != "query"}
    batch = fielded.post("/api/search/batch", json=rest | {"queries": [ASK["query"]] * 2, "where": where})
    assert batch.json()["results"] == [alone, alone]


def test_no_filter_is_no_filter(fielded: TestClient) -> None:
    without = fielded.post("/api/search", json=ASK).json()["results"]
    assert len(without) == 10
    assert fielded.post("/api/search", json=ASK | {"where": {}}).json()["results"] == without


@pytest.mark.parametrize(
    ("where", "field", "expected"),
    [
        ({"yaer": 2020}, "where.yaer", "one of the fields language, peer, text, title, year"),
        ({"year": "2020"}, "where.year", "a number"),
        ({"year": True}, "where.year", "a number"),
        ({"peer": 1}, "where.peer", "a boolean"),
        ({"language": 7}, "where.language", "a string"),
    ],
)
def test_a_filter_that_can_find_nothing_is_refused(
    fielded: TestClient, where: dict[str, object], field: str, expected: str
) -> None:
    answer = fielded.post("/api/search", json=ASK | {"where": where})
    assert answer.status_code == 422
    [told] = answer.json()["error"]["fields"]
    assert told == {"field": field, "expected": f"Expected {expected}"}
    assert field in answer.json()["error"]["message"]


@pytest.mark.parametrize("value", [10**400, -(10**4_000), 10**308 * 10])
def test_a_number_that_no_field_can_have_is_a_fault_of_its_field(fielded: TestClient, value: int) -> None:
    answer = fielded.post("/api/search", json=ASK | {"where": {"year": value, "language": "en"}})
    assert answer.status_code == 422
    error = answer.json()["error"]
    assert error["code"] == "invalid"
    assert [each["field"] for each in error["fields"]] == ["where.year"]
    assert "an integer beyond 1.8e+308" in error["message"]
    assert ".." not in error["message"]


def test_a_value_that_no_store_takes_is_a_fault_of_its_field_where_fields_are_not_known(
    tiny_encoder: MultiVectorEncoder, tiny_encoder_dir: Path, tmp_path: Path
) -> None:
    identity = model_identity(tiny_encoder_dir)
    store = create_store(tmp_path / "store", dim=32, model_name=str(tiny_encoder_dir), model_digest=identity)
    ingest(store, tiny_encoder, [Passage("d0", "", "maize", "en", {})])
    opened = replace(open_collection(str(tmp_path / "store")), fields=None)
    service = Service({"store": opened}, {"sw": str(tiny_encoder_dir)})
    ask = BatchRequest(queries=["maize"], language="sw", collection="store", where={"title": 7, "year": 2024})
    with pytest.raises(Problem) as refused:
        service.search(ask)
    assert refused.value.code == "invalid"
    assert [each.field for each in refused.value.fields] == ["where.title"]


def test_an_index_says_that_it_keeps_nothing_to_filter_by(fielded: TestClient) -> None:
    answer = fielded.post("/api/search", json=ASK | {"collection": "exact", "where": {"year": 2020}})
    assert answer.status_code == 422
    assert "keeps nothing to filter by" in answer.json()["error"]["message"]


@pytest.mark.parametrize(
    "where",
    [
        None, [], "year=2020", {"year": None}, {"year": [2020]}, {"year": {"$gt": 2000}}, {"year": float("nan")},
        {"year": float("inf")}, {"": "x"}, {"y" * 201: 1}, {"text": "x" * 1_001}, {str(n): n for n in range(17)},
        {"text": "\ud83e"}, {"\ud83e": 1},
    ],
)  # fmt: skip
def test_what_is_no_filter_is_refused(fielded: TestClient, where: object) -> None:
    body = json.dumps(ASK | {"where": where}).encode()
    answer = fielded.post("/api/search", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 422
    assert answer.json()["error"]["code"] == "invalid"
    assert len(answer.text) < 5_000


def test_a_value_of_no_kind_is_told_in_one_sentence(fielded: TestClient) -> None:
    answer = fielded.post("/api/search", json=ASK | {"where": {"year": None}})
    [told] = answer.json()["error"]["fields"]
    assert told["field"] == "where.year"
    assert told["expected"].startswith("Expected a string")


def test_the_schema_says_what_a_filter_is(fielded: TestClient) -> None:
    schemas = fielded.get("/api/openapi.json").json()["components"]["schemas"]
    for name in ("SearchRequest", "BatchRequest"):
        where = schemas[name]["properties"]["where"]
        assert where["maxProperties"] == 16
        assert "/api/collections" in where["description"]
        assert [each["type"] for each in where["additionalProperties"]["anyOf"]] == [
            "string", "boolean", "integer", "number",
        ]  # fmt: skip
