r"""Compare rankings by meaning, by words and by both, on a judged collection whose words were counted.

    kivuko index --model TEACHER --corpus COLLECTION/corpus.jsonl --language en --out INDEX \
      --lexical psq --bitext en-sw.tsv --target sw
    python benchmarks/hybrid.py --index INDEX --model STUDENT --collection COLLECTION

Every ranking is the one that `kivuko search --ranker` gives, 100 documents deep; a fusion sums two of them with the
weights that are shown. Times are CPU times a query, encoding included.
"""

import argparse
import time
from pathlib import Path

from ir_measures import ScoredDoc

from kivuko.data.collections import read_collection
from kivuko.evaluation.measures import evaluate_run, parse_measures
from kivuko.search.hybrid import FUSIONS, RankBy, RankerName, fuse_hits
from kivuko.search.opening import open_hybrid

DEPTH = 100
MEASURES = "RR@10 nDCG@10 R@100"
WEIGHTS = (0.5, 1.0, 2.0)


def main() -> None:
    """Rank, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--index", required=True)
    parser.add_argument("--model", required=True)
    parser.add_argument("--collection", type=Path, required=True, help="BEIR folder with judgments")
    parser.add_argument("--language", help="of the queries; by default the one that the model was taught")
    options = parser.parse_args()
    collection = read_collection(options.collection)
    judged = {qrel.query_id for qrel in collection.qrels}
    queries = [query for query in collection.queries if query.query_id in judged]
    texts = [query.text for query in queries]
    measures = parse_measures(MEASURES)
    searcher = open_hybrid(options.index, options.model, by=RankBy(RankerName.RRF), language=options.language)
    names = [name for name in searcher.rankers if name not in FUSIONS]
    found, times = {}, {}
    for name in names:
        searcher.search(texts[:1], DEPTH, by=RankBy(name))
        begun = time.process_time()
        found[name] = searcher.search(texts, DEPTH, by=RankBy(name))
        times[name] = 1e3 * (time.process_time() - begun) / len(texts)
    rows = [(f"`{name}`", found[name], times[name]) for name in names]
    for fusion in FUSIONS:
        for other in names[1:]:
            for weight in WEIGHTS:
                title = f"`{fusion}`: 1 {names[0]} + {weight:g} {other}"
                fused = fuse_hits([found[names[0]], found[other]], [1.0, weight], fusion, DEPTH)
                rows.append((title, fused, times[names[0]] + times[other]))
    print("| ranked by | " + " | ".join(map(str, measures)) + " | ms |")
    print("|---|" + "--:|" * (len(measures) + 1))
    for title, hits, milliseconds in rows:
        run = [
            ScoredDoc(query.query_id, hit.doc_id, hit.score)
            for query, ranking in zip(queries, hits, strict=True)
            for hit in ranking
        ]
        means = evaluate_run(collection.qrels, run, measures).mean
        cells = [f"{means[str(each)]:.3f}" for each in measures]
        print(f"| {title} | " + " | ".join(cells) + f" | {milliseconds:.0f} |")


if __name__ == "__main__":
    main()
