"""What every request passes first: who asks, how much, how long; and what every answer says to browsers."""

import asyncio
import hmac
import time
import uuid
from collections.abc import MutableMapping
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from kivuko.web.log import log
from kivuko.web.metrics import Metrics
from kivuko.web.openapi import OPEN
from kivuko.web.problems import Problem
from kivuko.web.schemas import MAX_BODY
from kivuko.web.settings import ServeSettings

_GUARDED = ("/api/", "/metrics")
_CROWDED_SECONDS = 5

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "font-src 'self'; connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


class Guard:
    """Refuses what must not come in, and counts and logs what does.

    Args:
        app: What is guarded.
        settings: What to hold requests to.
        metrics: Where they are counted.
    """

    def __init__(self, app: ASGIApp, *, settings: ServeSettings, metrics: Metrics) -> None:
        self.app = app
        self.settings = settings
        self.metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] == "http":
            await _Exchange(self, scope, receive, send).answer()
        elif scope["type"] == "lifespan":
            await self.app(scope, receive, send)
        else:
            await send({"type": "websocket.close", "code": 1008})


class _Exchange:
    """One request and its answer."""

    def __init__(self, guard: Guard, scope: Scope, receive: Receive, send: Send) -> None:
        self.guard, self.receive, self._send = guard, receive, send
        self.method = scope["method"]
        # Every GET has its HEAD: the same answer without its body.
        self.scope = {**scope, "method": "GET"} if self.method == "HEAD" else scope
        self.headers = Headers(scope=scope)
        self.request_id = new_request_id()
        self.status: int | None = None

    async def answer(self) -> None:
        start = time.perf_counter()
        with self.guard.metrics.in_flight.track_inprogress():
            try:
                self._admit()
                await self.guard.app(self.scope, await self._body(), self.send)
            except Problem as problem:
                await problem.response()(self.scope, self.receive, self.send)
            except Exception:  # noqa: BLE001 - a caller is told that it failed, the log why
                log("failed", failed=True, request_id=self.request_id)
                if self.status is None:
                    await _failure(self.request_id).response()(self.scope, self.receive, self.send)
        self._record(time.perf_counter() - start)

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = int(message["status"])
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers[name] = value
            headers["X-Request-Id"] = self.request_id
            # The page's files belong together: none may be an older one from a cache.
            headers["Cache-Control"] = "no-store" if self.scope["path"].startswith(_GUARDED) else "no-cache"
            if headers.get("allow") == "GET":
                headers["Allow"] = "GET, HEAD"
        elif self.method == "HEAD" and message["type"] == "http.response.body":
            message = {**message, "body": b""}
        await self._send(message)

    def _admit(self) -> None:
        settings, path = self.guard.settings, self.scope["path"]
        if self.scope.get("state", {}).get("crowded") and path != OPEN:
            raise Problem(
                503,
                "crowded",
                "The service has too many connections open: come back later.",
                headers={"Retry-After": str(_CROWDED_SECONDS), "Connection": "close"},
            )
        if settings.allowed_hosts and _hostname(self.headers.get("host", "")) not in settings.allowed_hosts:
            raise Problem(
                421, "wrong_host", f"Expected a request to one of these hosts: {', '.join(settings.allowed_hosts)}."
            )
        if settings.api_key is not None and path.startswith(_GUARDED) and path != OPEN:
            scheme, _, bearer = self.headers.get("authorization", "").partition(" ")
            given = bearer.strip() if scheme.lower() == "bearer" else self.headers.get("x-api-key", "")
            if not hmac.compare_digest(given.encode("latin-1"), settings.api_key.encode()):
                raise Problem(
                    401,
                    "no_key",
                    "Expected the API key of this service in the header Authorization: Bearer KEY, or X-API-Key: KEY.",
                    headers={"WWW-Authenticate": "Bearer"},
                )
        length = self.headers.get("content-length", "0")
        if not (length.isdecimal() and len(length) < 12 and int(length) <= MAX_BODY):
            raise _too_large()

    async def _body(self) -> Receive:
        """Read the body, as far as it is allowed to be long, and return what hands it on."""
        parts: list[bytes] = []
        size, more = 0, True
        try:
            async with asyncio.timeout(self.guard.settings.timeout):
                while more:
                    message = await self.receive()
                    if message["type"] == "http.disconnect":
                        raise Problem(400, "gone", "The caller went away before the body was complete.")
                    parts.append(message.get("body", b""))
                    size += len(parts[-1])
                    more = message.get("more_body", False)
                    if size > MAX_BODY:
                        raise _too_large()
        except TimeoutError:
            raise Problem(
                408, "slow", f"The body did not come within {self.guard.settings.timeout:g} seconds."
            ) from None
        first: list[Message] = [{"type": "http.request", "body": b"".join(parts), "more_body": False}]

        async def receive() -> Message:
            return first.pop() if first else await self.receive()

        return receive

    def _record(self, seconds: float) -> None:
        route = getattr(self.scope.get("route"), "path", None)
        if route is None:
            route = "/static" if self.scope["path"].startswith("/static/") else "other"
        status = self.status or 500
        self.guard.metrics.record(route, status, seconds)
        asked: MutableMapping[str, Any] = self.scope.get("state", {})
        log(
            "request",
            request_id=self.request_id,
            method=self.method,
            route=route,
            status=status,
            milliseconds=round(1_000 * seconds, 1),
            **({"asked": asked["asked"]} if "asked" in asked else {}),
        )


def new_request_id() -> str:
    """Make an id for an answer and its line in the log; what a caller calls its request is never looked at."""
    return uuid.uuid4().hex[:16]


def _too_large() -> Problem:
    return Problem(413, "too_large", f"Expected a body of at most {MAX_BODY:,} bytes.", headers={"Connection": "close"})


def _failure(request_id: str) -> Problem:
    return Problem(500, "failed", f"The service failed; its log says why, under the request id {request_id}.")


def _hostname(host: str) -> str:
    """Return a Host header without its port.

    Example:
        >>> _hostname("localhost:8000"), _hostname("[::1]:8000"), _hostname("127.0.0.1")
        ('localhost', '[::1]', '127.0.0.1')
    """
    return host[: host.find("]") + 1] if host.startswith("[") else host.partition(":")[0].lower()
