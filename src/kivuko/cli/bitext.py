"""`kivuko bitext`: look at parallel text, clean it, and find test items in it."""

import json
import shlex
from collections import Counter
from pathlib import Path
from typing import Annotated

import typer

from kivuko.cli.bitext_fertility import fertility
from kivuko.cli.bitext_lexicon import lexicon
from kivuko.cli.bitext_mine import mine
from kivuko.cli.bitext_options import English, FormatName, Language, Translation, bitext_file
from kivuko.cli.bitext_score import score
from kivuko.cli.console import read_pairs

bitext = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Look at parallel text, clean it, and find test items in it.",
)

bitext.command()(fertility)
bitext.command()(lexicon)
bitext.command()(mine)
bitext.command()(score)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@bitext.command()
def leaks(
    bitext: Annotated[list[Path], typer.Option(help="File of parallel text; may be given again.")],
    against: Annotated[list[Path], typer.Option(help="BEIR folder of a test collection; may be given again.")],
    split: Annotated[str, typer.Option(help="Which judgments of the collections.")] = "test",
    near: Annotated[
        float, typer.Option(help="Jaccard similarity of letter trigrams from which two texts are nearly the same.")
    ] = 0.8,
    format_name: FormatName = None,
    language: Language = None,
    english: English = None,
    translation: Translation = None,
    as_json: AsJson = False,
) -> None:
    """Count the test items that stand in training bitext, by either side: exactly, nearly, within longer texts.

    Example: `kivuko bitext leaks --bitext en-mr.tsv --against tatoeba/mr-en --json`
    """
    from kivuko.data.collections import read_collection
    from kivuko.data.leakage import JudgedTexts, count_leaks
    from kivuko.errors import ConfigError
    from kivuko.report.bitext import leaks_record, print_leaks

    if not 0 < near <= 1:
        raise ConfigError(f"--near must be above 0 and at most 1, got {near}.")
    judged = [JudgedTexts(read_collection(folder, split=split), near=near) for folder in against]
    found = []
    for path in bitext:
        left_out: Counter[str] = Counter()
        file = bitext_file(path, format_name, language, english, translation)
        counted = count_leaks(read_pairs(file, left_out), judged)
        found += [(path, folder, leaks, left_out) for folder, leaks in zip(against, counted, strict=True)]
    if as_json:
        typer.echo(json.dumps([leaks_record(*each, split=split) for each in found], ensure_ascii=False))
    else:
        for path, folder, leaks, _ in found:
            print_leaks(path, folder, leaks)


@bitext.command()
def stats(
    bitext: Annotated[list[Path], typer.Option(help="File of parallel text; may be given again.")],
    format_name: FormatName = None,
    language: Language = None,
    english: English = None,
    translation: Translation = None,
    as_json: AsJson = False,
) -> None:
    """Say what parallel text is like: pairs, words, lengths, repetitions, scripts.

    Example: `kivuko bitext stats --bitext en-sw.tsv`
    """
    from kivuko.data.profile import profile
    from kivuko.report.bitext import print_stats, stats_record

    for path in bitext:
        found = profile(bitext_file(path, format_name, language, english, translation))
        if as_json:
            typer.echo(json.dumps(stats_record(path, found), ensure_ascii=False))
        else:
            print_stats(path, found)


@bitext.command()
def clean(
    bitext: Annotated[Path, typer.Option(help="File of parallel text.")],
    out: Annotated[Path, typer.Option(help="New folder: kept.tsv, rejected.tsv, report.md.")],
    against: Annotated[
        list[Path] | None, typer.Option(help="BEIR folder whose test items are rejected; may be given again.")
    ] = None,
    split: Annotated[str, typer.Option(help="Which judgments of those collections.")] = "test",
    near: Annotated[
        float, typer.Option(help="Jaccard similarity from which a pair nearly repeats another; 0 keeps such pairs.")
    ] = 0.9,
    deviations: Annotated[
        float,
        typer.Option(
            help="How far from the usual length a translation may be, and how unlike its side, in standard deviations."
        ),
    ] = 6.0,
    repeats: Annotated[
        int, typer.Option(min=0, help="How many pairs with the same side, whatever its numbers, are kept; 0 keeps all.")
    ] = 20,
    format_name: FormatName = None,
    language: Language = None,
    english: English = None,
    translation: Translation = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace what `clean` wrote to --out before.")] = False,
) -> None:
    """Sort out the sentence pairs that are not worth training on, each with its reason.

    Example: `kivuko bitext clean --bitext en-mr.tsv --out clean --against tatoeba/mr-en`
    """
    import sys

    from kivuko.data.cleaned import check_out
    from kivuko.data.cleaning import clean as run
    from kivuko.data.collections import read_collection
    from kivuko.data.flaws import CleaningOptions
    from kivuko.data.leakage import JudgedTexts
    from kivuko.errors import ConfigError
    from kivuko.report.bitext import cleaning_page
    from kivuko.search.staging import staged_directory

    if not 0 <= near < 1:
        raise ConfigError(f"--near must be 0, or above 0 and below 1, got {near}.")
    if not deviations > 0:
        raise ConfigError(f"--deviations must be above 0, got {deviations}.")

    file = bitext_file(bitext, format_name, language, english, translation)
    inputs = [bitext, file.path, *(against or ())]
    check_out(out, inputs, overwrite=overwrite)
    judged = [JudgedTexts(read_collection(folder, split=split)) for folder in against or ()]
    options = CleaningOptions(deviations, near or None, repeats or None)
    with staged_directory(out.resolve()) as stage:
        check_out(
            out, inputs, overwrite=overwrite
        )  # again: another process may have written it before this had the lock
        report = run(file, stage, options=options, judged=judged)
        page = cleaning_page(bitext, report, command=_command(sys.argv[1:]))
        (stage / "report.md").write_text(page, encoding="utf-8")
    typer.echo(f"{out}: {report.kept:,} pairs kept, {report.rejected.total():,} rejected; see report.md")


def _command(arguments: list[str]) -> str:
    """Return the command as the report tells it: without what changes where it is written, but not what.

    Example:
        >>> _command(["bitext", "clean", "--bitext", "en sw.tsv", "--out", "clean", "--overwrite"])
        "kivuko bitext clean --bitext 'en sw.tsv'"
    """
    told = [
        argument
        for before, argument in zip(["", *arguments], arguments, strict=False)
        if before != "--out" and argument not in ("--out", "--overwrite") and not argument.startswith("--out=")
    ]
    return f"kivuko {shlex.join(told)}"
