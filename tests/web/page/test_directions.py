"""Words stand in the order in which they are read, whatever language was chosen: seen by where Chromium puts them."""

from typing import Any
from urllib.parse import urlencode

import pytest

pytestmark = pytest.mark.slow  # a real browser

TEXTS = {
    "ما أطول نهر في أفريقيا": "rtl",
    "מהו הנהר הארוך ביותר באפריקה": "rtl",
    "ረጅሙ ወንዝ የትኛው ነው": "ltr",
    "Mto mrefu zaidi ni upi": "ltr",
    "Where does نهر النيل begin today": "ltr",
    "متى بدأت Kenya Airways رحلاتها عام 2024": "rtl",
    "What is 7 times 8 in Swahili": "ltr",
}
# Where the browser puts the words of a text that is nothing but text.
PLAIN_ORDER = """([words, direction]) => {
  const place = document.createElement("p");
  place.dir = direction;
  place.textContent = words.join(" ");
  document.querySelector("#words").after(place);
  let end = 0;
  const found = words.map((word) => {
    const range = document.createRange();
    range.setStart(place.firstChild, end);
    range.setEnd(place.firstChild, end + word.length);
    end += word.length + 1;
    return range.getBoundingClientRect().x;
  });
  place.remove();
  return found;
}"""
# The same for a passage in which some words are marked, and carry what they matched.
MARKED_ORDER = """async ([words, direction]) => {
  const { markedText } = await import("/static/why.js");
  const text = words.join(" ");
  let end = 0;
  const document_words = words.map((word) => {
    const start = end;
    end += Array.from(word).length + 1;
    return { field: "text", start, end: end - 1 };
  });
  const query_words = words.map((word) => ({ text: word }));
  const pairs = words.map((_, place) => ({ query: place, found: place, strength: place % 3 === 1 ? 0.1 : 1 }));
  const place = document.createElement("p");
  place.dir = direction;
  place.append(markedText(text, "text", { document_words, query_words }, pairs));
  document.querySelector("#words").after(place);
  const found = Array.from(place.querySelectorAll(".word"), (word) => word.getBoundingClientRect().x);
  place.remove();
  return found;
}"""

# Where the first letter and the colon of "word:" stand.
PLACES = """line => [1, line.textContent.indexOf(":")].map((place) => {
  const range = document.createRange();
  range.setStart(line.firstChild, place);
  range.setEnd(line.firstChild, place + 1);
  return range.getBoundingClientRect().x;
})"""


def order(places: list[float]) -> list[int]:
    """Number the words from left to right."""
    return sorted(range(len(places)), key=places.__getitem__)


def ask(visit: Any, site: str, text: str, language: str) -> Any:
    page = visit(site, "/#" + urlencode({"q": text, "language": language, "in": "news"}))
    page.wait_for_selector("#words button")
    return page


@pytest.mark.parametrize("language", ["sw", "ur"])
@pytest.mark.parametrize(("text", "direction"), TEXTS.items())
def test_words_of_a_question_stand_as_in_plain_text(
    visit: Any, site: str, text: str, direction: str, language: str
) -> None:
    page = ask(visit, site, text, language)
    assert page.get_attribute("#query", "dir") == page.get_attribute("#words", "dir") == direction
    assert page.locator("#words").text_content() == text
    words = page.locator("#words button").all_inner_texts()
    assert words == text.split()
    boxes = [each.bounding_box() for each in page.locator("#words button").all()]
    assert len({round(box["y"]) for box in boxes}) == 1  # one line
    placed = order([box["x"] for box in boxes])
    assert placed == order(page.evaluate(PLAIN_ORDER, [words, direction]))


@pytest.mark.parametrize(("text", "direction"), TEXTS.items())
def test_marked_words_of_a_passage_stand_as_in_plain_text(visit: Any, site: str, text: str, direction: str) -> None:
    page = ask(visit, site, "maize", "sw")
    words = text.split()
    assert order(page.evaluate(MARKED_ORDER, [words, direction])) == order(
        page.evaluate(PLAIN_ORDER, [words, direction])
    )


def test_arrow_keys_follow_the_words_and_not_the_language(visit: Any, site: str) -> None:
    page = ask(visit, site, next(iter(TEXTS)), "sw")
    page.focus("#collection")
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowLeft")
    assert page.evaluate("document.activeElement.dataset.query") == "1"


def test_a_field_turns_as_it_is_typed_in_and_an_empty_one_waits_in_the_language(visit: Any, site: str) -> None:
    page = visit(site)
    page.wait_for_selector("#language option", state="attached")
    seen = []
    for language, typed in [
        ("sw", ""),
        ("sw", "نهر"),
        ("ur", ""),
        ("ur", "river"),
        ("ur", "Nairobi نیروبی"),
        ("ur", "7"),
    ]:
        page.select_option("#language", language)
        page.fill("#query", typed)
        seen.append(page.get_attribute("#query", "dir"))
    assert seen == ["ltr", "rtl", "rtl", "ltr", "rtl", "rtl"]


def test_a_pair_of_sentences_is_drawn_in_the_directions_of_its_words(visit: Any, site: str) -> None:
    page = visit(site, "/#view=align")
    page.wait_for_selector("#align-language option", state="attached")
    page.fill("#translation", "تستغرق الحافلة تسع ساعات")  # with Swahili chosen
    page.fill("#english", "The bus takes nine hours")
    assert page.get_attribute("#translation", "dir") == "rtl"
    assert page.get_attribute("#english", "dir") == "ltr"
    page.keyboard.press("Enter")
    page.wait_for_selector("#heat table")
    for side, turned in ((0, True), (1, False)):
        places = [each.bounding_box()["x"] for each in page.locator(f".node[data-end^='{side}:']").all()]
        assert places == sorted(places, reverse=turned)
    head = page.locator("#heat tbody th").first
    assert head.evaluate("each => getComputedStyle(each).textAlign") == "right"  # beside the cells


def test_a_word_from_right_to_left_does_not_turn_the_sentence_about_it(visit: Any, site: str) -> None:
    page = ask(visit, site, "نهر النيل", "ur")
    page.wait_for_selector(".result.explained")
    page.hover("#words button:text-is('النيل')")
    line = page.locator(".result .line b").first
    assert line.inner_text().strip().startswith("\u2068النيل\u2069:")
    word, colon = line.evaluate(PLACES)
    assert word < colon
