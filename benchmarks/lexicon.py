r"""Which alignment makes the better transplant: IBM Model 1, or transport in a second round.

    python benchmarks/lexicon.py --teacher runs/afriqa-sw/transplant/teacher --target sw --aligned 18000 \
        --bitext ../shared/data/bitext/lafand/en-sw.tsv --bitext ../shared/data/bitext/tico19/en-sw.tsv \
        --on ../shared/data/retrieval/afriqa/sw-en test runs/afriqa-sw/index-afriqa RR@10 \
        --on ../shared/data/retrieval/tatoeba-xtreme/sw-en test runs/afriqa-sw/index-tatoeba R@1

A student is grown by Model 1 on all of the bitext. With that student and its teacher the plans of `--aligned` pairs,
taken evenly, are solved, and the mass that goes from piece to piece is counted, a target piece as 1. Every piece with
at least `--least` links in those pairs then starts from the new counts, every other one as before. To compare the two
on the same pairs, the same is done with the counts of Model 1 from these pairs alone. `mean` takes, for each of these
pieces, the mean of its shares in the table of Model 1 on all pairs and in that of transport; `both` multiplies them,
so that only links count that both believe in. No gradient step is made.
"""

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from scipy.sparse import csr_array, diags_array
from sentence_transformers import MultiVectorEncoder
from torch import Tensor
from torch.nn.functional import normalize

from kivuko.config import BitextSource
from kivuko.data.bitext import SentencePair, read_bitext, split_held_out
from kivuko.data.collections import read_collection
from kivuko.data.leakage import JudgedTexts, remove_leaks
from kivuko.evaluation.measures import parse_measures
from kivuko.evaluation.retrieval import evaluate_retrieval
from kivuko.models.encoder import backbone, content_mask, load_encoder, model_digest, task_prompts
from kivuko.models.lexicon import align_pieces
from kivuko.models.transplant import initial_embeddings, transplant
from kivuko.transport import cosine_cost, sinkhorn, unbalanced_sinkhorn, uniform_marginal

Solve = Callable[[Tensor, Tensor, Tensor], Tensor]
_BATCH = 32
_MAX_TOKENS = 64
_LEAST_MASS = 0.01  # less than a hundredth of a piece is left out of the table

PLANS: dict[str, Solve] = {
    "balanced": lambda cost, a, b: sinkhorn(cost, a, b, epsilon=0.05).plan,
    "unbalanced": lambda cost, a, b: unbalanced_sinkhorn(cost, a, b, epsilon=0.03, rho=0.3).plan,
}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--teacher", type=Path, required=True)
    parser.add_argument("--bitext", type=Path, action="append", required=True)
    parser.add_argument("--target", required=True)
    parser.add_argument(
        "--on",
        nargs=4,
        action="append",
        required=True,
        metavar=("COLLECTION", "SPLIT", "INDEX", "MEASURE"),
        help="BEIR folder, its judgments, an index of its documents that is kept and used again, a measure",
    )
    parser.add_argument("--aligned", type=int, default=4000, help="pairs whose plans are solved")
    parser.add_argument("--least", type=float, default=2.0)
    parser.add_argument("--tables", nargs="+", help="of the second table, those to measure; all by default")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    teacher = load_encoder(arguments.teacher)
    digest = model_digest(arguments.teacher)
    asked = [
        (read_collection(Path(folder), split=split), index, measure) for folder, split, index, measure in arguments.on
    ]
    bitexts = [read_bitext(BitextSource(path=path, language=arguments.target)) for path in arguments.bitext]
    for collection, _, _ in asked:
        bitexts, _ = remove_leaks(bitexts, JudgedTexts(collection))
    count = sum(len(bitext.pairs) for bitext in bitexts)
    bitexts, _ = split_held_out(bitexts, count=min(500, count // 50), seed=0)
    pairs = [pair for bitext in bitexts for pair in bitext.pairs]
    aligned = pairs[:: -(-len(pairs) // arguments.aligned)]

    def row(name: str, replaced: int) -> str:
        cells = [name, f"{replaced:,}"]
        for collection, index, measure in asked:
            found = evaluate_retrieval(
                student,
                teacher,
                collection,
                parse_measures(measure),
                document_model_digest=digest,
                index_directory=index,
            )
            cells.append(f"{found.measures.mean[measure]:.3f}")
        return f"| {' | '.join(cells)} |"

    grown = transplant(teacher, pairs)
    student = grown.student.eval()
    names = [f"{'/'.join(Path(told[0]).parts[-2:])} {told[3]}" for told in arguments.on]
    print(f"| table | pieces from the {len(aligned):,} of {len(pairs):,} pairs | {' | '.join(names)} |")
    print(f"|---|---:|{'---:|' * len(asked)}")
    print(row("Model 1 on all pairs", 0), flush=True)
    started = time.process_time()
    tables = _count_links(student, teacher, aligned, shape=grown.lexicon.counts.shape)
    seconds = time.process_time() - started
    first = grown.lexicon.counts
    for name in list(PLANS):
        shares = [_shares(tables[name]), _shares(first)]
        tables[f"{name}, mean"] = csr_array(shares[0] + shares[1])
        tables[f"{name}, both"] = csr_array((shares[0] * shares[1]).sqrt())
    tables["Model 1"] = _model_1(student, teacher, aligned, shape=first.shape)
    weights = backbone(student).model.get_input_embeddings().weight
    old = backbone(teacher).model.get_input_embeddings().weight.detach()[: grown.vocabulary.kept]
    links = {name: np.asarray(tables[name].sum(axis=1)).ravel() for name in (*PLANS, "Model 1")}
    for name, counts in tables.items():
        if arguments.tables and name not in arguments.tables:
            continue
        has_any = np.asarray(counts.sum(axis=1)).ravel() > 0
        is_new = (links[name.partition(",")[0]] >= arguments.least) & has_any
        mixed = csr_array(diags_array(is_new.astype(float)) @ counts + diags_array((~is_new).astype(float)) @ first)
        with torch.no_grad():
            weights.copy_(initial_embeddings(old, mixed, keep_share=0.5)[0])
        print(row(name, int(is_new.sum())), flush=True)
    print(f"\nEncoding and solving {len(aligned):,} pairs took {seconds:.0f} s of CPU time.")


def _shares(counts: csr_array) -> csr_array:
    """Return each row divided by its sum."""
    totals = np.asarray(counts.sum(axis=1)).ravel()
    return csr_array(diags_array(1 / np.maximum(totals, 1e-12)) @ counts)


def _count_links(
    student: MultiVectorEncoder, teacher: MultiVectorEncoder, pairs: list[SentencePair], *, shape: tuple[int, int]
) -> dict[str, csr_array]:
    """Add up, for each kind of plan, the mass from target piece to English piece, each target piece having mass 1."""
    ordered = sorted(pairs, key=lambda pair: (len(pair.english) + len(pair.translation), pair))
    rows: list[int] = []
    columns: list[int] = []
    masses: dict[str, list[float]] = {name: [] for name in PLANS}
    for start in range(0, len(ordered), _BATCH):
        batch = ordered[start : start + _BATCH]
        target, target_ids, target_mask = _encode(student, [pair.translation for pair in batch])
        english, english_ids, english_mask = _encode(teacher, [pair.english for pair in batch])
        cost = cosine_cost(target, english)
        a, b = uniform_marginal(target_mask), uniform_marginal(english_mask)
        plans = {name: solve(cost, a, b) * target_mask.sum(1)[:, None, None] for name, solve in PLANS.items()}
        sentence, i, j = (torch.stack(list(plans.values())).amax(0) > _LEAST_MASS).nonzero(as_tuple=True)
        rows += target_ids[sentence, i].tolist()
        columns += english_ids[sentence, j].tolist()
        for name, plan in plans.items():
            masses[name] += plan[sentence, i, j].tolist()
    return {name: csr_array((values, (rows, columns)), shape=shape) for name, values in masses.items()}


def _encode(encoder: MultiVectorEncoder, texts: list[str]) -> tuple[Tensor, Tensor, Tensor]:
    prompt = task_prompts(encoder).get("query")
    features = encoder.preprocess(texts, prompt=prompt, task="query", max_length=_MAX_TOKENS)
    mask = content_mask(encoder, features, features["attention_mask"])
    with torch.inference_mode():
        output = encoder(dict(features), task="query")
    return normalize(output["token_embeddings"].float(), dim=-1), features["input_ids"], mask


def _model_1(
    student: MultiVectorEncoder, teacher: MultiVectorEncoder, pairs: list[SentencePair], *, shape: tuple[int, int]
) -> csr_array:
    english, target = (
        encoder.tokenizer(texts, add_special_tokens=False, truncation=True, max_length=_MAX_TOKENS)["input_ids"]
        for encoder, texts in ((teacher, [p.english for p in pairs]), (student, [p.translation for p in pairs]))
    )
    return align_pieces(english, target, english_size=shape[1], target_size=shape[0], iterations=5).counts


if __name__ == "__main__":
    main()
