"""The machine code that solves one problem, in the scheme that `kivuko.transport.compiled` explains.

Whoever changes it must touch `compiled_batch.py`, too: numba keeps the code of that file's functions, these within, and
does not notice that another file has changed.
"""

import math
from collections.abc import Callable
from functools import partial
from typing import Any, no_type_check

import numba
import numpy as np

ROWS = 4  # of the kernel are taken at a time, and their number is padded to a multiple of that
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


@machine_code
@no_type_check
def log(x):
    """Compute the logarithm of a positive float32 to 2e-7, vectorizably: x = 2^k m, and a series in (m - 1)/(m + 1)."""
    bits = np.int32(np.float32(x).view(np.int32) - np.int32(0x3F3504F3))  # of the square root of 1/2
    k = np.int32(bits >> np.int32(23))
    m = np.int32(np.int32(bits & np.int32(0x7FFFFF)) + np.int32(0x3F3504F3)).view(np.float32)
    s = (m - np.float32(1)) / (m + np.float32(1))
    t = s * s
    series = np.float32(2) + t * (
        np.float32(0.6666667) + t * (np.float32(0.4) + t * (np.float32(0.2857143) + t * np.float32(0.22222222)))
    )
    return np.float32(k) * np.float32(0.69314718) + s * series


@machine_code
@no_type_check
def _exponentiate(C, f, g, epsilon, K):
    """Fill K = exp((f + g - C) / epsilon)."""
    inverse = np.float32(1) / epsilon
    for i in range(C.shape[0]):
        fi = f[i]
        for j in range(C.shape[1]):
            K[i, j] = _exp((fi + g[j] - C[i, j]) * inverse)


@machine_code
@no_type_check
def _row_sums(K, v, sums):
    """Compute K v, four rows at a time."""
    for i in range(0, K.shape[0], ROWS):
        s0 = s1 = s2 = s3 = np.float32(0)
        for j in range(K.shape[1]):
            vj = v[j]
            s0 += K[i, j] * vj
            s1 += K[i + 1, j] * vj
            s2 += K[i + 2, j] * vj
            s3 += K[i + 3, j] * vj
        sums[i], sums[i + 1], sums[i + 2], sums[i + 3] = s0, s1, s2, s3


@machine_code
@no_type_check
def _column_sums(K, u, sums):
    """Compute K^T u, four rows at a time."""
    sums.fill(0)
    for i in range(0, K.shape[0], ROWS):
        u0, u1, u2, u3 = u[i], u[i + 1], u[i + 2], u[i + 3]
        for j in range(K.shape[1]):
            sums[j] += (u0 * K[i, j] + u1 * K[i + 1, j]) + (u2 * K[i + 2, j] + u3 * K[i + 3, j])


@machine_code
@no_type_check
def _power(ratio, omega):
    """Compute ratio^omega by its Pade approximant of order (1, 1) for a ratio in [1/2, 2], and the ratio elsewhere.

    It has the right slope at 1; no other property is needed where the demand is fixed.
    """
    x = min(max(ratio, np.float32(0.5)), np.float32(2)) - np.float32(1)
    near = (np.float32(2) + (np.float32(1) + omega) * x) / (np.float32(2) + (np.float32(1) - omega) * x)
    return near if (ratio >= np.float32(0.5)) & (ratio <= np.float32(2)) else ratio


@machine_code
@no_type_check
def _rescale(u, sums, demand, omega):
    """Step u <- u * (demand / (u * sums))^omega; return the error after it, and the sum of u."""
    error = total = np.float32(0)
    for i in range(len(u)):
        u[i] *= _power(demand[i] / max(u[i] * sums[i], TINY), omega)
        error += abs(u[i] * sums[i] - demand[i])
        total += u[i]
    return error, total


@machine_code
@no_type_check
def _error(u, sums, demand):
    """Return how far the marginal u * sums is from the one that is demanded."""
    error = np.float32(0)
    for i in range(len(u)):
        error += abs(u[i] * sums[i] - demand[i])
    return error


@machine_code
@no_type_check
def _rescale_softly(u, sums, demand, omega, damping):
    """Do the same where the demand moves with u: u <- u * ratio^(omega * damping), with the exact power."""
    before = after = total = np.float32(0)
    for i in range(len(u)):
        actual = u[i] * sums[i]
        before += abs(actual - demand[i])
        ratio = demand[i] / max(actual, TINY)
        if ratio > 0:
            power = omega * log(ratio)
            u[i] *= _exp(power * damping)
            demand[i] *= _exp(power * (damping - np.float32(1)))
        after += abs(u[i] * sums[i] - demand[i])
        total += u[i]
    return before, after, total


@machine_code
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


@machine_code
@no_type_check
def _absorb(f, u, mass, epsilon, softness, demand):
    """Move the scalings into the potentials: u returns to the marginal, and the demand is renewed."""
    for i in range(len(u)):
        if mass[i] > 0:
            if u[i] != mass[i]:
                f[i] += epsilon * math.log(u[i] / mass[i])
            u[i] = mass[i]
            demand[i] = mass[i] if softness == 0 else mass[i] * math.exp(-f[i] * softness)


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
def _iterate(C, K, rows, columns, slack, epsilon, softness, goal, max_steps):
    """Iterate at one epsilon until the marginal error is within the goal; return the number of steps."""
    a, f, u, row_demand, row_sums = rows
    b, g, v, column_demand, column_sums = columns
    damping = np.float32(1) / (np.float32(1) + epsilon * softness)
    kappa_squared = min(np.float32(1), _KAPPA * _KAPPA * epsilon / max(slack, TINY))
    kappa = math.sqrt(np.float32(1) - damping * damping * (np.float32(1) - kappa_squared))
    best_omega = top_omega = np.float32(2) / (np.float32(1) + kappa)
    omega = np.float32(1)
    column_error = best = BARRED
    stale = plain_steps = steady_steps = 0
    mark = last_omega = np.float32(0)
    for step in range(1, max_steps + 1):
        _row_sums(K, v, row_sums)
        if softness == 0:
            row_error, u_total = _rescale(u, row_sums, row_demand, omega)
            _column_sums(K, u, column_sums)
            error = row_error + _error(v, column_sums, column_demand)
            if error <= _MARGIN * goal:
                return step
            _, v_total = _rescale(v, column_sums, column_demand, omega)
        else:
            row_error, _, u_total = _rescale_softly(u, row_sums, row_demand, omega, damping)
            error = row_error + column_error
            _translate(u, v, row_demand, column_demand, epsilon, softness)
            _column_sums(K, u, column_sums)
            _, column_error, v_total = _rescale_softly(v, column_sums, column_demand, omega, damping)
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
            best_omega = top_omega = _raise(top_omega, omega, (error / max(mark, TINY)) ** _PER_STEP)
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


@machine_code
@no_type_check
def solve(C, K, rows, columns, slack, epsilon, softness, tolerance, max_iterations):
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
