"""What the commands share: options, and words to the person at the terminal."""

import sys
import warnings
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from kivuko.data.pairs import SentencePair
    from kivuko.data.readers import BitextFile
    from kivuko.models.reading import CutTexts
    from kivuko.search.index import Index
    from kivuko.search.store import OpenStore

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


def warn_of_size(index: "Index | OpenStore") -> None:
    """Say of a store that it is larger than is meant."""
    from kivuko.search.flat import FlatStore

    if isinstance(index, FlatStore) and index.advice:
        say(f"warning: {index.advice}")


def warn_of_cut(texts: "CutTexts") -> None:
    """Say how many documents or queries are longer than what was encoded of them."""
    if not texts.count:
        return
    one, many, loss = {
        "document": ("document is", "documents are", "the rest of them is not found by it: cut them into passages"),
        "query": ("query is", "queries are", "the rest of them is not asked for: ask in fewer words"),
    }[texts.task]
    are = one if texts.count == 1 else many
    say(f"warning: {texts.count:,} {are} longer than the {texts.limit:,} tokens that the model reads; {loss}.")


@contextmanager
def writing_to(store: "OpenStore") -> "Iterator[None]":
    """Warn of a store's size once, in a line of our own, when it has been written to."""
    from kivuko.search.flat.store import LargeStoreWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", LargeStoreWarning)
        yield
    warn_of_size(store)


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
