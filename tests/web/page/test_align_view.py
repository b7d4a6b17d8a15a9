from typing import Any

import pytest

pytestmark = pytest.mark.slow  # a real browser

SENTENCE = "The bus takes nine hours."
WORDS = ["The", "bus", "takes", "nine", "hours", "."]


def aligned(page: Any, sentence: str = SENTENCE, language: str = "sw") -> Any:
    page.wait_for_selector("#align-language option", state="attached")
    page.select_option("#align-language", language)
    page.fill("#translation", sentence)
    page.fill("#english", SENTENCE)
    page.keyboard.press("Enter")
    page.wait_for_selector("#heat table")
    return page


def test_a_sentence_and_itself_are_linked_word_by_word(visit: Any, site: str) -> None:
    page = aligned(visit(site, "/#view=align"))
    assert page.locator(".node text").all_text_contents() == WORDS + WORDS
    ends = page.locator(".line.linked").evaluate_all("lines => lines.map(line => line.dataset.ends)")
    assert sorted(ends) == [f"0:{place} 1:{place}" for place in range(6)]
    assert page.locator("#heat thead th").all_text_contents() == WORDS
    strengths = page.locator("#heat td[role]").evaluate_all(
        "cells => cells.map(cell => Number(cell.style.getPropertyValue('--strength')))"
    )
    rows = [strengths[start : start + 6] for start in range(0, 36, 6)]
    assert [row.index(max(row)) for row in rows] == list(range(6))
    assert page.locator("#heat td.linked").count() == 6
    assert page.locator("#link-list li").count() == 6
    assert page.locator("#status").inner_text() == "6 links found."


def test_pointing_at_a_word_lights_up_its_links_and_keys_walk_among_words(visit: Any, site: str) -> None:
    page = aligned(visit(site, "/#view=align"))
    page.hover(".node[data-end='0:1']")
    lit = page.locator(".node.lit").evaluate_all("nodes => nodes.map(node => node.dataset.end)")
    assert {"0:1", "1:1"} <= set(lit)
    page.mouse.move(1, 1)
    page.focus("#align-form button.main")
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowDown")
    focused = page.locator(".node:focus")
    assert focused.get_attribute("data-end") == "1:1"
    assert focused.get_attribute("aria-label").startswith("bus: bus ")


def test_cells_are_walked_by_keys_and_read_out(visit: Any, site: str) -> None:
    page = aligned(visit(site, "/#view=align"))
    page.locator("#heat td[role]").first.focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowRight")
    assert page.locator("#readout").inner_text().startswith("bus – bus: ")
    assert page.locator("#readout").inner_text().endswith("linked")
    assert page.locator("#heat [tabindex='0']").count() == 1


def test_a_sentence_from_right_to_left_begins_on_the_right(visit: Any, site: str) -> None:
    page = aligned(visit(site, "/#view=align"), "بس نو گھنٹے لیتی ہے", "ur")
    assert page.get_attribute("#translation", "dir") == "rtl"
    place = "nodes => nodes.map(node => node.getBoundingClientRect().x)"
    sentence = page.locator(".node[data-end^='0:']").evaluate_all(place)
    english = page.locator(".node[data-end^='1:']").evaluate_all(place)
    assert sentence == sorted(sentence, reverse=True)
    assert english == sorted(english)
    assert page.locator("#heat tbody th").first.get_attribute("dir") == "rtl"


def test_on_a_phone_long_sentences_stand_in_columns_and_only_the_heat_map_scrolls(visit: Any, site: str) -> None:
    page = visit(site, "/#view=align", viewport={"width": 360, "height": 700})
    aligned(page, "bus takes nine hours and costs many shillings from Nairobi to Mombasa " * 2)
    assert page.get_attribute("svg.links", "data-layout") == "columns"
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    page.set_viewport_size({"width": 3000, "height": 700})
    assert page.evaluate("document.documentElement.scrollWidth") <= 3000


def test_a_sentence_that_is_too_long_is_named_and_what_was_typed_stays(visit: Any, site: str) -> None:
    page = visit(site, "/#view=align", expected="422")
    page.wait_for_selector("#align-language option", state="attached")
    page.fill("#translation", "a " * 200)
    page.fill("#english", SENTENCE)
    page.click("#align-form button.main")
    page.wait_for_selector("#align-problem p")
    assert "too long" in page.locator("#align-problem").inner_text()
    assert page.input_value("#english") == SENTENCE
