"""Options of all commands that read parallel text: its format, its language and its columns."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from kivuko.data.readers import BitextFile

FormatName = Annotated[
    str | None,
    typer.Option(
        "--format",
        help="tsv, csv, jsonl, moses, tmx, xliff, po, mo, gettext, tatoeba, bible, stardict, dictd, tei or hub; by "
        "default by the name. It may also stand before the path: `--bitext gettext:/usr/share/locale`.",
    ),
]
Language = Annotated[
    str | None, typer.Option(help="ISO 639 code of the translations, for formats that hold several languages.")
]
English = Annotated[
    str | None, typer.Option(help="Column of the English: its name in the first row, or its number from 1; a JSON key.")
]
Translation = Annotated[str | None, typer.Option(help="Column of the translation, likewise.")]


def bitext_file(
    path: Path,
    format_name: str | None,
    language: str | None,
    english: str | None = None,
    translation: str | None = None,
) -> "BitextFile":
    """Return the parallel text that a path and these options name.

    Raises:
        ConfigError: If there is no such format.
    """
    from kivuko.data.readers import BitextFile, BitextFormat, ReaderOptions
    from kivuko.errors import ConfigError

    try:
        bitext_format = None if format_name is None else BitextFormat(format_name)
    except ValueError:
        raise ConfigError(f"--format must be one of {', '.join(BitextFormat)}, got {format_name!r}.") from None
    return BitextFile.spelled(path, ReaderOptions(bitext_format, language, english, translation))
