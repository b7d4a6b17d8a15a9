"""`kivuko distill`: flags or a TOML file to a config."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kivuko.cli.console import Threads, given, prepare, say

if TYPE_CHECKING:
    from kivuko.config import DistillConfig


def distill(
    config: Annotated[
        Path | None, typer.Argument(help="A TOML file with everything; flags take the place of its values.")
    ] = None,
    teacher: Annotated[str | None, typer.Option(help="Directory or hub id of the English teacher.")] = None,
    bitext: Annotated[
        list[str] | None,
        typer.Option(
            help="File of `English<TAB>translation` lines, with an optional weight: `en-sw.tsv:2`; or any other "
            "parallel text that `kivuko bitext` reads: `gettext:/usr/share/locale`, `hub:opus100/en-sw`. Repeatable."
        ),
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
        typer.Option(
            help="`transport`, `greedy`, `nearest`, `sentence`, `scores`, `triplet`, `contrastive` or `diagonal`, "
            "with an optional weight: `scores:0.2`. Repeatable."
        ),
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
    against: Annotated[
        list[Path] | None,
        typer.Option(
            help="BEIR folder that the student will be tested on: bitext with its test items is refused. Repeatable."
        ),
    ] = None,
    against_split: Annotated[str | None, typer.Option(help="Its split, `test` by default.")] = None,
    allow_leaks: Annotated[bool, typer.Option("--allow-leaks", help="Train on test items all the same.")] = False,
    drop_leaks: Annotated[
        bool, typer.Option("--drop-leaks", help="Leave out the pairs that hold test items, also nearly or in part.")
    ] = False,
    seed: Annotated[int | None, typer.Option(min=0)] = None,
    precision: Annotated[
        str | None,
        typer.Option(help="`float32`, or `bfloat16`: faster on accelerators and on CPUs with AMX, slower elsewhere."),
    ] = None,
    threads: Threads = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with an unfinished run.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace what is at --out.")] = False,
) -> None:
    """Distill a teacher into a student that reads other languages, from bitext alone.

    Example: `kivuko distill --teacher all-MiniLM-L6-v2/ --bitext en-sw.tsv --target sw --out swahili`
    """
    from kivuko.config import DistillConfig
    from kivuko.data.settings import load_config, parse_config
    from kivuko.errors import ConfigError

    if allow_leaks and drop_leaks:
        raise ConfigError("Give --allow-leaks or --drop-leaks, not both.")
    values = given(
        teacher=teacher,
        student=student,
        target=target,
        out=out,
        bitext=_sources(bitext, target, config),
        objectives=None if objective is None else [_objective(text) for text in objective],
        dimensions=dimensions,
        against=against,
        against_split=against_split,
        leaks="allow" if allow_leaks else "drop" if drop_leaks else None,
    )
    if dimensions == 0:
        values["dimensions"] = None
    training = given(
        epochs=epochs,
        batch_size=batch_size,
        learning_rate=learning_rate,
        embedding_learning_rate=embedding_learning_rate,
        max_tokens=max_tokens,
        seed=seed,
        precision=precision,
        threads=threads,
    )
    nested = {
        "training": training,
        "transplant": given(vocabulary_size=vocabulary_size),
        "validation": given(held_out=held_out, collection=validation, split=validation_split),
    }
    if config is None:
        told = parse_config(DistillConfig, values | nested, origin="the flags")
    else:
        told = load_config(config, DistillConfig, **values, **nested)
    _run_distill(told, resume=resume, overwrite=overwrite)


def _run_distill(config: "DistillConfig", *, resume: bool, overwrite: bool) -> None:
    prepare(config.training.threads)
    from kivuko.experiment import distill as run
    from kivuko.report.progress import TrainingProgress
    from kivuko.report.tables import print_measures

    made = run(config, resume=resume, overwrite=overwrite, notify=say, callbacks=[TrainingProgress()])
    if made.record["measures"]:
        print_measures({str(made.directory): made.record["measures"]}, title="Validation")
    typer.echo(
        f"{made.directory}: {made.record['steps']} steps, {made.record['minutes']} minutes, "
        f"peak memory {made.record['peak_memory_mib']} MiB"
    )


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
