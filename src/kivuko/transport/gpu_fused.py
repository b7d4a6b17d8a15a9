"""From embeddings to the value and to their gradients, in Triton: one kernel each way.

Normalization, cost, iterations and value are one kernel; the backward pass computes cost and plan again and both
gradients in another. Neither a cost nor a plan is ever in memory. Products of half precision are summed in float32.
"""

from typing import Any, no_type_check

import torch
import triton
import triton.language as tl
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable
from triton import knobs

from kivuko.transport.gpu import empty_results, exponentiate, load_masses, solve, store_results, tile
from kivuko.transport.result import check_feasible

# Tokens a side; the blocks of the backward pass then take less than 96 KiB of shared memory.
LARGEST_FUSED_SIDE = {torch.bfloat16: 128, torch.float16: 64, torch.float32: 64}


@triton.jit
@no_type_check
def _load_block(pointer, item, tokens, dim, first, mass, T: tl.constexpr, D: tl.constexpr):
    """Load the columns from `first` of the embeddings that have mass."""
    rows, columns = tl.arange(0, T), first + tl.arange(0, D)
    mask = (mass[:, None] > 0) & (columns[None, :] < dim)
    return tl.load(pointer + item * tokens * dim + rows[:, None] * dim + columns[None, :], mask=mask, other=0.0)


@triton.jit
@no_type_check
def _cosines(
    source_pointer, target_pointer, item, n, m, dim, a, b, N: tl.constexpr, M: tl.constexpr, D: tl.constexpr,
    PRECISION: tl.constexpr, UPCAST: tl.constexpr,
):  # fmt: skip
    """Compute all cosines, and the inverse lengths of both sides."""
    products = tl.zeros([N, M], tl.float32)
    source_squares, target_squares = tl.zeros([N], tl.float32), tl.zeros([M], tl.float32)
    for first in range(0, dim, D):
        source = _load_block(source_pointer, item, n, dim, first, a, N, D)
        target = _load_block(target_pointer, item, m, dim, first, b, M, D)
        if UPCAST:
            source, target = source.to(tl.float32), target.to(tl.float32)
        products = tl.dot(source, tl.trans(target), products, input_precision=PRECISION)
        source_squares += tl.sum(source.to(tl.float32) * source.to(tl.float32), 1)
        target_squares += tl.sum(target.to(tl.float32) * target.to(tl.float32), 1)
    source_scale = tl.where(source_squares < 1e-24, 0.0, tl.rsqrt(tl.maximum(source_squares, 1e-24)))
    target_scale = tl.where(target_squares < 1e-24, 0.0, tl.rsqrt(tl.maximum(target_squares, 1e-24)))
    return products * source_scale[:, None] * target_scale[None, :], source_scale, target_scale


@triton.jit
@no_type_check
def _forward_kernel(
    source_pointer, target_pointer, a_pointer, b_pointer, n, m, dim, epsilon, softness, tolerance, max_iterations,
    f_pointer, g_pointer, value_pointer, iterations_pointer, error_pointer,
    N: tl.constexpr, M: tl.constexpr, D: tl.constexpr, PRECISION: tl.constexpr, UPCAST: tl.constexpr,
):  # fmt: skip
    item = tl.program_id(0).to(tl.int64)
    a, b, infeasible = load_masses(a_pointer, b_pointer, item, n, m, N, M, softness == 0)
    cosines, _, _ = _cosines(source_pointer, target_pointer, item, n, m, dim, a, b, N, M, D, PRECISION, UPCAST)
    C = 1.0 - cosines
    f, g, iterations, plan = solve(C, a, b, epsilon, softness, tolerance, max_iterations)
    store_results(
        f, g, a, b, plan, C, iterations, infeasible, softness, item, n, m,
        f_pointer, g_pointer, value_pointer, iterations_pointer, error_pointer, N, M,
    )  # fmt: skip


@triton.jit
@no_type_check
def _backward_kernel(
    source_pointer, target_pointer, a_pointer, b_pointer, f_pointer, g_pointer, weight_pointer, n, m, dim, epsilon,
    softness, source_gradient, target_gradient,
    N: tl.constexpr, M: tl.constexpr, D: tl.constexpr, PRECISION: tl.constexpr, UPCAST: tl.constexpr,
    HAS_SOURCE: tl.constexpr, HAS_TARGET: tl.constexpr,
):  # fmt: skip
    """Recompute the plan; d<P, C>/ds_i = -(sum_j P_ij t_j / |t_j| - sum_j P_ij cos_ij s_i / |s_i|) / |s_i|."""
    item = tl.program_id(0).to(tl.int64)
    a, b, _ = load_masses(a_pointer, b_pointer, item, n, m, N, M, softness == 0)
    cosines, source_scale, target_scale = _cosines(
        source_pointer, target_pointer, item, n, m, dim, a, b, N, M, D, PRECISION, UPCAST
    )
    rows, columns = tl.arange(0, N), tl.arange(0, M)
    f = tl.load(f_pointer + item * n + rows, mask=rows < n, other=0.0)
    g = tl.load(g_pointer + item * m + columns, mask=columns < m, other=0.0)
    inside = (a[:, None] > 0) & (b[None, :] > 0)
    plan = exponentiate(1.0 - cosines, f, g, inside, epsilon) * a[:, None] * b[None, :]
    plan *= tl.load(weight_pointer + item)
    row_cosines, column_cosines = tl.sum(plan * cosines, 1) * source_scale, tl.sum(plan * cosines, 0) * target_scale
    plan = plan * source_scale[:, None] * target_scale[None, :]
    for first in range(0, dim, D):
        source = _load_block(source_pointer, item, n, dim, first, a, N, D)
        target = _load_block(target_pointer, item, m, dim, first, b, M, D)
        if UPCAST:
            source, target = source.to(tl.float32), target.to(tl.float32)
        carried = plan.to(source.dtype)
        dims = first + tl.arange(0, D)
        if HAS_SOURCE:
            gradient = (row_cosines * source_scale)[:, None] * source.to(tl.float32)
            gradient -= tl.dot(carried, target, input_precision=PRECISION)
            place = item * n * dim + rows[:, None] * dim + dims[None, :]
            tl.store(source_gradient + place, gradient, mask=(rows[:, None] < n) & (dims[None, :] < dim))
        if HAS_TARGET:
            gradient = (column_cosines * target_scale)[:, None] * target.to(tl.float32)
            gradient -= tl.dot(tl.trans(carried), source, input_precision=PRECISION)
            place = item * m * dim + columns[:, None] * dim + dims[None, :]
            tl.store(target_gradient + place, gradient, mask=(columns[:, None] < m) & (dims[None, :] < dim))


def fits(source: Tensor, target: Tensor) -> bool:
    """Say whether `fused_value` takes these embeddings."""
    largest = LARGEST_FUSED_SIDE.get(source.dtype, 0)
    longest = max(source.shape[1], target.shape[1])
    return source.dtype == target.dtype and source.numel() > 0 and target.numel() > 0 and longest <= largest


def fused_value(
    source: Tensor,
    target: Tensor,
    a: Tensor,
    b: Tensor,
    *,
    epsilon: float,
    tolerance: float,
    max_iterations: int,
) -> Tensor:
    """Compute <P, C> of the cosine cost from the embeddings, with the plan held constant, in one kernel each way."""
    value: Tensor = _FusedTransport.apply(source, target, a, b, epsilon, tolerance, max_iterations)  # type: ignore[no-untyped-call]
    return value


def launch_forward(
    source: Tensor, target: Tensor, a: Tensor, b: Tensor, *, epsilon: float, tolerance: float, max_iterations: int
) -> tuple[tuple[Tensor, ...], dict[str, Any]]:
    """Run the forward kernel on contiguous tensors, and wait for nothing.

    Returns:
        Potentials, value, iterations (negative where the masses cannot be) and error; and how to launch the backward
        kernel on the same blocks.
    """
    n, m, dim = source.shape[1], target.shape[1], source.shape[2]
    results = empty_results(a, b)
    block, warps = tile(n, m)
    launch = {**block, **_products(source), "num_warps": warps}
    _forward_kernel[(len(source),)](
        source, target, a, b, n, m, dim, epsilon, 0.0, tolerance, max_iterations, *results, **launch
    )
    return results, launch


class _FusedTransport(Function):
    @staticmethod
    def forward(
        ctx: Any,
        source: Tensor,
        target: Tensor,
        a: Tensor,
        b: Tensor,
        epsilon: float,
        tolerance: float,
        max_iterations: int,
    ) -> Tensor:
        source, target, a, b = (tensor.contiguous() for tensor in (source, target, a.float(), b.float()))
        (f, g, value, iterations, _), ctx.launch = launch_forward(
            source, target, a, b, epsilon=epsilon, tolerance=tolerance, max_iterations=max_iterations
        )
        ctx.sizes, ctx.epsilon = (source.shape[1], target.shape[1], source.shape[2]), epsilon
        check_feasible(iterations >= 0)
        ctx.save_for_backward(source, target, a, b, f, g)
        return value

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        source, target, a, b, f, g = ctx.saved_tensors
        has_source, has_target = ctx.needs_input_grad[:2]
        to_source = torch.empty_like(source) if has_source else None
        to_target = torch.empty_like(target) if has_target else None
        _backward_kernel[(len(source),)](
            source, target, a, b, f, g, gradient.contiguous(), *ctx.sizes, ctx.epsilon, 0.0, to_source, to_target,
            **ctx.launch, HAS_SOURCE=has_source, HAS_TARGET=has_target,
        )  # fmt: skip
        return to_source, to_target, None, None, None, None, None


def _products(tokens: Tensor) -> dict[str, int | str | bool]:
    """Choose how many dimensions are multiplied at a time, and how: float32 as three products of TF32.

    float16 is raised to TF32, which is as precise: the backward pass multiplies plan entries below its range. So is
    bfloat16 in the interpreter, which numpy carries out.
    """
    is_half = tokens.dtype.itemsize == 2
    width = (64 if tokens.shape[1] <= 64 else 32) if tokens.dtype == torch.bfloat16 else 16
    width = min(width, max(16, triton.next_power_of_2(tokens.shape[2])))
    upcast = tokens.dtype == torch.float16 or knobs.runtime.interpret
    return {"D": width, "PRECISION": "tf32" if is_half else "tf32x3", "UPCAST": upcast}
