"""Parallel text: English sentences with their translations."""

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from kivuko.config import BitextSource
from kivuko.data.lines import kind_of
from kivuko.data.pairs import MAX_LINE_CHARACTERS, SentencePair
from kivuko.data.readers import EMPTY_SIDE, BitextFile, ReaderOptions
from kivuko.errors import ConfigError, DataError

__all__ = [
    "MAX_LINE_CHARACTERS",
    "Bitext",
    "SentencePair",
    "pair_weights",
    "parse_source",
    "read_bitext",
    "split_held_out",
]


class Bitext(NamedTuple):
    """What a source holds.

    Attributes:
        source: Where it comes from.
        pairs: Its pairs.
        empty_sides: How many more had an empty side.
        sha256: The digest of the bytes that were read; of other formats than plain TSV, that of the pairs as TSV.
        left_out: How many records of other formats were left out for what.
        weights: What each pair counts in the alignment of words, empty where that is 1 of all; a pair that stands in
            several entries of a dictionary counts their mean each time.
    """

    source: BitextSource
    pairs: Sequence[SentencePair]
    empty_sides: int
    sha256: str
    left_out: Mapping[str, int] = MappingProxyType({})
    weights: Mapping[SentencePair, float] = MappingProxyType({})


def parse_source(argument: str, *, targets: Sequence[str]) -> dict[str, Any]:
    """Read `path[:weight]` as it is written on the command line; the path may have a format before it (`tmx:memory`).

    With several target languages the language is the end of the file's stem (`en-sw.tsv`).

    Args:
        argument: The path, with an optional weight behind a colon.
        targets: The target languages asked for.

    Returns:
        The values of a `BitextSource`, which the config checks.

    Raises:
        ConfigError: If the weight is not a positive number, or the language of the file is unclear.

    Example:
        >>> parse_source("news/en-sw.tsv:2", targets=["sw"])["weight"]
        2.0
        >>> parse_source("news/en-so.tsv", targets=["sw", "so"])["language"]
        'so'
    """
    path, colon, suffix = argument.rpartition(":")
    weight = 1.0
    # A colon may also belong to the path (a drive letter, a file name): it is a weight only where no such file exists.
    if colon and path and not Path(argument).exists():
        try:
            weight = float(suffix)
        except ValueError:
            path = argument
    else:
        path = argument
    if not 0 < weight <= 100:
        raise ConfigError(f"The weight of bitext {path!r} must be above 0 and at most 100, got {suffix!r}.")
    language = targets[0]
    if len(targets) > 1:
        language = Path(path).name.split(".")[0].rpartition("-")[2]
        if language not in targets:
            raise ConfigError(
                f"With several target languages ({', '.join(targets)}) the name of a bitext file must end "
                f"in one of them, as in 'en-{targets[0]}.tsv'; got {Path(path).name!r}. "
                "Rename it, or name the language in a TOML file."
            )
    return {"path": path, "language": language, "weight": weight}


def read_bitext(source: BitextSource) -> Bitext:
    """Read a source whole; pairs with an empty side are left out and counted.

    A plain TSV file has to be right in every line. Any other format is read as `BitextFile` does, which leaves out and
    counts what is wrong.

    Raises:
        DataError: If the file is missing, is not UTF-8, has a line without exactly two columns, or holds no pair.
    """
    file = BitextFile.spelled(source.path, ReaderOptions(language=source.language))
    if not file.is_plain_tsv:
        return _read_other(source, file)
    digest = hashlib.sha256()
    pairs: list[SentencePair] = []
    empty_sides = 0
    for number, line in enumerate(_decoded_lines(source.path, digest), start=1):
        if not line.strip():
            empty_sides += bool(line)
            continue
        columns = line.split("\t")
        if len(columns) != 2:
            raise DataError(
                f"{source.path}, line {number}: expected two columns, English<TAB>translation, got {len(columns)}. "
                "Remove or mend the line."
            )
        pair = SentencePair(*(" ".join(column.split()) for column in columns))
        if pair.english and pair.translation:
            pairs.append(pair)
        else:
            empty_sides += 1
    if not pairs:
        raise DataError(f"{source.path}: expected sentence pairs, one English<TAB>translation a line, found none.")
    return Bitext(source, pairs, empty_sides, digest.hexdigest())


def _read_other(source: BitextSource, file: BitextFile) -> Bitext:
    left_out: Counter[str] = Counter()
    weighted = list(file.weighted_pairs(left_out))
    pairs = [pair for pair, _ in weighted]
    digest = hashlib.sha256()
    for pair in pairs:
        digest.update("\t".join(pair).encode() + b"\n")
    empty_sides = left_out.pop(EMPTY_SIDE, 0)
    return Bitext(source, pairs, empty_sides, digest.hexdigest(), left_out, _mean_weights(weighted))


def _mean_weights(weighted: Iterable[tuple[SentencePair, float]]) -> Mapping[SentencePair, float]:
    found: dict[SentencePair, list[float]] = {}
    for pair, weight in weighted:
        found.setdefault(pair, []).append(weight)
    means = {pair: sum(weights) / len(weights) for pair, weights in found.items()}
    return means if any(mean != 1 for mean in means.values()) else {}


def pair_weights(bitexts: Iterable[Bitext]) -> list[float] | None:
    """Return the weight of each pair of some bitexts, one behind the other; None if all are 1."""
    weights = [bitext.weights.get(pair, 1.0) for bitext in bitexts for pair in bitext.pairs]
    return weights if any(weight != 1 for weight in weights) else None


def split_held_out(bitexts: Iterable[Bitext], *, count: int, seed: int) -> tuple[list[Bitext], list[SentencePair]]:
    """Set `count` pairs aside for validation, the same ones for the same seed.

    What shares either side with one of them is removed from training.

    Pairs are drawn by the digest of their text, so that adding a source does not reshuffle the others.

    Returns:
        The training bitext, and the held-out pairs.

    Raises:
        DataError: If the pairs asked for are more than a fifth of the bitext.
    """
    bitexts = list(bitexts)
    distinct = sorted({pair for bitext in bitexts for pair in bitext.pairs}, key=lambda pair: _rank(pair, seed))
    if count * 5 > len(distinct):
        raise DataError(
            f"{count} held-out pairs were asked for, but the bitext has only {len(distinct)} distinct pairs. "
            f"Hold out at most {len(distinct) // 5}."
        )
    held_out = distinct[:count]
    english = {pair.english.casefold() for pair in held_out}
    translations = {pair.translation.casefold() for pair in held_out}
    kept = [
        bitext._replace(
            pairs=[
                pair
                for pair in bitext.pairs
                if pair.english.casefold() not in english and pair.translation.casefold() not in translations
            ]
        )
        for bitext in bitexts
    ]
    return kept, held_out


def _rank(pair: SentencePair, seed: int) -> bytes:
    return hashlib.blake2b(f"{seed}\t{pair.english}\t{pair.translation}".encode(), digest_size=8).digest()


def _decoded_lines(path: Path, digest: "hashlib._Hash") -> Iterator[str]:
    if not path.is_file():
        raise DataError(f"Bitext {path}: expected a file with English<TAB>translation lines, found {kind_of(path)}.")
    try:
        with path.open("rb") as file:
            for number, raw in enumerate(file, start=1):
                digest.update(raw)
                if len(raw) > 4 * MAX_LINE_CHARACTERS:
                    raise DataError(
                        f"{path}, line {number}: longer than {4 * MAX_LINE_CHARACTERS} bytes. Split or remove it."
                    )
                try:
                    text = raw.decode("utf-8-sig" if number == 1 else "utf-8")
                except UnicodeDecodeError as error:
                    raise DataError(
                        f"{path}, line {number}: not valid UTF-8 ({error.reason} at byte {error.start}). "
                        "Convert the file to UTF-8."
                    ) from error
                if "\0" in text:
                    raise DataError(
                        f"{path}, line {number}: holds NUL bytes, as UTF-16 does. Convert the file to UTF-8."
                    )
                yield text.rstrip("\r\n")
    except OSError as error:
        raise DataError(f"Bitext {path} cannot be read: {error.strerror}.") from error
