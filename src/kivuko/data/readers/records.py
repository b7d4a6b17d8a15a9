"""What readers of parallel text yield, and what they are told."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, NamedTuple

from kivuko.errors import ConfigError

COMPRESSED = (".gz", ".dz", ".bz2", ".xz", ".zst")
# Ends of the names of tar archives, and what they are compressed by.
TARS = {".tar": "", ".tgz": ".gz", ".tbz2": ".bz2", ".txz": ".xz"}


class Record(NamedTuple):
    """One place of a file where a sentence pair should be.

    Attributes:
        place: Number of the line, row or unit, from 1.
        english: The English side as it stands there; may be empty.
        translation: The other side.
        flaw: Why this is no sentence pair, empty if it is one.
        weight: What part of an entry of a dictionary it is: one of four translations of a word is a quarter.
    """

    place: int
    english: str
    translation: str
    flaw: str = ""
    weight: float = 1.0


class BitextFormat(StrEnum):
    """A way in which parallel text is kept."""

    TSV = "tsv"
    CSV = "csv"
    TATOEBA = "tatoeba"
    MOSES = "moses"
    TMX = "tmx"
    XLIFF = "xliff"
    PO = "po"
    MO = "mo"
    GETTEXT = "gettext"
    JSONL = "jsonl"
    BIBLE = "bible"
    STARDICT = "stardict"
    DICTD = "dictd"
    TEI = "tei"
    HUB = "hub"


@dataclass(frozen=True, slots=True)
class ReaderOptions:
    """How a file is to be read.

    Attributes:
        format: Its format; None goes by the name of the file.
        language: ISO 639 code of the translations; needed by formats that hold several languages.
        english: Column of the English: its name in the first row, or its number from 1 in a file without such a row;
            in JSON lines and data sets of the hub the key, `translation.en` for one within another.
        translation: Column of the translation.
    """

    format: BitextFormat | None = None
    language: str | None = None
    english: str | None = None
    translation: str | None = None

    def __post_init__(self) -> None:
        """Refuse one column for both sides."""
        if self.english is None or self.translation is None:
            return
        are_numbers = self.english.isdecimal() and self.translation.isdecimal()
        if self.english == self.translation or (are_numbers and int(self.english) == int(self.translation)):
            raise ConfigError(f"The English and the translation cannot both be column {self.english!r}: name two.")


def spelled_format(argument: Path) -> tuple[BitextFormat | None, Path]:
    """Tell the format from a path that has it before a colon; a file of that name comes first.

    Example:
        >>> spelled_format(Path("hub:opus100/en-sw"))
        (<BitextFormat.HUB: 'hub'>, PosixPath('opus100/en-sw'))
        >>> spelled_format(Path("news/en-sw.tsv"))
        (None, PosixPath('news/en-sw.tsv'))
    """
    name, colon, rest = str(argument).partition(":")
    if colon and rest and name in set(BitextFormat) and not argument.exists():
        return BitextFormat(name), Path(rest)
    return None, argument


def value_under(row: Mapping[str, Any], key: str) -> Any:
    """Return what stands under a key, with dots for one within others; one that is written so comes first.

    Example:
        >>> value_under({"pair": {"en": "Yes."}}, "pair.en"), value_under({"pair.en": "No.", "pair": {}}, "pair.en")
        ('Yes.', 'No.')
        >>> value_under({"pair": "Yes."}, "pair.en")
    """
    value: Any = row
    for part in [key] if key in row else key.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value


def two_paths(path: Path) -> tuple[Path, Path]:
    """Return what a comma parts: the path of the English and that of the translations.

    Raises:
        ConfigError: If there is not just one comma that parts what exists.
    """
    parts = str(path).split(",")
    for place in range(1, len(parts)):
        english, translation = (Path(",".join(part)) for part in (parts[:place], parts[place:]))
        if len(parts) == 2 or (english.exists() and translation.exists()):
            return english, translation
    raise ConfigError(f"{path}: expected two paths with a comma between, English first, as in `bible:en.usfm,sw.usx`.")


def named_format(path: Path) -> BitextFormat | None:
    """Return the format that the name of a file says, if it does.

    Example:
        >>> named_format(Path("memory.TMX.xz")), named_format(Path("en-sw.tsv.tar.gz"))
        (<BitextFormat.TMX: 'tmx'>, <BitextFormat.TSV: 'tsv'>)
    """
    suffixes = [suffix.lower() for suffix in path.suffixes if suffix.lower() not in (*COMPRESSED, *TARS)]
    return _NAMED.get(suffixes[-1]) if suffixes else None


def bitext_format(path: Path, options: ReaderOptions) -> BitextFormat:
    """Return the format that was asked for, or else the one that the file's name says.

    Raises:
        ConfigError: If the name says none.

    Example:
        >>> bitext_format(Path("sw.po"), ReaderOptions())
        <BitextFormat.PO: 'po'>
    """
    named = options.format or named_format(path)
    if named is None:
        raise ConfigError(f"{path}: the name says no format. Give --format, one of {', '.join(BitextFormat)}.")
    return named


_NAMED = {
    ".tsv": BitextFormat.TSV,
    ".txt": BitextFormat.TSV,
    ".csv": BitextFormat.CSV,
    ".tmx": BitextFormat.TMX,
    ".xliff": BitextFormat.XLIFF,
    ".xlf": BitextFormat.XLIFF,
    ".sdlxliff": BitextFormat.XLIFF,
    ".po": BitextFormat.PO,
    ".pot": BitextFormat.PO,
    ".mo": BitextFormat.MO,
    ".gmo": BitextFormat.MO,
    ".deb": BitextFormat.GETTEXT,
    ".jsonl": BitextFormat.JSONL,
    ".ndjson": BitextFormat.JSONL,
    ".ifo": BitextFormat.STARDICT,
    ".index": BitextFormat.DICTD,
    ".tei": BitextFormat.TEI,
}
