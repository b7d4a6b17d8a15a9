"""Who may ask, how much, and what happens to what may not."""

import asyncio
import json
import random
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from pydantic import BaseModel
from starlette.testclient import TestClient

from kivuko.web.app import create_app
from kivuko.web.schemas import MAX_BODY, BatchAnswer, BatchRequest
from kivuko.web.service import Service
from kivuko.web.settings import ServeSettings

ASK = {"query": "which river is the longest", "language": "sw", "collection": "news"}
KEY = "a-long-enough-key-0123"
LOCAL = "http://127.0.0.1:8000"


def served(services: list[Service], **settings: object) -> TestClient:
    app = create_app(services, ServeSettings(**settings))  # type: ignore[arg-type]
    return TestClient(app, base_url=LOCAL, raise_server_exceptions=False)


@pytest.mark.parametrize(
    "headers",
    [{}, {"Authorization": f"Bearer {KEY}x"}, {"Authorization": f"Basic {KEY}"}, {"X-API-Key": "é"}],
)
@pytest.mark.parametrize("path", ["/api/collections", "/api/search", "/api/openapi.json", "/metrics"])
def test_without_the_key_nothing_is_told(services: list[Service], path: str, headers: dict[str, str]) -> None:
    with served(services, api_key=KEY) as client:
        answer = client.get(path, headers={name: value.encode() for name, value in headers.items()})
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert KEY not in answer.text


@pytest.mark.parametrize("headers", [{"Authorization": f"Bearer {KEY}"}, {"X-API-Key": KEY}])
def test_with_the_key_everything_is(services: list[Service], headers: dict[str, str]) -> None:
    with served(services, api_key=KEY) as client:
        assert client.post("/api/search", json=ASK, headers=headers).status_code == 200


@pytest.mark.parametrize("path", ["/", "/api/health"])
def test_page_and_health_need_no_key(services: list[Service], path: str) -> None:
    with served(services, api_key=KEY) as client:
        assert client.get(path).status_code == 200


def test_another_host_is_refused_on_loopback(services: list[Service]) -> None:
    with served(services, allowed_hosts=("localhost", "127.0.0.1", "[::1]")) as client:
        for host in ("localhost:8000", "LOCALHOST", "127.0.0.1", "[::1]:8000"):
            assert client.get("/api/health", headers={"Host": host}).status_code == 200, host
        for host in ("evil.example", "127.0.0.1.evil.example", ""):
            assert client.get("/api/health", headers={"Host": host}).status_code == 421, host


@pytest.mark.parametrize(
    "path", ["/", "/static/app.js", "/api/health", "/api/collections", "/api/openapi.json", "/metrics"]
)
def test_what_can_be_got_can_be_asked_for_its_head(client: TestClient, path: str) -> None:
    head, got = client.head(path), client.get(path)
    assert (head.status_code, head.content) == (200, b"")
    assert set(head.headers) == set(got.headers)
    for name in ("content-type", "cache-control", "content-security-policy"):
        assert head.headers[name] == got.headers[name]
    if path != "/metrics":  # each time it has more to count
        assert head.headers["content-length"] == got.headers["content-length"]


def test_a_head_is_told_why_not_and_logged_as_what_it_is(client: TestClient, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO", "kivuko.web"):
        answer = client.head("/api/search")
    assert (answer.status_code, answer.content, answer.headers["allow"]) == (405, b"", "POST")
    fields = [getattr(record, "fields", {}) for record in caplog.records]
    assert [(each["method"], each["status"]) for each in fields if "method" in each] == [("HEAD", 405)]
    for path in ("/", "/api/health"):
        assert client.post(path).headers["allow"] == "GET, HEAD"


def test_a_body_that_says_it_is_too_large_is_refused_unread(client: TestClient) -> None:
    answer = client.post("/api/search", content=b"x" * (MAX_BODY + 1))
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "too_large")


def test_a_body_that_does_not_say_its_length_is_counted(client: TestClient) -> None:
    def parts() -> Iterator[bytes]:
        for _ in range(MAX_BODY // 1_024 + 1):
            yield b" " * 1_024

    assert client.post("/api/search", content=parts()).status_code == 413


@pytest.mark.parametrize(
    ("body", "status", "told"),
    [
        (json.dumps(ASK)[:-1] + ', "where": {"n": ' + "9" * 5_000 + "}}", 422, "more than 4,300 digits"),
        ('{"query": ' + "[" * 100_000 + "]" * 100_000 + "}", 422, "brackets within brackets"),
        (b"\xff{}", 400, "is not JSON"),
        ('{"query": ', 422, "is not JSON"),
    ],
    ids=["digits", "brackets", "bytes", "cut"],
)
def test_a_body_that_cannot_be_read_is_told_why(client: TestClient, body: str | bytes, status: int, told: str) -> None:
    answer = client.post("/api/search", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == status
    assert told in answer.json()["error"]["message"]
    assert len(answer.text) < 500


def test_no_other_site_is_told_that_it_may_ask(client: TestClient) -> None:
    asked = {"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}
    for answer in (client.options("/api/search", headers=asked), client.get("/api/collections", headers=asked)):
        assert not [name for name in answer.headers if name.startswith("access-control")]


@pytest.fixture
def go_on(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """Let every search wait for an event: a fast machine would be done before anybody could be impatient."""
    event, search = threading.Event(), Service.search

    def held(service: Service, request: BatchRequest, **more: Any) -> BatchAnswer:
        assert event.wait(60)
        return search(service, request, **more)

    monkeypatch.setattr(Service, "search", held)
    yield event
    event.set()


def test_an_answer_that_takes_too_long_is_given_up(services: list[Service], go_on: threading.Event) -> None:
    slow = {"queries": ["maize beans"] * 32, "language": "sw", "collection": "news"}
    with served(services, timeout=0.02) as client:
        answer = client.post("/api/search/batch", json=slow)
        go_on.set()
    assert (answer.status_code, answer.json()["error"]["code"]) == (504, "timeout")


def test_an_answer_that_would_be_too_large_is_refused(services: list[Service]) -> None:
    with served(services, max_answer=400) as client:
        answer = client.post("/api/search", json=ASK)
        assert (answer.status_code, answer.json()["error"]["code"]) == (422, "too_much")
        assert client.post("/api/search", json=ASK | {"top_k": 1}).status_code == 200


def test_answers_are_written_by_the_worker_and_not_by_the_loop(
    services: list[Service], monkeypatch: pytest.MonkeyPatch
) -> None:
    threads, write = [], BaseModel.model_dump_json

    def written(model: BaseModel, **options: Any) -> str:
        threads.append(threading.current_thread().name)
        return write(model, **options)

    monkeypatch.setattr(BaseModel, "model_dump_json", written)
    with served(services) as client:
        found = client.post("/api/search", json=ASK).json()["results"]
        assert len(found) == 10
        batch = {key: value for key, value in ASK.items() if key != "query"} | {"queries": [ASK["query"]]}
        assert client.post("/api/search/batch", json=batch).json()["results"] == [found]
        assert client.post("/api/explain", json=ASK | {"doc_id": "d0"}).json()["query_words"]
        align = {"english": "bus", "translation": "basi", "language": "sw"}
        assert client.post("/api/align", json=align).json()["english_words"] == ["bus"]
    assert [name.partition("_")[0] for name in threads] == ["kivuko"] * 4


def test_more_than_the_queue_holds_is_told_when_to_come_back(services: list[Service], go_on: threading.Event) -> None:
    async def ask_all() -> list[httpx2.Response]:
        transport = httpx2.ASGITransport(create_app(services, ServeSettings(queue=1)))
        async with httpx2.AsyncClient(transport=transport, base_url=LOCAL) as client:
            waiting = {asyncio.create_task(client.post("/api/search", json=ASK)) for _ in range(8)}
            asked: list[httpx2.Response] = []
            while len(asked) < 6:  # two are held
                done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
                asked += [each.result() for each in done]
            go_on.set()
            asked += await asyncio.gather(*waiting)
            asked.append(await client.post("/api/search", json=ASK))
            return asked

    *together, after = asyncio.run(ask_all())
    assert [answer.status_code for answer in together].count(200) == 2
    refused = [answer for answer in together if answer.status_code == 429]
    assert len(refused) == 6
    assert all(int(answer.headers["retry-after"]) >= 1 for answer in refused)
    assert after.status_code == 200


LANGUAGES = """
Mto gani|ወንዝ|نهر|নদী|မြစ်|河流|řeka|flod|rivier|ilog|joki|fleuve|მდინარე|Fluss|ποταμός|નદી|kogi|נהר|नदी|folyó|sungai
|fiume|川|ನದಿ|өзен|ទន្លេ|강|çem|дарыя|ແມ່ນ້ຳ|upe|upė|река|renirano|നദി|wai|гол|ନଦୀ|ਨਦੀ|رود|rzeka|rio|râu|webi|río|ஆறு|నది|แม่น้ำ
|nehir|odò
"""
ODD = [
    *LANGUAGES.replace("\n", "").split("|"),
    "🌧️🚌👩🏾‍🌾" * 100, "\x00", "maize\x00beans", "\x00" * 1_000, "\u202etfel ot thgir", "a" * 1_000, "̈" * 1_000,
    "'; DROP TABLE documents; --", "<script>alert(1)</script>", "{{7*7}}", "../../etc/passwd", "%s%n", "\ufeff", "￿",
]  # fmt: skip


def test_odd_queries_are_answered_or_refused_politely(client: TestClient) -> None:
    assert len(LANGUAGES.split("|")) == 50
    for query in ODD:
        answer = client.post("/api/search", json=ASK | {"query": query})
        assert answer.status_code in {200, 422}, query
        answer = client.post("/api/explain", json=ASK | {"query": query, "doc_id": "d0"})
        assert answer.status_code in {200, 422}, query
        answer = client.post("/api/align", json={"english": query, "translation": query, "language": "sw"})
        assert answer.status_code in {200, 422}, query


@pytest.mark.parametrize("query", ["x" * 100_000, "🌧" * 25_000, "\x00" * 100_000])
def test_a_query_of_100_kb_is_refused(client: TestClient, query: str) -> None:
    answer = client.post("/api/search", json=ASK | {"query": query})
    assert answer.status_code in {413, 422}
    assert len(answer.content) < 1_000


def bad_request(random_: random.Random) -> tuple[str, str, bytes, dict[str, str]]:
    """Make a request that cannot be answered."""
    body = json.dumps(ASK).encode()
    junk = [
        b"", b"null", b"[]", b"{", b"\xff\xfe", body[: random_.randrange(len(body))], b"[" * 50_000,
        json.dumps(ASK | {"query": random_.choice(["", " ", 7, None, [], {}, "x" * 2_000, "\ud800"])}).encode(),
        json.dumps(ASK | {"top_k": random_.choice([-1, 0, 10**30, 1.5, "10", None, [1]])}).encode(),
        body.replace(b"}", b', "top_k": NaN}'),
        json.dumps(ASK | {random_.choice(["collection", "language"]): "../../" * random_.randrange(1, 99)}).encode(),
        json.dumps(ASK | {"doc_id": random_.choice(["", "\x00", "d" * 600, 0]), "extra": 1}).encode(),
    ]  # fmt: skip
    path = random_.choice(
        ["/api/search", "/api/search/batch", "/api/explain", "/api/align", "/api/nothing", "/static/../../app.py"]
    )
    content_type = random_.choice(["application/json", "application/json", "text/plain", "application/xml", ""])
    return (
        random_.choice(["POST", "POST", "POST", "PUT", "DELETE"]),
        path,
        random_.choice(junk),
        {"Content-Type": content_type},
    )


def test_a_thousand_bad_requests_change_nothing_and_leak_no_trace(
    client: TestClient, served_index: Path, tiny_encoder_dir: Path
) -> None:
    before = client.post("/api/search", json=ASK).json()["results"]
    files = {path: path.read_bytes() for path in served_index.iterdir()}
    random_ = random.Random(7)  # noqa: S311
    for _ in range(1_000):
        method, path, body, headers = bad_request(random_)
        answer = client.request(method, path, content=body, headers=headers)
        assert 400 <= answer.status_code < 500, (method, path, body[:100], answer.text)
        assert set(answer.json()) == {"error"}
        for secret in ("Traceback", ".py", str(served_index.parent), str(tiny_encoder_dir.parent)):
            assert secret not in answer.text
    assert client.post("/api/search", json=ASK).json()["results"] == before
    assert {path: path.read_bytes() for path in served_index.iterdir()} == files
