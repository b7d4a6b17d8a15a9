"""A corpus with all that a store keeps of it: languages, and fields to filter by."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from kivuko.data.collections import read_corpus
from kivuko.data.lines import json_objects
from kivuko.errors import DataError
from kivuko.search.store import FieldValue, Passage, is_finite

_OWN = {"_id", "title", "text", "language"}


def read_passages(path: str | Path) -> Iterator[Passage]:
    """Read what `read_corpus` reads, with `language` and every other string, number or boolean of a JSON line.

    Lists, objects, null and numbers that are not finite are left out, as is a language of the empty string.

    Args:
        path: As for `read_corpus`. Text files state no language and have no field.

    Raises:
        DataError: As `read_corpus` does, or if a language is no string.
    """
    path = Path(path)
    documents = read_corpus(path)
    files = [path / name for name in ("corpus.jsonl", "corpus.jsonl.gz")] if path.is_dir() else [path]
    lines = next((file for file in files if file.exists()), None)
    if lines is None:
        yield from (Passage(*document) for document in documents)
        return
    # read_corpus checks each line before it is read here a second time, for the rest of it.
    for document, (number, record) in zip(documents, json_objects(lines, ("_id", "text")), strict=True):
        language = record.get("language") or None
        if language is not None and not isinstance(language, str):
            raise DataError(f"{lines}, line {number}: language must be a string, got {type(language).__name__}.")
        yield Passage(*document, language, _fields(record))


def _fields(record: Mapping[str, Any]) -> dict[str, FieldValue]:
    return {
        name: value
        for name, value in record.items()
        if name not in _OWN and isinstance(value, (str, int, float)) and (isinstance(value, str) or is_finite(value))
    }
