"""The tidy table of a comparison: one value of one measure for one query of one run a row."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from kivuko.data.lines import existing, is_encodable, numbered_lines
from kivuko.errors import DataError

Array = NDArray[np.float64]


class Score(NamedTuple):
    """What one system, trained with one seed, is worth for one query.

    A system without randomness, such as BM25, has the one seed 0.
    """

    system: str
    language: str
    seed: int
    query_id: str
    measure: str
    value: float


@dataclass(frozen=True, slots=True)
class ScoreMatrix:
    """The values of one system in one language, by one measure.

    Attributes:
        query_ids: The rows, sorted.
        seeds: The columns, sorted.
        values: Of shape (queries, seeds).
    """

    query_ids: tuple[str, ...]
    seeds: tuple[int, ...]
    values: Array

    @property
    def seed_means(self) -> Array:
        """The mean over the seeds for each query: the unit of every test here."""
        return np.asarray(self.values.mean(axis=1), dtype=np.float64)


def write_scores(path: str | Path, scores: Iterable[Score]) -> None:
    """Write a table as tab-separated text with a header, whole or not at all.

    Values are written with every digit, so that a test of the file is a test of the run.

    Args:
        path: The file to write; an old one is replaced.
        scores: The rows, in the order to write them.

    Raises:
        DataError: If a row is invalid (`check_scores`) or the file cannot be written.
    """
    rows = list(scores)
    check_scores(rows)
    path = Path(path)
    beside = path.with_name(f".{path.name}.partial")
    lines = ("\t".join((*map(str, row[:-1]), repr(float(row.value)))) for row in rows)
    try:
        with beside.open("w", encoding="utf-8", newline="\n") as file:
            file.write("\t".join(Score._fields) + "\n")
            file.writelines(f"{line}\n" for line in lines)
        beside.replace(path)
    except OSError as error:
        beside.unlink(missing_ok=True)
        raise DataError(f"{path} cannot be written: {error}.") from error


def read_scores(path: str | Path) -> list[Score]:
    """Read a table, also gzipped, in the order of the file.

    Raises:
        DataError: If the file is missing, its header or a line is not that of such a table, or a row is invalid.
    """
    path = existing(Path(path))
    lines = numbered_lines(path)
    header = next(lines, (1, ""))[1]
    if header.split("\t") != list(Score._fields):
        raise DataError(f"{path}: expected the columns {', '.join(Score._fields)} between tabs, got {header[:80]!r}.")
    rows: list[Score] = []
    for number, line in lines:
        try:
            system, language, seed, query_id, measure, value = line.split("\t")
            rows.append(Score(system, language, int(seed), query_id, measure, float(value)))
        except ValueError:
            raise DataError(
                f"{path}, line {number}: expected {', '.join(Score._fields)} between tabs, got {line[:80]!r}."
            ) from None
    try:
        check_scores(rows)
    except DataError as error:
        raise DataError(f"{path}: {error}") from None
    return rows


def check_scores(scores: Iterable[Score]) -> None:
    """Refuse a table that has no row, repeats one, or has an empty or unwritable name or a value that is no number.

    Raises:
        DataError: With the first such row.
    """
    seen: set[tuple[str, str, int, str, str]] = set()
    fine: set[str] = set()
    for row in scores:
        for name, text in (
            ("system", row.system),
            ("language", row.language),
            ("query_id", row.query_id),
            ("measure", row.measure),
        ):
            if text in fine:
                continue
            if (
                not text
                or text != text.strip()
                or text.splitlines() != [text]
                or "\t" in text
                or not is_encodable(text)
            ):
                raise DataError(f"Expected a {name} of one line without tabs, got {text!r} in {row}.")
            fine.add(text)
        if not math.isfinite(row.value):
            raise DataError(f"Expected a finite value, got {row.value} in {row}.")
        if row[:-1] in seen:
            raise DataError(
                f"Expected one value for each system, language, seed, query and measure, got another: {row}."
            )
        seen.add(row[:-1])
    if not seen:
        raise DataError("Expected at least one row of scores, got none.")


def score_matrices(scores: Iterable[Score], measure: str) -> Mapping[tuple[str, str], ScoreMatrix]:
    """Arrange the values of one measure as a matrix of queries by seeds for each system and language.

    Systems and languages keep the order in which they come.

    Raises:
        DataError: If no row has the measure, a seed lacks a query, or a row is invalid.

    Example:
        >>> rows = [Score("ours", "sw", seed, "q1", "RR@10", seed / 4) for seed in (1, 2)]
        >>> score_matrices(rows, "RR@10")["ours", "sw"].seed_means
        array([0.375])
    """
    rows = list(scores)
    check_scores(rows)
    cells: dict[tuple[str, str], dict[tuple[str, int], float]] = {}
    for row in rows:
        if row.measure == measure:
            cells.setdefault((row.system, row.language), {})[row.query_id, row.seed] = row.value
    if not cells:
        known = ", ".join(dict.fromkeys(row.measure for row in rows))
        raise DataError(f"Expected scores by {measure}, got scores by {known}.")
    return {cell: _matrix(*cell, values) for cell, values in cells.items()}


def languages_of(matrices: Mapping[tuple[str, str], ScoreMatrix], system: str) -> list[str]:
    """Return the languages that a system has scores in.

    Raises:
        DataError: If it has none.
    """
    languages = [language for name, language in matrices if name == system]
    if not languages:
        known = ", ".join(dict.fromkeys(name for name, _ in matrices))
        raise DataError(f"There are no scores of {system!r}; the systems are {known}.")
    return languages


def matched(
    matrices: Mapping[tuple[str, str], ScoreMatrix], system: str, baseline: str, language: str
) -> tuple[ScoreMatrix, ScoreMatrix]:
    """Return the values of two systems in a language, whose rows are the same queries.

    Raises:
        DataError: If one of them has no scores there, or they have scores for different queries.
    """
    for name in (system, baseline):
        if (name, language) not in matrices:
            raise DataError(
                f"There are no scores of {name!r} in {language!r}, so that nothing can be paired with them."
            )
    first, second = matrices[system, language], matrices[baseline, language]
    if first.query_ids != second.query_ids:
        unpaired = sorted({*first.query_ids} ^ {*second.query_ids})
        raise DataError(
            f"Expected {system!r} and {baseline!r} to have scores for the same queries in {language!r}; "
            f"{len(unpaired)} have scores from one of them only, for example {unpaired[0]!r}. "
            "Score an unanswered query as 0."
        )
    return first, second


def _matrix(system: str, language: str, values: Mapping[tuple[str, int], float]) -> ScoreMatrix:
    query_ids = tuple(sorted({query_id for query_id, _ in values}))
    seeds = tuple(sorted({seed for _, seed in values}))
    for seed in seeds:
        for query_id in query_ids:
            if (query_id, seed) not in values:
                raise DataError(
                    f"Every seed of {system!r} in {language!r} needs a value for every query; "
                    f"seed {seed} has none for {query_id!r}."
                )
    return ScoreMatrix(
        query_ids, seeds, np.array([[values[query_id, seed] for seed in seeds] for query_id in query_ids])
    )
