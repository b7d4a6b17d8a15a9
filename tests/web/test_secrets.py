"""What must not get out does not: keys, traces, whereabouts; and what comes in cannot forge what the log says."""

import json
import logging
import random
import re
import socket
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from sentence_transformers import MultiVectorEncoder
from starlette.testclient import TestClient

from kivuko.data.collections import Document
from kivuko.models.encoder import model_identity
from kivuko.search.flat import create_store
from kivuko.search.store import ingest
from kivuko.web.app import create_app
from kivuko.web.connection import Connection
from kivuko.web.log import logging_to_stderr
from kivuko.web.service import Service, load_services
from kivuko.web.settings import ServeSettings

Serve = Callable[..., AbstractContextManager[str]]
KEY = "a-key-that-nobody-may-see"
ASK = {"query": "maize", "language": "sw", "collection": "news"}
LOCAL = "http://127.0.0.1:8000"
FORGED = '\n{"event": "request", "forged": true}\r\n\x1b[31m\u2028'


class Hurried(Connection):
    head_seconds = 0.5


def call(address: str, content: bytes) -> socket.socket:
    host, _, port = address.removeprefix("http://").partition(":")
    caller = socket.create_connection((host, int(port)), timeout=30)
    caller.sendall(content)
    return caller


def heard(caller: socket.socket) -> bytes:
    """Read one answer, or nothing if the connection ends without one."""
    answer = b""
    with caller:
        try:
            while part := caller.recv(65_536):
                answer += part
                head, blank, body = answer.partition(b"\r\n\r\n")
                length = re.search(rb"\r\ncontent-length: (\d+)", head, re.IGNORECASE)
                if blank and length and len(body) >= int(length[1]):
                    break
        except ConnectionResetError:
            pass
    return answer


def say(address: str, content: bytes) -> bytes:
    return heard(call(address, content))


def test_the_log_never_has_the_key_and_cannot_be_forged(
    serve: Serve, services: list[Service], capsys: pytest.CaptureFixture[str]
) -> None:
    app = create_app(services, ServeSettings(api_key=KEY, log_queries=True))
    body = json.dumps(ASK | {"query": f"maize {FORGED}"}).encode()
    head = b"POST /api/search HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nConnection: close\r\n"
    length = b"Content-Length: %d\r\n\r\n" % len(body)
    with logging_to_stderr(), serve(app) as address:
        right = say(address, head + f"X-API-Key: {KEY}\r\nX-Request-Id: forged-id\r\n".encode() + length + body)
        wrong = say(address, head + f"Authorization: Bearer {KEY}x\r\n".encode() + length + body)
        say(address, f"GET /api/{KEY}?key={KEY}%0A%0Dforged HTTP/1.1\r\nHost: a\r\n\r\n".encode())
        say(address, b"GET / HTTP/1.1\r\nHost: a\r\nX-Request-Id: a\nforged: true\r\n\r\n")
        say(address, f"{KEY}\r\n\r\n".encode())
    assert right.startswith(b"HTTP/1.1 200")
    assert wrong.startswith(b"HTTP/1.1 401")
    assert b"forged-id" not in right
    assert KEY.encode() not in right + wrong
    written = capsys.readouterr().err
    lines = [json.loads(line) for line in written.splitlines()]  # every line is an object of its own
    assert written.isascii()
    assert "\x1b" not in written
    assert KEY not in written
    assert not [line for line in lines if "forged" in line or line.get("request_id") == "forged-id"]
    assert [line["asked"]["query"] for line in lines if "asked" in line] == [f"maize {FORGED}"]


def test_a_failure_is_told_by_its_id_and_traced_in_the_log_alone(
    tiny_encoder: MultiVectorEncoder, tiny_encoder_dir: Path, documents: list[Document], tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    place = tmp_path / "store"
    store = create_store(place, dim=32, model_name="runs/tiny", model_digest=model_identity(tiny_encoder_dir))
    ingest(store, tiny_encoder, documents)
    services = load_services({"news": str(place)}, {"sw": str(tiny_encoder_dir)})
    for file in place.glob("*/passages.jsonl"):
        with file.open("r+b") as opened:  # what is mapped already sees it
            opened.write(b"x" * file.stat().st_size)
    with (
        TestClient(create_app(services), base_url=LOCAL, raise_server_exceptions=False) as client,
        caplog.at_level(logging.ERROR, "kivuko.web"),
    ):
        answer = client.post("/api/search", json=ASK)
    assert (answer.status_code, answer.json()["error"]["code"]) == (500, "failed")
    assert answer.headers["x-request-id"] in answer.json()["error"]["message"]
    assert answer.headers["x-content-type-options"] == "nosniff"
    for secret in ("Traceback", ".py", str(tmp_path), "damaged"):
        assert secret not in answer.text
    [record] = caplog.records
    assert record.fields["request_id"] == answer.headers["x-request-id"]  # type: ignore[attr-defined]
    assert record.exc_info
    assert "damaged" in str(record.exc_info[1])


def mangled(chance: random.Random) -> bytes:
    """Make a request that is not one any longer, or of a path or body that are none."""
    body = json.dumps(ASK).encode()
    path = chance.choice(
        ["/api/search", "/api/align", "/api/../../etc/passwd", "/static/%2e%2e/app.py", "/%00", "//", "*"]
    )
    method = chance.choice(["POST", "PUT", "TRACE", "BREW", "post", "GET /", ""])
    request = (
        f"{method} {path} HTTP/1.{chance.choice('019')}\r\nHost: a\r\nContent-Type: application/json\r\n"
        f"Content-Length: {chance.choice([len(body), 5, -1, '1e3', 2**70])}\r\n\r\n"
    ).encode() + body
    content = bytearray(request)
    for _ in range(chance.randrange(1, 12)):
        content[chance.randrange(len(content))] = chance.randrange(256)
    return bytes(content[: chance.randrange(1, len(content) + 1)])


@pytest.mark.slow
def test_a_thousand_mangled_requests_leak_nothing_and_leave_the_service_as_it_was(
    serve: Serve, services: list[Service], served_index: Path, caplog: pytest.LogCaptureFixture
) -> None:
    chance = random.Random(7)  # noqa: S311 - not a secret
    statuses: dict[int, int] = {}
    right = json.dumps(ASK).encode()
    head = b"POST /api/search HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nConnection: close\r\n"
    whole = head + b"Content-Length: %d\r\n\r\n" % len(right) + right
    with (
        caplog.at_level(logging.ERROR),
        serve(create_app(services, ServeSettings(timeout=1)), Hurried) as address,
    ):
        before = say(address, whole).partition(b"\r\n\r\n")[2]
        for _ in range(20):
            for caller in [call(address, mangled(chance)) for _ in range(50)]:
                answer = heard(caller)
                for secret in (b"Traceback", b".py", b"h11", b"uvicorn", str(served_index.parent).encode()):
                    assert secret not in answer
                status = int(answer.split()[1]) if answer else 0
                statuses[status] = statuses.get(status, 0) + 1
                if status >= 400:
                    assert set(json.loads(answer.partition(b"\r\n\r\n")[2])) == {"error"}
        after = say(address, whole).partition(b"\r\n\r\n")[2]
    assert json.loads(after)["results"] == json.loads(before)["results"]
    assert sum(statuses.values()) == 1_000
    assert statuses[400] > 300
    assert 500 not in statuses
    assert not caplog.records


@pytest.mark.parametrize("path", ["/api/health/", "/api/search/", "/metrics/", "/static"])
def test_nobody_is_sent_to_a_host_that_a_request_named(client: TestClient, path: str) -> None:
    answer = client.get(path, headers={"Host": "evil.example"}, follow_redirects=False)
    assert answer.status_code in {404, 405}
    assert "location" not in answer.headers
    assert "evil.example" not in answer.text


def test_files_of_the_page_are_asked_for_anew_and_answers_are_never_kept(client: TestClient) -> None:
    for path in ("/", "/static/app.js"):
        assert client.get(path).headers["cache-control"] == "no-cache"
        assert client.get(path).headers["etag"]
    for path in ("/api/collections", "/metrics", "/api/nothing"):
        assert client.get(path).headers["cache-control"] == "no-store"
