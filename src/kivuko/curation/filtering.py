"""Parallel text with the quality of each pair beside it, or only the pairs that are worth training on."""

import csv
import tempfile
from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from kivuko.curation.quality import PairQuality, QualityScorer
from kivuko.data.bitext import SentencePair
from kivuko.data.readers import EMPTY_SIDE, BitextFile
from kivuko.data.readers.records import COMPRESSED, TARS
from kivuko.data.whole import written_whole
from kivuko.errors import ConfigError, DataError

BATCH = 256  # pairs scored at once
LOW_SCORE = "low score"
_SCORED = ("english", "translation", *PairQuality._fields)
_REJECTED = ("file", "place", "reason", "score", "english", "translation")


class Filter(NamedTuple):
    """Which pairs stay; all of them by default.

    Attributes:
        keep: The share with the best scores, above 0, at most 1. Pairs of equal score share their fate.
        threshold: The least score.
    """

    keep: float | None = None
    threshold: float | None = None


class Filtered(NamedTuple):
    """What was done.

    Attributes:
        pairs: How many pairs were scored.
        kept: How many of them were kept.
        threshold: The least score that is kept, None if all are.
        left_out: How many records were no pair, by what is wrong with them.
    """

    pairs: int
    kept: int
    threshold: float | None
    left_out: Counter[str]


class _Row(NamedTuple):
    """A pair and where it came from."""

    file: int
    place: int
    pair: SentencePair


def pairs_of(files: Sequence[BitextFile]) -> Iterator[SentencePair]:
    """Yield the pairs of several files, with white space folded."""
    for file in files:
        yield from file.pairs()


def write_scored(
    files: Sequence[BitextFile],
    scorer: QualityScorer,
    out: Path,
    *,
    chosen: Filter = Filter(),  # noqa: B008  # frozen
    progress: Callable[[int], None] = lambda pairs: None,
) -> Filtered:
    """Score parallel text, and write it with its scores, or what is kept of it and what is not.

    Without a filter `out` has a row of names, and for each pair English, translation, cost, margin, coverage, score.
    With one it has English and translation of each kept pair, as `kivuko distill` reads them, and `rejected_path` the
    others with file, place, reason and score. The order is that of the text. Memory holds one batch, and eight bytes
    for each pair. The files appear when they are whole.

    Args:
        files: Parallel text.
        scorer: What scores it.
        out: File to write.
        chosen: What is kept.
        progress: Called with the number of pairs scored since the last call.

    Raises:
        ConfigError: If the filter says two things at once, or a share out of range.
        DataError: If a file cannot be read, or one cannot be written.
    """
    if chosen.keep is not None and chosen.threshold is not None:
        raise ConfigError("Give a share to keep or a threshold, not both.")
    if chosen.keep is not None and not 0 < chosen.keep <= 1:
        raise ConfigError(f"The share to keep must be above 0 and at most 1, got {chosen.keep}.")
    left_out: Counter[str] = Counter()
    if chosen == Filter():
        with written_tables(out) as (table,):
            table.writerow(_SCORED)
            count = 0
            for row, quality in _scored(files, scorer, progress, left_out):
                table.writerow([*row.pair, *map(_shown, quality)])
                count += 1
        return Filtered(count, count, None, left_out)
    scores = array("d")
    with (
        written_tables(out, rejected_path(out)) as (kept, rejected),
        tempfile.TemporaryFile("w+", encoding="utf-8") as waiting,
    ):
        rejected.writerow(_REJECTED)
        for row, quality in _scored(files, scorer, progress, left_out, rejected):
            waiting.write("\t".join((str(row.file), str(row.place), *row.pair)) + "\n")
            scores.append(quality.score)
        threshold = _threshold(scores, chosen)
        count = 0
        waiting.seek(0)
        for line, score in zip(waiting, scores, strict=True):
            file, place, *pair = line.rstrip("\n").split("\t")
            if score >= threshold:
                kept.writerow(pair)
                count += 1
            else:
                rejected.writerow([files[int(file)].path, place, LOW_SCORE, _shown(score), *pair])
        if not count:
            raise DataError(f"No pair has a score of {threshold:g} or more; the best has {max(scores):.3f}.")
    return Filtered(len(scores), count, threshold, left_out)


def check_out(*paths: Path, overwrite: bool) -> None:
    """Make sure, before hours of work, that files can be written.

    Raises:
        ConfigError: If one is there already and is not to be replaced, its folder is not there, or its name says that
            it is compressed, which none is.
    """
    for path in paths:
        if path.suffix.lower() in (*COMPRESSED, *TARS):
            raise ConfigError(f"{path}: plain text is written, which no {path.suffix} holds. Choose another --out.")
        if path.is_dir() or (path.exists() and not overwrite):
            raise ConfigError(f"{path} is there already. Choose another --out, or give --overwrite for a file.")
        if not path.parent.is_dir():
            raise ConfigError(f"{path.parent}, the folder of --out, is not there. Make it, or choose another.")


def rejected_path(out: Path) -> Path:
    """Return where the rejected pairs are written.

    Example:
        >>> rejected_path(Path("clean/en-sw.tsv")).name
        'en-sw.rejected.tsv'
    """
    return out.with_name(f"{out.stem}.rejected.tsv")


def _scored(
    files: Sequence[BitextFile],
    scorer: QualityScorer,
    progress: Callable[[int], None],
    left_out: Counter[str],
    rejected: Any = None,
) -> Iterator[tuple[_Row, PairQuality]]:
    rows = _rows(files, left_out, rejected)
    while batch := list(islice(rows, BATCH)):
        yield from zip(batch, scorer([row.pair for row in batch]), strict=True)
        progress(len(batch))


def _rows(files: Iterable[BitextFile], left_out: Counter[str], rejected: Any) -> Iterator[_Row]:
    for number, file in enumerate(files):
        for record in file:
            pair = SentencePair(" ".join(record.english.split()), " ".join(record.translation.split()))
            flaw = record.flaw or ("" if all(pair) else EMPTY_SIDE)
            if not flaw:
                yield _Row(number, record.place, pair)
                continue
            left_out[flaw] += 1
            if rejected is not None:
                rejected.writerow([file.path, record.place, flaw, "", *pair])


def _threshold(scores: Sequence[float], chosen: Filter) -> float:
    if chosen.keep is None:
        return float(chosen.threshold or 0.0)
    count = max(1, round(chosen.keep * len(scores)))
    return float(np.partition(np.asarray(scores), len(scores) - count)[len(scores) - count])


def _shown(number: float) -> str:
    return f"{number:.5f}"


@contextmanager
def written_tables(*paths: Path) -> Iterator[list[Any]]:
    """Yield a writer of tab-separated rows for each path; the files get their names when all are whole."""
    with written_whole(*paths) as files:
        yield [
            csv.writer(file, delimiter="\t", lineterminator="\n", quoting=csv.QUOTE_NONE, quotechar=None)
            for file in files
        ]
