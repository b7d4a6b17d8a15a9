"""Say what a million, a hundred million and a billion passages take, from what was measured on fewer.

    python benchmarks/scale.py --index INDEX --model TEACHER                                  tables on stdout
    python benchmarks/scale.py --index INDEX --model TEACHER --results benchmarks/results     and into files
    python benchmarks/scale.py --encoding PASSAGES TOKENS SECONDS                             what `kivuko index` took

Measured now: the CPU time in which TEACHER encodes some hundred passages of INDEX, on one thread; or given, as `time
kivuko index --threads 1` says it (user and system time together) of a whole collection. Read from
`benchmarks/results/search.json`, which `benchmarks/search.py` writes: bytes a token, CPU time to store, and CPU time to
ask, at each number of passages. Everything else is arithmetic, in `extrapolate`: whatever is needed for each passage is
taken as it was at the largest size at which the engine was measured, and multiplied. A Qdrant collection is cut into
shards that fill a disk each; every shard rescores 1,000 passages for a query, whatever its size, and the search in its
graph of pooled vectors, which grows with the logarithm, is left out.
"""

# ruff: noqa: PLC0415 - where nothing is encoded, nothing is imported for it
import argparse
import json
import math
import os
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

SIZES = (1_000_000, 100_000_000, 1_000_000_000)
WORKERS = (16, 256)
SCANNED, RESCORED = "flat", "Qdrant Edge, 1,000 rescored"
TITLES = {
    "tokens": "tokens",
    "encode_core_hours": "encoding, core hours",
    **{f"hours_{workers}": f"the same by {workers} workers, hours" for workers in WORKERS},
    "flat_terabytes": "flat, TB",
    "flat_store_core_hours": "flat, storing, core hours",
    "flat_query_core_seconds": "flat, a query, core seconds",
    "qdrant_terabytes": "Qdrant, TB",
    "qdrant_store_core_hours": "Qdrant, storing, core hours",
    "qdrant_shards": "Qdrant, shards, a disk each",
    "qdrant_query_core_seconds": "Qdrant, a query, core seconds of all shards",
}


def measure_encoding(model: str, directory: Path, passages: int) -> dict[str, float]:
    """Encode passages from all over an index, once more after a first batch to warm up."""
    import torch

    from kivuko.models.encoder import load_encoder
    from kivuko.search import load_index

    torch.set_num_threads(1)
    index = load_index(directory)
    positions = [number * (len(index) - 1) // (passages - 1) for number in range(passages)]
    texts = [index.document(position).content for position in positions]
    encoder = load_encoder(model)
    encoder.encode_document(texts[:32], show_progress_bar=False)
    begun = time.process_time()
    embeddings = encoder.encode_document(texts, batch_size=32, convert_to_numpy=True, show_progress_bar=False)
    seconds = time.process_time() - begun
    tokens = sum(map(len, embeddings))
    return {"passages": passages, "tokens": tokens, "cpu_s": seconds, "passages_per_s": passages / seconds}


def growth(collections: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return what each engine takes for each passage, at each measured size."""
    return [
        {
            "engine": row["engine"],
            "passages": each["passages"],
            "bytes_per_token": row["bytes_per_token"],
            "build_ms_per_passage": 1e3 * row["build_s"] / each["passages"],
            "query_ms": row["p50_ms"],
            "query_us_per_passage": 1e3 * row["p50_ms"] / each["passages"],
        }
        for each in collections
        for row in each["engines"]
        if row["engine"] in (SCANNED, RESCORED)
    ]


def largest(collections: list[dict[str, Any]], engine: str) -> dict[str, Any]:
    """Return what an engine took for one passage, and for one query, at the largest size at which it was measured."""
    measured = [(each, row) for each in collections for row in each["engines"] if row["engine"] == engine]
    each, row = max(measured, key=lambda pair: pair[0]["passages"])
    return {
        "passages": each["passages"],
        "bytes": row["bytes_per_token"] * each["tokens"] / each["passages"],
        "build_s": row["build_s"] / each["passages"],
        "query_s": row["p50_ms"] / 1e3,
    }


def extrapolate(
    passages: int, encoding: dict[str, float], flat: dict[str, Any], qdrant: dict[str, Any], disk_tb: float
) -> dict[str, float]:
    """Multiply."""
    core_hours = passages / encoding["passages_per_s"] / 3600
    terabytes = passages * qdrant["bytes"] / 1e12
    shards = math.ceil(terabytes / disk_tb)
    return {
        "passages": passages,
        "tokens": passages * encoding["tokens"] / encoding["passages"],
        "encode_core_hours": core_hours,
        **{f"hours_{workers}": core_hours / workers for workers in WORKERS},
        "flat_terabytes": passages * flat["bytes"] / 1e12,
        "flat_store_core_hours": passages * flat["build_s"] / 3600,
        "flat_query_core_seconds": passages / flat["passages"] * flat["query_s"],
        "qdrant_terabytes": terabytes,
        "qdrant_store_core_hours": passages * qdrant["build_s"] / 3600,
        "qdrant_shards": shards,
        "qdrant_query_core_seconds": shards * qdrant["query_s"],
    }


def markdown(report: dict[str, Any]) -> str:
    """Make the tables."""
    encoding = report["encoding"]
    lines = [
        f"Encoding: {encoding['passages']:,.0f} passages of {encoding['tokens'] / encoding['passages']:.0f} tokens in "
        f"{encoding['cpu_s']:.1f} s of CPU time on one thread, {encoding['passages_per_s']:.1f} passages a second.\n",
        "| engine | passages | bytes/token | storing, ms a passage | a query, ms | a query, µs a passage |",
        "|---|--:|--:|--:|--:|--:|",
    ]
    lines += [
        f"| {row['engine']} | {row['passages']:,} | {row['bytes_per_token']:.1f} | {row['build_ms_per_passage']:.2f} | "
        f"{row['query_ms']:.1f} | {row['query_us_per_passage']:.2f} |"
        for row in sorted(report["growth"], key=lambda row: (row["engine"] != SCANNED, row["passages"]))
    ]
    sizes = report["sizes"]
    lines += [
        f"\nMultiplied from {report['flat']['passages']:,} passages for flat, "
        f"{report['qdrant']['passages']:,} for Qdrant; "
        f"a disk holds {report['disk_tb']:g} TB:\n",
        "| passages | " + " | ".join(f"{size['passages']:,}" for size in sizes) + " |",
        "|---|" + "--:|" * len(sizes),
    ]
    lines += [f"| {title} | " + " | ".join(_short(size[key]) for size in sizes) + " |" for key, title in TITLES.items()]
    return "\n".join(lines) + "\n"


def _short(number: float) -> str:
    """Write two digits, and all before the point."""
    return f"{number:.2g}" if number < 10 else f"{float(f'{number:.2g}'):,.0f}"


def main() -> None:
    """Measure, read, multiply, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--index", type=Path)
    parser.add_argument("--model", help="the encoder of the passages")
    parser.add_argument("--encoding", type=float, nargs=3, metavar=("PASSAGES", "TOKENS", "SECONDS"))
    parser.add_argument("--encoded", type=int, default=320, help="how many passages to encode")
    parser.add_argument("--search", type=Path, default=Path(__file__).parent / "results" / "search.json")
    parser.add_argument("--disk-tb", type=float, default=2.0)
    parser.add_argument("--results", type=Path, metavar="FOLDER", help="write JSON and tables there, too")
    options = parser.parse_args()
    if not options.encoding and not (options.index and options.model):
        parser.error("give --index and --model, or --encoding")
    collections = json.loads(options.search.read_text())["collections"]
    flat, qdrant = largest(collections, SCANNED), largest(collections, RESCORED)
    if options.encoding:
        passages, tokens, seconds = options.encoding
        encoding = {"passages": passages, "tokens": tokens, "cpu_s": seconds, "passages_per_s": passages / seconds}
    else:
        encoding = measure_encoding(options.model, options.index, options.encoded)
    report = {
        "encoding": encoding,
        "growth": growth(collections),
        "flat": flat,
        "qdrant": qdrant,
        "disk_tb": options.disk_tb,
        "sizes": [extrapolate(size, encoding, flat, qdrant, options.disk_tb) for size in SIZES],
    }
    if options.results:
        (options.results / "scale.json").write_text(json.dumps(report, indent=1) + "\n")
        (options.results / "scale.md").write_text(markdown(report))
    print(markdown(report))


if __name__ == "__main__":
    main()
