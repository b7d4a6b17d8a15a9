"""Parallel text judged by a student and its teacher: which pairs are good, and which sentences are pairs at all."""

from kivuko.curation.filtering import Filter, Filtered, pairs_of, rejected_path, write_scored
from kivuko.curation.quality import PairQuality, QualityScorer, Weights

__all__ = [
    "Filter",
    "Filtered",
    "PairQuality",
    "QualityScorer",
    "Weights",
    "pairs_of",
    "rejected_path",
    "write_scored",
]
