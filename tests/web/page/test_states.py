from pathlib import Path
from typing import Any

import pytest

from kivuko.search.lineage import read_lineage
from kivuko.search.opening import StoreKind, open_or_create_store
from kivuko.web.app import create_app
from kivuko.web.service import Service, load_services
from kivuko.web.settings import ServeSettings

pytestmark = pytest.mark.slow  # a real browser

ASKED = "/#q=maize&language=sw&in=news"
KEY = "k" * 24


def test_the_key_is_asked_for_only_where_it_is_needed_and_kept_for_the_tab(
    visit: Any, serve: Any, site: str, services: list[Service]
) -> None:
    free = visit(site, ASKED)
    free.wait_for_selector(".result.explained")
    assert free.locator("#key").is_hidden()
    with serve(create_app(services, ServeSettings(api_key=KEY))) as guarded:
        page = visit(guarded, ASKED, expected="401")
        page.fill("#key-value", "not the key")
        page.keyboard.press("Enter")
        page.get_by_text("That was not the key").wait_for()
        page.fill("#key-value", KEY)
        page.keyboard.press("Enter")
        page.wait_for_selector(".result.explained")
        assert page.locator("#key").is_hidden()
        page.reload()
        page.wait_for_selector(".result.explained")
        assert KEY not in page.content()


def test_a_service_that_went_away_is_named_and_asked_again(visit: Any, serve: Any, services: list[Service]) -> None:
    with serve(create_app(services)) as address:
        page = visit(address, expected="ERR_CONNECTION_REFUSED")
        page.wait_for_selector("#language option", state="attached")
    page.fill("#query", "maize")
    page.keyboard.press("Enter")
    page.wait_for_selector("#search-problem p")
    assert "does not answer" in page.locator("#search-problem").inner_text()
    assert page.locator(".result").count() == 0
    assert page.get_by_role("button", name="Try again").is_visible()
    assert page.input_value("#query") == "maize"


def test_a_refusal_is_told_in_the_language_of_the_page(visit: Any, serve: Any, services: list[Service]) -> None:
    with serve(create_app(services, ServeSettings(timeout=0.0001))) as address:
        page = visit(address, ASKED, expected="50", locale="sw-KE")
        page.wait_for_selector("#search-problem p")
        assert "muda mrefu mno" in page.locator("#search-problem").inner_text()


@pytest.mark.parametrize(("locale", "told"), [("en-US", "no word in this"), ("sw-KE", "Hakuna neno hapa")])
def test_a_text_without_a_word_is_told_so_in_both_views(visit: Any, site: str, locale: str, told: str) -> None:
    page = visit(site, "/#q=%3F%3F%3F&language=sw&in=news", expected="422", locale=locale)
    page.wait_for_selector("#search-problem p")
    assert told in page.locator("#search-problem").inner_text()
    page.click("#to-align")
    page.fill("#translation", "\u2060")
    page.fill("#english", "rain")
    page.click("#align-form .main")
    page.wait_for_selector("#align-problem p")
    assert told in page.locator("#align-problem").inner_text()


def test_a_collection_without_documents_says_so(visit: Any, serve: Any, tiny_encoder_dir: Path, tmp_path: Path) -> None:
    store = tmp_path / "news"
    lineage = read_lineage(str(tiny_encoder_dir))
    open_or_create_store(StoreKind.flat, store, dim=32, encoder=lineage, language="en").close()
    empty = load_services({"news": str(store)}, {"sw": str(tiny_encoder_dir)})
    with serve(create_app(empty)) as address:
        page = visit(address, ASKED)
        page.get_by_text("Nothing was found.").first.wait_for()
        assert page.locator("#why").is_hidden()
        assert page.locator(".empty").is_visible()


def test_the_focus_goes_on_from_where_it_was_when_what_had_it_goes_away(
    visit: Any, serve: Any, services: list[Service]
) -> None:
    focused = "document.activeElement.id"
    with serve(create_app(services, ServeSettings(api_key=KEY))) as guarded:
        page = visit(guarded, expected="status of 4")
        page.fill("#key-value", KEY)
        page.keyboard.press("Enter")
        page.wait_for_selector("#language option", state="attached")
        assert page.evaluate(focused) == "main"
        page.route("**/api/search", lambda route: route.fulfill(json={"error": {"code": "busy"}}, status=429))
        page.fill("#query", "maize")
        page.keyboard.press("Enter")
        page.get_by_role("button", name="Try again").focus()
        page.unroute("**/api/search")
        page.keyboard.press("Enter")
        page.wait_for_selector(".result.explained")
        assert page.evaluate(focused) == "main"


def test_one_connection_too_many_is_told_in_the_language_of_the_page(visit: Any, site: str) -> None:
    page = visit(site, expected="503", locale="sw-KE")
    page.wait_for_selector("#language option", state="attached")
    page.route(
        "**/api/search",
        lambda route: route.fulfill(json={"error": {"code": "crowded"}}, status=503, headers={"Retry-After": "5"}),
    )
    page.fill("#query", "maize")
    page.keyboard.press("Enter")
    page.get_by_text("baada ya sekunde 5").wait_for()


def test_the_schema_can_be_read_where_a_key_is_needed(visit: Any, serve: Any, services: list[Service]) -> None:
    with serve(create_app(services, ServeSettings(api_key=KEY))) as guarded:
        page = visit(guarded, expected="401")
        page.fill("#key-value", KEY)
        page.keyboard.press("Enter")
        page.wait_for_selector("#language option", state="attached")
        page.click("#api")
        page.wait_for_url(f"blob:{guarded}/*")
        assert '"openapi": "3.' in page.inner_text("body")
        page.go_back()
        page.wait_for_selector("#language option", state="attached")
