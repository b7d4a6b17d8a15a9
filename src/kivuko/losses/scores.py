"""Score distillation: the student's in-batch MaxSim scores are to rank as the teacher's do."""

from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from jaxtyping import Bool, Float
from sentence_transformers import MultiVectorEncoder
from torch import Tensor

from kivuko.losses.bitext_loss import BitextLoss, TokenBatch

# Exponentiates to zero in float32, and its differences stay finite.
_LOG_ZERO = -1e4


def mean_maxsim(
    queries: Float[Tensor, "queries query_tokens dim"],
    query_mask: Bool[Tensor, "queries query_tokens"],
    documents: Float[Tensor, "documents document_tokens dim"],
    document_mask: Bool[Tensor, "documents document_tokens"],
) -> Float[Tensor, "queries documents"]:
    """Score every query against every document: S_qd = mean_i max_j <q_i, d_j>, over unmasked tokens.

    A query or a document without a token scores zero. Can be differentiated by the queries, not by the documents.
    """
    best: Tensor = _BestMatch.apply(queries, documents.detach(), document_mask)  # type: ignore[no-untyped-call]
    best = best.where(query_mask[:, :, None] & document_mask.any(-1), 0)
    return best.sum(dim=1) / query_mask.sum(-1, keepdim=True).clamp(min=1)


class _BestMatch(torch.autograd.Function):
    """The inner product of each query token with its best token of each document, (queries, query_tokens, documents).

    Document tokens are the rows of the matrix of similarities, so that a maximum over the tokens of a document runs
    along whole rows. Backward reads only the tokens that were best: the gradient of a maximum is zero everywhere else,
    and the generic rule would go through the whole matrix again.
    """

    @staticmethod
    def forward(ctx: Any, queries: Tensor, documents: Tensor, document_mask: Tensor) -> Tensor:
        count, length = documents.shape[:2]
        similarity = documents.flatten(0, 1) @ queries.flatten(0, 1).T
        similarity.index_fill_(0, (~document_mask.flatten()).nonzero()[:, 0], -torch.inf)
        similarity = similarity.reshape(count, length, -1)
        if ctx.needs_input_grad[0]:
            best, place = similarity.max(dim=1)
            ctx.save_for_backward(documents, place.T + length * torch.arange(count, device=best.device))
        else:  # several times as fast
            best = similarity.amax(dim=1)
        return best.T.reshape(*queries.shape[:2], count)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        documents, rows = ctx.saved_tensors
        # For each query token the sum over documents of gradient times best document token.
        by_token = torch.nn.functional.embedding_bag(
            rows,
            documents.flatten(0, 1),
            per_sample_weights=gradient.flatten(0, 1).contiguous(),
            mode="sum",
        )
        return by_token.reshape(*gradient.shape[:2], -1), None, None


def scores_loss(
    student: Float[Tensor, "batch student_tokens dim"],
    student_mask: Bool[Tensor, "batch student_tokens"],
    teacher: Float[Tensor, "batch teacher_tokens dim"],
    teacher_mask: Bool[Tensor, "batch teacher_tokens"],
    *,
    temperature: float = 0.05,
    candidates: Sequence[tuple[Tensor, Tensor]] = (),
) -> Float[Tensor, ""]:
    """Compare rankings of English sentences by the translation and by the English original.

    loss = mean_i KL(softmax_j(T_ij / temperature) || softmax_j(S_ij / temperature)), with T_ij the teacher's score of
    English sentence j for English sentence i, and S_ij the student's score of it for the translation of i. What is
    ranked are the sentences of the batch and the candidates. Scores are mean MaxSim, so that long queries are not
    sharper than short ones.

    Args:
        student: Student token embeddings of the translations.
        student_mask: True for tokens that are scored.
        teacher: Teacher token embeddings of the English sentences, which are queries and documents at once.
        teacher_mask: True for tokens that are scored.
        temperature: Divides both sides' scores. Positive.
        candidates: Further English sentences to rank: teacher embeddings (sentences, tokens, dim) and their masks.

    References:
        Hinton, Vinyals and Dean, "Distilling the Knowledge in a Neural Network", 2015. https://arxiv.org/abs/1503.02531
        Yang et al., "Translate-Distill", ECIR 2024, which distills scores of query and passage pairs; here English
        sentences of the bitext stand for passages, since bitext has no queries.
    """
    if not temperature > 0:
        raise ValueError(f"temperature must be positive, got {temperature}")
    documents = [(teacher, teacher_mask), *candidates]
    with torch.no_grad():
        taught = torch.cat([mean_maxsim(teacher, teacher_mask, *each) for each in documents], dim=-1) / temperature
    scored = torch.cat([mean_maxsim(student, student_mask, *each) for each in documents], dim=-1) / temperature
    # A sentence without tokens is no candidate: it gets no probability from either side.
    absent = ~torch.cat([mask.any(-1) for _, mask in documents])
    taught_log = taught.masked_fill(absent, _LOG_ZERO).log_softmax(-1)
    scored_log = scored.masked_fill(absent, _LOG_ZERO).log_softmax(-1)
    divergence = (taught_log.exp() * (taught_log - scored_log)).sum(-1)
    real = student_mask.any(-1) & teacher_mask.any(-1)
    return divergence.where(real, 0).mean()


class ScoresLoss(BitextLoss):
    """Score distillation for the trainer, over the batch and the English sentences of the batches before it.

    The teacher is frozen, so its embeddings of earlier batches are as good as new: the queue costs no encoding, and
    what is ranked can be many times the batch. The queue is part of a checkpoint.

    Args:
        model: The student.
        teacher: The teacher.
        temperature: Divides both sides' scores. Positive.
        queue_batches: How many earlier batches are ranked beside the present one.

    References:
        He et al., "Momentum Contrast", CVPR 2020, for a queue of earlier batches; there the encoder of the queue moves.
    """

    def __init__(
        self,
        model: MultiVectorEncoder,
        teacher: MultiVectorEncoder,
        *,
        temperature: float = 0.05,
        queue_batches: int = 0,
    ) -> None:
        super().__init__(model, teacher)
        if not temperature > 0:
            raise ValueError(f"temperature must be positive, got {temperature}")
        self.temperature = temperature
        self.queue: deque[tuple[Tensor, Tensor]] = deque(maxlen=queue_batches)

    def compare(self, student: TokenBatch, teacher: TokenBatch) -> Tensor:
        """Return `scores_loss` of the scored tokens, and put the English sentences in the queue."""
        loss = scores_loss(
            student.embeddings,
            student.scoring,
            teacher.embeddings,
            teacher.scoring,
            temperature=self.temperature,
            candidates=list(self.queue),
        )
        self.queue.append((teacher.embeddings, teacher.scoring))
        return loss

    def state(self) -> dict[str, Tensor]:
        """Return the queue."""
        embeddings = {f"{place}.embeddings": embedding for place, (embedding, _) in enumerate(self.queue)}
        return embeddings | {f"{place}.mask": mask for place, (_, mask) in enumerate(self.queue)}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Take up a queue that `state` returned."""
        self.queue.clear()
        for place in range(len(state) // 2):
            self.queue.append((state[f"{place}.embeddings"], state[f"{place}.mask"]))
