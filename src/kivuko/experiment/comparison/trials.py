"""Hyper-parameters to try, and what a system makes of them."""

from collections.abc import Sequence
from typing import Any

from pydantic import Field

from kivuko.config import Frozen, ObjectiveConfig, TrainingConfig


class Trial(Frozen):
    """Hyper-parameters to try; what is not given stays as it is.

    Attributes:
        learning_rate: Of the body.
        embedding_learning_rate: Of the word embeddings.
        epsilon: Of transport.
        temperature: Of scores.
        margin: Of the triplet loss.
    """

    learning_rate: float | None = Field(default=None, ge=0, le=1)
    embedding_learning_rate: float | None = Field(default=None, ge=0, le=1)
    epsilon: float | None = Field(default=None, gt=0, le=10)
    temperature: float | None = Field(default=None, gt=0, le=10)
    margin: float | None = Field(default=None, gt=0, le=2)

    def label(self) -> str:
        """Return what is tried, for tables."""
        return ", ".join(f"{key} {value:g}" for key, value in self.model_dump(exclude_none=True).items()) or "as given"


def with_trial(
    training: TrainingConfig, objectives: Sequence[ObjectiveConfig], trial: Trial
) -> tuple[TrainingConfig, tuple[ObjectiveConfig, ...]]:
    """Return training and objectives as a trial has them; each objective takes what it reads."""
    given = trial.model_dump(exclude_none=True)
    rates: dict[str, Any] = {key: given[key] for key in ("learning_rate", "embedding_learning_rate") if key in given}
    told = tuple(
        ObjectiveConfig(
            **(
                objective.model_dump(include=objective.model_fields_set)
                | {key: value for key, value in given.items() if key in objective.options}
            )
        )
        for objective in objectives
    )
    return training.model_copy(update=rates), told
