"""What nobody should ask is answered with a clear refusal, changes nothing, and leaks nothing."""

import json
import logging
import random
import threading

import pytest
from starlette.testclient import TestClient

ASK = {"query": "which river is the longest", "language": "sw", "collection": "news"}
LEAKS = ("Traceback", 'File "', "site-packages", "/tmp", ".py", "0x7f")  # noqa: S108 - a leak, if it is there
WATER = """
water maji ruwa omi mmiri amanzi biyo ውሃ ማይ bishaan rano amazzi madzi metsi mvura tubig air banyu nước น้ำ ទឹក ນ້ຳ ရေ
पानी পানি પાણી ਪਾਣੀ तोय தண்ணீர் నీరు ನೀರು വെള്ളം ජලය پانی آب ماء מים su сув су вода voda woda víz vesi vatten νερό ջուր
წყალი ус 水 물 水分 ཆུ agua eau acqua wasser
"""


def refused(answer: object) -> str:
    status, text = answer.status_code, answer.text  # type: ignore[attr-defined]
    assert 400 <= status < 500, (status, text)
    assert not any(leak in text for leak in LEAKS), text
    error = answer.json()["error"]  # type: ignore[attr-defined]
    assert error["message"]
    return str(error["code"])


@pytest.mark.parametrize("query", ["a" * 100_000, "ng'ombe " * 12_500, "🦁" * 25_000, "\0" * 100_000])
def test_a_query_of_a_hundred_kilobytes_is_refused(client: TestClient, query: str) -> None:
    answer = client.post("/api/search", json=ASK | {"query": query})
    assert refused(answer) in {"invalid", "too_large"}  # a null byte takes six in JSON
    assert len(answer.text) < 2_000  # it is not sent back


@pytest.mark.parametrize(
    "query", ["🦁🦁🦁", "🦁 simba 🦁", "👩🏾‍🌾", "\0", "a\0b", "\u202egnol", "e\u0301" * 400, "'; DROP TABLE", "%00"]
)
def test_odd_characters_are_a_query_like_any_other_or_none(client: TestClient, query: str) -> None:
    answer = client.post("/api/search", json=ASK | {"query": query})
    if answer.status_code == 200:
        assert len(answer.json()["results"]) == 10
    else:
        assert refused(answer) == "no_words"


def test_a_half_of_a_surrogate_pair_is_refused(client: TestClient) -> None:
    body = json.dumps(ASK | {"query": "\ud83e"}).encode()
    assert refused(client.post("/api/search", content=body, headers={"Content-Type": "application/json"}))


def test_every_language_is_answered(client: TestClient) -> None:
    words = WATER.split()
    assert len(set(words)) >= 50
    for word in words:
        answer = client.post("/api/search", json=ASK | {"query": word})
        assert answer.status_code == 200, word
        [match] = client.post("/api/align", json={"english": "water", "translation": word, "language": "sw"}).json()[
            "translation_words"
        ]
        assert match == word


def test_a_thousand_bad_requests_change_nothing_and_leak_nothing(
    client: TestClient, caplog: pytest.LogCaptureFixture
) -> None:
    before = client.post("/api/search", json=ASK).json()["results"]
    threads = threading.active_count()
    chance = random.Random(7)  # noqa: S311 - not a secret
    paths = ["/api/search", "/api/search/batch", "/api/explain", "/api/align"]
    values = [None, True, -1, 2**80, 1e308, [], {}, [[[]]], "", " ", "\0", "x" * 2_000, "../../etc/passwd", {"$gt": ""}]
    codes: dict[str, int] = {}
    with caplog.at_level(logging.WARNING):
        for number in range(1_000):
            path = chance.choice(paths)
            body = ASK | {"queries": ["x"], "doc_id": "d0", "english": "a", "translation": "b"}
            kept = {key: body[key] for key in chance.sample(sorted(body), 3)}
            wrong = json.dumps(kept | {chance.choice(sorted(body)): chance.choice(values), "more": 1}).encode()
            content = [wrong, wrong[: len(wrong) // 2], b"\xff" + wrong, b"[" * 5_000, b"", b"null"][number % 6]
            kind = chance.choice(["application/json", "text/plain", "application/x-www-form-urlencoded"])
            answer = client.post(path, content=content, headers={"Content-Type": kind})
            codes[refused(answer)] = codes.get(refused(answer), 0) + 1
    assert sum(codes.values()) == 1_000
    assert not caplog.records  # no failure of ours among them
    assert threading.active_count() <= threads
    assert client.post("/api/search", json=ASK).json()["results"] == before
    assert client.get("/api/health").json()["ready"] is True
