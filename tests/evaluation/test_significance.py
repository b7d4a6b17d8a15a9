import itertools
from collections.abc import Callable
from typing import Literal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.multitest import multipletests

from kivuko.evaluation.bootstrap import bootstrap_interval, bootstrap_intervals, stratified_interval
from kivuko.evaluation.significance import (
    cohens_dz,
    hedges_gz,
    holm,
    paired_differences,
    randomization_test,
    randomization_tests,
    t_test,
)

quick = settings(deadline=None, max_examples=40)  # no deadline: machines are shared

# Values as reciprocal ranks and their differences are: discrete, with many ties and zeros.
samples = st.lists(st.sampled_from([-1.0, -0.5, -0.1, 0.0, 0.1, 0.25, 0.5, 1.0]), min_size=3, max_size=30)
TESTS = [t_test, lambda values: randomization_test(values, resamples=200)]


@quick
@given(samples)
@pytest.mark.parametrize("test", TESTS)
def test_p_is_a_probability_and_places_do_not_matter(
    test: Callable[..., tuple[float, float]], values: list[float]
) -> None:
    statistic, p = test(values)
    swapped_statistic, swapped_p = test([-value for value in values])
    assert 0 <= p <= 1
    assert (swapped_statistic, swapped_p) == pytest.approx((-statistic, p))


@quick
@given(samples.filter(lambda values: len({*values}) > 1))
def test_t_is_scipys(values: list[float]) -> None:
    assert tuple(t_test(values)) == pytest.approx(tuple(stats.ttest_1samp(values, 0.0)), abs=1e-12)


@quick
@given(st.lists(st.sampled_from([-0.5, -0.1, 0.0, 0.1, 0.25, 1.0]), min_size=1, max_size=8))
def test_the_exact_randomization_test_counts_every_pattern(values: list[float]) -> None:
    patterns = [
        abs(sum(sign * value for sign, value in zip(signs, values, strict=True)))
        for signs in itertools.product((1, -1), repeat=len(values))
    ]
    expected = np.mean([total >= abs(sum(values)) - 1e-9 for total in patterns])
    assert randomization_test(values).p_value == pytest.approx(expected)


def test_the_exact_randomization_test_is_scipys() -> None:
    values = np.random.default_rng(1).normal(0.3, 1, 12)
    expected = stats.permutation_test(
        (values, np.zeros(12)), lambda x, y: np.mean(x - y), permutation_type="samples", n_resamples=np.inf
    )
    assert randomization_test(values).p_value == pytest.approx(expected.pvalue)


def test_drawn_patterns_agree_with_all_patterns_and_count_the_observed_one() -> None:
    values = np.random.default_rng(2).normal(0.35, 1, 20)
    exact = randomization_test(values).p_value
    drawn = randomization_test([*values, 0.0], resamples=20_000)  # a zero changes nothing but the number of queries
    assert drawn.p_value == pytest.approx(exact, abs=4 * np.sqrt(exact / 20_000))
    assert drawn == randomization_test([*values, 0.0], resamples=20_000)
    assert randomization_test(np.ones(40), resamples=99).p_value == 0.01


def test_randomization_and_t_agree_on_gaussian_differences() -> None:
    generator = np.random.default_rng(3)
    for mean in (0.0, 0.1, 0.2):
        values = generator.normal(mean, 1, 200)
        assert randomization_test(values, resamples=20_000).p_value == pytest.approx(t_test(values).p_value, abs=0.015)


def test_a_true_null_is_rejected_as_often_as_the_level_says() -> None:
    generator = np.random.default_rng(4)
    skewed = generator.exponential(1, (400, 30)) - generator.exponential(1, (400, 30))
    for test in (t_test, lambda values: randomization_test(values, resamples=499)):
        rejected = np.mean([test(values).p_value <= 0.1 for values in skewed])
        assert rejected == pytest.approx(0.1, abs=0.045)  # three standard errors


@quick
@given(st.lists(st.floats(0, 1), max_size=12))
def test_holm_never_lowers_a_p_value_and_keeps_their_order(p_values: list[float]) -> None:
    adjusted = holm(p_values)
    assert np.all(adjusted >= p_values)
    assert np.all(adjusted <= 1)
    assert np.all(np.diff(adjusted[np.argsort(p_values, kind="stable")]) >= 0)


@pytest.mark.parametrize("seed", range(3))
def test_holm_is_that_of_statsmodels(seed: int) -> None:
    p_values = np.random.default_rng(seed).beta(0.3, 3, 12).round(3)  # with ties, some significant
    assert holm(p_values) == pytest.approx(multipletests(p_values, method="holm")[1])


@pytest.mark.parametrize("method", ["BCa", "percentile"])
def test_bootstrap_intervals_cover_the_mean_of_a_skewed_measure(method: str) -> None:
    generator = np.random.default_rng(5)
    covered = 0
    for trial in range(200):
        low, high = bootstrap_interval(
            generator.beta(0.4, 1.6, 50), confidence=0.9, resamples=400, method=method, seed=trial
        )
        covered += low <= 0.2 <= high
    assert covered / 200 == pytest.approx(0.9, abs=0.07)


@pytest.mark.parametrize("method", ["BCa", "percentile"])
@pytest.mark.parametrize("size", [12, 295])
def test_the_interval_is_scipys_draw_for_draw_also_with_ties(method: Literal["BCa", "percentile"], size: int) -> None:
    generator = np.random.default_rng(size)
    ranks = generator.choice([0, 0.1, 0.2, 0.25, 1 / 3, 0.5, 1], size, p=[0.3, 0.1, 0.1, 0.1, 0.1, 0.1, 0.2])
    expected = stats.bootstrap(
        (ranks,), np.mean, n_resamples=3000, batch=500, method=method, rng=np.random.default_rng(5)
    ).confidence_interval
    found = bootstrap_interval(ranks, resamples=3000, method=method, seed=5)
    assert found == pytest.approx(tuple(expected), rel=1e-13)


def test_many_lists_have_what_each_has_alone() -> None:
    generator = np.random.default_rng(12)
    lists = [generator.choice([-0.5, 0.0, 0.5], size, p=[0.2, 0.5, 0.3]) for size in (40, 9, 40, 25, 40)]
    lists.append(np.full(40, 0.25))
    assert bootstrap_intervals(lists, resamples=300, seed=1) == [
        bootstrap_interval(values, resamples=300, seed=1) for values in lists
    ]
    assert randomization_tests(lists, resamples=300, seed=1) == [
        randomization_test(values, resamples=300, seed=1) for values in lists
    ]


def test_the_same_seed_gives_the_same_interval_and_it_contains_the_mean() -> None:
    values = np.random.default_rng(6).normal(size=40)
    interval = bootstrap_interval(values, resamples=500, seed=1)
    assert interval == bootstrap_interval(values, resamples=500, seed=1)
    assert interval != bootstrap_interval(values, resamples=500, seed=2)
    assert interval.low < values.mean() < interval.high


def test_drawing_queries_only_gives_the_percentile_interval_of_paired_differences() -> None:
    generator = np.random.default_rng(7)
    ours, theirs = generator.normal(0.1, 1, (60, 3)), generator.normal(0, 1, (60, 1))
    interval = stratified_interval([[ours, theirs]], lambda means: means[0] - means[1], seed=8)
    expected = bootstrap_interval(ours.mean(axis=1) - theirs[:, 0], method="percentile", seed=9)
    assert interval == pytest.approx(expected, abs=0.03)


def test_drawing_seeds_too_widens_the_interval_by_their_variance() -> None:
    generator = np.random.default_rng(10)
    ours = generator.normal(0, 0.1, (50, 8)) + np.linspace(-0.2, 0.2, 8)

    def width(resample_seeds: bool) -> float:
        low, high = stratified_interval([[ours]], lambda means: means[0], resample_seeds=resample_seeds)
        return high - low

    def error(columns: np.ndarray) -> float:
        return columns.std() / np.sqrt(len(columns))

    queries, seeds = error(ours.mean(axis=1)), error(ours.mean(axis=0))
    assert width(False) == pytest.approx(2 * 1.96 * queries, rel=0.05)
    assert width(True) == pytest.approx(2 * 1.96 * np.hypot(queries, seeds), rel=0.1)


def test_each_language_is_drawn_for_itself() -> None:
    apart = [[np.full((5, 1), 1.0)], [np.full((5, 1), 3.0)]]
    assert stratified_interval(apart, lambda means: means[1] - means[0]) == pytest.approx((2.0, 2.0))


@quick
@given(samples.filter(lambda values: len({*values}) > 1))
def test_t_is_the_effect_size_times_the_root_of_the_queries(values: list[float]) -> None:
    assert cohens_dz(values) == pytest.approx(np.mean(values) / np.std(values, ddof=1), abs=1e-12)
    assert cohens_dz(values) * np.sqrt(len(values)) == pytest.approx(t_test(values).statistic, abs=1e-12)
    assert abs(hedges_gz(values)) <= abs(cohens_dz(values))


@quick
@given(st.integers(5, 200))
def test_hedges_correction_is_near_its_known_approximation(queries: int) -> None:
    values = np.arange(queries, dtype=float)
    assert hedges_gz(values) / cohens_dz(values) == pytest.approx(1 - 3 / (4 * (queries - 1) - 1), abs=0.003)


def test_equal_systems_differ_by_nothing_even_in_rounding() -> None:
    differences = paired_differences([0.1 + 0.2, 0.7], [0.3, 0.1 + 0.6])
    assert differences.tolist() == [0.0, 0.0]
    assert t_test(differences) == (0.0, 1.0)
    assert randomization_test(differences) == (0.0, 1.0)
    assert randomization_test(np.zeros(50)).p_value == 1.0
    assert bootstrap_interval(differences) == (0.0, 0.0)
    assert cohens_dz(differences) == 0.0


def test_a_difference_without_variance_is_certain() -> None:
    assert t_test([-0.3, -0.1 - 0.2, -0.3]) == (-np.inf, 0.0)
    assert cohens_dz([0.3, 0.3]) == np.inf
    assert randomization_test([0.3, 0.3, 0.3]).p_value == 0.25


@pytest.mark.parametrize("call", [t_test, randomization_test, bootstrap_interval, cohens_dz, hedges_gz])
@pytest.mark.parametrize("values", [[], [[1.0, 2.0]], [1.0, float("nan"), 2.0], [1.0, 2.0, float("inf")]])
def test_what_is_no_list_of_differences_is_refused(call: Callable[..., object], values: list[float]) -> None:
    with pytest.raises(ValueError, match="Expected"):
        call(values)


@pytest.mark.parametrize("call", [t_test, bootstrap_interval, cohens_dz, hedges_gz])
def test_one_query_has_no_variance(call: Callable[..., object]) -> None:
    with pytest.raises(ValueError, match="or more queries, got shape"):
        call([0.5])
    assert randomization_test([0.5]).p_value == 1.0


def test_options_out_of_range_and_unpaired_values_are_refused() -> None:
    with pytest.raises(ValueError, match=r"same queries, got shapes \(2,\) and \(1,\)"):
        paired_differences([1.0, 2.0], [1.0])
    with pytest.raises(ValueError, match="resamples must be at least 1"):
        randomization_test([1.0], resamples=0)
    with pytest.raises(ValueError, match="confidence must lie between 0 and 1"):
        bootstrap_interval([1.0, 2.0], confidence=95)
    with pytest.raises(ValueError, match="p values between 0 and 1"):
        holm([0.5, float("nan")])
    with pytest.raises(ValueError, match="same queries in the rows"):
        stratified_interval([[np.ones((2, 1)), np.ones((3, 1))]], lambda means: means[0])
