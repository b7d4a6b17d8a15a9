"""The state of a flat store: `manifest.json`, replaced in one step by each change."""

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from kivuko.errors import DataError
from kivuko.search.manifest import FileRecord
from kivuko.search.origin import Origin

FORMAT: Final = "kivuko-flat"
FORMAT_VERSION = 1
MANIFEST = "manifest.json"
SMALLEST_DIM = 2  # torch 2.13 computes wrong int8 products over a single dimension


class SegmentRecord(BaseModel):
    """One segment, as the manifest names it.

    Attributes:
        number: Its directory is this number in eight digits.
        documents: Number of passages in it, deleted ones included.
        tokens: Number of their token embeddings.
        longest: The Euclidean norm of the longest of these, as stored.
        files: Size and SHA-256 of each of its files.
        deleted: The positions of deleted passages, rising.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    number: int = Field(ge=1)
    documents: int = Field(ge=1)
    tokens: int = Field(ge=0)
    longest: float = Field(ge=0)
    files: Mapping[str, FileRecord]
    deleted: tuple[int, ...] = ()

    @property
    def name(self) -> str:
        """The segment's directory."""
        return f"{self.number:08d}"


class FlatManifest(Origin):
    """The state of a store, beside where its embeddings come from.

    Attributes:
        format: Always `kivuko-flat`.
        format_version: The version of the format; a higher one than `FORMAT_VERSION` is not read.
        dim: Length of a token embedding, at least 2.
        next_segment: The number of the next segment; numbers are not used again.
        segments: The segments, oldest first.
    """

    format: Literal["kivuko-flat"] = FORMAT
    format_version: int = FORMAT_VERSION
    dim: int = Field(ge=SMALLEST_DIM)
    next_segment: int = Field(default=1, ge=1)
    segments: tuple[SegmentRecord, ...] = ()


def write_manifest(manifest: FlatManifest, directory: Path) -> None:
    """Make this the state of a store: afterwards it is on disk, and before, the former one is."""
    content = manifest.model_dump(mode="json")
    partial = directory / f"{MANIFEST}.partial"
    with partial.open("wb") as file:
        file.write(json.dumps({**content, "sha256": _digest(content)}, indent=1, ensure_ascii=False).encode() + b"\n")
        file.flush()
        os.fsync(file.fileno())
    partial.replace(directory / MANIFEST)
    sync_directory(directory)


def read_manifest(directory: Path) -> FlatManifest:
    """Read the state of a store.

    Raises:
        DataError: If the directory is no flat store, was written by a newer kivuko, or the manifest is damaged.
    """
    try:
        written = (directory / MANIFEST).read_bytes()
    except OSError:
        written = b""
    if f'"{FORMAT}"'.encode() not in written:
        raise DataError(f"{directory} is not a flat store (its {MANIFEST} is missing or another program's).")
    try:
        content = json.loads(written)
        digest = content.pop("sha256", None)
    except (ValueError, RecursionError, AttributeError) as error:
        raise damaged(directory, f"{MANIFEST}: {error}") from None
    newer = content.get("format_version")
    if isinstance(newer, int) and newer > FORMAT_VERSION:
        raise DataError(
            f"{directory} has flat format {newer}; this kivuko reads up to {FORMAT_VERSION}. "
            "Upgrade kivuko or build the store anew."
        )
    if digest != _digest(content):
        raise damaged(directory, f"{MANIFEST} is not what was written")
    try:
        return FlatManifest.model_validate(content)
    except ValidationError as error:
        raise damaged(directory, f"{MANIFEST}: {error.errors()[0]['msg']}") from None


def is_flat_store(directory: Path) -> bool:
    """Say whether a directory holds a flat store, sound or damaged."""
    try:
        return f'"{FORMAT}"'.encode() in (directory / MANIFEST).read_bytes()
    except OSError:
        return False


def damaged(directory: Path, what: str) -> DataError:
    """Make the error for a store that was written whole and is whole no longer."""
    return DataError(f"The store {directory} is damaged: {what}. Build it anew, or restore a copy.")


def sync_directory(directory: Path) -> None:
    """Wait until the list of a directory's entries is on disk."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _digest(content: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
