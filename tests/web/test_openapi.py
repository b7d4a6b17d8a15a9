"""The schema says how an answer may be refused, with which headers, and what key to show."""

from typing import Any

import pytest

from kivuko.web.app import create_app
from kivuko.web.service import Service
from kivuko.web.settings import ServeSettings

KEY = "k" * 24
WORK = ["/api/search", "/api/search/batch", "/api/explain", "/api/align"]


def described(services: list[Service], **settings: Any) -> dict[str, Any]:
    return create_app(services, ServeSettings(**settings)).openapi()


def operations(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {path: operation for path, methods in document["paths"].items() for operation in methods.values()}


def test_a_key_is_declared_where_one_is_needed(services: list[Service]) -> None:
    document = described(services, api_key=KEY)
    schemes = document["components"]["securitySchemes"]
    assert {(each["type"], each.get("scheme", each.get("name"))) for each in schemes.values()} == {
        ("http", "bearer"),
        ("apiKey", "X-API-Key"),
    }
    assert all(each["description"] for each in schemes.values())
    for path, operation in operations(document).items():
        is_open = path == "/api/health"
        assert operation["security"] == ([] if is_open else [{name: []} for name in schemes])
        assert ("401" in operation["responses"]) is not is_open
    assert KEY not in str(document)


def test_without_a_key_none_is_asked_for(services: list[Service]) -> None:
    document = described(services)
    assert "securitySchemes" not in document["components"]
    for operation in operations(document).values():
        assert "security" not in operation
        assert "401" not in operation["responses"]


@pytest.mark.parametrize("hosts", [(), ("localhost",)])
def test_a_wrong_host_is_declared_where_hosts_are_looked_at(services: list[Service], hosts: tuple[str, ...]) -> None:
    for operation in operations(described(services, allowed_hosts=hosts)).values():
        assert ("421" in operation["responses"]) is bool(hosts)


def test_every_refusal_is_declared_where_it_can_come(services: list[Service]) -> None:
    for path, operation in operations(described(services)).items():
        declared = set(operation["responses"])
        assert {"200", "408", "413", "500"} <= declared
        assert ({"400", "404", "422", "429", "504"} <= declared) is (path in WORK)
        assert ("503" in declared) is (path != "/api/health")


def test_every_answer_has_its_headers_declared(services: list[Service]) -> None:
    document = described(services, api_key=KEY)
    named = {401: {"WWW-Authenticate"}, 429: {"Retry-After"}, 503: {"Retry-After"}}
    for operation in operations(document).values():
        for status, answer in operation["responses"].items():
            assert set(answer["headers"]) == {"X-Request-Id", *named.get(int(status), set())}
            assert all(header["description"] and header["required"] for header in answer["headers"].values())
