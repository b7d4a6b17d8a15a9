"""Measure a system on the tasks of a language: run files, and one row for each query and measure."""

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path

from ir_measures import ScoredDoc
from sentence_transformers import MultiVectorEncoder

from kivuko.data.collections import Collection
from kivuko.data.translations import read_translations, translated_queries
from kivuko.data.trec import write_run
from kivuko.evaluation.measures import evaluate_run, parse_measures
from kivuko.evaluation.retrieval import evaluate_retrieval
from kivuko.evaluation.scores import Score, write_scores
from kivuko.experiment.comparison.cells import SCORES, Layout, run_path
from kivuko.experiment.comparison.config import LanguageConfig
from kivuko.experiment.comparison.named_tasks import ENGLISH, collections_of, directions, score_named
from kivuko.experiment.comparison.prepare import index_of
from kivuko.experiment.comparison.task_config import TaskConfig
from kivuko.models.encoder import load_encoder, model_digest


def score_model(
    query_model: MultiVectorEncoder,
    layout: Layout,
    language: LanguageConfig,
    *,
    system: str,
    seed: int,
    directory: Path,
    translated: bool = False,
    translate: Callable[[Collection], Collection] | None = None,
) -> None:
    """Ask all tasks of a language with a model, and write the runs and `scores.tsv`.

    Args:
        query_model: Reads the queries.
        layout: Where teacher and indexes are.
        language: Whose tasks.
        system: For the rows.
        seed: For the rows.
        directory: Where to write.
        translated: Ask with the translations by hand; tasks that have none are left out.
        translate: Puts other queries in the place of a collection's own.
    """
    teacher, digest = load_encoder(layout.teacher), model_digest(layout.teacher)
    rows: list[Score] = []
    for task in language.tasks:
        if translated and task.translations is None:
            continue
        if task.task is not None:
            put = by_hand(task) if translated else translate
            if put and (language.code, ENGLISH) not in directions(task, language.code):
                continue
            rows += score_named(
                *(query_model, layout, task, language.code),
                system=system,
                seed=seed,
                directory=directory,
                translate=put,
            )
            continue
        collection = read_task(task, translated=translated)
        collection = translate(collection) if translate else collection
        measures = parse_measures(task.measures)
        found = evaluate_retrieval(
            query_model,
            teacher,
            collection,
            measures,
            document_model_name=str(layout.teacher),
            document_model_digest=digest,
            index_directory=index_of(layout, collection),
            top_k=task.depth,
        )
        rows += score_run(found.run, collection, task, language.code, system, seed, directory)
    if rows:
        write_scores(directory / SCORES, rows)


def score_run(
    run: Sequence[ScoredDoc],
    collection: Collection,
    task: TaskConfig,
    language: str,
    system: str,
    seed: int,
    directory: Path,
) -> list[Score]:
    """Write a run beside the scores, and return its rows."""
    directory.mkdir(parents=True, exist_ok=True)
    write_run(run_path(directory, task), run, tag=system)
    measured = evaluate_run(collection.qrels, run, parse_measures(task.measures))
    return [
        Score(system, language, seed, query_id, tested(task, measure), value)
        for query_id, measure, value in measured.per_query
    ]


def tested(task: TaskConfig, measure: str) -> str:
    """Return the name of a measure on a task, as in the tidy table: `afriqa RR@10`."""
    return f"{task.name} {measure}"


def read_task(task: TaskConfig, *, translated: bool = False) -> Collection:
    """Read the collection of a task that has one, with its own queries or with the translations of them by hand."""
    (collection,) = collections_of(task)
    put = by_hand(task) if translated else None
    return put(collection) if put else collection


def by_hand(task: TaskConfig) -> Callable[[Collection], Collection] | None:
    """Return what puts translations by hand in the place of a collection's judged queries; None if there are none."""
    if task.translations is None:
        return None
    translations = read_translations(task.translations / "queries.jsonl")

    def put(collection: Collection) -> Collection:
        judged = {qrel.query_id for qrel in collection.qrels}
        asked = [query for query in collection.queries if query.query_id in judged]
        return dataclasses.replace(collection, queries=translated_queries(asked, translations))

    return put
