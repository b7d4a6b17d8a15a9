"""The one problem behind `sinkhorn` and `unbalanced_sinkhorn`, and the choice of who solves it."""

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor

from kivuko.transport.reference import scale_in_torch
from kivuko.transport.result import TransportResult
from kivuko.transport.value import with_plan_as_gradient

Backend = Literal["auto", "torch", "compiled"]


def solve_scaling(
    cost: Tensor,
    a: Tensor,
    b: Tensor,
    *,
    epsilon: float,
    rho: float,
    tolerance: float,
    max_iterations: int,
    backend: Backend,
) -> TransportResult:
    """Minimize <P, C> + epsilon KL(P || a b^T) + rho KL(P 1 || a) + rho KL(P^T 1 || b); infinite rho demands equality.

    `auto` is `compiled` for float32 on the CPU and `torch` for the rest.
    """
    _check(cost, a, b, epsilon=epsilon, rho=rho, tolerance=tolerance, max_iterations=max_iterations)
    dtype = torch.promote_types(cost.dtype, torch.float32)
    cost, a, b = cost.to(dtype), a.detach().to(dtype), b.detach().to(dtype)
    scale = _engine(_choose(backend, cost))
    with torch.no_grad():
        result = scale(cost, a, b, epsilon=epsilon, rho=rho, tolerance=tolerance, max_iterations=max_iterations)
        if bool((result.iterations < 0).any()):
            raise ValueError(
                "the two marginals of an item must have the same mass, to 0.1 %: normalize them in float32, "
                "or use unbalanced_sinkhorn or partial_sinkhorn."
            )
    return result._replace(value=with_plan_as_gradient(result.value, cost, result.plan))


def _engine(backend: Backend) -> Callable[..., TransportResult]:
    match backend:
        case "compiled":
            from kivuko.transport.compiled import scale_compiled  # noqa: PLC0415 - numba takes half a second

            return scale_compiled
        case _:
            return scale_in_torch


def _choose(backend: Backend, cost: Tensor) -> Backend:
    on_cpu, is_float32 = cost.device.type == "cpu", cost.dtype == torch.float32
    if backend == "auto":
        if not is_float32:
            return "torch"
        if on_cpu:
            return "compiled"
        return "torch"
    if backend == "compiled" and not on_cpu:
        raise ValueError(f"backend 'compiled' runs on the CPU; the cost is on {cost.device}. Use 'auto'.")
    if backend == "compiled" and not is_float32:
        raise ValueError(f"backend {backend!r} computes in float32, the cost is {cost.dtype}. Use 'auto' or 'torch'.")
    return backend


def _check(
    cost: Tensor, a: Tensor, b: Tensor, *, epsilon: float, rho: float, tolerance: float, max_iterations: int
) -> None:
    if cost.shape != (*a.shape, b.shape[-1]) or a.shape[:1] != b.shape[:1]:
        raise ValueError(
            f"cost must be (batch, source, target) for a {tuple(a.shape)} and b {tuple(b.shape)}; "
            f"got {tuple(cost.shape)}."
        )
    for name, number in (
        ("epsilon", epsilon),
        ("rho", rho),
        ("tolerance", tolerance),
        ("max_iterations", max_iterations),
    ):
        if not number > 0:
            raise ValueError(f"{name} must be positive, got {number}.")
