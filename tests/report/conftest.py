"""A comparison that might have been: real configuration, real statistics, scores drawn at random."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kivuko.config import BitextSource, ObjectiveConfig, ObjectiveName
from kivuko.evaluation.scores import Score
from kivuko.experiment.comparison.answer import Answer, answer
from kivuko.experiment.comparison.cells import final_cells, tuning_cells
from kivuko.experiment.comparison.config import (
    Baseline,
    CompareConfig,
    FusionConfig,
    LanguageConfig,
    SystemConfig,
    TaskConfig,
    TuningConfig,
)
from kivuko.experiment.comparison.trials import Trial

# What each system is worth, above or below `transport`.
WORTH = {
    "transport": 0.0,
    "scores": 0.08,
    "greedy": -0.002,
    "nearest": -0.01,
    "sentence": -0.12,
    "transport+scores": 0.085,
    "shuffled": -0.35,
    "zero-shot": -0.42,
    "untrained": -0.07,
    "bm25": -0.4,
    "psq": -0.1,
    "translated": 0.17,
    "psq+transport": 0.03,
}
LANGUAGES = ("sw", "ha", "yo")


def make_config(languages: Sequence[str] = LANGUAGES, **changed: Any) -> CompareConfig:
    names = ("transport", "scores", "greedy", "nearest", "sentence")
    systems = [SystemConfig(name=name, objectives=(ObjectiveConfig(name=ObjectiveName(name)),)) for name in names]
    both = (ObjectiveConfig(name=ObjectiveName.TRANSPORT), ObjectiveConfig(name=ObjectiveName.SCORES, weight=0.5))
    systems.append(SystemConfig(name="transport+scores", objectives=both))
    systems.append(SystemConfig(name="shuffled", objectives=both[:1], shuffled=True))
    told: dict[str, Any] = {
        "teacher": "/models/english-teacher",
        "languages": tuple(_language(code) for code in languages),
        "systems": tuple(systems),
        "baselines": (Baseline.ZERO_SHOT, Baseline.UNTRAINED, Baseline.BM25, Baseline.PSQ, Baseline.TRANSLATED),
        "fusions": (FusionConfig(name="psq+transport", systems=("psq", "transport")),),
        "pairs": (4_000, 16_000, 64_000),
        "tuning": TuningConfig(trials=(Trial(learning_rate=1e-4), Trial(learning_rate=3e-4)), languages=languages[:1]),
    }
    return CompareConfig(**(told | changed))


def make_answer(config: CompareConfig, *, queries: int = 16, skip: Sequence[tuple[str, str]] = ()) -> Answer:
    """Draw scores and answer with them.

    Args:
        config: Its systems need a worth above.
        queries: Of each language and task.
        skip: Systems that were not run, with the language.
    """
    generator = np.random.default_rng(7)
    trained = [system.name for system in config.systems]
    names = [*map(str, config.baselines), *trained, *(fusion.name for fusion in config.fusions)]
    hard = {code: generator.uniform(0.2, 0.95, size=queries) - place * 0.04 for place, code in enumerate(LANGUAGES)}

    def rows(name: str, code: str, seed: int, worth: float) -> list[Score]:
        tasks = config.language(code).tasks
        return [
            Score(name, code, seed, f"q{query}", f"{task.name} {measure}", value)
            for task in tasks
            for measure in task.measures.split()
            for query in range(queries)
            for value in [round(float(np.clip(hard[code][query] + worth + generator.normal(0, 0.05), 0, 1)), 4)]
        ]

    scores: list[Score] = []
    for name in names:
        for code in (language.code for language in config.languages):
            if (name, code) not in skip:
                for seed in config.seeds if name in trained else (0,):
                    scores += rows(name, code, seed, WORTH[name])
    chosen = {system.name: len(config.trials_of(system)) - 1 for system in config.systems}
    cells = final_cells(config, chosen)
    curve = [
        (cell.pairs, score)
        for cell in cells
        for score in rows(cell.system, cell.language, cell.seed, WORTH[cell.system] - 400 / cell.pairs)
    ]
    records = {
        cell: {
            "parameters": 28_400_000,
            "steps": cell.pairs // 32,
            "cpu_minutes": 31.0 + len(cell.system) + cell.seed,
            "peak_memory_mib": 2100,
        }
        for cell in cells
    }
    validation = {str(cell): 0.5 + 0.01 * cell.trial for cell in tuning_cells(config)}
    return answer(config, scores, curve, records, chosen, validation)


@pytest.fixture(scope="session")
def config_with() -> Callable[..., CompareConfig]:
    return make_config


@pytest.fixture(scope="session")
def answer_to() -> Callable[..., Answer]:
    return make_answer


@pytest.fixture(scope="session")
def found() -> Answer:
    """Three languages, two tasks, every kind of system; psq was not run in Yoruba."""
    config = make_config()
    return make_answer(config, skip=[("psq", "yo"), ("psq+transport", "yo")])


@pytest.fixture(scope="session")
def found_alone() -> Answer:
    """One language, one task, one seed, one trial: little can be tested."""
    config = make_config(
        ("sw",), seeds=(0,), pairs=(4_000,), tuning=TuningConfig(), baselines=(Baseline.UNTRAINED,), fusions=()
    )
    return make_answer(config)


def _language(code: str) -> LanguageConfig:
    afriqa = TaskConfig(
        name="afriqa",
        collection=Path(f"/data/afriqa-{code}"),
        translations=Path("/data/en"),
        measures="RR@10 nDCG@10",
    )
    tatoeba = TaskConfig(name="tatoeba", collection=Path(f"/data/tatoeba-{code}"), measures="Success@1")
    return LanguageConfig(
        code=code,
        bitext=(BitextSource(path=Path(f"lafand/en-{code}.tsv"), language=code, license="CC-BY-4.0"),),
        tasks=(afriqa,) if code != "sw" else (afriqa, tatoeba),
        high_resource=code == "sw",
    )
