"""What is left to the ceiling in each language, between languages, and between the documents of one ranked list."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from ir_measures import Qrel, ScoredDoc
from numpy.typing import NDArray
from scipy import stats

from kivuko.errors import DataError
from kivuko.evaluation.bootstrap import stratified_interval, stratified_intervals
from kivuko.evaluation.measures import QueryMeasure
from kivuko.evaluation.scores import Score, languages_of, matched, score_matrices
from kivuko.evaluation.significance import Interval

Array = NDArray[np.float64]


class CeilingShare(NamedTuple):
    """How much of the ceiling a system reaches in a language.

    Attributes:
        language: The language.
        mean: Of the system, over queries of the means over seeds.
        ceiling: The same of the ceiling.
        share: mean / ceiling.
        interval: A bootstrap interval of the share, over queries drawn for both together.
    """

    language: str
    mean: float
    ceiling: float
    share: float
    interval: Interval


class ResourceGap(NamedTuple):
    """How far a system is behind in languages with few resources.

    Attributes:
        high: Mean over the high-resource languages of the means over queries.
        low: The same of the low-resource ones.
        gap: high - low.
        interval: A bootstrap interval of the gap, over queries drawn within each language.
    """

    high: float
    low: float
    gap: float
    interval: Interval


class ListFairness(NamedTuple):
    """Whether ranked lists treat the languages of their documents alike.

    Attributes:
        mean: PEER over the queries that have judgments; an unanswered one counts 0.
        per_query: PEER of each of them, in the order of the judgments.
    """

    mean: float
    per_query: Sequence[QueryMeasure]


def ceiling_shares(
    scores: Iterable[Score],
    measure: str,
    *,
    systems: Sequence[str],
    ceiling: str,
    confidence: float = 0.95,
    resamples: int = 10_000,
    seed: int = 0,
) -> dict[str, list[CeilingShare]]:
    """Return for each system, and each language of it, which share of the ceiling it reaches.

    The ceiling is another system of the table that is asked the same queries, such as the teacher with the questions
    in English. The share is a ratio of means: a mean of ratios has no value where the ceiling fails a query.

    Raises:
        DataError: If a system has no scores, queries are not paired, or the ceiling is 0 in a language.

    Example:
        >>> rows = [Score(name, "sw", 0, "q1", "RR@10", value) for name, value in (("ours", 0.5), ("English", 1.0))]
        >>> ceiling_shares(rows, "RR@10", systems=["ours"], ceiling="English")["ours"][0].share
        0.5
    """
    matrices = score_matrices(scores, measure)
    spoken = {system: languages_of(matrices, system) for system in systems}
    found: dict[str, list[CeilingShare]] = {system: [] for system in systems}
    for language in dict.fromkeys(language for languages in spoken.values() for language in languages):
        asked = [system for system in systems if language in spoken[system]]
        pairs = [matched(matrices, system, ceiling, language) for system in asked]
        top = pairs[0][1]
        best = float(top.seed_means.mean())
        if best <= 0:
            raise DataError(f"{ceiling!r} has a {measure} of {best} in {language!r}, of which nothing can be a share.")
        intervals = stratified_intervals(
            [[top.values, *(system.values for system, _ in pairs)]],
            lambda means: [_ratio(mean, means[0]) for mean in means[1:]],
            confidence=confidence,
            resamples=resamples,
            seed=seed,
        )
        for system, (values, _), interval in zip(asked, pairs, intervals, strict=True):
            mean = float(values.seed_means.mean())
            found[system].append(CeilingShare(language, mean, best, mean / best, interval))
    return found


def resource_gap(
    scores: Iterable[Score],
    measure: str,
    *,
    system: str,
    high: Sequence[str],
    low: Sequence[str],
    confidence: float = 0.95,
    resamples: int = 10_000,
    seed: int = 0,
) -> ResourceGap:
    """Return by how much a system is better in languages of many resources than in languages of few.

    Which language belongs where is the caller's to say, for example by the classes of Joshi et al., ACL 2020. Queries
    of two languages are not paired, and may not be equally hard: compare the gap with that of the ceiling.

    Raises:
        DataError: If there is no language on a side, one is on both, or the system has no scores in one.
    """
    if not high or not low or not {*high}.isdisjoint(low):
        raise DataError(f"Expected languages of two kinds, none of both; got {', '.join(high)} and {', '.join(low)}.")
    matrices = score_matrices(scores, measure)
    values = [matched(matrices, system, system, language)[0].values for language in (*high, *low)]

    def gap(means: Sequence[Array]) -> Array:
        return np.asarray(np.mean(means[: len(high)], axis=0) - np.mean(means[len(high) :], axis=0))

    interval = stratified_interval(
        [[matrix] for matrix in values], gap, confidence=confidence, resamples=resamples, seed=seed
    )
    means = [float(matrix.mean()) for matrix in values]
    best, rest = float(np.mean(means[: len(high)])), float(np.mean(means[len(high) :]))
    return ResourceGap(best, rest, best - rest, interval)


def list_fairness(
    qrels: Sequence[Qrel],
    run: Iterable[ScoredDoc],
    languages: Mapping[str, str],
    *,
    cutoff: int = 20,
    weights: Mapping[int, float] | None = None,
) -> ListFairness:
    """Return PEER@cutoff, the Probability of Equal Expected Rank, of ranked lists over documents of several languages.

    For one query and one level of relevance, R_l are the ranks of the documents in language l. If a system is
    fair, the expected rank is the same in every language. The Kruskal-Wallis statistic against that,

        H = (N - 1) sum_l |R_l| (mean(R_l) - mean(R))^2 / sum_l sum_{r in R_l} (r - mean(R))^2,

    has a chi squared distribution with (languages - 1) degrees of freedom, and its p value is that of the level; 1
    where fewer than two languages have a document. PEER = sum over levels of weight * p, from 0 (unfair) to 1 (nothing
    speaks against fairness). Few relevant documents cannot speak against it: compare systems on the same judgments.

    Ranks are those of the whole list to the cut-off, best first, ordered as `evaluate_run` orders. The u relevant
    documents of a level that are not there share the mean of the places below, cutoff + (u + 1) / 2. (The authors'
    package `peer_measure` 0.0.1 counts these places from the number of documents of the level, so that a document not
    found may stand above a found one; where nothing is missing, the values are the same. A level that a query has no
    document of counts p = 1 here and 0 there.)

    Args:
        qrels: The judgments. What is retrieved and not judged has level 0.
        run: The scored documents, in any order.
        languages: The language of each document, by doc_id.
        cutoff: How many results are looked at.
        weights: Of each level of relevance; they sum to 1. By default the positive levels of the judgments weigh alike.

    Raises:
        DataError: If there is no judgment, the language of a document is missing, or no judgment is positive.
        ValueError: If the weights do not sum to 1, one is negative, or the cut-off is not positive.

    Example:
        >>> qrels = [Qrel("q", doc_id, 1) for doc_id in ("sw1", "sw2", "en1", "en2")]
        >>> run = [ScoredDoc("q", doc_id, -rank) for rank, doc_id in enumerate(("sw1", "en1", "en2", "sw2"))]
        >>> list_fairness(qrels, run, {name: name[:2] for name in ("sw1", "sw2", "en1", "en2")}).mean
        1.0

    References:
        Yang, Jänich, Mayfield & Lawrie, "Language Fairness in Multilingual Information Retrieval", SIGIR 2024.
        https://arxiv.org/abs/2405.00978
    """
    if cutoff < 1:
        raise ValueError(f"The cutoff must be at least 1, got {cutoff}.")
    weights = _weights(qrels, weights)
    judged: dict[str, dict[str, int]] = {}
    for qrel in qrels:
        judged.setdefault(qrel.query_id, {})[qrel.doc_id] = qrel.relevance
    results: dict[str, list[ScoredDoc]] = {query_id: [] for query_id in judged}
    for result in run:
        if result.query_id in results:
            results[result.query_id].append(result)
    per_query = [
        QueryMeasure(query_id, f"PEER@{cutoff}", _peer(relevances, results[query_id], languages, cutoff, weights))
        for query_id, relevances in judged.items()
    ]
    return ListFairness(math.fsum(entry.value for entry in per_query) / len(per_query), per_query)


def _peer(
    relevances: Mapping[str, int],
    results: Sequence[ScoredDoc],
    languages: Mapping[str, str],
    cutoff: int,
    weights: Mapping[int, float],
) -> float:
    if not results:
        return 0.0
    ranked = sorted(results, key=lambda result: (np.float32(result.score), result.doc_id), reverse=True)[:cutoff]
    rank = {result.doc_id: place for place, result in enumerate(ranked, 1)}
    levels: dict[int, list[str]] = {}
    for doc_id in dict.fromkeys((*rank, *(doc_id for doc_id, level in relevances.items() if level > 0))):
        if doc_id not in languages:
            raise DataError(f"Expected the language of every document, got none for {doc_id!r}.")
        levels.setdefault(relevances.get(doc_id, 0), []).append(doc_id)
    value = 0.0
    for level, weight in weights.items():
        doc_ids = levels.get(level, [])
        below = cutoff + (sum(doc_id not in rank for doc_id in doc_ids) + 1) / 2
        groups: dict[str, list[float]] = {}
        for doc_id in doc_ids:
            groups.setdefault(languages[doc_id], []).append(rank.get(doc_id, below))
        value += weight * _equal_rank_probability([np.array(ranks, dtype=np.float64) for ranks in groups.values()])
    return value


def _equal_rank_probability(groups: Sequence[Array]) -> float:
    if len(groups) < 2:
        return 1.0
    pooled = np.concatenate(groups)
    spread = float(((pooled - pooled.mean()) ** 2).sum())
    if spread == 0:  # nothing of the level is found: all are last
        return 1.0
    between = sum(len(group) * (group.mean() - pooled.mean()) ** 2 for group in groups)
    return float(stats.chi2.sf((len(pooled) - 1) * between / spread, len(groups) - 1))


def _weights(qrels: Sequence[Qrel], weights: Mapping[int, float] | None) -> Mapping[int, float]:
    positive = sorted({qrel.relevance for qrel in qrels if qrel.relevance > 0})
    if not positive:
        raise DataError("Expected judgments of relevant documents, got none.")
    if weights is None:
        return {level: 1 / len(positive) for level in positive}
    if any(weight < 0 for weight in weights.values()) or not math.isclose(math.fsum(weights.values()), 1):
        raise ValueError(f"The weights of the levels must be at least 0 and sum to 1, got {dict(weights)}.")
    return weights


def _ratio(mean: Array, best: Array) -> Array:
    share = np.full_like(mean, np.inf)  # for a draw of queries that the ceiling fails entirely
    return np.divide(mean, best, out=share, where=best > 0)
