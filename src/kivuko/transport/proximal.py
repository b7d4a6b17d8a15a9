"""Nearly exact optimal transport by the proximal point method."""

import torch
from jaxtyping import Float
from torch import Tensor

from kivuko.transport.result import TransportResult, are_feasible, check_feasible, check_shapes
from kivuko.transport.sinkhorn import sinkhorn
from kivuko.transport.value import transport_value


def proximal_transport(
    cost: Float[Tensor, "batch source target"],
    a: Float[Tensor, "batch source"],
    b: Float[Tensor, "batch target"],
    *,
    epsilon: float | None = None,
    steps: int = 200,
    tolerance: float = 1e-3,
) -> TransportResult:
    """Approach exact transport by proximal steps, each solved by one Sinkhorn iteration.

    A step is P <- argmin <P', C> + epsilon KL(P' || P), subject to the marginals. Were the steps solved exactly, t of
    them would give the entropic plan of epsilon / t; IPOT, which does not, tends to the exact plan all the same,
    whatever epsilon is. It needs only products, on any device. On the CPU `sinkhorn` with a small epsilon reaches as
    sharp a plan sooner; this is the method for a sharp plan on a GPU.

    Args:
        cost: Cost matrix C. What stands where a token has no mass is not read.
        a: Source marginal. Non-negative; where it sums to zero, plan and value are zero.
        b: Target marginal, of the same mass.
        epsilon: Strength of the proximal term, in the unit of `cost`. Positive; by default a quarter of the mean cost
            of the item, counted from the cheapest partner of each token.
        steps: How many steps to take, all of which are taken.
        tolerance: Marginal error up to which an item counts as converged. The potentials are those of the entropic
            plan that all steps together make, of epsilon / steps.

    Raises:
        ValueError: If `epsilon` or `steps` is not positive, or as for `sinkhorn` if the masses cannot be.

    Example:
        >>> half = torch.tensor([[0.5, 0.5]])
        >>> proximal_transport(1 - torch.eye(2)[None], half, half).plan.round(decimals=3)
        tensor([[[0.5000, 0.0000],
                 [0.0000, 0.5000]]])

    References:
        Xie, Wang, Wang and Zha, "A fast proximal point method for computing exact Wasserstein distance", UAI 2020,
        Algorithm 1 with L = 1. https://arxiv.org/abs/1802.04307. The kernel is scaled by the c-transforms of the cost,
        which changes no plan and keeps it from underflowing.
    """
    for name, number in (("epsilon", epsilon), ("steps", steps)):
        if number is not None and not number > 0:
            raise ValueError(f"{name} must be positive, got {number}.")
    check_shapes(cost.shape, a, b)
    check_feasible(are_feasible(a, b, must_agree=True))
    if not cost.numel():  # nothing to carry, and no cheapest partner
        return sinkhorn(cost, a, b, epsilon=1.0)
    dtype = torch.promote_types(cost.dtype, torch.float32)
    with torch.no_grad():
        inside = (a[:, :, None] > 0) & (b[:, None, :] > 0)
        a, b = a.to(dtype).where(inside.any(2), 0), b.to(dtype).where(inside.any(1), 0)
        barred = cost.to(dtype).where(inside, torch.inf)
        f = barred.amin(2, keepdim=True).where(inside.any(2, keepdim=True), 0)
        barred = barred - f
        g = barred.amin(1, keepdim=True).where(inside.any(1, keepdim=True), 0)
        barred = barred - g
        weight = _own_epsilon(barred) if epsilon is None else barred.new_full((len(barred), 1, 1), epsilon)
        kernel = (-barred / weight).exp()
        tiny = torch.finfo(dtype).tiny
        plan, v = inside.to(dtype), torch.ones_like(b)
        scalings = [torch.zeros_like(a), torch.zeros_like(b)]
        for _ in range(steps):
            plan = plan * kernel
            u = a / torch.einsum("bst,bt->bs", plan, v).clamp(min=tiny)
            v = b / torch.einsum("bst,bs->bt", plan, u).clamp(min=tiny)
            plan = u[:, :, None] * plan * v[:, None, :]
            scalings = [total + each.clamp(min=tiny).log() for total, each in zip(scalings, (u, v), strict=True)]
        f = (f[:, :, 0] + scalings[0] * weight[:, 0] / steps).where(a > 0, 0)
        g = (g[:, 0] + scalings[1] * weight[:, 0] / steps).where(b > 0, 0)
        error = (plan.sum(2) - a).abs().sum(-1) + (plan.sum(1) - b).abs().sum(-1)
    return TransportResult(
        plan=plan,
        value=transport_value(cost.to(dtype), plan),
        f=f,
        g=g,
        iterations=torch.full_like(error, steps, dtype=torch.int64),
        error=error,
        converged=error <= tolerance,
    )


def _own_epsilon(barred: Tensor) -> Tensor:
    """Return a quarter of the mean finite cost of each item; 1 where all its costs are zero."""
    finite = barred.isfinite()
    mean = barred.where(finite, 0).sum((1, 2), keepdim=True) / finite.sum((1, 2), keepdim=True).clamp(min=1)
    return (mean / 4).where(mean > 0, 1)
