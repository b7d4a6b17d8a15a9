"""What the commands share: options, and words to the person at the terminal."""

import sys
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from kivuko.data.pairs import SentencePair
    from kivuko.data.readers import BitextFile

Threads = Annotated[int | None, typer.Option(min=1, help="Threads of the mathematics; all cores by default.")]

Verify = Annotated[
    bool, typer.Option("--verify", help="First read all files of the index and compare them with their checksums.")
]


def prepare(threads: int | None) -> None:
    """Set threads, and silence the loading bars and notices of libraries."""
    import torch
    import transformers

    transformers.utils.logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    transformers.utils.logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    if threads:
        torch.set_num_threads(threads)


def say(message: str) -> None:
    """Write a line to stderr, now."""
    sys.stderr.write(message + "\n")
    sys.stderr.flush()


def read_pairs(file: "BitextFile", left_out: Counter[str]) -> "Iterator[SentencePair]":
    """Yield the pairs of parallel text, count what is left out, and say so."""
    found: Counter[str] = Counter()
    yield from file.pairs(found)
    left_out.update(found)
    if found:
        most = "; ".join(f"{count:,} {flaw}" for flaw, count in found.most_common(5))
        say(f"{file.path}: {found.total():,} records left out: {most}")


def given(**values: Any) -> dict[str, Any]:
    """Return the options that were given a value."""
    return {key: value for key, value in values.items() if value is not None}
