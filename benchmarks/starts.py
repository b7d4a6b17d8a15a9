r"""Spoil the start of a transplant: a share of its new pieces exchange their embeddings, so that none starts right.

    python benchmarks/starts.py --model runs/afriqa-sw/transplant --share 0.5 --out runs/starts-sw/half
    python benchmarks/starts.py --model runs/afriqa-sw/transplant --share 1.0 --out runs/starts-sw/all

Size, tokenizer, body and the lengths of embeddings stay as they are; what is lost is what lexical alignment told of
these pieces. `kivuko compare reproductions/compare/starts-sw.toml` then shows what each objective makes of it.
"""

import argparse
from pathlib import Path

import numpy as np
import torch

from kivuko.models.encoder import backbone, default_document_model, load_encoder

SEED = 0


def main() -> None:
    """Write the spoilt student."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, required=True, help="a transplant with its teacher beside it")
    parser.add_argument("--share", type=float, required=True, help="of the new pieces, between 0 and 1")
    parser.add_argument("--out", type=Path, required=True, help="where there is nothing yet")
    told = parser.parse_args()
    if told.out.exists():
        parser.error(f"there is something at {told.out} already")
    student = load_encoder(told.model)
    teacher = load_encoder(default_document_model(told.model))
    known = len(teacher.tokenizer)
    weight = backbone(student).model.get_input_embeddings().weight
    new = np.arange(known, len(weight))
    chosen = np.random.default_rng(SEED).permutation(new)[: round(told.share * len(new))]
    with torch.no_grad():
        # Each gets the embedding of the next in a random circle: none keeps its own.
        weight[torch.as_tensor(chosen)] = weight[torch.as_tensor(np.roll(chosen, 1))].clone()
    student.save(str(told.out), create_model_card=False)
    print(f"{len(chosen):,} of {len(new):,} new pieces exchanged their embeddings: {told.out}")


if __name__ == "__main__":
    main()
