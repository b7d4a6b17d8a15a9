"""Readers of translation memories in XML: TMX and XLIFF."""

from collections.abc import Iterator
from pathlib import Path

import regex
from lxml import etree

from kivuko.data.formats.tatoeba import ISO_639_3
from kivuko.data.readers.records import ReaderOptions, Record
from kivuko.data.readers.streams import open_stream, read_whole
from kivuko.data.tidying import resolve_references
from kivuko.errors import ConfigError, DataError

_TWO_LETTERS = {"eng": "en"} | {three: two for two, three in ISO_639_3.items()}
_LANGUAGE = "{http://www.w3.org/XML/1998/namespace}lang"
_HEADER = "x-gettext-domain-header"  # what XLIFF that was made of a PO file keeps of it
_UNTRANSLATED = ("new", "needs-translation")
# Elements whose content is code of the document that was translated, not its text.
_CODES = frozenset({"bpt", "ept", "ph", "it", "ut"})
# Those that stand for something between words, unlike the ends of what is bold.
_PLACES = frozenset({"ph", "x"})
_PLACE = "\0"  # XML can hold none
_BETWEEN = regex.compile(r"(?<=[\p{L}\p{M}\p{N}])\0+(?=[\p{L}\p{M}\p{N}])")


def read_tmx(path: Path, options: ReaderOptions) -> Iterator[Record]:
    """Read the units of a translation memory (TMX 1.1 to 1.4b), the first variant of each language.

    Raises:
        ConfigError: If no language is given.
        DataError: If the file is damaged, declares entities, or has nothing in the language.
    """
    if options.language is None:
        raise ConfigError(f"{path}: a translation memory can hold many languages: give --language.")
    seen: set[str] = set()
    for number, unit in enumerate(elements(path, "tu"), start=1):
        texts: dict[str, str] = {}
        for variant in unit.iterchildren("{*}tuv"):
            tag = _tag(variant.get(_LANGUAGE) or variant.get("lang") or "")
            seen.add(tag)
            segment = next(variant.iterchildren("{*}seg"), None)
            for code in ("en", options.language):
                if segment is not None and is_in_language(tag, code):
                    texts.setdefault(code, text_of(segment))
        missing = [code for code in ("en", options.language) if code not in texts]
        flaw = f"no variant in {missing[0]}" if missing else ""
        yield Record(number, texts.get("en", ""), texts.get(options.language, ""), flaw)
    for code in ("en", options.language):
        if not any(is_in_language(tag, code) for tag in seen):
            raise DataError(
                f"{path} has nothing in {code!r}; its languages are {', '.join(sorted(seen - {''})) or 'none'}."
            )


def read_xliff(path: Path, options: ReaderOptions) -> Iterator[Record]:
    """Read the sources and targets of an XLIFF 1.2 or 2.x file.

    Raises:
        DataError: If the file is damaged, declares entities, or says that its languages are others.
    """
    number = 0
    for element in elements(path, "trans-unit", "segment", starts=("file", "xliff")):
        if etree.QName(element).localname in ("file", "xliff"):
            _check_languages(path, element, options)
            continue
        number += 1
        source, target = (next(element.iterchildren(f"{{*}}{side}"), None) for side in ("source", "target"))
        flaw = "" if target is not None else "no target"
        if element.get("restype") == _HEADER:
            flaw = "header of a catalogue"
        elif next((each.get("translate") for each in _upwards(element) if each.get("translate")), "yes") == "no":
            flaw = "not to be translated"
        elif target is not None and (target.get("state") in _UNTRANSLATED or element.get("state") == "initial"):
            flaw = "not translated"
        yield Record(number, "" if source is None else text_of(source), "" if target is None else text_of(target), flaw)


def _upwards(element: etree._Element) -> Iterator[etree._Element]:
    yield element
    yield from element.iterancestors()


def parse_tree(path: Path, *, limit: int) -> etree._Element:
    """Read a whole XML file and return its root.

    Raises:
        DataError: If it is damaged, longer than `limit` bytes, or declares entities.
    """
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
    try:
        root = etree.fromstring(read_whole(path, limit=limit), parser)
    except etree.XMLSyntaxError as error:
        raise _damage(path, error) from error
    _refuse_entities(path, root)
    return root


def _damage(path: Path, error: etree.XMLSyntaxError) -> DataError:
    if "XML_PARSE_HUGE" in str(error):
        return DataError(
            f"{path}, line {error.lineno}: a text of more than 10 MB, or more than 256 elements within another."
        )
    return DataError(f"{path} is no well-formed XML: {error}.")


def _check_languages(path: Path, element: etree._Element, options: ReaderOptions) -> None:
    for names, expected in ((("source-language", "srcLang"), "en"), (("target-language", "trgLang"), options.language)):
        told = element.get(names[0]) or element.get(names[1])
        if told and expected and is_other_language(told, expected):
            raise DataError(f"{path}: its {names[0]} is {told!r}, expected {expected!r}.")


def elements(path: Path, *ends: str, starts: tuple[str, ...] = ()) -> Iterator[etree._Element]:
    """Yield elements when they end (or start), and forget each afterwards."""
    with open_stream(path) as stream:
        try:
            events = etree.iterparse(
                stream,
                events=("start", "end"),
                resolve_entities=False,
                no_network=True,
                load_dtd=False,
                huge_tree=False,
            )
            for event, element in events:
                if not isinstance(element.tag, str):
                    continue
                name = etree.QName(element).localname
                if event == "start":
                    if element.getparent() is None:
                        _refuse_entities(path, element)
                    if name in starts:
                        yield element
                elif name in ends:
                    yield element
                    _forget(element)
        except etree.XMLSyntaxError as error:
            raise _damage(path, error) from error


def _refuse_entities(path: Path, root: etree._Element) -> None:
    declared = root.getroottree().docinfo.internalDTD
    if declared is not None and declared.entities():  # type: ignore[attr-defined]
        raise DataError(f"{path} declares XML entities, which can hide an attack. Remove its <!ENTITY> lines.")


def _forget(element: etree._Element) -> None:
    element.clear()
    parent = element.getparent()
    while parent is not None and element.getprevious() is not None:
        del parent[0]


def text_of(element: etree._Element) -> str:
    """Return the text of an element and of what is in it, without codes of the document that was translated.

    A space is left for a `ph` or `x` between letters or digits.
    """
    return str(_BETWEEN.sub(" ", _text_with_places(element))).replace(_PLACE, "")


def _text_with_places(element: etree._Element) -> str:
    parts = [element.text or ""]
    for child in element:
        name = etree.QName(child).localname if isinstance(child.tag, str) else ""
        if not name:
            parts.append(reference_text(child))
        elif name in _PLACES:
            parts.append(_PLACE)
        if name and name not in _CODES:
            parts.append(_text_with_places(child))
        parts.append(child.tail or "")
    return "".join(parts)


def reference_text(node: etree._Element) -> str:
    """Return what a reference to an entity that only a DTD elsewhere declares stands for, by HTML's names.

    One that HTML does not know stays as it is written. Comments and processing instructions have no text.
    """
    return resolve_references(node.text or "") if node.tag is etree.Entity else ""


def is_in_language(tag: str, language: str) -> bool:
    """Say whether a language tag is of a language, or of a part of it; two and three letters are the same to it.

    Example:
        >>> [is_in_language(tag, "sw") for tag in ("sw", "sw_KE", "SWH", "so")], is_in_language("zh-TW", "zh_CN")
        ([True, True, True, False], False)

    References:
        RFC 4647, "Matching of Language Tags", section 3.3.1.
    """
    return f"{_tag(tag)}-".startswith(f"{_tag(language)}-")


def is_other_language(told: str, expected: str) -> bool:
    """Say whether neither of two language tags is of a part of the other.

    Example:
        >>> is_other_language("sw_KE", "sw"), is_other_language("zh", "zh-TW"), is_other_language("de", "sw")
        (False, False, True)
    """
    return not (is_in_language(told, expected) or is_in_language(expected, told))


def _tag(language: str) -> str:
    """Return a language tag in one spelling: `zh-tw`, and two letters where there are two."""
    first, dash, rest = language.strip().replace("_", "-").replace("@", "-").lower().partition("-")
    return f"{_TWO_LETTERS.get(first, first)}{dash}{rest}"
