import numpy as np
import pytest
from datasketch import MinHash

from kivuko.data.near import Bands
from kivuko.data.shingles import shingles
from kivuko.data.trigrams import Trigrams, trigrams

ENGLISH = ["the committee decided", "the committee decides", "a", ""]
OTHER = ["समितीने काल ठरवले", "समितीने काल ठरवले", "", ""]


@pytest.fixture
def sides() -> tuple[Trigrams, Trigrams]:
    return trigrams(ENGLISH), trigrams(OTHER)


def test_signatures_are_those_of_the_library(sides: tuple[Trigrams, Trigrams]) -> None:
    bands = Bands(threshold=0.8)
    found = bands.signatures(*sides)
    for row, english, other in zip(found[:3], ENGLISH, OTHER, strict=False):
        members = np.concatenate([shingles(english), shingles(other) | np.uint64(1 << 63)])
        expected = MinHash(num_perm=128, scheme="affine64", hashfunc=int)
        expected.update_batch(members.tolist())
        np.testing.assert_array_equal(row, np.asarray(expected.hashvalues)[: len(row)])


def test_equal_pairs_share_all_keys_and_different_ones_none(sides: tuple[Trigrams, Trigrams]) -> None:
    keys = Bands(threshold=0.9).keys(*sides)
    again = Bands(threshold=0.9).keys(trigrams(ENGLISH[:1]), trigrams(OTHER[:1]))
    np.testing.assert_array_equal(keys[0], again[0])
    assert not (keys[0] == keys[2]).any()
    assert len(np.unique(keys[:1])) == keys.shape[1]


def test_sides_are_told_apart() -> None:
    one, other = trigrams(["mto"]), trigrams(["river"])
    bands = Bands(threshold=0.9)
    assert not (bands.keys(one, other) == bands.keys(other, one)).any()


def test_share_of_common_hashes_is_the_similarity() -> None:
    words = [f"word{number}" for number in range(60)]
    sides = trigrams([" ".join(words), " ".join(words[:50])]), trigrams(["", ""])
    found = Bands(threshold=0.5).signatures(*sides)
    one, other = (set(shingles(" ".join(part)).tolist()) for part in (words, words[:50]))
    similarity = len(one & other) / len(one | other)
    assert float((found[0] == found[1]).mean()) == pytest.approx(similarity, abs=0.12)
