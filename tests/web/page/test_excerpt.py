"""Long passages are shown around what matched, and whole where the reader asks for it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from sentence_transformers import MultiVectorEncoder

from kivuko.data.collections import Document
from kivuko.search import build_index
from kivuko.web.app import create_app
from kivuko.web.service import load_services

pytestmark = pytest.mark.slow  # a real browser

FILLER = "The boat goes over the water and comes back in the evening with all who wait there. "
SHORT = "A bus takes nine hours to the coast."
FAR = ("z" * 104 + " ") * 12  # a word of more than a hundred letters is one piece to the encoder, which reads few
LONG = "Bus " + FAR + "Pupils read stories. " + FILLER * 60


@pytest.fixture(scope="module")
def books(
    serve: Any, tiny_encoder: MultiVectorEncoder, tiny_encoder_dir: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    place = tmp_path_factory.mktemp("long") / "books"
    documents = [Document("long", "The teacher", LONG), Document("short", "", SHORT)]
    documents.append(Document("dense", "", "มาก" * 1_000))
    build_index(tiny_encoder, documents, place, model_name=str(tiny_encoder_dir))
    with serve(create_app(load_services({"books": str(place)}, {"sw": str(tiny_encoder_dir)}, any_model=True))) as site:
        yield site


@pytest.fixture
def found(visit: Any, books: str) -> Any:
    page = visit(books, "/#" + urlencode({"q": "bus pupils read stories", "language": "sw", "in": "books"}))
    page.wait_for_selector(".result.explained[data-id=long]")
    return page


def plain(place: Any) -> str:
    said: str = place.evaluate(
        "place => { const copy = place.cloneNode(true);"
        "copy.querySelectorAll('rt').forEach(each => each.remove()); return copy.textContent; }"
    )
    return said


def test_a_long_passage_is_cut_around_what_matched(found: Any) -> None:
    shown = plain(found.locator("[data-id=long] .text"))
    assert 400 < len(shown) < 800
    assert "Pupils read stories" in shown
    assert shown.startswith("… ")
    assert shown.endswith(" …")
    assert f" {shown[2:-2]} " in f" {LONG} "  # cut between words
    assert plain(found.locator("[data-id=short] .text")) == SHORT
    assert found.locator("[data-id=short] .more").count() == 0
    found.hover("#words button:text-is('pupils')")
    assert "Pupils" in found.locator("[data-id=long] .hit").all_inner_texts()


def test_all_of_it_is_shown_and_taken_back_by_a_key(found: Any) -> None:
    card = found.locator("[data-id=long]")
    button = card.get_by_role("button", name="Show all")
    assert button.get_attribute("aria-expanded") == "false"
    assert found.locator(f"#{button.get_attribute('aria-controls')}").get_attribute("class") == "text"
    before = card.bounding_box()["height"]
    button.focus()
    found.keyboard.press("Enter")
    assert plain(card.locator(".text")) == LONG
    less = card.get_by_role("button", name="Show less")
    assert less.get_attribute("aria-expanded") == "true"
    found.hover("#words button:text-is('pupils')")
    assert "Pupils" in card.locator(".hit").all_inner_texts()
    less.focus()
    found.keyboard.press("Space")
    assert card.bounding_box()["height"] == pytest.approx(before, abs=2)
    assert found.evaluate("document.activeElement.className") == "quiet more"
    focused = "(({ top, bottom }) => top >= 0 && bottom <= innerHeight)(document.activeElement.getBoundingClientRect())"
    assert found.evaluate(focused)


def test_what_matched_outside_of_the_excerpt_is_named_below_it(found: Any) -> None:
    card = found.locator("[data-id=long]")
    found.hover("#words button:text-is('bus')")
    assert "Bus" not in plain(card.locator(".text"))
    assert "Bus" in card.locator(".line .found").all_inner_texts()
    assert "Bus" in card.locator("details td").all_text_contents()
    card.locator(".more").click()
    found.hover("#words button:text-is('bus')")
    assert "Bus" in card.locator(".hit").all_inner_texts()


def test_the_excerpt_stays_one_by_the_other_method(found: Any) -> None:
    found.click(".switch label:has(input[value=plan])")
    assert len(plain(found.locator("[data-id=long] .text"))) < 800


def test_a_passage_without_spaces_is_cut_at_a_letter(found: Any) -> None:
    shown = plain(found.locator("[data-id=dense] .text")).strip("… ")
    assert 600 < len(shown) <= 700


def test_the_button_speaks_swahili(found: Any) -> None:
    found.select_option("#interface", "sw")
    button = found.locator("[data-id=long] .more")
    assert button.inner_text() == "Onyesha yote"
    button.click()
    assert button.inner_text() == "Onyesha kidogo"


@pytest.mark.parametrize("width", [320, 1000])
def test_a_page_of_long_passages_is_short(found: Any, width: int) -> None:
    found.set_viewport_size({"width": width, "height": 800})
    assert found.locator("[data-id=long]").bounding_box()["height"] < (800 if width == 1000 else 2_400)
    assert found.evaluate("document.documentElement.scrollWidth") <= width
