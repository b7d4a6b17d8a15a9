import json
import logging

import pytest
from starlette.testclient import TestClient

from kivuko.data.collections import Document
from kivuko.web.app import create_app
from kivuko.web.service import Service
from kivuko.web.settings import ServeSettings

ASK = {"query": "which river is the longest", "language": "sw", "collection": "news"}


def test_collections_and_languages_are_listed_with_direction(client: TestClient, documents: list[Document]) -> None:
    answer = client.get("/api/collections").json()
    [news] = answer["collections"]
    assert (news["name"], news["documents"], news["language"]) == ("news", len(documents), "en")
    assert "/" in news["model"]
    assert news["model"].count("/") == 1
    assert answer["languages"] == [
        {"code": "sw", "name": "Kiswahili", "direction": "ltr"},
        {"code": "ur", "name": "اردو", "direction": "rtl"},
    ]


def test_a_document_is_found_by_its_own_words(client: TestClient, documents: list[Document]) -> None:
    for document in documents:
        answer = client.post("/api/search", json=ASK | {"query": document.content, "top_k": 2}).json()
        assert [answer["results"][0][key] for key in ("doc_id", "title", "text")] == list(document)
        assert len(answer["results"]) == 2
        assert answer["milliseconds"] > 0


def test_a_batch_answers_as_its_queries_do_alone(client: TestClient, documents: list[Document]) -> None:
    queries = [document.text for document in documents[:3]]
    batch = client.post("/api/search/batch", json={"queries": queries, "language": "sw", "collection": "news"}).json()
    alone = [client.post("/api/search", json=ASK | {"query": query}).json()["results"] for query in queries]
    assert [[hit["doc_id"] for hit in hits] for hits in batch["results"]] == [
        [hit["doc_id"] for hit in hits] for hits in alone
    ]


def test_an_alignment_of_a_sentence_with_itself_is_the_diagonal(client: TestClient) -> None:
    sentence = "The bus takes nine hours."
    answer = client.post("/api/align", json={"english": sentence, "translation": sentence, "language": "sw"}).json()
    assert answer["english_words"] == answer["translation_words"] == ["The", "bus", "takes", "nine", "hours", "."]
    assert answer["links"] == [[place, place] for place in range(6)]
    assert [len(row) for row in answer["plan"]] == [6] * 6
    assert 0.5 < sum(map(sum, answer["plan"])) < 1.05


def test_rows_of_the_plan_are_words_of_the_translation(client: TestClient) -> None:
    answer = client.post("/api/align", json={"english": "bus", "translation": "bus children", "language": "sw"}).json()
    assert [len(row) for row in answer["plan"]] == [1, 1]
    assert answer["plan"][0][0] > answer["plan"][1][0]


@pytest.mark.parametrize(
    ("path", "change", "code"),
    [
        ("/api/search", {"collection": "olds"}, "unknown_collection"),
        ("/api/search", {"language": "tlh"}, "unknown_language"),
        ("/api/explain", {"doc_id": "d99"}, "unknown_document"),
    ],
)
def test_what_is_not_there_is_named(client: TestClient, path: str, change: dict[str, str], code: str) -> None:
    answer = client.post(path, json=ASK | change)
    assert answer.status_code == 404
    assert answer.json()["error"]["code"] == code
    assert next(iter(change.values())) in answer.json()["error"]["message"]


@pytest.mark.parametrize(
    ("path", "change", "field"),
    [
        ("/api/search", {"top_k": 101}, "top_k"),
        ("/api/search", {"top_k": 0}, "top_k"),
        ("/api/search", {"top_k": True}, "top_k"),
        ("/api/search", {"query": "x" * 1_001}, "query"),
        ("/api/search", {"query": ""}, "query"),
        ("/api/search", {"query": None}, "query"),
        ("/api/search", {"colection": "news"}, "colection"),
        ("/api/search/batch", {"queries": ["x"] * 33}, "queries"),
        ("/api/search/batch", {"queries": []}, "queries"),
        ("/api/explain", {}, "doc_id"),
    ],
)
def test_a_request_beyond_the_schema_is_told_which_field(
    client: TestClient, path: str, change: dict[str, object], field: str
) -> None:
    answer = client.post(path, json=ASK | change)
    assert answer.status_code == 422
    error = answer.json()["error"]
    assert error["code"] == "invalid"
    assert field in [each["field"] for each in error["fields"]]
    assert field in error["message"]


@pytest.mark.parametrize(
    "text", ["\x1c", "???", "\u200b", "\u2060 \u00ad…", "\u0301", "\u3164", "\ufe0f\u200d", "\uffff"]
)
@pytest.mark.parametrize("path", ["search", "search/batch", "explain", "align"])
def test_a_text_without_a_word_is_refused(client: TestClient, path: str, text: str) -> None:
    body = {
        "search": ASK | {"query": text},
        "search/batch": {"queries": ["bus", text], "language": "sw", "collection": "news"},
        "explain": ASK | {"query": text, "doc_id": "d0"},
        "align": {"english": "one", "translation": text, "language": "sw"},
    }[path]
    answer = client.post(f"/api/{path}", json=body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "no_words")
    assert "a letter, a digit or a symbol" in answer.json()["error"]["message"]


@pytest.mark.parametrize("text", ["7", "🦁", "+", "ߒ", "ng'ombe?", "\U00010d4a", "\ue000"])  # one of a script of 2024
def test_a_letter_a_digit_or_a_symbol_is_a_word(client: TestClient, text: str) -> None:
    assert client.post("/api/search", json=ASK | {"query": text}).status_code == 200
    assert client.post("/api/explain", json=ASK | {"query": text, "doc_id": "d0"}).status_code == 200
    align = {"english": text, "translation": text, "language": "sw"}
    assert client.post("/api/align", json=align).json()["english_words"]


def test_what_cannot_be_seen_is_no_word_of_an_alignment(client: TestClient) -> None:
    sentences = {"english": "bus \u200b children", "translation": "👩\u200d🌾 \u2060 .", "language": "sw"}
    answer = client.post("/api/align", json=sentences).json()
    assert answer["english_words"] == ["bus", "children"]
    assert answer["translation_words"] == ["👩", "🌾", "."]
    assert [len(row) for row in answer["plan"]] == [2, 2, 2]


def test_a_sentence_of_too_many_words_is_refused(client: TestClient) -> None:
    long = {"english": "a " * 129, "translation": "a", "language": "sw"}
    assert client.post("/api/align", json=long).json()["error"]["code"] == "too_long"


def test_the_schema_describes_every_path_with_its_errors(client: TestClient) -> None:
    paths = client.get("/api/openapi.json").json()["paths"]
    assert set(paths) == {
        "/api/collections", "/api/search", "/api/search/batch", "/api/explain", "/api/align", "/api/health", "/metrics"
    }  # fmt: skip
    for path in ("/api/search", "/api/search/batch", "/api/explain", "/api/align"):
        operation = paths[path]["post"]
        assert operation["description"]
        assert {"200", "404", "408", "413", "422", "429", "500", "503", "504"} <= set(operation["responses"])


def test_health_says_what_is_loaded_and_nothing_of_where(client: TestClient) -> None:
    answer = client.get("/api/health")
    assert answer.json()["ready"] is True
    assert answer.json()["collections"] == ["news"]
    assert "/tmp" not in answer.text  # noqa: S108


def test_metrics_count_requests_by_route_and_status_and_what_was_rejected(client: TestClient) -> None:
    client.post("/api/search", json=ASK)
    client.post("/api/search", json=ASK | {"top_k": 0})
    client.get("/nothing")
    text = client.get("/metrics").text
    assert 'kivuko_requests_total{route="/api/search",status="200"} 1.0' in text
    assert 'kivuko_requests_total{route="/api/search",status="422"} 1.0' in text
    assert 'kivuko_requests_total{route="other",status="404"} 1.0' in text
    assert 'kivuko_rejected_total{reason="content"} 1.0' in text
    assert 'kivuko_request_seconds_count{route="/api/search"} 2.0' in text
    assert "kivuko_requests_in_flight 1.0" in text  # the one that asks


def test_the_page_is_served_and_may_not_load_anything_from_elsewhere(client: TestClient) -> None:
    answer = client.get("/")
    assert answer.headers["content-type"].startswith("text/html")
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert "http" not in answer.headers["content-security-policy"]
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("told", [False, True])
def test_the_log_tells_what_was_asked_only_if_told_to(
    services: list[Service], caplog: pytest.LogCaptureFixture, told: bool
) -> None:
    with (
        TestClient(create_app(services, ServeSettings(log_queries=told))) as client,
        caplog.at_level(logging.INFO, "kivuko.web"),
    ):
        client.post("/api/search", json=ASK)
    fields = [getattr(record, "fields", {}) for record in caplog.records]
    [request] = [each for each in fields if each.get("route") == "/api/search"]
    assert request["status"] == 200
    assert (ASK["query"] in json.dumps(fields)) is told
