"""Callers that are slow, silent, too many, or speak no HTTP, over real sockets."""

import json
import logging
import socket
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from time import monotonic, sleep
from typing import Any, NamedTuple

import pytest

from kivuko.web import connection
from kivuko.web.app import create_app
from kivuko.web.connection import Connection
from kivuko.web.schemas import BatchAnswer, BatchRequest
from kivuko.web.service import Service
from kivuko.web.settings import ServeSettings

Serve = Callable[..., AbstractContextManager[str]]
BODY = json.dumps({"query": "maize", "language": "sw", "collection": "news"}).encode()
HEAD = b"POST /api/search HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
SEARCH = HEAD % len(BODY) + BODY
HEALTH = b"GET /api/health HTTP/1.1\r\nHost: localhost\r\n\r\n"
LIST = b"GET /api/collections HTTP/1.1\r\nHost: localhost\r\n\r\n"


class Hurried(Connection):
    head_seconds = 0.4
    reading_seconds = 0.4


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def code(self) -> str:
        return str(json.loads(self.body)["error"]["code"])


def call(address: str) -> socket.socket:
    host, _, port = address.removeprefix("http://").partition(":")
    return socket.create_connection((host, int(port)), timeout=10)


def read(caller: socket.socket) -> Answer:
    """Read one answer, and leave the connection as it is."""
    content = b""
    while b"\r\n\r\n" not in content:
        part = caller.recv(65_536)
        assert part, content
        content += part
    head, _, body = content.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    while len(body) < int(headers["content-length"]):
        body += caller.recv(65_536)
    return Answer(int(first.split()[1]), headers, body)


def is_closed(caller: socket.socket) -> bool:
    try:
        return caller.recv(1) == b""
    except ConnectionResetError:
        return True


def dribble(caller: socket.socket, content: bytes) -> None:
    """Send one byte after the other, until the other side has had enough."""
    try:
        for place in range(len(content)):
            caller.sendall(content[place : place + 1])
            sleep(0.05)
    except OSError:
        pass


@pytest.fixture
def hurried(serve: Serve, services: list[Service]) -> Any:
    with serve(create_app(services), Hurried) as address:
        yield address


@pytest.mark.parametrize("before", [b"", SEARCH], ids=["first", "second"])
def test_a_head_that_does_not_end_is_given_up(hurried: str, before: bytes) -> None:
    with call(hurried) as caller:
        if before:
            caller.sendall(before)
            assert read(caller).status == 200
        start = monotonic()
        dribble(caller, b"GET /api/health HTTP/1.1\r\nX-Slow: " + b"x" * 20)
        answer = read(caller)
        assert monotonic() - start < 5
        assert (answer.status, answer.code) == (408, "slow")
        assert answer.headers["connection"] == "close"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert is_closed(caller)


def test_a_connection_without_a_word_is_closed_without_one(hurried: str) -> None:
    with call(hurried) as caller:
        assert is_closed(caller)


def test_a_head_in_parts_and_a_slow_body_are_waited_for(hurried: str) -> None:
    with call(hurried) as caller:
        for part in (SEARCH[:20], SEARCH[20:40], SEARCH[40:-20]):
            caller.sendall(part)
            sleep(0.05)
        sleep(1)  # longer than for a head
        caller.sendall(SEARCH[-20:])
        assert read(caller).status == 200


def test_between_requests_a_connection_may_rest(hurried: str) -> None:
    with call(hurried) as caller:
        for _ in range(2):
            caller.sendall(HEALTH)
            assert read(caller).status == 200
            sleep(0.8)


def test_a_head_has_no_body_and_leaves_the_connection_as_it_is(hurried: str) -> None:
    with call(hurried) as caller:
        caller.sendall((b"HEAD / HTTP/1.1\r\nHost: localhost\r\n\r\n" + HEALTH.replace(b"GET", b"HEAD")) + HEALTH)
        said = b""
        while b'"ready"' not in said:
            part = caller.recv(65_536)
            assert part, said
            said += part
    assert said.count(b"HTTP/1.1 200 OK") == 3
    assert b"<html" not in said
    assert said.count(b'"ready"') == 1


def test_what_follows_a_refusal_is_not_waited_for(serve: Serve, services: list[Service]) -> None:
    with serve(create_app(services, ServeSettings(api_key="k" * 24)), Hurried) as address, call(address) as caller:
        caller.sendall(HEAD % 100_000)
        assert read(caller).status == 401
        start = monotonic()
        dribble(caller, b"x" * 60)
        assert is_closed(caller)
        assert monotonic() - start < 5


def test_a_caller_that_does_not_read_is_given_up(serve: Serve) -> None:
    gone = []

    async def large(scope: Any, receive: Any, send: Any) -> None:
        assert scope["type"] == "http"
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"60000000")]})
        for _ in range(60):
            await send({"type": "http.response.body", "body": b"x" * 1_000_000, "more_body": True})
        await send({"type": "http.response.body"})
        assert (await receive())["type"] == "http.disconnect"
        gone.append(True)

    with serve(large, Hurried) as address:
        with call(address) as caller:
            caller.sendall(HEALTH)
            for _ in range(100):
                if gone:
                    break
                sleep(0.05)
            assert gone
        with call(address) as caller:  # one that reads, though slowly, gets everything
            caller.sendall(HEALTH)
            size = 0
            while size < 60_000_000:
                part = caller.recv(4_000_000)
                assert part
                size += len(part)
                sleep(0.02)


def test_beyond_the_limit_callers_are_told_when_to_come_back(
    serve: Serve, services: list[Service], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Narrow(Connection):
        limit = 2

    monkeypatch.setattr(connection, "SPARE", 2)
    with serve(create_app(services), Narrow) as address, ExitStack() as callers:
        first, second, third, fourth = (callers.enter_context(call(address)) for _ in range(4))
        third.sendall(LIST)
        answer = read(third)
        assert (answer.status, answer.code) == (503, "crowded")
        assert int(answer.headers["retry-after"]) >= 1
        assert answer.headers["content-type"] == "application/json"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["x-request-id"]
        assert is_closed(third)
        fourth.sendall(HEALTH)  # what a supervisor asks; it would start the service anew
        assert read(fourth).status == 200
        more = [callers.enter_context(call(address)) for _ in range(2)]
        more[0].close()
        assert is_closed(more[1])  # one too many even to be told
        for caller in (first, fourth):
            caller.close()
        sleep(0.1)
        second.sendall(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n")
        answer = read(second)
        assert answer.status == 200
        assert b'kivuko_rejected_total{reason="connections"} 1.0' in answer.body


@pytest.mark.parametrize(
    "words",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"maize\r\n\r\n", b"GET /\r\n\r\n", b"\r\n" * 4 + b"\0",
        b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", b"GET / HTTP/9\r\n\r\n", b"GET /\x80 HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nX: " + b"x" * 70_000, b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nmaize\r\n",
    ],
)  # fmt: skip
def test_what_is_no_request_is_told_so_in_the_shape_of_every_error(hurried: str, words: bytes) -> None:
    with call(hurried) as caller:
        caller.sendall(words)
        answer = read(caller)
        assert (answer.status, answer.code) == (400, "no_request")
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert b"h11" not in answer.body


def test_nonsense_after_a_refusal_fails_nowhere(
    serve: Serve, services: list[Service], caplog: pytest.LogCaptureFixture
) -> None:
    chunked = b"POST /api/search HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
    with (
        caplog.at_level(logging.ERROR),
        serve(create_app(services, ServeSettings(api_key="k" * 24)), Hurried) as address,
    ):
        with call(address) as caller:
            caller.sendall(chunked)
            assert read(caller).status == 401
            caller.sendall(b"maize\r\n")
            assert is_closed(caller)
        with call(address) as caller:
            caller.sendall(HEALTH)
            assert read(caller).status == 200
    assert not caplog.records


def test_callers_that_hang_up_leave_the_queue(
    serve: Serve, services: list[Service], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, search = [], Service.search

    def slow(service: Service, request: BatchRequest, **more: Any) -> BatchAnswer:
        asked.append(request)
        sleep(0.5)
        return search(service, request, **more)

    monkeypatch.setattr(Service, "search", slow)
    with serve(create_app(services, ServeSettings(queue=8))) as address:
        callers = [call(address) for _ in range(9)]
        for caller in callers:
            caller.sendall(SEARCH)
        sleep(0.2)
        with call(address) as refused:
            refused.sendall(SEARCH)
            answer = read(refused)
            assert (answer.status, answer.code) == (429, "busy")
            assert 1 < int(answer.headers["retry-after"]) < 9
        for caller in callers:
            caller.close()
        sleep(0.1)
        with call(address) as caller:
            start = monotonic()
            caller.sendall(SEARCH)
            assert read(caller).status == 200
            assert monotonic() - start < 2
    assert len(asked) == 2
