"""A writer that is killed at any moment. `KIVUKO_KILLS=50` kills it fifty times."""

import os
import random
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from kivuko.search.flat import FlatStore, create_store

KILLS = int(os.environ.get("KIVUKO_KILLS", "4"))

# For each line "round commits seconds" that it reads, this process lets a fork of itself write so many commits, and for
# so long after them, and kills it: so the kill comes at all kinds of moments, however busy the machine is. A round is
# three commits, reported one by one: ten passages come, are updated, and two of them are deleted. Now and then the
# store is compacted.
WRITE_AND_BE_KILLED = """
import itertools, os, signal, sys, time
import numpy as np
from kivuko.search.flat import FlatStore
from kivuko.search.store import Entry, Passage

def entries(number, text):
    tokens = np.ones((20, 8), dtype=np.float32)
    return [Entry(Passage(f"{number}-{place}", "", text), tokens) for place in range(10)]

def report(number, commit):
    os.write(1, f"{number} {commit}\\n".encode())  # in one piece or not at all
    os.write(told, b".")

def write(first):
    store = FlatStore(sys.argv[1])
    os.write(told, b".")
    for number in itertools.count(first):
        store.add(entries(number, "first"))
        report(number, 1)
        store.update(entries(number, "second"))
        report(number, 2)
        store.delete([f"{number}-0", f"{number}-1"])
        report(number, 3)
        if number % 3 == 0:
            store.compact()

for line in sys.stdin:
    first, commits, seconds = line.split()
    heard, told = os.pipe()
    child = os.fork()
    if not child:
        write(int(first))
    os.close(told)
    for _ in range(1 + int(commits)):  # the store is open, and so many commits have returned
        os.read(heard, 1)
    time.sleep(float(seconds))
    os.kill(child, signal.SIGKILL)
    assert os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGKILL
    os.close(heard)
    print("killed", flush=True)
"""


def state_of(store: FlatStore, number: int) -> int:
    """Return how many commits of a round are there; fail where a part of one is."""
    there = [place for place in range(10) if f"{number}-{place}" in store]
    texts = {store.get(f"{number}-{place}").text for place in there}
    states = {(0, ()): 0, (10, ("first",)): 1, (10, ("second",)): 2, (8, ("second",)): 3}
    return states[len(there), tuple(texts)]


def test_kill_9_loses_nothing_committed_and_leaves_a_whole_state(tmp_path: Path) -> None:
    directory = tmp_path / "store"
    create_store(directory, dim=8, model_name="")
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
            number, commit = map(int, reported[-1].split())
            store = FlatStore(directory, verify=True)
            # The commit after the last one that was reported may have been made, too.
            last, following = state_of(store, number), state_of(store, number + 1)
            assert (last, following) in {(commit, 0), (commit + 1, 0) if commit < 3 else (3, 1)}
            settled |= dict.fromkeys(range(first, number), 3) | {number: last, number + 1: following}
            assert {each: state_of(store, each) for each in settled} == settled
            [matches] = store.search([np.ones((2, 8), dtype=np.float32)], top_k=len(store) + 1)
            assert sorted(match.passage.doc_id for match in matches) == sorted(store.doc_ids)
            first = number + 2
        writing.stdin.close()
    assert any(settled.values()), "the writer never had the time to commit"
    store.compact()
    assert [path.name for path in directory.iterdir() if path.is_dir()] == [store.manifest.segments[0].name]
    assert {each: state_of(store, each) for each in settled} == settled


def until_killed(lines: Iterable[str]) -> Iterator[str]:
    """Yield what the writer says, up to its death."""
    for line in lines:
        yield line.strip()
        if line == "killed\n":
            return
