"""The machine code that solves one problem, in the scheme that `kivuko.transport.compiled` explains.

All that a problem needs lies in one array, `space`, and is named by the place where it begins: numba counts the
references to every array that is cut out of another or taken out of a tuple, which costs more than a step of a short
problem. A side of the problem is five vectors, `pitch` apart: marginal, potential, scaling, demand and sums. They are
padded with zeros to whole lanes; `height` and `width` are the padded lengths of both sides, `n` and `m` the true ones.
The rows of a matrix are as wide as the padded side. The kernel is kept twice, by rows and by columns, so that both of
its products run along whole lanes and never across them.

Whoever changes this file or `lanes` must touch `compiled_batch.py`, too: numba keeps the code of that file's functions,
these within, and does not notice that another file has changed.
"""

import math
from collections.abc import Callable
from functools import partial
from typing import Any, no_type_check

import numba
import numpy as np

from kivuko.transport.lanes import (
    COUNT,
    absolute,
    choose,
    exp,
    load,
    log,
    maximum,
    minimum,
    spread,
    spread_from,
    store,
    total,
    transpose,
)

BARRED = np.float32(1e30)  # cost where a token has no mass, or where infinity forbids the pair
TINY, _HUGE = np.float32(1e-30), np.float32(1e12)  # scalings beyond the latter are absorbed
_KAPPA = np.float32(0.8)
_WARMEST, _DESCENT = np.float32(0.17), np.float32(4)  # first epsilon in units of the mean slack; factor between stages
_MARGIN = np.float32(0.98)  # of the goal is demanded, since the error is computed again for the report, and rounded
_STAGES, _STAGE_SHARE = 16, 4  # stages before the last, at most; each may use a fourth of the iterations left
_STAGE_TOLERANCE = np.float32(0.1)  # marginal error at which a stage before the last may end
_NEAR, _PLAIN_STEPS = np.float32(6), 8  # plain steps begin at this many tolerances, and are given so many tries
_SETTLING, _WINDOW, _PER_STEP = 4, 8, np.float32(1 / 8)  # steps before and while the rate is observed
_LARGEST_OMEGA = np.float32(1.95)
_PATIENCE = 40  # iterations without progress before omega is lowered


def machine_code(function: Callable[..., Any]) -> Any:
    """Compile without the interpreter lock, for one thread, and keep the machine code where that is possible."""
    jit = partial(numba.njit, fastmath=True, nogil=True, error_model="numpy")
    try:
        return jit(cache=True)(function)
    except RuntimeError:  # neither beside the package nor in the user's cache directory may anything be written
        return jit()(function)


@machine_code
@no_type_check
def exponentiate(space, pitch, C, K, K_columns, n, height, width, epsilon):
    """Fill K = exp((f + g - C) / epsilon), by rows and by columns; its rows from n on are zero."""
    f, g = pitch, 6 * pitch
    inverse = spread(np.float32(1) / epsilon)
    for i in range(n):
        fi = spread_from(space, f + i)
        for j in range(0, width, COUNT):
            place = i * width + j
            store(space, K + place, exp((fi + load(space, g + j) - load(space, C + place)) * inverse))
    for place in range(n * width, height * width, COUNT):
        store(space, K + place, spread(np.float32(0)))
    for i in range(0, height, COUNT):
        for j in range(0, width, COUNT):
            transpose(space, K + i * width + j, width, space, K_columns + j * height + i, height)


@machine_code
@no_type_check
def products(space, K, width, count, x, sums):
    """Compute sum_k K_k x_k, where the rows K_k are so wide, and the last of them are zero up to a multiple of four."""
    j = 0
    while j + 64 <= width:
        s0 = s1 = s2 = s3 = spread(np.float32(0))
        place = K + j
        for k in range(count):
            xk = spread_from(space, x + k)
            s0 += load(space, place) * xk
            s1 += load(space, place + 16) * xk
            s2 += load(space, place + 32) * xk
            s3 += load(space, place + 48) * xk
            place += width
        store(space, sums + j, s0)
        store(space, sums + j + 16, s1)
        store(space, sums + j + 32, s2)
        store(space, sums + j + 48, s3)
        j += 64
    if j + 32 <= width:
        s0 = s1 = s2 = s3 = spread(np.float32(0))
        place = K + j
        for k in range(x, x + count, 2):
            xk, xl = spread_from(space, k), spread_from(space, k + 1)
            s0 += load(space, place) * xk
            s1 += load(space, place + 16) * xk
            s2 += load(space, place + width) * xl
            s3 += load(space, place + width + 16) * xl
            place += 2 * width
        store(space, sums + j, s0 + s2)
        store(space, sums + j + 16, s1 + s3)
        j += 32
    if j < width:
        s0 = s1 = s2 = s3 = spread(np.float32(0))
        place = K + j
        for k in range(x, x + count, 4):
            s0 += load(space, place) * spread_from(space, k)
            s1 += load(space, place + width) * spread_from(space, k + 1)
            s2 += load(space, place + 2 * width) * spread_from(space, k + 2)
            s3 += load(space, place + 3 * width) * spread_from(space, k + 3)
            place += 4 * width
        store(space, sums + j, (s0 + s1) + (s2 + s3))


@machine_code
@no_type_check
def _rescale(space, pitch, side, length, omega):
    """Step u <- u * (demand / (u * sums))^omega; return the error after it, and the sum of u, by lanes.

    The power is its Pade approximant of order (1, 1) for a ratio between 1/2 and 2, and the ratio elsewhere. It has the
    right slope at 1; no other property is needed where the demand is fixed.
    """
    more, less = spread(np.float32(1) + omega), spread(np.float32(1) - omega)
    errors = scales = spread(np.float32(0))
    for u in range(side + 2 * pitch, side + 2 * pitch + length, COUNT):
        scaling, demand, sums = load(space, u), load(space, u + pitch), load(space, u + 2 * pitch)
        mass = scaling * sums
        gap = demand - mass
        is_near = minimum(demand + demand - mass, mass + mass - demand)
        above = choose(is_near, mass + mass + more * gap, demand)
        below = choose(is_near, mass + mass + less * gap, mass)
        scaling = scaling * (above / maximum(below, TINY))
        store(space, u, scaling)
        errors += absolute(scaling * sums - demand)
        scales += scaling
    return errors, scales


@machine_code
@no_type_check
def _errors(space, pitch, side, length):
    """Return how far the marginal u * sums is from the one that is demanded, by lanes."""
    errors = spread(np.float32(0))
    for u in range(side + 2 * pitch, side + 2 * pitch + length, COUNT):
        errors += absolute(load(space, u) * load(space, u + 2 * pitch) - load(space, u + pitch))
    return errors


@machine_code
@no_type_check
def _rescale_softly(space, pitch, side, length, omega, damping):
    """Do the same where the demand moves with u: u <- u * ratio^(omega * damping), with the exact power."""
    before = after = scales = spread(np.float32(0))
    for u in range(side + 2 * pitch, side + 2 * pitch + length, COUNT):
        scaling, demand, sums = load(space, u), load(space, u + pitch), load(space, u + 2 * pitch)
        actual = scaling * sums
        before += absolute(actual - demand)
        power = log(demand / maximum(actual, TINY)) * omega
        scaling = choose(demand, scaling * exp(power * damping), scaling)
        demand = choose(demand, demand * exp(power * (damping - np.float32(1))), demand)
        store(space, u, scaling)
        store(space, u + pitch, demand)
        after += absolute(scaling * sums - demand)
        scales += scaling
    return total(before), total(after), scales


@machine_code
@no_type_check
def _translate(space, pitch, height, width, epsilon, softness):
    """Move a constant from g to f so that both sides demand the same mass, which maximizes the dual over constants."""
    u, v = 2 * pitch, 7 * pitch
    row_masses = column_masses = spread(np.float32(0))
    for i in range(u, u + height, COUNT):
        row_masses += load(space, i + pitch)
    for j in range(v, v + width, COUNT):
        column_masses += load(space, j + pitch)
    ratio = max(total(row_masses), TINY) / max(total(column_masses), TINY)
    power = np.float32(0.5) * math.log(ratio) / (epsilon * softness)
    power = min(max(power, np.float32(-20)), np.float32(20))  # the rest of the way in the next iteration
    scale, share = math.exp(power), math.exp(power * epsilon * softness)
    for i in range(u, u + height, COUNT):
        store(space, i, load(space, i) * scale)
        store(space, i + pitch, load(space, i + pitch) / share)
    for j in range(v, v + width, COUNT):
        store(space, j, load(space, j) / scale)
        store(space, j + pitch, load(space, j + pitch) * share)


@machine_code
@no_type_check
def absorb(space, pitch, side, length, epsilon, softness):
    """Move the scalings into the potentials: u returns to the marginal, and the demand is renewed."""
    for i in range(side, side + length, COUNT):
        mass = load(space, i)
        ratio = load(space, i + 2 * pitch) / maximum(mass, TINY)
        step = log(maximum(ratio, TINY)) * epsilon
        potential = load(space, i + pitch) + choose(mass, step, np.float32(0))
        store(space, i + pitch, potential)
        store(space, i + 2 * pitch, mass)
        store(space, i + 3 * pitch, mass if softness == 0 else mass * exp(potential * -softness))


@machine_code
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


@machine_code
@no_type_check
def _next(omega, top_omega):
    """Return the omega of the next half-step: from a plain one on they tend to the best, by Chebyshev's recursion.

    The best omega all the time would first let the error grow (Golub and Varga 1961, with rho = 4 (top - 1) / top^2).
    """
    before = np.float32(2) if omega == np.float32(1) else omega
    return np.float32(1) / (np.float32(1) - (top_omega - np.float32(1)) / (top_omega * top_omega) * before)


@machine_code
@no_type_check
def _iterate(space, pitch, C, K, K_columns, n, m, height, width, slack, epsilon, softness, goal, max_steps):
    """Iterate at one epsilon until the marginal error is within the goal; return the number of steps."""
    rows, columns = 0, 5 * pitch
    damping = np.float32(1) / (np.float32(1) + epsilon * softness)
    kappa_squared = min(np.float32(1), _KAPPA * _KAPPA * epsilon / max(slack, TINY))
    kappa = math.sqrt(np.float32(1) - damping * damping * (np.float32(1) - kappa_squared))
    best_omega = top_omega = np.float32(2) / (np.float32(1) + kappa)
    omega = last_omega = np.float32(1)
    is_plain = max_steps == 1
    column_error = best = BARRED
    stale = plain_steps = steady_steps = 0
    mark = np.float32(0)
    for step in range(1, max_steps + 1):
        products(space, K_columns, height, m, columns + 2 * pitch, rows + 4 * pitch)
        if softness == 0:
            row_errors, row_scales = _rescale(space, pitch, rows, height, omega)
            products(space, K, width, n, rows + 2 * pitch, columns + 4 * pitch)
            error = total(row_errors + _errors(space, pitch, columns, width))
            if error <= _MARGIN * goal:
                return step
            omega = omega if is_plain else _next(omega, top_omega)
            _, column_scales = _rescale(space, pitch, columns, width, omega)
        else:
            row_error, _, row_scales = _rescale_softly(space, pitch, rows, height, omega, damping)
            error = row_error + column_error
            _translate(space, pitch, height, width, epsilon, softness)
            products(space, K, width, n, rows + 2 * pitch, columns + 4 * pitch)
            omega = omega if is_plain else _next(omega, top_omega)
            _, column_error, column_scales = _rescale_softly(space, pitch, columns, width, omega, damping)
            if error <= goal and is_plain:
                return step
        if error < best:
            best, stale = error, 0
            top_omega += np.float32(0.05) * (best_omega - top_omega)
        else:
            stale += 1
            if stale > _PATIENCE:
                best, stale = error, 0
                top_omega = np.float32(1) + (top_omega - np.float32(1)) * np.float32(0.7)
        steady_steps = steady_steps + 1 if abs(omega - last_omega) < np.float32(0.01) else 0
        if steady_steps == _SETTLING:
            mark = error
        elif steady_steps == _SETTLING + _WINDOW:
            best_omega = top_omega = _raise(top_omega, omega, (error / max(mark, TINY)) ** _PER_STEP)
            steady_steps = _SETTLING - 1
        last_omega = omega
        plain_steps += is_plain
        is_near = error <= (_NEAR * goal if plain_steps <= _PLAIN_STEPS else goal)
        is_plain = is_near or step + 1 >= max_steps
        omega = np.float32(1) if is_plain else _next(omega, top_omega)
        if total(row_scales + column_scales) > _HUGE:
            absorb(space, pitch, rows, height, epsilon, softness)
            absorb(space, pitch, columns, width, epsilon, softness)
            exponentiate(space, pitch, C, K, K_columns, n, height, width, epsilon)
    return max_steps


@machine_code
@no_type_check
def solve(space, pitch, C, K, K_columns, n, m, height, width, slack, epsilon, softness, tolerance, max_iterations):
    """Solve one gathered problem in place, so that the plan is u_i K_ij v_j; return the iterations."""
    stages = 0
    while stages < _STAGES and epsilon * _DESCENT ** (stages + 1) <= _WARMEST * slack:
        stages += 1
    iterations = 0
    for stage in range(stages, -1, -1):
        current = np.float32(epsilon * _DESCENT**stage)
        goal = tolerance if stage == 0 else max(tolerance, _STAGE_TOLERANCE)
        left = max_iterations - iterations
        if stage < stages or softness > 0:
            absorb(space, pitch, 0, height, current * _DESCENT, softness)
            absorb(space, pitch, 5 * pitch, width, current * _DESCENT, softness)
        exponentiate(space, pitch, C, K, K_columns, n, height, width, current)
        limit = left if stage == 0 else left // _STAGE_SHARE
        iterations += _iterate(
            space, pitch, C, K, K_columns, n, m, height, width, slack, current, softness, goal, limit
        )
    return iterations
