from typing import Any
from urllib.parse import urlencode

import pytest

from kivuko.data.collections import Document
from kivuko.web.app import create_app

pytestmark = pytest.mark.slow  # a real browser


def asked(query: str, language: str = "sw") -> str:
    return "/#" + urlencode({"q": query, "language": language, "in": "news"})


@pytest.fixture
def document(documents: list[Document]) -> Document:
    return documents[6]  # "The teacher asked the pupils to read the story ...", with a title


@pytest.fixture
def found(visit: Any, site: str, document: Document) -> Any:
    """The page after a search for a document's own words, explained."""
    page = visit(site, asked(document.text))
    page.wait_for_selector(".result.explained")
    return page


def plain(place: Any) -> str:
    """The text of a title or a passage without what is written over its words."""
    return place.evaluate(
        "place => { const copy = place.cloneNode(true);"
        "copy.querySelectorAll('rt').forEach(each => each.remove()); return copy.textContent; }"
    )


def lit(page: Any) -> list[str]:
    return page.locator(".result").first.locator(".hit").all_inner_texts()


def test_before_a_search_there_are_examples_and_no_results(visit: Any, site: str) -> None:
    page = visit(site)
    page.wait_for_selector("#examples button")
    assert page.locator("#language option").all_inner_texts() == ["Kiswahili", "اردو"]
    assert page.locator("#collection option").inner_text() == "news (10 documents)"
    assert page.locator(".result").count() == 0
    assert page.locator("#why").is_hidden()


def test_a_question_typed_and_entered_finds_a_document_with_title_passage_and_score(
    visit: Any, site: str, document: Document
) -> None:
    page = visit(site)
    page.wait_for_selector("#language option", state="attached")
    page.fill("#query", document.content)
    page.keyboard.press("Enter")
    first = page.locator(".result").first
    first.locator(".score").wait_for()
    assert (plain(first.locator(".title")), plain(first.locator(".text"))) == (document.title, document.text)
    assert first.locator(".score").inner_text().startswith("Score ")
    assert page.locator("#status").inner_text().startswith("10 results")
    assert "q=" in page.url
    page.go_back()
    page.wait_for_selector(".result", state="detached")
    assert page.input_value("#query") == ""


def test_pointing_at_a_word_lights_up_what_it_matched_and_says_how_strongly(found: Any) -> None:
    found.hover("#words button:text-is('pupils')")
    assert "pupils" in lit(found)
    line = found.locator(".result .line").first.inner_text()
    assert line.startswith("pupils:")
    assert "0." in line or "1.00" in line
    strengths = (
        found.locator(".result")
        .first.locator(".hit")
        .evaluate_all(
            "words => words.map(word => [word.textContent, Number(word.style.getPropertyValue('--strength'))])"
        )
    )
    assert max(strengths, key=lambda pair: pair[1])[0] == "pupils"
    found.mouse.move(1, 1)
    assert found.locator(".result .line").first.inner_text().startswith("Strongest:")


def test_the_transport_plan_is_another_answer_in_parts_of_a_hundred(found: Any) -> None:
    found.hover("#words button:text-is('lion')")
    similar = found.locator(".result .line").first.inner_text()
    found.get_by_label("Transport plan").check(force=True)
    found.hover("#words button:text-is('lion')")
    moved = found.locator(".result .line").first.inner_text()
    assert "lion" in lit(found)
    assert "%" in moved
    assert "%" not in similar


def test_matched_words_carry_the_word_of_the_question_and_the_passage_stays_the_same(
    found: Any, document: Document
) -> None:
    glosses = (
        found.locator(".result")
        .first.locator("ruby")
        .evaluate_all(
            "all => all.map(each => [each.querySelector('.word').textContent, each.querySelector('rt').textContent])"
        )
    )
    assert ["pupils", "pupils"] in glosses
    assert plain(found.locator(".result .text").first) == document.text


def test_words_are_reached_and_walked_by_keys_alone(found: Any) -> None:
    found.focus("#collection")
    found.keyboard.press("Tab")
    assert found.evaluate("document.activeElement.textContent") == "The"
    found.keyboard.press("ArrowRight")
    found.keyboard.press("ArrowRight")
    assert found.evaluate("document.activeElement.textContent") == "asked"
    assert "asked" in lit(found)
    assert found.locator("#status").inner_text().startswith("asked: ")
    found.keyboard.press("End")
    assert found.evaluate("document.activeElement.textContent") == "lion"
    found.keyboard.press("Tab")
    assert found.evaluate("document.activeElement.name") == "method"
    found.keyboard.press("ArrowRight")
    assert found.evaluate("document.activeElement.value") == "plan"
    found.keyboard.press("Tab")
    found.keyboard.press("Enter")
    assert found.locator("details[open] tbody tr").count() > 3


def test_a_click_keeps_a_word_lit_and_a_second_one_lets_it_go(found: Any) -> None:
    word = found.locator("#words button:text-is('story')")
    word.click()
    found.mouse.move(1, 1)
    assert word.get_attribute("aria-pressed") == "true"
    assert "story" in lit(found)
    word.click()
    found.mouse.move(1, 1)
    assert word.get_attribute("aria-pressed") == "false"
    assert found.locator(".result .line").first.inner_text().startswith("Strongest:")


def test_a_language_from_right_to_left_is_written_and_walked_so(visit: Any, site: str) -> None:
    page = visit(site, asked("افریقہ کا طویل دریا", "ur"))
    page.wait_for_selector("#words button")
    assert page.get_attribute("#query", "dir") == page.get_attribute("#words", "dir") == "rtl"
    first, second = (page.locator("#words button").nth(place).bounding_box() for place in (0, 1))
    assert first["x"] > second["x"]
    page.focus("#collection")
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowLeft")
    assert page.evaluate("document.activeElement.dataset.query") == "1"


def test_places_of_words_count_code_points(visit: Any, site: str) -> None:
    page = visit(site, asked("🌧🌧 maize 🚌 and beans"))
    page.wait_for_selector("#words button")
    assert page.locator("#words button").all_inner_texts() == ["maize", "and", "beans"]
    assert page.locator("#words").text_content() == "🌧🌧 maize 🚌 and beans"


def test_markup_in_a_question_stays_text(visit: Any, site: str) -> None:
    page = visit(site, asked("<img src=x onerror=alert(1)> maize"))
    page.wait_for_selector("#words button")
    assert page.locator("#words img").count() == 0
    assert "<img" in page.locator("#words").inner_text()


@pytest.mark.parametrize("width", [320, 390])
def test_a_phone_scrolls_in_one_direction_only(visit: Any, site: str, document: Document, width: int) -> None:
    page = visit(site, asked(document.text), viewport={"width": width, "height": 700}, has_touch=True, locale="sw-KE")
    page.wait_for_selector(".result.explained")
    page.tap("#words button:text-is('pupils')")
    assert "pupils" in lit(page)
    page.locator("details summary").first.click()
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_the_interface_speaks_swahili_where_the_browser_does_and_changes_on_the_spot(
    found: Any, visit: Any, site: str
) -> None:
    page = visit(site, locale="sw-KE")
    page.wait_for_selector("#language option", state="attached")
    assert page.locator("#search-form button").inner_text() == "Tafuta"
    assert page.evaluate("document.documentElement.lang") == "sw"
    assert found.locator("#search-form button").inner_text() == "Search"
    found.select_option("#interface", "sw")
    assert found.locator("#search-form button").inner_text() == "Tafuta"
    assert found.locator("#summary").inner_text().startswith("Matokeo 10")
    found.reload()
    found.wait_for_selector(".result.explained")
    assert found.locator(".result .line b").first.inner_text() == "Yenye nguvu zaidi:"


def test_colors_follow_the_system_until_they_are_chosen(visit: Any, site: str) -> None:
    page = visit(site, color_scheme="dark")
    color = "getComputedStyle(document.documentElement).backgroundColor"
    switch = page.get_by_label("Dark colors")
    dark = page.evaluate(color)
    assert switch.get_attribute("aria-pressed") == "true"
    switch.click()
    assert page.evaluate(color) != dark
    page.reload()
    assert page.evaluate(color) != dark


def test_a_collection_with_words_is_ranked_as_the_reader_chooses(
    visit: Any, serve: Any, worded: list[Any], documents: list[Document]
) -> None:
    with serve(create_app(worded)) as address:
        page = visit(address, asked("mahindi na maharage"))
        page.wait_for_selector(".result.explained")
        names = ["Meaning", "Words", "Translated words", "Both"]
        assert page.locator("#ranker option").all_inner_texts() == names
        page.select_option("#ranker", "psq")
        page.wait_for_url("**by=psq**")
        page.wait_for_selector(f".result:first-child.explained[data-id={documents[0].doc_id}]")
        assert page.locator(".result").count() < 10  # those alone that have a word of it
        page.go_back()
        page.wait_for_url(lambda address: "by=" not in address)
        page.wait_for_selector(".result:nth-child(10) .score")  # by meaning every document has a place
        assert page.locator("#ranker").input_value() == "maxsim"
        page.select_option("#collection", "plain")
        assert page.locator("#ranking").is_hidden()
        page.select_option("#collection", "news")
        page.select_option("#interface", "sw")
        assert page.locator("#ranker option").first.inner_text() == "Maana"


def test_no_word_is_broken_below_what_it_matched(visit: Any, site: str, document: Document) -> None:
    page = visit(site, asked(document.text))
    page.wait_for_selector(".result.explained")
    for width in range(300, 700, 7):
        page.set_viewport_size({"width": width, "height": 800})
        parts = page.locator("ruby.short .word").evaluate_all("all => all.map(word => word.getClientRects().length)")
        assert len(parts) > 3
        assert set(parts) == {1}, width


def test_a_word_that_many_words_matched_names_three(visit: Any, site: str) -> None:
    page = visit(site, asked("maize " * 12))
    page.wait_for_selector(".result.explained")
    glosses = page.locator(".result rt").all_inner_texts()
    assert glosses
    assert all(len(gloss.split()) <= 4 for gloss in glosses)
    assert page.locator(".result rt[data-queries*=' ']").first.inner_text().endswith("…")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_what_other_words_matched_steps_back_but_stays_readable(
    visit: Any, site: str, document: Document, scheme: str
) -> None:
    page = visit(site, asked(document.text), color_scheme=scheme)
    page.wait_for_selector(".result.explained")
    page.hover("#words button:text-is('pupils')")
    looks = "all => all.map(each => [getComputedStyle(each).opacity, getComputedStyle(each).color])"
    assert page.locator(".result:first-child rt.other").evaluate_all(looks)[0] == [
        "1", page.locator("#summary").evaluate("each => getComputedStyle(each).color"),
    ]  # fmt: skip
