"""Unbalanced entropic optimal transport: a token may stay partly unmatched, at a price."""

from jaxtyping import Float
from torch import Tensor

from kivuko.transport.result import TransportResult
from kivuko.transport.scaling import Backend, solve_scaling


def unbalanced_sinkhorn(
    cost: Float[Tensor, "batch source target"],
    a: Float[Tensor, "batch source"],
    b: Float[Tensor, "batch target"],
    *,
    epsilon: float,
    rho: float,
    tolerance: float = 1e-3,
    max_iterations: int = 1000,
    backend: Backend = "auto",
) -> TransportResult:
    """Solve entropic optimal transport whose marginals are encouraged rather than demanded.

    Minimizes <P, C> + epsilon KL(P || a b^T) + rho KL(P 1 || a) + rho KL(P^T 1 || b), where
    KL(p || q) = sum p log(p / q) - p + q. A token whose cheapest partner costs more than about 2 rho is left out.
    At the optimum the marginals are a exp(-f / rho) and b exp(-g / rho), and `error` is the distance of the plan's
    marginals from those.

    Args:
        cost: Cost matrix C. Half precision is raised to float32.
        a: Source marginal. Non-negative; need not have the mass of `b`.
        b: Target marginal, likewise.
        epsilon: Regularization strength, in the unit of `cost`. Positive.
        rho: Price of unmatched mass, in the unit of `cost`. Positive; with infinity the problem is balanced.
        tolerance: Largest L1 distance of the plan's marginals from the optimal ones at which an item is done.
        max_iterations: Bound on the iterations of each item.
        backend: As in `sinkhorn`.

    Raises:
        ValueError: As `sinkhorn`.

    Example:
        >>> import torch
        >>> a, b = torch.tensor([[0.5, 0.5]]), torch.tensor([[0.5, 0.5]])
        >>> cost = torch.tensor([[[0.1, 1.0], [1.0, 1.0]]])
        >>> unbalanced_sinkhorn(cost, a, b, epsilon=0.05, rho=0.1).plan.round(decimals=2)
        tensor([[[0.2900, 0.0000],
                 [0.0000, 0.0100]]])

    References:
        Chizat, Peyre, Schmitzer and Vialard, "Scaling algorithms for unbalanced optimal transport problems",
        Mathematics of Computation 2018. https://arxiv.org/abs/1607.05816
        Arase, Bao and Yokoi, "Unbalanced optimal transport for unbalanced word alignment", ACL 2023.
        https://arxiv.org/abs/2306.04116
    """
    return solve_scaling(
        cost, a, b, epsilon=epsilon, rho=rho, tolerance=tolerance, max_iterations=max_iterations, backend=backend
    )
