"""Reader of two Bibles, verse by verse."""

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from kivuko.data.readers.records import ReaderOptions, Record, two_paths
from kivuko.data.readers.scripture import UNCLOSED, Verses, read_bible

_Chapter = tuple[list[Verses], list[Verses]]


def read_bibles(path: Path, _options: ReaderOptions) -> Iterator[Record]:
    """Read two Bibles and pair what has the same book, chapter and verse.

    Verses that either side translates as one are taken together on both. What stands on one side only is a flaw. A
    chapter that has another last verse on the other side is numbered in another way, so that equal numbers need not be
    the same text: none of it is paired. Where most chapters of a book have, as psalms that are counted in another way,
    those with the same last verse have it by chance, and none of the book is paired. A verse that is there without text
    may have been translated in the one before it: neither is paired where the other side has both.

    Args:
        path: The English file or folder and the other one, with a comma between.

    Raises:
        ConfigError: If `path` does not name two.
        DataError: As `read_bible` does.
    """
    chapters: dict[tuple[str, int], _Chapter] = {}
    number = 0
    for side, file in enumerate(two_paths(path)):
        for verses in read_bible(file):
            if verses.first < 0:
                number += 1
                yield Record(number, *(("", _text([verses])) if side else (_text([verses]), "")), "no verse number")
            else:
                chapters.setdefault((verses.book, verses.chapter), ([], []))[side].append(verses)
    shared, unequal = Counter[str](), Counter[str]()
    for (book, _), sides in chapters.items():
        shared[book] += all(sides)
        unequal[book] += _is_unequal(sides)
    for (book, _), sides in chapters.items():
        other = "book is numbered otherwise" if 2 * unequal[book] > shared[book] else ""
        if _is_unequal(sides):
            other = "chapter is numbered otherwise"
        groups = [*_groups(sides)]
        for group, is_doubtful in zip(groups, _may_hold_more(groups), strict=True):
            number += 1
            doubt = "the next verse is empty, and may stand in this one" if is_doubtful else ""
            yield Record(number, _text(group[0]), _text(group[1]), _flaw(group) or other or doubt)


def _is_unequal(sides: _Chapter) -> bool:
    """Say whether both sides have a chapter, with another last verse."""
    return all(sides) and len({max(verses.last for verses in side) for side in sides}) > 1


def _groups(sides: _Chapter) -> Iterator[_Chapter]:
    """Yield the verses of a chapter in the smallest groups that no range of either side crosses."""
    order = sorted((verses.first, side, place) for side in (0, 1) for place, verses in enumerate(sides[side]))
    group: _Chapter = ([], [])
    end = -1
    for first, side, place in order:
        if first > end >= 0:
            yield group
            group = ([], [])
        verses = sides[side][place]
        group[side].append(verses)
        end = max(end, verses.last)
    if end >= 0:
        yield group


def _flaw(group: _Chapter) -> str:
    for side in group:
        if len({(verses.first, verses.part) for verses in side}) < len(side):
            return "verse that one side has twice"
    if any(UNCLOSED in verses.text for side in group for verses in side):
        return "note without an end"
    covered = [{number for verses in side for number in range(verses.first, verses.last + 1)} for side in group]
    if covered[0] == covered[1]:
        if any(len(side) > 1 and not all(_text([verses]) for verses in side) for side in group):
            return "empty verse among verses taken together"
        is_damaged = any("\ufffd" in verses.text for side in group for verses in side)
        return "not valid UTF-8" if is_damaged else ""
    if covered[0] and covered[1]:
        return "verses that only one side takes together"
    return "verse only in the English" if covered[0] else "verse only in the translation"


def _may_hold_more(groups: Sequence[_Chapter]) -> list[bool]:
    """Say of each group whether the next verse of a side is empty where the other side has text."""
    found = []
    is_empty_behind = [False, False]
    for group in reversed(groups):
        texts = [_text(side) for side in group]
        found.append(any(text and behind for text, behind in zip(texts, is_empty_behind, strict=True)))
        for side in (0, 1):
            if group[side] and not _text(group[side][:1]):
                is_empty_behind[side] = is_empty_behind[side] or bool(texts[1 - side])
            elif texts[side]:
                is_empty_behind[side] = False
    return found[::-1]


def _text(verses: Sequence[Verses]) -> str:
    return " ".join(" ".join(each.text for each in verses).replace(UNCLOSED, "").split())
