"""Sentence distillation: one vector a sentence, and the squared distance. The simplest baseline."""

from jaxtyping import Bool, Float
from torch import Tensor

from kivuko.losses.bitext_loss import BitextLoss, TokenBatch


def sentence_loss(
    student: Float[Tensor, "batch student_tokens dim"],
    student_mask: Bool[Tensor, "batch student_tokens"],
    teacher: Float[Tensor, "batch teacher_tokens dim"],
    teacher_mask: Bool[Tensor, "batch teacher_tokens"],
) -> Float[Tensor, ""]:
    """Compare sentences by the squared distance of the means of their token embeddings, mean over the batch.

    loss = mean_i |mean_k s_ik - mean_l t_il|^2, over unmasked tokens. An item without tokens on either side
    contributes zero.

    Args:
        student: Student token embeddings.
        student_mask: True for tokens that take part.
        teacher: Teacher token embeddings.
        teacher_mask: True for tokens that take part.

    References:
        Reimers and Gurevych, "Making Monolingual Sentence Embeddings Multilingual using Knowledge Distillation",
        EMNLP 2020, equation 1. https://arxiv.org/abs/2004.09813. Deviations: only the translation is trained, since
        the teacher goes on reading English; the sum over dimensions is kept, not averaged.
    """
    real = student_mask.any(-1) & teacher_mask.any(-1)
    distance = (_mean(student, student_mask) - _mean(teacher, teacher_mask)).square().sum(-1)
    return distance.where(real, 0).mean()


class SentenceLoss(BitextLoss):
    """Sentence distillation for the trainer."""

    def compare(self, student: TokenBatch, teacher: TokenBatch) -> Tensor:
        """Return `sentence_loss` of the scored tokens."""
        return sentence_loss(student.embeddings, student.scoring, teacher.embeddings, teacher.scoring)


def _mean(
    embeddings: Float[Tensor, "batch tokens dim"], mask: Bool[Tensor, "batch tokens"]
) -> Float[Tensor, "batch dim"]:
    kept = embeddings.where(mask[:, :, None], 0)
    return kept.sum(dim=1) / mask.sum(dim=1, keepdim=True).clamp(min=1)
