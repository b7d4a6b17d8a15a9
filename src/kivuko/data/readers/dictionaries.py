"""Readers of bilingual dictionaries: StarDict, dictd and FreeDict's TEI, as word pairs with weights."""

import re
import warnings
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import NamedTuple

from lxml import etree

from kivuko.data.readers.definitions import plain_text, translations_in
from kivuko.data.readers.directions import english_is_first
from kivuko.data.readers.markup import elements, text_of
from kivuko.data.readers.records import COMPRESSED, ReaderOptions, Record
from kivuko.data.readers.streams import MAX_LINE_BYTES, read_lines, read_whole
from kivuko.errors import ConfigError, DataError

MAX_DICTIONARY_BYTES = 200_000_000
MAX_WORDS = 5
_DIGITS = {
    digit: value for value, digit in enumerate("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")
}
_NUMBER = re.compile("[A-Za-z0-9+/]{1,11}")
_LANGUAGE = "{http://www.w3.org/XML/1998/namespace}lang"
_ENTRIES_THAT_TELL = 20


class _Entry(NamedTuple):
    headword: str
    translations: Sequence[str]
    flaw: str = ""


def read_stardict(path: Path, options: ReaderOptions) -> Iterator[Record]:
    """Read the dictionary of an `.ifo` file with the `.idx` and `.dict` beside it.

    The records of an entry share its weight. A translation of more than `MAX_WORDS` words explains, and is a flaw.

    Args:
        path: The `.ifo` file.
        options: `english="2"`, `translation="1"` say that the headwords are not the English; else the name does
            (`swh-eng`, `Swahili_English`), or what the dictionary says of itself, or they are, with a warning.

    Raises:
        DataError: If a file is missing, damaged, or not of the length that the `.ifo` says.
    """
    told = dict(line.text.partition("=")[::2] for line in read_lines(path))
    index = read_whole(_beside(path, ".idx"), limit=MAX_DICTIONARY_BYTES)
    if told.get("idxfilesize") != str(len(index)):
        raise DataError(
            f"{path} says that its .idx is {told.get('idxfilesize')} bytes long, but it has {len(index)}. Is it whole?"
        )
    content = read_whole(_beside(path, ".dict"), limit=MAX_DICTIONARY_BYTES)
    width = 8 if told.get("idxoffsetbits") == "64" else 4
    return _records(
        _stardict_entries(index, content, width, told.get("sametypesequence", "")),
        path,
        options,
        [told.get("bookname", "")],
    )


def read_dictd(path: Path, options: ReaderOptions) -> Iterator[Record]:
    """Read the dictionary of an `.index` file with the `.dict` or `.dict.dz` beside it, as `read_stardict` does."""
    content = read_whole(_beside(path, ".dict"), limit=MAX_DICTIONARY_BYTES)
    return _records(_dictd_entries(path, content), path, options, _dictd_title(path, content))


def read_tei(path: Path, options: ReaderOptions) -> Iterator[Record]:
    """Read FreeDict's TEI: the first spelling and the translations of each entry, as `read_stardict` does."""
    return _records(map(_tei_entry, elements(path, "entry")), path, options, _tei_languages(path))


def _records(entries: Iterable[_Entry], path: Path, options: ReaderOptions, told: Iterable[str]) -> Iterator[Record]:
    """Yield the records of entries; `told` is what the dictionary says of its languages, in words."""
    is_english = _headwords_are_english(path, options, told)
    found = False
    for number, (headword, translations, flaw) in enumerate(entries, start=1):
        found = True
        if flaw or not translations:
            yield Record(number, headword, "", flaw or "no translation")
            continue
        for translation in translations:
            sides = (headword, translation) if is_english else (translation, headword)
            is_long = max(len(side.split()) for side in sides) > MAX_WORDS
            yield Record(number, *sides, "explanation, no word" if is_long else "", 1 / len(translations))
    if not found:
        raise DataError(f"{path} is a dictionary without an entry.")


def _headwords_are_english(path: Path, options: ReaderOptions, described: Iterable[str]) -> bool:
    told = (options.english, options.translation)
    if told != (None, None):
        if told not in (("1", "2"), ("2", "1")):
            raise ConfigError(
                f"{path}: in a dictionary column 1 is the headwords and 2 their translations; give --english 2 "
                f"--translation 1, or the other way round, not {told[0]} and {told[1]}."
            )
        return told[0] == "1"
    is_first = english_is_first(chain([path.name], described))
    if is_first is None:
        warnings.warn(
            f"{path}: nothing says which side is English, so the headwords are taken for it. If they are not, give "
            "--english 2 --translation 1, or the files a name with both codes (`swh-eng`); if they are, --english 1 "
            "--translation 2.",
            stacklevel=2,
        )
    return is_first is not False


def _beside(path: Path, suffix: str) -> Path:
    candidates = [path.with_suffix(suffix + compressed) for compressed in ("", *COMPRESSED)]
    there = [candidate for candidate in candidates if candidate.is_file()]
    if not there:
        raise DataError(f"{candidates[0]}: expected this beside {path.name}, plain or compressed; there is none.")
    return there[0]


def _stardict_entries(index: bytes, content: bytes, width: int, types: str) -> Iterator[_Entry]:
    place = 0
    while place < len(index):
        end = index.find(b"\0", place)
        numbers = index[end + 1 : end + 1 + width + 4]
        if end < 0 or len(numbers) < width + 4:
            raise DataError("The .idx file of the dictionary ends within an entry. Is it whole?")
        headword = index[place:end].decode(errors="replace")
        start, size = int.from_bytes(numbers[:width], "big"), int.from_bytes(numbers[width:], "big")
        place = end + 1 + width + 4
        flaw = _place_flaw(start, size, content)
        texts = [
            text if kind == "m" else plain_text(text)
            for kind, text in _fields(b"" if flaw else content[start : start + size], types)
            if kind in "mlghxw"
        ]
        yield _entry(headword, "\n".join(texts), flaw)


def _fields(data: bytes, types: str) -> Iterator[tuple[str, str]]:
    """Yield the kind and the text of each field of a StarDict entry; binary fields are passed over."""
    place, kinds, number = 0, types, 0
    while place < len(data) and (not kinds or number < len(kinds)):
        if kinds:
            kind, is_last = kinds[number], number == len(kinds) - 1
            number += 1
        else:
            kind, is_last = chr(data[place]), False
            place += 1
        if kind.isupper():
            size = len(data) - place if is_last else int.from_bytes(data[place : place + 4], "big")
            place += size if is_last else 4 + size
            continue
        end = len(data) if is_last else data.find(b"\0", place)
        end = len(data) if end < 0 else end
        yield kind, data[place:end].decode(errors="replace")
        place = end + 1


def _dictd_entries(path: Path, content: bytes) -> Iterator[_Entry]:
    for line in read_lines(path):
        columns = line.text.split("\t")
        if line.text.startswith(("00database", "00-database")):
            continue
        if len(columns) < 3 or not all(map(_NUMBER.fullmatch, columns[1:3])):
            yield _Entry(line.text, (), line.flaw or "no index entry")
            continue
        start, size = map(_number, columns[1:3])
        flaw = _place_flaw(start, size, content)
        text = "" if flaw else content[start : start + size].decode(errors="replace")
        # A fourth column has the headword as it is spelt; the first is folded for the search.
        yield _entry(columns[3] if len(columns) > 3 else columns[0], text, flaw)


def _dictd_title(path: Path, content: bytes) -> Iterator[str]:
    """Yield what the database calls itself."""
    for line in read_lines(path):
        columns = line.text.split("\t")
        if columns[0] in ("00databaseshort", "00-database-short") and all(map(_NUMBER.fullmatch, columns[1:3])):
            start, size = map(_number, columns[1:3])
            yield content[start : start + min(size, MAX_LINE_BYTES)].decode(errors="replace")


def _number(digits: str) -> int:
    """Read a number of dictd's index, whose digits are those of base64.

    Example:
        >>> _number("BA")
        64
    """
    value = 0
    for digit in digits:
        value = value * 64 + _DIGITS[digit]
    return value


def _place_flaw(start: int, size: int, content: bytes) -> str:
    if start + size > len(content):
        return "entry outside the dictionary"
    return f"entry longer than {MAX_LINE_BYTES} bytes" if size > MAX_LINE_BYTES else ""


def _entry(headword: str, text: str, flaw: str) -> _Entry:
    if flaw:
        return _Entry(headword, (), flaw)
    if "\ufffd" in headword + text:
        return _Entry(headword, (), "not valid UTF-8")
    return _Entry(headword, translations_in(text, headword))


def _tei_entry(entry: etree._Element) -> _Entry:
    spellings = entry.iterfind("{*}form/{*}orth")
    headword = " ".join(text_of(next(spellings, etree.Element("none"))).split())
    found = [
        " ".join(text_of(element).split())
        for element in entry.iter("{*}quote", "{*}tr")
        if not any(_is_example(parent) for parent in element.iterancestors("{*}cit"))
        and (etree.QName(element).localname == "tr" or _is_translation(element.getparent()))
    ]
    return _Entry(headword, tuple(dict.fromkeys(text for text in found if text)), "" if headword else "no headword")


def _tei_languages(path: Path) -> Iterator[str]:
    """Yield the languages of the first entries, `sw-en`, and the title."""
    titles = []
    for element in islice(elements(path, "titleStmt", "entry"), _ENTRIES_THAT_TELL):
        if etree.QName(element).localname == "titleStmt":
            titles.append(text_of(element))
            continue
        headword = next((_language(form) for form in element.iter("{*}orth", "{*}form")), "")
        translations = (each for each in element.iter("{*}quote", "{*}tr") if _is_translation(each.getparent()))
        if headword and (translation := next(map(_language, translations), "")):
            yield f"{headword}-{translation}"
    yield from titles


def _language(element: etree._Element) -> str:
    """Return the language that an element says it is in, or one around it below the whole document."""
    told = (each.get(_LANGUAGE, "") for each in (element, *element.iterancestors()) if each.getparent() is not None)
    return next((language.partition("-")[0].lower() for language in told if language), "")


def _is_translation(parent: etree._Element | None) -> bool:
    return parent is not None and parent.get("type", "").lower() in ("trans", "translation")


def _is_example(parent: etree._Element) -> bool:
    return parent.get("type", "").lower() in ("example", "dicteg")
