r"""Find known sentence pairs that are hidden among sentences without a partner, with and without transport rescoring.

    python benchmarks/mining.py --model STUDENT --collection tatoeba-xtreme/sw-en \
        --distractors tatoeba-xtreme/de-en tatoeba-xtreme/fi-en tatoeba-xtreme/hi-en      a table on stdout
    python benchmarks/mining.py ... --json                                                the same as JSON
    python benchmarks/mining.py ... --tuned other.json                                    thresholds of another run

The collection is one where every query is a translation of its document. Half of the pairs, drawn with a fixed seed,
lose their English sentence. The English text is what is left, and the documents of the distractors, each text once and
none of them a sentence that was taken away. The other text is all queries.

Each score ranks the candidates; the best are taken so that no sentence is in two pairs. AP is the average precision of
this ranking; pairs that are not found count as never found. Best F1 is that of the best threshold, known only
afterwards; precision, recall and F1 are those at the threshold that is best for the other half of the queries, in turn,
or with --tuned at the threshold that is best in the run that wrote that JSON, on another language.
"""

import argparse
import json
import os
import tempfile
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import torch
from numpy.typing import NDArray

from kivuko.curation.mining import encode_side, find_candidates, margin_among, match, transport_nearness
from kivuko.data.collections import read_collection
from kivuko.data.shingles import text_key
from kivuko.models.encoder import default_document_model, load_encoder

SEED = 0


def hide(collection: Path, distractors: list[Path]) -> tuple[list[str], list[str], dict[int, int]]:
    """Return English sentences, other sentences, and the place of the former by that of the latter."""
    read = read_collection(collection)
    documents = {document.doc_id: document.text for document in read.corpus}
    queries = {query.query_id: query.text for query in read.queries}
    pairs = {queries[qrel.query_id]: documents[qrel.doc_id] for qrel in read.qrels}
    others = list(pairs)
    orphans = set(np.random.default_rng(SEED).permutation(len(others))[: len(others) // 2].tolist())
    gone = {text_key(pairs[others[place]]) for place in orphans}
    kept = [pairs[text] for place, text in enumerate(others) if place not in orphans]
    found = [document.text for path in distractors for document in read_collection(path).corpus]
    english = {text_key(text): text for text in reversed([*kept, *found]) if text_key(text) not in gone}
    places = {key: place for place, key in enumerate(english)}
    true = {n: places[text_key(pairs[t])] for n, t in enumerate(others) if text_key(pairs[t]) in places}
    return list(english.values()), others, true


def best_threshold(scores: NDArray[np.float64], right: NDArray[np.bool_], total: int) -> tuple[float, float]:
    """Return the threshold with the largest F1, and that F1; scores fall."""
    hits, count = np.cumsum(right), np.arange(1, len(right) + 1)
    f1 = 2 * hits / (count + total)
    return float(scores[int(f1.argmax())]), float(f1.max())


def measure(
    pairs: NDArray[np.int64], scores: NDArray[np.float64], true: dict[int, int], tuned: float | None
) -> dict[str, float]:
    """Measure a ranking of candidates, at a threshold or at those of both halves."""
    taken = match(pairs, scores)
    ranked, values = pairs[taken], scores[taken]
    right = np.array([true.get(other) == english for english, other in ranked.tolist()])
    precision = np.cumsum(right) / np.arange(1, len(right) + 1)
    hits = found = 0
    thresholds = []
    for half in (0, 1):
        mine, theirs = ranked[:, 1] % 2 == half, ranked[:, 1] % 2 != half
        total = sum(other % 2 != half for other in true)
        threshold = best_threshold(values[theirs], right[theirs], total)[0] if tuned is None else tuned
        thresholds.append(threshold)
        hits += int(right[mine & (values >= threshold)].sum())
        found += int((mine & (values >= threshold)).sum())
    return {
        "average_precision": float(precision[right].sum() / len(true)),
        "best_f1": best_threshold(values, right, len(true))[1],
        "best_threshold": best_threshold(values, right, len(true))[0],
        "precision": hits / max(found, 1),
        "recall": hits / len(true),
        "f1": 2 * hits / (found + len(true)),
        "threshold": float(np.mean(thresholds)),
    }


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--collection", type=Path, required=True)
    parser.add_argument("--distractors", type=Path, nargs="+", required=True)
    parser.add_argument("--neighbors", type=int, default=4)
    parser.add_argument("--tuned", type=Path, help="JSON of a run on another language, whose best thresholds are taken")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    told = json.loads(arguments.tuned.read_text(encoding="utf-8"))["scores"] if arguments.tuned else None
    english, others, true = hide(arguments.collection, arguments.distractors)
    student = load_encoder(arguments.model).eval()
    teacher = load_encoder(default_document_model(str(arguments.model))).eval()
    with tempfile.TemporaryFile() as first, tempfile.TemporaryFile() as second:
        begun = time.process_time()
        sides = encode_side(teacher, english, first), encode_side(student, others, second)
        encoded = time.process_time()
        candidates = find_candidates(sides[0].means, sides[1].means, neighbors=arguments.neighbors)
        found = time.process_time()
        near = transport_nearness(*sides, candidates.pairs)
        seconds = {"encode": encoded - begun, "candidates": found - encoded, "rescore": time.process_time() - found}
    transport = margin_among(candidates.pairs, near)
    rankings = {
        "cosine of means": candidates.cosine,
        "margin of means": candidates.margin,
        "transport": near,
        "margin of transport": transport,
        "mean of both margins": (candidates.margin + transport) / 2,
    }
    record: dict[str, Any] = {
        "english": len(english),
        "others": len(others),
        "pairs": len(true),
        "candidates": len(candidates.pairs),
        "reachable": sum(
            (english, other) in set(map(tuple, candidates.pairs.tolist())) for other, english in true.items()
        ),
        "seconds": {name: round(value, 1) for name, value in seconds.items()},
        "scores": {
            name: measure(candidates.pairs, scores, true, told[name]["best_threshold"] if told else None)
            for name, scores in rankings.items()
        },
    }
    print(json.dumps(record, indent=1) if arguments.json else table(record))


def table(record: dict[str, Any]) -> str:
    """Return the table as Markdown."""
    lines = [
        f"{record['pairs']} pairs among {record['english']:,} English sentences and {record['others']:,} others; "
        f"{record['reachable']} of them are among {record['candidates']:,} candidates.",
        "",
        "| score | AP | best F1 | precision | recall | F1 | threshold |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    for name, row in record["scores"].items():
        cells = [
            f"{row[key]:.3f}" for key in ("average_precision", "best_f1", "precision", "recall", "f1", "threshold")
        ]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    lines += ["", "CPU seconds: " + ", ".join(f"{name} {value}" for name, value in record["seconds"].items())]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
