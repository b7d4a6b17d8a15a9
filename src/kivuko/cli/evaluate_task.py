"""`kivuko evaluate --task`."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from kivuko.cli.console import say

if TYPE_CHECKING:
    from kivuko.evaluation.run_task import TaskEvaluation


def print_tasks() -> None:
    """Print every task: its name, what it is, languages, measures, splits, licence, citation."""
    from kivuko.data.catalog import catalog

    for entry in catalog().values():
        typer.echo(f"{entry.name}{entry.argument}")
        for text in (entry.title, entry.languages, f"{entry.measures}; splits {', '.join(entry.splits)}"):
            typer.echo(f"    {text}")
        typer.echo(f"    licence: {entry.licence}\n    cite: {entry.citation}\n")
    typer.echo("irds:ID\n    any data set of ir_datasets, as irds:miracl/sw/dev\n")
    typer.echo("hub:OWNER/NAME[/LANGUAGE][@REVISION]\n    any data set of the hub with corpus, queries and qrels\n")
    typer.echo("beir:FOLDER\n    any folder in BEIR's layout")


def print_about(task: str | None) -> None:
    """Print what a task is, its licence, what to cite, where to get it and where to put it."""
    from kivuko.data.catalog import find_entry
    from kivuko.errors import ConfigError

    if task is None:
        raise ConfigError("About which task? Give --task NAME; --list-tasks prints the names.")
    kind, _, identifier = task.partition(":")
    if kind == "irds":
        typer.echo(f"https://ir-datasets.com describes {identifier}, its licence and what to cite.")
        return
    if kind == "hub":
        typer.echo(f"The card of the data set describes it, its licence and what to cite: {identifier}.")
        return
    entry = find_entry(kind)
    typer.echo(f"{entry.title}\nlanguages: {entry.languages}\nmeasures: {entry.measures}")
    typer.echo(f"splits: {', '.join(entry.splits)}\nlicence: {entry.licence}\ncite: {entry.citation}\n{entry.where}")


def run_task(
    name: str,
    *,
    query_model: str,
    document_model: str | None,
    data: Path | None,
    split: str,
    measures: str | None,
    index_directory: Path | None,
    overwrite: bool,
    run: Path | None,
    per_query: Path | None,
    as_json: bool,
    allow_incomplete: bool,
) -> None:
    """Open a task, measure it and print what came out."""
    from kivuko.data.published import data_directory
    from kivuko.data.trec import write_run
    from kivuko.errors import ConfigError
    from kivuko.evaluation.measures import parse_measures
    from kivuko.evaluation.retrieval import check_writable
    from kivuko.evaluation.run_task import Encoder, evaluate_task
    from kivuko.evaluation.tasks import open_task
    from kivuko.models.encoder import default_document_model, load_encoder, model_identity
    from kivuko.report.progress import Counter
    from kivuko.report.tables import write_per_query

    for path in (run, per_query):
        if path is not None:
            check_writable(path)
    task = open_task(name, split=split, data=data_directory(data), allow_incomplete=allow_incomplete)
    if task.incomplete:
        say(f"warning: {task.incomplete}")
    if task.unchecked:
        say(f"note: {task.unchecked}")
    try:
        parsed = parse_measures(measures or task.measures)
    except ValueError as error:
        raise ConfigError(str(error)) from error
    document_name = document_model or default_document_model(query_model)
    asking, answering = (Encoder(load_encoder(n), n, model_identity(n)) for n in (query_model, document_name))
    with Counter("documents") as count:
        found = evaluate_task(
            task, asking, answering, parsed, index_directory=index_directory, overwrite=overwrite, progress=count
        )
    if run is not None:
        write_run(run, found.run)
    if per_query is not None:
        write_per_query(
            per_query,
            (
                (value.query_id, f"{outcome.view}/{outcome.scoring}/{value.measure}", value.value)
                for outcome in found.outcomes
                for value in outcome.measures.per_query
            ),
        )
    if as_json:
        about = {"task": name, "split": task.split, "query_model": query_model, "document_model": document_name}
        sizes = {"documents": found.documents, "incomplete": bool(task.incomplete)}
        sizes["sizes_known"] = task.entry is not None and not task.unchecked
        if task.revision:
            about["revision"] = task.revision
        typer.echo(json.dumps(about | sizes | {"measures": found.means()}, ensure_ascii=False))
    else:
        _print(found, f"{name}, {task.split}")
        if task.entry is not None:
            say(f"licence: {task.entry.licence}\ncite: {task.entry.citation}")


def _print(found: "TaskEvaluation", title: str) -> None:
    """Print a row for each view and way of scoring, without the many pairs of languages, whose mean is there."""
    from kivuko.report.tables import print_measures

    pairs = {outcome.view for outcome in found.outcomes if outcome.group == "pairs of languages"}
    rows = {
        f"{view}, {scoring}": dict(means)
        for view, scorings in found.means().items()
        if view not in pairs
        for scoring, means in scorings.items()
    }
    fairness = {name: means.pop(key) for name, means in rows.items() for key in list(means) if key.startswith("PEER@")}
    print_measures(rows, title=title)
    for name, value in fairness.items():
        typer.echo(f"{name}: PEER {value:.3f} (1: the documents' languages are ranked alike; 0: they are not)")
