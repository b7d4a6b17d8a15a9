"""The English late-interaction teacher."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from sentence_transformers import MultiVectorEncoder
from sentence_transformers.base.modules import Dense
from sentence_transformers.multi_vector_encoder.modules import MultiVectorMask

from kivuko.errors import ModelError
from kivuko.models.encoder import load_encoder, task_prompts

# Enough tokens to estimate a few hundred directions many times over.
_PROJECTION_SENTENCES = 4096


class Projection(NamedTuple):
    """A linear map of token embeddings to fewer dimensions.

    Attributes:
        weight: (dimensions, hidden size), rows orthonormal.
        variance_kept: Share of the embeddings' second moment that the map keeps, in [0, 1].
    """

    weight: torch.Tensor
    variance_kept: float


def load_teacher(
    name_or_path: str | Path, *, dimensions: int | None = None, english: Sequence[str] = (), device: str = "cpu"
) -> MultiVectorEncoder:
    """Load a teacher, and project its token embeddings when they have more than `dimensions`.

    Args:
        name_or_path: Hub id or directory of any late-interaction checkpoint, or of any dense or plain encoder.
        dimensions: Largest size of the token embeddings; None leaves them as they are.
        english: Sentences that the projection is fitted on; used only when one is needed.
        device: Where the teacher lives.

    Raises:
        ModelError: If the model cannot be loaded.
    """
    teacher = load_encoder(name_or_path, device=device)
    teacher.eval()
    current = teacher.get_embedding_dimension()
    if dimensions is None or current is None or dimensions >= current:
        return freeze(teacher)
    if not english:
        raise ModelError(
            "A projection is fitted on English sentences: give bitext, or a teacher that has a projection."
        )
    step = max(1, len(english) // _PROJECTION_SENTENCES)
    projection = fit_projection(teacher, english[::step], dimensions=dimensions)
    return freeze(add_projection(teacher, projection))


def fit_projection(encoder: MultiVectorEncoder, sentences: Sequence[str], *, dimensions: int) -> Projection:
    """Fit a projection to the leading directions of the token embeddings of `sentences`.

    Principal components of the second moment M = E[x x^T], not of the covariance: MaxSim compares directions from the
    origin, so the mean is part of what has to be kept.

    Args:
        encoder: Encoder of normalized token embeddings.
        sentences: Text to encode.
        dimensions: Number of directions to keep.
    """
    embeddings = encoder.encode_document(list(sentences), batch_size=64, show_progress_bar=False)
    moment = torch.zeros(embeddings[0].shape[1], embeddings[0].shape[1], dtype=torch.float64)
    for tokens in embeddings:
        moment += tokens.double().cpu().T @ tokens.double().cpu()
    values, vectors = torch.linalg.eigh(moment)
    weight = vectors[:, -dimensions:].flip(1).T.float().contiguous()
    return Projection(weight, float(values[-dimensions:].sum() / values.sum()))


def add_projection(encoder: MultiVectorEncoder, projection: Projection) -> MultiVectorEncoder:
    """Return the encoder with the projection as an ordinary Dense module, before its mask and its normalization."""
    dimensions, hidden = projection.weight.shape
    dense = Dense(
        hidden,
        dimensions,
        bias=False,
        activation_function=None,
        init_weight=projection.weight.clone(),
        module_input_name="token_embeddings",
    )
    modules = list(encoder)
    end = next((i for i, module in enumerate(modules) if isinstance(module, MultiVectorMask)), len(modules))
    return MultiVectorEncoder(
        modules=[*modules[:end], dense, *modules[end:]], device=str(encoder.device), prompts=task_prompts(encoder)
    )


def freeze(encoder: MultiVectorEncoder) -> MultiVectorEncoder:
    """Return the encoder in evaluation mode, none of its parameters asking for a gradient."""
    encoder.eval()
    return encoder.requires_grad_(False)
