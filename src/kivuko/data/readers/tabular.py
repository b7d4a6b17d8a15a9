"""Readers of rows and lines: TSV, CSV, JSON lines, and pairs of files."""

import csv
import itertools
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from kivuko.data.lines import is_encodable
from kivuko.data.readers.records import COMPRESSED, ReaderOptions, Record, value_under
from kivuko.data.readers.streams import MAX_LINE_BYTES, Line, read_lines
from kivuko.errors import ConfigError, DataError

_MAX_ROW_BYTES = 4 * MAX_LINE_BYTES


class _Row(NamedTuple):
    """A row of a table.

    Attributes:
        number: Number of its first line.
        columns: Its cells.
        lines: Its lines as they stand in the file.
        flaw: What is wrong with it, empty if nothing is.
    """

    number: int
    columns: Sequence[str]
    lines: Sequence[str]
    flaw: str


def read_tsv(path: Path, options: ReaderOptions) -> Iterator[Record]:
    """Read columns with tabs between: two of them, English first, unless `options` names others."""
    rows = (_Row(line.number, line.text.split("\t"), (line.text,), line.flaw) for line in read_lines(path) if line.text)
    return _read_rows(path, rows, options)


def read_csv(path: Path, options: ReaderOptions) -> Iterator[Record]:
    """Read comma-separated rows, quoted as RFC 4180 says: two columns, English first, unless `options` names others.

    A quote that nothing closes where it should takes the lines behind it along. Each of them is a flaw: where the row
    is no CSV, where it has another number of columns, and where each of its lines has the columns of a row by itself,
    none of them empty or with a space behind the comma, as prose has.
    """
    return _read_rows(path, _csv_rows(_Lines(path)), options)


def read_json_lines(path: Path, options: ReaderOptions) -> Iterator[Record]:
    """Read an object a line, with the keys `english` and `translation` unless `options` names others.

    A key may have dots for objects within objects: `translation.en`.
    """
    keys = (options.english or "english", options.translation or "translation")
    for line in read_lines(path):
        if not line.text.strip():
            if line.text:
                yield Record(line.number, "", "", line.flaw)
            continue
        try:
            value = {} if line.flaw else json.loads(line.text)
        except (ValueError, RecursionError):
            value = None
        english, translation = (value_under(value, key) if isinstance(value, dict) else None for key in keys)
        if isinstance(english, str) and isinstance(translation, str):
            is_text = is_encodable(english) and is_encodable(translation)
            yield (
                Record(line.number, english, translation)
                if is_text
                else Record(line.number, "", "", "half a surrogate pair")
            )
        else:
            flaw = line.flaw or f"no JSON object with strings under {keys[0]!r} and {keys[1]!r}"
            yield Record(line.number, line.text, "", flaw)


def read_moses(path: Path, options: ReaderOptions) -> Iterator[Record]:
    """Read two files of lines, of which equal numbers are translations: `corpus.en` and `corpus.sw`.

    Args:
        path: What the two names have in common (`corpus`), or the English file.
        options: Its `language` is the end of the other name.

    Raises:
        ConfigError: If the language is not given.
        DataError: If a file is missing, or one has more lines than the other.
    """
    if options.language is None:
        raise ConfigError(f"{path}: a pair of Moses files needs the language of the translations: give --language.")
    english_path, translation_path = (_moses_file(path, code) for code in ("en", options.language))
    counts = [0, 0]
    nothing = Line(0, "", "")
    for number, (english, translation) in enumerate(
        itertools.zip_longest(read_lines(english_path), read_lines(translation_path), fillvalue=nothing), start=1
    ):
        counts = [max(counts[0], english.number), max(counts[1], translation.number)]
        if english.number == translation.number:
            yield Record(number, english.text, translation.text, english.flaw or translation.flaw)
    if counts[0] != counts[1]:
        raise DataError(
            f"{english_path} has {counts[0]:,} lines and {translation_path} has {counts[1]:,}: line {min(counts) + 1} "
            "is the first without a partner, and any pair before it may be shifted. Get the files anew."
        )


def _moses_file(path: Path, code: str) -> Path:
    stem = path.name
    for suffix in COMPRESSED:
        stem = stem.removesuffix(suffix)
    stem = stem.removesuffix(".en")
    candidates = [path.with_name(f"{stem}.{code}{suffix}") for suffix in ("", *COMPRESSED)]
    there = [candidate for candidate in candidates if candidate.is_file()]
    if not there:
        raise DataError(f"{candidates[0]}: expected one file of the Moses pair, plain or compressed; there is none.")
    return there[0]


class _Lines:
    """Feeds lines to the CSV reader and remembers those of a row and what was wrong there."""

    def __init__(self, path: Path) -> None:
        self._lines = read_lines(path)
        self.begin()

    def begin(self) -> None:
        """Begin a row."""
        self.texts: list[str] = []
        self.number = 0
        self.flaw = ""
        self._length = 0

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        if self._length > _MAX_ROW_BYTES:
            raise csv.Error(f"row longer than {_MAX_ROW_BYTES} bytes")
        line = next(self._lines)
        self.flaw = self.flaw or line.flaw
        self.number = self.number or line.number
        self.texts.append(line.text)
        self._length += len(line.text)
        if line.is_cut:  # and its last quote may be missing
            raise csv.Error(line.flaw)
        return line.text + "\n"


def _csv_rows(lines: _Lines) -> Iterator[_Row]:
    csv.field_size_limit(MAX_LINE_BYTES)
    reader = csv.reader(lines, strict=True)
    while True:
        lines.begin()
        try:
            columns, flaw = next(reader), ""
        except StopIteration:
            return
        except csv.Error as error:
            columns, flaw = [], f"no CSV ({error})"
        if columns or flaw:
            yield _Row(lines.number, columns, lines.texts, lines.flaw or flaw)


def _read_rows(path: Path, rows: Iterator[_Row], options: ReaderOptions) -> Iterator[Record]:
    if (options.english is None) != (options.translation is None):
        raise ConfigError("Give both columns, --english and --translation, or neither.")
    # A row with another number of columns may be shifted: the first row says how many.
    places, width = [0, 1], 2
    if options.english is not None and options.translation is not None:
        names = [options.english, options.translation]
        if all(name.isdecimal() and int(name) > 0 for name in names):
            width = 0
            places = [int(name) - 1 for name in names]
        else:
            header = next(rows, _Row(0, [], (), "")).columns
            missing = [name for name in names if name not in header]
            if missing:
                raise DataError(
                    f"{path}: there is no column {missing[0]!r}; the first row has {', '.join(map(repr, header))}."
                )
            twice = [name for name in names if header.count(name) > 1]
            if twice:
                raise DataError(f"{path}: column {twice[0]!r} stands twice in the first row; rename one of them.")
            places, width = [header.index(name) for name in names], len(header)
    for row in rows:
        found = len(row.columns)
        if not width and found > max(places):
            width = found
        flaw = row.flaw
        if not flaw and (not width or found != width):
            flaw = f"{found} columns, expected {width or f'{max(places) + 1} at least'}"
        elif not flaw and len(row.lines) > 1 and all(_is_row(line, width) for line in row.lines if line):
            flaw = "a quote joins this row and the next"
        if flaw:
            yield from _lost(row, flaw)
        else:
            yield Record(row.number, row.columns[places[0]], row.columns[places[1]])


def _is_row(line: str, width: int) -> bool:
    """Say whether a line has as many columns as a row when its quotes are none."""
    cells = line.split(",")
    return len(cells) == width and not any(cell[:1] in ("", " ") for cell in cells)


def _lost(row: _Row, flaw: str) -> Iterator[Record]:
    """Yield the lines of a row as records, but those that are empty."""
    for place, line in enumerate(row.lines):
        if line:
            told = "taken along by a quote before it" if place else flaw
            yield Record(row.number + place, line, "", told if line.strip() else "")
