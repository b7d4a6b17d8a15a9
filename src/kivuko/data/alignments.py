"""Word alignments made by hand: sure and possible links between the words of a sentence and its translation."""

import re
from pathlib import Path
from typing import NamedTuple

from kivuko.data.lines import numbered_lines
from kivuko.errors import DataError

Link = tuple[int, int]


class WordAlignment(NamedTuple):
    """The words of a sentence pair and the links between them, as (English place, translation place) from zero.

    Attributes:
        english: English words.
        translation: Words of the translation.
        sure: Links that an aligner has to find.
        possible: Links that it may find; the sure ones are not repeated.
    """

    english: tuple[str, ...]
    translation: tuple[str, ...]
    sure: frozenset[Link]
    possible: frozenset[Link]


def read_alignments(path: Path) -> list[WordAlignment]:
    """Read lines of English words, translated words, sure links and possible links, tab between.

    Words stand between single spaces, links are written `i-j` as in the Pharaoh format.

    Raises:
        DataError: If the file is missing, a line has another form, or a link points outside its sentences.
    """
    return [_parse(line, path, number) for number, line in numbered_lines(path)]


def _parse(line: str, path: Path, number: int) -> WordAlignment:
    columns = line.split("\t")
    if len(columns) != 4:
        raise DataError(
            f"{path}, line {number}: expected English words, translated words, sure and possible links, tab between; "
            f"got {len(columns)} columns."
        )
    english, translation = (tuple(column.split()) for column in columns[:2])
    sure, possible = (_links(column, path, number) for column in columns[2:])
    for i, j in sure | possible:
        if i >= len(english) or j >= len(translation):
            raise DataError(
                f"{path}, line {number}: link {i}-{j} points outside {len(english)} and {len(translation)} words. "
                "Places count from zero."
            )
    return WordAlignment(english, translation, sure, possible)


def _links(column: str, path: Path, number: int) -> frozenset[Link]:
    links = []
    for text in column.split():
        if not re.fullmatch(r"\d{1,4}-\d{1,4}", text):
            raise DataError(f"{path}, line {number}: expected links as in 0-0 1-2, got {text[:40]!r}.")
        i, _, j = text.partition("-")
        links.append((int(i), int(j)))
    return frozenset(links)
