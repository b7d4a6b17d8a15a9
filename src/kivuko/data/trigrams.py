"""Trigrams of many texts at once, compiled: what `shingles` makes of each of them."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, no_type_check

import numba
import numpy as np
import regex
from numpy.typing import NDArray

_NO_WORD = regex.compile(r"[^\p{L}\p{M}\p{N}]")
_UNKNOWN, _OTHER, _WORD = 0, 1, 2
# What each code point is, looked up when it is met.
_KINDS = np.zeros(0x110000, np.uint8)


class Trigrams(NamedTuple):
    """The sets of trigrams of some texts.

    Attributes:
        members: Those of all texts, one text behind the other, each sorted, without repetition.
        starts: Where each text begins in `members`, and where the last one ends, (texts + 1).
    """

    members: NDArray[np.uint64]
    starts: NDArray[np.int64]

    def take(self, text: int) -> NDArray[np.uint64]:
        """Return the trigrams of one text."""
        return self.members[self.starts[text] : self.starts[text + 1]]

    def sums(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Add up, for each text, a value of each of its trigrams; 0 for a text without any."""
        totals: NDArray[np.float64] = np.concatenate([[0.0], np.cumsum(values)])
        return totals[self.starts[1:]] - totals[self.starts[:-1]]

    def shared_with(self, others: "Trigrams") -> NDArray[np.bool_]:
        """Say of each trigram whether the text at the same place among as many others has it too.

        Example:
            >>> trigrams(["ab", "ab"]).shared_with(trigrams(["ab", ""])).tolist()
            [True, True, False, False]
        """
        shared = np.zeros(len(self.members), np.bool_)
        _share(self.members, self.starts, others.members, others.starts, shared)
        return shared


def trigrams(keys: Sequence[str]) -> Trigrams:
    """Return the distinct trigrams of the letters, marks and digits of some keys, as `shingles` packs them.

    Example:
        >>> trigrams(["abc", "...", "a, b!"]).starts.tolist()
        [0, 3, 3, 6]
    """
    points = np.frombuffer("".join(keys).encode("utf-32-le", "surrogatepass"), np.uint32)
    ends = np.cumsum(np.fromiter(map(len, keys), np.int64, len(keys)))
    for point in np.unique(points[_KINDS[points] == _UNKNOWN]).tolist():
        _KINDS[point] = _OTHER if _NO_WORD.match(chr(point)) else _WORD
    members, starts = np.empty(len(points), np.uint64), np.empty(len(keys) + 1, np.int64)
    _pack(points, ends, _KINDS, members, starts)
    return Trigrams(members[: starts[-1]], starts)


def machine_code(function: Callable[..., Any]) -> Any:
    """Compile without the interpreter lock, and keep the machine code where that is possible."""
    try:
        return numba.njit(cache=True, nogil=True, error_model="numpy")(function)
    except RuntimeError:  # neither beside the package nor in the user's cache directory may anything be written
        return numba.njit(nogil=True, error_model="numpy")(function)


@machine_code
@no_type_check
def _pack(points, ends, kinds, members, starts):
    space = np.uint64(32)
    written = 0
    begin = 0
    for text in range(len(ends)):
        first = written
        starts[text] = first
        one, two = space, space
        length = 1  # of what is read: a space, and words with a space between
        parted = False
        for place in range(begin, ends[text]):
            if kinds[points[place]] != 2:
                parted = True
                continue
            if parted and length > 1:
                if length > 1:
                    members[written] = one << np.uint64(42) | two << np.uint64(21) | space
                    written += 1
                one, two = two, space
                length += 1
            parted = False
            point = np.uint64(points[place])
            if length > 1:
                members[written] = one << np.uint64(42) | two << np.uint64(21) | point
                written += 1
            one, two = two, point
            length += 1
        if length > 1:
            members[written] = one << np.uint64(42) | two << np.uint64(21) | space
            written += 1
        begin = ends[text]
        if written > first:
            found = members[first:written]
            found.sort()
            kept = first + 1
            for place in range(first + 1, written):
                if members[place] != members[place - 1]:
                    members[kept] = members[place]
                    kept += 1
            written = kept
    starts[len(ends)] = written


@machine_code
@no_type_check
def _share(members, starts, others, other_starts, shared):
    for text in range(len(starts) - 1):
        other, end = other_starts[text], other_starts[text + 1]
        for place in range(starts[text], starts[text + 1]):
            while other < end and others[other] < members[place]:
                other += 1
            shared[place] = other < end and others[other] == members[place]
