"""What every objective on bitext shares: encode both sides once, then compare tokens."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from contextlib import nullcontext
from typing import Any, NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from sentence_transformers import MultiVectorEncoder
from sentence_transformers.base.modules import Normalize
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from kivuko.config import Tokens
from kivuko.losses.teacher_memory import TeacherMemory
from kivuko.models.encoder import content_mask


class TokenBatch(NamedTuple):
    """Token embeddings of one side of a batch of sentence pairs.

    Attributes:
        embeddings: Normalized token embeddings.
        content: True for tokens that carry content: no padding, special token, prompt or query expansion.
        scoring: True for tokens that MaxSim scores.
        ids: Vocabulary ids.
        lengths: Euclidean lengths of the embeddings before they were normalized; only for a loss that asks for them.
    """

    embeddings: Float[Tensor, "batch tokens dim"]
    content: Bool[Tensor, "batch tokens"]
    scoring: Bool[Tensor, "batch tokens"]
    ids: Int[Tensor, "batch tokens"] | None = None
    lengths: Float[Tensor, "batch tokens"] | None = None

    def mask(self, tokens: Tokens) -> Bool[Tensor, "batch tokens"]:
        """Return the mask of the tokens that take part: those with content, or all that are scored."""
        return self.content if tokens == "content" else self.scoring


class BitextLoss(nn.Module, ABC):
    """A loss for the unmodified `MultiVectorEncoderTrainer`: first column the translations, second the English.

    The student reads the first column and the frozen teacher the second, each through its own tokenizer
    (see `kivuko.training.collator`).

    Args:
        model: The student.
        teacher: The teacher. It is frozen, and is not part of the loss's parameters.
    """

    def __init__(self, model: MultiVectorEncoder, teacher: MultiVectorEncoder) -> None:
        super().__init__()
        if model.get_embedding_dimension() != teacher.get_embedding_dimension():
            raise ValueError(
                "teacher and student must have token embeddings of the same size, "
                f"got {teacher.get_embedding_dimension()} and {model.get_embedding_dimension()}. "
                "Project the teacher to the size of the student."
            )
        self.model = model
        # Set it where several students see the same batches.
        self.memory: TeacherMemory | None = None
        # Whether both encoders run in bfloat16, which the trainer's own setting would do for the student alone.
        self.in_bfloat16 = False
        # In a tuple, so that it is neither a submodule nor in the optimizer.
        self._teacher = (teacher.eval().requires_grad_(False),)

    @property
    def teacher(self) -> MultiVectorEncoder:
        """The frozen teacher."""
        return self._teacher[0]

    @property
    def reads_lengths(self) -> bool:
        """Whether `compare` reads `TokenBatch.lengths`."""
        return False

    @abstractmethod
    def compare(self, student: TokenBatch, teacher: TokenBatch) -> Tensor:
        """Return the loss of a batch, a scalar that can be differentiated by the student's embeddings."""

    def state(self) -> dict[str, Tensor]:
        """Return what the loss remembers between steps, for a checkpoint; nothing by default."""
        return {}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Take up what `state` returned."""

    def forward(
        self, sentence_features: Iterable[dict[str, Any]], labels: Tensor | None = None
    ) -> Tensor | dict[str, Tensor]:
        """Encode both columns and compare them, in float32 whatever the encoders were told by autocast."""
        student, teacher = self.encode(sentence_features)
        with torch.autocast(student.embeddings.device.type, enabled=False):
            return self.compare(student, teacher)

    def encode(self, sentence_features: Iterable[dict[str, Any]]) -> tuple[TokenBatch, TokenBatch]:
        """Return the token embeddings of both columns, those of the teacher without a gradient."""
        columns = list(sentence_features)
        if len(columns) != 2:
            raise ValueError(f"expected two columns, translations then English, got {len(columns)}")
        # A wrapped model (DDP, compiled) does not have the encoder's methods; the teacher was made for the same device.
        student_encoder = getattr(self.model, "module", self.model)
        device = columns[0]["input_ids"].device.type
        with torch.autocast(device, torch.bfloat16) if self.in_bfloat16 else nullcontext():
            with torch.no_grad():
                teacher = self._taught(columns[1])
            return _encode(self.model, student_encoder, columns[0], lengths=self.reads_lengths), teacher

    def _taught(self, features: dict[str, Any]) -> TokenBatch:
        ids, mask = features["input_ids"], features["attention_mask"]
        # Lengths are not remembered: few losses read them.
        memory = None if self.reads_lengths else self.memory
        if memory is not None and (known := memory.get(ids, mask)) is not None:
            return TokenBatch(**known, ids=ids)
        batch = _encode(self.teacher.to(ids.device), self.teacher, features, lengths=self.reads_lengths)
        if memory is not None:
            memory.keep(ids, mask, embeddings=batch.embeddings, content=batch.content, scoring=batch.scoring)
        return batch


class MixtureLoss(BitextLoss):
    """A weighted sum of objectives on the same embeddings; the trainer logs every term.

    Args:
        model: The student.
        teacher: The teacher.
        terms: Name -> (objective, weight). Weights are positive.
    """

    def __init__(
        self, model: MultiVectorEncoder, teacher: MultiVectorEncoder, terms: Mapping[str, tuple[BitextLoss, float]]
    ) -> None:
        super().__init__(model, teacher)
        if not terms:
            raise ValueError("a mixture needs at least one objective")
        self.objectives = [(name, objective, weight) for name, (objective, weight) in terms.items()]

    @property
    def reads_lengths(self) -> bool:
        """Whether a term does."""
        return any(objective.reads_lengths for _, objective, _ in self.objectives)

    def compare(self, student: TokenBatch, teacher: TokenBatch) -> Tensor:
        """Return the weighted sum of the terms."""
        return torch.stack(list(self.terms(student, teacher).values())).sum()

    def terms(self, student: TokenBatch, teacher: TokenBatch) -> dict[str, Tensor]:
        """Return each weighted term."""
        return {name: weight * objective.compare(student, teacher) for name, objective, weight in self.objectives}

    def state(self) -> dict[str, Tensor]:
        """Return the states of all terms."""
        return {
            f"{name}.{key}": value for name, objective, _ in self.objectives for key, value in objective.state().items()
        }

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Give every term its state back."""
        for name, objective, _ in self.objectives:
            prefix = f"{name}."
            objective.restore({key.removeprefix(prefix): state[key] for key in state if key.startswith(prefix)})

    def forward(self, sentence_features: Iterable[dict[str, Any]], labels: Tensor | None = None) -> dict[str, Tensor]:
        """Encode both columns once and return the weighted terms, which the trainer adds."""
        student, teacher = self.encode(sentence_features)
        with torch.autocast(student.embeddings.device.type, enabled=False):
            return self.terms(student, teacher)


def _encode(encoder: nn.Module, settings: MultiVectorEncoder, features: dict[str, Any], *, lengths: bool) -> TokenBatch:
    before: list[Tensor] = []
    hooks = _watch_lengths(settings, before) if lengths else []
    # The encoder writes into the features that it is given, so it gets a copy.
    output = encoder(dict(features), task=features.get("task", "query"))
    for hook in hooks:
        hook.remove()
    scoring = output["attention_mask"].bool()
    raw = output["token_embeddings"].float()
    if lengths and not before:
        before.append(raw.detach().norm(dim=-1))
    return TokenBatch(
        embeddings=nn.functional.normalize(raw, dim=-1),
        content=content_mask(settings, features, scoring),
        scoring=scoring,
        ids=features["input_ids"],
        lengths=before[0] if before else None,
    )


def _watch_lengths(encoder: MultiVectorEncoder, seen: list[Tensor]) -> list[RemovableHandle]:
    """Note the lengths of the token embeddings that the encoder is about to normalize."""

    def note(_: nn.Module, arguments: tuple[Any, ...]) -> None:
        seen.append(arguments[0]["token_embeddings"].detach().float().norm(dim=-1))

    return [
        module.register_forward_pre_hook(note)
        for module in encoder.modules()
        if isinstance(module, Normalize) and module.module_input_name == "token_embeddings"
    ]
