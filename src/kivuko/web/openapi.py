"""What the OpenAPI document says beside the models: refusals, their headers, and the API key."""

from collections.abc import Mapping
from typing import Any

from kivuko.web.schemas import ErrorAnswer
from kivuko.web.settings import ServeSettings

OPEN = "/api/health"  # what a supervisor asks: without a key, and however many connections there are

_REFUSED: dict[int, str] = {
    400: "The body is not JSON in UTF-8, or did not come to its end.",
    401: "The API key is missing or wrong.",
    404: "No such collection or language.",
    408: "The body came too slowly.",
    413: "The body is too large.",
    421: "The Host header names another host.",
    422: "The request is not as the schema says, has no word to work with, or asks for too much in one answer.",
    429: "Too many requests wait: come back after the seconds in Retry-After.",
    500: "The service failed.",
    503: "Too many connections are open: come back after the seconds in Retry-After.",
    504: "There was no answer in time.",
}
_ANY = (408, 413, 500)
_WORK = (400, 404, 422, 429, 504)

_SCHEMES: dict[str, dict[str, str]] = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "The API key, as `Authorization: Bearer KEY`."},
    "key": {"type": "apiKey", "in": "header", "name": "X-API-Key", "description": "The API key by itself."},
}
_RETRY_AFTER = {
    "description": "In how many seconds to come back.",
    "required": True,
    "schema": {"type": "integer", "minimum": 1},
}
_HEADERS: dict[int, dict[str, dict[str, Any]]] = {
    401: {
        "WWW-Authenticate": {
            "description": "How to show the key.",
            "required": True,
            "schema": {"type": "string", "enum": ["Bearer"]},
        }
    },
    429: {"Retry-After": _RETRY_AFTER},
    503: {"Retry-After": _RETRY_AFTER},
}
_REQUEST_ID = {
    "description": "What the log calls this request.",
    "required": True,
    "schema": {"type": "string", "pattern": "^[0-9a-f]{16}$"},
}


def refusals(
    settings: ServeSettings, *, work: bool = False, is_open: bool = False, also: Mapping[int, str] | None = None
) -> dict[int | str, dict[str, Any]]:
    """Describe how an operation may be refused.

    Args:
        settings: Whether there is a key, and whether the Host header is looked at.
        work: Whether the operation takes a body and is computed in the queue.
        is_open: Whether it is the one that is always answered.
        also: What a status means here, in place of what it means in general.
    """
    statuses = {*_ANY, *(_WORK if work else ())}
    if settings.allowed_hosts:
        statuses.add(421)
    if not is_open:
        statuses.add(503)
        if settings.api_key is not None:
            statuses.add(401)
    described = {status: _REFUSED[status] for status in sorted(statuses)} | dict(also or {})
    return {status: {"model": ErrorAnswer, "description": text} for status, text in described.items()}


def complete(document: dict[str, Any], settings: ServeSettings) -> dict[str, Any]:
    """Add the headers of answers and, where there is one, the API key to an OpenAPI document.

    Args:
        document: What FastAPI makes of an app; it is changed.
        settings: Whether there is a key.
    """
    for path, operations in document["paths"].items():
        for operation in operations.values():
            for status, answer in operation["responses"].items():
                answer["headers"] = {"X-Request-Id": _REQUEST_ID, **_HEADERS.get(int(status), {})}
            if settings.api_key is not None:
                operation["security"] = [] if path == OPEN else [{name: []} for name in _SCHEMES]
    if settings.api_key is not None:
        document["components"]["securitySchemes"] = _SCHEMES
    return document
