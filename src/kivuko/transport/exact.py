"""Exact optimal transport by linear programming."""

import warnings

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from kivuko.transport.result import TransportResult, are_feasible, check_feasible, check_shapes
from kivuko.transport.value import transport_value


def exact_transport(
    cost: Float[Tensor, "batch source target"],
    a: Float[Tensor, "batch source"],
    b: Float[Tensor, "batch target"],
    *,
    max_iterations: int = 1_000_000,
) -> TransportResult:
    """Solve min <P, C> subject to P 1 = a and P^T 1 = b exactly, with POT's network simplex, one item after the other.

    It runs on the CPU in float64 wherever the tensors are, and needs POT: `pip install "kivuko[exact]"`.

    Args:
        cost: Cost matrix C. What stands where a token has no mass is not read.
        a: Source marginal. Non-negative; where it sums to zero, plan and value are zero.
        b: Target marginal, of the same mass.
        max_iterations: Bound on the pivots of each item. `iterations` is not reported and left at zero.

    Raises:
        ModuleNotFoundError: If POT is not installed.
        ValueError: If a mass is negative, infinite or NaN, or the masses of an item differ by more than 0.1 %.

    Example:
        >>> half = torch.tensor([[0.5, 0.5]])
        >>> exact_transport(torch.tensor([[[1.0, 0.0], [0.0, 1.0]]]), half, half).plan
        tensor([[[0.0000, 0.5000],
                 [0.5000, 0.0000]]])

    References:
        Bonneel, van de Panne, Paris and Heidrich, "Displacement interpolation using Lagrangian mass transport",
        SIGGRAPH Asia 2011; Flamary et al., "POT: Python optimal transport", JMLR 2021.
    """
    try:
        import ot  # noqa: PLC0415
    except ModuleNotFoundError as missing:
        raise ModuleNotFoundError(
            'exact transport needs POT, which is not installed: pip install "kivuko[exact]"'
        ) from missing
    check_shapes(cost.shape, a, b)
    dtype = torch.promote_types(cost.dtype, torch.float32)
    costs, sources, targets = (tensor.detach().to("cpu", torch.float64).numpy() for tensor in (cost, a, b))
    check_feasible(are_feasible(torch.from_numpy(sources), torch.from_numpy(targets), must_agree=True))
    plans, fs, gs = np.zeros(costs.shape), np.zeros(sources.shape), np.zeros(targets.shape)
    optimal = np.ones(len(costs), dtype=bool)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the result says whether it is optimal
        for item in range(len(costs)):
            rows, columns = np.flatnonzero(sources[item] > 0), np.flatnonzero(targets[item] > 0)
            if not (len(rows) and len(columns)):
                continue
            inside = np.ix_(rows, columns)
            source, target, C = sources[item, rows], targets[item, columns], costs[item][inside]
            if not (-np.inf < C).all():
                plans[item][inside], optimal[item] = np.nan, False
                continue
            lowest, bound = _finite_range(C)
            target *= source.sum() / target.sum()
            P, log = ot.emd(
                source,
                target,
                np.minimum(C - lowest, bound),
                numItermax=max_iterations,
                log=True,
                check_marginals=False,
            )
            plans[item][inside] = P
            fs[item, rows], gs[item, columns] = log["u"], log["v"] + lowest
            optimal[item] = log["warning"] is None and not (P[np.isposinf(C)] > 0).any()
    errors = np.abs(plans.sum(2) - sources).sum(1) + np.abs(plans.sum(1) - targets).sum(1)
    errors[plans.sum((1, 2)) == 0] = 0
    plan, f, g, error = (torch.from_numpy(array).to(cost.device, dtype) for array in (plans, fs, gs, errors))
    return TransportResult(
        plan=plan,
        value=transport_value(cost.to(dtype), plan),
        f=f,
        g=g,
        iterations=torch.zeros(len(cost), dtype=torch.int64, device=cost.device),
        error=error,
        converged=torch.from_numpy(optimal).to(cost.device),
    )


def _finite_range(C: NDArray[np.float64]) -> tuple[float, float]:
    """Return the lowest cost, and how far above it a cost may stand so that only a plan which must pays it.

    POT calls problems with negative costs infeasible, and loses its way between infinite ones.
    """
    lowest = float(C.min())
    highest = float(C.max(where=np.isfinite(C), initial=lowest))
    return lowest, (len(C) + len(C.T) + 1) * (highest - lowest) + 1
