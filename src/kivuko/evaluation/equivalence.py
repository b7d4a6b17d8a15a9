"""Equivalence of systems by two one-sided tests, and the verdict on every pair that a comparison asks about."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from kivuko.errors import DataError
from kivuko.evaluation.bootstrap import bootstrap_intervals, stratified_interval
from kivuko.evaluation.scores import Score, ScoreMatrix, languages_of, matched, score_matrices
from kivuko.evaluation.significance import (
    Interval,
    cohens_dz,
    holm,
    mean_and_error,
    paired_differences,
    randomization_tests,
    t_test,
)

OVERALL = "overall"

Array = NDArray[np.float64]
Verdict = Literal["better", "worse", "equivalent", "undecided"]


class EquivalenceTest(NamedTuple):
    """Two one-sided tests of "the difference is at least the margin".

    Attributes:
        p_value: The larger of the two; below alpha the systems are equivalent within the margin.
        p_lower: Of "the system is worse by the margin or more".
        p_upper: Of "the system is better by the margin or more".
    """

    p_value: float
    p_lower: float
    p_upper: float


class Comparison(NamedTuple):
    """A system against the baseline in one language, or overall.

    Attributes:
        system: Its name.
        baseline: The name of what it is compared with.
        language: A language, or `OVERALL`.
        measure: What is measured.
        queries: n, the number of paired queries.
        seeds: Trained copies of the system whose mean is taken; in several languages, the fewest.
        system_mean: The mean over queries of the means over seeds; overall, the mean over languages of that.
        baseline_mean: The same of the baseline.
        difference: system_mean - baseline_mean.
        interval: A bootstrap interval of the difference.
        t_p: Of the paired t test.
        randomization_p: Of the randomization test.
        holm_p: randomization_p, adjusted for all comparisons of the call.
        d_z: The effect size.
        tost_p: Of the equivalence test.
        tost_holm_p: tost_p, adjusted for all comparisons of the call.
        verdict: See `compare_systems`.
    """

    system: str
    baseline: str
    language: str
    measure: str
    queries: int
    seeds: int
    system_mean: float
    baseline_mean: float
    difference: float
    interval: Interval
    t_p: float
    randomization_p: float
    holm_p: float
    d_z: float
    tost_p: float
    tost_holm_p: float
    verdict: Verdict


def equivalence_test(differences: ArrayLike, *, margin: float) -> EquivalenceTest:
    """Test whether the mean difference lies within the margin, by two one-sided paired t tests (TOST).

    t_lower = (mean(d) + margin) / (s / sqrt(n)) and t_upper = (mean(d) - margin) / (s / sqrt(n)), n - 1 degrees of
    freedom; p = max(P(T >= t_lower), P(T <= t_upper)). p < alpha exactly if the 1 - 2 alpha interval of t lies within
    (-margin, margin). A large p of the t test does not say that systems are the same; a small p here does. Where all
    differences are the same, p is 0 if they are within the margin and 1 otherwise.

    Args:
        differences: One a query.
        margin: The smallest difference that would matter, in units of the measure. Positive; chosen beforehand.

    Raises:
        ValueError: If the margin is not positive, there are fewer than two queries, or a value is not finite.

    Example:
        >>> round(equivalence_test([0.01, -0.02, 0.0, 0.01], margin=0.05).p_value, 4)
        0.0029

    References:
        Schuirmann, "A Comparison of the Two One-Sided Tests Procedure and the Power Approach for Assessing the
        Equivalence of Average Bioavailability", J. Pharmacokinet. Biopharm. 15 (1987).
    """
    if not 0 < margin < np.inf:
        raise ValueError(f"The margin of equivalence must be positive and finite, got {margin}.")
    t_test(differences)  # refuses what it refuses
    values = np.asarray(differences, dtype=np.float64)
    mean, error = mean_and_error(values)
    if error == 0:
        p_lower, p_upper = float(mean <= -margin), float(mean >= margin)
    else:
        p_lower = float(stats.t.sf((mean + margin) / error, values.size - 1))
        p_upper = float(stats.t.cdf((mean - margin) / error, values.size - 1))
    return EquivalenceTest(max(p_lower, p_upper), p_lower, p_upper)


def compare_systems(
    scores: Iterable[Score],
    baseline: str,
    measure: str,
    *,
    margin: float,
    systems: Sequence[str] | None = None,
    alpha: float = 0.05,
    same_queries: bool = False,
    resample_seeds: bool = False,
    resamples: int = 10_000,
    seed: int = 0,
) -> list[Comparison]:
    """Compare systems with a baseline, language by language and overall.

    The unit is the query: its value is the mean over the seeds of a system. Overall, every language counts the same,
    whatever its number of queries: with n_l of n queries in language l of L, a difference weighs n / (L n_l), so that
    the mean of the weighted differences is the mean over languages of the mean differences. Where languages share
    their queries, those are not independent observations, and the unit is the mean over languages of each query.

    The verdict: `equivalent` if tost_holm_p < alpha; else `better` or `worse`, by the sign, if holm_p < alpha;
    `undecided` if neither. A difference that is real but surely smaller than the margin is thus `equivalent`: the
    margin is the smallest difference that matters.

    Args:
        scores: Rows of the tidy table; those of other measures are left out.
        baseline: The system to compare with.
        measure: A measure of the table.
        margin: The margin of equivalence, in units of the measure.
        systems: Which systems to compare with it; by default all others.
        alpha: The level of the tests, and 1 - confidence of the intervals.
        same_queries: Whether a query_id is the same question in every language, as in a translated test set.
        resample_seeds: Whether the intervals are of another training run too (`stratified_interval`).
        resamples: Of the randomization test and of the bootstrap.
        seed: Of both.

    Returns:
        System by system in the order of the table, each language in turn and, if there are several, `OVERALL`.

    Raises:
        DataError: If a system or the measure has no scores, queries are not paired, or a language has but one query.
        ValueError: If an option is out of its range.

    Example:
        >>> values = {"ours": [0.5, 0.75, 1.0, 1.0, 0.75], "bm25": [0.25, 0.25, 0.5, 0.5, 0.25]}
        >>> rows = [
        ...     Score(name, "sw", 0, f"q{query}", "RR@10", value)
        ...     for name, column in values.items()
        ...     for query, value in enumerate(column)
        ... ]
        >>> [found] = compare_systems(rows, "bm25", "RR@10", margin=0.01)
        >>> found.difference, found.holm_p, found.verdict
        (0.45, 0.0625, 'undecided')
    """
    matrices = score_matrices(scores, measure)
    languages_of(matrices, baseline)  # refuses a baseline without scores
    if systems is None:
        systems = [name for name in dict.fromkeys(name for name, _ in matrices) if name != baseline]
    if not systems or baseline in systems:
        raise DataError(f"Expected other systems to compare with {baseline!r}, got {', '.join(systems) or 'none'}.")
    return _compare(
        matrices,
        [(system, baseline) for system in systems],
        measure,
        margin=margin,
        alpha=alpha,
        same_queries=same_queries,
        resample_seeds=resample_seeds,
        resamples=resamples,
        seed=seed,
    )


def compare_pairs(
    scores: Iterable[Score],
    pairs: Sequence[tuple[str, str]],
    measure: str,
    *,
    margin: float,
    alpha: float = 0.05,
    same_queries: bool = False,
    resamples: int = 10_000,
    seed: int = 0,
) -> list[Comparison]:
    """Compare the first system of each pair with the second, as `compare_systems` does with one baseline.

    Args:
        scores: Rows of the tidy table; those of other measures are left out.
        pairs: One or more; p values are adjusted for all of them together.
        measure: A measure of the table.
        margin: The margin of equivalence, in units of the measure.
        alpha: The level of the tests, and 1 - confidence of the intervals.
        same_queries: Whether a query_id is the same question in every language, as in a translated test set.
        resamples: Of the randomization test and of the bootstrap.
        seed: Of both.

    Returns:
        Pair by pair, each language of its first system in turn and, if there are several, `OVERALL`.

    Raises:
        DataError: If a system or the measure has no scores, queries are not paired, or a language has but one query.
        ValueError: If an option is out of its range.
    """
    return _compare(
        score_matrices(scores, measure),
        pairs,
        measure,
        margin=margin,
        alpha=alpha,
        same_queries=same_queries,
        resample_seeds=False,
        resamples=resamples,
        seed=seed,
    )


def _compare(
    matrices: Mapping[tuple[str, str], ScoreMatrix],
    pairs: Sequence[tuple[str, str]],
    measure: str,
    *,
    margin: float,
    alpha: float,
    same_queries: bool,
    resample_seeds: bool,
    resamples: int,
    seed: int,
) -> list[Comparison]:
    if not 0 < alpha < 0.5:
        raise ValueError(f"alpha must lie between 0 and 0.5, got {alpha}.")
    asked: list[tuple[str, str, str, list[tuple[ScoreMatrix, ScoreMatrix]], Array]] = []
    for system, baseline in pairs:
        languages = languages_of(matrices, system)
        by_language = {language: matched(matrices, system, baseline, language) for language in languages}
        groups: dict[str, list[tuple[ScoreMatrix, ScoreMatrix]]] = {
            language: [by_language[language]] for language in languages
        }
        if len(languages) > 1:
            groups[OVERALL] = list(by_language.values())
        for language, members in groups.items():
            differences = _differences(members, same_queries=same_queries)
            if differences.size < 2:
                raise DataError(f"Expected two or more queries in {language!r} to compare {system!r}, got one.")
            asked.append((system, baseline, language, members, differences))
    samples = [differences for *_, differences in asked]
    intervals = (
        [_interval_over_seeds(members, same_queries, 1 - alpha, resamples, seed) for *_, members, _ in asked]
        if resample_seeds
        else bootstrap_intervals(samples, confidence=1 - alpha, resamples=resamples, seed=seed)
    )
    tests = randomization_tests(samples, resamples=resamples, seed=seed)
    found: list[Comparison] = []
    for (system, baseline, language, members, differences), interval, test in zip(asked, intervals, tests, strict=True):
        means = [float(np.mean([pair[side].seed_means.mean() for pair in members])) for side in (0, 1)]
        tost_p = equivalence_test(differences, margin=margin).p_value
        found.append(
            Comparison(
                system=system,
                baseline=baseline,
                language=language,
                measure=measure,
                queries=differences.size,
                seeds=min(len(pair[0].seeds) for pair in members),
                system_mean=means[0],
                baseline_mean=means[1],
                difference=float(differences.mean()),
                interval=interval,
                t_p=t_test(differences).p_value,
                randomization_p=test.p_value,
                holm_p=test.p_value,
                d_z=cohens_dz(differences),
                tost_p=tost_p,
                tost_holm_p=tost_p,
                verdict="undecided",
            )
        )
    different = holm([comparison.randomization_p for comparison in found])
    equivalent = holm([comparison.tost_p for comparison in found])
    return [
        comparison._replace(
            holm_p=float(p), tost_holm_p=float(tost), verdict=_verdict(comparison.difference, p, tost, alpha)
        )
        for comparison, p, tost in zip(found, different, equivalent, strict=True)
    ]


def _differences(pairs: Sequence[tuple[ScoreMatrix, ScoreMatrix]], *, same_queries: bool) -> Array:
    by_language = [paired_differences(system.seed_means, baseline.seed_means) for system, baseline in pairs]
    if same_queries:
        if len({system.query_ids for system, _ in pairs}) > 1:
            raise DataError("Expected the same queries in every language, as `same_queries` says; some are missing.")
        return np.asarray(np.mean(by_language, axis=0), dtype=np.float64)
    queries = sum(map(len, by_language))
    return np.concatenate([values * (queries / (len(by_language) * len(values))) for values in by_language])


def _interval_over_seeds(
    pairs: Sequence[tuple[ScoreMatrix, ScoreMatrix]], same_queries: bool, confidence: float, resamples: int, seed: int
) -> Interval:
    matrices = [[system.values, baseline.values] for system, baseline in pairs]
    return stratified_interval(
        [[matrix for pair in matrices for matrix in pair]] if same_queries else matrices,
        lambda means: np.mean(means[::2], axis=0) - np.mean(means[1::2], axis=0),
        resample_seeds=True,
        confidence=confidence,
        resamples=resamples,
        seed=seed,
    )


def _verdict(difference: float, different_p: float, equivalent_p: float, alpha: float) -> Verdict:
    if equivalent_p < alpha:
        return "equivalent"
    if different_p < alpha:
        return "better" if difference > 0 else "worse"
    return "undecided"
