import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ir_measures import Qrel, ScoredDoc
from scipy import stats

from kivuko.errors import DataError
from kivuko.evaluation.language_gap import ceiling_shares, list_fairness, resource_gap
from kivuko.evaluation.scores import Score

quick = settings(deadline=None, max_examples=40)  # no deadline: machines are shared


def rows_of(system: str, language: str, values: list[float]) -> list[Score]:
    return [Score(system, language, 0, f"q{query}", "AP", value) for query, value in enumerate(values)]


def ranked(order: str) -> list[ScoredDoc]:
    """A list of documents whose language is their letter, best first."""
    return [ScoredDoc("q", f"{letter}{rank}", -rank) for rank, letter in enumerate(order)]


def fairness(order: str, *, missing: str = "", cutoff: int = 20) -> float:
    """PEER of a list in which everything is relevant, as are documents that are not in it."""
    doc_ids = [result.doc_id for result in ranked(order)] + [
        f"{letter}{place}x" for place, letter in enumerate(missing)
    ]
    qrels = [Qrel("q", doc_id, 1) for doc_id in doc_ids]
    return list_fairness(qrels, ranked(order), {doc_id: doc_id[0] for doc_id in doc_ids}, cutoff=cutoff).mean


def test_the_share_is_of_means_and_its_interval_is_paired() -> None:
    rows = [*rows_of("ours", "sw", [0.2, 0.4, 0.0]), *rows_of("English", "sw", [0.4, 0.8, 0.0])]
    [found] = ceiling_shares(rows, "AP", systems=["ours"], ceiling="English", resamples=500)["ours"]
    assert (found.mean, found.ceiling, found.share) == pytest.approx((0.2, 0.4, 0.5))
    assert found.interval.low == pytest.approx(0.5)  # in every draw with a value, ours is half of it
    assert found.language == "sw"


def test_shares_come_for_each_language_of_the_system() -> None:
    rows = [*rows_of("ours", "sw", [0.5]), *rows_of("ours", "ha", [0.2])]
    rows += [*rows_of("English", "sw", [1.0]), *rows_of("English", "ha", [0.8])]
    found = ceiling_shares(rows, "AP", systems=["ours"], ceiling="English", resamples=10)["ours"]
    assert [(entry.language, entry.share) for entry in found] == [("sw", 0.5), ("ha", 0.25)]


def test_a_ceiling_of_zero_is_refused() -> None:
    rows = [*rows_of("ours", "sw", [0.5]), *rows_of("English", "sw", [0.0])]
    with pytest.raises(DataError, match="of which nothing can be a share"):
        ceiling_shares(rows, "AP", systems=["ours"], ceiling="English")


def test_the_gap_is_that_of_means_over_languages_with_its_standard_error() -> None:
    generator = np.random.default_rng(1)
    drawn = {name: generator.normal(mean, 0.2, 100) for name, mean in (("fr", 0.8), ("de", 0.6), ("sw", 0.5))}
    rows = [row for name, values in drawn.items() for row in rows_of("ours", name, list(values))]
    found = resource_gap(rows, "AP", system="ours", high=["fr", "de"], low=["sw"])
    assert found.high == pytest.approx((drawn["fr"].mean() + drawn["de"].mean()) / 2)
    assert found.gap == pytest.approx(found.high - drawn["sw"].mean())
    error = np.sqrt((drawn["fr"].var() + drawn["de"].var()) / 400 + drawn["sw"].var() / 100)
    assert found.interval == pytest.approx((found.gap - 1.96 * error, found.gap + 1.96 * error), abs=0.005)


@pytest.mark.parametrize(("high", "low"), [([], ["sw"]), (["sw"], []), (["sw", "ha"], ["sw"])])
def test_languages_of_one_kind_have_no_gap(high: list[str], low: list[str]) -> None:
    with pytest.raises(DataError, match="languages of two kinds"):
        resource_gap(rows_of("ours", "sw", [1.0]), "AP", system="ours", high=high, low=low)


@quick
@given(st.text("abc", min_size=2, max_size=20).filter(lambda order: len({*order}) > 1))
def test_a_list_of_one_level_is_tested_as_scipy_tests_it(order: str) -> None:
    ranks = [[rank for rank, letter in enumerate(order, 1) if letter == kind] for kind in {*order}]
    assert fairness(order) == pytest.approx(stats.kruskal(*ranks).pvalue)


@quick
@given(st.text("abc", min_size=1, max_size=12), st.text("abc", max_size=4), st.integers(1, 12))
def test_fairness_is_a_probability_and_no_language_is_special(order: str, missing: str, cutoff: int) -> None:
    value = fairness(order, missing=missing, cutoff=cutoff)
    assert 0 <= value <= 1
    swap = str.maketrans("abc", "bca")
    assert fairness(order.translate(swap), missing=missing.translate(swap), cutoff=cutoff) == pytest.approx(value)
    assert fairness(order, missing=missing[::-1], cutoff=cutoff) == pytest.approx(value)


def test_mixed_lists_are_fairer_than_one_language_after_the_other() -> None:
    assert fairness("abbaabba") == pytest.approx(1.0)
    assert fairness("abbaabba") > fairness("aababbab") > fairness("aaaabbbb")
    assert fairness("aaaabbbb") < 0.05
    assert fairness("aaaa") == 1.0


def test_what_is_not_found_stands_below_the_cutoff_together() -> None:
    assert fairness("aabb", missing="ab") == pytest.approx(stats.chi2.sf(_statistic([1, 2, 21.5], [3, 4, 21.5]), 1))
    assert fairness("aaaabbbb", cutoff=4) == pytest.approx(stats.chi2.sf(_statistic([1, 2, 3, 4], [6.5] * 4), 1))
    assert fairness("a", missing="b", cutoff=1) < 1  # a language that is not found at all is treated unfairly


def _statistic(*groups: list[float]) -> float:
    pooled = np.concatenate(groups)
    between = sum(len(group) * (np.mean(group) - pooled.mean()) ** 2 for group in groups)
    return (len(pooled) - 1) * between / ((pooled - pooled.mean()) ** 2).sum()


def test_levels_of_relevance_are_tested_apart_and_weighted() -> None:
    levels = dict(zip(range(8), (2, 2, 1, 1, 1, 1, 2, 2), strict=True))
    run = ranked("aaabbabb")
    languages = {result.doc_id: result.doc_id[0] for result in run}
    qrels = [Qrel("q", result.doc_id, levels[rank]) for rank, result in enumerate(run)]
    two = stats.chi2.sf(_statistic([1, 2], [7, 8]), 1)
    one = stats.chi2.sf(_statistic([3, 6], [4, 5]), 1)
    assert list_fairness(qrels, run, languages).mean == pytest.approx((one + two) / 2)
    assert list_fairness(qrels, run, languages, weights={1: 0.25, 2: 0.75}).mean == pytest.approx((one + 3 * two) / 4)


def test_irrelevant_documents_take_part_only_where_they_weigh() -> None:
    run = ranked("aabb")
    languages = {result.doc_id: result.doc_id[0] for result in run}
    assert list_fairness([Qrel("q", "a0", 1)], run, languages).mean == 1.0
    noise = list_fairness([Qrel("q", "a0", 1)], run, languages, weights={0: 1.0}).mean
    assert noise == pytest.approx(stats.chi2.sf(_statistic([2], [3, 4]), 1))


def test_the_mean_is_over_judged_queries_and_an_unanswered_one_counts_nothing() -> None:
    run = [*ranked("ab"), ScoredDoc("unjudged", "a0", 1.0)]
    found = list_fairness([Qrel("q", "a0", 1), Qrel("other", "a0", 1)], run, {"a0": "a", "b1": "b"}, cutoff=5)
    assert [tuple(entry) for entry in found.per_query] == [("q", "PEER@5", 1.0), ("other", "PEER@5", 0.0)]
    assert found.mean == 0.5


def test_what_cannot_be_judged_for_fairness_is_refused() -> None:
    qrels, run = [Qrel("q", "a0", 1)], ranked("ab")
    with pytest.raises(DataError, match="language of every document, got none for 'b1'"):
        list_fairness(qrels, run, {"a0": "a"})
    with pytest.raises(DataError, match="judgments of relevant documents"):
        list_fairness([Qrel("q", "a0", 0)], run, {})
    with pytest.raises(ValueError, match="sum to 1"):
        list_fairness(qrels, run, {}, weights={1: 0.5})
    with pytest.raises(ValueError, match="cutoff must be at least 1"):
        list_fairness(qrels, run, {}, cutoff=0)
