"""Vectors of sixteen: what they compute is what numpy computes."""

from typing import no_type_check

import numpy as np
import pytest

from kivuko.transport import lanes
from kivuko.transport.compiled_loop import machine_code


@machine_code
@no_type_check
def compute(x, results):
    value = lanes.load(x, 0)
    lanes.store(results, 0, lanes.exp(value))
    lanes.store(results, 16, lanes.log(lanes.absolute(value) + 1.0))
    lanes.store(results, 32, (value - 2.0) * value / (lanes.absolute(value) + 0.5))
    lanes.store(results, 48, lanes.minimum(lanes.maximum(value, -1.0), lanes.spread(1.0)))
    lanes.store(results, 64, lanes.choose(value, 1.0, value))
    lanes.store(results, 80, lanes.spread_from(x, 3))
    return lanes.total(value), lanes.least(value)


@machine_code
@no_type_check
def classify(x, results):
    lanes.store(results, 0, lanes.unfit(lanes.load(x, 0)))
    lanes.store(results, 16, lanes.below(lanes.load(x, 0), 1e30))


@machine_code
@no_type_check
def copy_part(x, results, count):
    lanes.store(results, 0, lanes.load_part(x, 1, count))
    lanes.store_part(results, 16, lanes.spread(7.0), count)


@machine_code
@no_type_check
def turn(x, results):
    lanes.transpose(x, 3, 20, results, 5, 17)


def test_arithmetic_is_that_of_numpy() -> None:
    x = np.concatenate([np.linspace(-59, 87, 12), [-1e-3, 0, 1e-3, 0.5]]).astype(np.float32)
    results = np.zeros(96, np.float32)
    total, least = compute(x, results)
    exact = x.astype(np.float64)
    expected = (
        np.exp(exact),
        np.log(np.abs(exact) + 1),
        (exact - 2) * exact / (np.abs(exact) + 0.5),
        exact.clip(-1, 1),
        np.where(exact > 0, 1, exact),
        np.full(16, exact[3]),
    )
    for number, values in enumerate(expected):
        np.testing.assert_allclose(results[16 * number : 16 * number + 16], values, rtol=4e-7, atol=1e-7)
    assert total == pytest.approx(exact.sum(), rel=1e-6)
    assert least == x.min()


def test_exponentials_too_small_for_a_sum_are_zero_and_too_large_ones_stay_finite() -> None:
    x, results = np.full(16, -60.5, np.float32), np.ones(96, np.float32)
    x[8:] = 1000
    compute(x, results)
    assert not results[:8].any()
    assert np.isfinite(results[8:16]).all()


def test_what_is_no_cost_is_told_by_its_bits() -> None:
    special = [np.nan, -np.nan, -np.inf, np.inf, 1e30, 1e29, -1e38, -0.0]
    x, results = np.zeros(16, np.float32), np.empty(32, np.float32)
    x[:8] = special
    classify(x, results)
    assert results[:8].tolist() == [1, 1, 1, 0, 0, 0, 0, 0]
    assert results[19:24].tolist() == [0, 0, 1, 1, 1]


@pytest.mark.parametrize("count", [0, 1, 15, 16, 40])
def test_parts_touch_what_they_should_alone(count: int) -> None:
    x, results = np.arange(17, dtype=np.float32), np.full(32, -1, np.float32)
    copy_part(x, results, count)
    kept = min(count, 16)
    assert results[:16].tolist() == [*range(1, kept + 1), *([0] * (16 - kept))]
    assert results[16:].tolist() == [7] * kept + [-1] * (16 - kept)


def test_transposing_a_block_leaves_its_surroundings() -> None:
    x, results = np.arange(3 + 16 * 20, dtype=np.float32), np.full(5 + 16 * 17, -1, np.float32)
    turn(x, results)
    block = np.lib.stride_tricks.as_strided(x[3:], (16, 16), (80, 4))
    turned = np.lib.stride_tricks.as_strided(results[5:], (16, 16), (68, 4))
    np.testing.assert_array_equal(turned, block.T)
    assert (results == -1).sum() == len(results) - 256
