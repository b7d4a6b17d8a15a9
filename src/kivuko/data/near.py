"""Sentence pairs that are nearly the same, by MinHash signatures in bands."""

from typing import no_type_check

import numpy as np
from datasketch import MinHash, MinHashLSH
from numpy.typing import NDArray

from kivuko.data.trigrams import Trigrams, machine_code

_PERMUTATIONS = 128


class Bands:
    """Keys of sentence pairs, of which pairs nearly the same share at least one.

    A pair is the set of the trigrams of both its sides. It is near another one if the two agree on all hashes of a
    band, which has the chance 1 - (1 - s^r)^b for Jaccard similarity s, b bands and r hashes in each; the library
    chooses b and r so that this rises steeply at the threshold, and the hashes are its own.

    Args:
        threshold: The similarity, above 0, below 1.

    References:
        Broder, "On the resemblance and containment of documents", SEQUENCES 1997.
        https://doi.org/10.1109/SEQUEN.1997.666900
    """

    def __init__(self, *, threshold: float) -> None:
        chosen = MinHashLSH(threshold=threshold, num_perm=_PERMUTATIONS)
        self.count, self._rows = int(chosen.b), int(chosen.r)
        slopes, offsets = MinHash(num_perm=_PERMUTATIONS, scheme="affine64").permutations
        used = self.count * self._rows
        self._slopes, self._offsets = np.ascontiguousarray(slopes[:used]), np.ascontiguousarray(offsets[:used])

    def signatures(self, english: Trigrams, translations: Trigrams) -> NDArray[np.uint64]:
        """Return the hashes of each pair (pairs, bands x rows)."""
        found = np.empty((len(english.starts) - 1, len(self._slopes)), np.uint64)
        _sign(*english, *translations, self._slopes, self._offsets, found)
        return found

    def keys(self, english: Trigrams, translations: Trigrams) -> NDArray[np.uint64]:
        """Return the keys of each pair (pairs, bands); two different bands have the same with a chance of 2^-64."""
        signatures = self.signatures(english, translations)
        found = np.empty((len(signatures), self.count), np.uint64)
        _fold(signatures.reshape(len(signatures), self.count, self._rows), found)
        return found


@machine_code
@no_type_check
def _mix(key):
    """Spread what a number says over all of its bits, as MurmurHash3 ends."""
    key ^= key >> np.uint64(33)
    key *= np.uint64(0xFF51AFD7ED558CCD)
    key ^= key >> np.uint64(33)
    key *= np.uint64(0xC4CEB9FE1A85EC53)
    return key ^ (key >> np.uint64(33))


@machine_code
@no_type_check
def _sign(english, english_starts, translations, translation_starts, slopes, offsets, found):
    for pair in range(len(found)):
        row = found[pair]
        row[:] = np.uint64(0xFFFFFFFFFFFFFFFF)
        for side in range(2):
            members, starts = (english, english_starts) if side == 0 else (translations, translation_starts)
            # Trigrams leave the last bit to tell the sides apart.
            mark = np.uint64(side) << np.uint64(63)
            for place in range(starts[pair], starts[pair + 1]):
                key = _mix(members[place] | mark)
                for number in range(len(row)):
                    row[number] = min(row[number], key * slopes[number] + offsets[number])


@machine_code
@no_type_check
def _fold(signatures, found):
    for pair in range(signatures.shape[0]):
        for band in range(signatures.shape[1]):
            key = np.uint64(band + 1)
            for hashed in signatures[pair, band]:
                key = _mix(key ^ hashed) + np.uint64(0x9E3779B97F4A7C15)
            found[pair, band] = key
