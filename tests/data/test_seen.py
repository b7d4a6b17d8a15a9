import tempfile
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kivuko.data import seen
from kivuko.data.seen import KeyCounter, text_digests
from kivuko.errors import DataError

BATCHES = st.lists(st.lists(st.integers(0, 40), max_size=30), max_size=8)


@given(BATCHES, st.integers(1, 20), st.integers(1, 7))
def test_counts_are_those_of_a_dictionary(batches: list[list[int]], in_memory: int, chunk: int) -> None:
    expected: Counter[int] = Counter()
    with pytest.MonkeyPatch.context() as patch, KeyCounter(in_memory=in_memory) as counter:
        patch.setattr(seen, "_CHUNK", chunk)  # so that what lies in the file is read in several parts
        for batch in batches:
            found = counter.count(np.array(batch, np.uint64))
            for key, count in zip(batch, found.tolist(), strict=True):
                expected[key] += 1
                assert count == expected[key]


def test_only_the_first_of_equal_keys_is_new() -> None:
    with KeyCounter(in_memory=2) as counter:
        assert counter.add(np.array([3, 1, 3, 2], np.uint64)).tolist() == [True, True, False, True]
        assert counter.add(np.array([2, 2**64 - 1, 1], np.uint64)).tolist() == [False, True, False]


def test_full_disk_is_one_clear_error(monkeypatch: pytest.MonkeyPatch) -> None:
    with KeyCounter(in_memory=1) as counter, Path("/dev/full").open("r+b", buffering=0) as full:
        monkeypatch.setattr(tempfile, "TemporaryFile", lambda **_: full)
        with pytest.raises(DataError, match="TMPDIR"):
            counter.add(np.arange(10, dtype=np.uint64))


def test_digests_are_of_the_text_alone() -> None:
    assert len(set(text_digests(["en\0a", "tr\0a", "en\0b", "en\0a"]).tolist())) == 3
