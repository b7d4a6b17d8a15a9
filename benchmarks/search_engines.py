"""One engine of `benchmarks/search.py`, in a process of its own: `python search_engines.py ENGINE FOLDER`.

FOLDER holds `tokens.npy`, the token embeddings of all passages in float32, and `starts.npy`, the first of each passage
and the end; `queries.npy` and `query_starts.npy` likewise. What was measured is written to `ENGINE.json` there. Only
numpy and the engine are imported, so that an engine may live in an environment without kivuko.
"""

# ruff: noqa: PLC0415 - only the engine that is asked for is imported
import json
import os
import resource
import sys
import traceback
import warnings
from collections.abc import Callable, Iterator
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "RAYON_NUM_THREADS", "NUMBA_NUM_THREADS")
os.environ.update(dict.fromkeys(THREADS, "1"))

import numpy as np  # noqa: E402 - after the number of threads is set
from numpy.typing import NDArray  # noqa: E402

Vectors = NDArray[np.float32]
Search = Callable[[Vectors], list[int]]

DEPTH = 100
COMMIT = 1_000  # passages
PREFETCHED = 1_000


class Texts(NamedTuple):
    """Token embeddings of passages or queries, one after the other."""

    tokens: Vectors
    starts: NDArray[np.int64]

    @classmethod
    def load(cls, tokens: Path, starts: Path) -> "Texts":
        """Map them."""
        return cls(np.load(tokens, mmap_mode="r"), np.load(starts))

    def __len__(self) -> int:
        return len(self.starts) - 1

    def __getitem__(self, position: int) -> Vectors:
        return np.asarray(self.tokens[self.starts[position] : self.starts[position + 1]])

    def portions(self) -> Iterator[range]:
        """Cut the positions into commits."""
        for first in range(0, len(self), COMMIT):
            yield range(first, min(first + COMMIT, len(self)))


class Engine(NamedTuple):
    """How an engine stores passages, and how it is opened: to one or more ways to search."""

    package: str
    modules: tuple[str, ...]
    build: Callable[[Texts, Path], None]
    open: Callable[[Path], dict[str, Search]]


def open_exact(folder: Path) -> dict[str, Search]:
    """Search exhaustively in float32."""
    from kivuko.search import Index, Manifest, exact_search

    passages = Texts.load(folder.parent / "tokens.npy", folder.parent / "starts.npy")
    dim = passages.tokens.shape[1]
    manifest = Manifest(
        model_name="", dim=dim, dtype="float32", documents=len(passages), tokens=len(passages.tokens), files={}
    )
    ids = tuple(f"{position:08d}" for position in range(len(passages)))
    offsets = np.stack([passages.starts, np.zeros_like(passages.starts)], axis=1)
    index = Index(folder, manifest, ids, passages.tokens, offsets, np.empty(0, np.uint8))
    return {"exact float32": lambda query: exact_search(index, [query], top_k=DEPTH)[0].positions.tolist()}


def build_flat(passages: Texts, folder: Path) -> None:
    """Store int8 codes."""
    from kivuko.search.flat import create_store
    from kivuko.search.store import Entry, Passage

    store = create_store(folder / "store", dim=passages.tokens.shape[1], model_name="benchmark")
    for portion in passages.portions():
        store.add(Entry(Passage(f"{position:08d}", "", ""), passages[position]) for position in portion)


def open_flat(folder: Path) -> dict[str, Search]:
    """Search with kivuko's flat store, by candidates and exhaustively."""
    import torch

    from kivuko.search.flat import FlatStore

    torch.set_num_threads(1)

    def asking(store: FlatStore) -> Search:
        return lambda query: [int(match.passage.doc_id) for match in store.search([query], top_k=DEPTH)[0]]

    return {
        "flat": asking(FlatStore(folder / "store")),
        "flat, exhaustive": asking(FlatStore(folder / "store", exhaustive=True)),
    }


def build_edge(passages: Texts, folder: Path) -> None:
    """Store float16 multi-vectors and their means in Qdrant Edge, and build the graph of the means."""
    from kivuko.search.qdrant.edge import create_edge_store
    from kivuko.search.qdrant.store import QdrantManifest
    from kivuko.search.store import Entry, Passage

    store = create_edge_store(folder, QdrantManifest(model_name="benchmark", dim=passages.tokens.shape[1]))
    for portion in passages.portions():
        store.add(Entry(Passage(f"{position:08d}", "", ""), passages[position]) for position in portion)
    store.tidy()
    store.close()


def open_edge(folder: Path) -> dict[str, Search]:
    """Search with Qdrant Edge: passages with the best means rescored, and all of them."""
    from kivuko.search.qdrant.edge import EdgeStore

    store = EdgeStore(folder)

    def search(query: Vectors, prefetch: int | None) -> list[int]:
        store.prefetch = prefetch
        return [int(match.passage.doc_id) for match in store.search([query], top_k=DEPTH)[0]]

    return {
        f"Qdrant Edge, {PREFETCHED:,} rescored": lambda query: search(query, PREFETCHED),
        "Qdrant Edge, exact": lambda query: search(query, None),
    }


def build_plaid(passages: Texts, folder: Path) -> None:
    """Cluster and compress to four bits, as fast-plaid does by default."""
    import torch
    from fast_plaid import search

    torch.set_num_threads(1)
    documents = [torch.from_numpy(passages[position].copy()) for position in range(len(passages))]
    search.FastPlaid(index=str(folder), device="cpu").create(documents_embeddings=documents)


def open_plaid(folder: Path) -> dict[str, Search]:
    """Search with fast-plaid's defaults."""
    import torch
    from fast_plaid import search

    torch.set_num_threads(1)
    index = search.FastPlaid(index=str(folder), device="cpu")

    def find(query: Vectors) -> list[int]:
        asked = torch.from_numpy(query.copy())[None]
        return [position for position, _ in index.search(asked, top_k=DEPTH, show_progress=False)[0]]

    return {"fast-plaid, 4 bits": find}


ENGINES = {
    "exact": Engine("numpy", ("kivuko.search",), lambda passages, folder: folder.mkdir(), open_exact),
    "flat": Engine("kivuko", ("torch", "kivuko.search.flat"), build_flat, open_flat),
    "edge": Engine("qdrant-edge-py", ("qdrant_edge", "kivuko.search.qdrant.edge"), build_edge, open_edge),
    "plaid": Engine("fast-plaid", ("torch", "fast_plaid.search"), build_plaid, open_plaid),
}


def cpu_seconds() -> float:
    """Return the CPU time of all threads of this process and of the children that have ended."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


def own_memory() -> float:
    """Return the megabytes of this process that are no mapped file."""
    [line] = [each for each in Path("/proc/self/status").read_text().splitlines() if each.startswith("RssAnon")]
    return int(line.split()[1]) / 1e3


def disk_use(folder: Path) -> int:
    """Return the bytes that the files in a folder take."""
    return sum(path.stat().st_blocks * 512 for path in folder.rglob("*") if path.is_file())


def measure(name: str, folder: Path) -> list[dict[str, Any]]:
    """Build, or open what was built, and ask every query, in processes of their own: so memory is that of searching."""
    engine = ENGINES[name]
    passages = Texts.load(folder / "tokens.npy", folder / "starts.npy")
    queries = Texts.load(folder / "queries.npy", folder / "query_starts.npy")
    begun = cpu_seconds()
    if (pid := os.fork()) == 0:
        status = 1
        try:
            engine.build(passages, folder / name)
            status = 0
        except Exception:  # noqa: BLE001 - said by this process, which does not return
            traceback.print_exc()
        finally:
            os._exit(status)
    if os.waitpid(pid, 0)[1]:
        raise SystemExit(f"{name} could not be built.")
    build = cpu_seconds() - begun
    for module in engine.modules:
        import_module(module)
    before = own_memory()
    rows = []
    for title, search in engine.open(folder / name).items():
        search(queries[0])
        found, times = [], []
        for position in range(len(queries)):
            begun = cpu_seconds()
            found.append(search(queries[position]))
            times.append(1e3 * (cpu_seconds() - begun))
        memory = own_memory() - before
        rows.append({"engine": title, "build_s": build, "memory_mb": memory, "times_ms": times, "found": found})
    stored = disk_use(folder / name) if name != "exact" else passages.tokens.nbytes
    about = {"bytes_per_token": stored / len(passages.tokens), "version": version(engine.package)}
    return [{**row, **about} for row in rows]


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    (Path(sys.argv[2]) / f"{sys.argv[1]}.json").write_text(json.dumps(measure(sys.argv[1], Path(sys.argv[2]))))
