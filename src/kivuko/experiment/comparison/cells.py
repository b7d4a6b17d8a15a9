"""The cells of a comparison: what is trained, with what, and where its files lie."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from kivuko.experiment.comparison.config import CompareConfig
from kivuko.experiment.comparison.task_config import TaskConfig

SCORES = "scores.tsv"
RECORD = "cell.json"


class Cell(NamedTuple):
    """One student to be trained: its name is what it is.

    Attributes:
        language: ISO 639 code.
        system: Name of a system.
        trial: Which of its trials, from 0.
        seed: Seed of the order of the pairs.
        pairs: Sentence pairs that it sees.
    """

    language: str
    system: str
    trial: int
    seed: int
    pairs: int

    def directory(self, out: Path) -> Path:
        """Return where its files lie."""
        return out / "cells" / self.language / self.system / f"trial{self.trial}-seed{self.seed}-pairs{self.pairs}"

    def __str__(self) -> str:
        return f"{self.language} {self.system} trial {self.trial} seed {self.seed} pairs {self.pairs}"


@dataclass(frozen=True, slots=True)
class Layout:
    """Where the files of a comparison lie that cells share."""

    out: Path

    @property
    def teacher(self) -> Path:
        """The teacher, projected."""
        return self.out / "teacher"

    def start(self, language: str, student: str | None = None) -> Path:
        """Return the student that systems of a language start from.

        Args:
            language: ISO 639 code.
            student: Checkpoint of systems that have their own; None for the student of the comparison.
        """
        own = f"-{hashlib.sha256(student.encode()).hexdigest()[:16]}" if student else ""
        return self.out / "languages" / language / f"student{own}"

    def index(self, digest: str) -> Path:
        """Return the index of the documents of that digest."""
        return self.out / "indexes" / digest[:16]

    def baseline(self, language: str, name: str) -> Path:
        """Return where the files of an untrained system or a fusion lie."""
        return self.out / "baselines" / language / name


def run_path(directory: Path, task: TaskConfig) -> Path:
    """Return where the TREC run of a task lies."""
    return directory / f"{task.name}.trec"


def tuning_cells(config: CompareConfig) -> list[Cell]:
    """List the trials; none where a system has only one, which needs no choice."""
    tuning = config.tuning
    pairs = tuning.pairs or config.most_pairs
    languages = tuning.languages or tuple(language.code for language in config.languages)
    return [
        Cell(language, system.name, trial, tuning.seed, pairs)
        for language in languages
        for system in config.systems
        for trial in range(len(config.trials_of(system)))
        if len(config.trials_of(system)) > 1
    ]


def final_cells(
    config: CompareConfig, chosen: Mapping[str, int], *, systems: Sequence[str] | None = None
) -> list[Cell]:
    """List what is tested: every language, system and seed with the chosen trial; then the smaller sizes.

    Seeds come first in the order, so that a comparison that is cut short has whole rows.

    Args:
        config: The comparison.
        chosen: System -> its trial.
        systems: Names of systems; all by default.
    """
    names = [system.name for system in config.systems] if systems is None else systems
    smaller = sorted(set(config.pairs) - {config.most_pairs}, reverse=True)
    sizes = [(config.most_pairs, config.seeds)]
    sizes += [(pairs, config.curve_seeds or config.seeds[:1]) for pairs in smaller]
    return [
        Cell(language.code, name, chosen[name], seed, pairs)
        for pairs, seeds in sizes
        for seed in seeds
        for language in config.languages
        for name in names
    ]


def is_final(config: CompareConfig, cell: Cell) -> bool:
    """Tell whether a trial would be among the cells that are tested, were it chosen."""
    return cell in final_cells(config, {cell.system: cell.trial}, systems=[cell.system])
