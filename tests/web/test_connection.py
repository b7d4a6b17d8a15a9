"""Callers that are slow, silent, too many, or speak no HTTP, over real sockets.

A machine may be so busy that seconds pass between any two lines. So what has to come in time is sent before the server
begins to listen, and what has to come after something else waits until that has happened.
"""

import asyncio
import json
import logging
import socket
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from select import select
from threading import Event, Semaphore
from time import sleep
from typing import Any, NamedTuple

import pytest
from fastapi import FastAPI

from kivuko.web import connection
from kivuko.web.app import create_app
from kivuko.web.connection import Connection
from kivuko.web.schemas import BatchAnswer, BatchRequest
from kivuko.web.server import address_of, bind
from kivuko.web.service import Service
from kivuko.web.settings import ServeSettings

Serve = Callable[..., AbstractContextManager[str]]
Begin = Callable[..., AbstractContextManager[socket.socket]]
BODY = json.dumps({"query": "maize", "language": "sw", "collection": "news"}).encode()
HEAD = b"POST /api/search HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
SEARCH = HEAD % len(BODY) + BODY
HEALTH = b"GET /api/health HTTP/1.1\r\nHost: localhost\r\n\r\n"
LIST = b"GET /api/collections HTTP/1.1\r\nHost: localhost\r\n\r\n"
METRICS = b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n"
LONG = 60  # seconds that nothing here takes, on any machine


class Hurried(Connection):
    head_seconds = 0.2
    reading_seconds = 0.2


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def code(self) -> str:
        return str(json.loads(self.body)["error"]["code"])


def call(address: str) -> socket.socket:
    host, _, port = address.removeprefix("http://").partition(":")
    return socket.create_connection((host, int(port)), timeout=LONG)


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
        part = caller.recv(65_536)
        assert part, body
        body += part
    return Answer(int(first.split()[1]), headers, body)


def is_closed(caller: socket.socket) -> bool:
    try:
        return caller.recv(1) == b""
    except ConnectionResetError:
        return True


def dribble(caller: socket.socket) -> None:
    """Send one byte after the other, until the other side has had enough; it has a thousand times its patience."""
    with suppress(OSError):
        for _ in range(4_000):
            if select([caller], [], [], 0.05)[0]:
                return
            caller.sendall(b"x")


@pytest.fixture
def begin(serve: Serve, services: list[Service]) -> Begin:
    """Call a hurried server that hears the first words at once, however late it begins to listen."""

    @contextmanager
    def begun(words: bytes, app: FastAPI | None = None) -> Iterator[socket.socket]:
        listener = bind("127.0.0.1", 0)
        listener.listen()
        with call(address_of(listener)) as caller:
            caller.sendall(words)
            with serve(app or create_app(services), Hurried, listener):
                yield caller

    return begun


@pytest.mark.parametrize("before", [b"", SEARCH], ids=["first", "second"])
def test_a_head_that_does_not_end_is_given_up(begin: Begin, before: bytes) -> None:
    head = b"GET /api/health HTTP/1.1\r\nX-Slow: "
    with begin(before or head) as caller:
        if before:
            assert read(caller).status == 200
            caller.sendall(head)
        dribble(caller)
        answer = read(caller)
        assert (answer.status, answer.code) == (408, "slow")
        assert answer.headers["connection"] == "close"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert is_closed(caller)


def test_a_connection_without_a_word_is_closed_without_one(begin: Begin) -> None:
    with begin(b"") as caller:
        assert is_closed(caller)


def test_a_head_in_parts_is_waited_for(serve: Serve, services: list[Service]) -> None:
    class Patient(Connection):
        head_seconds = LONG

    with serve(create_app(services), Patient) as address, call(address) as caller:
        for part in (SEARCH[:20], SEARCH[20:40], SEARCH[40:]):
            caller.sendall(part)
            sleep(0.05)
        assert read(caller).status == 200


def test_a_body_may_take_longer_than_a_head(begin: Begin) -> None:
    with begin(SEARCH[:-20]) as caller:
        sleep(4 * Hurried.head_seconds)
        caller.sendall(SEARCH[-20:])
        assert read(caller).status == 200


def test_between_requests_a_connection_may_rest(begin: Begin) -> None:
    with begin(HEALTH) as caller:
        assert read(caller).status == 200
        for _ in range(2):
            sleep(4 * Hurried.head_seconds)
            caller.sendall(HEALTH)
            assert read(caller).status == 200


def test_a_head_has_no_body_and_leaves_the_connection_as_it_is(begin: Begin) -> None:
    three = (b"HEAD / HTTP/1.1\r\nHost: localhost\r\n\r\n" + HEALTH.replace(b"GET", b"HEAD")) + HEALTH
    with begin(three) as caller:
        said = b""
        while b'"ready"' not in said:
            part = caller.recv(65_536)
            assert part, said
            said += part
    assert said.count(b"HTTP/1.1 200 OK") == 3
    assert b"<html" not in said
    assert said.count(b'"ready"') == 1


def test_what_follows_a_refusal_is_not_waited_for(begin: Begin, services: list[Service]) -> None:
    with begin(HEAD % 100_000, create_app(services, ServeSettings(api_key="k" * 24))) as caller:
        assert read(caller).status == 401
        dribble(caller)
        assert is_closed(caller)


LARGE = 60_000_000


def test_a_caller_that_does_not_read_is_given_up(begin: Begin) -> None:
    gone = Event()

    async def large(scope: Any, receive: Any, send: Any) -> None:
        assert scope["type"] == "http"
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % LARGE)]})
        for _ in range(60):
            await send({"type": "http.response.body", "body": b"x" * (LARGE // 60), "more_body": True})
        await send({"type": "http.response.body"})
        assert (await receive())["type"] == "http.disconnect"
        gone.set()

    with begin(HEALTH, large):
        assert gone.wait(LONG)


class Clock:
    """The event loop of a connection, for which time passes only when a test says so."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop

    def __getattr__(self, name: str) -> Any:
        return getattr(self.loop, name)

    def call_later(self, seconds: float, call: Callable[..., None], *told: Any) -> asyncio.TimerHandle:
        self.last = call, told
        return self.loop.call_later(3_600, call, *told)

    def turn(self) -> None:
        """Let the time be over that was set last."""
        (call, told), over = self.last, Event()
        self.loop.call_soon_threadsafe(call, *told)
        self.loop.call_soon_threadsafe(over.set)
        assert over.wait(LONG)


def test_a_caller_that_reads_slowly_gets_everything(serve: Serve) -> None:
    made: list[Connection] = []
    sent = Event()

    class Timed(Connection):
        def __init__(self, **told: Any) -> None:
            super().__init__(**told)
            self.loop: Any = Clock(self.loop)
            made.append(self)

    async def large(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % LARGE)]})
        await send({"type": "http.response.body", "body": b"x" * LARGE})
        sent.set()

    def unread() -> int:
        return int(made[0].transport.get_write_buffer_size())

    with serve(large, Timed) as address, call(address) as caller:
        caller.sendall(HEALTH)
        assert sent.wait(LONG)
        size = 0
        for _ in range(4):
            before = unread()
            while unread() == before:
                part = caller.recv(1_000_000)
                assert part
                size += len(part)
            made[0].loop.turn()  # type: ignore[attr-defined]
        assert unread()
        while size < LARGE:
            part = caller.recv(4_000_000)
            assert part
            size += len(part)


def test_beyond_the_limit_callers_are_told_when_to_come_back(
    serve: Serve, services: list[Service], monkeypatch: pytest.MonkeyPatch
) -> None:
    lost = Semaphore(0)

    class Narrow(Connection):
        limit = 2
        head_seconds = LONG

        def connection_lost(self, exc: Exception | None) -> None:
            super().connection_lost(exc)
            lost.release()

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
        fifth, sixth = (callers.enter_context(call(address)) for _ in range(2))
        assert is_closed(sixth)  # one too many even to be told
        for caller in (first, fourth, fifth):
            caller.close()
        for _ in range(5):  # all but the second
            assert lost.acquire(timeout=LONG)
        second.sendall(METRICS)
        answer = read(second)
        assert answer.status == 200
        assert b'kivuko_rejected_total{reason="connections"} 1.0' in answer.body


@pytest.mark.parametrize(
    "words",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"maize\r\n\r\n", b"GET /\r\n\r\n", b"\r\n" * 4 + b"\0",
        b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", b"GET / HTTP/9\r\n\r\n", b"GET /\x80 HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nX: " + b"x" * 20_000, b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nmaize\r\n",
    ],
)  # fmt: skip
def test_what_is_no_request_is_told_so_in_the_shape_of_every_error(begin: Begin, words: bytes) -> None:
    with begin(words) as caller:
        answer = read(caller)
        assert (answer.status, answer.code) == (400, "no_request")
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert b"h11" not in answer.body


def test_nonsense_after_a_refusal_fails_nowhere(
    serve: Serve, services: list[Service], caplog: pytest.LogCaptureFixture
) -> None:
    chunked = b"POST /api/search HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
    with caplog.at_level(logging.ERROR), serve(create_app(services, ServeSettings(api_key="k" * 24))) as address:
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
    begun, go_on = Event(), Event()

    def slow(service: Service, request: BatchRequest, **more: Any) -> BatchAnswer:
        asked.append(request)
        begun.set()
        assert go_on.wait(LONG)
        return search(service, request, **more)

    def wait_for(requests: int) -> None:
        with call(address) as watcher:
            in_flight = b"kivuko_requests_in_flight %d.0" % (requests + 1)  # that of the watcher, too
            while True:
                watcher.sendall(METRICS)
                if in_flight in read(watcher).body:
                    return
                sleep(0.01)

    monkeypatch.setattr(Service, "search", slow)
    with serve(create_app(services, ServeSettings(queue=8, timeout=LONG))) as address:
        callers = [call(address) for _ in range(9)]
        for caller in callers:
            caller.sendall(SEARCH)
        assert begun.wait(LONG)
        wait_for(9)
        sleep(0.2)
        with call(address) as refused:
            refused.sendall(SEARCH)
            answer = read(refused)
            assert (answer.status, answer.code) == (429, "busy")
            assert 1 < int(answer.headers["retry-after"]) <= 60  # nine times what the first has taken so far
        for caller in callers:
            caller.close()
        wait_for(0)
        go_on.set()
        with call(address) as caller:
            caller.sendall(SEARCH)
            assert read(caller).status == 200
    assert len(asked) == 2
