"""The command line: arguments in, results on stdout, progress on stderr. Heavy imports sit inside the commands."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from kivuko.config import DistillConfig

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Carry an English search model across to languages that have no search training data.",
)

Threads = Annotated[int | None, typer.Option(min=1, help="Threads of the mathematics; all cores by default.")]


@app.callback(invoke_without_command=True)
def _root(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    if version:
        from kivuko import __version__

        typer.echo(__version__)
        raise typer.Exit
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())
        raise typer.Exit


@app.command()
def demo(
    out: Annotated[Path, typer.Option(help="Folder for data, models and index.")] = Path("kivuko-demo"),
    teacher: Annotated[
        str | None, typer.Option(help="Directory or hub id of an English encoder; all-MiniLM-L6-v2 by default.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0)] = 0,
    threads: Threads = None,
) -> None:
    """Carry all-MiniLM-L6-v2 across to Swahili on the embedded collection, search, and compare; minutes on two cores.

    Example: `kivuko demo`
    """
    _prepare(threads)
    from kivuko.experiment import run_demo
    from kivuko.report.progress import TrainingProgress
    from kivuko.report.tables import print_demo

    print_demo(run_demo(out, teacher=teacher, seed=seed, notify=_say, callbacks=lambda: [TrainingProgress()]))


@app.command()
def distill(
    config: Annotated[
        Path | None, typer.Argument(help="A TOML file with everything; flags take the place of its values.")
    ] = None,
    teacher: Annotated[str | None, typer.Option(help="Directory or hub id of the English teacher.")] = None,
    bitext: Annotated[
        list[str] | None,
        typer.Option(help="File of English<TAB>translation lines, with an optional weight: `en-sw.tsv:2`. Repeatable."),
    ] = None,
    target: Annotated[
        list[str] | None, typer.Option(help="ISO 639 code of the language to be read. Repeatable.")
    ] = None,
    student: Annotated[
        str | None,
        typer.Option(
            help="Directory or hub id of a multilingual encoder; by default a student is grown on the teacher."
        ),
    ] = None,
    objective: Annotated[
        list[str] | None,
        typer.Option(help="`transport`, `scores` or `sentence`, with an optional weight: `scores:0.2`. Repeatable."),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="The model directory to write.")] = None,
    dimensions: Annotated[
        int | None, typer.Option(min=0, help="Size of the token embeddings, 128 by default; 0 leaves the teacher's.")
    ] = None,
    vocabulary_size: Annotated[
        int | None, typer.Option(help="Size of the vocabulary trained on the translations.")
    ] = None,
    epochs: Annotated[
        float | None, typer.Option(help="Passes over the bitext; 0 leaves the student untrained.")
    ] = None,
    batch_size: Annotated[int | None, typer.Option(help="Sentence pairs in a step.")] = None,
    learning_rate: Annotated[float | None, typer.Option(help="Peak learning rate of the body.")] = None,
    embedding_learning_rate: Annotated[
        float | None, typer.Option(help="Peak learning rate of the word embeddings.")
    ] = None,
    max_tokens: Annotated[int | None, typer.Option(help="Longer sentences are cut.")] = None,
    held_out: Annotated[int | None, typer.Option(help="Sentence pairs kept for validation.")] = None,
    validation: Annotated[
        Path | None, typer.Option(help="BEIR folder to validate on: queries in the target language, English documents.")
    ] = None,
    validation_split: Annotated[str | None, typer.Option(help="Its split, `dev` by default.")] = None,
    seed: Annotated[int | None, typer.Option(min=0)] = None,
    threads: Threads = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with an unfinished run.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace what is at --out.")] = False,
) -> None:
    """Distill a teacher into a student that reads other languages, from bitext alone.

    Example: `kivuko distill --teacher all-MiniLM-L6-v2/ --bitext en-sw.tsv --target sw --out swahili`
    """
    from kivuko.config import DistillConfig
    from kivuko.data.settings import load_config, parse_config

    values = _given(
        teacher=teacher,
        student=student,
        target=target,
        out=out,
        bitext=_sources(bitext, target, config),
        objectives=None if objective is None else [_objective(text) for text in objective],
        dimensions=dimensions,
    )
    if dimensions == 0:
        values["dimensions"] = None
    training = _given(
        epochs=epochs,
        batch_size=batch_size,
        learning_rate=learning_rate,
        embedding_learning_rate=embedding_learning_rate,
        max_tokens=max_tokens,
        seed=seed,
        threads=threads,
    )
    nested = {
        "training": training,
        "transplant": _given(vocabulary_size=vocabulary_size),
        "validation": _given(held_out=held_out, collection=validation, split=validation_split),
    }
    if config is None:
        told = parse_config(DistillConfig, values | nested, origin="the flags")
    else:
        told = load_config(config, DistillConfig, **values, **nested)
    _run_distill(told, resume=resume, overwrite=overwrite)


def _run_distill(config: "DistillConfig", *, resume: bool, overwrite: bool) -> None:
    _prepare(config.training.threads)
    from kivuko.experiment import distill as run
    from kivuko.report.progress import TrainingProgress
    from kivuko.report.tables import print_measures

    made = run(config, resume=resume, overwrite=overwrite, notify=_say, callbacks=[TrainingProgress()])
    if made.record["measures"]:
        print_measures({str(made.directory): made.record["measures"]}, title="Validation")
    typer.echo(
        f"{made.directory}: {made.record['steps']} steps, {made.record['minutes']} minutes, "
        f"peak memory {made.record['peak_memory_mib']} MiB"
    )


@app.command()
def index(
    model: Annotated[
        str, typer.Option(help="Directory or hub id of the encoder of the documents: the teacher for English.")
    ],
    corpus: Annotated[Path, typer.Option(help="BEIR `corpus.jsonl`, or a folder of text files.")],
    out: Annotated[Path, typer.Option(help="The index directory to write.")],
    batch_size: Annotated[int, typer.Option(min=1)] = 32,
    float32: Annotated[bool, typer.Option("--float32", help="Store float32; float16 by default.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the index at --out.")] = False,
    threads: Threads = None,
) -> None:
    """Encode documents into an index for exact MaxSim search.

    Example: `kivuko index --model swahili/teacher --corpus corpus.jsonl --out index`
    """
    _prepare(threads)
    from kivuko.data.collections import read_corpus
    from kivuko.models.encoder import digest_if_directory, load_encoder
    from kivuko.report.progress import Counter
    from kivuko.search.build import build_index

    with Counter("documents") as count:
        built = build_index(
            load_encoder(model),
            read_corpus(corpus),
            out,
            model_name=model,
            model_digest=digest_if_directory(model),
            batch_size=batch_size,
            dtype="float32" if float32 else "float16",
            overwrite=overwrite,
            progress=count,
        )
    typer.echo(f"{out}: {len(built)} documents")


@app.command()
def search(
    query: Annotated[str | None, typer.Argument(help="The question.")] = None,
    index_directory: Annotated[Path, typer.Option("--index", help="An index directory.")] = Path("index"),
    model: Annotated[str, typer.Option(help="Directory or hub id of the encoder of the query: the student.")] = ...,  # type: ignore[assignment]
    queries: Annotated[
        Path | None, typer.Option(help="File of queries: BEIR `queries.jsonl`, id<TAB>text, or one a line.")
    ] = None,
    top_k: Annotated[int, typer.Option(min=1, help="Results for each query.")] = 10,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    threads: Threads = None,
) -> None:
    """Search an index: one query to read, a file of queries to a TREC run.

    Example: `kivuko search --index index --model swahili "Mto mrefu zaidi Afrika ni upi?"`
    """
    from kivuko.errors import ConfigError

    if (query is None) == (queries is None):
        raise ConfigError("Give either a query or a file of queries with --queries.")
    _prepare(threads)
    from kivuko.data.collections import Query, read_queries
    from kivuko.models.encoder import load_encoder
    from kivuko.report.tables import print_hits, print_run
    from kivuko.search.index import load_index
    from kivuko.search.searcher import Searcher

    asked = [Query("1", query)] if query is not None else read_queries(queries or Path())
    found = Searcher(load_index(index_directory), load_encoder(model)).search(
        [each.text for each in asked], top_k=top_k
    )
    if as_json:
        for each, hits in zip(asked, found, strict=True):
            line = {"query_id": each.query_id, "query": each.text, "hits": [hit._asdict() for hit in hits]}
            typer.echo(json.dumps(line, ensure_ascii=False))
    elif query is not None:
        print_hits(found[0])
    else:
        print_run(asked, found)


@app.command()
def evaluate(
    query_model: Annotated[str, typer.Option(help="Encoder of the queries: the student.")],
    collection: Annotated[Path, typer.Option(help="BEIR folder: corpus.jsonl, queries.jsonl, qrels/<split>.tsv.")],
    document_model: Annotated[
        str | None,
        typer.Option(
            help="Encoder of the documents; by default the teacher in the student's directory, else the student."
        ),
    ] = None,
    split: Annotated[str, typer.Option(help="Which judgments.")] = "test",
    measures: Annotated[str, typer.Option(help="Measures as ir_measures writes them.")] = "nDCG@10 RR@10 AP R@100",
    query_prefix: Annotated[str, typer.Option(help="Only queries whose id begins so.")] = "",
    index_directory: Annotated[
        Path | None, typer.Option("--index", help="Keep the index here, and use it again.")
    ] = None,
    run: Annotated[Path | None, typer.Option(help="Write the TREC run here.")] = None,
    per_query: Annotated[Path | None, typer.Option(help="Write query_id<TAB>measure<TAB>value lines here.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    threads: Threads = None,
) -> None:
    """Measure a query model and a document model on a collection.

    Example: `kivuko evaluate --query-model swahili --document-model swahili/teacher --collection afriqa/sw-en`
    """
    from kivuko.errors import ConfigError

    _prepare(threads)
    from kivuko.data.collections import read_collection
    from kivuko.evaluation.measures import parse_measures
    from kivuko.evaluation.retrieval import evaluate_retrieval
    from kivuko.models.encoder import default_document_model, digest_if_directory, load_encoder
    from kivuko.report.progress import Counter
    from kivuko.report.tables import print_measures, write_per_query

    try:
        parsed = parse_measures(measures)
    except ValueError as error:
        raise ConfigError(str(error)) from error
    judged = read_collection(collection, split=split)
    document_name = document_model or default_document_model(query_model)
    with Counter("documents") as count:
        found = evaluate_retrieval(
            load_encoder(query_model),
            load_encoder(document_name),
            judged.only_queries(query_prefix) if query_prefix else judged,
            parsed,
            document_model_name=document_name,
            document_model_digest=digest_if_directory(document_name),
            index_directory=index_directory,
            run_path=run,
            progress=count,
        )
    if found.measures.unanswered or found.measures.unjudged:
        _say(f"{found.measures.unanswered} queries found nothing, {found.measures.unjudged} have no judgments")
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


@app.command()
def reproduce(
    file: Annotated[Path, typer.Argument(help="A file of reproductions/.")],
    out: Annotated[Path | None, typer.Option(help="Folder of the run; `runs/<name>` by default.")] = None,
) -> None:
    """Run the commands of a published table and fail where a measure falls outside its tolerance.

    Example: `kivuko reproduce reproductions/afriqa-sw.toml`
    """
    from kivuko.experiment import reproduce as run
    from kivuko.report.tables import print_reproduced

    results = run(file, out or Path("runs") / file.stem, notify=_say)
    print_reproduced(results)
    if not all(result.holds for result in results):
        raise typer.Exit(1)


def _prepare(threads: int | None) -> None:
    """Set threads, and silence the loading bars and notices of libraries."""
    import torch
    import transformers

    transformers.utils.logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    transformers.utils.logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    if threads:
        torch.set_num_threads(threads)


def _say(message: str) -> None:
    sys.stderr.write(message + "\n")
    sys.stderr.flush()


def _given(**values: Any) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value is not None}


def _sources(bitext: list[str] | None, target: list[str] | None, config: Path | None) -> list[dict[str, Any]] | None:
    from kivuko.data.bitext import parse_source
    from kivuko.errors import ConfigError

    if bitext is None:
        return None
    if not target:
        where = " beside the flags that replace what the TOML file says" if config else ""
        raise ConfigError(f"--bitext needs --target{where}: the ISO 639 code of the language, for example --target sw.")
    return [parse_source(text, targets=target) for text in bitext]


def _objective(text: str) -> dict[str, Any]:
    from kivuko.errors import ConfigError

    name, colon, weight = text.partition(":")
    try:
        return {"name": name} | ({"weight": float(weight)} if colon else {})
    except ValueError as error:
        raise ConfigError(f"The weight of objective {name!r} must be a number, got {weight!r}.") from error
