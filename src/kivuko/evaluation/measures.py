"""Measures of retrieval: names in, numbers out, by ir_measures on one order of the results."""

import ast
import difflib
import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import ir_measures
import numpy as np
from ir_measures import Qrel, ScoredDoc
from ir_measures.measures import Measure, registry

DEFAULT_MEASURES = "nDCG@10 RR@10 R@100 AP"
FULL_DEPTH = 1_000  # trec_eval's customary depth of a run, for measures without a cutoff

_NAME = re.compile(r"(?P<name>\w+)(?:\((?P<parameters>.*)\))?(?:@(?P<cutoff>.+))?")


class QueryMeasure(NamedTuple):
    """The value of one measure for one query."""

    query_id: str
    measure: str
    value: float


@dataclass(frozen=True, slots=True)
class Measures:
    """What a run is worth.

    Attributes:
        mean: For each measure its mean over the judged queries, found or not.
        per_query: Query by query in the order of the judgments, measure by measure in the order asked for.
        queries: Number of judged queries.
        unanswered: How many of them have no result in the run; they count as 0.
        unjudged: How many queries of the run have no judgment; they are left out.
    """

    mean: Mapping[str, float]
    per_query: Sequence[QueryMeasure]
    queries: int
    unanswered: int
    unjudged: int


def parse_measures(names: str) -> list[Measure]:
    """Read measures as ir_measures writes them, separated by white space.

    Its aliases are understood too, so MRR@10 is RR@10 and MAP is AP.

    Raises:
        ValueError: If a measure is unknown or malformed.

    Example:
        >>> parse_measures("nDCG@10 MRR@10 MAP P(rel=2)@5")
        [nDCG@10, RR@10, AP, P(rel=2)@5]
    """
    measures = list(dict.fromkeys(_parse(name) for name in names.split()))
    if not measures:
        raise ValueError(f"Expected measures such as {DEFAULT_MEASURES!r}, got none.")
    return measures


def required_depth(measures: Iterable[Measure]) -> int:
    """Return how many results a query needs: the largest cutoff, or 1,000 where a measure has none.

    Example:
        >>> required_depth(parse_measures("nDCG@10 R@100")), required_depth(parse_measures("RR@10 AP"))
        (100, 1000)
    """
    return max(int(measure.params.get("cutoff", FULL_DEPTH)) for measure in measures)


def evaluate_run(qrels: Sequence[Qrel], run: Iterable[ScoredDoc], measures: Sequence[Measure]) -> Measures:
    """Measure a run against judgments.

    Results are ordered as trec_eval orders them: by falling score in single precision, equal ones by falling doc_id.
    ir_measures hands different measures to different evaluators, which break ties each in its own way; here they are
    all given that one order.

    Args:
        qrels: The judgments.
        run: The scored documents, in any order.
        measures: What to measure.

    Raises:
        ValueError: If there is no judgment, or a document comes twice for the same query.

    Example:
        >>> qrels = [Qrel("q1", "d1", 1), Qrel("q2", "d2", 1)]
        >>> dict(evaluate_run(qrels, [ScoredDoc("q1", "d1", 0.5)], parse_measures("RR@10")).mean)
        {'RR@10': 0.5}
    """
    judged = dict.fromkeys(qrel.query_id for qrel in qrels)
    if not judged:
        raise ValueError("There is no judgment to evaluate with.")
    results: dict[str, list[ScoredDoc]] = {}
    for result in run:
        results.setdefault(result.query_id, []).append(result)
    ordered = [result for query_id in judged for result in _in_order(results.get(query_id, []))]
    values = ir_measures.iter_calc(measures, qrels, ordered)
    by_query = {(value.query_id, str(value.measure)): float(value.value) for value in values}
    names = [str(measure) for measure in measures]
    return Measures(
        mean={name: math.fsum(by_query[query_id, name] for query_id in judged) / len(judged) for name in names},
        per_query=[QueryMeasure(query_id, name, by_query[query_id, name]) for query_id in judged for name in names],
        queries=len(judged),
        unanswered=len(judged.keys() - results.keys()),
        unjudged=len(results.keys() - judged.keys()),
    )


def _in_order(results: Sequence[ScoredDoc]) -> list[ScoredDoc]:
    """Replace scores by falling whole numbers, which leave nothing to break ties over."""
    repeated = [doc_id for doc_id, count in Counter(result.doc_id for result in results).items() if count > 1]
    if repeated:
        raise ValueError(f"The run returns {repeated[0]!r} twice for query {results[0].query_id!r}.")
    ranked = sorted(results, key=lambda result: (np.float32(result.score), result.doc_id), reverse=True)
    return [ScoredDoc(result.query_id, result.doc_id, -rank) for rank, result in enumerate(ranked)]


def _parse(name: str) -> Measure:
    # Not ir_measures.parse_measure: it rests on ast.Num, which Python 3.14 has no more.
    match = _NAME.fullmatch(name)
    if match is None:
        raise ValueError(f"Expected a measure such as nDCG@10 or P(rel=2)@5, got {name!r}.")
    kind = registry.get(match["name"])
    if kind is None:
        known = {entry.lower(): entry for entry in registry}
        nearest = difflib.get_close_matches(match["name"].lower(), known, n=1, cutoff=0)[0]
        raise ValueError(f"Unknown measure {name!r}. Did you mean {registry[known[nearest]].NAME}?")
    try:
        parameters = _parameters(match["parameters"] or "")
        if match["cutoff"] is not None:
            parameters[kind.AT_PARAM] = ast.literal_eval(match["cutoff"])
        measure: Measure = kind(**parameters)
        measure.validate_params()  # type: ignore[no-untyped-call]  # by assertions
    except (AssertionError, SyntaxError, ValueError, TypeError) as error:
        raise ValueError(f"The measure {name!r} is malformed: {error}.") from None
    if measure.params.get("cutoff", 1) < 1:
        raise ValueError(f"The cutoff of {name!r} must be at least 1.")
    if not ir_measures.DefaultPipeline.supports(measure):  # type: ignore[no-untyped-call]
        raise ValueError(f"The measure {name!r} needs a package that is not installed; see ir_measures.")
    return measure


def _parameters(text: str) -> dict[str, Any]:
    call = ast.parse(f"f({text})", mode="eval").body
    if not isinstance(call, ast.Call) or call.args:
        raise SyntaxError("parameters are written name=value")
    return {str(keyword.arg): ast.literal_eval(keyword.value) for keyword in call.keywords}
