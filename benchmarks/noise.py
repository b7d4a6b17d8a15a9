r"""What misaligned sentence pairs cost a student, and how much of that filtering by `kivuko bitext score` recovers.

    python benchmarks/noise.py --teacher TEACHER --bitext en-sw.tsv --collection tatoeba-xtreme/sw-en --measures R@1
    python benchmarks/noise.py ... --json                                    the table as JSON
    python benchmarks/noise.py ... --plot noise.svg                          the curve as well

Of --pairs pairs, drawn with a fixed seed, the translations of --noise are permuted among each other. A first student is
transplanted from the noisy text, without a gradient step, and scores it (round 1). Another one is transplanted from the
--first-keep best, and scores all of the text again (round 2). Then students are transplanted from: the clean text, the
noisy one, its good pairs alone (`oracle`), as many pairs as these drawn at random, and the best shares of each round.
Each is measured on the collection, and on held-out pairs of the same source: the share of their translations whose own
English sentence is the first of all.

AUC is the probability that a true pair has a better value than a permuted one, over the whole text. `recovered` is
where a student lies between the noisy one (0 %) and the clean one (100 %), by the held-out pairs; the same with the
oracle in the place of the clean one is what a perfect filter could recover, since it cannot bring translations back.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import rankdata

from kivuko.curation import PairQuality, QualityScorer
from kivuko.data.bitext import SentencePair
from kivuko.data.collections import read_collection
from kivuko.data.readers import BitextFile
from kivuko.evaluation.measures import parse_measures
from kivuko.evaluation.retrieval import evaluate_retrieval
from kivuko.models.encoder import model_digest
from kivuko.models.teacher import load_teacher
from kivuko.models.transplant import transplant
from kivuko.training.held_out import HeldOut

HELD_OUT = 500
SEED = 0


def auc(values: NDArray[np.float64], is_true: NDArray[np.bool_]) -> float:
    """Return the area under the ROC curve; ties count half."""
    ranks, positive = rankdata(values), int(is_true.sum())
    above = ranks[is_true].sum() - positive * (positive + 1) / 2
    return float(above / (positive * (len(values) - positive)))


def permuted(pairs: Sequence[SentencePair], share: float) -> tuple[list[SentencePair], NDArray[np.bool_]]:
    """Return the pairs, a share of them with another's translation, and which are as they were."""
    random, noisy = np.random.default_rng(SEED), list(pairs)
    chosen = random.permutation(len(pairs))[: round(share * len(pairs))]
    is_true = np.ones(len(pairs), dtype=bool)
    is_true[chosen] = False
    for place, other in zip(chosen.tolist(), np.roll(chosen, 1).tolist(), strict=True):
        noisy[place] = SentencePair(pairs[place].english, pairs[other].translation)
    return noisy, is_true


def best(values: NDArray[np.float64], share: float) -> NDArray[np.int64]:
    """Return the places of the largest values, in the order of the text."""
    return np.sort(np.argsort(-values, kind="stable")[: round(share * len(values))])


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--teacher", type=Path, required=True, help="directory")
    parser.add_argument("--bitext", type=Path, nargs="+", required=True, help="clean text")
    parser.add_argument("--collection", type=Path, required=True, help="BEIR folder in the language of the text")
    parser.add_argument("--index", type=Path, help="of its documents by the teacher; made there if it is not")
    parser.add_argument("--pairs", type=int, default=2000)
    parser.add_argument("--noise", type=float, default=0.3)
    parser.add_argument("--measures", default="RR@10 R@100")
    parser.add_argument("--shares", type=float, nargs="+", default=[0.9, 0.8, 0.7, 0.6, 0.5], help="that are kept")
    parser.add_argument("--first-keep", type=float, default=0.6, help="share that the second student is grown from")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--plot", type=Path)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    found = measure(arguments)
    if arguments.plot:
        draw(found, arguments.plot)
    print(json.dumps(found, indent=1) if arguments.json else table(found))


def measure(arguments: argparse.Namespace) -> dict[str, Any]:
    """Make the noise, score it, and measure all students."""
    every = [pair for path in arguments.bitext for pair in BitextFile(path).pairs()]
    drawn = np.random.default_rng(SEED).permutation(len(every))[: arguments.pairs + HELD_OUT]
    clean = [every[place] for place in sorted(drawn[HELD_OUT:].tolist())]
    noisy, is_true = permuted(clean, arguments.noise)
    teacher = load_teacher(arguments.teacher)
    held_out = HeldOut(teacher, [every[place] for place in drawn[:HELD_OUT].tolist()])
    collection = read_collection(arguments.collection)
    digest = model_digest(arguments.teacher)
    rows: list[dict[str, Any]] = []

    measures = parse_measures(arguments.measures)

    def student_of(name: str, pairs: Sequence[SentencePair], good: float) -> Any:
        student = transplant(teacher, pairs).student.eval()
        found = evaluate_retrieval(
            student, teacher, collection, measures, document_model_digest=digest, index_directory=arguments.index
        ).measures.mean
        rows.append({"from": name, "pairs": len(pairs), "true": good, **found, **held_out(student)})
        sys.stderr.write(f"{rows[-1]}\n")
        return student

    def places_of(name: str, places: NDArray[np.int64]) -> Any:
        return student_of(name, [noisy[place] for place in places], float(is_true[places].mean()))

    scorers, scores = [], []
    areas: dict[str, float] = {}
    student = student_of("noisy", noisy, float(is_true.mean()))
    begun = time.process_time()
    for number in (1, 2):
        scorers.append(QualityScorer(noisy, student, teacher))
        qualities = scorers[-1](noisy)
        values = {name: np.array([getattr(each, name) for each in qualities]) for name in PairQuality._fields}
        values["cost"] *= -1
        areas |= {f"{name}, round {number}": auc(each, is_true) for name, each in values.items()}
        scores.append(values["score"])
        if number == 1:
            kept = best(scores[0], arguments.first_keep)
            student = transplant(teacher, [noisy[place] for place in kept]).student.eval()
    seconds = time.process_time() - begun
    lengths = np.array([[len(pair.english), len(pair.translation)] for pair in noisy], dtype=float)
    ratios = np.log(lengths[:, 1] / lengths[:, 0])
    areas["length ratio"] = auc(-np.abs(ratios - np.median(ratios)), is_true)
    sys.stderr.write(f"{areas} noise {[scorer.noise for scorer in scorers]}\n")

    student_of("clean", clean, 1.0)
    good = np.flatnonzero(is_true)
    places_of("oracle", good)
    places_of("random", np.sort(np.random.default_rng(SEED + 1).permutation(len(noisy))[: len(good)]))
    for number, values_of_round in enumerate(scores, start=1):
        for share in arguments.shares:
            places_of(f"best {share:.0%}, round {number}", best(values_of_round, share))
    by_name = {row["from"]: row["accuracy"] for row in rows}
    for row in rows:
        row["recovered"] = (row["accuracy"] - by_name["noisy"]) / (by_name["clean"] - by_name["noisy"])
    return {
        "bitext": ["/".join(path.parts[-2:]) for path in arguments.bitext],
        "collection": "/".join(arguments.collection.parts[-2:]),
        "queries": len({qrel.query_id for qrel in collection.qrels}),
        "measures": arguments.measures.split(),
        "shares": arguments.shares,
        "permuted": arguments.noise,
        "estimated": [scorer.noise for scorer in scorers],
        "seconds_to_score": round(seconds, 1),
        "auc": areas,
        "students": rows,
    }


def table(found: dict[str, Any]) -> str:
    """Return both tables as Markdown."""
    lines = ["| value | AUC |", "|---|---:|", *(f"| {name} | {area:.4f} |" for name, area in found["auc"].items()), ""]
    estimated = ", ".join(f"{noise:.0%}" for noise in found["estimated"])
    names = [f"{found['collection']} {measure}" for measure in found["measures"]]
    lines += [
        f"Permuted: {found['permuted']:.0%}; estimated: {estimated}. CPU seconds: {found['seconds_to_score']}.",
        "",
        f"| student from | pairs | true | {' | '.join(names)} | held out | recovered |",
        f"|---|---:|---:|{'---:|' * len(names)}---:|---:|",
    ]
    for row in found["students"]:
        values = " | ".join(f"{row[measure]:.3f}" for measure in found["measures"])
        lines.append(
            f"| {row['from']} | {row['pairs']:,} | {row['true']:.1%} | {values} | {row['accuracy']:.3f} "
            f"| {row['recovered']:.0%} |"
        )
    return "\n".join(lines)


def draw(found: dict[str, Any], path: Path) -> None:
    """Write the curve: quality by the share that is kept, with the clean, noisy and oracle students as lines."""
    import matplotlib as mpl  # noqa: PLC0415
    from matplotlib.figure import Figure  # noqa: PLC0415

    rows = {row["from"]: row for row in found["students"]}
    shares, colors = [1.0, *found["shares"]], {1: "#0072B2", 2: "#D55E00"}
    measure = found["measures"][0]
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "kivuko", "font.size": 9}):
        figure = Figure(figsize=(7, 3.1), layout="constrained")
        panels = figure.subplots(1, 2)
        for panel, key, title in zip(
            panels,
            (measure, "accuracy"),
            (f"{found['collection']}: {measure}", "held-out pairs: accuracy"),
            strict=True,
        ):
            for number, color in colors.items():
                names = ["noisy", *(f"best {share:.0%}, round {number}" for share in found["shares"])]
                panel.plot(shares, [rows[name][key] for name in names], "o-", color=color, label=f"round {number}")
            for name, color, style in (("clean", "#009E73", "--"), ("oracle", "#E69F00", ":")):
                panel.axhline(rows[name][key], color=color, linestyle=style, label=name)
            share = rows["random"]["pairs"] / rows["noisy"]["pairs"]
            panel.plot(share, rows["random"][key], "s", color="#CC79A7", label="as many as oracle, at random")
            panel.set_xlabel("share of the noisy text that is kept")
            panel.set_title(title, loc="left")
            panel.invert_xaxis()
            panel.spines[["top", "right"]].set_visible(False)
        figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=5, frameon=False)
        figure.savefig(path, format="svg", metadata={"Date": None})


if __name__ == "__main__":
    main()
