"""The tags of mark-up in a text, told from other words in angle brackets."""

from typing import Final

import regex

# What begins like `<b>`; `<https://example.org>` and `<a@b.org>` do not.
_TAG: Final = regex.compile(r"<(?P<end>/?)(?P<name>\p{L}[\w:.-]*+)(?P<rest>\s[^<>]*)?>|<(?P<empty>\p{L}[\w:.-]*+)/>")
_ATTRIBUTE: Final = regex.compile(r"""[\w:-](?:=[^\s=<>]|\s*=\s*["'])|^\s+/$""")
_BREAK_NAMES: Final = "br p div li tr td th h1 h2 h3 h4 h5 h6"
# Elements that stand in sentences; no placeholder is called so.
_SENTENCE_NAMES: Final = (
    "a abbr acronym b bdi bdo big blockquote center dd del dfn dl dt em font hr i img ins kbd nobr ol pre s samp small "
    "span strike strong sub sup tbody tfoot thead tt u ul wbr"
)
# Those that may also be what `Enter <code>` or `<address>` leaves to fill in.
_OTHER_NAMES: Final = (
    "address article aside button caption cite code col colgroup details fieldset figcaption figure footer form header "
    "iframe input label legend main mark nav option q ruby rt rp section select source summary table textarea time "
    "title var video"
)
_BREAKS: Final = frozenset(_BREAK_NAMES.split())
_KNOWN: Final = _BREAKS.union(_SENTENCE_NAMES.split())
_HTML: Final = _KNOWN.union(_OTHER_NAMES.split())


def without_tags(text: str, *, is_resolved: bool = False) -> str:
    """Drop the tags of mark-up; those that break a line become a space.

    A tag is one of a name that HTML has for parts of a sentence, or of any name with attributes, without content
    (`<x/>`), or with its end in the same text. All else in angle brackets is text: `<your name>`, `<Ctrl>`.

    Args:
        text: As it stands in a file.
        is_resolved: Whether the angle brackets may have been character references, as where a text tells of a tag:
            then only those of HTML go, of which both ends are there or that have attributes, and line breaks.

    Example:
        >>> without_tags('Press <Ctrl> <b>now</b>,<br/><x:g id="1">if a <b and c> d</x:g>')
        'Press <Ctrl> now, if a <b and c> d'
        >>> without_tags("Type <b> for <i>bold</i>", is_resolved=True)
        'Type <b> for bold'
    """
    if "<" not in text:
        return text
    found = [each for each in _TAG.finditer(text) if each["name"]]
    ended = {each["name"].lower() for each in found if each["end"]}
    begun = {each["name"].lower() for each in found if not each["end"] and (_is_bare(each) or _has_attributes(each))}

    def put(tag: regex.Match[str]) -> str:
        name = str(tag["name"] or tag["empty"]).lower()
        if tag["empty"] or _has_attributes(tag):
            is_tag = True
        elif not _is_bare(tag):
            is_tag = False
        else:
            is_tag = name in (begun if tag["end"] else ended) or (name in _KNOWN and not is_resolved) or name == "br"
        if not is_tag or (is_resolved and name not in _HTML):
            return str(tag[0])
        return " " if name in _BREAKS else ""

    return str(_TAG.sub(put, text))


def _is_bare(tag: regex.Match[str]) -> bool:
    return not (tag["rest"] or "").strip()


def _has_attributes(tag: regex.Match[str]) -> bool:
    return bool(tag["rest"]) and _ATTRIBUTE.search(tag["rest"]) is not None
