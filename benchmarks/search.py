"""Compare stores of token embeddings: same passages, same queries, one run, one thread.

    python benchmarks/search.py --index INDEX --queries queries.jsonl --model STUDENT      a table on stdout
    python benchmarks/search.py ... --json                                                 the same as JSON
    python benchmarks/search.py ... --results benchmarks/results                           both into files, too

What the files hold of sizes that are not measured now stays in them.

INDEX is one that `kivuko index` wrote, STUDENT encodes the queries. For each of --passages, where the index has fewer,
copies of its passages are added in which every token embedding has moved by Gaussian noise of 0.3 of its length, which
leaves a cosine of about 0.96; where it has more, the first ones are taken. With many copies of each passage the best
ones are copies of each other, which makes the k best harder to tell apart than those of a real collection.

Recall is that of the k best passages of exact float32 search, averaged over queries. Below the table stands the recall
of an engine that looks for candidates first against the same store searched without, which needs no exact search (so
also with `--engines flat`): what the candidates lose, without what storing loses. Times are CPU times of all threads
of the engine's process, so that busy neighbors disturb little; every query is asked alone, first once to warm up.
`build` is what storing takes without encoding. `memory` is what opening the store and asking the queries adds to the
process once the engine is imported, mapped files aside. `bytes/token` counts all files, for exact search the array.

Qdrant Edge takes part where `qdrant-edge-py` is installed; fast-plaid, which needs a torch of its own, with
--fast-plaid-python, the python of an environment in which it is installed.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import search_engines
from numpy.typing import NDArray

from kivuko.data.collections import read_queries
from kivuko.models.encoder import load_encoder
from kivuko.search import Index, load_index

NOISE = 0.3
DEPTHS = (10, 100)
ENGINES = ("exact", "flat", "edge")
WITHOUT_CANDIDATES = {"flat": "flat, exhaustive", "Qdrant Edge, 1,000 rescored": "Qdrant Edge, exact"}


def write_passages(index: Index, count: int, folder: Path) -> int:
    """Write the token embeddings of so many passages in float32; noised copies fill up. Return how many are copies."""
    random = np.random.default_rng(0)
    offsets = index.offsets[:, 0]
    lengths = np.resize(np.diff(offsets), count)
    starts = np.concatenate([[0], np.cumsum(lengths)])
    shape = (int(starts[-1]), index.manifest.dim)
    tokens = np.lib.format.open_memmap(folder / "tokens.npy", mode="w+", dtype=np.float32, shape=shape)
    for position, (first, last) in enumerate(pairwise(starts.tolist())):
        original, round_ = position % len(index), position // len(index)
        embeddings = np.asarray(index.embeddings[offsets[original] : offsets[original + 1]], np.float32)
        if round_:
            noise = random.standard_normal(embeddings.shape, dtype=np.float32) / np.float32(np.sqrt(shape[1]))
            embeddings = embeddings + np.float32(NOISE) * noise
            embeddings /= np.linalg.norm(embeddings, axis=1, keepdims=True)
        tokens[first:last] = embeddings
    tokens.flush()
    np.save(folder / "starts.npy", starts)
    return max(0, count - len(index))


def write_queries(queries: Sequence[NDArray[np.float32]], folder: Path) -> None:
    """Write the token embeddings of the queries."""
    np.save(folder / "queries.npy", np.concatenate(queries))
    np.save(folder / "query_starts.npy", np.cumsum([0, *map(len, queries)]))


def recall(found: Sequence[Sequence[int]], expected: Sequence[Sequence[int]], depth: int) -> float:
    """Return the share of the best `depth` that was found among as many."""
    return float(
        np.mean([len({*a[:depth]} & {*b[:depth]}) / len(b[:depth]) for a, b in zip(found, expected, strict=True)])
    )


def share(value: float | None) -> str:
    """Write a recall; a dash where there was no exact search to compare with."""
    return "–" if value is None else f"{value:.3f}"


def candidates_line(row: dict[str, Any]) -> str:
    """Say how much of what a store finds without candidates it finds with them."""
    title = row["engine"]
    at = [row.get(f"candidates_recall_at_{depth}") for depth in DEPTHS]
    measured = " and ".join(f"{share(value)} (R@{depth})" for value, depth in zip(at, DEPTHS, strict=True))
    found = "not measured" if None in at else measured
    return f"- Of the best of `{WITHOUT_CANDIDATES[title]}`, `{title}` finds: {found}."


def measure(pythons: dict[str, str], folder: Path) -> Iterator[dict[str, Any]]:
    """Run the engines one after the other, exact search first."""
    expected: list[list[int]] | None = None
    for engine, python in pythons.items():
        command = [python, str(Path(search_engines.__file__)), engine, str(folder)]
        ended = subprocess.run(command, check=False, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        if ended.returncode:
            print(f"{engine} failed:\n{ended.stderr}", file=sys.stderr)
            continue
        rows = json.loads((folder / f"{engine}.json").read_text())
        by_title = {row["engine"]: row["found"] for row in rows}
        for row in rows:
            found, times = row.pop("found"), row.pop("times_ms")
            if engine == "exact":
                expected = found
            recalls = {f"recall_at_{depth}": expected and recall(found, expected, depth) for depth in DEPTHS}
            if whole := by_title.get(WITHOUT_CANDIDATES.get(row["engine"], "")):
                recalls |= {f"candidates_recall_at_{depth}": recall(found, whole, depth) for depth in DEPTHS}
            p50, p95 = np.percentile(times, [50, 95]).tolist()
            yield {**row, **recalls, "p50_ms": p50, "p95_ms": p95}


def machine() -> dict[str, str | int]:
    """Describe where this ran."""
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    model = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.processor())
    load = round(os.getloadavg()[0])
    return {"processor": model, "cores": os.cpu_count() or 0, "load": load, "python": platform.python_version()}


def earlier(results: Path | None, passages: Sequence[int]) -> list[dict[str, Any]]:
    """Return what was measured before, of other sizes than are measured now."""
    path = (results or Path()) / "search.json"
    if results is None or not path.exists():
        return []
    return [each for each in json.loads(path.read_text())["collections"] if each["passages"] not in passages]


def markdown(report: dict[str, Any]) -> str:
    """Make a table of each collection."""
    lines: list[str] = []
    for each in report["collections"]:
        lines += [*([""] if lines else []), "; ".join(f"{key} {value}" for key, value in each["machine"].items()) + "."]
        lines += [
            f"\n{each['passages']:,} passages, {each['noised_copies']:,} of them noised copies; {each['tokens']:,} "
            f"tokens of {each['dim']} dimensions; {each['queries']} queries of {each['query_tokens']:.0f} tokens.\n",
            "| engine | build s | bytes/token | memory MB | R@10 | R@100 | p50 ms | p95 ms |",
            "|---|--:|--:|--:|--:|--:|--:|--:|",
        ]
        lines += [
            f"| {row['engine']} | {row['build_s']:.1f} | {row['bytes_per_token']:.1f} | {row['memory_mb']:.0f} | "
            f"{share(row['recall_at_10'])} | {share(row['recall_at_100'])} | {row['p50_ms']:.1f} | "
            f"{row['p95_ms']:.1f} |"
            for row in each["engines"]
        ]
        approximate = [row for row in each["engines"] if row["engine"] in WITHOUT_CANDIDATES]
        lines += ["", *map(candidates_line, approximate)] if approximate else []
    return "\n".join(lines) + "\n"


def main() -> None:
    """Read, encode, compare, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--index", type=Path, required=True)
    parser.add_argument("--queries", type=Path, required=True)
    parser.add_argument("--model", required=True)
    parser.add_argument("--passages", type=int, nargs="+", default=[1_000, 10_000])
    parser.add_argument("--asked", type=int, default=100, help="how many of the queries to ask")
    parser.add_argument("--fast-plaid-python", metavar="PATH", help="python of an environment with fast-plaid")
    parser.add_argument("--fast-plaid-most", type=int, default=10_000, help="passages beyond which it is left out")
    parser.add_argument("--engines", nargs="+", choices=ENGINES, default=ENGINES, help="without `exact` no recall")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--results", type=Path, metavar="FOLDER", help="write JSON and a table there, too")
    options = parser.parse_args()
    texts = [query.text for query in read_queries(options.queries)[: options.asked]]
    encoded = load_encoder(options.model).encode_query(texts, convert_to_numpy=True, show_progress_bar=False)
    queries = [np.asarray(query, dtype=np.float32) for query in encoded]
    index = load_index(options.index)
    report: dict[str, Any] = {"collections": earlier(options.results, options.passages)}
    for passages in options.passages:
        pythons = {engine: sys.executable for engine in ENGINES if engine in options.engines}
        if not find_spec("qdrant_edge"):
            pythons.pop("edge", None)
        if options.fast_plaid_python and passages <= options.fast_plaid_most:
            pythons["plaid"] = options.fast_plaid_python
        with tempfile.TemporaryDirectory() as folder:
            copies = write_passages(index, passages, Path(folder))
            write_queries(queries, Path(folder))
            about = {
                "machine": machine(),
                "passages": passages,
                "noised_copies": copies,
                "tokens": int(np.load(Path(folder) / "starts.npy")[-1]),
                "dim": index.manifest.dim,
                "queries": len(queries),
                "query_tokens": sum(map(len, queries)) / len(queries),
            }
            report["collections"].append({**about, "engines": list(measure(pythons, Path(folder)))})
        report["collections"].sort(key=lambda each: each["passages"])
        if options.results:
            (options.results / "search.json").write_text(json.dumps(report, indent=1) + "\n")
            (options.results / "search.md").write_text(markdown(report))
    print(json.dumps(report, indent=1) if options.json else markdown(report))


if __name__ == "__main__":
    main()
