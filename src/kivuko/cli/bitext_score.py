"""`kivuko bitext score`: how good each pair of parallel text is, and the good ones alone."""

import json
from pathlib import Path
from typing import Annotated

import typer

from kivuko.cli.bitext_options import English, FormatName, Language, Translation, bitext_file
from kivuko.cli.console import Threads, prepare, say


def score(
    bitext: Annotated[list[Path], typer.Option(help="File of parallel text; may be given again.")],
    model: Annotated[
        str, typer.Option(help="Encoder of the translations: a first student, trained on the text or not.")
    ],
    out: Annotated[Path, typer.Option(help="File to write: all pairs with their scores, or those that are kept.")],
    teacher: Annotated[
        str | None, typer.Option(help="Encoder of the English; by default the teacher in the student's directory.")
    ] = None,
    keep: Annotated[
        float | None, typer.Option(help="Keep this share of the pairs, the best; the others go to NAME.rejected.tsv.")
    ] = None,
    threshold: Annotated[float | None, typer.Option(help="Keep the pairs with this score or a better one.")] = None,
    format_name: FormatName = None,
    language: Language = None,
    english: English = None,
    translation: Translation = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace what is at --out.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    threads: Threads = None,
) -> None:
    """Score each pair by transport cost and lexical coverage, and keep those that belong together.

    Example: `kivuko bitext score --bitext en-sw.tsv --model swahili --keep 0.7 --out good.tsv`
    """
    from kivuko.curation.filtering import Filter, check_out, rejected_path, write_scored
    from kivuko.errors import ConfigError

    filtered = keep is not None or threshold is not None
    if keep is not None and threshold is not None:
        raise ConfigError("Give --keep or --threshold, not both.")
    if keep is not None and not 0 < keep <= 1:
        raise ConfigError(f"--keep must be above 0 and at most 1, got {keep}.")
    check_out(*(out, rejected_path(out))[: 1 + filtered], overwrite=overwrite)
    prepare(threads)
    from kivuko.curation.filtering import pairs_of
    from kivuko.curation.quality import QualityScorer
    from kivuko.models.encoder import default_document_model, load_encoder
    from kivuko.report.progress import Counter

    files = [bitext_file(path, format_name, language, english, translation) for path in bitext]
    student, encoder = load_encoder(model), load_encoder(teacher or default_document_model(model))
    scorer = QualityScorer(pairs_of(files), student, encoder)
    say(f"at least {scorer.noise:.0%} of the pairs look like sentences drawn at random")
    with Counter("scored pairs") as count:
        done = write_scored(files, scorer, out, chosen=Filter(keep, threshold), progress=count)
    if as_json:
        record = done._asdict() | {"noise": scorer.noise, "weights": scorer.weights._asdict()}
        typer.echo(json.dumps(record, ensure_ascii=False))
    else:
        left_out = f", {done.left_out.total():,} records left out" if done.left_out else ""
        typer.echo(f"{out}: {done.kept:,} of {done.pairs:,} pairs{left_out}")
