"""What is taken out of a sentence, or written in one way, before it is judged."""

import html
import unicodedata
from collections import Counter
from html.entities import html5

import regex

from kivuko.data.tags import without_tags

# Joiners spell words in Persian and in Indic scripts; everything else that is invisible goes.
_INVISIBLE = regex.compile(r"\p{Cc}|(?![\u200c\u200d])\p{Cf}|\p{Co}|\p{Cs}|\ufffe|\uffff")
# Scripts without spaces between words, where a space of no width may stand for one.
_UNSPACED = r"\p{Khmer}\p{Lao}\p{Myanmar}\p{Thai}"
_WORD_END = regex.compile(rf"(?<=[{_UNSPACED}])\u200b+(?=[{_UNSPACED}])")
# Behind these scripts, behind digits, spaces and punctuation, no joiner spells anything.
_IDLE_JOINER = regex.compile(
    r"(?:(?<=[\p{Latin}\p{Cyrillic}\p{Greek}\p{Armenian}\p{Georgian}\p{Hebrew}\p{Ethiopic}\p{Han}\p{Kana}\p{Hira}"
    r"\p{Hangul}\p{N}\p{P}\s])|^)[\u200c\u200d]+"
)
# Without a semicolon these four only, and only where no word goes on: `News&notes` holds no reference to `not`.
_REFERENCE = regex.compile(
    r"&(?:#[0-9]{1,9}+|#[xX][0-9A-Fa-f]{1,8}+|[A-Za-z][A-Za-z0-9]{1,31}+);|&(?:amp|lt|gt|quot)(?![\p{L}\p{N};])"
)
# Arabic letters in the shapes that they take in a word, as old fonts encoded them, and the stroke that lengthens one.
_ARABIC_SHAPES = regex.compile(r"[\ufb50-\ufdff\ufe70-\ufefc]+|\u0640+")
# Letters that Unicode 5.1 gave a code of their own, and how they were spelt before: a consonant, a virama, a joiner.
_ATOMIC = {
    **{f"{letter}\u0d4d\u200d": chillu for letter, chillu in zip("ണനരലളക", "ൺൻർൽൾൿ", strict=True)},
    "\u09a4\u09cd\u200d": "\u09ce",
}
_SPELT = regex.compile("|".join(_ATOMIC))
_PLACEHOLDER = regex.compile(
    r"%(?:\(\w+\)|\d+\$)?[-+0#]*\d*(?:\.\d+)?(?:l{1,2}|h{1,2}|z)?[sdiufFxXeEgGcr@](?!\p{L})"
    r"|\{\{\s*[\w.:-]+\s*\}\}|\$?\{[\w.:-]*\}"
    r"|(?<!\p{Nd})(?:%L?|\$)\p{Nd}{1,3}+(?!\p{Nd}|[.,]\p{Nd})"
)
# `%1` of Qt and `$1` of MediaWiki, which are not told from `%5` in Turkish and from money by themselves.
_NUMBERED = regex.compile(r"[%$]L?(\p{Nd}+)")
_BARE_NUMBER = regex.compile(r"(?<![\p{Nd}%$]|%L)\p{Nd}+")
_POSITION = regex.compile(r"%\d+\$")


def tidy(text: str, steps: Counter[str] | None = None) -> str:
    r"""Drop tags, resolve character references, drop invisible characters, compose letters, fold white space.

    Letters are composed by NFC, which changes none into another, unlike NFKC. Joiners stay where they spell words.
    Arabic letters in the shapes of old fonts become letters, Malayalam chillus and the Bengali khanda ta have one code.
    A space of no width becomes a plain one where `space_words` says so.

    Args:
        text: A side of a pair.
        steps: Where to count which steps changed anything.

    Example:
        >>> tidy("Fish &amp; <b>chips</b><br/>cafe\u0301\u200b")
        'Fish & chips café'
        >>> tidy("\ufee3\ufeae\ufea3\ufe92\ufe8e") == "\u0645\u0631\u062d\u0628\u0627"
        True
    """
    if "<" in text or "&" in text:
        text = _without_markup(text, steps)
    if text.isascii() and text.isprintable():
        return " ".join(text.split())
    text = " ".join(text.split())
    visible = _IDLE_JOINER.sub("", _INVISIBLE.sub("", space_words(text)))
    text = _step("invisible characters", text, visible, steps)
    letters = _ARABIC_SHAPES.sub(lambda found: unicodedata.normalize("NFKC", found[0]).replace("\u0640", ""), text)
    letters = _SPELT.sub(lambda found: _ATOMIC[found[0]], letters)
    return " ".join(_step("letters", text, unicodedata.normalize("NFC", letters), steps).split())


def space_words(text: str) -> str:
    r"""Write a space for U+200B between letters of Khmer, Lao, Burmese and Thai, where it ends a word.

    Args:
        text: Any text.

    Example:
        >>> space_words("\u0e01\u200b\u0e02 a\u200bb") == "\u0e01 \u0e02 a\u200bb"
        True
    """
    return str(_WORD_END.sub(" ", text)) if "\u200b" in text else text


def resolve_references(text: str) -> str:
    """Resolve the character references of HTML that end in a semicolon.

    Without one `&amp`, `&lt`, `&gt` and `&quot` are resolved too, unless a letter or digit follows.

    Args:
        text: As it stands in a page.

    Example:
        >>> resolve_references("Fish &amp; &#99;hips, &lt 5: News&notes &notit;")
        'Fish & chips, < 5: News&notes &notit;'
    """
    return str(_REFERENCE.sub(_resolved, text))


def _without_markup(text: str, steps: Counter[str] | None) -> str:
    """Drop tags and resolve references, in this order, so that `Type &lt;b&gt; for bold` keeps its text."""
    untagged = without_tags(text)
    resolved = resolve_references(untagged)
    if resolved == untagged:
        return _step("tags", text, untagged, steps)
    _step("character references", untagged, resolved, steps)
    found = without_tags(resolved, is_resolved=True)
    if steps is not None and (untagged != text or found != resolved):
        steps["tags"] += 1
    return found


def _resolved(reference: regex.Match[str]) -> str:
    told = reference[0].removesuffix(";")
    return html.unescape(f"{told};") if told[1] == "#" else html5.get(f"{told[1:]};", reference[0])


def placeholders(text: str, other: str = "") -> list[str]:
    """Return the places of a text that a program fills in, sorted; which argument goes where makes no difference.

    A number behind a sign, as in `%1` and `$1`, is no such place if it also stands without one, as in 5% and 4 dollars,
    or if the other side has none like it, which may write out what it costs.

    Args:
        text: A side of a pair.
        other: The other side, where such a number may stand.

    Example:
        >>> placeholders("%2$s of {total} in %1$d"), placeholders("5% off")
        (['%d', '%s', '{total}'], [])
    """
    if not _has_sign(text):
        return []
    found = _PLACEHOLDER.findall(text)
    if any(_NUMBERED.fullmatch(each) for each in found):
        if other and not any(_NUMBERED.fullmatch(each) for each in _PLACEHOLDER.findall(other)):
            return sorted(_POSITION.sub("%", each) for each in found if not _NUMBERED.fullmatch(each))
        bare = {int(number) for number in _BARE_NUMBER.findall(f"{text} {other}") if len(number) < 19}
        numbers = [_NUMBERED.fullmatch(each) for each in found]
        found = [each for each, told in zip(found, numbers, strict=True) if not (told and int(told[1]) in bare)]
    return sorted(_POSITION.sub("%", each) for each in found)


def without_placeholders(text: str) -> str:
    """Return a text without the places that a program fills in."""
    return str(_PLACEHOLDER.sub("", text)) if _has_sign(text) else text


def _has_sign(text: str) -> bool:
    return "%" in text or "{" in text or "$" in text


def _step(name: str, before: str, after: str, steps: Counter[str] | None) -> str:
    if steps is not None and before != after:
        steps[name] += 1
    return after
