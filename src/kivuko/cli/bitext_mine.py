"""`kivuko bitext mine`: sentence pairs out of text in two languages."""

from pathlib import Path
from typing import Annotated

import typer

from kivuko.cli.console import Threads, prepare, say


def mine(
    english: Annotated[Path, typer.Option(help="English text, a sentence a line; may be gzipped.")],
    other: Annotated[Path, typer.Option(help="Text of the other language, likewise.")],
    model: Annotated[str, typer.Option(help="Encoder of the other language: a student.")],
    out: Annotated[Path, typer.Option(help="File to write: `English<TAB>translation`, the best pairs first.")],
    teacher: Annotated[
        str | None, typer.Option(help="Encoder of the English; by default the teacher in the student's directory.")
    ] = None,
    threshold: Annotated[
        float | None,
        typer.Option(help="Least score; 1 is what neighbors have. 1.25 by default, 1.1 with --no-rescore."),
    ] = None,
    top_k: Annotated[int, typer.Option(min=1, help="Neighbors that a sentence is compared with.")] = 4,
    rescore: Annotated[
        bool, typer.Option("--rescore/--no-rescore", help="Let the transport of tokens have a say.")
    ] = True,
    scores: Annotated[
        bool, typer.Option("--scores", help="Write the score as a third column, below a row of names.")
    ] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace what is at --out.")] = False,
    threads: Threads = None,
) -> None:
    """Find the sentences of two texts that translate each other.

    Example: `kivuko bitext mine --english news.en --other news.sw --model swahili --out mined.tsv`
    """
    from kivuko.curation.filtering import check_out
    from kivuko.curation.monolingual import read_sides
    from kivuko.curation.neighbors import require_faiss
    from kivuko.errors import ConfigError

    threshold = (1.25 if rescore else 1.1) if threshold is None else threshold
    if not 0 < threshold < float("inf"):
        raise ConfigError(f"--threshold must be a positive number, got {threshold}.")
    check_out(out, overwrite=overwrite)
    require_faiss()
    sides = read_sides(english, other)
    prepare(threads)
    from kivuko.curation.mining import mine as run
    from kivuko.curation.monolingual import write_mined
    from kivuko.models.encoder import default_document_model, load_encoder
    from kivuko.report.progress import Counter

    say(f"{len(sides.english):,} English sentences and {len(sides.other):,} others, {sides.left_out:,} left out")
    student, encoder = load_encoder(model), load_encoder(teacher or default_document_model(model))
    with Counter("encoded sentences") as count:
        found = run(
            sides.english,
            sides.other,
            student,
            encoder,
            threshold=threshold,
            neighbors=top_k,
            rescored=rescore,
            progress=count,
        )
    write_mined(found, sides, out, with_scores=scores)
    typer.echo(f"{out}: {len(found.pairs):,} pairs")
