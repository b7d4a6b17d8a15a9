"""Scaling iterations for the CPU, compiled: one problem at a time, on its true size, in cache.

The scheme, for each problem of the batch:

1. Gather the rows and columns that have mass, so that padding costs nothing.
2. Start from the c-transforms f_i = min_j C_ij and g_j = min_i (C_ij - f_i): every row and every column of the kernel
   K = exp((f + g - C) / epsilon) then holds a one, and no sum underflows, however small epsilon is.
3. Descend in epsilon by factors of four from about a sixth of the mean slack C - f - g; each stage starts warm.
4. Iterate the scalings u and v on the stored K, which needs no exponential, over-relaxed; absorb them into f and g when
   they grow large (Schmitzer 2019).
5. Near the tolerance drop the over-relaxation: it leaves fast, oscillating errors that a plain step removes at once.

An over-relaxed step is u <- u * r^omega with r = demanded marginal / actual marginal. It converges like successive
over-relaxation (Thibault et al. 2021, Lehmann et al. 2022): where plain Sinkhorn has the rate 1 - kappa^2, the best
omega is 2 / (1 + kappa), which has the rate (1 - kappa) / (1 + kappa). Here kappa is 0.8 sqrt(epsilon / mean slack) at
first, an estimate fitted on token embeddings; the rate that is then observed raises omega where that is too low, and
omega is lowered, towards plain Sinkhorn, which always converges, where the error stops falling.

Relaxed marginals (see `unbalanced_sinkhorn`) change two things. The demanded marginal is a exp(-f / rho) and thus moves
with u, so that a step is u <- u * r^(omega * damping), damping = rho / (rho + epsilon). And the constant that may be
moved from g to f, on which nothing depends in the balanced problem, now matters and would converge slowly: it is set to
its best value in every iteration (Sejourne et al. 2022).

References:
    Schmitzer, "Stabilized sparse scaling algorithms for entropy regularized transport problems", SIAM Journal on
    Scientific Computing 2019. https://arxiv.org/abs/1610.06519
    Thibault, Chizat, Dossal and Papadakis, "Overrelaxed Sinkhorn-Knopp algorithm for regularized optimal transport",
    Algorithms 2021. https://arxiv.org/abs/1711.01851
    Lehmann, von Renesse, Sambale and Uschmajew, "A note on overrelaxation in the Sinkhorn algorithm", Optimization
    Letters 2022. https://arxiv.org/abs/2012.12562
    Sejourne, Vialard and Peyre, "Faster unbalanced optimal transport: translation invariant Sinkhorn and 1-D
    Frank-Wolfe", AISTATS 2022. https://arxiv.org/abs/2201.00730
    Young, "Iterative solution of large linear systems", Academic Press 1971.
"""

import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, no_type_check

import numba
import numpy as np
import torch
from torch import Tensor

from kivuko.transport.result import TransportResult

_LANES = 16  # rows of the kernel are padded to whole vectors of float32 ...
_ROWS = 4  # ... and taken four at a time
_ENTRIES_PER_THREAD = 1 << 16  # with fewer cost entries, starting a thread costs more than it saves

_BARRED = np.float32(1e30)  # cost where a token has no mass
_TINY, _HUGE = np.float32(1e-30), np.float32(1e12)  # scalings beyond the latter are absorbed
_KAPPA = np.float32(0.8)
_WARMEST, _DESCENT = np.float32(0.17), np.float32(4)  # first epsilon in units of the mean slack; factor between stages
_STAGES, _STAGE_SHARE = 16, 4  # stages before the last, at most; each may use a fourth of the iterations left
_STAGE_TOLERANCE = np.float32(0.1)  # marginal error at which a stage before the last may end
_NEAR, _PLAIN_STEPS = np.float32(6), 8  # plain steps begin at this many tolerances, and are given so many tries
_SETTLING, _WINDOW, _PER_STEP = 4, 8, np.float32(1 / 8)  # steps before and while the rate is observed
_LARGEST_OMEGA = np.float32(1.95)
_INFEASIBLE = -1  # what stands for the iterations where the two masses differ
_PATIENCE = 40  # iterations without progress before omega is lowered


def _compile(function: Callable[..., Any]) -> Any:
    """Compile without the interpreter lock, for one thread, and keep the machine code where that is possible."""
    jit = partial(numba.njit, fastmath=True, nogil=True, error_model="numpy")
    try:
        return jit(cache=True)(function)
    except RuntimeError:  # neither beside the package nor in the user's cache directory may anything be written
        return jit()(function)


@_compile
@no_type_check
def _exp(x):
    """Compute exp of a float32 to 2e-7, vectorizably: x = k log 2 + r, and a cubic for (e^r - 1 - r) / r^2.

    Below e^-60 the result is zero: such entries change no sum of float32, and their products would be denormal.
    """
    inside = x > np.float32(-60)
    x = min(max(x, np.float32(-60)), np.float32(87))
    k = np.floor(x * np.float32(1.4426950) + np.float32(0.5))
    r = x - k * np.float32(0.693359375) + k * np.float32(2.1219444e-4)
    q = np.float32(0.4999923) + r * (
        np.float32(0.16667115) + r * (np.float32(0.04189033) + r * np.float32(0.008312497))
    )
    power = np.int32((np.int32(k) + np.int32(127)) << np.int32(23)).view(np.float32)
    return (np.float32(1) + r + r * r * q) * power if inside else np.float32(0)


@_compile
@no_type_check
def _span(mass):
    """Return where the tokens that have mass begin and end, and their total."""
    start, stop, total = 0, len(mass), np.float32(0)
    for i in range(len(mass)):
        total += max(mass[i], np.float32(0))
    while stop > 0 and mass[stop - 1] <= 0:
        stop -= 1
    while start < stop and mass[start] <= 0:
        start += 1
    return start, stop, total


@_compile
@no_type_check
def _lay_out(mass, multiple, space):
    """Return marginal, potential, scaling, demand and sums of one side, each padded with zeros to a multiple."""
    length = (len(mass) + multiple - 1) // multiple * multiple
    marginal, potential, scaling = space[0, :length], space[1, :length], space[2, :length]
    demand, sums = space[3, :length], space[4, :length]
    for i in range(length):
        marginal[i] = scaling[i] = demand[i] = mass[i] if i < len(mass) else np.float32(0)
        potential[i] = 0
    return marginal, potential, scaling, demand, sums


@_compile
@no_type_check
def _gather(cost, a, b, C, f, g):
    """Copy the costs that count, set the c-transforms, and return the mean slack that they leave."""
    g.fill(_BARRED)
    C.fill(_BARRED)
    rows = columns = 0
    total = 0.0
    for i in range(cost.shape[0]):
        if a[i] > 0:
            least, row_total = _BARRED, np.float32(0)
            for j in range(cost.shape[1]):
                entry = cost[i, j] if b[j] > 0 else _BARRED
                C[i, j] = entry
                least = min(least, entry)
                row_total += entry if b[j] > 0 else np.float32(0)
            for j in range(cost.shape[1]):
                g[j] = min(g[j], C[i, j] - least)
            f[i] = least
            total += row_total
            rows += 1
    potentials = 0.0
    for j in range(len(g)):
        if b[j] > 0:
            columns += 1
            potentials += rows * g[j]
        else:
            g[j] = 0
    for i in range(len(f)):
        potentials += columns * f[i]
    return np.float32((total - potentials) / (rows * columns))


@_compile
@no_type_check
def _exponentiate(C, f, g, epsilon, K):
    """Fill K = exp((f + g - C) / epsilon)."""
    inverse = np.float32(1) / epsilon
    for i in range(C.shape[0]):
        fi = f[i]
        for j in range(C.shape[1]):
            K[i, j] = _exp((fi + g[j] - C[i, j]) * inverse)


@_compile
@no_type_check
def _row_sums(K, v, sums):
    """Compute K v, four rows at a time."""
    for i in range(0, K.shape[0], _ROWS):
        s0 = s1 = s2 = s3 = np.float32(0)
        for j in range(K.shape[1]):
            vj = v[j]
            s0 += K[i, j] * vj
            s1 += K[i + 1, j] * vj
            s2 += K[i + 2, j] * vj
            s3 += K[i + 3, j] * vj
        sums[i], sums[i + 1], sums[i + 2], sums[i + 3] = s0, s1, s2, s3


@_compile
@no_type_check
def _column_sums(K, u, sums):
    """Compute K^T u, four rows at a time."""
    sums.fill(0)
    for i in range(0, K.shape[0], _ROWS):
        u0, u1, u2, u3 = u[i], u[i + 1], u[i + 2], u[i + 3]
        for j in range(K.shape[1]):
            sums[j] += (u0 * K[i, j] + u1 * K[i + 1, j]) + (u2 * K[i + 2, j] + u3 * K[i + 3, j])


@_compile
@no_type_check
def _rescale(u, sums, demand, omega, damping):
    """Step u <- u * (demand / (u * sums))^(omega * damping); return the errors before and after, and the sum of u.

    The power of a ratio r in [1/2, 2] is its Pade approximant of order (1, 1), which has the right slope at r = 1; no
    other property is needed where the demand is fixed. Elsewhere the step is the plain one.
    """
    before = after = total = np.float32(0)
    for i in range(len(u)):
        actual = u[i] * sums[i]
        before += abs(actual - demand[i])
        ratio = demand[i] / max(actual, _TINY)
        if damping == np.float32(1):
            x = min(max(ratio, np.float32(0.5)), np.float32(2)) - np.float32(1)
            near = (np.float32(2) + (np.float32(1) + omega) * x) / (np.float32(2) + (np.float32(1) - omega) * x)
            u[i] *= near if np.float32(0.5) <= ratio <= np.float32(2) else ratio
        elif ratio > 0:
            power = omega * math.log(ratio)
            u[i] *= math.exp(power * damping)
            demand[i] *= math.exp(power * (damping - np.float32(1)))
        after += abs(u[i] * sums[i] - demand[i])
        total += u[i]
    return before, after, total


@_compile
@no_type_check
def _translate(u, v, row_demand, column_demand, epsilon, softness):
    """Move a constant from g to f so that both sides demand the same mass, which maximizes the dual over constants."""
    row_mass = column_mass = np.float32(0)
    for i in range(len(u)):
        row_mass += row_demand[i]
    for j in range(len(v)):
        column_mass += column_demand[j]
    power = np.float32(0.5) * math.log(row_mass / column_mass) / (epsilon * softness)
    power = min(max(power, np.float32(-20)), np.float32(20))  # the rest of the way in the next iteration
    scale, share = math.exp(power), math.exp(power * epsilon * softness)
    for i in range(len(u)):
        u[i] *= scale
        row_demand[i] /= share
    for j in range(len(v)):
        v[j] /= scale
        column_demand[j] *= share


@_compile
@no_type_check
def _absorb(f, u, mass, epsilon, softness, demand):
    """Move the scalings into the potentials: u returns to the marginal, and the demand is renewed."""
    for i in range(len(u)):
        if mass[i] > 0:
            if u[i] != mass[i]:
                f[i] += epsilon * math.log(u[i] / mass[i])
            u[i] = mass[i]
            demand[i] = mass[i] if softness == 0 else mass[i] * math.exp(-f[i] * softness)


@_compile
@no_type_check
def _raise(top_omega, omega, rate):
    """Raise omega two thirds of the way to the best where the observed rate, slower than omega - 1, says it is below.

    The rate of successive over-relaxation satisfies (rate + omega - 1)^2 = rate omega^2 rho, with rho the rate of the
    plain method, and the best omega is 2 / (1 + sqrt(1 - rho)) (Young 1971).
    """
    one = np.float32(1)
    if omega <= one or rate >= one or rate <= omega - one:
        return top_omega
    rho = (rate + omega - one) ** 2 / (rate * omega * omega)
    best = min(np.float32(2) / (one + math.sqrt(max(one - rho, np.float32(0)))), _LARGEST_OMEGA)
    return max(top_omega, top_omega + np.float32(2 / 3) * (best - top_omega))


@_compile
@no_type_check
def _iterate(C, K, rows, columns, slack, epsilon, softness, goal, max_steps):
    """Iterate at one epsilon until the marginal error is within the goal; return the number of steps."""
    a, f, u, row_demand, row_sums = rows
    b, g, v, column_demand, column_sums = columns
    damping = np.float32(1) / (np.float32(1) + epsilon * softness)
    kappa_squared = min(np.float32(1), _KAPPA * _KAPPA * epsilon / max(slack, _TINY))
    kappa = math.sqrt(np.float32(1) - damping * damping * (np.float32(1) - kappa_squared))
    best_omega = top_omega = np.float32(2) / (np.float32(1) + kappa)
    omega = np.float32(1)
    column_error = best = _BARRED
    stale = plain_steps = steady_steps = 0
    mark = last_omega = np.float32(0)
    for step in range(1, max_steps + 1):
        _row_sums(K, v, row_sums)
        row_error, _, u_total = _rescale(u, row_sums, row_demand, omega, damping)
        error = row_error + column_error
        if softness > 0:
            _translate(u, v, row_demand, column_demand, epsilon, softness)
        _column_sums(K, u, column_sums)
        _, column_error, v_total = _rescale(v, column_sums, column_demand, omega, damping)
        if error <= goal and omega == np.float32(1):
            return step
        if error < best:
            best, stale = error, 0
            top_omega += np.float32(0.05) * (best_omega - top_omega)
        else:
            stale += 1
            if stale > _PATIENCE:
                best, stale = error, 0
                top_omega = np.float32(1) + (top_omega - np.float32(1)) * np.float32(0.7)
        steady_steps = steady_steps + 1 if omega == last_omega else 0
        if steady_steps == _SETTLING:
            mark = error
        elif steady_steps == _SETTLING + _WINDOW:
            best_omega = top_omega = _raise(top_omega, omega, (error / max(mark, _TINY)) ** _PER_STEP)
            steady_steps = _SETTLING - 1
        last_omega = omega
        plain_steps += omega == np.float32(1)
        is_near = error <= (_NEAR * goal if plain_steps <= _PLAIN_STEPS else goal)
        omega = np.float32(1) if step < 3 or is_near or step + 1 >= max_steps else top_omega
        if u_total > _HUGE or v_total > _HUGE:
            _absorb(f, u, a, epsilon, softness, row_demand)
            _absorb(g, v, b, epsilon, softness, column_demand)
            _exponentiate(C, f, g, epsilon, K)
    return max_steps


@_compile
@no_type_check
def _solve(C, K, rows, columns, slack, epsilon, softness, tolerance, max_iterations):
    """Solve one gathered problem in place, so that the plan is u_i K_ij v_j; return the iterations."""
    a, f, u, row_demand, _ = rows
    b, g, v, column_demand, _ = columns
    stages = 0
    while stages < _STAGES and epsilon * _DESCENT ** (stages + 1) <= _WARMEST * slack:
        stages += 1
    iterations = 0
    for stage in range(stages, -1, -1):
        current = epsilon * _DESCENT**stage
        goal = tolerance if stage == 0 else max(tolerance, _STAGE_TOLERANCE)
        left = max_iterations - iterations
        _absorb(f, u, a, current * _DESCENT, softness, row_demand)
        _absorb(g, v, b, current * _DESCENT, softness, column_demand)
        _exponentiate(C, f, g, current, K)
        limit = left if stage == 0 else left // _STAGE_SHARE
        iterations += _iterate(C, K, rows, columns, slack, current, softness, goal, limit)
    return iterations


@_compile
@no_type_check
def _report(C, K, rows, columns, epsilon, softness, plan):
    """Write the plan, turn the scalings into potentials, and return the value and the error of the marginals."""
    a, f, u, _, _ = rows
    b, g, v, _, column_sums = columns
    value = error = gap = mass = 0.0
    column_sums.fill(0)
    for i in range(plan.shape[0]):
        if a[i] > 0:
            row_sum = row_value = np.float32(0)
            for j in range(plan.shape[1]):
                entry = u[i] * K[i, j] * v[j]
                row_sum += entry
                row_value += entry * C[i, j]
                column_sums[j] += entry
                plan[i, j] = entry
            f[i] += epsilon * math.log(u[i] / a[i])
            error += abs(row_sum - (a[i] if softness == 0 else a[i] * math.exp(-f[i] * softness)))
            value += row_value
            gap += a[i] * f[i]
            mass += a[i]
    for j in range(plan.shape[1]):
        if b[j] > 0:
            g[j] += epsilon * math.log(v[j] / b[j])
            error += abs(column_sums[j] - (b[j] if softness == 0 else b[j] * math.exp(-g[j] * softness)))
            gap -= b[j] * g[j]
    if softness == 0:
        for i in range(plan.shape[0]):
            f[i] -= gap / (2 * mass)
        for j in range(plan.shape[1]):
            g[j] += gap / (2 * mass)
    return value, error


@_compile
@no_type_check
def _solve_share(
    cost, a, b, epsilon, softness, tolerance, max_iterations, start, stride, plan, value, f, g, iterations, error
):
    """Solve the problems start, start + stride, ... of a batch."""
    height, width = cost.shape[1] + _ROWS, cost.shape[2] + _LANES
    row_space, column_space = np.empty((5, height), np.float32), np.empty((5, width), np.float32)
    cost_space, kernel_space = np.empty(height * width, np.float32), np.empty(height * width, np.float32)
    for item in range(start, cost.shape[0], stride):
        plan[item].fill(0)
        f[item].fill(0)
        g[item].fill(0)
        value[item] = error[item] = iterations[item] = 0
        top, bottom, source_mass = _span(a[item])
        left, right, target_mass = _span(b[item])
        if top == bottom or left == right:
            continue
        if softness == 0 and abs(source_mass - target_mass) > np.float32(1e-3) * target_mass:
            iterations[item] = _INFEASIBLE
            continue
        rows = _lay_out(a[item, top:bottom], _ROWS, row_space)
        columns = _lay_out(b[item, left:right], _LANES, column_space)
        shape = (len(rows[0]), len(columns[0]))
        C = cost_space[: shape[0] * shape[1]].reshape(shape)
        K = kernel_space[: shape[0] * shape[1]].reshape(shape)
        slack = _gather(cost[item, top:bottom, left:right], rows[0], columns[0], C, rows[1], columns[1])
        iterations[item] = _solve(C, K, rows, columns, slack, epsilon, softness, tolerance, max_iterations)
        value[item], error[item] = _report(C, K, rows, columns, epsilon, softness, plan[item, top:bottom, left:right])
        for i in range(top, bottom):
            f[item, i] = rows[1][i - top] if a[item, i] > 0 else np.float32(0)
        for j in range(left, right):
            g[item, j] = columns[1][j - left] if b[item, j] > 0 else np.float32(0)


def scale_compiled(
    cost: Tensor, a: Tensor, b: Tensor, *, epsilon: float, rho: float, tolerance: float, max_iterations: int
) -> TransportResult:
    """Run the compiled scaling iterations on a batch of problems in float32, on as many threads as torch may use."""
    batch = len(cost)
    plan = torch.empty(cost.shape)
    f, g = torch.empty(a.shape), torch.empty(b.shape)
    value, error, iterations = torch.empty(batch), torch.empty(batch), torch.empty(batch, dtype=torch.int64)
    arrays = [tensor.detach().contiguous().numpy() for tensor in (cost, a, b)]
    results = [tensor.numpy() for tensor in (plan, value, f, g, iterations, error)]
    settings = (np.float32(epsilon), np.float32(1 / rho), np.float32(tolerance), max_iterations)

    def solve(start: int, stride: int) -> None:
        _solve_share(*arrays, *settings, start, stride, *results)

    threads = min(torch.get_num_threads(), batch, cost.numel() // _ENTRIES_PER_THREAD)
    if threads <= 1:
        solve(0, 1)
    else:
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(solve, range(threads), [threads] * threads))
    return TransportResult(plan, value, f, g, iterations, error, error <= tolerance)
