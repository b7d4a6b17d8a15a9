"""TREC runs: `query_id Q0 doc_id rank score tag`, one retrieved document a line."""

import math
import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

import ir_measures
from ir_measures import ScoredDoc

from kivuko.data.lines import existing, numbered_lines
from kivuko.errors import DataError


def write_run(path: str | Path, run: Iterable[ScoredDoc], *, tag: str = "kivuko") -> None:
    """Write a run, whole or not at all.

    Queries keep the order of their first result. Within a query, results stand by falling score and, where scores are
    equal, by falling doc_id, which is how trec_eval reads them whatever the rank column says. Scores are written
    with every digit, so that the file keeps ties and order.

    Args:
        path: The file to write; an old one is replaced.
        run: Scored documents in any order.
        tag: The name of the run, its last column.

    Raises:
        DataError: If the file cannot be written, a score is not a number, or an id or the tag has white space or is
            empty, which the format cannot hold.
    """
    by_query: dict[str, list[ScoredDoc]] = {}
    for result in run:
        for name, value in (("query_id", result.query_id), ("doc_id", result.doc_id), ("tag", tag)):
            if value.split() != [value]:
                raise DataError(f"A TREC run separates its columns by white space: {name} {value!r} cannot be written.")
        if math.isnan(result.score):
            raise DataError(f"The score of {result.doc_id!r} for {result.query_id!r} is not a number.")
        by_query.setdefault(result.query_id, []).append(result)
    with _replaced(Path(path)) as file:
        for query_id, results in by_query.items():
            results.sort(key=lambda result: (result.score, result.doc_id), reverse=True)
            for rank, result in enumerate(results, 1):
                file.write(f"{query_id} Q0 {result.doc_id} {rank} {float(result.score)!r} {tag}\n")


def read_run(path: str | Path) -> list[ScoredDoc]:
    """Read a run, also gzipped, in the order of the file.

    Raises:
        DataError: If the file is missing or a line is not one of a TREC run.
    """
    path = existing(Path(path))
    run: list[ScoredDoc] = []
    for number, line in numbered_lines(path):
        try:
            run.extend(ir_measures.read_trec_run(f"{line}\n"))  # type: ignore[no-untyped-call]
        except ValueError:
            raise DataError(
                f"{path}, line {number}: expected `query_id Q0 doc_id rank score tag`, got {line[:80]!r}."
            ) from None
    return run


@contextmanager
def _replaced(path: Path) -> Iterator[TextIO]:
    """Open a file beside `path` that takes its place when the block ends well."""
    try:
        handle, beside = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent, text=True)
        try:
            with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
                yield file
            umask = os.umask(0)
            os.umask(umask)
            Path(beside).chmod(0o666 & ~umask)  # mkstemp's files are private; a run is an ordinary file
            Path(beside).replace(path)
        except BaseException:
            Path(beside).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise DataError(f"{path} cannot be written: {error}.") from error
