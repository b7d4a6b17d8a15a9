"""What was seen before in a long stream, in bounded memory."""

import hashlib
import sqlite3
from types import TracebackType
from typing import Self

import numpy as np
from datasketch import MinHash, MinHashLSH

from kivuko.data.bitext import SentencePair
from kivuko.data.shingles import Shingles, shingles, text_key

_PERMUTATIONS = 128
_CACHE_KIBIBYTES = 128 * 1024
_OTHER_SIDE = np.uint64(1 << 63)


class Seen:
    """A set of byte strings on disk; two of them are taken for one with a chance of one in 2^64.

    What fits stays in a cache of 128 MiB, the rest goes to a temporary file without a name.
    """

    def __init__(self) -> None:
        self._database = sqlite3.connect("", isolation_level=None)
        for statement in (
            "PRAGMA journal_mode = OFF",
            f"PRAGMA cache_size = -{_CACHE_KIBIBYTES}",
            "CREATE TABLE seen (key INTEGER PRIMARY KEY)",
            "CREATE TABLE counted (key INTEGER PRIMARY KEY, times INTEGER)",
            "BEGIN",
        ):
            self._database.execute(statement)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._database.close()

    def add(self, *parts: bytes) -> bool:
        """Add what the parts make together, and say whether it is new."""
        return self._database.execute("INSERT OR IGNORE INTO seen VALUES (?)", (_key(parts),)).rowcount == 1

    def count(self, *parts: bytes) -> int:
        """Count what the parts make together once more, and return how often it was counted."""
        counting = "INSERT INTO counted VALUES (?, 1) ON CONFLICT DO UPDATE SET times = times + 1 RETURNING times"
        return int(self._database.execute(counting, (_key(parts),)).fetchone()[0])


class NearSeen:
    """Sentence pairs that are found again by a pair nearly the same, by MinHash signatures in bands.

    A pair is the set of the trigrams of both its sides. It is near one of before if the two agree on all hashes of a
    band, which has the chance 1 - (1 - s^r)^b for Jaccard similarity s, b bands and r hashes in each; the library
    chooses b and r so that this rises steeply at the threshold.

    Args:
        threshold: The similarity, above 0, below 1.

    References:
        Broder, "On the resemblance and containment of documents", SEQUENCES 1997.
        https://doi.org/10.1109/SEQUEN.1997.666900
    """

    def __init__(self, seen: Seen, *, threshold: float) -> None:
        lsh = MinHashLSH(threshold=threshold, num_perm=_PERMUTATIONS)
        self._bands, self._rows = lsh.b, lsh.r
        self._seen = seen
        self._empty = MinHash(num_perm=_PERMUTATIONS, scheme="affine64", hashfunc=int)

    def add(self, pair: SentencePair) -> bool:
        """Add a pair, and say whether it is new: near none of before."""
        members = _pair_shingles(pair)
        if not len(members):
            return True
        signature = self._empty.copy()
        signature.update_batch(members.tolist())
        bands = np.asarray(signature.hashvalues)[: self._bands * self._rows].reshape(self._bands, self._rows)
        # Every band has to be added, so no short cut at the first that is known.
        news = [self._seen.add(b"band", bytes([number]), band.tobytes()) for number, band in enumerate(bands)]
        return all(news)


def _key(parts: tuple[bytes, ...]) -> int:
    return int.from_bytes(hashlib.blake2b(b"\0".join(parts), digest_size=8).digest(), "big", signed=True)


def _pair_shingles(pair: SentencePair) -> Shingles:
    """Return the trigrams of both sides; they leave the 64th bit to tell the sides apart."""
    english, translation = (shingles(text_key(side)) for side in pair)
    return np.concatenate([english, translation | _OTHER_SIDE])
