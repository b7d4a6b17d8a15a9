"""Optimal transport distillation: OPTICAL's objective."""

from jaxtyping import Bool, Float
from sentence_transformers import MultiVectorEncoder
from torch import Tensor

from kivuko.losses.bitext_loss import BitextLoss, TokenBatch
from kivuko.transport import cosine_cost, sinkhorn, transport_value, uniform_marginal


def transport_loss(
    student: Float[Tensor, "batch student_tokens dim"],
    student_mask: Bool[Tensor, "batch student_tokens"],
    teacher: Float[Tensor, "batch teacher_tokens dim"],
    teacher_mask: Bool[Tensor, "batch teacher_tokens"],
    *,
    epsilon: float = 0.05,
) -> Float[Tensor, ""]:
    """Compare token sets by the cost of carrying one to the other, mean over the batch.

    loss = <P*, C>, with C_ij = 1 - cos(s_i, t_j) and P* the balanced entropic plan between uniform marginals, held
    constant. An item without tokens on either side contributes zero.

    Args:
        student: Student token embeddings.
        student_mask: True for tokens that take part.
        teacher: Teacher token embeddings of the English sentence.
        teacher_mask: True for tokens that take part.
        epsilon: Regularization strength, in the unit of the cost. Positive.

    References:
        Huang, Yu and Allan, "Improving Cross-lingual Information Retrieval on Low-Resource Languages via Optimal
        Transport Distillation", WSDM 2023. https://arxiv.org/abs/2301.12566. The abstract leaves the solver, epsilon
        and the marginals open; the ones here are this project's.
    """
    cost = cosine_cost(student, teacher)
    plan = sinkhorn(cost.detach(), uniform_marginal(student_mask), uniform_marginal(teacher_mask), epsilon=epsilon).plan
    return transport_value(cost, plan).mean()


class TransportLoss(BitextLoss):
    """Optimal transport distillation for the trainer.

    Args:
        model: The student.
        teacher: The teacher.
        epsilon: Regularization strength of the plan, in the unit of the cost. Positive.
    """

    def __init__(self, model: MultiVectorEncoder, teacher: MultiVectorEncoder, *, epsilon: float = 0.05) -> None:
        super().__init__(model, teacher)
        if not epsilon > 0:
            raise ValueError(f"epsilon must be positive, got {epsilon}")
        self.epsilon = epsilon

    def compare(self, student: TokenBatch, teacher: TokenBatch) -> Tensor:
        """Return `transport_loss` of the content tokens."""
        return transport_loss(
            student.embeddings, student.content, teacher.embeddings, teacher.content, epsilon=self.epsilon
        )
