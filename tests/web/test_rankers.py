"""A served collection whose words are counted, and translated for one of two languages."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from kivuko.data.collections import Document
from kivuko.search.index import load_index
from kivuko.search.words import build_words
from kivuko.web.app import create_app
from kivuko.web.service import Service, load_services


@pytest.fixture
def asked(worded: list[Service]) -> Iterator[TestClient]:
    with TestClient(create_app(worded), base_url="http://127.0.0.1:8000", raise_server_exceptions=False) as client:
        yield client


def test_collections_say_what_they_can_be_ranked_by(asked: TestClient) -> None:
    collections = {each["name"]: each["rankers"] for each in asked.get("/api/collections").json()["collections"]}
    fusions = ["rrf", "weighted"]
    assert collections == {
        "news": {"sw": ["maxsim", "bm25", "psq", *fusions], "en": ["maxsim", "bm25", *fusions]},
        "plain": {"sw": ["maxsim"], "en": ["maxsim"]},
    }


@pytest.mark.parametrize(("ranker", "query"), [("bm25", "maize beans"), ("psq", "mahindi maharage"), ("rrf", "maize")])
def test_documents_are_ranked_as_asked(asked: TestClient, documents: list[Document], ranker: str, query: str) -> None:
    body = {"query": query, "language": "sw", "collection": "news", "ranker": ranker, "top_k": 3}
    found = asked.post("/api/search", json=body).json()["results"]
    assert found[0]["doc_id"] in {
        "d0",
        "d1",
    }  # the English sentence, and the Swahili one that has the words as they are
    assert found[0]["score"] > 0
    batch = {"queries": [query], **{key: value for key, value in body.items() if key != "query"}}
    assert asked.post("/api/search/batch", json=batch).json()["results"] == [found]


@pytest.mark.parametrize(("collection", "language", "ranker"), [("plain", "sw", "rrf"), ("news", "en", "psq")])
def test_what_it_cannot_be_ranked_by_is_refused_with_what_it_can(
    asked: TestClient, collection: str, language: str, ranker: str
) -> None:
    body = {"query": "maize", "language": language, "collection": collection, "ranker": ranker}
    answer = asked.post("/api/search", json=body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "no_ranker")
    assert "only by maxsim" in answer.json()["error"]["message"]


def test_words_of_other_documents_are_not_served(
    served_index: Path, tiny_encoder_dir: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    place = tmp_path / "news"
    shutil.copytree(served_index, place)
    build_words(load_index(place), place)
    manifest = place / "words" / "lexical.json"
    content = json.loads(manifest.read_text())
    manifest.write_text(json.dumps(content | {"contents": "documents of another index"}))
    [service] = load_services({"news": str(place)}, {"sw": str(tiny_encoder_dir)})
    assert service.describe().collections[0].rankers == {"sw": ["maxsim"]}
    assert "not those of the passages" in str([getattr(record, "fields", {}) for record in caplog.records])
