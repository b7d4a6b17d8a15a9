"""The one problem behind `sinkhorn` and `unbalanced_sinkhorn`, and the choice of who solves it."""

import os
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from typing import Literal, get_args

import torch
from torch import Tensor

from kivuko.transport.reference import scale_in_torch
from kivuko.transport.result import TransportResult, check_shapes
from kivuko.transport.value import with_plan_as_gradient

Backend = Literal["auto", "torch", "compiled", "triton"]

_BACKENDS = get_args(Backend)
_LARGEST_ON_GPU = 128  # tokens a side; `kivuko.transport.gpu` says why


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

    `auto` is `compiled` for float32 on the CPU, `triton` for float32 of up to 128 tokens a side on a GPU where Triton
    is installed, and `torch` for the rest.
    """
    check_problem(cost.shape, a, b, epsilon=epsilon, rho=rho, tolerance=tolerance, max_iterations=max_iterations)
    dtype = torch.promote_types(cost.dtype, torch.float32)
    cost = _cast(cost, dtype)
    C, a, b = (_cast(tensor.detach() if tensor.requires_grad else tensor, dtype) for tensor in (cost, a, b))
    scale = _engine(_choose(backend, cost))
    result = scale(C, a, b, epsilon=epsilon, rho=rho, tolerance=tolerance, max_iterations=max_iterations)
    if not cost.requires_grad:
        return result
    return result._replace(value=with_plan_as_gradient(result.value, cost, result.plan))


def _cast(tensor: Tensor, dtype: torch.dtype) -> Tensor:
    """Call nothing where nothing is to do: on short sentences, calls that do nothing take as long as the solver."""
    return tensor if tensor.dtype == dtype else tensor.to(dtype)


def _engine(backend: Backend) -> Callable[..., TransportResult]:
    match backend:
        case "compiled":
            from kivuko.transport.compiled import scale_compiled  # noqa: PLC0415 - numba takes half a second

            return scale_compiled
        case "triton":
            from kivuko.transport.gpu import scale_on_gpu  # noqa: PLC0415 - triton is not everywhere

            return scale_on_gpu
        case _:
            return scale_in_torch


def runs_triton(tensor: Tensor) -> bool:
    """Say whether Triton is installed and runs where this tensor is: on a GPU, or anywhere in its interpreter."""
    is_there = tensor.device.type == "cuda" or os.environ.get("TRITON_INTERPRET") == "1"
    return is_there and find_spec("triton") is not None


def _choose(backend: Backend, cost: Tensor) -> Backend:
    if backend not in _BACKENDS:
        raise ValueError(f"backend must be one of {', '.join(_BACKENDS)}; got {backend!r}.")
    on_cpu, is_float32 = cost.device.type == "cpu", cost.dtype == torch.float32
    if backend == "auto":
        if not is_float32:
            return "torch"
        if on_cpu:
            return "compiled"
        return "triton" if max(cost.shape[1:]) <= _LARGEST_ON_GPU and runs_triton(cost) else "torch"
    if backend == "compiled" and not on_cpu:
        raise ValueError(f"backend 'compiled' runs on the CPU; the cost is on {cost.device}. Use 'auto'.")
    if backend == "triton" and not runs_triton(cost):
        raise ValueError(f"backend 'triton' needs Triton and a GPU; the cost is on {cost.device}. Use 'auto'.")
    if backend != "torch" and not is_float32:
        raise ValueError(f"backend {backend!r} computes in float32, the cost is {cost.dtype}. Use 'auto' or 'torch'.")
    return backend


def check_problem(
    shape: Sequence[int],
    a: Tensor,
    b: Tensor,
    *,
    epsilon: float,
    rho: float,
    tolerance: float,
    max_iterations: int,
) -> None:
    """Raise where the shape of the cost does not fit that of the marginals, or a number is not positive."""
    check_shapes(shape, a, b)
    if epsilon > 0 and rho > 0 and tolerance > 0 and max_iterations > 0:
        return
    numbers = {"epsilon": epsilon, "rho": rho, "tolerance": tolerance, "max_iterations": max_iterations}
    name, number = next((name, number) for name, number in numbers.items() if not number > 0)
    raise ValueError(f"{name} must be positive, got {number}.")
