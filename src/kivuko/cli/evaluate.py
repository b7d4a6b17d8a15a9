"""`kivuko evaluate`."""

import json
from pathlib import Path
from typing import Annotated

import typer

from kivuko.cli.console import Threads, prepare, say


def evaluate(
    query_model: Annotated[str | None, typer.Option(help="Encoder of the queries: the student.")] = None,
    collection: Annotated[
        Path | None, typer.Option(help="BEIR folder: corpus.jsonl, queries.jsonl, `qrels/<split>.tsv`.")
    ] = None,
    task: Annotated[
        str | None, typer.Option(help="A benchmark by name, as tatoeba:sw, lareqa or ciral:sw; see --list-tasks.")
    ] = None,
    document_model: Annotated[
        str | None,
        typer.Option(
            help="Encoder of the documents; by default the teacher in the student's directory, else the student."
        ),
    ] = None,
    data: Annotated[
        Path | None, typer.Option(help="Directory of the tasks' downloads; by default $KIVUKO_DATA.")
    ] = None,
    split: Annotated[str | None, typer.Option(help="Which judgments; by default test, or the task's own.")] = None,
    measures: Annotated[
        str | None,
        typer.Option(help="Measures as ir_measures writes them; by default nDCG@10 RR@10 AP R@100, or the task's own."),
    ] = None,
    query_prefix: Annotated[str, typer.Option(help="Only queries whose id begins so.")] = "",
    index_directory: Annotated[
        Path | None, typer.Option("--index", help="Keep the index here, and use it again.")
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace the index at --index where it is another one.")
    ] = False,
    run: Annotated[Path | None, typer.Option(help="Write the TREC run here.")] = None,
    per_query: Annotated[Path | None, typer.Option(help="Write `query_id<TAB>measure<TAB>value` lines here.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    allow_incomplete: Annotated[
        bool, typer.Option("--allow-incomplete", help="Measure a task whose data is not of the published size.")
    ] = False,
    list_tasks: Annotated[bool, typer.Option("--list-tasks", help="Print the tasks, and stop.")] = False,
    about: Annotated[
        bool, typer.Option("--about", help="Print the task's licence, citation and where to get it, and stop.")
    ] = False,
    threads: Threads = None,
) -> None:
    """Measure a query model and a document model on a collection, or on a benchmark task by name.

    Example: `kivuko evaluate --query-model swahili --document-model swahili/teacher --collection afriqa/sw-en`

    Example: `kivuko evaluate --query-model swahili --task tatoeba:sw --data downloads`
    """
    from kivuko.cli.evaluate_task import print_about, print_tasks, run_task
    from kivuko.errors import ConfigError

    if list_tasks or about:
        print_tasks() if list_tasks else print_about(task)
        return
    if query_model is None:
        raise ConfigError("Which model is to be measured? Give --query-model DIRECTORY_OR_HUB_ID.")
    if (task is None) == (collection is None):
        raise ConfigError("Give either --collection FOLDER or --task NAME; --list-tasks prints the names.")
    prepare(threads)
    if task is not None:
        if query_prefix:
            raise ConfigError("--query-prefix belongs to --collection: a task chooses its queries itself.")
        run_task(
            task,
            query_model=query_model,
            document_model=document_model,
            data=data,
            split=split or "",
            measures=measures,
            index_directory=index_directory,
            overwrite=overwrite,
            run=run,
            per_query=per_query,
            as_json=as_json,
            allow_incomplete=allow_incomplete,
        )
        return
    assert collection is not None  # noqa: S101  # one of the two is given
    from kivuko.data.collections import read_collection
    from kivuko.evaluation.measures import parse_measures
    from kivuko.evaluation.retrieval import check_writable, evaluate_retrieval
    from kivuko.models.encoder import default_document_model, load_encoder, model_identity
    from kivuko.report.progress import Counter
    from kivuko.report.tables import print_measures, write_per_query

    try:
        parsed = parse_measures(measures or "nDCG@10 RR@10 AP R@100")
    except ValueError as error:
        raise ConfigError(str(error)) from error
    for path in (run, per_query):
        if path is not None:
            check_writable(path)
    split = split or "test"
    judged = read_collection(collection, split=split)
    document_name = document_model or default_document_model(query_model)
    with Counter("documents") as count:
        found = evaluate_retrieval(
            load_encoder(query_model),
            load_encoder(document_name),
            judged.only_queries(query_prefix) if query_prefix else judged,
            parsed,
            document_model_name=document_name,
            document_model_digest=model_identity(document_name),
            index_directory=index_directory,
            overwrite=overwrite,
            run_path=run,
            progress=count,
        )
    if found.measures.unanswered or found.measures.unjudged:
        say(f"{found.measures.unanswered} queries found nothing, {found.measures.unjudged} have no judgments")
    if per_query is not None:
        write_per_query(per_query, found.measures.per_query)
    if as_json:
        result = {
            "collection": str(collection),
            "split": split,
            "query_model": query_model,
            "document_model": document_name,
        }
        typer.echo(json.dumps(result | {"measures": found.measures.mean}, ensure_ascii=False))
    else:
        print_measures({query_model: found.measures.mean}, title=f"{collection}, {split}")
