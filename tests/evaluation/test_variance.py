import numpy as np
import pandas
import pytest
from scipy import stats
from statsmodels.formula.api import ols
from statsmodels.regression.mixed_linear_model import MixedLM
from statsmodels.stats.anova import anova_lm

from kivuko.errors import DataError
from kivuko.evaluation.scores import Score
from kivuko.evaluation.variance import mixed_model, query_anova, seed_anova

SYSTEMS = ("bm25", "sentence", "transport")


def table(seed: int, *, queries: dict[str, int], seeds: int = 1, gain: float = 0.3, spread: float = 1.0) -> list[Score]:
    """Draw scores: hard and easy queries, a gain from system to system, a difference between languages, noise."""
    generator = np.random.default_rng(seed)
    return [
        Score(system, language, trial, f"q{query}", "AP", value + gain * rank + 0.1 * place + generator.normal(0, 0.3))
        for place, (language, count) in enumerate(queries.items())
        for query, value in enumerate(generator.normal(0, spread, count))
        for rank, system in enumerate(SYSTEMS)
        for trial in range(seeds)
    ]


def frame(rows: list[Score]) -> pandas.DataFrame:
    data = pandas.DataFrame(rows)
    data["query"] = data.language + data.query_id
    return data.groupby(["system", "language", "query"], sort=False, as_index=False).value.mean()


@pytest.mark.filterwarnings("ignore:The design matrix is rank-deficient")  # queries are nested in languages
@pytest.mark.parametrize("queries", [{"sw": 12, "ha": 12}, {"sw": 15, "ha": 6, "yo": 9}])
def test_the_analysis_within_queries_is_that_of_least_squares_with_query_blocks(queries: dict[str, int]) -> None:
    rows = table(1, queries=queries, seeds=2)
    found = {effect.name: effect for effect in query_anova(rows, "AP")}
    data = frame(rows)
    models = ["C(query)", "C(query) + C(system)", "C(query) + C(system) + C(system):C(language)"]
    fits = [ols(f"value ~ {model}", data).fit() for model in models]
    for name, small, large in (("system", fits[0], fits[1]), ("system x language", fits[1], fits[2])):
        squares, df = small.ssr - large.ssr, small.df_resid - large.df_resid
        effect = found[name]
        assert effect.sum_of_squares == pytest.approx(squares)
        assert (effect.df, effect.error_df) == (df, fits[2].df_resid)
        assert effect.f == pytest.approx((squares / df) / fits[2].mse_resid)
        assert effect.p_value == pytest.approx(
            stats.f.sf(effect.f, effect.epsilon * df, effect.epsilon * fits[2].df_resid)
        )


def test_the_analysis_between_queries_is_that_of_their_means() -> None:
    rows = table(2, queries={"sw": 14, "ha": 8})
    data = frame(rows).groupby(["query", "language"], as_index=False).value.mean()
    expected = anova_lm(ols("value ~ C(language)", data).fit()).loc["C(language)"]
    effect = next(effect for effect in query_anova(rows, "AP") if effect.name == "language")
    assert (effect.f, effect.p_value, effect.epsilon) == pytest.approx((expected.F, expected["PR(>F)"], 1))


def test_two_systems_in_one_language_are_a_paired_t_test() -> None:
    rows = [row for row in table(3, queries={"sw": 20}) if row.system != "bm25"]
    values = {name: np.array([row.value for row in rows if row.system == name]) for name in SYSTEMS[1:]}
    differences = values["transport"] - values["sentence"]
    [effect] = query_anova(rows, "AP")
    assert effect.f == pytest.approx((differences.mean() / (differences.std(ddof=1) / np.sqrt(20))) ** 2)
    assert effect.epsilon == pytest.approx(1)


def test_epsilon_falls_where_one_system_varies_alone() -> None:
    rows = table(4, queries={"sw": 200})
    [even] = query_anova(rows, "AP")
    generator = np.random.default_rng(4)
    wild = [row._replace(value=row.value + generator.normal(0, 9) * (row.system == "bm25")) for row in rows]
    [uneven] = query_anova(wild, "AP")
    assert even.epsilon > 0.97
    assert 0.5 <= uneven.epsilon < 0.51  # 1 / (S - 1) at the least


def test_runs_are_analysed_as_by_statsmodels_also_with_unequal_seeds() -> None:
    rows = table(5, queries={"sw": 10, "ha": 10}, seeds=4)
    rows = [row for row in rows if not (row.system == "transport" and row.language == "ha" and row.seed == 3)]
    data = pandas.DataFrame(rows).groupby(["system", "language", "seed"], as_index=False).value.mean()
    lines = anova_lm(ols("value ~ C(system) * C(language)", data).fit(), typ=2)
    found = seed_anova(rows, "AP")
    for effect, line in zip(found, ("C(system)", "C(language)", "C(system):C(language)"), strict=True):
        expected = lines.loc[line]
        assert (effect.sum_of_squares, effect.df, effect.f, effect.p_value) == pytest.approx(
            (expected.sum_sq, expected.df, expected.F, expected["PR(>F)"]), rel=1e-6, abs=1e-9
        )
        assert effect.error_df == lines.loc["Residual"].df


def test_systems_without_seeds_stay_out_of_the_analysis_of_runs() -> None:
    rows = [row for row in table(6, queries={"sw": 5}, seeds=3) if row.system != "bm25" or row.seed == 0]
    [effect] = seed_anova(rows, "AP")
    assert (effect.df, effect.error_df) == (1, 4)
    with pytest.raises(DataError, match="two or more systems with two or more seeds, got bm25, transport"):
        seed_anova(rows, "AP", systems=["bm25", "transport"])


@pytest.mark.parametrize("queries", [{"sw": 60, "ha": 50}, {"sw": 9, "ha": 30, "yo": 14}])
def test_the_mixed_model_is_that_of_statsmodels(queries: dict[str, int]) -> None:
    rows = table(7, queries=queries)
    found = mixed_model(rows, "AP", reference="bm25")
    expected = MixedLM.from_formula(
        "value ~ C(system) + C(language, Treatment('sw'))", frame(rows), groups="query"
    ).fit(method="bfgs", gtol=1e-9)
    names = [coefficient.name for coefficient in found.coefficients]
    assert names == ["intercept", "sentence", "transport", *list(queries)[1:]]
    count = len(names)
    for place, theirs in (
        (1, expected.fe_params),
        (2, expected.bse[:count]),
        (3, expected.pvalues[:count]),
        (4, expected.conf_int()[0][:count]),
        (5, expected.conf_int()[1][:count]),
    ):
        assert [row[place] for row in found.coefficients] == pytest.approx(list(theirs), rel=1e-3, abs=1e-5)
    assert found.query_variance == pytest.approx(float(expected.cov_re.iloc[0, 0]), rel=1e-3)
    assert found.residual_variance == pytest.approx(float(expected.scale), rel=1e-3)
    wald = expected.wald_test(np.eye(len(expected.params))[1:3], scalar=True)
    assert found.system_p == pytest.approx(float(wald.pvalue), rel=0.01, abs=1e-12)


def test_the_mixed_model_finds_what_was_drawn() -> None:
    found = mixed_model(table(7, queries={"sw": 60, "ha": 50}), "AP", reference="bm25")
    assert found.system_p < 1e-6
    assert found.residual_variance == pytest.approx(0.09, rel=0.25)
    assert found.intraclass_correlation == pytest.approx(1 / 1.09, abs=0.05)
    transport = found.coefficients[2]
    assert transport.low < 0.6 < transport.high


@pytest.mark.filterwarnings("ignore")  # statsmodels: the variance is on its boundary
def test_queries_that_are_equally_hard_have_no_variance() -> None:
    even = [row._replace(value=round(row.value, 3)) for row in table(8, queries={"sw": 40}, spread=0.0)]
    found = mixed_model(even, "AP", reference="bm25")
    expected = MixedLM.from_formula("value ~ C(system)", frame(even), groups="query").fit()
    assert found.intraclass_correlation == pytest.approx(
        expected.cov_re.iloc[0, 0] / (expected.cov_re.iloc[0, 0] + expected.scale), abs=1e-3
    )
    opposed = [
        row._replace(value=-row.value * (-1) ** SYSTEMS.index(row.system)) for row in table(9, queries={"sw": 9})
    ]
    assert mixed_model(opposed, "AP", reference="bm25").query_variance == 0.0


def test_the_mixed_model_of_identical_systems_is_certain_of_nothing() -> None:
    same = [row._replace(system=name) for row in table(9, queries={"sw": 5}) if row.system == "bm25" for name in "ab"]
    found = mixed_model(same, "AP", reference="a")
    assert (found.system_p, found.coefficients[1].p_value, found.residual_variance) == (1.0, 1.0, pytest.approx(0))


def test_identical_systems_have_no_effect() -> None:
    rows = [
        row._replace(system=name)
        for row in table(9, queries={"sw": 5, "ha": 5})
        if row.system == "bm25"
        for name in "ab"
    ]
    effects = {effect.name: effect for effect in query_anova(rows, "AP")}
    assert (effects["system"].f, effects["system"].p_value) == (0.0, 1.0)
    assert 0 < effects["language"].p_value <= 1


def test_too_little_is_refused() -> None:
    rows = table(10, queries={"sw": 4, "ha": 1})
    with pytest.raises(DataError, match="two or more systems to compare, got bm25"):
        query_anova([row for row in rows if row.system == "bm25"], "AP")
    with pytest.raises(DataError, match="more than one query"):
        query_anova([row for row in rows if row.language == "ha"], "AP")
    with pytest.raises(DataError, match="more than one query"):
        mixed_model([row for row in rows if row.language == "ha"], "AP", reference="bm25")
    with pytest.raises(DataError, match="no scores of 'bm25' in 'ha'"):
        query_anova([row for row in rows if (row.system, row.language) != ("bm25", "ha")], "AP")
    with pytest.raises(DataError, match="no scores of 'dense'"):
        mixed_model(rows, "AP", reference="dense")
