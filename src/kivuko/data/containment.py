"""Texts that stand word for word within longer ones."""

from collections import defaultdict
from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import regex
from numpy.typing import NDArray

WORDS = 6
LETTERS = 20

# In scripts without spaces between words each letter stands for itself.
_UNSPACED = r"\p{Han}\p{Hiragana}\p{Katakana}\p{Khmer}\p{Lao}\p{Myanmar}\p{Thai}"
_UNIT = regex.compile(rf"[{_UNSPACED}]\p{{M}}*|[^\s{_UNSPACED}]+")


class _Units(NamedTuple):
    """The words of a text with spaces around each, and a hash of every `WORDS` of them that follow each other."""

    text: str
    runs: NDArray[np.int64]


# What compares a text with several collections asks for its words again.
@lru_cache(maxsize=64)
def _units(words: str) -> _Units:
    units = words.split() if words.isascii() else _UNIT.findall(words)
    if len(words) - words.count(" ") < LETTERS:
        return _Units("", np.empty(0, np.int64))
    runs = np.fromiter(map(hash, zip(*(units[start:] for start in range(WORDS)), strict=False)), np.int64)
    return _Units(f" {' '.join(units)} " if len(runs) else "", runs)


class ContainmentIndex:
    """Texts that are found again by what they stand in, and by what stands in them, without a miss.

    The shorter of the two must have at least `WORDS` words and `LETTERS` letters and digits. Of all runs of so many
    words, only the rarest one of the shorter text is looked up, and what it leads to is compared whole. That takes 12
    bytes of memory for each word of the index, beside its text.

    Args:
        texts: What `words_key` makes of the texts, which are numbered in this order.
    """

    def __init__(self, texts: Iterable[str]) -> None:
        units = [_units(text) for text in texts]
        self._texts = [each.text for each in units]
        runs = np.concatenate([np.empty(0, np.int64), *(each.runs for each in units)])
        numbers = np.repeat(np.arange(len(units), dtype=np.int32), [len(each.runs) for each in units])
        order = np.argsort(runs, kind="stable")
        self._runs, self._numbers = runs[order], numbers[order]
        self._rarest: dict[int, list[int]] = defaultdict(list)
        for number, each in enumerate(units):
            if len(each.runs):
                start, end = self._places(each.runs)
                self._rarest[int(each.runs[np.argmin(end - start)])].append(number)

    def related(self, words: str) -> frozenset[int]:
        """Return the numbers of the texts that stand within some words, or within which these words stand."""
        text, runs = _units(words)
        if not len(runs):
            return frozenset()
        start, end = self._places(runs)
        known = runs[end > start]
        inner = {
            number for run in set(known.tolist()) for number in self._rarest.get(run, ()) if self._texts[number] in text
        }
        if len(known) < len(runs):  # so no text of the index has all of these words
            return frozenset(inner)
        rarest = np.argmin(end - start)
        holders = set(self._numbers[start[rarest] : end[rarest]].tolist())
        return frozenset(inner.union(number for number in holders if text in self._texts[number]))

    def _places(self, runs: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return where each run begins and ends among those of the index."""
        return np.searchsorted(self._runs, runs, "left"), np.searchsorted(self._runs, runs, "right")
