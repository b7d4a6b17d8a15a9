"""Values of the regularized problem: its optimum, and the divergence that vanishes where two sides agree."""

import math

from jaxtyping import Float
from torch import Tensor

from kivuko.transport.result import TransportResult
from kivuko.transport.scaling import Backend
from kivuko.transport.sinkhorn import sinkhorn
from kivuko.transport.value import with_plan_as_gradient


def regularized_value(
    cost: Float[Tensor, "batch source target"],
    a: Float[Tensor, "batch source"],
    b: Float[Tensor, "batch target"],
    result: TransportResult,
    *,
    epsilon: float,
    rho: float = math.inf,
) -> Float[Tensor, " batch"]:
    """Compute the optimum of the regularized problem, of which the plan is the exact gradient by the envelope theorem.

    It is read off the dual problem, <a, f> + <b, g> + epsilon (sum(a) sum(b) - sum(P)), which is a lower bound whatever
    the potentials are, and whose error is of second order in theirs. With a finite rho, <a, f> is
    rho <a, 1 - exp(-f / rho)>.

    Args:
        cost: Cost matrix C; the only way for a gradient.
        a: Source marginal.
        b: Target marginal.
        result: What `sinkhorn` or `unbalanced_sinkhorn` returned for this problem.
        epsilon: The regularization strength that it was solved with.
        rho: The price of unmatched mass that it was solved with.

    Example:
        >>> import torch
        >>> cost, half = torch.zeros(1, 2, 2), torch.tensor([[0.5, 0.5]])
        >>> regularized_value(cost + 0.5, half, half, sinkhorn(cost + 0.5, half, half, epsilon=0.1), epsilon=0.1)
        tensor([0.5000])

    References:
        Peyre and Cuturi, "Computational optimal transport", 2019, Propositions 4.4 and 4.6.
        https://arxiv.org/abs/1803.00567
    """
    f, g = result.f, result.g
    if rho < math.inf:
        f, g = rho * (1 - (-f / rho).exp()), rho * (1 - (-g / rho).exp())
    has_plan = result.plan.sum((1, 2)) > 0
    slack = epsilon * (a.sum(-1) * b.sum(-1) * has_plan - result.plan.sum((1, 2)))
    value = (a * f).sum(-1) + (b * g).sum(-1) + slack
    return with_plan_as_gradient(value.to(result.plan.dtype), cost.to(result.plan.dtype), result.plan)


def sinkhorn_divergence(
    cost: Float[Tensor, "batch source target"],
    source_cost: Float[Tensor, "batch source source"],
    target_cost: Float[Tensor, "batch target target"],
    a: Float[Tensor, "batch source"],
    b: Float[Tensor, "batch target"],
    *,
    epsilon: float,
    tolerance: float = 1e-4,
    max_iterations: int = 1000,
    backend: Backend = "auto",
) -> Float[Tensor, " batch"]:
    """Compute the debiased divergence OT(a, b) - OT(a, a) / 2 - OT(b, b) / 2 of the regularized optima.

    Unlike entropic transport itself it is zero where both sides are the same weighted set of tokens, so that a student
    that equals its teacher is a minimum. Its gradient with respect to the three costs is exact.

    Args:
        cost: Cost between source and target tokens.
        source_cost: Cost among the source tokens.
        target_cost: Cost among the target tokens.
        a: Source marginal.
        b: Target marginal.
        epsilon: Regularization strength, in the unit of the costs. Positive.
        tolerance: Marginal error of each of the three solutions.
        max_iterations: Bound on the iterations of each item.
        backend: As in `sinkhorn`.

    Raises:
        ValueError: As `sinkhorn`.

    Example:
        >>> import torch
        >>> tokens, half = 1 - torch.eye(2)[None], torch.tensor([[0.5, 0.5]])
        >>> sinkhorn_divergence(tokens, tokens, tokens, half, half, epsilon=0.1).round(decimals=3).abs()
        tensor([0.])

    References:
        Genevay, Peyre and Cuturi, "Learning generative models with Sinkhorn divergences", AISTATS 2018.
        https://arxiv.org/abs/1706.00292
        Feydy et al., "Interpolating between optimal transport and MMD using Sinkhorn divergences", AISTATS 2019.
        https://arxiv.org/abs/1810.08278
    """

    def optimum(C: Tensor, source: Tensor, target: Tensor) -> Tensor:
        result = sinkhorn(
            C.detach(),
            source,
            target,
            epsilon=epsilon,
            tolerance=tolerance,
            max_iterations=max_iterations,
            backend=backend,
        )
        return regularized_value(C, source, target, result, epsilon=epsilon)

    both = ((a > 0).any(-1, keepdim=True) & (b > 0).any(-1, keepdim=True)).to(a.dtype)
    a, b = a * both, b * both
    return optimum(cost, a, b) - (optimum(source_cost, a, a) + optimum(target_cost, b, b)) / 2
