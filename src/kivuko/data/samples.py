"""A sample of the pairs of a long text that is the same in whatever order they come."""

from collections.abc import Sequence

from kivuko.data.pairs import SentencePair
from kivuko.data.seen import Keys, text_digests
from kivuko.data.shingles import text_key


class PairSample:
    """Keeps the different pairs whose keys have the smallest digests, in bounded memory.

    Which these are depends neither on the order of the text nor on how often a pair stands in it.

    Args:
        size: How many to keep. Positive.

    Example:
        >>> yes, no, maybe = (SentencePair(*sides) for sides in (("Yes.", "Ndiyo."), ("No.", "La."), ("Maybe.", "Labda.")))
        >>> one, other = PairSample(2), PairSample(2)
        >>> for pair in (yes, no, maybe, yes):
        ...     one.add(pair)
        >>> for pair in (maybe, no, yes):
        ...     other.add(pair)
        >>> len(one.pairs()), one.pairs() == other.pairs()
        (2, True)
    """  # noqa: E501

    def __init__(self, size: int) -> None:
        self._size = size
        self._waiting: list[SentencePair] = []
        self._kept: dict[int, SentencePair] = {}
        self._limit = 1 << 64

    def add(self, pair: SentencePair) -> None:
        """Look at one more pair."""
        self._waiting.append(pair)
        if len(self._waiting) >= self._size:
            self._choose()

    def pairs(self) -> list[SentencePair]:
        """Return the pairs that are kept, in the order of their digests."""
        self._choose()
        return [self._kept[digest] for digest in sorted(self._kept)]

    def _choose(self) -> None:
        for digest, pair in zip(pair_digests(self._waiting).tolist(), self._waiting, strict=True):
            if digest < self._limit:
                self._kept.setdefault(digest, pair)
        self._waiting.clear()
        if len(self._kept) > self._size:
            smallest = sorted(self._kept)[: self._size]
            self._kept = {digest: self._kept[digest] for digest in smallest}
            self._limit = smallest[-1]


def pair_digests(pairs: Sequence[SentencePair]) -> Keys:
    """Return a digest of each pair; of two that differ in case and white space only it is the same."""
    return key_digests([(text_key(pair.english), text_key(pair.translation)) for pair in pairs])


def key_digests(keys: Sequence[tuple[str, str]]) -> Keys:
    """Return what `pair_digests` does of pairs whose sides have these keys."""
    return text_digests(["\0".join(each) for each in keys])
