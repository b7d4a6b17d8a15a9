"""An index on disk: every token embedding of every document, memory-mapped, beside the documents themselves."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kivuko.data.collections import Document
from kivuko.errors import DataError
from kivuko.search.manifest import (
    DOC_IDS,
    DOCUMENTS,
    EMBEDDINGS,
    OFFSETS,
    FileRecord,
    Manifest,
    damaged,
    read_manifest,
)
from kivuko.search.staging import read_whole


@dataclass(frozen=True, eq=False, slots=True)
class Index:
    """An open index. Many processes may read one at the same time.

    Attributes:
        directory: Where it lies.
        manifest: What it says of itself.
        doc_ids: The documents' ids, by position.
        embeddings: The token embeddings of all documents one after the other, (tokens, dim), memory-mapped.
        offsets: For each position, and one past the last, the first token and the first byte in `payload`.
        payload: The documents as JSON lines, memory-mapped.
    """

    directory: Path
    manifest: Manifest
    doc_ids: Sequence[str]
    embeddings: NDArray[Any]
    offsets: NDArray[np.int64]
    payload: NDArray[np.uint8]

    @property
    def location(self) -> str:
        """Its directory."""
        return str(self.directory)

    @property
    def contents(self) -> str:
        """What tells these documents from others."""
        return f"documents {self.manifest.corpus_digest}"

    def __len__(self) -> int:
        return len(self.doc_ids)

    def document(self, position: int) -> Document:
        """Read the document at `position`, from 0 to `len(index) - 1`."""
        start, end = self.offsets[position : position + 2, 1]
        try:
            record = json.loads(self.payload[start:end].tobytes())
            return Document(record["_id"], record["title"], record["text"])
        except (ValueError, KeyError, TypeError) as error:
            raise damaged(self.directory, f"{DOCUMENTS}, byte {start}: {error}") from None


def load_index(directory: str | Path, *, verify: bool = False) -> Index:
    """Open an index without reading its embeddings.

    While another process replaces it, the old one is opened or the new one, each of them whole.

    Args:
        directory: Where `build_index` wrote it.
        verify: Read every file and compare it with its digest; otherwise only sizes and shapes are compared.

    Raises:
        DataError: If it is no index, was written by a newer kivuko, or is damaged.
    """
    directory = Path(directory)
    index = read_whole(directory, lambda place: _open_files(place, verify=verify))
    return replace(index, directory=directory)


def _open_files(directory: Path, *, verify: bool) -> Index:
    manifest = read_manifest(directory)
    if verify:
        for name, written in manifest.files.items():
            if FileRecord.of(directory / name) != written:
                raise damaged(directory, f"{name} is not what was written")
    try:
        embeddings = np.load(directory / EMBEDDINGS, mmap_mode="r")
        offsets = np.load(directory / OFFSETS)
        doc_ids = json.loads((directory / DOC_IDS).read_bytes())
        payload = np.memmap(directory / DOCUMENTS, mode="r")
    except (OSError, ValueError, EOFError) as error:
        raise damaged(directory, str(error)) from None
    ends = (manifest.tokens, len(payload))
    if (
        len(doc_ids) != manifest.documents
        or embeddings.shape != (manifest.tokens, manifest.dim)
        or embeddings.dtype != manifest.dtype
        or offsets.shape != (manifest.documents + 1, 2)
        or not (np.diff(offsets, axis=0, prepend=[(0, 0)]) >= 0).all()
        or tuple(offsets[-1]) != ends
    ):
        raise damaged(directory, "its files do not fit together")
    return Index(directory, manifest, tuple(doc_ids), embeddings, offsets, payload)


def index_differences(directory: Path, *, model_digest: str | None, corpus_digest: str, dtype: str) -> list[str]:
    """Say in what an index differs from one of these documents as encoded by this model; in nothing if it is that one.

    An unknown model (`None`) differs from every model.

    Raises:
        DataError: If it is no index, was written by a newer kivuko, or is damaged.
    """
    manifest = read_whole(directory, read_manifest)
    differences = []
    if model_digest is None or manifest.model_digest is None:
        differences.append(f"whether its model, {manifest.model_name}, is the same cannot be known")
    elif manifest.model_digest != model_digest:
        differences.append(f"it was encoded by another model, {manifest.model_name}")
    if manifest.corpus_digest != corpus_digest:
        differences.append(f"it holds other documents, {manifest.documents:,} of them")
    if manifest.dtype != dtype:
        differences.append(f"it is in {manifest.dtype}, not {dtype}")
    return differences


def index_matches(directory: Path, *, model_digest: str | None, corpus_digest: str, dtype: str) -> bool:
    """Say whether an index is there, sound, and of these documents as encoded by this model.

    An unknown model (`None`) matches nothing.
    """
    try:
        return not index_differences(directory, model_digest=model_digest, corpus_digest=corpus_digest, dtype=dtype)
    except DataError:
        return False
