"""The machine code around the solver: it takes problems out of a batch, and puts plans back."""

from typing import no_type_check

import numpy as np

from kivuko.transport.compiled_loop import BARRED, absorb, machine_code, products, solve
from kivuko.transport.lanes import (
    COUNT,
    absolute,
    below,
    choose,
    least,
    load,
    load_part,
    maximum,
    minimum,
    spread,
    spread_from,
    store,
    store_part,
    total,
    unfit,
)

_INFINITY = np.float32(np.inf)
_LEAST_MASS = np.float32(1e-30)  # below, a mass counts as none: its products would be denormal
_MOST_NATS = np.float32(58)  # where marginals are relaxed, a potential begins no higher than so many rho
_INFEASIBLE = -1  # what stands for the iterations where the masses are wrong


@machine_code
@no_type_check
def _bits(number):
    """Return the bits of a float32, which have the order of the numbers from zero on, and NaN at the end."""
    return np.float32(number).view(np.int32)


@machine_code
@no_type_check
def _clear(array, first, count):
    """Write zeros."""
    for i in range(0, count, COUNT):
        store_part(array, first + i, spread(np.float32(0)), count - i)


@machine_code
@no_type_check
def _span(mass, first, tokens):
    """Return where the tokens that have mass begin and end, and the total; negative where a mass cannot be."""
    masses = wrong = spread(np.float32(0))
    for i in range(0, tokens, COUNT):
        part = load_part(mass, first + i, tokens - i)
        is_wrong = unfit(part) + choose(np.float32(0) - part, np.float32(1), np.float32(0))
        wrong = maximum(wrong, is_wrong + np.float32(1) - below(part, _INFINITY))
        masses += part
    if total(wrong) > 0:
        return 0, 0, np.float32(-1)
    start, stop = 0, tokens
    while stop > 0 and mass[first + stop - 1] <= _LEAST_MASS:
        stop -= 1
    while start < stop and mass[first + start] <= _LEAST_MASS:
        start += 1
    return start, stop, total(masses)


@machine_code
@no_type_check
def _lay_out(mass, first, tokens, space, pitch, side):
    """Fill marginal, potential, scaling and demand of one side, padded with zeros; return its length."""
    length = (tokens + COUNT - 1) // COUNT * COUNT
    for i in range(0, length, COUNT):
        part = load_part(mass, first + i, tokens - i)
        part = choose(part - _LEAST_MASS, part, np.float32(0))
        store(space, side + i, part)
        store(space, side + pitch + i, spread(np.float32(0)))
        store(space, side + 2 * pitch + i, part)
        store(space, side + 3 * pitch + i, part)
    return length


@machine_code
@no_type_check
def _gather(cost, first, stride, n, m, width, space, pitch, C):
    """Copy the costs that count, bar the others, and set f_i = min_j C_ij; return how many count, and their total.

    Where one is NaN or minus infinity, return -1 instead.
    """
    a, f, b = 0, pitch, 5 * pitch
    counts = totals = wrong = spread(np.float32(0))
    for i in range(n):
        lowest, row_total = spread(BARRED), spread(np.float32(0))
        has_mass = spread_from(space, a + i)
        for j in range(0, width, COUNT):
            entries = load_part(cost, first + i * stride + j, m - j)
            entries = choose(minimum(load(space, b + j), has_mass), entries, BARRED)
            is_open = below(entries, BARRED)
            wrong = maximum(wrong, unfit(entries))
            counts += is_open
            row_total += choose(is_open, entries, np.float32(0))
            entries = choose(is_open, entries, BARRED)
            store(space, C + i * width + j, entries)
            lowest = minimum(lowest, entries)
        space[f + i] = least(lowest) if space[a + i] > 0 else np.float32(0)
        totals += row_total
    return np.float32(-1) if total(wrong) > 0 else total(counts), total(totals)


@machine_code
@no_type_check
def _transform(space, pitch, C, n, width):
    """Set g_j = min_i (C_ij - f_i), which together with f_i = min_j C_ij are the c-transforms."""
    f, b, g = pitch, 5 * pitch, 6 * pitch
    for j in range(0, width, COUNT):
        lowest = spread(BARRED)
        for i in range(n):
            lowest = minimum(lowest, load(space, C + i * width + j) - spread_from(space, f + i))
        store(space, g + j, choose(load(space, b + j), lowest, np.float32(0)))


@machine_code
@no_type_check
def _measure(space, pitch, side, length):
    """Return the mean potential of the tokens that have mass, and the highest of a positive one and zero."""
    sums = counts = highest = spread(np.float32(0))
    for i in range(side, side + length, COUNT):
        mass, potential = load(space, i), load(space, i + pitch)
        counts += choose(mass, np.float32(1), np.float32(0))
        sums += potential
        highest = maximum(highest, potential)
    return total(sums) / max(total(counts), np.float32(1)), -least(np.float32(0) - highest)


@machine_code
@no_type_check
def _lower(space, potential, length, most):
    """Bound the potentials, so that the mass a exp(-f / rho) that each demands is a number above zero."""
    for i in range(potential, potential + length, COUNT):
        store(space, i, minimum(load(space, i), most))


@machine_code
@no_type_check
def _write_plan(space, pitch, C, K, n, width, plan, first, stride, left):
    """Write the rows of the plan, zeros to both sides of it included, and return <P, C>."""
    u, v = 2 * pitch, 7 * pitch
    value = spread(np.float32(0))
    for i in range(n):
        start = first + i * stride
        for j in range(left):
            plan[start + j] = np.float32(0)
        ui, row_value = spread_from(space, u + i), spread(np.float32(0))
        start += left
        for j in range(0, width, COUNT):
            entries = load(space, K + i * width + j) * load(space, v + j) * ui
            row_value += entries * load(space, C + i * width + j)
            store_part(plan, start + j, entries, stride - left - j)
        for j in range(width, stride - left, COUNT):
            store_part(plan, start + j, spread(np.float32(0)), stride - left - j)
        value += row_value
    return total(value)


@machine_code
@no_type_check
def _finish(space, pitch, side, length, epsilon, softness):
    """Turn the scalings into potentials; return how far the marginal is from the one that these demand."""
    for u in range(side + 2 * pitch, side + 2 * pitch + length, COUNT):
        store(space, u + 2 * pitch, load(space, u + 2 * pitch) * load(space, u))
    absorb(space, pitch, side, length, epsilon, softness)
    errors = spread(np.float32(0))
    for demand in range(side + 3 * pitch, side + 3 * pitch + length, COUNT):
        errors += absolute(load(space, demand + pitch) - load(space, demand))
    return total(errors)


@machine_code
@no_type_check
def _balance(space, pitch, height, width):
    """Move a constant from one side's potentials to the other's, on which nothing depends, so that both weigh alike."""
    a, f, b, g = 0, pitch, 5 * pitch, 6 * pitch
    gaps = masses = spread(np.float32(0))
    for i in range(0, height, COUNT):
        gaps += load(space, a + i) * load(space, f + i)
        masses += load(space, a + i)
    for j in range(0, width, COUNT):
        gaps = gaps - load(space, b + j) * load(space, g + j)
    gap = total(gaps) / (np.float32(2) * total(masses))
    for i in range(f, f + height, COUNT):
        store(space, i, load(space, i) - gap)
    for j in range(g, g + width, COUNT):
        store(space, j, load(space, j) + gap)


@machine_code
@no_type_check
def _write_potential(space, pitch, side, potential, first, tokens):
    """Write the potentials of the tokens that have mass, and zeros for those between."""
    for i in range(0, tokens, COUNT):
        part = choose(load(space, side + i), load(space, side + pitch + i), np.float32(0))
        store_part(potential, first + i, part, tokens - i)


@machine_code
@no_type_check
def solve_share(
    costs, sources, targets, epsilon, softness, tolerance, max_iterations, start, stride,
    plans, value, row_potentials, column_potentials, iterations, error, converged,
):  # fmt: skip
    """Solve the problems start, start + stride, ... of a batch; say whether all of them have a solution."""
    batch, source, target = costs.shape
    cost, a, b = costs.reshape(-1), sources.reshape(-1), targets.reshape(-1)
    plan, f, g = plans.reshape(-1), row_potentials.reshape(-1), column_potentials.reshape(-1)
    feasible = True
    longest, widest = (source + COUNT - 1) // COUNT * COUNT, (target + COUNT - 1) // COUNT * COUNT
    pitch, size = max(longest, widest), longest * widest
    rows, columns = 0, 5 * pitch
    room = np.empty(10 * pitch + 3 * size + COUNT, np.float32)
    aligned = (-(room.ctypes.data // 4)) % COUNT  # the place where a vector begins a cache line
    space = room[aligned : aligned + 10 * pitch + 3 * size]
    C, K, K_columns = 10 * pitch, 10 * pitch + size, 10 * pitch + 2 * size
    for item in range(start, batch, stride):
        first, first_a, first_b = item * source * target, item * source, item * target
        _clear(f, first_a, source)
        _clear(g, first_b, target)
        value[item] = error[item] = iterations[item] = 0
        converged[item] = True
        top, bottom, source_mass = _span(a, first_a, source)
        left, right, target_mass = _span(b, first_b, target)
        is_wrong = source_mass < 0 or target_mass < 0
        is_empty = top == bottom or left == right
        if softness == 0 and not is_empty:
            is_wrong |= abs(source_mass - target_mass) > np.float32(1e-3) * target_mass
        if is_wrong or is_empty:
            _clear(plan, first, source * target)
            iterations[item] = _INFEASIBLE if is_wrong else 0
            feasible &= not is_wrong
            continue
        _clear(plan, first, top * target)
        _clear(plan, first + bottom * target, (source - bottom) * target)
        n, m = bottom - top, right - left
        height = _lay_out(a, first_a + top, n, space, pitch, rows)
        width = _lay_out(b, first_b + left, m, space, pitch, columns)
        first += top * target
        count, cost_total = _gather(cost, first + left, target, n, m, width, space, pitch, C)
        _transform(space, pitch, C, n, width)
        row_mean, highest_row = _measure(space, pitch, rows, height)
        column_mean, highest_column = _measure(space, pitch, columns, width)
        is_blocked = max(highest_row, highest_column) > np.float32(0.5) * BARRED
        if count < 0 or (softness == 0 and is_blocked):
            value[item] = error[item] = np.nan
            converged[item] = False
            for i in range(n):
                for j in range(target):
                    has_mass = a[first_a + top + i] > 0 and b[first_b + j] > 0
                    plan[first + i * target + j] = np.nan if has_mass else 0
            continue
        if softness > 0:
            _lower(space, rows + pitch, height, _MOST_NATS / softness)
            _lower(space, columns + pitch, width, _MOST_NATS / softness)
            row_mean, _ = _measure(space, pitch, rows, height)
            column_mean, _ = _measure(space, pitch, columns, width)
        slack = max(cost_total / max(count, np.float32(1)) - row_mean - column_mean, np.float32(0))
        iterations[item] = solve(
            space, pitch, C, K, K_columns, n, m, height, width, slack, epsilon, softness, tolerance, max_iterations
        )
        value[item] = _write_plan(space, pitch, C, K, n, width, plan, first, target, left)
        products(space, K_columns, height, m, columns + 2 * pitch, rows + 4 * pitch)
        products(space, K, width, n, rows + 2 * pitch, columns + 4 * pitch)
        row_error = _finish(space, pitch, rows, height, epsilon, softness)
        error[item] = row_error + _finish(space, pitch, columns, width, epsilon, softness)
        converged[item] = _bits(np.float32(0)) <= _bits(error[item]) <= _bits(tolerance)
        if softness == 0:
            _balance(space, pitch, height, width)
        _write_potential(space, pitch, rows, f, first_a + top, n)
        _write_potential(space, pitch, columns, g, first_b + left, m)
    return feasible
