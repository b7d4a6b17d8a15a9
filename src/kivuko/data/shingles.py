"""Texts as keys and as sets of trigrams: what is the same text, and what is nearly the same."""

import math
import unicodedata
from collections import defaultdict
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import regex
from numpy.typing import NDArray

from kivuko.data.tidying import space_words

Shingles = NDArray[np.uint64]

_IGNORABLE = regex.compile(r"\p{Cf}+")
_OPTIONAL_MARKS = regex.compile(r"(?<=[\p{Latin}\p{Greek}\p{Cyrillic}\p{Hebrew}\p{Arabic}])\p{Mn}+")
_STROKE = "\u0640"  # which lengthens an Arabic word
_NO_WORD = regex.compile(r"[^\p{L}\p{M}\p{N}]+")
# With raised commas, which are letters to Unicode, and apostrophes to most who write them.
_BETWEEN_WORDS = regex.compile(r"(?:[^\p{L}\p{M}\p{N}]|[\u02b9-\u02bf])+")


class Near(NamedTuple):
    """A text of a `NearIndex`, and its Jaccard similarity to the text asked about."""

    text: int
    similarity: float


# What looks at a text asks for its key and its shingles one after the other.
@lru_cache(maxsize=64)
def text_key(text: str) -> str:
    r"""Return what two texts share if they differ in case, white space, invisible characters or Unicode form only.

    Example:
        >>> text_key(" Ｇood\u200b  MORNING. ") == text_key("good morning.")
        True
    """
    if text.isascii():
        return " ".join(text.lower().split())
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", space_words(text)).casefold())
    return " ".join(_IGNORABLE.sub("", folded).split())


@lru_cache(maxsize=64)
def words_key(key: str) -> str:
    """Return the letters and digits of a key, with one space wherever anything but them stands.

    Marks on Latin, Greek, Cyrillic, Hebrew and Arabic letters go (tones, accents, points, vowel signs): they are often
    left out, and models that strip accents read the text as if they were. In other scripts marks are vowels, and stay.

    Example:
        >>> words_key(text_key("- “Ẹ káàárọ̀,” she said."))
        'e kaaaro she said'
        >>> words_key(text_key("हिन्दी में")) == text_key("हिन्दी में")
        True
    """
    if not key.isascii():
        spelled = unicodedata.normalize("NFD", key).replace(_STROKE, "")
        key = unicodedata.normalize("NFC", _OPTIONAL_MARKS.sub("", spelled))
    words: str = _BETWEEN_WORDS.sub(" ", key)
    return words.strip()


@lru_cache(maxsize=64)
def shingles(key: str) -> Shingles:
    """Return the distinct trigrams of a key's letters, marks and digits, sorted; punctuation counts as a space.

    Three code points of 21 bits fit into 64: two trigrams have the same number only if they are the same.

    Example:
        >>> len(shingles("abc")), len(shingles("...")), np.array_equal(shingles("a, b!"), shingles("a b"))
        (3, 0, True)
    """
    words = _NO_WORD.sub(" ", key).strip()
    if not words:
        return np.empty(0, np.uint64)
    points = np.frombuffer(f" {words} ".encode("utf-32-le"), np.uint32).astype(np.uint64)
    packed = points[:-2] << np.uint64(42) | points[1:-1] << np.uint64(21) | points[2:]
    packed.sort()
    # As np.unique, whose own preparations take longer than a sentence.
    is_first = np.ones(len(packed), np.bool_)
    np.not_equal(packed[1:], packed[:-1], out=is_first[1:])
    distinct = packed[is_first]
    distinct.flags.writeable = False
    return distinct


def jaccard(one: Shingles, other: Shingles) -> float:
    """Return what part of two sets together they share.

    Example:
        >>> jaccard(shingles("abcd"), shingles("abcde"))
        0.5
    """
    shared = len(np.intersect1d(one, other, assume_unique=True))
    return shared / max(1, len(one) + len(other) - shared)


class NearIndex:
    """Texts that are found again by whatever is at least so similar to them, without a miss.

    Two sets of Jaccard similarity t share a member among the n - ceil(t n) + 1 rarest members of each, n its size: only
    those are looked up, and what they lead to is compared whole.

    Args:
        texts: The shingles of the texts, which are numbered in this order.
        threshold: The least Jaccard similarity, above 0, at most 1.

    References:
        Bayardo, Ma and Srikant, "Scaling Up All Pairs Similarity Search", WWW 2007.
        https://doi.org/10.1145/1242572.1242591
    """

    def __init__(self, texts: Sequence[Shingles], *, threshold: float) -> None:
        if not 0 < threshold <= 1:
            raise ValueError(f"threshold must be above 0 and at most 1, got {threshold}.")
        self._threshold = threshold
        self._members, counts = np.unique(np.concatenate([np.empty(0, np.uint64), *texts]), return_counts=True)
        self._ranks = np.empty(len(self._members), np.int64)
        self._ranks[np.argsort(counts, kind="stable")] = np.arange(len(self._members))
        self._texts = [self._known(text) for text in texts]
        self._postings: dict[int, list[int]] = defaultdict(list)
        for number, ranks in enumerate(self._texts):
            for rank in self._rare(ranks, len(ranks)):
                self._postings[rank].append(number)
        self._is_asked = np.zeros(len(self._members), np.bool_)

    def near(self, text: Shingles) -> Iterator[Near]:
        """Yield the texts of at least the threshold's similarity, in order of their numbers."""
        ranks = self._known(text)
        candidates = {number for rank in self._rare(ranks, len(text)) for number in self._postings.get(rank, ())}
        if not candidates:
            return
        least, most = self._threshold * len(text) - 1e-9, len(text) / self._threshold + 1e-9
        self._is_asked[ranks] = True
        shared = {
            number: int(np.count_nonzero(self._is_asked[self._texts[number]]))
            for number in sorted(candidates)
            if least <= len(self._texts[number]) <= most
        }
        self._is_asked[ranks] = False
        for number, count in shared.items():
            similarity = count / (len(text) + len(self._texts[number]) - count)
            if similarity >= self._threshold:
                yield Near(number, similarity)

    def _known(self, text: Shingles) -> NDArray[np.int64]:
        """Return the ranks, rarest first, of those members of a text that any text of the index has."""
        if not len(self._members):
            return np.empty(0, np.int64)
        places = np.minimum(np.searchsorted(self._members, text), len(self._members) - 1)
        return np.sort(self._ranks[places[self._members[places] == text]])

    def _rare(self, ranks: NDArray[np.int64], size: int) -> list[int]:
        """Return the known ones among the rarest members of a text of `size`; one that no text has is the rarest."""
        prefix = size - math.ceil(self._threshold * size - 1e-9) + 1 - (size - len(ranks))
        rare: list[int] = ranks[: max(0, prefix)].tolist()
        return rare
