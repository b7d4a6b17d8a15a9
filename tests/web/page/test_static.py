import json
import re
from itertools import product
from pathlib import Path

import pytest
from lxml import html
from starlette.testclient import TestClient

from kivuko.web.app import STATIC

TYPES = {".html": {"text/html"}, ".css": {"text/css"}, ".js": {"text/javascript", "application/javascript"}, ".svg": {"image/svg+xml"}}  # fmt: skip  # noqa: E501
FILES = sorted(STATIC.iterdir())
PAGE = html.fromstring((STATIC / "index.html").read_bytes(), parser=html.HTMLParser(encoding="utf-8"))
SCRIPTS = {path.name: path.read_text(encoding="utf-8") for path in FILES if path.suffix == ".js"}
MESSAGES: dict[str, dict[str, str]] = json.loads(
    SCRIPTS["messages.js"].partition("export const MESSAGES = ")[2].strip().removesuffix(";")
)
SAID_IN = {"message": None, "label": "aria-label", "placeholder": "placeholder"}
SAID = [(node, where) for where in SAID_IN for node in PAGE.xpath(f"//*[@data-{where}]")]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_file_is_served_with_its_type(client: TestClient, path: Path) -> None:
    answer = client.get(f"/static/{path.name}")
    assert answer.content == path.read_bytes()
    assert answer.headers["content-type"].partition(";")[0] in TYPES[path.suffix]


def test_what_the_page_and_its_modules_load_is_there() -> None:
    loaded = PAGE.xpath("//link/@href | //script/@src | //img/@src")
    assert {"static/app.js", "static/style.css"} <= set(loaded)
    imported = [f"static/{name}" for text in SCRIPTS.values() for name in re.findall(r'from "\./([\w.]+)"', text)]
    assert all((STATIC.parent / name).is_file() for name in [*loaded, *imported])
    assert {Path(name).name for name in [*loaded, *imported]} == {path.name for path in FILES} - {"index.html"}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_nothing_points_elsewhere(path: Path) -> None:
    text = path.read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")  # a name, not a place
    assert not re.search(r"https?:|[\"'(=]//", text)


def test_the_page_has_nothing_that_its_security_policy_forbids() -> None:
    assert not PAGE.xpath("//style | //*[@style] | //script[not(@src)]")
    assert not [name for node in PAGE.iter() for name in node.attrib if name.startswith("on")]
    assert not any(re.search(r"innerHTML|outerHTML|insertAdjacentHTML|\beval\(", text) for text in SCRIPTS.values())


def test_every_control_has_a_name() -> None:
    controls = PAGE.xpath("//input | //select | //textarea | //button | //*[@role='toolbar'] | //nav")
    assert len(controls) > 10
    for control in controls:
        labels = control.xpath("ancestor::label") + PAGE.xpath(f"//label[@for='{control.get('id')}']")
        own = control.get("aria-label") or (control.tag == "button" and control.text_content().strip())
        assert own or any(label.text_content().strip() for label in labels), html.tostring(control)


def test_ids_are_unique_and_what_refers_to_them_finds_them() -> None:
    ids = PAGE.xpath("//@id")
    assert len(ids) == len(set(ids))
    referred = PAGE.xpath("//label/@for | //@aria-labelledby | //@aria-describedby")
    referred += [name for text in SCRIPTS.values() for name in re.findall(r'byId\("([\w-]+)"\)', text)]
    assert set(referred) <= set(ids)


def test_every_message_exists_in_both_languages_with_the_same_gaps() -> None:
    english, swahili = MESSAGES["en"], MESSAGES["sw"]
    assert list(english) == list(swahili)
    for key, text in english.items():
        assert sorted(re.findall(r"\{\w+\}", text)) == sorted(re.findall(r"\{\w+\}", swahili[key])), key
        assert swahili[key].strip()


def test_every_message_is_said_somewhere_and_what_is_said_is_a_message() -> None:
    code = "".join(text for name, text in SCRIPTS.items() if name != "messages.js")
    in_page = {node.get(f"data-{where}") for node, where in SAID}
    quoted = set(re.findall(r'"([a-z_]+)"', code))
    begun = tuple(re.findall(r"`([a-z]+_)\$\{", code))
    assert in_page <= set(MESSAGES["en"])
    assert not [key for key in MESSAGES["en"] if key not in in_page | quoted and not key.startswith(begun)]
    said = set(re.findall(r'\b(?:message\(|say\([^"\n]*?(?:"\w+"[^"\n]*?)?\), )"([a-z_]+)"', code))
    assert len(said) > 10
    assert said <= set(MESSAGES["en"])


def test_the_page_says_in_english_what_its_messages_say() -> None:
    assert len(SAID) > 30
    for node, where in SAID:
        attribute = SAID_IN[where]
        text = node.get(attribute) if attribute else node.text_content()
        assert text == MESSAGES["en"][node.get(f"data-{where}")]


@pytest.mark.parametrize("dark", [False, True])
def test_text_stands_out_from_what_is_behind_it(dark: bool) -> None:
    style = (STATIC / "style.css").read_text(encoding="utf-8")
    colors = {name: pair[dark] for name, *pair in re.findall(r"--([\w-]+): light-dark\((#\w{6}), (#\w{6})\)", style)}
    pairs = [*product(("ink", "muted", "water", "alarm"), ("paper", "sheet")), ("ink", "sand"), ("on-water", "water")]
    for front, behind in pairs:
        assert contrast(colors[front], colors[behind]) >= 4.5, (front, behind)
    assert contrast(colors["field"], colors["sheet"]) >= 3  # the edge of a field


def contrast(one: str, other: str) -> float:
    """Contrast ratio of two colors: WCAG 2.2, 'relative luminance' and 'contrast ratio'."""

    def luminance(color: str) -> float:
        parts = [int(color[place : place + 2], 16) / 255 for place in (1, 3, 5)]
        red, green, blue = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def test_contrast_of_black_on_white_is_21() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
