"""Reader of data sets of the Hugging Face hub, OPUS among them, and of folders of the same kinds of files."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from kivuko.data.formats.tatoeba import ISO_639_3
from kivuko.data.readers.records import ReaderOptions, Record, value_under
from kivuko.errors import ConfigError, DataError

_PAIR_OF_LANGUAGES = re.compile(r"[a-z]{2,3}[-_][a-z]{2,3}")


def read_hub(path: Path, options: ReaderOptions) -> Iterator[Record]:
    """Read a data set row by row, as it comes from the hub or from a folder; code that lies with it is never run.

    Args:
        path: `owner/name`, `owner/name/configuration`, `name/en-sw` or a folder, also with a configuration behind it;
            a split other than `train` stands behind a `#`.
        options: The columns of the two sides, `translation.en` for a key of a column of tables; by default a column
            `translation` with the keys `en` and `language`, or columns called by the languages.

    Raises:
        ConfigError: If the columns cannot be told.
        DataError: If there is no such data set, or it cannot be read.
    """
    # Takes a second to import, which other formats need not wait for.
    import datasets  # noqa: PLC0415

    told, _, split = str(path).partition("#")
    name, configuration = _name(told)
    try:
        rows = datasets.load_dataset(name, configuration, split=split or "train", streaming=True)
        columns: tuple[str, str] | None = None
        for number, row in enumerate(rows, start=1):
            columns = columns or _columns(path, row, options)
            english, translation = (value_under(row, column) for column in columns)
            if isinstance(english, str) and isinstance(translation, str):
                yield Record(number, english, translation)
            else:
                yield Record(number, "", "", f"no text under {columns[isinstance(english, str)]!r}")
    except (OSError, ValueError, RuntimeError, datasets.exceptions.DatasetsError) as error:
        reason = " ".join(str(error).split())[:300]
        raise DataError(f"Data set {path} cannot be read: {type(error).__name__}: {reason}") from error


def _name(told: str) -> tuple[str, str | None]:
    """Part the name of a data set, or its folder, from its configuration.

    Example:
        >>> _name("opus100/en-sw"), _name("Helsinki-NLP/opus-100"), _name("Helsinki-NLP/opus-100/en-sw")
        (('opus100', 'en-sw'), ('Helsinki-NLP/opus-100', None), ('Helsinki-NLP/opus-100', 'en-sw'))
    """
    if Path(told).is_dir():
        return told, None
    name, _, configuration = told.rpartition("/")
    is_configured = Path(name).is_dir() if name else False
    if name and (is_configured or "/" in name or _PAIR_OF_LANGUAGES.fullmatch(configuration)):
        return name, configuration
    return told, None


def _columns(path: Path, row: Mapping[str, Any], options: ReaderOptions) -> tuple[str, str]:
    if (options.english is None) != (options.translation is None):
        raise ConfigError("Give both columns, --english and --translation, or neither.")
    if options.english is not None and options.translation is not None:
        told = (options.english, options.translation)
        if any(column not in row and column.partition(".")[0] not in row for column in told):
            raise DataError(f"{path}: there is no column {' or '.join(told)}; it has {', '.join(row)}.")
        return told
    english = ("translation.en", "translation.eng", "en", "eng", "english")
    code = options.language or ""
    codes = [each for each in (code, ISO_639_3.get(code, "")) if each]
    translation = [f"translation.{each}" for each in codes] + codes + ["translation"]
    found = [next((c for c in each if isinstance(value_under(row, c), str)), None) for each in (english, translation)]
    if found[0] is None or found[1] is None:
        raise ConfigError(
            f"{path}: its columns {', '.join(row)} do not say which is English and which is the translation. Give "
            f"{'--english and --translation' if code else '--language, or --english and --translation'}."
        )
    return found[0], found[1]
