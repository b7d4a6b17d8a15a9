"""Reader of Tatoeba's exports: its sentence pairs, or sentences and the links between them."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from itertools import chain
from pathlib import Path

from kivuko.data.formats.tatoeba import ISO_639_3
from kivuko.data.readers.records import ReaderOptions, Record
from kivuko.data.readers.streams import Line, read_lines
from kivuko.data.readers.tabular import read_tsv
from kivuko.errors import ConfigError, DataError

_CACHE_KIBIBYTES = 64 * 1024
_ENGLISH, _TRANSLATION = 0, 1


def read_tatoeba(path: Path, options: ReaderOptions) -> Iterator[Record]:
    """Read an export of Tatoeba.

    One file is the export of sentence pairs: number, sentence, number, translation. Two or three with commas between
    are links (number, number) and then sentences (number, language, text): those of all languages, or of English and of
    the other one. A link that leads to a sentence of the two languages and to nothing is a flaw where the sentences are
    of these languages only; among those of all languages it may lead to a third.

    Args:
        path: The file; or `links.csv,sentences.csv`, or `eng-swh_links.tsv,eng_sentences.tsv,swh_sentences.tsv`.
        options: Columns of the pairs; `language` of the sentences.

    Raises:
        ConfigError: If sentences are to be read and no language is given.
        DataError: If a file is damaged, or holds nothing in one of the languages.
    """
    if path.is_file() or "," not in str(path):
        english, translation = options.english or "2", options.translation or "4"
        return read_tsv(path, ReaderOptions(english=english, translation=translation))
    if options.language is None:
        raise ConfigError(f"{path}: Tatoeba's sentences come in many languages: give --language.")
    links, *sentences = (Path(part) for part in str(path).split(","))
    return _read_linked(links, sentences, options.language)


def _read_linked(links: Path, sentences: list[Path], language: str) -> Iterator[Record]:
    sides = {"eng": _ENGLISH, ISO_639_3.get(language, language): _TRANSLATION, language: _TRANSLATION}
    with closing(sqlite3.connect("", isolation_level=None)) as database:
        for statement in (
            "PRAGMA journal_mode = OFF",
            f"PRAGMA cache_size = -{_CACHE_KIBIBYTES}",
            "CREATE TABLE sentence (number INTEGER PRIMARY KEY, side INTEGER, text TEXT)",
            "CREATE TABLE link (english INTEGER, translation INTEGER, PRIMARY KEY (english, translation))",
            "BEGIN",
        ):
            database.execute(statement)
        found, others = [0, 0], False
        for line in chain.from_iterable(read_lines(file) for file in sentences):
            number, code, text = _columns(line, 3)
            side = sides.get(code)
            if side is None:
                others = others or bool(code)
            elif number.isdecimal() and len(number) < 19:
                found[side] += 1
                row = (int(number), side, "" if line.flaw else text)
                database.execute("INSERT OR REPLACE INTO sentence VALUES (?, ?, ?)", row)
        for code, side in (("eng", _ENGLISH), (language, _TRANSLATION)):
            if not found[side]:
                raise DataError(f"{', '.join(map(str, sentences))}: no sentence in {code!r}.")
        for line in read_lines(links):
            record = _follow(line, database, is_whole=not others)
            if record is not None:
                yield record


def _follow(line: Line, database: sqlite3.Connection, *, is_whole: bool) -> Record | None:
    numbers = _columns(line, 2)
    if not all(number.isdecimal() and len(number) < 19 for number in numbers):
        return Record(line.number, line.text, "", line.flaw or "no two numbers") if line.text.strip() else None
    query = "SELECT number, side, text FROM sentence WHERE number IN (?, ?) ORDER BY side"
    ends = database.execute(query, [int(number) for number in numbers]).fetchall()
    if [side for _, side, _ in ends] != [_ENGLISH, _TRANSLATION]:
        is_lost = is_whole and len(ends) < 2
        return Record(line.number, "\t".join(numbers), "", "link to no sentence") if is_lost else None
    (english, _, text), (translation, _, translated) = ends
    # The export of all links has each of them both ways.
    insert = "INSERT OR IGNORE INTO link VALUES (?, ?)"
    is_new = database.execute(insert, (english, translation)).rowcount == 1
    return Record(line.number, text, translated) if is_new else None


def _columns(line: Line, count: int) -> list[str]:
    columns = line.text.split("\t", count)[:count]
    return columns + [""] * (count - len(columns))
