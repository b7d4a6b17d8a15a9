"""Runs and judgments in, measures out."""

from kivuko.evaluation.measures import (
    DEFAULT_MEASURES,
    Measures,
    QueryMeasure,
    evaluate_run,
    parse_measures,
    required_depth,
)
from kivuko.evaluation.retrieval import RetrievalEvaluation, evaluate_retrieval

__all__ = [
    "DEFAULT_MEASURES",
    "Measures",
    "QueryMeasure",
    "RetrievalEvaluation",
    "evaluate_retrieval",
    "evaluate_run",
    "parse_measures",
    "required_depth",
]
