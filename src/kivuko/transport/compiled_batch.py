"""The machine code around the solver: it takes problems out of a batch, and puts plans back."""

import math
from typing import no_type_check

import numpy as np

from kivuko.transport.compiled_loop import BARRED, ROWS, log, machine_code, solve

_LANES = 16  # columns are padded to whole vectors of float32
_BARRED_BITS, _INFINITE_BITS = (int(np.float32(x).view(np.int32)) for x in (1e30, np.inf))  # in the order of the floats
_LOWEST_BITS = int(np.float32(-np.inf).view(np.int32))  # of the negative NaN, too, all the others up to zero
_LEAST_MASS = np.float32(1e-30)  # below, a mass counts as none: its products would be denormal
_MOST_NATS = np.float32(60)  # where marginals are relaxed, a potential begins no higher than so many rho
_INFEASIBLE = -1  # what stands for the iterations where the masses are wrong


@machine_code
@no_type_check
def _span(mass, bits):
    """Return where the tokens that have mass begin and end, and the total; negative where a mass cannot be."""
    start, stop, total = 0, len(mass), np.float32(0)
    for i in range(len(mass)):
        if bits[i] >= _INFINITE_BITS or mass[i] < 0 or _LOWEST_BITS <= bits[i] < 0:
            return 0, 0, np.float32(-1)
        total += mass[i]
    while stop > 0 and mass[stop - 1] <= _LEAST_MASS:
        stop -= 1
    while start < stop and mass[start] <= _LEAST_MASS:
        start += 1
    return start, stop, total


@machine_code
@no_type_check
def _lay_out(mass, multiple, space):
    """Return marginal, potential, scaling, demand and sums of one side, each padded with zeros to a multiple."""
    length = (len(mass) + multiple - 1) // multiple * multiple
    marginal, potential, scaling = space[0, :length], space[1, :length], space[2, :length]
    demand, sums = space[3, :length], space[4, :length]
    for i in range(length):
        has_mass = i < len(mass) and mass[i] > _LEAST_MASS
        marginal[i] = scaling[i] = demand[i] = mass[i] if has_mass else np.float32(0)
        potential[i] = 0
    return marginal, potential, scaling, demand, sums


@machine_code
@no_type_check
def _gather(cost, bits, top, left, a, b, C):
    """Copy the costs that count and bar the others; return how many count and their total, or -1 for NaN or -inf.

    Those are told by their bits, since the arithmetic is compiled for numbers that are none of them. Rows are taken out
    of whole matrices: of a block cut out of one, numba would not know that the entries of a row are neighbors.
    """
    width = min(cost.shape[1] - left, C.shape[1])
    count, total, wrong = 0, np.float32(0), np.int32(0)
    for i in range(C.shape[0]):
        if a[i] == 0:
            C[i].fill(BARRED)
            continue
        row_total, row_count = np.float32(0), np.int32(0)
        costs, row_bits = cost[top + i][left : left + width], bits[top + i][left : left + width]
        for j in range(width):
            entry = row_bits[j]
            is_open = (b[j] > 0) & (entry < _BARRED_BITS)
            wrong |= np.int32((b[j] > 0) & ((entry > _INFINITE_BITS) | ((entry >= _LOWEST_BITS) & (entry < 0))))
            C[i, j] = costs[j] if is_open else BARRED
            row_total += costs[j] if is_open else np.float32(0)
            row_count += np.int32(is_open)
        C[i, width:] = BARRED
        total += row_total
        count += row_count
    return -1 if wrong else count, total


@machine_code
@no_type_check
def _least(bits):
    """Return the least of some float32, given as integers, whose minimum is vectorized where that of floats is not.

    With the lower bits of the negative ones turned around, the integers have the order of the floats.
    """
    lower_bits = np.int32(0x7FFFFFFF)
    least = lower_bits
    for j in range(len(bits)):
        least = min(least, np.int32(bits[j] ^ np.int32(np.int32(bits[j] >> np.int32(31)) & lower_bits)))
    return np.int32(least ^ np.int32(np.int32(least >> np.int32(31)) & lower_bits)).view(np.float32)


@machine_code
@no_type_check
def _transform(C, a, b, f, g):
    """Set the c-transforms f_i = min_j C_ij and g_j = min_i (C_ij - f_i)."""
    bits = C.view(np.int32)
    for i in range(C.shape[0]):
        f[i] = _least(bits[i])
    g.fill(BARRED)
    for i in range(C.shape[0]):
        if a[i] > 0:
            for j in range(C.shape[1]):
                g[j] = min(g[j], C[i, j] - f[i])
    for i in range(len(f)):
        f[i] = f[i] if a[i] > 0 else np.float32(0)
    for j in range(len(g)):
        g[j] = g[j] if b[j] > 0 else np.float32(0)


@machine_code
@no_type_check
def _is_blocked(f, g):
    """Say whether a token is barred from all of the others."""
    highest = np.float32(0)
    for i in range(len(f)):
        highest = max(highest, f[i])
    for j in range(len(g)):
        highest = max(highest, g[j])
    return highest > np.float32(0.5) * BARRED


@machine_code
@no_type_check
def _lower(potential, most):
    """Bound a potential, so that the mass a exp(-f / rho) that it demands is a number above zero."""
    for i in range(len(potential)):
        potential[i] = min(potential[i], most)


@machine_code
@no_type_check
def _mean_slack(count, total, a, b, f, g):
    """Return the mean of C - f - g over the pairs that count, but for those that are barred by their cost."""
    rows = columns = 0
    row_total = column_total = np.float32(0)
    for i in range(len(f)):
        rows += a[i] > 0
        row_total += f[i]
    for j in range(len(g)):
        columns += b[j] > 0
        column_total += g[j]
    potentials = row_total / max(rows, 1) + column_total / max(columns, 1)
    return np.float32(max(total / max(count, 1) - potentials, 0))


@machine_code
@no_type_check
def _report(C, K, rows, columns, epsilon, softness, plan, left):
    """Write the rows of the plan, turn the scalings into potentials, and return the value and the marginal error."""
    a, f, u, _, _ = rows
    b, g, v, _, column_sums = columns
    value = error = gap = mass = 0.0
    column_sums.fill(0)
    width = min(plan.shape[1] - left, C.shape[1])
    for i in range(plan.shape[0]):
        plan[i, :left] = 0
        plan[i, left + width :] = 0
        entries = plan[i][left : left + width]
        if a[i] == 0:
            entries.fill(0)
            continue
        row_sum = row_value = np.float32(0)
        for j in range(width):
            entry = u[i] * K[i, j] * v[j]
            row_sum += entry
            row_value += entry * C[i, j]
            entries[j] = entry
        for j in range(width):
            column_sums[j] += entries[j]
        f[i] += epsilon * log(u[i] / a[i])
        error += abs(row_sum - (a[i] if softness == 0 else a[i] * math.exp(-f[i] * softness)))
        value += row_value
        gap += a[i] * f[i]
        mass += a[i]
    for j in range(width):
        if b[j] > 0:
            g[j] += epsilon * log(v[j] / b[j])
            error += abs(column_sums[j] - (b[j] if softness == 0 else b[j] * math.exp(-g[j] * softness)))
            gap -= b[j] * g[j]
    if softness == 0:
        for i in range(plan.shape[0]):
            f[i] -= gap / (2 * mass)
        for j in range(width):
            g[j] += gap / (2 * mass)
    return value, error


@machine_code
@no_type_check
def solve_share(
    cost, a, b, epsilon, softness, tolerance, max_iterations, start, stride, plan, value, f, g, iterations, error
):
    """Solve the problems start, start + stride, ... of a batch; say whether all of them have a solution."""
    cost_bits, a_bits, b_bits = cost.view(np.int32), a.view(np.int32), b.view(np.int32)
    feasible = True
    height, width = cost.shape[1] + ROWS, cost.shape[2] + _LANES
    row_space, column_space = np.empty((5, height), np.float32), np.empty((5, width), np.float32)
    cost_space, kernel_space = np.empty(height * width, np.float32), np.empty(height * width, np.float32)
    for item in range(start, cost.shape[0], stride):
        f[item].fill(0)
        g[item].fill(0)
        value[item] = error[item] = iterations[item] = 0
        top, bottom, source_mass = _span(a[item], a_bits[item])
        left, right, target_mass = _span(b[item], b_bits[item])
        wrong = source_mass < 0 or target_mass < 0
        if wrong or top == bottom or left == right:
            plan[item].fill(0)
            iterations[item] = _INFEASIBLE if wrong else 0
            feasible &= not wrong
            continue
        if softness == 0 and abs(source_mass - target_mass) > np.float32(1e-3) * target_mass:
            iterations[item] = _INFEASIBLE
            feasible = False
            continue
        plan[item, :top].fill(0)
        plan[item, bottom:].fill(0)
        rows = _lay_out(a[item, top:bottom], ROWS, row_space)
        columns = _lay_out(b[item, left:right], _LANES, column_space)
        shape = (len(rows[0]), len(columns[0]))
        C = cost_space[: shape[0] * shape[1]].reshape(shape)
        K = kernel_space[: shape[0] * shape[1]].reshape(shape)
        count, total = _gather(cost[item], cost_bits[item], top, left, rows[0], columns[0], C)
        _transform(C, rows[0], columns[0], rows[1], columns[1])
        if count < 0 or (softness == 0 and _is_blocked(rows[1], columns[1])):
            value[item] = error[item] = np.nan
            for i in range(top, bottom):
                for j in range(cost.shape[2]):
                    plan[item, i, j] = np.nan if a[item, i] > 0 and b[item, j] > 0 else 0
            continue
        if softness > 0:
            _lower(rows[1], _MOST_NATS / softness)
            _lower(columns[1], _MOST_NATS / softness)
        slack = _mean_slack(count, total, rows[0], columns[0], rows[1], columns[1])
        iterations[item] = solve(C, K, rows, columns, slack, epsilon, softness, tolerance, max_iterations)
        value[item], error[item] = _report(C, K, rows, columns, epsilon, softness, plan[item, top:bottom], left)
        for i in range(top, bottom):
            f[item, i] = rows[1][i - top] if rows[0][i - top] > 0 else np.float32(0)
        for j in range(left, right):
            g[item, j] = columns[1][j - left] if columns[0][j - left] > 0 else np.float32(0)
    return feasible
