"""Text files as numbered lines, so that an error can say where it is."""

import gzip
import itertools
import json
import zlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from kivuko.errors import DataError

MAX_LINE_BYTES = 10_000_000
MAX_POINTER_BYTES = 4_096


def existing(path: Path) -> Path:
    """Return a path, or say that it does not exist."""
    if not path.exists():
        raise DataError(f"{path} does not exist.")
    return path


def kind_of(path: Path) -> str:
    """Say what is there in place of a file that can be read again and again.

    Example:
        >>> kind_of(Path("/")), kind_of(Path("/no/such")), kind_of(Path("/dev/null"))[:16]
        ('a folder', 'no such file', 'a pipe or device')
    """
    if path.is_dir():
        return "a folder"
    if not path.exists():
        return "no such file"
    return "a pipe or device, which cannot be read twice; write to a file what comes out of it, and name that"


def numbered_lines(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the lines of a UTF-8 file, also gzipped, that are not blank, with their numbers from 1.

    Raises:
        DataError: If the file cannot be read, is not UTF-8, or has a line longer than `MAX_LINE_BYTES`.
    """
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            for number in itertools.count(1):
                raw = file.readline(MAX_LINE_BYTES + 1)
                if not raw:
                    return
                if len(raw) > MAX_LINE_BYTES:
                    raise DataError(f"{path}, line {number}: longer than {MAX_LINE_BYTES:,} bytes.")
                line = decode(raw, path, number).rstrip("\r\n")
                if line.strip():
                    yield number, line
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path} cannot be read: {error}.") from error


def json_objects(path: Path, required: Sequence[str]) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """Yield the JSON objects of a file of one a line, with their line numbers.

    Raises:
        DataError: As `numbered_lines` does, or if a line is no JSON object or lacks a key of `required`.
    """
    try:
        file = _pointed_at(path)
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error}.") from error
    for number, line in numbered_lines(file):
        try:
            record = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise DataError(f"{path}, line {number}: invalid JSON ({error}).") from None
        if not isinstance(record, dict):
            raise DataError(f"{path}, line {number}: expected a JSON object, got {line[:60]!r}.")
        missing = [key for key in required if key not in record]
        if missing:
            raise DataError(f"{path}, line {number}: {', '.join(missing)} missing; the keys are {', '.join(record)}.")
        yield number, record


def decode(raw: bytes, path: Path, number: int) -> str:
    """Decode UTF-8 whose first line is line `number` of `path`; a byte-order mark at the start of a file is dropped."""
    try:
        return raw.removeprefix(b"\xef\xbb\xbf").decode() if number == 1 else raw.decode()
    except UnicodeDecodeError as error:
        line = number + error.object.count(b"\n", 0, error.start)
        raise DataError(f"{path}, line {line}: not valid UTF-8 ({error.reason}). Convert the file to UTF-8.") from None


def is_encodable(text: str) -> bool:
    """Say whether a string can be written as UTF-8; half a surrogate pair cannot."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _pointed_at(path: Path) -> Path:
    """Follow what a checkout without symbolic links makes of one: a line with the relative path of the real file."""
    if path.suffix != ".jsonl" or not path.is_file() or path.stat().st_size > MAX_POINTER_BYTES:
        return path
    line = path.read_bytes().decode(errors="replace").strip()
    if line.startswith("{") or "\n" in line or "\0" in line or not line.endswith(".jsonl"):
        return path
    target = path.parent / line
    return target if target.is_file() else path
