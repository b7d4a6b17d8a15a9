"""What was seen before in a long stream, and how often, in bounded memory."""

import hashlib
import tempfile
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import IO, Self

import numpy as np
from numpy.typing import NDArray

from kivuko.errors import DataError

Keys = NDArray[np.uint64]
Counts = NDArray[np.int64]

_IN_MEMORY = 2_000_000  # keys that are kept in memory before they are merged into the file
_CHUNK = 1_000_000  # keys of the file that are in memory at once


def text_digests(texts: Sequence[str]) -> Keys:
    """Return 64 bits of a digest of each text; two different ones have the same with a chance of one in 2^64.

    Example:
        >>> one, other, again = text_digests(["one", "other", "one"]).tolist()
        >>> one == again, one == other
        (True, False)
    """
    digests = b"".join(hashlib.blake2b(text.encode(), digest_size=8).digest() for text in texts)
    return np.frombuffer(digests, np.uint64)


class KeyCounter:
    """Counts keys of 64 bits, however many there are.

    The last two million different ones, and what was counted of them, are in memory, sorted; all others in a temporary
    file without a name, sorted as well, 12 bytes each. A batch of keys is looked up by reading that file once, so
    batches should be large.

    Args:
        in_memory: How many keys to keep in memory. Positive.
    """

    def __init__(self, *, in_memory: int = _IN_MEMORY) -> None:
        self._limit = in_memory
        self._keys, self._counts = np.empty(0, np.uint64), np.empty(0, np.int64)
        self._file, self._stored = _table(), 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._file.close()

    def count(self, keys: Keys) -> Counts:
        """Count each of some keys once more, in order, and return how often each was counted by then.

        Raises:
            DataError: If the temporary file cannot be written.
        """
        if not len(keys):
            return np.empty(0, np.int64)
        order = np.argsort(keys, kind="stable")
        ordered = keys[order]
        begins = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))
        sizes = np.diff(np.append(begins, len(keys)))
        different = ordered[begins]
        before = _look_up(different, self._keys, self._counts)
        for stored, counts in self._chunks():
            before += _look_up(different, stored, counts)
        # The first of equal keys in the batch adds one to what was there, the second two.
        ranks = np.arange(len(keys)) - np.repeat(begins, sizes)
        found = np.empty(len(keys), np.int64)
        found[order] = np.repeat(before, sizes) + ranks + 1
        self._keys, self._counts = _merge(self._keys, self._counts, different, sizes)
        if len(self._keys) >= self._limit:
            self._store()
        return found

    def add(self, keys: Keys) -> NDArray[np.bool_]:
        """Count each of some keys once more, in order, and say of each whether it is new."""
        is_new: NDArray[np.bool_] = np.equal(self.count(keys), 1)
        return is_new

    def _chunks(self) -> Iterator[tuple[Keys, Counts]]:
        self._file.seek(0)
        for start in range(0, self._stored, _CHUNK):
            size = min(_CHUNK, self._stored - start)
            rows = np.frombuffer(self._file.read(size * _ROW.itemsize), _ROW)
            yield np.ascontiguousarray(rows["key"]), rows["count"].astype(np.int64)

    def _store(self) -> None:
        """Merge what is in memory into the file, chunk by chunk, so that no key is in two places."""
        merged = _table()
        try:
            stored, start = 0, 0
            chunks = self._chunks()
            following = next(chunks, None)
            while following is not None:
                keys, counts = following
                following = next(chunks, None)
                end = int(np.searchsorted(self._keys, keys[-1], "right")) if following else len(self._keys)
                stored += _append(merged, *_merge(keys, counts, self._keys[start:end], self._counts[start:end]))
                start = end
            stored += _append(merged, self._keys[start:], self._counts[start:])
        except OSError as error:
            merged.close()
            raise DataError(
                f"The texts that were seen before do not fit into {tempfile.gettempdir()}: {error.strerror}. Give a "
                "folder with more space as TMPDIR."
            ) from error
        self._file.close()
        self._file, self._stored = merged, stored
        self._keys, self._counts = np.empty(0, np.uint64), np.empty(0, np.int64)


_ROW = np.dtype([("key", np.uint64), ("count", np.uint32)])


def _table() -> IO[bytes]:
    return tempfile.TemporaryFile(prefix="kivuko-")


def _append(file: IO[bytes], keys: Keys, counts: Counts) -> int:
    rows = np.empty(len(keys), _ROW)
    rows["key"], rows["count"] = keys, counts
    file.write(rows.tobytes())
    return len(keys)


def _look_up(asked: Keys, keys: Keys, counts: Counts) -> Counts:
    """Return the counts of some keys in a sorted table, 0 for those that are not there. The keys are sorted."""
    found = np.zeros(len(asked), np.int64)
    if len(keys):
        first, last = np.searchsorted(asked, keys[0]), np.searchsorted(asked, keys[-1], "right")
        part = asked[first:last]
        places = np.searchsorted(keys, part)
        found[first:last] = np.where(keys[places] == part, counts[places], 0)
    return found


def _merge(keys: Keys, counts: Counts, more: Keys, added: Counts) -> tuple[Keys, Counts]:
    """Merge two sorted tables; what is in both is added up."""
    both = np.concatenate([keys, more])
    order = np.argsort(both, kind="stable")  # merges two sorted runs
    both = both[order]
    begins = np.flatnonzero(np.concatenate([[True], both[1:] != both[:-1]])) if len(both) else np.empty(0, np.int64)
    if not len(begins):
        return both, np.empty(0, np.int64)
    return both[begins], np.add.reduceat(np.concatenate([counts, added])[order], begins)
