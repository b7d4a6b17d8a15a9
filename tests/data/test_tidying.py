from collections import Counter

import pytest

from kivuko.data.shingles import text_key
from kivuko.data.tidying import placeholders, tidy
from kivuko.models.words import Analyzer


def test_joiners_stay_where_words_are_spelt_with_them() -> None:
    assert tidy("क\u200dष\u200c") == "क\u200dष\u200c"
    assert tidy("می\u200cخواهم") == "می\u200cخواهم"
    assert tidy("a\u200cb \u200d7\u200c") == "ab 7"


def test_invisible_characters_go_and_letters_stay() -> None:
    assert tidy("a\u00adb\u200b\ufeff\x07 c") == "ab c"
    assert tidy("ﬁ Ａ") == "ﬁ Ａ"


@pytest.mark.parametrize(
    ("text", "tidied"),
    [
        ("e\u0323\u0301", "ẹ\u0301"),  # Yoruba: no letter of its own for the second mark
        ("ﻣﺮﺣﺒﺎ", "مرحبا"),
        ("مـــرحبا", "مرحبا"),
        ("അവന\u0d4d\u200d", "അവൻ"),
        ("হঠাত\u09cd\u200d", "হঠাৎ"),
    ],
)
def test_a_letter_is_written_in_one_way(text: str, tidied: str) -> None:
    assert tidy(text) == tidied
    assert tidy(tidied) == tidied


def test_each_step_is_counted_where_it_changes_something() -> None:
    steps: Counter[str] = Counter()
    for text in ("a &amp; b", "a & b < c", "<i>é</i>", "a\u200bb", "e\u0301"):
        tidy(text, steps)
    assert steps == {"character references": 1, "tags": 1, "invisible characters": 1, "letters": 1}


def test_order_of_the_arguments_is_the_translators() -> None:
    assert placeholders("%s has %d") == placeholders("%2$d kwa %1$s")
    assert placeholders("%s has %s") != placeholders("%s ana")


def test_numbers_behind_a_sign_are_filled_in_unless_they_are_amounts() -> None:
    assert placeholders("%1 files in %L2") == ["%1", "%L2"]
    assert placeholders("$1 edits", "mahariri $1") == placeholders("mahariri $1", "$1 edits") == ["$1"]
    assert placeholders("共%1个") == ["%1"]
    assert placeholders("$4, 5% less", "dola 4") == placeholders("%5 indirim", "5% off") == []
    assert placeholders("$4, %s", "four %s") == ["%s"]
    assert placeholders("$1 of $2", "$1") == ["$1", "$2"]
    assert placeholders("$5", "५ डॉलर") == placeholders("$1,000 or $2.50") == []


def test_templates_of_web_pages_have_placeholders() -> None:
    assert placeholders("{{ limit }} or less, {{count}}") == ["{{ limit }}", "{{count}}"]


def test_only_what_ends_as_a_reference_is_one() -> None:
    for text in ("News&notes", "Qt &region", "&copy2", "&ampere", "&lt5", "&nosuch; &notit;", "&#39s", "a & b;"):
        assert tidy(text) == text
    assert tidy("&copy; &#39;&#x27; &AMP; &quot, &gt&lt &amp.") == "© '' & \", >< &."
    assert tidy("&amp;lt;") == "&lt;"


@pytest.mark.parametrize("text", ["ខ្ញុំ\u200bចង់", "မြန်မာ\u200bစာ", "ພາສາ\u200bລາວ", "ภาษา\u200b\u200bไทย"])
def test_space_of_no_width_ends_a_word_where_none_are_spaced(text: str) -> None:
    tidied = tidy(f"\u200b{text}\u200b.")
    assert tidied.split() == [*text.replace("\u200b", " ").split()[:1], text.rpartition("\u200b")[2] + "."]
    assert len(Analyzer().words(text)) == 2
    assert Analyzer().words(text) == Analyzer().words(tidied)
    assert text_key(text) == text_key(tidy(text))


@pytest.mark.parametrize(
    "text",
    [
        "if a <b and c> d",
        "Use <your name> here",
        "Press <Ctrl> and <Alt>",
        "Enter <code> or <email address>",
        "Enter </path>",
        "<https://example.org> <a@b.org>",
        "a <b, c> <- d",
    ],
)
def test_words_in_angle_brackets_that_are_no_markup_stay(text: str) -> None:
    assert tidy(text) == text
    assert tidy(text.replace("<", "&lt;").replace(">", "&gt;")) == text


@pytest.mark.parametrize(
    ("text", "tidied"),
    [
        ("Type &lt;b&gt; for bold", "Type <b> for bold"),
        ("5 &lt;x&gt; 6, 5 &lt;x/&gt; 6", "5 <x> 6, 5 <x/> 6"),
        ("&lt;b&gt;Yes&lt;/b&gt;&lt;br&gt;No", "Yes No"),
        ("&lt;a href='x'&gt;Yes&lt;/a&gt;", "Yes"),
        ("<b>5 &lt; 6 &gt; 4</b>", "5 < 6 > 4"),
        ("Type <code>&lt;b&gt;</code>", "Type <b>"),
        ("<b>Yes", "Yes"),
        ("one.</p><p class=x>Two<br />three", "one. Two three"),
        ('<xliff:g id="1">Yes</xliff:g><x id="2"/>', "Yes"),
        ("<Foo >Yes</Foo> <u >No</u>", "Yes No"),
        ('<A HREF="a?b&amp;c">Yes</A>', "Yes"),
    ],
)
def test_tags_are_dropped_and_those_that_a_text_tells_of_stay(text: str, tidied: str) -> None:
    assert tidy(text) == tidied


def test_each_side_counts_once_for_its_tags() -> None:
    steps: Counter[str] = Counter()
    assert tidy("<i>a</i> &lt;b&gt;c&lt;/b&gt;", steps) == "a c"
    assert steps == {"tags": 1, "character references": 1}
