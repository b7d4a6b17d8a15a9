"""Text of two languages to be mined, and the pairs that were found in it, as files."""

from pathlib import Path
from typing import NamedTuple

from kivuko.curation.filtering import written_tables
from kivuko.curation.mining import Mined
from kivuko.data.lines import existing, numbered_lines
from kivuko.data.shingles import text_key
from kivuko.errors import DataError

_LONGEST = 2_000  # characters; what is longer is no sentence


class Sides(NamedTuple):
    """Different sentences of two languages.

    Attributes:
        english: English sentences.
        other: Sentences of the other language; none of them is among the English ones.
        left_out: How many lines are not there: repeated, in both texts, or longer than a sentence.
    """

    english: list[str]
    other: list[str]
    left_out: int


def read_sides(english: Path, other: Path) -> Sides:
    """Read a sentence a line, each only once, and none as a translation of itself.

    Raises:
        DataError: If a file cannot be read, or has no sentence.
    """
    seen: set[str] = set()
    sides: list[list[str]] = []
    lines = 0
    for path in (english, other):
        found = []
        for _, line in numbered_lines(existing(path)):
            lines += 1
            sentence = " ".join(line.split())
            key = text_key(sentence)
            if key in seen or len(sentence) > _LONGEST:
                continue
            seen.add(key)
            found.append(sentence)
        if not found:
            raise DataError(f"{path} holds no sentence: expected one a line, none of them in the English text.")
        sides.append(found)
    return Sides(sides[0], sides[1], lines - sum(map(len, sides)))


def write_mined(found: Mined, sides: Sides, out: Path, *, with_scores: bool = False) -> None:
    """Write English<TAB>translation, best first, as `kivuko distill` reads it; or the score too, below a row of names.

    Raises:
        DataError: If the file cannot be written.
    """
    with written_tables(out) as (table,):
        if with_scores:
            table.writerow(["english", "translation", "score"])
        for (english, other), score in zip(found.pairs.tolist(), found.scores.tolist(), strict=True):
            row = [sides.english[english], sides.other[other]]
            table.writerow([*row, f"{score:.5f}"] if with_scores else row)
