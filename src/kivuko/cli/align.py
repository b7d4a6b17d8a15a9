"""`kivuko align`."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kivuko.cli.console import Threads, given, prepare

if TYPE_CHECKING:
    from kivuko.data.alignments import WordAlignment
    from kivuko.evaluation.aligner import WordAligner
    from kivuko.evaluation.alignment_methods import AlignedPair, AlignMethod, AlignSettings


def align(
    english: Annotated[str | None, typer.Argument(help="An English sentence.")] = None,
    translation: Annotated[str | None, typer.Argument(help="Its translation.")] = None,
    model: Annotated[str, typer.Option(help="Encoder of the translation: the student.")] = ...,  # type: ignore[assignment]
    teacher: Annotated[
        str | None, typer.Option(help="Encoder of the English; by default the teacher in the student's directory.")
    ] = None,
    pairs: Annotated[
        Path | None, typer.Option(help="File of `English<TAB>translation`, words between spaces, to Pharaoh lines.")
    ] = None,
    split_punctuation: Annotated[
        bool, typer.Option("--split-punctuation", help="Set off the punctuation in --pairs.")
    ] = False,
    gold: Annotated[Path | None, typer.Option(help="File of links made by hand, to measure against.")] = None,
    gold_format: Annotated[
        str | None,
        typer.Option("--format", help="Of --gold: `kivuko` by default, or with --pairs `pharaoh` or `naacl`."),
    ] = None,
    first: Annotated[
        int | None,
        typer.Option(min=0, max=1, help="What --gold calls the first word; 0 by default in pharaoh, 1 in naacl."),
    ] = None,
    method: Annotated[
        str | None,
        typer.Option(help="`unbalanced` by default, `balanced`, `partial`, `mutual`, `argmax`, `diagonal`, `random`."),
    ] = None,
    epsilon: Annotated[float | None, typer.Option(help="Regularization of the transport, 0.03 by default.")] = None,
    rho: Annotated[float | None, typer.Option(help="Price of unmatched mass (unbalanced), 0.3 by default.")] = None,
    fraction: Annotated[float | None, typer.Option(help="Mass that is carried (partial), 0.9 by default.")] = None,
    threshold: Annotated[
        float | None, typer.Option(help="Part of the smaller word's mass that makes a link, 0.65 by default.")
    ] = None,
    position: Annotated[
        float | None, typer.Option(help="Weight of the position in the sentence, 0.1 by default; 0 for none.")
    ] = None,
    compare: Annotated[
        bool, typer.Option("--compare", help="Measure all methods, by default on the 72 pairs of the mini collection.")
    ] = False,
    tune: Annotated[
        bool, typer.Option("--tune", help="As --compare, each method at its best on every second pair.")
    ] = False,
    plot: Annotated[
        Path | None, typer.Option(help="Also draw plan and links: .html, or .png for one pair of sentences.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    as_tsv: Annotated[bool, typer.Option("--tsv", help="Print a line for each link, with words and strength.")] = False,
    threads: Threads = None,
) -> None:
    """Link the words of English sentences to those of their translations, and measure such links.

    Example: `kivuko align --model swahili "The doctor sold us medicine." "Daktari alituuzia dawa."`
    """
    from kivuko.data.lines import is_encodable
    from kivuko.errors import ConfigError

    measured = gold is not None or compare or tune
    for is_wrong, message in (
        (
            (english is None) != (translation is None),
            "Give an English sentence and its translation, each in quotes; there is only one.",
        ),
        (
            (english is not None) + (pairs is not None or measured) != 1,
            "Give either a sentence and its translation, or --pairs, or --gold, --compare or --tune.",
        ),
        (
            as_tsv and (as_json or measured),
            "--tsv prints links: give it without --json, --gold, --compare and --tune.",
        ),
        (plot is not None and measured, "--plot draws links: give it without --gold, --compare and --tune."),
        (
            split_punctuation and (pairs is None or measured),
            "--split-punctuation is for --pairs without --gold: leave it out, or give --pairs alone.",
        ),
        (
            gold is None and (first is not None or gold_format is not None),
            "--format and --first say how to read --gold: leave them out, or give --gold FILE.",
        ),
        (
            compare + tune + (method is not None) > 1,
            "--method, --compare and --tune exclude each other: the latter two take all methods.",
        ),
        (
            not (is_encodable(english or "") and is_encodable(translation or "")),
            "A sentence is not valid UTF-8: give both as text.",
        ),
    ):
        if is_wrong:
            raise ConfigError(message)
    prepare(threads)
    from kivuko.data.alignments import WordPair, read_pairs, split_words
    from kivuko.evaluation.aligner import WordAligner
    from kivuko.evaluation.alignment_methods import AlignSettings
    from kivuko.models.encoder import default_document_model, load_encoder

    told = given(epsilon=epsilon, rho=rho, fraction=fraction, threshold=threshold, position=position)
    if tune and told:
        raise ConfigError(f"--tune finds --{', --'.join(told)}: leave that out.")
    settings = AlignSettings(**told) if method is None else AlignSettings(_method(method), **told)
    if unread := [] if compare else sorted(told.keys() - settings.used().keys()):
        raise ConfigError(f"--method {settings.method} does not read --{', --'.join(unread)}: leave that out.")
    if plot is not None:
        from kivuko.report.alignment_plot import check_alignment_plot

        check_alignment_plot(plot, one=pairs is None)
    right, words = [], []
    if measured:
        right = _gold(gold, gold_format or "kivuko", pairs, first)
    elif pairs is not None:
        words = read_pairs(pairs, punctuated=split_punctuation)
    else:
        words = [WordPair(split_words(english or ""), split_words(translation or ""))]
    aligner = WordAligner(load_encoder(model), load_encoder(teacher or default_document_model(model)))
    if tune:
        _print_tuned(aligner, right, as_json=as_json)
    elif measured:
        _print_measures(aligner, right, settings, compare=compare, as_json=as_json)
    else:
        aligned: Iterable[AlignedPair] = aligner.align(words, settings)
        if plot is not None:
            from kivuko.report.alignment_plot import write_alignment_plot

            aligned = list(aligned)
            write_alignment_plot(aligned, plot)
        _print_links(aligned, one=pairs is None, as_json=as_json, as_tsv=as_tsv)


def _print_links(aligned: "Iterable[AlignedPair]", *, one: bool, as_json: bool, as_tsv: bool) -> None:
    from kivuko.report.alignment import aligned_record, pharaoh_line, print_aligned, tsv_lines

    for number, pair in enumerate(aligned, start=1):
        if as_json:
            typer.echo(json.dumps(aligned_record(pair), ensure_ascii=False))
        elif as_tsv:
            typer.echo("".join(line + "\n" for line in tsv_lines(number, pair)), nl=False)
        elif one:
            print_aligned(pair)
        else:
            typer.echo(pharaoh_line(pair))


def _print_measures(
    aligner: "WordAligner", gold: "list[WordAlignment]", settings: "AlignSettings", *, compare: bool, as_json: bool
) -> None:
    from kivuko.evaluation.alignment_comparison import compare_methods
    from kivuko.evaluation.alignment_methods import AlignMethod
    from kivuko.report.alignment import print_alignment_measures

    methods = tuple(AlignMethod) if compare else (settings.method,)
    found = compare_methods(aligner, gold, settings, methods=methods)
    if as_json:
        typer.echo(json.dumps({method: measures._asdict() for method, measures in found.items()}))
    else:
        print_alignment_measures(found, title=f"{len(gold)} sentence pairs")


def _print_tuned(aligner: "WordAligner", gold: "list[WordAlignment]", *, as_json: bool) -> None:
    from kivuko.evaluation.alignment_comparison import tune_methods
    from kivuko.report.alignment import print_tuned, tuned_record

    found = tune_methods(aligner, gold)
    if as_json:
        typer.echo(json.dumps({method: tuned_record(each) for method, each in found.items()}))
    else:
        print_tuned(found, title=f"{len(gold)} sentence pairs: alignment error rate")


def _gold(path: Path | None, gold_format: str, pairs: Path | None, first: int | None) -> "list[WordAlignment]":
    from kivuko.data.alignments import embedded_alignments, read_alignments, read_naacl, read_pairs, read_pharaoh
    from kivuko.errors import ConfigError

    if gold_format not in {"kivuko", "pharaoh", "naacl"}:
        raise ConfigError(f"--format must be kivuko, pharaoh or naacl, got {gold_format!r}.")
    if gold_format == "kivuko":
        if pairs is not None or first is not None:
            raise ConfigError(
                "Gold in the format kivuko has its sentences with it and counts from 0: leave out --pairs and --first, "
                "or name its --format, pharaoh or naacl, and the file with --gold."
            )
        return embedded_alignments() if path is None else read_alignments(path)
    if path is None or pairs is None:
        raise ConfigError(
            f"Gold in the format {gold_format} has links only: give the file with --gold and its sentences with "
            "--pairs, English<TAB>translation, words between spaces."
        )
    read = read_pharaoh if gold_format == "pharaoh" else read_naacl
    return read(path, read_pairs(pairs), **({} if first is None else {"first": first}))


def _method(name: str) -> "AlignMethod":
    from kivuko.errors import ConfigError
    from kivuko.evaluation.alignment_methods import AlignMethod

    try:
        return AlignMethod(name)
    except ValueError:
        raise ConfigError(f"--method must be one of {', '.join(AlignMethod)}, got {name!r}.") from None
