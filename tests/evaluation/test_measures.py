import re
import subprocess
import sys

import numpy as np
import pytest
import pytrec_eval
from hypothesis import given
from hypothesis import strategies as st
from ir_measures import Qrel, ScoredDoc

from kivuko.evaluation.measures import QueryMeasure, evaluate_run, parse_measures, required_depth

# Few distinct scores, so that ties are common, and one pair that differs in double precision only.
SCORES = [0.0, 1.0, 1.0 + 1e-12, 2.0]
judgments = st.dictionaries(
    st.sampled_from(["q1", "q2", "q3"]),
    st.dictionaries(st.sampled_from(["d1", "d10", "d2", "d3", "d4"]), st.integers(0, 3), min_size=1),
    min_size=1,
)
runs = st.dictionaries(
    st.sampled_from(["q1", "q2", "q3", "q4"]),
    st.dictionaries(st.sampled_from(["d1", "d10", "d2", "d3", "d4", "d5"]), st.sampled_from(SCORES), min_size=1),
)


@given(judgments=judgments, run=runs, order=st.randoms(use_true_random=False))
def test_measures_are_those_of_trec_eval(
    judgments: dict[str, dict[str, int]], run: dict[str, dict[str, float]], order: object
) -> None:
    evaluator = pytrec_eval.RelevanceEvaluator(judgments, {"ndcg_cut_2", "recip_rank", "recall_2", "map"})
    expected = evaluator.evaluate(run)
    qrels = [Qrel(q, d, relevance) for q, judged in judgments.items() for d, relevance in judged.items()]
    results = [ScoredDoc(q, d, score) for q, found in run.items() for d, score in found.items()]
    order.shuffle(results)
    found = evaluate_run(qrels, results, parse_measures("nDCG@2 RR@6 R@2 AP"))
    names = {"nDCG@2": "ndcg_cut_2", "RR@6": "recip_rank", "R@2": "recall_2", "AP": "map"}
    for query_id, measure, value in found.per_query:
        assert value == pytest.approx(expected.get(query_id, {}).get(names[measure], 0.0)), (query_id, measure)
    for measure, mean in found.mean.items():
        assert mean == pytest.approx(np.mean([value for _, name, value in found.per_query if name == measure]))
    assert found.queries == len(judgments)
    assert found.unanswered == len(judgments.keys() - run.keys())
    assert found.unjudged == len(run.keys() - judgments.keys())


def test_a_cutoff_hides_what_lies_below_it() -> None:
    run = [ScoredDoc("q", f"d{rank}", -rank) for rank in range(12)]
    found = evaluate_run([Qrel("q", "d10", 1)], run, parse_measures("RR@10 RR@11 RR"))
    assert found.mean == pytest.approx({"RR@10": 0, "RR@11": 1 / 11, "RR": 1 / 11})


def test_every_measure_sees_ties_in_the_same_order() -> None:
    run = [ScoredDoc("q", "a", 1.0), ScoredDoc("q", "b", 1.0)]
    found = evaluate_run([Qrel("q", "b", 1)], run, parse_measures("RR RR@10 nDCG@10 AP"))
    assert set(found.mean.values()) == {1.0}


def test_values_stand_query_by_query_and_unanswered_queries_count_as_zero() -> None:
    qrels = [Qrel("q2", "d", 1), Qrel("q1", "d", 1)]
    found = evaluate_run(qrels, [ScoredDoc("q1", "d", 1.0), ScoredDoc("q9", "d", 1.0)], parse_measures("AP RR@10"))
    assert found.per_query == [
        QueryMeasure("q2", "AP", 0.0),
        QueryMeasure("q2", "RR@10", 0.0),
        QueryMeasure("q1", "AP", 1.0),
        QueryMeasure("q1", "RR@10", 1.0),
    ]
    assert found.mean == {"AP": 0.5, "RR@10": 0.5}
    assert (found.queries, found.unanswered, found.unjudged) == (2, 1, 1)


def test_an_empty_run_is_worth_nothing() -> None:
    assert evaluate_run([Qrel("q", "d", 1)], [], parse_measures("AP")).mean == {"AP": 0.0}


def test_no_judgment_and_repeated_documents_are_refused() -> None:
    twice = [ScoredDoc("q", "d", 1.0), ScoredDoc("q", "d", 2.0)]
    with pytest.raises(ValueError, match="'d' twice for query 'q'"):
        evaluate_run([Qrel("q", "d", 1)], twice, parse_measures("AP"))
    with pytest.raises(ValueError, match="no judgment"):
        evaluate_run([], twice, parse_measures("AP"))


def test_aliases_become_the_names_of_ir_measures_and_repetitions_go() -> None:
    assert [str(measure) for measure in parse_measures("MRR@10 RR@10  MAP NDCG@5 P(rel=2,judged_only=True)@5")] == [
        "RR@10",
        "AP",
        "nDCG@5",
        "P(rel=2,judged_only=True)@5",
    ]


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ("nDCG@10 ndgc@10", "Unknown measure 'ndgc@10'. Did you mean nDCG?"),
        ("recal@100", "Did you mean R?"),
        ("R", "'R' is malformed"),
        ("nDCG@ten", "'nDCG@ten' is malformed"),
        ("nDCG@0", "cutoff of 'nDCG@0' must be at least 1"),
        ("P(2)@5", "malformed: parameters are written name=value"),
        ("P(rel=2", "Expected a measure such as nDCG@10"),
        ("P(rell=2)@5", "malformed: unsupported params"),
        ("P(rel=__import__('os').getpid())@5", "malformed"),
        ("nDCG@10,RR@10", "'nDCG@10,RR@10' is malformed"),
        (" ", "got none"),
    ],
)
def test_unknown_and_malformed_measures_are_refused(names: str, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        parse_measures(names)


@pytest.mark.parametrize(("names", "depth"), [("RR@10 nDCG@20", 20), ("R@100", 100), ("RR@10 AP", 1_000)])
def test_the_required_depth_is_the_largest_cutoff(names: str, depth: int) -> None:
    assert required_depth(parse_measures(names)) == depth


def test_measures_load_no_model_library() -> None:
    code = (
        "import importlib.util, pathlib, sys, kivuko\n"
        "path = pathlib.Path(kivuko.__file__).parent / 'evaluation' / 'measures.py'\n"
        "spec = importlib.util.spec_from_file_location('measures', path)\n"
        "module = sys.modules['measures'] = importlib.util.module_from_spec(spec)\n"
        "spec.loader.exec_module(module)\n"
        "assert not {'torch', 'transformers', 'kivuko.errors'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
