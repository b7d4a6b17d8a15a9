"""The app: paths, what they take and what they answer."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from importlib.metadata import version
from pathlib import Path
from time import monotonic
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.responses import FileResponse, Response
from starlette.staticfiles import StaticFiles

from kivuko.web.guard import Guard
from kivuko.web.log import log
from kivuko.web.metrics import CONTENT_TYPE, Metrics
from kivuko.web.openapi import OPEN, complete, refusals
from kivuko.web.problems import Problem, http_problem, validation_problem
from kivuko.web.schemas import (
    AlignAnswer,
    AlignRequest,
    BatchAnswer,
    BatchRequest,
    CollectionsAnswer,
    ExplainAnswer,
    ExplainRequest,
    HealthAnswer,
    SearchAnswer,
    SearchRequest,
)
from kivuko.web.service import Service, shown_name
from kivuko.web.settings import ServeSettings
from kivuko.web.work import Check, WorkQueue

STATIC = Path(__file__).parent / "static"

_ABOUT = """
Ask in one language, find in another, and see which words matched. Every error has the same shape. A service that was
started with an API key wants it in `Authorization: Bearer KEY` or `X-API-Key: KEY`, everywhere but at `/api/health`.
"""

_NOT_RANKED = {
    409: "The words of the collection, or their translations, are not counted, by which it was to be ranked.",
}
_NOT_EXPLAINED = {
    404: "No such collection, language or document.",
    409: "The encoder of the collection's documents is not loaded.",
}


def create_app(services: Sequence[Service], settings: ServeSettings | None = None) -> FastAPI:
    """Make the app.

    When it is stopped, `state.unfinished` says how many calls still run; `state.stop_by` may say until when, in the
    time of `time.monotonic`, they are waited for.

    Args:
        services: What answers; as many requests are computed at once as there are services.
        settings: How it answers.
    """
    settings = settings or ServeSettings()
    work = WorkQueue(services, waiting=settings.queue, timeout=settings.timeout)
    metrics = Metrics()
    service = services[0]

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        log("started", collections=list(service.collections), languages=list(service.models))
        yield
        log("stopping", pending=work.pending)
        stop_by: float | None = getattr(app.state, "stop_by", None)
        seconds = settings.timeout if stop_by is None else max(0.0, stop_by - monotonic())
        app.state.unfinished = await work.close(seconds=seconds)
        log("stopped", unfinished=app.state.unfinished)

    app = FastAPI(
        title="Kivuko",
        summary="Cross-lingual search that shows why it found what it found.",
        description=_ABOUT,
        version=version("kivuko"),
        openapi_url="/api/openapi.json",
        docs_url=None,  # both would load scripts from elsewhere
        redoc_url=None,
        redirect_slashes=False,  # it would send callers to whatever host they named
        lifespan=lifespan,
    )
    app.add_middleware(Guard, settings=settings, metrics=metrics)

    def asked(request: Request, **texts: object) -> None:
        if settings.log_queries:
            request.state.asked = texts

    @app.get("/api/collections", tags=["search"], responses=refusals(settings))
    async def collections() -> CollectionsAnswer:
        """List the collections, and the languages that queries can be asked in."""
        return service.describe()

    async def answer(request: Request, call: Callable[[Service, Any, Check], BaseModel], body: object) -> Response:
        def written(worker: Service, argument: Any, check: Check) -> bytes:
            return call(worker, argument, check).model_dump_json().encode()  # while the loop does other things

        return Response(await work.run(written, body, gone=leaving(request)), media_type="application/json")

    def found(worker: Service, batch: BatchRequest, check: Check) -> BatchAnswer:
        return worker.search(batch, check=check, max_answer=settings.max_answer)

    def found_for_one(worker: Service, batch: BatchRequest, check: Check) -> SearchAnswer:
        answered = found(worker, batch, check)
        return SearchAnswer(results=answered.results[0], milliseconds=answered.milliseconds)

    def explained(worker: Service, body: ExplainRequest, _: Check) -> ExplainAnswer:
        return worker.explain(body, max_answer=settings.max_answer)

    @app.post(
        "/api/search",
        tags=["search"],
        response_model=SearchAnswer,
        responses=refusals(settings, work=True, also=_NOT_RANKED),
    )
    async def search(request: Request, body: SearchRequest) -> Response:
        """Find the documents that answer a question."""
        asked(request, query=body.query)
        batch = BatchRequest(**body.model_dump(exclude={"query"}), queries=[body.query])
        return await answer(request, found_for_one, batch)

    @app.post(
        "/api/search/batch",
        tags=["search"],
        response_model=BatchAnswer,
        responses=refusals(settings, work=True, also=_NOT_RANKED),
    )
    async def search_batch(request: Request, body: BatchRequest) -> Response:
        """Find the documents that answer each of several questions."""
        asked(request, queries=body.queries)
        return await answer(request, found, body)

    @app.post(
        "/api/explain",
        tags=["why"],
        response_model=ExplainAnswer,
        responses=refusals(settings, work=True, also=_NOT_EXPLAINED),
    )
    async def explain(request: Request, body: ExplainRequest) -> Response:
        """Say which words of a document each word of a question matched, and how strongly."""
        asked(request, query=body.query, doc_id=body.doc_id)
        return await answer(request, explained, body)

    @app.post(
        "/api/align",
        tags=["why"],
        response_model=AlignAnswer,
        responses=refusals(settings, work=True, also={404: "No such language."}),
    )
    async def align(request: Request, body: AlignRequest) -> Response:
        """Link the words of an English sentence to those of its translation."""
        asked(request, english=body.english, translation=body.translation)
        return await answer(request, lambda worker, sentences, _: worker.align(sentences), body)

    @app.get(OPEN, tags=["service"], responses=refusals(settings, is_open=True))
    async def health() -> HealthAnswer:
        """Say whether the service is ready, and what it has loaded."""
        return HealthAnswer(
            ready=True,
            version=version("kivuko"),
            models={language: shown_name(model) for language, model in service.models.items()},
            collections=list(service.collections),
        )

    @app.get(
        "/metrics",
        tags=["service"],
        response_class=Response,
        responses={200: {"content": {"text/plain": {}}, "description": "Counts."}, **refusals(settings)},
    )
    async def metrics_text() -> Response:
        """Return the counts in Prometheus's text format."""
        return Response(metrics.text(), media_type=CONTENT_TYPE)

    @app.get("/", include_in_schema=False)
    async def page() -> FileResponse:
        return FileResponse(STATIC / "index.html")

    app.mount("/static", StaticFiles(directory=STATIC), name="static")
    _answer_errors(app)
    describe = app.openapi
    app.openapi = lambda: app.openapi_schema or complete(describe(), settings)  # type: ignore[method-assign]
    return app


def leaving(request: Request) -> Callable[[], Awaitable[None]]:
    """Return what returns when the caller has gone away, for a request whose body was read."""

    async def gone() -> None:
        while (await request.receive())["type"] != "http.disconnect":
            pass

    return gone


def _problem_of(error: HTTPException) -> Problem:
    return http_problem(error.status_code, str(error.detail), error.headers, error.__cause__)


def _answer_errors(app: FastAPI) -> None:
    answers: list[tuple[type[Exception], Callable[[Any], Problem]]] = [
        (Problem, lambda problem: problem),
        (RequestValidationError, validation_problem),
        (HTTPException, _problem_of),
    ]
    for kind, describe in answers:

        async def handler(_: Request, error: Exception, describe: Callable[[Any], Problem] = describe) -> Response:
            return describe(error).response()

        app.add_exception_handler(kind, handler)
