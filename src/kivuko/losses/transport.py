"""Optimal transport distillation: OPTICAL's objective, and what its abstract leaves open."""

from collections.abc import Mapping
from importlib.util import find_spec
from typing import get_args

import torch
from jaxtyping import Bool, Float
from sentence_transformers import MultiVectorEncoder
from torch import Tensor

from kivuko.config import Marginals, Problem, Tokens, Value
from kivuko.errors import ConfigError
from kivuko.losses.bitext_loss import BitextLoss, TokenBatch
from kivuko.losses.marginals import TokenMarginals
from kivuko.transport import (
    cosine_cost,
    cosine_transport_value,
    exact_transport,
    partial_sinkhorn,
    proximal_transport,
    sinkhorn_divergence,
    transport_value,
    unbalanced_sinkhorn,
    uniform_marginal,
)


def transport_loss(
    student: Float[Tensor, "batch student_tokens dim"],
    student_mask: Bool[Tensor, "batch student_tokens"],
    teacher: Float[Tensor, "batch teacher_tokens dim"],
    teacher_mask: Bool[Tensor, "batch teacher_tokens"],
    *,
    epsilon: float = 0.05,
    problem: Problem = "balanced",
    rho: float = 0.5,
    mass: float = 0.8,
    steps: int = 200,
    value: Value = "plan_cost",
    max_iterations: int = 1000,
    student_marginal: Float[Tensor, "batch student_tokens"] | None = None,
    teacher_marginal: Float[Tensor, "batch teacher_tokens"] | None = None,
) -> Float[Tensor, ""]:
    """Compare token sets by the cost of carrying one to the other, mean over the batch.

    loss = <P*, C>, with C_ij = 1 - cos(s_i, t_j) and P* the entropic plan between the marginals, held constant. With
    `divergence` it is OT(S, T) - OT(S, S) / 2 - OT(T, T) / 2 of the regularized optima, which is zero where both token
    sets agree; entropic transport itself is not, it draws the student's tokens towards their mean as epsilon grows.
    An item without tokens on either side contributes zero.

    Args:
        student: Student token embeddings.
        student_mask: True for tokens that take part.
        teacher: Teacher token embeddings of the English sentence.
        teacher_mask: True for tokens that take part.
        epsilon: Regularization strength, in the unit of the cost. Positive.
        problem: `balanced`: all mass is carried. `unbalanced`: less at a price, see `unbalanced_sinkhorn`; the value
            shrinks with what stays unmatched, but the plan is held constant, so nothing learns to stay unmatched.
            `partial`: the cheapest part is carried, see `partial_sinkhorn`. `proximal`: as good as unregularized, see
            `proximal_transport`. `exact`: unregularized, on the CPU, see `exact_transport`; it reads no `epsilon`.
        rho: Price of unmatched mass of the `unbalanced` problem, in the unit of the cost: a token whose cheapest
            partner costs more than about 2 rho is left out. Positive.
        mass: The part that is carried in the `partial` problem. In (0, 1].
        steps: How many steps `proximal` takes. Positive.
        value: The cost of the plan, or the debiased divergence, which is there for the balanced problem alone.
        max_iterations: Bound on the solver's iterations; by default it stops where the marginals hold.
        student_marginal: Mass of each student token, zero where it is masked; uniform by default.
        teacher_marginal: Likewise.

    References:
        Huang, Yu and Allan, "Improving Cross-lingual Information Retrieval on Low-Resource Languages via Optimal
        Transport Distillation", WSDM 2023. https://arxiv.org/abs/2301.12566. The abstract leaves the solver, epsilon
        and the marginals open; the ones here are this project's.
        Arase, Bao and Yokoi, "Unbalanced optimal transport for unbalanced word alignment", ACL 2023.
        https://arxiv.org/abs/2306.04116, for the unbalanced and the partial problem, there of word alignment.
        Feydy et al., "Interpolating between optimal transport and MMD using Sinkhorn divergences", AISTATS 2019.
        https://arxiv.org/abs/1810.08278, for the divergence.
    """
    for name, choice, choices in (("problem", problem, get_args(Problem)), ("value", value, get_args(Value))):
        if choice not in choices:
            raise ValueError(f"{name} must be one of {', '.join(choices)}; got {choice!r}")
    if value == "divergence" and problem != "balanced":
        raise ValueError(f"value 'divergence' needs problem 'balanced', got {problem!r}")
    a = uniform_marginal(student_mask) if student_marginal is None else student_marginal
    b = uniform_marginal(teacher_mask) if teacher_marginal is None else teacher_marginal
    options = {"epsilon": epsilon, "max_iterations": max_iterations}
    if problem == "balanced" and value == "plan_cost":
        return cosine_transport_value(student, teacher, a, b, **options).mean()  # type: ignore[arg-type]
    # What has no mass is not read: a NaN there would come back in the gradients of all that it is multiplied with.
    student, teacher = student.where((a > 0)[..., None], 0), teacher.where((b > 0)[..., None], 0)
    cost = cosine_cost(student, teacher)
    if value == "divergence":
        within = cosine_cost(student, student), cosine_cost(teacher, teacher)
        return sinkhorn_divergence(cost, *within, a, b, **options).mean()  # type: ignore[arg-type]
    match problem:
        case "unbalanced":
            result = unbalanced_sinkhorn(cost.detach(), a, b, rho=rho, **options)  # type: ignore[arg-type]
        case "partial":
            result = partial_sinkhorn(cost.detach(), a, b, fraction=mass, **options)  # type: ignore[arg-type]
        case "proximal":
            result = proximal_transport(cost.detach(), a, b, epsilon=epsilon, steps=steps)
        case _:
            result = exact_transport(cost.detach(), a, b)
    return transport_value(cost, result.plan).mean()


class TransportLoss(BitextLoss):
    """Optimal transport distillation for the trainer.

    Args:
        model: The student.
        teacher: The teacher.
        epsilon: Regularization strength of the plan, in the unit of the cost. Positive.
        epsilon_start: Where epsilon begins; from there it goes to `epsilon` geometrically. Positive; None keeps it.
        epsilon_batches: In how many batches it gets there.
        marginals: What a token's mass goes by, see `TokenMarginals`.
        problem: As in `transport_loss`.
        rho: As in `transport_loss`.
        mass: As in `transport_loss`.
        steps: As in `transport_loss`.
        value: As in `transport_loss`.
        max_iterations: As in `transport_loss`.
        tokens: Which tokens take part: those with content, or all that MaxSim scores.
    """

    def __init__(
        self,
        model: MultiVectorEncoder,
        teacher: MultiVectorEncoder,
        *,
        epsilon: float = 0.05,
        epsilon_start: float | None = None,
        epsilon_batches: int = 1000,
        marginals: Marginals = "uniform",
        problem: Problem = "balanced",
        rho: float = 0.5,
        mass: float = 0.8,
        steps: int = 200,
        value: Value = "plan_cost",
        max_iterations: int = 1000,
        tokens: Tokens = "content",
    ) -> None:
        super().__init__(model, teacher)
        for name, number in (
            ("epsilon", epsilon),
            ("epsilon_start", epsilon_start),
            ("rho", rho),
            ("mass", mass),
            ("steps", steps),
            ("max_iterations", max_iterations),
        ):
            if number is not None and not number > 0:
                raise ValueError(f"{name} must be positive, got {number}")
        if problem == "exact" and find_spec("ot") is None:
            raise ConfigError('problem = "exact" needs POT, which is not installed: pip install "kivuko[exact]"')
        self.final_epsilon, self.epsilon_start, self.epsilon_batches = epsilon, epsilon_start, epsilon_batches
        self.marginals, self.problem, self.value, self.tokens = marginals, problem, value, tokens
        self.rho, self.mass, self.steps, self.max_iterations = rho, mass, steps, max_iterations
        self.batches = 0
        self.student_marginals = TokenMarginals(marginals, model)
        self.teacher_marginals = TokenMarginals(marginals, teacher)

    @property
    def epsilon(self) -> float:
        """Epsilon of the next batch."""
        if self.epsilon_start is None:
            return self.final_epsilon
        done = min(1.0, self.batches / self.epsilon_batches)
        return float(self.epsilon_start ** (1 - done) * self.final_epsilon**done)

    @property
    def reads_lengths(self) -> bool:
        """Whether the marginals go by the lengths of the embeddings."""
        return self.marginals == "norm"

    def compare(self, student: TokenBatch, teacher: TokenBatch) -> Tensor:
        """Return `transport_loss` of the tokens that take part."""
        student_mask, teacher_mask = student.mask(self.tokens), teacher.mask(self.tokens)
        loss = transport_loss(
            student.embeddings,
            student_mask,
            teacher.embeddings,
            teacher_mask,
            epsilon=self.epsilon,
            problem=self.problem,
            rho=self.rho,
            mass=self.mass,
            steps=self.steps,
            value=self.value,
            max_iterations=self.max_iterations,
            student_marginal=self.student_marginals(student, student_mask),
            teacher_marginal=self.teacher_marginals(teacher, teacher_mask),
        )
        self.batches += 1
        return loss

    def state(self) -> dict[str, Tensor]:
        """Return how far epsilon has come and what was counted for the marginals; nothing where nothing changes."""
        state = {} if self.epsilon_start is None else {"batches": torch.tensor(self.batches)}
        for side, marginals in (("student", self.student_marginals), ("teacher", self.teacher_marginals)):
            state |= {f"{side}.{key}": tensor for key, tensor in marginals.state().items()}
        return state

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Take up what `state` returned."""
        self.batches = int(state["batches"]) if "batches" in state else 0
        for side, marginals in (("student", self.student_marginals), ("teacher", self.teacher_marginals)):
            prefix = f"{side}."
            marginals.restore({key.removeprefix(prefix): state[key] for key in state if key.startswith(prefix)})
