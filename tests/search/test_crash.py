"""A process that is killed with a store open, at any moment. `KIVUKO_KILLS=50` kills it fifty times."""

import os
import random
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np
import pytest

from kivuko.search.flat import FlatStore, create_store
from kivuko.search.opening import open_store
from kivuko.search.qdrant.edge import create_edge_store
from kivuko.search.qdrant.store import QdrantManifest
from kivuko.search.store import OpenStore

KILLS = int(os.environ.get("KIVUKO_KILLS", "4"))

# For each line "round calls seconds" that it reads, this process lets a fork of itself open the store, make so many
# calls, and go on for so long after them, and kills it: so the kill comes at all kinds of moments, however busy the
# machine is. A round is three calls, reported one by one: ten passages come, are updated, and two of them are deleted.
# Now and then the store is tidied.
WRITE_AND_BE_KILLED = """
import itertools, os, signal, sys, time
import numpy as np
import kivuko.search.qdrant.edge
from kivuko.search.opening import open_store
from kivuko.search.store import Entry, Passage

def entries(number, text):
    tokens = np.ones((60, 8), dtype=np.float32)
    return [Entry(Passage(f"{number}-{place}", "", text), tokens) for place in range(10)]

def report(number, call):
    os.write(1, f"{number} {call}\\n".encode())  # in one piece or not at all
    os.write(told, b".")

def write(first):
    store = open_store(sys.argv[1])
    os.write(told, b".")
    for number in itertools.count(first):
        store.add(entries(number, "first"))
        report(number, 1)
        store.update(entries(number, "second"))
        report(number, 2)
        store.delete([f"{number}-0", f"{number}-1"])
        report(number, 3)
        if number % 3 == 0:
            store.tidy()

for line in sys.stdin:
    first, calls, seconds = line.split()
    heard, told = os.pipe()
    child = os.fork()
    if not child:
        write(int(first))
    os.close(told)
    for _ in range(1 + int(calls)):  # the store is open, and so many calls have returned
        os.read(heard, 1)
    time.sleep(float(seconds))
    os.kill(child, signal.SIGKILL)
    assert os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGKILL
    os.close(heard)
    print("killed", flush=True)
"""


def make_flat(directory: Path) -> None:
    create_store(directory, dim=8, model_name="")


def make_edge(directory: Path) -> None:
    manifest = QdrantManifest(model_name="", model_digest=None, language=None, dim=8)
    create_edge_store(directory, manifest).close()


def state_of(store: OpenStore, number: int) -> int:
    """Return how many calls of a round are there; fail where a part of one is."""
    there = [place for place in range(10) if f"{number}-{place}" in store]
    texts = {store.get(f"{number}-{place}").text for place in there}
    states = {(0, ()): 0, (10, ("first",)): 1, (10, ("second",)): 2, (8, ("second",)): 3}
    return states[len(there), tuple(texts)]


@pytest.mark.parametrize("make", [make_flat, make_edge])
def test_kill_9_loses_nothing_committed_and_leaves_whole_calls(make: Callable[[Path], None], tmp_path: Path) -> None:
    directory = tmp_path / "store"
    make(directory)
    moments = random.Random(5)  # noqa: S311 - not a secret
    settled: dict[int, int] = {}
    first = 0
    command = [sys.executable, "-c", WRITE_AND_BE_KILLED, str(directory)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as writing:
        assert writing.stdin is not None
        assert writing.stdout is not None
        for _ in range(KILLS):
            writing.stdin.write(f"{first} {moments.randrange(6)} {moments.uniform(0, 0.1)}\n")
            writing.stdin.flush()
            *reported, killed = [f"{first} 0", *until_killed(writing.stdout)]
            assert killed == "killed"
            number, call = map(int, reported[-1].split())
            store = open_store(directory)
            # The call after the last one that was reported may have been made, too.
            last, following = state_of(store, number), state_of(store, number + 1)
            assert (last, following) in {(call, 0), (call + 1, 0) if call < 3 else (3, 1)}
            settled |= dict.fromkeys(range(first, number), 3) | {number: last, number + 1: following}
            is_whole(store, settled)
            store.close()
            first = number + 2
        writing.stdin.close()
    assert any(settled.values()), "the writer never had the time for a call"
    store = open_store(directory)
    store.tidy()
    is_whole(store, settled)
    if isinstance(store, FlatStore):
        store.compact()
        assert [path.name for path in directory.iterdir() if path.is_dir()] == [store.manifest.segments[0].name]
        is_whole(store, settled)
    store.close()


def is_whole(store: OpenStore, settled: dict[int, int]) -> None:
    """Fail where the store has anything but what is known of the rounds, or does not find it."""
    assert {each: state_of(store, each) for each in settled} == settled
    assert len(store) == sum((0, 10, 10, 8)[state] for state in settled.values())
    if len(store):
        [matches] = store.search([np.ones((2, 8), dtype=np.float32)], top_k=len(store) + 1)
        assert sorted(match.passage.doc_id for match in matches) == sorted(each.doc_id for each in store.passages())
        assert [match.score for match in matches] == pytest.approx([16] * len(store), rel=1e-2)
    if isinstance(store, FlatStore):
        FlatStore(store.directory, verify=True)  # which compares every file with its checksum


def until_killed(lines: Iterable[str]) -> Iterator[str]:
    """Yield what the writer says, up to its death."""
    for line in lines:
        yield line.strip()
        if line == "killed\n":
            return
