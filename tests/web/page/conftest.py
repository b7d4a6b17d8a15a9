"""The page in a real browser, over a service that listens on loopback."""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any

import pytest
from fastapi import FastAPI

from kivuko.web.app import create_app
from kivuko.web.service import Service

Serve = Callable[[FastAPI], AbstractContextManager[str]]
Visit = Callable[..., Any]


@pytest.fixture
def site(serve: Serve, services: list[Service]) -> Iterator[str]:
    with serve(create_app(services)) as address:
        yield address


# Not for the whole session: its event loop would be in the way of other tests.
@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("there is no chromium on the PATH")
    flags = ["--disable-dev-shm-usage", "--disable-gpu", *(["--no-sandbox"] if os.geteuid() == 0 else [])]
    with playwright.sync_playwright() as started:
        launched = started.chromium.launch(executable_path=chromium, args=flags)
        yield launched
        launched.close()


@pytest.fixture
def visit(browser: Any, site: str) -> Iterator[Visit]:
    """Open the page; in the end nothing may have gone wrong in it, and no request may have left its origin.

    Pages are closed before the site, which they may still be asking.
    """
    complaints: list[str] = []
    contexts: list[Any] = []

    def open_page(address: str, path: str = "/", *, expected: str | None = None, **options: Any) -> Any:
        context = browser.new_context(**{"locale": "en-US", "viewport": {"width": 1000, "height": 800}} | options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(60_000)

        def hear(said: Any) -> None:
            if said.type in {"error", "warning"} and not (expected and expected in said.text):
                complaints.append(said.text)

        def watch(request: Any) -> None:
            if not request.url.removeprefix("blob:").startswith(f"{address}/"):
                complaints.append(f"request to {request.url}")

        page.on("console", hear)
        page.on("request", watch)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(address + path)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert complaints == []
