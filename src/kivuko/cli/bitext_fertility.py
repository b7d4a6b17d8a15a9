"""`kivuko bitext fertility`: how finely a model's tokenizer cuts the translations of parallel text."""

import json
from collections import Counter
from pathlib import Path
from typing import Annotated

import typer

from kivuko.cli.bitext_options import English, FormatName, Translation, bitext_file


def fertility(
    bitext: Annotated[list[Path], typer.Option(help="File of parallel text; may be given again.")],
    model: Annotated[str, typer.Option(help="Directory or hub id of the model whose tokenizer is asked.")],
    target: Annotated[
        str | None, typer.Option(help="ISO 639 code of the translations, for formats that hold several languages.")
    ] = None,
    format_name: FormatName = None,
    english: English = None,
    translation: Translation = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, a line a file.")] = False,
) -> None:
    """Say how many pieces a word has, and how many words are unknown; warn of a language that is split into crumbs.

    Example: `kivuko bitext fertility --bitext en-sw.tsv --model swahili`
    """
    from kivuko.cli.console import prepare, read_pairs, say
    from kivuko.models.encoder import load_encoder
    from kivuko.models.fertility import fertility as count

    prepare(None)
    tokenizer = load_encoder(model).tokenizer
    for path in bitext:
        left_out: Counter[str] = Counter()
        file = bitext_file(path, format_name, target, english, translation)
        found = count(tokenizer, (pair.translation for pair in read_pairs(file, left_out)))
        if as_json:
            record = {"bitext": str(path), "model": model} | found.record() | {"left_out": dict(left_out)}
            typer.echo(json.dumps(record, ensure_ascii=False))
        else:
            typer.echo(f"{path}: {found.summary()}")
        if found.warning:
            say(f"warning: {path}: {found.warning}")
