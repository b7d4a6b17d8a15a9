"""Contrastive learning on bitext: the right English sentence among those of the batch."""

import torch
from jaxtyping import Bool, Float
from sentence_transformers import MultiVectorEncoder
from torch import Tensor

from kivuko.losses.bitext_loss import BitextLoss, TokenBatch
from kivuko.losses.scores import mean_maxsim


def contrastive_loss(
    student: Float[Tensor, "batch student_tokens dim"],
    student_mask: Bool[Tensor, "batch student_tokens"],
    teacher: Float[Tensor, "sentences teacher_tokens dim"],
    teacher_mask: Bool[Tensor, "sentences teacher_tokens"],
    *,
    temperature: float = 0.05,
) -> Float[Tensor, ""]:
    """Let each translation find its English sentence among those of the batch, mean over the batch.

    loss = -mean_i log softmax_j(S_ij / temperature)_i, with S_ij the mean MaxSim of translation i as the student reads
    it and English sentence j as the teacher does. An item without tokens on either side contributes zero.

    Args:
        student: Student token embeddings of the translations.
        student_mask: True for tokens that are scored.
        teacher: Teacher token embeddings of the English sentences, in the order of their translations; those behind
            them have none, and are negatives for all.
        teacher_mask: True for tokens that are scored.
        temperature: Divides the scores. Positive.

    References:
        Van den Oord, Li and Vinyals, "Representation Learning with Contrastive Predictive Coding", 2018, equation 4.
        https://arxiv.org/abs/1807.03748. Deviations: the score is mean MaxSim over a temperature, not a bilinear form;
        only translations are queries, since only they are trained; an English sentence that stands in a batch twice is
        its own negative, as everywhere with in-batch negatives.
        On translated queries and passages (`TranslatedTriple`) it is the "translate-train" of Nair et al., "Transfer
        Learning Approaches for Building Cross-Language Dense Retrieval Models", ECIR 2022.
        https://arxiv.org/abs/2201.08471. Deviations: queries are translated, not passages, which the frozen English
        teacher reads; other passages of the batch are negatives too.
    """
    if not temperature > 0:
        raise ValueError(f"temperature must be positive, got {temperature}")
    scores = mean_maxsim(student, student_mask, teacher, teacher_mask) / temperature
    if len(teacher) < len(student):
        raise ValueError(f"each translation needs its English sentence, got {len(student)} and {len(teacher)}")
    real = student_mask.any(-1) & teacher_mask.any(-1)[: len(student)]
    # A sentence without tokens is no candidate, but where all are absent a softmax still needs something to read.
    candidates = scores.masked_fill(~teacher_mask.any(-1), torch.finfo(scores.dtype).min)
    found = candidates.log_softmax(-1).diagonal()
    return -found.where(real, 0).mean()


class ContrastiveLoss(BitextLoss):
    """Contrastive learning for the trainer.

    Args:
        model: The student.
        teacher: The teacher.
        temperature: Divides the scores. Positive.
    """

    def __init__(self, model: MultiVectorEncoder, teacher: MultiVectorEncoder, *, temperature: float = 0.05) -> None:
        super().__init__(model, teacher)
        if not temperature > 0:
            raise ValueError(f"temperature must be positive, got {temperature}")
        self.temperature = temperature

    def compare(self, student: TokenBatch, teacher: TokenBatch) -> Tensor:
        """Return `contrastive_loss` of the scored tokens."""
        return contrastive_loss(
            student.embeddings, student.scoring, teacher.embeddings, teacher.scoring, temperature=self.temperature
        )
