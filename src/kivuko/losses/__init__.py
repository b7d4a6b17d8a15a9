"""Objectives that compare a student's tokens with a teacher's: pure functions, each with a thin module."""

from kivuko.losses.bitext_loss import BitextLoss, MixtureLoss, TokenBatch
from kivuko.losses.scores import ScoresLoss, mean_maxsim, scores_loss
from kivuko.losses.sentence import SentenceLoss, sentence_loss
from kivuko.losses.transport import TransportLoss, transport_loss

__all__ = [
    "BitextLoss",
    "MixtureLoss",
    "ScoresLoss",
    "SentenceLoss",
    "TokenBatch",
    "TransportLoss",
    "mean_maxsim",
    "scores_loss",
    "sentence_loss",
    "transport_loss",
]
