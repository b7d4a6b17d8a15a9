"""Bootstrap intervals: of means over queries, and of statistics of several systems, languages and seeds.

Draws depend on the seed and the number of queries alone, so that many lists of one length are drawn for together.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr, ndtri

from kivuko.evaluation.significance import ROUNDING, Interval, at_least_one, by_size, chunks, finite

_IN_CACHE = 300_000  # numbers drawn at once, to be read for every list; twice as fast as more

Array = NDArray[np.float64]


def bootstrap_interval(
    values: ArrayLike,
    *,
    confidence: float = 0.95,
    resamples: int = 10_000,
    method: Literal["BCa", "percentile"] = "BCa",
    seed: int = 0,
) -> Interval:
    """Return a bootstrap interval of a mean over queries: of a measure, or of paired differences.

    Queries are drawn with replacement. BCa corrects the percentiles for bias and skewness, which measures at the ends
    of their range (most of RR@10 is 0 or 1) have. The interval is that of `scipy.stats.bootstrap` with the same seed.

    Args:
        values: One a query.
        confidence: The share of such intervals that should contain the true mean.
        resamples: How many times queries are drawn.
        method: BCa, or the plain percentiles.
        seed: Of the draws.

    Raises:
        ValueError: If there are fewer than two queries, a value is not finite, or an option is out of its range.

    Example:
        >>> bootstrap_interval([0.5, 0.5, 0.5])
        Interval(low=0.5, high=0.5)

    References:
        Efron, "Better Bootstrap Confidence Intervals", JASA 82 (1987). Sakai, "Evaluating Evaluation Metrics based on
        the Bootstrap", SIGIR 2006.
    """
    return bootstrap_intervals([values], confidence=confidence, resamples=resamples, method=method, seed=seed)[0]


def bootstrap_intervals(
    samples: Sequence[ArrayLike],
    *,
    confidence: float = 0.95,
    resamples: int = 10_000,
    method: Literal["BCa", "percentile"] = "BCa",
    seed: int = 0,
) -> list[Interval]:
    """Do `bootstrap_interval` for many lists of values; those of one length share their draws.

    Raises:
        ValueError: As `bootstrap_interval`.
    """
    at_least_one(resamples)
    _check_confidence(confidence)
    values = [finite(sample, at_least=2) for sample in samples]
    found = [Interval(float(sample.mean()), float(sample.mean())) for sample in values]
    for size, places in by_size(values).items():
        varied = [place for place in places if np.ptp(values[place]) > ROUNDING]  # BCa divides by the skewness
        means = np.empty((len(varied), resamples))
        generator, start = np.random.default_rng(seed), 0
        for count in chunks(resamples, size, numbers=_IN_CACHE) if varied else []:
            drawn = generator.integers(0, size, size=(count, size))
            for row, place in zip(means, varied, strict=True):
                row[start : start + count] = values[place].take(drawn, mode="clip").mean(axis=1)
            start += count
        for row, place in zip(means, varied, strict=True):
            tails = ((1 - confidence) / 2, (1 + confidence) / 2)
            levels = _bca_levels(values[place], row, tails) if method == "BCa" else np.array(tails)
            found[place] = Interval(*map(float, np.quantile(row, levels)))
    return found


def stratified_interval(
    strata: Sequence[Sequence[Array]],
    statistic: Callable[[list[Array]], Array],
    *,
    resample_seeds: bool = False,
    confidence: float = 0.95,
    resamples: int = 10_000,
    seed: int = 0,
) -> Interval:
    """Return a percentile interval of a statistic of means, from queries drawn within each language, and seeds.

    The bootstrap is hierarchical: in each language queries are drawn with replacement, the same for every system
    of that language (they are paired), and with `resample_seeds` the seeds of each system too, so that the interval
    speaks of other queries *and* of another training run. A system with three seeds says little about that: draws of
    three from three have on average two thirds of their variance, so that the interval is somewhat too short.

    Args:
        strata: For each language, the matrices of its systems, (queries, seeds), with the same rows.
        statistic: From the means, system by system in the order of `strata` run together, each of shape (resamples,),
            to the statistic.
        resample_seeds: Draw seeds too.
        confidence: As in `bootstrap_interval`.
        resamples: As there.
        seed: As there.

    Raises:
        ValueError: If matrices of a language differ in rows, a value is not finite, or an option is out of its range.

    Example:
        >>> ours, theirs = np.array([[0.5], [0.75]]), np.array([[0.25], [0.5]])
        >>> stratified_interval([[ours, theirs]], lambda means: means[0] - means[1])
        Interval(low=0.25, high=0.25)

    References:
        Davison & Hinkley, "Bootstrap Methods and their Application", 1997, sections 3.2 and 3.8.
    """
    [found] = stratified_intervals(
        strata,
        lambda means: [statistic(means)],
        resample_seeds=resample_seeds,
        confidence=confidence,
        resamples=resamples,
        seed=seed,
    )
    return found


def stratified_intervals(
    strata: Sequence[Sequence[Array]],
    statistics: Callable[[list[Array]], Iterable[Array]],
    *,
    resample_seeds: bool = False,
    confidence: float = 0.95,
    resamples: int = 10_000,
    seed: int = 0,
) -> list[Interval]:
    """Do `stratified_interval` for several statistics of the same draws.

    Raises:
        ValueError: As `stratified_interval`.
    """
    at_least_one(resamples)
    _check_confidence(confidence)
    generator = np.random.default_rng(seed)
    means: list[Array] = []
    for matrices in strata:
        if len({len(matrix) for matrix in matrices}) != 1 or not all(np.isfinite(matrix).all() for matrix in matrices):
            raise ValueError("Expected matrices of finite values with the same queries in the rows of a language.")
        queries = len(matrices[0])
        by_seed: list[list[Array]] = [[] for _ in matrices]
        for count in chunks(resamples, queries):
            drawn = _draws(generator, count, queries)
            for matrix, parts in zip(matrices, by_seed, strict=True):
                parts.append(drawn @ matrix)
        for parts in by_seed:
            values = np.concatenate(parts)  # (resamples, seeds)
            if resample_seeds:
                seeds = values.shape[1]
                means.append((values * _draws(generator, resamples, seeds)).sum(axis=1))
            else:
                means.append(values.mean(axis=1))
    tails = [(1 - confidence) / 2, (1 + confidence) / 2]
    return [Interval(*map(float, np.quantile(drawn, tails, method="inverted_cdf"))) for drawn in statistics(means)]


def _bca_levels(values: Array, means: Array, tails: tuple[float, float]) -> Array:
    """Return at which quantiles of the drawn means the interval ends (Efron 1987, equations 2.3 and 6.6).

    Phi(z0 + (z0 + z) / (1 - a (z0 + z))) for each tail Phi(z): z0 from the share of draws below the mean, half of those
    at it; a = sum(u^3) / (6 sum(u^2)^1.5) with u the influence of each query, by the jackknife.
    """
    observed = values.mean()
    share = (np.mean(means < observed) + np.mean(means <= observed)) / 2
    share = min(max(share, 0.5 / means.size), 1 - 0.5 / means.size)  # where all draws are on one side
    influence = values - observed  # of means, the jackknife's is this up to a factor, which a has not
    acceleration = np.sum(influence**3) / (6 * np.sum(influence**2) ** 1.5)
    bias, z = ndtri(share), ndtri(tails)
    return np.asarray(ndtr(bias + (bias + z) / (1 - acceleration * (bias + z))))


def _draws(generator: np.random.Generator, resamples: int, size: int) -> Array:
    """Return how often each of `size` things comes in draws of `size` with replacement, as shares, draw by draw."""
    drawn = generator.integers(0, size, size=(resamples, size)) + size * np.arange(resamples)[:, None]
    return np.bincount(drawn.ravel(), minlength=resamples * size).reshape(resamples, size) / size


def _check_confidence(confidence: float) -> None:
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must lie between 0 and 1, got {confidence}.")
