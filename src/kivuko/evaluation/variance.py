"""Analysis of variance over systems, languages, queries and seeds: does the choice of a system matter at all?

The data are the seed means of each query, a table of queries by systems in each language. Queries belong to one
language, so that systems are compared within queries and languages between them.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from kivuko.errors import DataError
from kivuko.evaluation.scores import Score, ScoreMatrix, languages_of, matched, score_matrices

_TINY = 1e-20  # sums of squares of rounding

Array = NDArray[np.float64]


class Effect(NamedTuple):
    """One line of an analysis of variance.

    Attributes:
        name: `system`, `language` or `system x language`.
        sum_of_squares: What it explains.
        df: Its degrees of freedom.
        error_df: Those of the error that it is measured with.
        f: The F ratio.
        p_value: Of "no effect"; corrected by `epsilon`.
        partial_eta_squared: The share that it explains of itself and its error.
        epsilon: What both degrees of freedom are multiplied with (Greenhouse & Geisser); 1 where none is needed.
    """

    name: str
    sum_of_squares: float
    df: float
    error_df: float
    f: float
    p_value: float
    partial_eta_squared: float
    epsilon: float


class Coefficient(NamedTuple):
    """A fixed effect: how much better than the reference, with a 95% Wald interval."""

    name: str
    estimate: float
    standard_error: float
    p_value: float
    low: float
    high: float


class MixedModel(NamedTuple):
    """A linear mixed model with a random intercept for each query.

    Attributes:
        coefficients: The intercept, then systems against the reference system, then languages against the first.
        query_variance: Variance of the intercepts: how much harder some queries are.
        residual_variance: Variance of what is left.
        system_p: Wald test of "all systems are the same".
        queries: Number of queries.
    """

    coefficients: Sequence[Coefficient]
    query_variance: float
    residual_variance: float
    system_p: float
    queries: int

    @property
    def intraclass_correlation(self) -> float:
        """The share of the variance that is the query's, whatever the system."""
        total = self.query_variance + self.residual_variance
        return self.query_variance / total if total > 0 else 0.0


def query_anova(scores: Iterable[Score], measure: str) -> Sequence[Effect]:
    """Analyse systems (within queries) and languages (between queries) together: a split-plot design.

    With y_qs the seed mean of query q, of language l(q), by system s of S, and z_qs = y_qs - mean_s(y_qs):

        system               sum_s N mean_q(z_qs)^2                              df S - 1
        system x language    sum_ls n_l mean_{q in l}(z_qs)^2 - system           df (S - 1)(L - 1)
          error within       sum_qs z_qs^2 - both                                df (S - 1)(N - L)
        language             S sum_l n_l (y_l - y)^2                             df L - 1
          error between      S sum_q (y_q - y_l(q))^2                            df N - L

    Systems differ in variance and some are alike (two students of one teacher), so F within queries is tested with
    Greenhouse & Geisser's degrees of freedom. With unequal n_l, `system` is of the average query.

    Raises:
        DataError: If there are fewer than two systems, systems differ in languages or queries, every language has but
            one query, or the measure has no scores.

    References:
        Tague-Sutcliffe & Blustein, "A Statistical Analysis of the TREC-3 Data", TREC-3 (1994), for systems by queries.
        Greenhouse & Geisser, "On Methods in the Analysis of Profile Data", Psychometrika 24 (1959).
    """
    _, _, tables = _tables(score_matrices(scores, measure))
    sizes = np.array([len(table) for table in tables])
    systems, languages, queries = tables[0].shape[1], len(tables), int(sizes.sum())
    _more_than_one_query(queries, languages)
    within = [table - table.mean(axis=1, keepdims=True) for table in tables]
    centers = np.array([table.mean(axis=0) for table in within])
    total = sum(float((table**2).sum()) for table in within)
    cells = float((sizes[:, None] * centers**2).sum())
    system = float(queries * (np.average(centers, axis=0, weights=sizes) ** 2).sum())
    residuals = np.concatenate([table - center for table, center in zip(within, centers, strict=True)])
    epsilon = _greenhouse_geisser(residuals.T @ residuals)
    error, error_df = max(total - cells, 0.0), (systems - 1) * (queries - languages)
    effects = [_effect("system", system, systems - 1, error, error_df, epsilon)]
    if languages > 1:
        rows = [table.mean(axis=1) for table in tables]
        grand = np.concatenate(rows).mean()
        between = systems * float((sizes * (np.array([row.mean() for row in rows]) - grand) ** 2).sum())
        rest = systems * sum(float(((row - row.mean()) ** 2).sum()) for row in rows)
        effects.append(_effect("language", between, languages - 1, rest, queries - languages, 1.0))
        df = (systems - 1) * (languages - 1)
        effects.append(_effect("system x language", max(cells - system, 0.0), df, error, error_df, epsilon))
    return effects


def seed_anova(scores: Iterable[Score], measure: str, *, systems: Sequence[str] | None = None) -> Sequence[Effect]:
    """Analyse runs: is what systems differ by larger than what training again changes?

    The data are the means over queries of each run, one for each system, language and seed; the error is the variance
    between seeds in a cell. Two-way analysis of variance with interaction, sums of squares of type II.

    Args:
        scores: Rows of the tidy table.
        measure: A measure of the table.
        systems: Trained systems; by default all with two or more seeds somewhere. A system without randomness has no
            variance between seeds and does not belong here.

    Raises:
        DataError: If fewer than two systems have two seeds, or they differ in languages.

    References:
        Fisher, "Statistical Methods for Research Workers", 1925; Yates, JASA 29 (1934), for type II.
    """
    matrices = score_matrices(scores, measure)
    seeded = dict.fromkeys(name for (name, _), matrix in matrices.items() if len(matrix.seeds) > 1)
    chosen = list(systems if systems is not None else seeded)
    if len(chosen) < 2 or not {*chosen} <= {*seeded}:
        raise DataError(f"Expected two or more systems with two or more seeds, got {', '.join(chosen) or 'none'}.")
    names, languages = _names({key: matrix for key, matrix in matrices.items() if key[0] in chosen})
    runs = [
        (row, column, mean)
        for row, name in enumerate(names)
        for column, language in enumerate(languages)
        for mean in matrices[name, language].values.mean(axis=0)
    ]
    rows, columns, values = (np.array(entries) for entries in zip(*runs, strict=True))
    one = np.ones((len(values), 1))
    system = np.eye(len(names))[rows][:, 1:]
    language = np.eye(len(languages))[columns][:, 1:]
    both = (system[:, :, None] * language[:, None, :]).reshape(len(values), -1)
    additive = _residual(values, one, system, language)
    error = _residual(values, one, system, language, both)
    error_df = len(values) - len(names) * len(languages)
    df, language_df = len(names) - 1, len(languages) - 1
    effects = [_effect("system", _residual(values, one, language) - additive, df, error, error_df, 1.0)]
    if language_df:
        explained = _residual(values, one, system) - additive
        effects.append(_effect("language", explained, language_df, error, error_df, 1.0))
        effects.append(_effect("system x language", additive - error, df * language_df, error, error_df, 1.0))
    return effects


def mixed_model(scores: Iterable[Score], measure: str, *, reference: str) -> MixedModel:
    """Fit y_qs = mu + system_s + language_l(q) + b_q + e_qs with b_q ~ N(0, v), e_qs ~ N(0, w), by REML.

    The random intercept b_q takes up that some queries are harder for everybody. Seeds are averaged before, since
    three seeds of one system are not three systems. Whether a system's lead differs between languages is asked by
    `query_anova`.

    Every system answers every query, and then restricted likelihood needs no search: the means of queries and what
    systems differ by within them are independent, and each has its own variance, S v + w and w,

        w = sum_qs (y_qs - y_q - y_s + y)^2 / ((N - 1)(S - 1)),    S v + w = S sum_q (y_q - y_l(q))^2 / (N - L),

    where v is not negative; otherwise v = 0, and w is their sum of squares over their degrees of freedom together.

    Args:
        scores: Rows of the tidy table.
        measure: A measure of the table.
        reference: The system that the others are compared with.

    Raises:
        DataError: As `query_anova`, or if the reference has no scores.

    References:
        Laird & Ware, "Random-Effects Models for Longitudinal Data", Biometrics 38 (1982). Searle, Casella & McCulloch,
        "Variance Components", 1992, section 3.8, for balanced data. Robertson & Kanoulas, "On Per-topic Variance in IR
        Evaluation", SIGIR 2012, for such models of retrieval.
    """
    matrices = score_matrices(scores, measure)
    languages_of(matrices, reference)
    names, languages, tables = _tables(matrices)
    values, sizes = np.concatenate(tables), np.array([len(table) for table in tables])
    queries, systems = values.shape
    _more_than_one_query(queries, len(tables))
    rows = [table.mean(axis=1) for table in tables]
    centers = np.array([row.mean() for row in rows])
    leads = values.mean(axis=0) - values.mean()
    within = float(((values - values.mean(axis=1, keepdims=True) - leads) ** 2).sum())
    between = systems * sum(float(((row - center) ** 2).sum()) for row, center in zip(rows, centers, strict=True))
    within_df, between_df = (queries - 1) * (systems - 1), queries - len(tables)
    residual, total = within / within_df, between / between_df
    if total < residual:
        residual = total = (within + between) / (within_df + between_df)
    first = names.index(reference)
    level = total / systems / sizes  # variance of the mean over a language's queries
    terms = [("intercept", centers[0] + leads[first], level[0] + residual * (1 - 1 / systems) / queries)]
    terms += [
        (name, leads[place] - leads[first], 2 * residual / queries)
        for place, name in enumerate(names)
        if name != reference
    ]
    terms += [
        (name, centers[place] - centers[0], level[place] + level[0])
        for place, name in enumerate(languages[1:], start=1)
    ]
    spread = queries * float((leads**2).sum())
    return MixedModel(
        coefficients=[_wald(name, float(estimate), math.sqrt(variance)) for name, estimate, variance in terms],
        query_variance=(total - residual) / systems,
        residual_variance=residual,
        system_p=float(stats.chi2.sf(spread / residual, systems - 1)) if residual > _TINY else float(spread <= _TINY),
        queries=queries,
    )


def _wald(name: str, estimate: float, error: float) -> Coefficient:
    p_value = float(2 * stats.norm.sf(abs(estimate) / error)) if error > _TINY else float(abs(estimate) <= _TINY)
    reach = float(stats.norm.ppf(0.975)) * error
    return Coefficient(name, estimate, error, p_value, estimate - reach, estimate + reach)


def _more_than_one_query(queries: int, languages: int) -> None:
    if queries <= languages:
        raise DataError("Expected more than one query in some language: the differences between queries are the error.")


def _names(matrices: Mapping[tuple[str, str], ScoreMatrix]) -> tuple[list[str], list[str]]:
    names = list(dict.fromkeys(name for name, _ in matrices))
    languages = list(dict.fromkeys(language for _, language in matrices))
    if len(names) < 2:
        raise DataError(f"Expected two or more systems to compare, got {', '.join(names)}.")
    for name in names:
        for language in languages:
            matched(matrices, name, names[0], language)
    return names, languages


def _tables(matrices: Mapping[tuple[str, str], ScoreMatrix]) -> tuple[list[str], list[str], list[Array]]:
    names, languages = _names(matrices)
    tables = [np.column_stack([matrices[name, language].seed_means for name in names]) for language in languages]
    return names, languages, tables


def _greenhouse_geisser(covariance: Array) -> float:
    """Epsilon = tr(V)^2 / ((S - 1) tr(V^2)) of the doubly centered covariance V; between 1 / (S - 1) and 1."""
    trace, squares = np.trace(covariance), float((covariance**2).sum())
    return float(trace**2 / ((len(covariance) - 1) * squares)) if squares > 0 else 1.0


def _residual(values: Array, *columns: Array) -> float:
    design = np.column_stack(columns)
    rest = values - design @ np.linalg.lstsq(design, values, rcond=None)[0]
    return float(rest @ rest)


def _effect(name: str, squares: float, df: float, error: float, error_df: float, epsilon: float) -> Effect:
    if error <= _TINY:
        f, p_value = (np.inf, 0.0) if squares > _TINY else (0.0, 1.0)
    else:
        f = (squares / df) / (error / error_df)
        p_value = float(stats.f.sf(f, epsilon * df, epsilon * error_df))
    share = squares / (squares + error) if squares > _TINY else 0.0
    return Effect(name, squares, df, error_df, f, p_value, share, epsilon)
