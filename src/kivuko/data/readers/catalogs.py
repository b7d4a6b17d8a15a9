"""Readers of gettext catalogues, the texts of free software and their translations."""

import re
import struct
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import polib
import regex

from kivuko.data.readers.markup import is_other_language
from kivuko.data.readers.records import ReaderOptions, Record
from kivuko.data.readers.streams import read_whole
from kivuko.errors import DataError

MAX_CATALOG_BYTES = 50_000_000

# The letter that a menu is opened by: `_Open` in GTK, `&Open` in Qt; Chinese, Japanese and Korean append it: `(_O)`.
# Within a word (`E_xit`) it is a small letter or one of a script without any, unlike in `R&D`; and `&amp;` is none.
_MNEMONIC = regex.compile(
    r"\s*(?P<appended>\((?P<mark>[_&])\w\))"
    r"|(?<![\w&])(?P<mark>_|&(?!\w+;))(?=\w)"
    r"|(?P<within>(?<=\p{L}\p{M}*)(?P<mark>[_&])(?=[\p{Ll}\p{Lo}]))"
)
_MARKED_WORD = regex.compile(r"[\w&]*[_&][\w&]*")
# `sw`, `sw_KE.UTF-8`, `sr@latin`
_LANGUAGE = re.compile(r"([A-Za-z]{2,3}(?:[_-][A-Za-z0-9]{2,8})*(?:@\w+)?)(?:\.[\w-]+)?")
_QUOTED = re.compile(r'[^"]*"[^"\\]*(?:\\.[^"\\]*)*"')
_BYTE_ORDERS = {b"\xde\x12\x04\x95": "<", b"\x95\x04\x12\xde": ">"}


class OtherLanguageError(DataError):
    """A catalogue that says that it is in another language."""


def read_po(path: Path, options: ReaderOptions) -> Iterator[Record]:
    """Read a PO catalogue; what is obsolete, fuzzy or not translated is a record with a flaw.

    Of a text with plural forms the last ones are taken, which are the plural in both languages.

    Raises:
        DataError: If the file is no PO catalogue or longer than `MAX_CATALOG_BYTES`, or its header names another
            language than the one that was asked for.
    """
    content = read_whole(path, limit=MAX_CATALOG_BYTES)
    return read_catalog(content, path, is_compiled=False, language=options.language)


def read_mo(path: Path, options: ReaderOptions) -> Iterator[Record]:
    """Read a compiled (MO) catalogue, as `read_po` does."""
    content = read_whole(path, limit=MAX_CATALOG_BYTES)
    return read_catalog(content, path, is_compiled=True, language=options.language)


def read_catalog(content: bytes, path: Path, *, is_compiled: bool, language: str | None = None) -> Iterator[Record]:
    """Read the bytes of a PO or MO catalogue.

    Raises:
        OtherLanguageError: If the header names another language than `language`, or another part of it.
        DataError: If they are none, or not whole.
    """
    parse: Callable[..., Any] = polib.mofile if is_compiled else polib.pofile
    # The library takes the path of an uncompressed file, and finds its encoding there.
    with tempfile.NamedTemporaryFile(suffix=".catalog") as plain:
        plain.write(content)
        plain.flush()
        try:
            _check_strings(content) if is_compiled else _check_end(content.decode(polib.detect_encoding(plain.name)))
            catalog = parse(plain.name)
            entries = list(catalog)
        except (OSError, ValueError, LookupError, struct.error) as error:
            reason = str(error).replace(plain.name, path.name)
            raise DataError(f"{path} is no readable gettext catalogue: {reason}.") from error
    _check_language(catalog.metadata.get("Language", ""), language, path)
    for number, entry in enumerate(entries, start=1):
        english, translation = entry.msgid, entry.msgstr
        if entry.msgid_plural:
            english = entry.msgid_plural
            translation = entry.msgstr_plural[max(entry.msgstr_plural)] if entry.msgstr_plural else ""
        flaw = "" if translation else "not translated"
        if entry.obsolete or "fuzzy" in entry.flags:
            flaw = "obsolete" if entry.obsolete else "fuzzy"
        yield Record(number, *_without_mnemonics(english, translation), flaw)


def _check_language(told: str, language: str | None, path: Path) -> None:
    """Refuse a catalogue of another language; what names none (`Language: Swahili`, `LANGUAGE`) says nothing."""
    tag = _LANGUAGE.fullmatch(told.strip())
    if language is not None and tag is not None and is_other_language(tag[1], language):
        raise OtherLanguageError(
            f"{path}: its header says `Language: {tag[1]}`, expected {language!r}. If the header is wrong, mend it."
        )


def _check_strings(content: bytes) -> None:
    """Refuse strings that end behind the catalogue, which the library cuts, and many strings of the same bytes."""
    order = _BYTE_ORDERS.get(content[:4])
    if order is None:
        return  # which the library refuses
    count, *tables = struct.unpack_from(f"{order}3I", content, 8)
    total = 0
    for table in tables:
        for length, offset in struct.iter_unpack(f"{order}2I", content[table : table + 8 * count]):
            total += length
            if offset + length > len(content):
                raise ValueError("a string ends behind its end; it is cut short")
    if total > MAX_CATALOG_BYTES:
        raise ValueError(f"its strings are longer than {MAX_CATALOG_BYTES:,} bytes")


def _check_end(text: str) -> None:
    """Refuse a last string without its closing quote, which the library takes for a shorter one."""
    lines = [line.strip() for line in text.split("\n") if line.strip() and not line.lstrip().startswith("#")]
    if lines and not _QUOTED.fullmatch(lines[-1]):
        raise ValueError("its last string has no closing quote; it is cut short")


def _without_mnemonics(english: str, translation: str) -> tuple[str, str]:
    """Take the mark of a menu's letter out, where both sides have just one, and not as a part of a word.

    Within a word it is taken for one only if the other side has it before or behind one (`E_xit`, `_Ondoka`), and
    nowhere if the word is the same on both sides, as identifiers are.
    """
    if any(side.count("_") + side.count("&") != 1 for side in (english, translation)):
        return english, translation
    found = [_MNEMONIC.search(side) for side in (english, translation)]
    if found[0] is None or found[1] is None or found[0]["mark"] != found[1]["mark"]:
        return english, translation
    if all(each["within"] for each in found if each):
        return english, translation
    words = [_MARKED_WORD.search(side) for side in (english, translation)]
    if words[0] and words[1] and words[0][0] == words[1][0] and not any(each["appended"] for each in found if each):
        return english, translation
    return str(_MNEMONIC.sub("", english)), str(_MNEMONIC.sub("", translation))
