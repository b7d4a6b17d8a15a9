"""An exact index that is replaced again and again: read meanwhile, and after the writer was killed at any moment.

`KIVUKO_KILLS=50` kills it fifty times.
"""

import os
import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from sentence_transformers import MultiVectorEncoder

from kivuko.data.collections import Document
from kivuko.search import Index, build_index, load_index

KILLS = int(os.environ.get("KIVUKO_KILLS", "4"))

# For each line "first builds seconds" that it reads, this process lets a fork of itself build generations of an index,
# one over the other, and say which one is there; it lets it go on for so long after so many, and kills it. All files of
# all generations are of the same size, so that nothing but what is in them tells one from another. It pauses after each
# move, so that some kills come between two of them.
BUILD_AND_BE_KILLED = """
import itertools, os, signal, sys, time
import numpy as np
from kivuko.data.collections import Document
from kivuko.search import build_index, staging

if sys.argv[2] == "two moves":
    staging._exchange = lambda one, other: False

move = os.rename

def slow_move(source, target):
    move(source, target)
    time.sleep(0.01)

os.rename = slow_move

class Encoder:
    def encode_document(self, texts, **options):
        return [np.full((3, 8), int(text), dtype=np.float32) for text in texts]

def build(first):
    for number in itertools.count(first):
        documents = [Document(f"{number:06d}-{place}", "", f"{number:06d}") for place in range(5)]
        build_index(Encoder(), documents, sys.argv[1], model_name="", dtype="float32", overwrite=True)
        os.write(1, f"{number}\\n".encode())  # in one piece or not at all
        os.write(told, b".")

for line in sys.stdin:
    first, builds, seconds = line.split()
    heard, told = os.pipe()
    child = os.fork()
    if not child:
        build(int(first))
    os.close(told)
    for _ in range(int(builds)):
        os.read(heard, 1)
    time.sleep(float(seconds))
    os.kill(child, signal.SIGKILL)
    assert os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGKILL
    os.close(heard)
    print("killed", flush=True)
"""

replaced = pytest.mark.parametrize("way", ["exchange", "two moves"])


def building(directory: Path, way: str) -> "subprocess.Popen[str]":
    command = [sys.executable, "-c", BUILD_AND_BE_KILLED, str(directory), way]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def generation_of(index: Index) -> int:
    """Return the number that everything in an index has; fail where a part is of another one."""
    [number] = np.unique(index.embeddings).tolist()
    ids = tuple(f"{int(number):06d}-{place}" for place in range(5))
    assert index.doc_ids == ids
    assert [index.document(place) for place in range(5)] == [Document(each, "", each[:6]) for each in ids]
    return int(number)


@replaced
def test_kill_9_leaves_one_whole_index_for_whoever_reads_next(
    way: str, tmp_path: Path, tiny_encoder: MultiVectorEncoder
) -> None:
    directory = tmp_path / "index"
    moments = random.Random(5)  # noqa: S311 - not a secret
    first = last = 0
    with building(directory, way) as writing:
        assert writing.stdin is not None
        assert writing.stdout is not None
        for kill in range(KILLS):
            # Before the first kill an index is there; later ones may come before the fork has built anything.
            writing.stdin.write(f"{first} {1 + moments.randrange(3) if not kill else moments.randrange(4)} ")
            writing.stdin.write(f"{moments.uniform(0, 0.05)}\n")
            writing.stdin.flush()
            while (line := writing.stdout.readline()) != "killed\n":
                last = int(line)
            found = generation_of(load_index(directory, verify=True))
            assert found in (last, max(last + 1, first))  # the next one may have come without having been told
            last, first = found, found + 1
        writing.stdin.close()
    build_index(tiny_encoder, [Document("a", "", "maize")], directory, model_name="", overwrite=True)
    assert [path.name for path in tmp_path.iterdir()] == ["index"]


@replaced
def test_a_reader_finds_one_whole_index_while_it_is_replaced(way: str, tmp_path: Path) -> None:
    directory = tmp_path / "index"
    seen: set[int] = set()
    with building(directory, way) as writing:
        assert writing.stdin is not None
        assert writing.stdout is not None
        writing.stdin.write("0 40 0\n")
        writing.stdin.flush()
        assert writing.stdout.readline() == "0\n"
        while max(seen, default=0) < 38:
            seen.add(generation_of(load_index(directory, verify=len(seen) % 2 == 0)))
        writing.stdin.close()
        assert writing.stdout.read().endswith("killed\n")
    assert len(seen) > 5
