"""Scaling iterations for the GPU, in Triton: one program a problem, whose kernel matrix stays in registers.

That holds up to 64 tokens a side; compiled for 128, some of it is spilled to the cache.

The scheme is that of `kivuko.transport.compiled`, with one omega throughout a stage: c-transforms, stages of epsilon,
over-relaxed scalings of a stored kernel, absorption, early stopping of each problem by itself. Here a problem is one
tile of registers, its sides padded to powers of two, and a half-step is one sum along an axis of the tile.

It has been compiled for NVIDIA GPUs and run in Triton's interpreter, on the CPU; its speed has not been measured yet.
"""

from typing import no_type_check

import torch
import triton
import triton.language as tl
from torch import Tensor

from kivuko.transport.result import TransportResult, check_feasible

LARGEST_SIDE = 128  # tokens; with more, a kernel matrix and its cost exceed the registers of a multiprocessor
_INFEASIBLE = tl.constexpr(-1)
_BARRED = tl.constexpr(1e30)
_PATIENCE = tl.constexpr(40)


@triton.jit
@no_type_check
def _rescale(u, sums, demand, omega, damping):
    """Step u <- u * (demand / (u * sums))^(omega * damping); plainly where the ratio is far from one."""
    ratio = tl.where(demand > 0, demand / tl.maximum(u * sums, 1e-30), 1.0)
    near = (ratio > 0.5) & (ratio < 2.0)
    power = tl.where(near, omega, 1.0) * tl.log(ratio)
    return u * tl.exp(power * damping), demand * tl.exp(power * (damping - 1.0))


@triton.jit
@no_type_check
def exponentiate(C, f, g, inside, epsilon):
    """Compute K = exp((f + g - C) / epsilon) where both tokens have mass."""
    exponent = (f[:, None] + g[None, :] - C) / epsilon
    return tl.where(inside, tl.exp(tl.minimum(exponent, 80.0, propagate_nan=tl.PropagateNan.ALL)), 0.0)


@triton.jit
@no_type_check
def _absorb(f, u, mass, epsilon):
    return f + tl.where(mass > 0, epsilon * tl.log(tl.maximum(u, 1e-37) / tl.where(mass > 0, mass, 1.0)), 0.0)


@triton.jit
@no_type_check
def _best_omega(epsilon, slack, damping):
    kappa_squared = tl.minimum(0.64 * epsilon / tl.maximum(slack, 1e-30), 1.0)
    return 2.0 / (1.0 + tl.sqrt(1.0 - damping * damping * (1.0 - kappa_squared)))


@triton.jit
@no_type_check
def solve(C, a, b, epsilon, softness, tolerance, max_iterations):
    """Solve the problem of one tile; return the potentials, the iterations, and the plan."""
    inside = (a[:, None] > 0) & (b[None, :] > 0)
    f = tl.where(a > 0, tl.min(tl.where(inside, C, _BARRED), 1), 0.0)
    g = tl.where(b > 0, tl.min(tl.where(inside, C - f[:, None], _BARRED), 0), 0.0)
    is_open = inside & (C < _BARRED)
    entries = tl.sum(tl.sum(inside.to(tl.float32), 1), 0)
    slack = tl.sum(tl.sum(tl.where(is_open, C - f[:, None] - g[None, :], 0.0), 1), 0) / tl.maximum(entries, 1.0)
    stage, current = 0, epsilon
    while (stage < 16) & (current * 4.0 <= 0.17 * slack):
        stage += 1
        current *= 4.0
    iterations = 0
    while stage >= 0:
        damping = 1.0 / (1.0 + current * softness)
        best_omega = _best_omega(current, slack, damping)
        goal = tl.where(stage == 0, tolerance, tl.maximum(tolerance, 0.1))
        left = tl.where(entries > 0, max_iterations - iterations, 0)
        limit = tl.where(stage == 0, left, left // 4)
        u, v = a, b
        row_demand, column_demand = a * tl.exp(-f * softness), b * tl.exp(-g * softness)
        K = exponentiate(C, f, g, inside, current)
        omega, top_omega = tl.full((), 1.0, tl.float32), best_omega
        column_error, best = tl.full((), _BARRED, tl.float32), tl.full((), _BARRED, tl.float32)
        step, stale, plain_steps = 0, 0, 0
        while step < limit:
            step += 1
            sums = tl.sum(K * v[None, :], 1)
            error = tl.sum(tl.abs(u * sums - row_demand), 0) + column_error
            was_plain = omega == 1.0
            u, row_demand = _rescale(u, sums, row_demand, omega, damping)
            if softness > 0:
                power = 0.5 * tl.log(tl.sum(row_demand, 0) / tl.sum(column_demand, 0)) / (current * softness)
                power = tl.minimum(tl.maximum(power, -20.0), 20.0)
                u, v = u * tl.exp(power), v * tl.exp(-power)
                share = tl.exp(power * current * softness)
                row_demand, column_demand = row_demand / share, column_demand * share
            sums = tl.sum(K * u[:, None], 0)
            v, column_demand = _rescale(v, sums, column_demand, omega, damping)
            column_error = tl.sum(tl.abs(v * sums - column_demand), 0)
            iterations += 1
            if ((error <= goal) & was_plain) | ((error >= 0) == 0):
                limit = step
            stale = tl.where(error < best, 0, stale + 1)
            stuck = stale > _PATIENCE
            top_omega = tl.where(error < best, top_omega + 0.05 * (best_omega - top_omega), top_omega)
            top_omega = tl.where(stuck, 1.0 + 0.7 * (top_omega - 1.0), top_omega)
            best = tl.where(stuck, error, tl.minimum(best, error))
            stale = tl.where(stuck, 0, stale)
            plain_steps += was_plain.to(tl.int32)
            is_near = error <= tl.where(plain_steps <= 8, 6.0 * goal, goal)
            omega = tl.where((step < 3) | is_near | (step + 1 >= limit), 1.0, top_omega)
            if (tl.sum(u, 0) > 1e12) | (tl.sum(v, 0) > 1e12):
                f, g, u, v = _absorb(f, u, a, current), _absorb(g, v, b, current), a, b
                row_demand, column_demand = a * tl.exp(-f * softness), b * tl.exp(-g * softness)
                K = exponentiate(C, f, g, inside, current)
        f, g = _absorb(f, u, a, current), _absorb(g, v, b, current)
        stage -= 1
        current /= 4.0
    plan = exponentiate(C, f, g, inside, epsilon) * a[:, None] * b[None, :]
    return f, g, iterations, plan


@triton.jit
@no_type_check
def load_masses(a_pointer, b_pointer, item, n, m, N: tl.constexpr, M: tl.constexpr, balanced):
    """Load both marginals; no mass at all where one side has none, or where the problem has no solution."""
    rows, columns = tl.arange(0, N), tl.arange(0, M)
    a = tl.load(a_pointer + item * n + rows, mask=rows < n, other=0.0)
    b = tl.load(b_pointer + item * m + columns, mask=columns < m, other=0.0)
    source, target = tl.sum(a, 0), tl.sum(b, 0)
    wrong = tl.sum((a >= 0).to(tl.int32), 0) + tl.sum((b >= 0).to(tl.int32), 0) < N + M  # below zero, or NaN
    wrong = wrong | (source + target >= float("inf"))
    is_empty = (source == 0) | (target == 0)
    infeasible = wrong | (balanced & (is_empty == 0) & (tl.abs(source - target) > 1e-3 * target))
    solvable = (infeasible | is_empty) == 0
    return tl.where(solvable, a, 0.0), tl.where(solvable, b, 0.0), infeasible


@triton.jit
@no_type_check
def store_results(
    f, g, a, b, plan, C, iterations, infeasible, softness, item, n, m,
    f_pointer, g_pointer, value_pointer, iterations_pointer, error_pointer, N: tl.constexpr, M: tl.constexpr,
):  # fmt: skip
    """Store everything but the plan; the value and the error are those of the plan as it is."""
    rows, columns = tl.arange(0, N), tl.arange(0, M)
    error = tl.sum(tl.abs(tl.sum(plan, 1) - a * tl.exp(-f * softness)), 0)
    error += tl.sum(tl.abs(tl.sum(plan, 0) - b * tl.exp(-g * softness)), 0)
    gap = (tl.sum(a * f, 0) - tl.sum(b * g, 0)) / tl.maximum(2.0 * tl.sum(a, 0), 1e-30)
    gap = tl.where(softness > 0, 0.0, gap)  # balanced: the potentials are known up to a constant
    tl.store(f_pointer + item * n + rows, tl.where(a > 0, f - gap, 0.0), mask=rows < n)
    tl.store(g_pointer + item * m + columns, tl.where(b > 0, g + gap, 0.0), mask=columns < m)
    tl.store(value_pointer + item, tl.sum(tl.sum(tl.where(plan != 0, plan * C, 0.0), 1), 0))
    tl.store(iterations_pointer + item, tl.where(infeasible, _INFEASIBLE, iterations))
    tl.store(error_pointer + item, error)


@triton.jit
@no_type_check
def _cost_kernel(
    cost_pointer, a_pointer, b_pointer, n, m, epsilon, softness, tolerance, max_iterations,
    plan_pointer, f_pointer, g_pointer, value_pointer, iterations_pointer, error_pointer,
    N: tl.constexpr, M: tl.constexpr,
):  # fmt: skip
    item = tl.program_id(0).to(tl.int64)
    a, b, infeasible = load_masses(a_pointer, b_pointer, item, n, m, N, M, softness == 0)
    places = item * n * m + tl.arange(0, N)[:, None] * m + tl.arange(0, M)[None, :]
    C = tl.load(cost_pointer + places, mask=(a[:, None] > 0) & (b[None, :] > 0), other=0.0)
    f, g, iterations, plan = solve(C, a, b, epsilon, softness, tolerance, max_iterations)
    exists = (tl.arange(0, N)[:, None] < n) & (tl.arange(0, M)[None, :] < m)
    tl.store(plan_pointer + places, plan, mask=exists)
    store_results(
        f, g, a, b, plan, C, iterations, infeasible, softness, item, n, m,
        f_pointer, g_pointer, value_pointer, iterations_pointer, error_pointer, N, M,
    )  # fmt: skip


def scale_on_gpu(
    cost: Tensor, a: Tensor, b: Tensor, *, epsilon: float, rho: float, tolerance: float, max_iterations: int
) -> TransportResult:
    """Run the iterations on a batch of float32 problems of at most `LARGEST_SIDE` tokens a side."""
    batch, n, m = cost.shape
    if max(n, m) > LARGEST_SIDE:
        raise ValueError(f"backend 'triton' takes at most {LARGEST_SIDE} tokens a side, got {n} and {m}. Use 'auto'.")
    cost, a, b = cost.detach().contiguous(), a.contiguous(), b.contiguous()
    plan = torch.empty_like(cost)
    f, g, value, iterations, error = empty_results(a, b)
    block, warps = tile(n, m)
    settings = (n, m, epsilon, 1 / rho, tolerance, max_iterations)
    _cost_kernel[(batch,)](cost, a, b, *settings, plan, f, g, value, iterations, error, **block, num_warps=warps)
    check_feasible(iterations >= 0)
    return TransportResult(plan, value, f, g, iterations.long(), error, error <= tolerance)


def empty_results(a: Tensor, b: Tensor) -> tuple[Tensor, ...]:
    """Make room for potentials, value, iterations and error."""
    value, error = a.new_empty(len(a)), a.new_empty(len(a))
    return torch.empty_like(a), torch.empty_like(b), value, a.new_empty(len(a), dtype=torch.int32), error


def tile(n: int, m: int) -> tuple[dict[str, int], int]:
    """Pad the sides to powers of two, and choose the number of warps: each thread has 16 to 32 entries."""
    N, M = (max(16, triton.next_power_of_2(side)) for side in (n, m))
    return {"N": N, "M": M}, min(16, max(1, N * M // 512))
