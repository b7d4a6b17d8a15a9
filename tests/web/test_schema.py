"""The service keeps what its OpenAPI schema promises, whatever is asked."""

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import positive_data_acceptance

from kivuko.web.app import create_app
from kivuko.web.service import Service
from kivuko.web.settings import ServeSettings

OPERATIONS = [
    ("/api/collections", "GET"),
    ("/api/search", "POST"),
    ("/api/search/batch", "POST"),
    ("/api/explain", "POST"),
    ("/api/align", "POST"),
    ("/api/health", "GET"),
    ("/metrics", "GET"),
]


KEY = {"X-API-Key": "k" * 24}


@pytest.fixture(scope="module")
def promised(services: list[Service]) -> schemathesis.BaseSchema:
    return schemathesis.openapi.from_asgi("/api/openapi.json", create_app(services))


@pytest.fixture(scope="module")
def guarded(services: list[Service]) -> schemathesis.BaseSchema:
    app = create_app(services, ServeSettings(api_key=KEY["X-API-Key"]))
    return schemathesis.openapi.from_asgi("/api/openapi.json", app, headers=KEY)


def test_everything_in_the_schema_says_what_it_is(services: list[Service]) -> None:
    document = create_app(services).openapi()
    for name, schema in document["components"]["schemas"].items():
        for field, told in schema.get("properties", {}).items():
            assert told.get("description"), f"{name}.{field}"
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            assert operation.get("summary"), (path, method)
            assert all(answer.get("description") for answer in operation["responses"].values()), (path, method)


@pytest.mark.slow
@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=["valid", "invalid"])
@pytest.mark.parametrize(("path", "method"), OPERATIONS)
def test_answers_are_as_the_schema_says(
    promised: schemathesis.BaseSchema, path: str, method: str, mode: GenerationMode
) -> None:
    operation = promised[path][method]

    @settings(max_examples=25, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(operation.as_strategy(generation_mode=mode))
    def promise_is_kept(case: schemathesis.Case) -> None:
        # A text of control characters alone is valid JSON and no query.
        case.call_and_validate(excluded_checks=[positive_data_acceptance])

    if mode is GenerationMode.POSITIVE or method == "POST":  # a GET without parameters knows no invalid request
        promise_is_kept()


@pytest.mark.slow
@pytest.mark.parametrize(("path", "method"), OPERATIONS)
def test_what_the_schema_says_of_the_key_is_so(guarded: schemathesis.BaseSchema, path: str, method: str) -> None:
    operation = guarded[path][method]

    @settings(max_examples=5, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(operation.as_strategy(generation_mode=GenerationMode.POSITIVE))
    def promise_is_kept(case: schemathesis.Case) -> None:
        # One of the checks asks again without the key, and with a wrong one.
        case.call_and_validate(headers=KEY, excluded_checks=[positive_data_acceptance])
        case.headers.clear()
        answer = case.call()
        assert (answer.status_code == 401) is (path != "/api/health")
        case.validate_response(answer, excluded_checks=[positive_data_acceptance])

    promise_is_kept()


def test_every_operation_is_tried(promised: schemathesis.BaseSchema) -> None:
    found = {(each.ok().path, each.ok().method.upper()) for each in promised.get_all_operations()}
    assert found == set(OPERATIONS)
