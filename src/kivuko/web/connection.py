"""A connection: how long its caller may take, and what is answered to what is no request at all."""

import asyncio
from http import HTTPStatus
from typing import Any

import h11
from uvicorn.config import Config
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

from kivuko.web.guard import HEADERS, new_request_id
from kivuko.web.log import log
from kivuko.web.problems import Problem

SPARE = 100  # connections beyond the limit that are told so; more of them are closed without a word

_UNANSWERED = (h11.IDLE, h11.SEND_RESPONSE)


class Connection(H11Protocol):
    """HTTP/1.1 by uvicorn, which by itself waits without end for the head of a request, and for a caller to read.

    Attributes:
        limit: Connections that are served at once; the app sees in `scope["state"]["crowded"]` that there are more.
        head_seconds: Until the head of a request has come, from its first byte, or from the start of a connection; and
            what may still come of a body after it was refused.
        reading_seconds: For how long a caller may read nothing of its answer.
    """

    limit = 1_000
    head_seconds = 10.0
    reading_seconds = 30.0

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        served = self.app

        async def app(scope: Any, receive: Any, send: Any) -> None:
            scope["state"]["crowded"] = len(self.connections) > self.limit
            await served(scope, receive, send)

        self.app = app
        self._coming: asyncio.TimerHandle | None = None
        self._going: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for a request."""
        super().connection_made(transport)
        if len(self.connections) > self.limit + SPARE:
            transport.abort()
        else:
            self._coming = self.loop.call_later(self.head_seconds, self._too_slow)

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no longer."""
        super().connection_lost(exc)
        for timer in (self._coming, self._going):
            if timer is not None:
                timer.cancel()

    def data_received(self, data: bytes) -> None:
        """Take what came, and count the time while it is not yet a request, or no longer part of one."""
        super().data_received(data)
        if self._is_answering():
            if self._coming is not None:
                self._coming.cancel()
            self._coming = None
        elif self._coming is None and not self.transport.is_closing():
            self._coming = self.loop.call_later(self.head_seconds, self._too_slow)

    def pause_writing(self) -> None:
        """Watch whether the caller reads."""
        super().pause_writing()
        self._watch_reader()

    def on_response_complete(self) -> None:
        """Watch whether the caller reads to the end."""
        super().on_response_complete()
        self._watch_reader()

    def send_400_response(self, msg: str) -> None:
        """Refuse what is no request."""
        self._refuse(Problem(400, "no_request", "Expected a request in HTTP/1.1, with a head of at most 16 KiB."))

    def _is_answering(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _too_slow(self) -> None:
        self._coming = None
        if self._is_answering() or self.transport.is_closing():
            return
        if self.conn.trailing_data[0]:
            self._refuse(
                Problem(408, "slow", f"The head of the request did not come within {self.head_seconds:g} seconds.")
            )
        else:
            self.transport.close()

    def _refuse(self, problem: Problem) -> None:
        if self.conn.our_state not in _UNANSWERED:
            self.transport.abort()
            return
        request_id = new_request_id()
        response = problem.response()
        own = {"X-Request-Id": request_id, "Cache-Control": "no-store", "Connection": "close"}
        response.headers.update(HEADERS | own)
        reason = HTTPStatus(problem.status).phrase.encode()
        for event in (
            h11.Response(status_code=problem.status, headers=response.raw_headers, reason=reason),
            h11.Data(data=bytes(response.body)),
            h11.EndOfMessage(),
        ):
            self.transport.write(self.conn.send(event) or b"")
        self.transport.close()
        log("request", request_id=request_id, method=None, route="none", status=problem.status)
        self._watch_reader()

    def _watch_reader(self, unread: int = 0) -> None:
        if self._going is not None:
            self._going.cancel()
        still = self.transport.get_write_buffer_size()
        if still and still == unread:
            self.transport.abort()
        elif still:
            self._going = self.loop.call_later(self.reading_seconds, self._watch_reader, still)
