"""One entrance for who wants a plan and not a method."""

from importlib.util import find_spec
from typing import Literal

from jaxtyping import Float
from torch import Tensor

from kivuko.transport.exact import exact_transport
from kivuko.transport.proximal import proximal_transport
from kivuko.transport.result import TransportResult
from kivuko.transport.sinkhorn import sinkhorn

_SHARP = 0.003  # mean costs: `benchmarks/transport_exact.py` says what holds above it and no longer far below


def solve_transport(
    cost: Float[Tensor, "batch source target"],
    a: Float[Tensor, "batch source"],
    b: Float[Tensor, "batch target"],
    *,
    epsilon: float,
    method: Literal["auto", "sinkhorn", "exact", "proximal"] = "auto",
    tolerance: float = 1e-3,
) -> TransportResult:
    """Solve balanced transport with the regularization that you want and the method that suits it.

    `auto` takes `sinkhorn` down to an epsilon of 0.3 % of the mean cost, where it is the fastest and solves every
    problem of `benchmarks/transport_exact.py`. For a smaller one, zero included, its value is within 0.05 % of the
    exact one there, and it no longer solves all of them in 1000 iterations; then `auto` takes `exact` on the CPU if POT
    is installed, and else `proximal`.

    Args:
        cost: Cost matrix C.
        a: Source marginal. Non-negative; sums to 1.
        b: Target marginal, likewise.
        epsilon: Regularization strength, in the unit of `cost`. Not negative; only `sinkhorn` uses it.
        method: Who solves.
        tolerance: Largest L1 error of the marginals, for `sinkhorn` and `proximal`.

    Raises:
        ValueError: If `epsilon` is negative, or zero for `sinkhorn`.

    Example:
        >>> import torch
        >>> half = torch.tensor([[0.5, 0.5]])
        >>> solve_transport(1 - torch.eye(2)[None], half, half, epsilon=0.05).value.round(decimals=3)
        tensor([0.])
    """
    if not epsilon >= 0:
        raise ValueError(f"epsilon must not be negative, got {epsilon}.")
    if method not in ("auto", "sinkhorn", "exact", "proximal"):
        raise ValueError(f"method must be auto, sinkhorn, exact or proximal; got {method!r}.")
    if method == "auto":
        method = _choose(cost, a, b, epsilon)
    match method:
        case "exact":
            return exact_transport(cost, a, b)
        case "proximal":
            return proximal_transport(cost, a, b, tolerance=tolerance)
        case _:
            return sinkhorn(cost, a, b, epsilon=epsilon, tolerance=tolerance)


def _choose(cost: Tensor, a: Tensor, b: Tensor, epsilon: float) -> Literal["sinkhorn", "exact", "proximal"]:
    inside = (a[:, :, None] > 0) & (b[:, None, :] > 0) & cost.isfinite()
    typical = float(cost.detach().where(inside, 0).sum() / inside.sum().clamp(min=1))
    if epsilon > 0 and epsilon >= _SHARP * typical:
        return "sinkhorn"
    return "exact" if cost.device.type == "cpu" and find_spec("ot") else "proximal"
