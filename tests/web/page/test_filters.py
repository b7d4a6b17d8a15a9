"""Filtering by what a result says of itself."""

from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from fastapi import FastAPI
from sentence_transformers import MultiVectorEncoder

from kivuko.data.collections import Document
from kivuko.models.encoder import model_identity
from kivuko.search.flat import create_store
from kivuko.search.store import FieldValue, Passage, ingest
from kivuko.web.app import create_app
from kivuko.web.service import load_services

pytestmark = pytest.mark.slow  # a real browser

LONG = "where this was written, and by whom, and when, and for which of its readers"


@pytest.fixture(scope="module")
def app(
    tiny_encoder: MultiVectorEncoder,
    tiny_encoder_dir: Path,
    documents: list[Document],
    served_index: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> FastAPI:
    place = tmp_path_factory.mktemp("filtered") / "store"
    identity = model_identity(tiny_encoder_dir)
    store = create_store(place, dim=32, model_name=str(tiny_encoder_dir), model_digest=identity)
    passages = []
    for number, document in enumerate(documents):
        fields: dict[str, FieldValue] = {
            "year": 2020 + number % 3,
            "peer": number < 5,
            "mji": "<b>دار</b>",
            "long": LONG,
        }
        passages.append(Passage(*document, "sw" if number % 2 else "en", fields))
    ingest(store, tiny_encoder, passages)
    return create_app(load_services({"store": str(place), "exact": str(served_index)}, {"sw": str(tiny_encoder_dir)}))


def asked(page: Any) -> str | None:
    return parse_qs(urlsplit(page.url).fragment).get("where", [None])[0]


def chips(page: Any) -> list[str]:
    return page.locator("#filters .chip > span:first-child").all_inner_texts()


def of(page: Any, count: int) -> None:
    page.wait_for_function("count => document.querySelectorAll('.result:not(.waiting)').length === count", arg=count)


@pytest.fixture
def page(serve: Any, app: FastAPI, visit: Any) -> Any:
    with serve(app) as address:
        page = visit(address, "/#" + urlencode({"q": "mahindi na maharage", "language": "sw", "in": "store"}))
        of(page, 10)
        yield page
        page.close()  # it may still be asking for explanations


def test_a_field_of_a_result_leaves_those_alone_that_have_it(page: Any) -> None:
    page.locator(".chip", has_text="year: 2020").first.click()
    of(page, 4)
    assert asked(page) == '{"year":2020}'
    assert chips(page) == ["year: 2020"]
    assert page.evaluate("document.activeElement.closest('#filters') !== null")
    page.locator(".result .chip", has_text="peer: true").first.click()
    of(page, 2)
    assert chips(page) == ["year: 2020", "peer: true"]
    lit = page.locator(".result").first.locator(".chip[aria-pressed=true]")
    assert lit.all_inner_texts() == ["year: 2020", "peer: true"]
    page.locator("#filters .chip").first.click()
    of(page, 5)
    assert asked(page) == '{"peer":true}'
    page.go_back()
    of(page, 2)
    assert chips(page) == ["year: 2020", "peer: true"]


def test_filters_are_in_the_address_and_stay_with_their_collection(page: Any) -> None:
    page.locator(".result .chip", has_text="language: sw").first.click()
    of(page, 5)
    page.reload()
    of(page, 5)
    assert chips(page) == ["language: sw"]
    page.select_option("#interface", "sw")
    label = "Ondoa kichujio language: sw"
    assert page.locator("#filters .chip").get_attribute("aria-label") == label
    page.select_option("#collection", "exact")
    assert page.locator("#filters").is_hidden()
    page.locator("#search-form .main").click()
    page.wait_for_url("**in=exact**")
    of(page, 10)
    assert page.locator(".fields .chip").count() == 0


def test_values_stay_text_and_long_ones_are_no_buttons(page: Any) -> None:
    first = page.locator(".result").first
    assert first.locator(".chip b").count() == 0
    names = [text.split(":")[0] for text in first.locator(".chip").all_inner_texts()]
    assert names == ["language", "year", "peer", "mji"]
    first.locator(".chip", has_text="mji").click()
    page.wait_for_url("**where**")
    of(page, 10)


@pytest.mark.parametrize(
    "where", ["{", "[1]", "null", "7", '{"year":[2020]}', '{"year":{}}', '{"year":null}', '{"year":1e400}']
)
def test_an_address_with_no_filter_in_it_is_no_filter(page: Any, where: str) -> None:
    page.goto(page.url + "&" + urlencode({"where": where}))
    of(page, 10)
    assert page.locator("#filters").is_hidden()


def test_a_filter_that_nothing_passes_can_be_taken_away(page: Any) -> None:
    page.goto(page.url + "&" + urlencode({"where": '{"year":1999}'}))
    page.wait_for_selector(".empty")
    assert "Take a filter away" in page.locator(".empty").inner_text()
    page.locator("#filters .chip").click()
    of(page, 10)
    assert page.locator("#filters").is_hidden()
    assert page.evaluate("document.activeElement.id") == "query"
