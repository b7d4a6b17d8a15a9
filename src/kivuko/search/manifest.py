"""What an index says of itself: `manifest.json`, written last and read first."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from kivuko.data.collections import Document
from kivuko.errors import DataError
from kivuko.search.origin import Origin
from kivuko.search.staging import place_of

FORMAT: Final = "kivuko-index"
FORMAT_VERSION = 1

MANIFEST = "manifest.json"
EMBEDDINGS = "embeddings.npy"
OFFSETS = "offsets.npy"
DOC_IDS = "doc_ids.json"
DOCUMENTS = "documents.jsonl"

Precision = Literal["float16", "float32"]


class FileRecord(BaseModel):
    """The size and the digest of one file of an index."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    bytes: int = Field(ge=0)
    sha256: str

    @classmethod
    def of(cls, path: Path) -> "FileRecord":
        """Measure a file."""
        with path.open("rb") as file:
            return cls(bytes=path.stat().st_size, sha256=hashlib.file_digest(file, "sha256").hexdigest())


class Manifest(Origin):
    """The description of an index, beside where its embeddings come from.

    Attributes:
        format: Always `kivuko-index`.
        format_version: The version of the format; a higher one than `FORMAT_VERSION` is not read.
        dtype: Number format of the stored embeddings.
        documents: Number of documents.
        tokens: Number of token embeddings.
        files: Size and SHA-256 of every other file.
    """

    format: Literal["kivuko-index"] = FORMAT
    format_version: int = FORMAT_VERSION
    dtype: Precision
    documents: int = Field(ge=1)
    tokens: int = Field(ge=0)
    files: Mapping[str, FileRecord]

    @property
    def corpus_digest(self) -> str:
        """Digest of the documents, comparable with `corpus_digest(documents)`."""
        return self.files[DOCUMENTS].sha256


def write_manifest(manifest: Manifest, directory: Path) -> None:
    """Write `manifest.json`."""
    (directory / MANIFEST).write_text(manifest.model_dump_json(indent=2) + "\n", encoding="utf-8")


def read_manifest(directory: Path) -> Manifest:
    """Read `manifest.json` and check that each file which it names is there with its size.

    Raises:
        DataError: If the directory is no index, was written by a newer kivuko, or is damaged.
    """
    if not is_index(directory):
        what = f"its {MANIFEST} is another program's" if (directory / MANIFEST).exists() else f"no {MANIFEST} there"
        raise DataError(f"{directory} is not a kivuko index ({what}). Build one with `kivuko index`.")
    try:
        content = json.loads((directory / MANIFEST).read_bytes())
    except (ValueError, RecursionError) as error:
        raise damaged(directory, f"{MANIFEST}: {error}") from None
    written = content.get("format_version") if isinstance(content, dict) else None
    if isinstance(written, int) and written > FORMAT_VERSION:
        raise DataError(
            f"{directory} has index format {written}; this kivuko reads up to {FORMAT_VERSION}. "
            "Upgrade kivuko or build the index anew."
        )
    try:
        manifest = Manifest.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        raise damaged(directory, f"{MANIFEST}, {key}: {first['msg']}") from None
    for name in (EMBEDDINGS, OFFSETS, DOC_IDS, DOCUMENTS):
        if name not in manifest.files:
            raise damaged(directory, f"{MANIFEST} does not list {name}")
        file = directory / name
        size = file.stat().st_size if file.is_file() else None
        if size != manifest.files[name].bytes:
            found = "is missing" if size is None else f"has {size:,} bytes"
            raise damaged(directory, f"{name} {found}, {manifest.files[name].bytes:,} bytes were written")
    return manifest


def is_index(directory: Path) -> bool:
    """Say whether a directory holds an index, sound or damaged."""
    try:
        return FORMAT.encode() in (place_of(directory) / MANIFEST).read_bytes()
    except OSError:
        return False


def damaged(directory: Path, what: str) -> DataError:
    """Make the error for an index that was written whole and is whole no longer."""
    return DataError(f"The index {directory} is damaged: {what}. Build it anew with --overwrite.")


def document_line(document: Document) -> bytes:
    """Write a document as it stands in an index: one line of BEIR's `corpus.jsonl`."""
    record = {"_id": document.doc_id, "title": document.title, "text": document.text}
    return json.dumps(record, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def corpus_digest(documents: Iterable[Document]) -> str:
    """Digest documents: equal for equal ids, titles and texts in the same order."""
    digest = hashlib.sha256()
    for document in documents:
        digest.update(document_line(document))
    return digest.hexdigest()
