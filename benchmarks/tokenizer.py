r"""What the vocabulary is worth to a transplant, before any gradient step: its size, combining marks, copied words.

    python benchmarks/tokenizer.py --teacher runs/afriqa-sw/transplant/teacher --target yo \
        --bitext ../shared/data/bitext/lafand/en-yo.tsv --bitext ../shared/data/bitext/menyo20k/en-yo.tsv \
        --collection ../shared/data/retrieval/afriqa/yo-en --index runs/afriqa-sw/index-afriqa \
        --sizes 2000 16000 --marks stripped kept

prints a row for each size and treatment of marks; `--json` prints an object a line, with the values of each query.
A teacher that has its projection already is the same for all languages, and so is the index of one corpus.

Bitext that holds test items of the collection is left out by either side, exactly and nearly, and pairs are held
out as `kivuko distill` does. `--marks` says what the student's tokenizer does with combining marks:
`stripped`, as an uncased BERT teacher strips accents, and Indic vowel signs with them; `kept`, composed (NFC); `dots`,
as kept, but of the marks of Latin letters only the dot below is.
"""

import argparse
import copy
import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from sentence_transformers import MultiVectorEncoder
from tokenizers import Regex, normalizers
from transformers import PreTrainedTokenizerFast

from kivuko.config import BitextSource
from kivuko.data.bitext import read_bitext, split_held_out
from kivuko.data.collections import Collection, read_collection
from kivuko.data.leakage import JudgedTexts, remove_leaks
from kivuko.evaluation.measures import parse_measures
from kivuko.evaluation.retrieval import evaluate_retrieval
from kivuko.models.encoder import backbone, load_encoder, model_digest
from kivuko.models.fertility import fertility
from kivuko.models.transplant import transplant

MARKS = ("stripped", "kept", "dots")
# The tones of Latin letters, and all other combining marks of theirs but the dot below.
_NOT_THE_DOT = Regex("[\u0300-\u0322\u0324-\u036f]")


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--teacher", type=Path, required=True)
    parser.add_argument("--bitext", type=Path, action="append", required=True)
    parser.add_argument("--target", required=True)
    parser.add_argument("--collection", type=Path, required=True)
    parser.add_argument("--split", default="test")
    parser.add_argument("--index", type=Path, help="of the collection's documents; kept, and used again")
    parser.add_argument("--measures", default="RR@10 R@100")
    parser.add_argument("--sizes", type=int, nargs="+", default=[16_000])
    parser.add_argument("--marks", choices=MARKS, nargs="+", default=["stripped"])
    parser.add_argument("--copied-share", type=float, default=0.5, help="2 trains the vocabulary on names too")
    parser.add_argument("--tension", type=float, help="of the alignment; 0 does not see order, learned by default")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    teacher = load_encoder(arguments.teacher)
    digest = model_digest(arguments.teacher)
    collection = read_collection(arguments.collection, split=arguments.split)
    sources = [BitextSource(path=path, language=arguments.target) for path in arguments.bitext]
    bitexts, _ = remove_leaks([read_bitext(source) for source in sources], JudgedTexts(collection))
    count = sum(len(bitext.pairs) for bitext in bitexts)
    bitexts, _ = split_held_out(bitexts, count=min(500, count // 50), seed=0)
    pairs = [pair for bitext in bitexts for pair in bitext.pairs]
    measures = arguments.measures.split()
    if not arguments.json:
        print(f"| vocabulary | marks | new pieces | pieces a word | CPU seconds | {' | '.join(measures)} |")
        print(f"|---:|---|---:|---:|---:|{'---:|' * len(measures)}")
    for size in arguments.sizes:
        for marks in arguments.marks:
            started = time.process_time()
            grown = transplant(
                _with_marks(teacher, marks),
                pairs,
                vocabulary_size=size,
                copied_share=arguments.copied_share,
                tension=arguments.tension,
            )
            seconds = time.process_time() - started
            student = _with_tokenizer(grown.student, grown.vocabulary.tokenizer)
            cut = fertility(student.tokenizer, (pair.translation for pair in pairs))
            found = _measure(student, teacher, collection, measures, index=arguments.index, digest=digest)
            row = {
                "target": arguments.target,
                "pairs": len(pairs),
                "vocabulary_size": size,
                "marks": marks,
                "copied_share": arguments.copied_share,
                "tension": arguments.tension,
                "new_pieces": len(grown.vocabulary.new_pieces),
                **cut.record(),
                "seconds": round(seconds, 1),
                **found,
            }
            print(json.dumps(row) if arguments.json else _line(row, measures), flush=True)


def _with_marks(teacher: MultiVectorEncoder, marks: str) -> MultiVectorEncoder:
    """Return the teacher with a tokenizer that treats marks so; the transplant takes its normalizer from there."""
    if marks == "stripped":
        return teacher
    teacher = copy.deepcopy(teacher)
    plain = normalizers.BertNormalizer(strip_accents=False, lowercase=True)
    steps = [normalizers.NFC(), plain]
    if marks == "dots":
        steps = [normalizers.NFD(), normalizers.Replace(_NOT_THE_DOT, ""), *steps]
    teacher.tokenizer.backend_tokenizer.normalizer = normalizers.Sequence(steps)
    return teacher


def _with_tokenizer(student: MultiVectorEncoder, tokenizer: Any) -> MultiVectorEncoder:
    """Give the student this very tokenizer: BERT's own class makes itself a normalizer anew when it is loaded."""
    old = student.tokenizer
    backbone(student).processor = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        model_max_length=old.model_max_length,
        **{name: str(token) for name, token in old.special_tokens_map.items() if not isinstance(token, list)},
    )
    return student.eval()


def _measure(
    student: MultiVectorEncoder,
    teacher: MultiVectorEncoder,
    collection: Collection,
    measures: Sequence[str],
    *,
    index: Path | None,
    digest: str,
) -> dict[str, Any]:
    found = evaluate_retrieval(
        student,
        teacher,
        collection,
        parse_measures(" ".join(measures)),
        document_model_digest=digest,
        index_directory=index,
    ).measures
    per_query: dict[str, dict[str, float]] = {}
    for query_id, measure, value in found.per_query:
        per_query.setdefault(measure, {})[query_id] = value
    return {"measures": dict(found.mean), "per_query": per_query}


def _line(row: dict[str, Any], measures: Sequence[str]) -> str:
    values = " | ".join(f"{row['measures'][measure]:.3f}" for measure in measures)
    return (
        f"| {row['vocabulary_size']:,} | {row['marks']} | {row['new_pieces']:,} | {row['pieces_per_word']:.2f} | "
        f"{row['seconds']:.0f} | {values} |"
    )


if __name__ == "__main__":
    main()
