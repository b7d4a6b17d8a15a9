"""Parallel text of any format, by one protocol."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

from kivuko.data.pairs import SentencePair
from kivuko.data.readers.bible import read_bibles
from kivuko.data.readers.catalogs import read_mo, read_po
from kivuko.data.readers.dictionaries import read_dictd, read_stardict, read_tei
from kivuko.data.readers.hub import read_hub
from kivuko.data.readers.markup import read_tmx, read_xliff
from kivuko.data.readers.packages import read_gettext
from kivuko.data.readers.records import (
    COMPRESSED,
    TARS,
    BitextFormat,
    ReaderOptions,
    Record,
    bitext_format,
    named_format,
    spelled_format,
)
from kivuko.data.readers.streams import MAX_LINE_BYTES
from kivuko.data.readers.tabular import read_csv, read_json_lines, read_moses, read_tsv
from kivuko.data.readers.tatoeba import read_tatoeba
from kivuko.errors import DataError

EMPTY_SIDE = "empty side"


class BitextReader(Protocol):
    """Reads a file record by record, in bounded memory."""

    def __call__(self, path: Path, options: ReaderOptions, /) -> Iterator[Record]:
        """Yield a record for each place where a sentence pair should be, in order.

        Raises:
            DataError: If the file as a whole cannot be trusted; what is wrong with a record is its flaw.
        """


@dataclass(frozen=True, slots=True)
class BitextFile:
    """Parallel text on disk that is read anew, record by record, whenever it is iterated over.

    Attributes:
        path: The file; of a Moses pair what the names of the two files have in common; of two Bibles or the parts of
            Tatoeba's export, their paths with commas between; of a data set of the hub its id.
        options: How it is to be read.
    """

    path: Path
    options: ReaderOptions = field(default_factory=ReaderOptions)

    def __iter__(self) -> Iterator[Record]:
        for record in reader_of(bitext_format(self.path, self.options))(self.path, self.options):
            # No letter takes more than four bytes.
            if 4 * max(len(record.english), len(record.translation)) > MAX_LINE_BYTES and any(
                len(side.encode(errors="replace")) > MAX_LINE_BYTES for side in (record.english, record.translation)
            ):
                yield Record(record.place, "", "", record.flaw or f"side longer than {MAX_LINE_BYTES} bytes")
            else:
                yield record

    @classmethod
    def spelled(cls, argument: Path, options: ReaderOptions) -> "BitextFile":
        """Take the format from a path that has it before a colon (`tmx:memory`), unless the options say another."""
        told, path = spelled_format(argument) if options.format is None else (options.format, argument)
        return cls(path, replace(options, format=told))

    @property
    def is_plain_tsv(self) -> bool:
        """Whether this is two columns with a tab between, not compressed or archived, nor told to be read otherwise."""
        is_tsv = named_format(self.path) in (BitextFormat.TSV, None)
        return self.options.format is None and is_tsv and self.path.suffix.lower() not in (*COMPRESSED, *TARS)

    def pairs(self, left_out: Counter[str] | None = None) -> Iterator[SentencePair]:
        """Yield the sentence pairs with white space folded, without what has a flaw or an empty side.

        Args:
            left_out: Where to count what is left out, by its flaw.

        Raises:
            DataError: As the reader does, and if there is no pair at all.
        """
        return (pair for pair, _ in self.weighted_pairs(left_out))

    def weighted_pairs(self, left_out: Counter[str] | None = None) -> Iterator[tuple[SentencePair, float]]:
        """Yield what `pairs` does, each with its weight (`Record.weight`)."""
        records, found, first = 0, 0, ""
        for place, english, translation, flaw, weight in self:
            records += 1
            pair = SentencePair(" ".join(english.split()), " ".join(translation.split()))
            if flaw or not pair.english or not pair.translation:
                first = first or f"{flaw or EMPTY_SIDE} (at {place})"
                if left_out is not None:
                    left_out[flaw or EMPTY_SIDE] += 1
                continue
            found += 1
            yield pair, weight
        if not found:
            why = f"{records:,} records are left out, the first for: {first}" if first else "it is empty"
            raise DataError(f"{self.path} holds no sentence pair: {why}.")


def reader_of(bitext: BitextFormat) -> BitextReader:  # noqa: PLR0911, PLR0912  # one for each format
    """Return the reader of a format."""
    match bitext:
        case BitextFormat.TSV:
            return read_tsv
        case BitextFormat.CSV:
            return read_csv
        case BitextFormat.TATOEBA:
            return read_tatoeba
        case BitextFormat.MOSES:
            return read_moses
        case BitextFormat.TMX:
            return read_tmx
        case BitextFormat.XLIFF:
            return read_xliff
        case BitextFormat.PO:
            return read_po
        case BitextFormat.MO:
            return read_mo
        case BitextFormat.GETTEXT:
            return read_gettext
        case BitextFormat.JSONL:
            return read_json_lines
        case BitextFormat.BIBLE:
            return read_bibles
        case BitextFormat.STARDICT:
            return read_stardict
        case BitextFormat.DICTD:
            return read_dictd
        case BitextFormat.TEI:
            return read_tei
        case BitextFormat.HUB:
            return read_hub
