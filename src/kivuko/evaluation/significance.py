"""Paired tests over queries, correction for many comparisons, and effect sizes.

Everything here is about paired differences d_1 ... d_n, one a query: the value of a system less that of a baseline.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats
from scipy.special import gammaln

EXACT_QUERIES = 20  # 2^20 sign patterns take a few hundredths of a second
ROUNDING = 1e-12  # smaller differences come from the order of a summation, not from a ranking
_CHUNK = 4_000_000  # numbers held at once

Array = NDArray[np.float64]


class PairedTest(NamedTuple):
    """A two-sided test of "the difference is zero".

    Attributes:
        statistic: Its statistic; it changes its sign when the systems change places.
        p_value: In [0, 1].
    """

    statistic: float
    p_value: float


class Interval(NamedTuple):
    """A confidence interval."""

    low: float
    high: float


def paired_differences(system: ArrayLike, baseline: ArrayLike) -> Array:
    """Return system - baseline, query by query; what is smaller than 1e-12 is rounding and becomes zero.

    Raises:
        ValueError: If the values are not two lists of finite numbers, of the same queries.

    Example:
        >>> paired_differences([0.5, 0.1 + 0.2], [0.25, 0.3])
        array([0.25, 0.  ])
    """
    first, second = np.asarray(system, dtype=np.float64), np.asarray(baseline, dtype=np.float64)
    if first.shape != second.shape or first.ndim != 1:
        raise ValueError(f"Expected values of the same queries, got shapes {first.shape} and {second.shape}.")
    differences = finite(first - second, at_least=1)
    return np.where(np.abs(differences) < ROUNDING, 0.0, differences)


def t_test(differences: ArrayLike) -> PairedTest:
    """Test whether the mean difference is zero, by Student's paired t.

    t = mean(d) / (s / sqrt(n)), s the sample standard deviation, with n - 1 degrees of freedom. Differences that
    are all the same leave nothing to estimate s from: p is then 1 if they are zero and 0 otherwise, the limits of t.

    Raises:
        ValueError: If there are fewer than two queries, or a value is not finite.

    Example:
        >>> round(t_test([1.0, 2.0, 3.0]).p_value, 3)
        0.074

    References:
        Student, "The Probable Error of a Mean", Biometrika 6 (1908).
    """
    values = finite(differences, at_least=2)
    mean, error = mean_and_error(values)
    if error == 0:
        return PairedTest(math.copysign(math.inf, mean), 0.0) if mean else PairedTest(0.0, 1.0)
    t = mean / error
    return PairedTest(t, float(2 * stats.t.sf(abs(t), values.size - 1)))


def mean_and_error(values: Array) -> tuple[float, float]:
    """Return the mean and its standard error, s / sqrt(n), which is zero where values differ by rounding only."""
    spread = values.std(ddof=1) if np.ptp(values) > ROUNDING else 0.0
    return float(values.mean()), float(spread / math.sqrt(values.size))


def randomization_test(differences: ArrayLike, *, resamples: int = 10_000, seed: int = 0) -> PairedTest:
    """Test whether the systems are interchangeable, by flipping signs (Fisher's randomization test).

    If which of two systems gave which value is a coin toss for each query, then each d_i has either sign with equal
    chance. p is the share of sign patterns whose |mean| is at least the observed one. Up to 20 queries all 2^n
    patterns are counted; beyond, B are drawn and the observed one is counted with them, p = (b + 1) / (B + 1), which
    is never zero and keeps the level of the test.

    Args:
        differences: d_1 ... d_n.
        resamples: B, how many patterns are drawn. The smallest p is 1 / (B + 1).
        seed: Of the draws. The same seed gives the same p, also when the systems change places.

    Returns:
        The mean difference and p.

    Raises:
        ValueError: If there is no query, a value is not finite, or `resamples` is less than 1.

    Example:
        >>> randomization_test([0.1, 0.2, 0.3, 0.4])
        PairedTest(statistic=0.25, p_value=0.125)

    References:
        Smucker, Allan & Carterette, "A Comparison of Statistical Significance Tests for Information Retrieval
        Evaluation", CIKM 2007. Phipson & Smyth, "Permutation P-values Should Never Be Zero", Stat. Appl. Genet. Mol.
        Biol. 9 (2010).
    """
    return randomization_tests([differences], resamples=resamples, seed=seed)[0]


def randomization_tests(samples: Sequence[ArrayLike], *, resamples: int = 10_000, seed: int = 0) -> list[PairedTest]:
    """Do `randomization_test` for many lists of differences; those of one length share their drawn patterns.

    Raises:
        ValueError: As `randomization_test`.
    """
    at_least_one(resamples)
    values = [finite(sample, at_least=1) for sample in samples]
    # Sums of the same numbers differ by rounding.
    observed = [abs(sample.sum()) - ROUNDING * np.abs(sample).sum() for sample in values]
    found = [
        _every_pattern(sample, least) if sample.size <= EXACT_QUERIES else 1.0
        for sample, least in zip(values, observed, strict=True)
    ]
    for size, places in by_size(values).items():
        if size <= EXACT_QUERIES:
            continue
        columns = np.stack([values[place] for place in places], axis=1)
        totals, least = columns.sum(axis=0), np.array([observed[place] for place in places])
        generator, extreme = np.random.default_rng(seed), np.zeros(len(places), dtype=np.int64)
        for count in chunks(resamples, size):
            flipped = generator.integers(0, 2, size=(count, size), dtype=np.int8)
            extreme += np.count_nonzero(np.abs(totals - 2 * (flipped @ columns)) >= least, axis=0)
        for place, times in zip(places, extreme, strict=True):
            found[place] = float((times + 1) / (resamples + 1))
    return [PairedTest(float(sample.mean()), p_value) for sample, p_value in zip(values, found, strict=True)]


def holm(p_values: ArrayLike) -> Array:
    """Adjust p values so that all that are below alpha can be believed together, by Holm's step-down method.

    With p_(1) <= ... <= p_(m), adjusted p_(i) = max over j <= i of min(1, (m - j + 1) p_(j)): the chance that any true
    null is rejected stays below alpha, however the tests depend on each other.

    Raises:
        ValueError: If a p value is outside [0, 1].

    Example:
        >>> holm([0.01, 0.04, 0.03])
        array([0.03, 0.06, 0.06])

    References:
        Holm, "A Simple Sequentially Rejective Multiple Test Procedure", Scand. J. Stat. 6 (1979).
    """
    p = np.asarray(p_values, dtype=np.float64)
    if p.ndim != 1 or not np.all((p >= 0) & (p <= 1)):
        raise ValueError(f"Expected p values between 0 and 1, got {p}.")
    order = np.argsort(p, kind="stable")
    adjusted = np.empty_like(p)
    adjusted[order] = np.maximum.accumulate(np.minimum(1.0, p[order] * np.arange(p.size, 0, -1)))
    return adjusted


def cohens_dz(differences: ArrayLike) -> float:
    """Return the effect size of paired differences, d_z = mean(d) / s.

    It is the difference in units of how much queries disagree about it; t = d_z sqrt(n). Differences that are all
    zero have d_z = 0; that are all the same otherwise, an infinite one.

    Raises:
        ValueError: If there are fewer than two queries, or a value is not finite.

    Example:
        >>> round(cohens_dz([1.0, 2.0, 3.0]), 3)
        2.0

    References:
        Lakens, "Calculating and Reporting Effect Sizes", Front. Psychol. 4 (2013), equation 6.
    """
    values = finite(differences, at_least=2)
    return t_test(values).statistic / math.sqrt(values.size)


def hedges_gz(differences: ArrayLike) -> float:
    """Return d_z without its bias for few queries: g_z = J(n - 1) d_z.

    J(m) = Gamma(m / 2) / (sqrt(m / 2) Gamma((m - 1) / 2)), about 1 - 3 / (4m - 1).

    Raises:
        ValueError: If there are fewer than three queries (J needs two degrees of freedom), or a value is not finite.

    Example:
        >>> round(hedges_gz([1.0, 2.0, 3.0]), 3)
        1.128

    References:
        Hedges, "Distribution Theory for Glass's Estimator of Effect Size", J. Educ. Stat. 6 (1981), equation 6e.
    """
    freedom = finite(differences, at_least=3).size - 1
    correction = math.exp(gammaln(freedom / 2) - gammaln((freedom - 1) / 2)) / math.sqrt(freedom / 2)
    return correction * cohens_dz(differences)


def finite(values: ArrayLike, *, at_least: int) -> Array:
    """Return one finite number a query, of so many queries at least.

    Raises:
        ValueError: If they are not that.
    """
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1 or array.size < at_least:
        raise ValueError(f"Expected one value a query for {at_least} or more queries, got shape {array.shape}.")
    if not np.isfinite(array).all():
        raise ValueError(
            f"Expected finite values, got {array[~np.isfinite(array)][0]} at {np.argmin(np.isfinite(array))}."
        )
    return array


def by_size(samples: Sequence[Array]) -> dict[int, list[int]]:
    """Return the places of the samples of each size."""
    places: dict[int, list[int]] = {}
    for place, sample in enumerate(samples):
        places.setdefault(sample.size, []).append(place)
    return places


def _every_pattern(values: Array, observed: float) -> float:
    """Return the share of all sign patterns whose |sum| is at least the observed one."""
    sums = values[:1]  # the other sign of the first mirrors every pattern
    for value in values[1:]:
        sums = np.concatenate((sums + value, sums - value))
    return float(np.mean(np.abs(sums) >= observed))


def chunks(total: int, width: int, *, numbers: int = _CHUNK) -> list[int]:
    """Divide draws of `width` numbers each into parts of at most so many numbers."""
    size = max(1, numbers // width)
    return [min(size, total - start) for start in range(0, total, size)]


def at_least_one(resamples: int) -> None:
    """Refuse to draw nothing."""
    if resamples < 1:
        raise ValueError(f"resamples must be at least 1, got {resamples}.")
