"""Tasks by name in a comparison: who reads which side, and what the measures are called."""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from ir_measures import ScoredDoc
from sentence_transformers import MultiVectorEncoder

from kivuko.data.catalog import Pair
from kivuko.data.collections import Collection, read_collection
from kivuko.data.published import data_directory
from kivuko.data.trec import write_run
from kivuko.evaluation.measures import parse_measures
from kivuko.evaluation.run_task import SINGLE_VECTOR, Encoder, Outcome, evaluate_task, measure_run
from kivuko.evaluation.scores import Score
from kivuko.evaluation.tasks import Part, Task, open_task, outline
from kivuko.experiment.comparison.cells import Layout, run_path
from kivuko.experiment.comparison.config import ValidationTask
from kivuko.experiment.comparison.task_config import TaskConfig
from kivuko.models.encoder import load_encoder, model_digest
from kivuko.search.manifest import corpus_digest

ENGLISH = "en"
OWN = "xx"  # in the name of a measure, the language of its row


def open_named(task: TaskConfig) -> Task:
    """Open a named task.

    Raises:
        KivukoError: If its files are missing, malformed or, unless that is allowed, of other sizes than published.
    """
    data = data_directory(task.data)
    return open_task(task.task or "", split=task.split, data=data, allow_incomplete=task.allow_incomplete)


def directions(task: TaskConfig, language: str) -> tuple[Pair | None, ...]:
    """Return the languages of queries and documents of each part of a task; None for a pool of several languages.

    A BEIR folder, and what `irds:`, `hub:` and `beir:` name, is taken for queries in the language and documents in
    English.
    """
    told = outline(task.task) if task.task else None
    return told.directions if told and told.languages else (Pair(language, ENGLISH),)


def collections_of(task: TaskConfig) -> list[Collection]:
    """Read all collections of a task: of a named one, those of its parts."""
    if task.collection is not None:
        return [read_collection(task.collection, split=task.split)]
    return [part.collection for part in open_named(task).parts]


def in_english(task: TaskConfig | ValidationTask, language: str) -> list[Collection]:
    """Read the collections of a task whose documents are in English alone: the teacher indexes these, once for all."""
    if isinstance(task, ValidationTask):
        return [read_collection(task.collection, split=task.split)]
    pools = zip(collections_of(task), directions(task, language), strict=True)
    return [collection for collection, direction in pools if direction and direction.documents == ENGLISH]


def score_named(
    student: MultiVectorEncoder,
    layout: Layout,
    task: TaskConfig,
    language: str,
    *,
    system: str,
    seed: int,
    directory: Path,
    translate: Callable[[Collection], Collection] | None = None,
) -> list[Score]:
    """Measure a student on a named task, write the run of late interaction beside the scores, and return the rows.

    The teacher reads the side that is in English alone, the student all else: queries, documents, or both.

    Args:
        student: The student.
        layout: Where the teacher and its indexes are.
        task: The task.
        language: ISO 639 code.
        system: For the rows.
        seed: For the rows.
        directory: Where to write.
        translate: Puts English queries in the place of a collection's own, for the parts that ask in the language.
    """
    whole, towards = open_named(task), directions(task, language)
    teacher = Encoder(load_encoder(layout.teacher), str(layout.teacher), model_digest(layout.teacher))
    asked, answered = towards[0] or (language, language)
    asking, answering = (teacher if side == ENGLISH else Encoder(student, system) for side in (asked, answered))
    indexes = {
        part.name: layout.index(corpus_digest(part.collection.corpus))
        for part, direction in zip(whole.parts, towards, strict=True)
        if direction and direction.documents == ENGLISH
    }
    parts = whole.parts
    if translate:
        parts = [replace(part, collection=translate(part.collection)) for part in parts if part.name in indexes]
    measures = parse_measures(task.measures)
    found = evaluate_task(replace(whole, parts=parts), asking, answering, measures, indexes=indexes, depth=task.depth)
    write_run(run_path(directory, task), found.run, tag=system)
    return _rows(whole, task, language, system, seed, found.outcomes)


def score_named_run(
    whole: Task,
    parts: Iterable[Part],
    run: Sequence[ScoredDoc],
    task: TaskConfig,
    language: str,
    *,
    system: str,
    seed: int,
    directory: Path,
) -> list[Score]:
    """Write a run over parts of a named task beside the scores, and return its rows."""
    directory.mkdir(parents=True, exist_ok=True)
    write_run(run_path(directory, task), run, tag=system)
    measures = parse_measures(task.measures)
    outcomes = [outcome for part in parts for outcome in measure_run(part, run, measures)]
    return _rows(whole, task, language, system, seed, outcomes)


def measure_of(task: TaskConfig, outcome: Outcome, measure: str, language: str, *, is_only_view: bool) -> str:
    """Return the name of a measure in the tidy table: the same in every language, whose own code is written `xx`.

    Example:
        >>> from kivuko.evaluation.run_task import Outcome
        >>> task = TaskConfig(name="tatoeba", task="tatoeba:sw")
        >>> measure_of(task, Outcome("en-sw", "", "single vector", None), "RR@10", "sw", is_only_view=False)
        'tatoeba en-xx single-vector RR@10'
    """
    view = "" if is_only_view else re.sub(rf"\b{language}\b", OWN, outcome.view)
    scoring = "single-vector" if outcome.scoring == SINGLE_VECTOR else ""
    return " ".join(word for word in (task.name, view, scoring, measure) if word)


def _rows(
    whole: Task, task: TaskConfig, language: str, system: str, seed: int, outcomes: Iterable[Outcome]
) -> list[Score]:
    is_only_view = sum(len(part.views) for part in whole.parts) == 1
    return [
        Score(
            *(system, language, seed, query_id),
            measure_of(task, outcome, measure, language, is_only_view=is_only_view),
            value,
        )
        for outcome in outcomes
        # Two other languages say nothing of a student of this one.
        if outcome.group != "pairs of languages" or language in outcome.view.split("-")
        for query_id, measure, value in outcome.measures.per_query
    ]
