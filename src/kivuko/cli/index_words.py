"""The words beside an index: `kivuko index --lexical`."""

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

import typer

from kivuko.cli.console import read_pairs

if TYPE_CHECKING:
    from kivuko.search.index import Index
    from kivuko.search.store import OpenStore

Lexical = Literal["bm25", "psq"]


class WordOptions(NamedTuple):
    """What was asked for.

    Attributes:
        lexical: Whether words are to be counted, and translations to be learned.
        bitext: Parallel text.
        target: Its language that is not English.
        folder: Where the words are, or are to be kept; None for a server of which nothing was said.
    """

    lexical: Lexical | None
    bitext: tuple[Path, ...]
    target: str | None
    folder: Path | None


def word_options(
    out: str, lexical: Lexical | None, bitext: list[Path] | None, target: str | None, lexical_index: Path | None
) -> WordOptions:
    """Check what was asked for, before anything is encoded.

    Raises:
        ConfigError: If it does not fit together.
        DataError: If a file of parallel text is missing.
    """
    from kivuko.data.lines import existing
    from kivuko.data.readers.records import spelled_format
    from kivuko.errors import ConfigError
    from kivuko.search.qdrant import is_address
    from kivuko.search.words import words_folder

    if lexical == "psq" and not (bitext and target):
        raise ConfigError(
            "--lexical psq learns translations from parallel text: give --bitext FILE and --target LANGUAGE."
        )
    if lexical != "psq" and (bitext or target):
        raise ConfigError("--bitext and --target are for --lexical psq.")
    for path in bitext or ():
        # What has a format before it need not be a file: a name, or several paths.
        if spelled_format(path)[0] is None:
            existing(path)
    folder = None if is_address(out) and lexical_index is None and lexical is None else words_folder(out, lexical_index)
    return WordOptions(lexical, tuple(bitext or ()), target, folder)


def count_words(index: "Index | OpenStore", options: WordOptions, *, changed: bool) -> None:
    """Count the words of an index if that was asked for, or if they were counted before and it has changed since."""
    from kivuko.data.readers import BitextFile, ReaderOptions
    from kivuko.search.words import build_words, learn_translations, renew_words

    if options.folder is None:
        return
    if options.lexical is None:
        words = renew_words(index, options.folder, changed=changed)
    else:
        words = build_words(index, options.folder)
    if words is None:
        return
    typer.echo(f"{options.folder}: {len(words.lexical.vocabulary)} words of {len(words.lexical)} documents")
    if options.lexical == "psq" and options.target is not None:
        reader = ReaderOptions(language=options.target)
        pairs = [pair for path in options.bitext for pair in read_pairs(BitextFile.spelled(path, reader), Counter())]
        query, document = learn_translations(
            pairs,
            options.folder,
            target=options.target,
            language=index.manifest.language,
            analyzer=words.lexical.manifest.analyzer,
        )
        typer.echo(
            f"{options.folder}: translations of words from {query} to {document}, from {len(pairs)} sentence pairs"
        )
