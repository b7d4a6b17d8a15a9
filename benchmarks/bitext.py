"""Rate and peak memory of `kivuko bitext stats` and `clean` on made-up parallel text.

    python benchmarks/bitext.py --pairs 1000000 --out benchmarks/results/bitext.json

Sentences are drawn from two made-up vocabularies with the frequencies of Zipf's law, so that what is measured does not
depend on a file; one in fifty pairs repeats one before.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

SYLLABLES = ("ba", "ke", "mi", "lo", "ru", "na", "ti", "wa", "zo", "shi", "nge", "mbu")
VOCABULARY = 20_000
BLOCK = 10_000


def main() -> None:
    """Write the text, run both commands on it, each in a process of its own, and write what they took."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=1_000_000)
    parser.add_argument("--near", default="0.9", help="as of `kivuko bitext clean`; 0 looks for no near duplicates")
    parser.add_argument("--only", choices=("stats", "clean"), help="one of the two commands; both by default")
    parser.add_argument("--out", type=Path)
    told = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        text, out = Path(folder, "en-xx.tsv"), Path(folder, "clean")
        write(text, told.pairs)
        commands = {
            "stats": ["stats", "--bitext", str(text), "--json"],
            "clean": ["clean", "--bitext", str(text), "--out", str(out), "--near", told.near],
        }
        found = {
            name: measure(arguments, told.pairs) for name, arguments in commands.items() if told.only in (name, None)
        }
    record = {"pairs": told.pairs, "near": told.near, "python": sys.version.split()[0], **found}
    print(json.dumps(record, indent=2))
    if told.out:
        told.out.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")


def write(path: Path, pairs: int) -> None:
    """Write made-up sentences, always the same ones."""
    draw = np.random.default_rng(0)
    words = [
        np.array(["".join(draw.choice(SYLLABLES, draw.integers(1, 5))) + end for _ in range(VOCABULARY)], dtype=object)
        for end in ("s", "")
    ]
    with path.open("w", encoding="utf-8") as file:
        line = ""
        for start in range(0, pairs, BLOCK):
            lengths = draw.integers(3, 26, BLOCK)
            places = (VOCABULARY ** draw.random(lengths.sum())).astype(np.int64) - 1
            sides = [side[places].tolist() for side in words]
            ends = np.cumsum(lengths).tolist()
            for number in range(min(BLOCK, pairs - start)):
                if number % 50 or not line:
                    first, last = ends[number - 1] if number else 0, ends[number]
                    line = "\t".join(" ".join(side[first:last]) for side in sides)
                file.write(line + "\n")


def measure(arguments: list[str], pairs: int) -> dict[str, float]:
    """Run a command and return its seconds, pairs a second, and the most memory it held."""
    start, before = time.perf_counter(), _cpu_seconds()
    watched = "import resource, sys; from kivuko.__main__ import main\ntry:\n    main()\nfinally:\n    "
    watched += "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, file=sys.stderr)"
    done = subprocess.run(
        [sys.executable, "-c", watched, "bitext", *arguments], stderr=subprocess.PIPE, stdout=subprocess.DEVNULL,
        check=True, text=True,
    )  # fmt: skip
    seconds = time.perf_counter() - start
    return {
        "seconds": round(seconds, 1),
        "cpu_seconds": round(_cpu_seconds() - before, 1),
        "pairs_per_second": round(pairs / seconds),
        "peak_mib": round(int(done.stderr.split()[-1]) / 1024),
    }


def _cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main()
