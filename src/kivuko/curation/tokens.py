"""Sentences as sets of token embeddings, the teacher's and the student's, and what it costs to carry one to another."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from sentence_transformers import MultiVectorEncoder
from sentence_transformers.util import batch_to_device
from torch import Tensor
from torch.nn.functional import normalize

from kivuko.errors import ModelError
from kivuko.models.encoder import content_mask, task_prompts
from kivuko.transport import cosine_transport_value, uniform_marginal

MAX_TOKENS = 128  # a longer sentence is cut
_BATCH = 64
_SOLVED = 1024  # transport problems whose tokens are gathered at once
_EPSILON = 0.05  # as students are distilled by default
_TASK = "query"  # as both sides are encoded when a student is distilled


class Tokens(NamedTuple):
    """Sentences as sets of tokens.

    Attributes:
        embeddings: Of unit length, zero where the mask is false, (sentences, tokens, dim).
        mask: True for tokens that carry content, (sentences, tokens). A sentence may have none.
    """

    embeddings: Tensor
    mask: Tensor

    def take(self, places: Sequence[int] | Tensor) -> "Tokens":
        """Return some of the sentences, and no more padding than they need."""
        places = torch.as_tensor(places, dtype=torch.long)
        mask = self.mask[places]
        width = max(int(mask.sum(1).max()), 1) if len(mask) else 1
        return Tokens(self.embeddings[places, :width], mask[:, :width])

    def means(self) -> NDArray[np.float32]:
        """Return the mean of each sentence's tokens, of unit length; zeros for one without tokens. (sentences, dim)."""
        means: NDArray[np.float32] = normalize(self.embeddings.sum(1), dim=-1).numpy()
        return means


def encode_tokens(encoder: MultiVectorEncoder, texts: Sequence[str]) -> Tokens:
    """Encode sentences as they are when a student is distilled, and keep the tokens that carry content.

    Sentences of like length are encoded together; the result is in the order of `texts`. The tokens of a sentence come
    first in its row, padding after them.
    """
    order = sorted(range(len(texts)), key=lambda place: (len(texts[place]), texts[place]))
    prompt, limit = task_prompts(encoder).get(_TASK), min(encoder.max_seq_length or MAX_TOKENS, MAX_TOKENS)
    kept: list[Tensor] = [torch.empty(0)] * len(texts)
    for start in range(0, len(order), _BATCH):
        places = order[start : start + _BATCH]
        features = encoder.preprocess([texts[i] for i in places], prompt=prompt, task=_TASK, max_length=limit)
        content = content_mask(encoder, features, features["attention_mask"]).cpu()
        with torch.inference_mode():
            output = encoder(batch_to_device(dict(features), encoder.device), task=_TASK)
        embeddings = normalize(output["token_embeddings"].float().cpu(), dim=-1)
        for row, place in enumerate(places):
            kept[place] = embeddings[row, content[row]]
    return pad(kept, dim=encoder.get_embedding_dimension() or 0)


def pad(sentences: Sequence[Tensor], *, dim: int) -> Tokens:
    """Gather token embeddings (tokens, dim) of several sentences."""
    lengths = torch.tensor([len(tokens) for tokens in sentences], dtype=torch.long)
    width = max(int(lengths.max()), 1) if len(lengths) else 1
    embeddings = torch.zeros(len(sentences), width, dim)
    for row, tokens in enumerate(sentences):
        embeddings[row, : len(tokens)] = tokens
    return Tokens(embeddings, torch.arange(width) < lengths[:, None])


def transport_costs(
    english: Tokens, translations: Tokens, pairs: Sequence[tuple[int, int]] | NDArray[np.int64]
) -> NDArray[np.float64]:
    """Compute <P, C> of the balanced entropic plan between the tokens of sentences, with the cosine distance.

    Args:
        english: English sentences.
        translations: Sentences of the other language.
        pairs: Places of an English sentence and of one of the other language, (pairs, 2).

    Returns:
        The costs, one for each pair, in [0, 2]; 1 where a side has no token, which is as far as what has no relation.

    Example:
        >>> cat, dog = torch.eye(2)
        >>> both = pad([torch.stack([cat, dog]), cat[None]], dim=2)
        >>> transport_costs(both, both, [(0, 0), (0, 1)]).round(2).tolist()
        [0.0, 0.5]
    """
    wanted = np.asarray(pairs, dtype=np.int64).reshape(-1, 2)
    sizes = english.mask.sum(1).numpy()[wanted[:, 0]] * translations.mask.sum(1).numpy()[wanted[:, 1]]
    costs = np.ones(len(wanted))
    order = np.argsort(sizes, kind="stable")
    order = order[sizes[order] > 0]
    for start in range(0, len(order), _SOLVED):
        rows = order[start : start + _SOLVED]
        source, target = (
            side.take(torch.from_numpy(wanted[rows, column])) for column, side in enumerate((english, translations))
        )
        with torch.no_grad():
            found = cosine_transport_value(
                source.embeddings,
                target.embeddings,
                uniform_marginal(source.mask),
                uniform_marginal(target.mask),
                epsilon=_EPSILON,
            )
        costs[rows] = found.double().numpy()
    return costs


def check_models(student: MultiVectorEncoder, teacher: MultiVectorEncoder) -> None:
    """Make sure that the tokens of two encoders can be compared.

    Raises:
        ModelError: If their embeddings differ in size.
    """
    sizes = teacher.get_embedding_dimension(), student.get_embedding_dimension()
    if sizes[0] != sizes[1]:
        raise ModelError(
            f"The teacher's token embeddings have {sizes[0]} dimensions and the student's {sizes[1]}: give the "
            "teacher that the student was distilled from; it lies in the student's directory under teacher/."
        )
