"""Documents in, index out: encoding and writing as a stream."""

import json
from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from kivuko.data.collections import Document
from kivuko.errors import ConfigError, DataError, ModelError
from kivuko.search.index import Index, load_index
from kivuko.search.manifest import (
    DOC_IDS,
    DOCUMENTS,
    EMBEDDINGS,
    OFFSETS,
    FileRecord,
    Manifest,
    Precision,
    document_line,
    is_index,
    write_manifest,
)
from kivuko.search.staging import staged_directory

if TYPE_CHECKING:
    from sentence_transformers import MultiVectorEncoder

CHUNK_BATCHES = 8  # batches that are sorted by length together, which saves padding; they bound the memory


def build_index(
    model: "MultiVectorEncoder",
    documents: Iterable[Document],
    directory: str | Path,
    *,
    model_name: str,
    model_digest: str | None = None,
    teacher_digests: Sequence[str] = (),
    language: str | None = None,
    batch_size: int = 32,
    dtype: Precision = "float16",
    overwrite: bool = False,
    progress: Callable[[int], None] | None = None,
) -> Index:
    """Encode documents and write them to a new index, whole or not at all.

    Documents are read, encoded and written a few batches at a time. One for which the model gives no token embedding
    is kept, and never found.

    Args:
        model: The encoder of the documents.
        documents: The documents, with distinct ids.
        directory: Where the index is to lie.
        model_name: The model's hub id or directory, for the manifest.
        model_digest: A digest of the model's files, for the manifest.
        teacher_digests: For a student, those of its teachers, for the manifest.
        language: ISO 639 code of the documents' language, for the manifest.
        batch_size: Documents encoded at once.
        dtype: `float16`, or `float32` for twice the space.
        overwrite: Replace the index that is there.
        progress: Called with the number of documents written since the last call.

    Raises:
        ConfigError: If `batch_size` is not positive, or another process is writing the directory.
        DataError: If the directory is taken or cannot be written, there is no document, or an id comes twice.
        ModelError: If an embedding has a value that is not finite, or too large for `dtype`.
    """
    if batch_size < 1:
        raise ConfigError(f"batch_size must be at least 1, got {batch_size}.")
    directory = Path(directory).resolve()
    _refuse_taken(directory, overwrite=overwrite)
    try:
        with staged_directory(directory) as stage:
            _refuse_taken(directory, overwrite=overwrite)  # by another process, before this one had the lock
            count, tokens, dim = _write_files(
                stage, model, documents, batch_size=batch_size, dtype=np.dtype(dtype), progress=progress
            )
            manifest = Manifest(
                model_name=model_name,
                model_digest=model_digest,
                teacher_digests=tuple(teacher_digests),
                language=language,
                dim=dim,
                dtype=dtype,
                documents=count,
                tokens=tokens,
                files={path.name: FileRecord.of(path) for path in sorted(stage.iterdir())},
            )
            write_manifest(manifest, stage)
    except OSError as error:
        raise DataError(f"The index {directory} cannot be written: {error}.") from error
    return load_index(directory)


def _refuse_taken(directory: Path, *, overwrite: bool) -> None:
    if not directory.exists() or (directory.is_dir() and not any(directory.iterdir())):
        return
    if not is_index(directory):
        raise DataError(f"{directory} exists and is not a kivuko index: choose another directory.")
    if not overwrite:
        raise DataError(f"The index {directory} exists already: choose another directory, or overwrite it.")


def _write_files(
    stage: Path,
    model: "MultiVectorEncoder",
    documents: Iterable[Document],
    *,
    batch_size: int,
    dtype: np.dtype[np.floating],
    progress: Callable[[int], None] | None,
) -> tuple[int, int, int]:
    """Write everything but the manifest; return the number of documents, of tokens, and the dimension."""
    offsets = [(0, 0)]
    doc_ids: dict[str, None] = {}
    dim = 0
    remaining = iter(documents)
    with (stage / EMBEDDINGS).open("wb") as matrix, (stage / DOCUMENTS).open("wb") as payload:
        while chunk := list(islice(remaining, CHUNK_BATCHES * batch_size)):
            contents = [document.content for document in chunk]
            embeddings = model.encode_document(
                contents, batch_size=batch_size, convert_to_numpy=True, show_progress_bar=False
            )
            if not doc_ids:
                dim = embeddings[0].shape[1]
                _write_header(matrix, (0, dim), dtype)
            for document, embedding in zip(chunk, embeddings, strict=True):
                if document.doc_id in doc_ids:
                    raise DataError(f"Two documents have the id {document.doc_id!r}: ids must be distinct.")
                # Not "max > limit": that is False for NaN, which would then pass.
                if embedding.size and not np.abs(embedding).max() <= np.finfo(dtype).max:
                    raise ModelError(
                        f"The model's embeddings of document {document.doc_id!r} hold NaN, infinity or a value too "
                        f"large for {dtype}. Load the model in float32, or check its weights."
                    )
                matrix.write(np.ascontiguousarray(embedding, dtype=dtype).data)
                payload.write(document_line(document))
                doc_ids[document.doc_id] = None
                offsets.append((offsets[-1][0] + len(embedding), payload.tell()))
            if progress is not None:
                progress(len(chunk))
        if not doc_ids:
            raise DataError("There is no document to index.")
        tokens = offsets[-1][0]
        matrix.seek(0)
        _write_header(matrix, (tokens, dim), dtype)
    np.save(stage / OFFSETS, np.array(offsets, dtype=np.int64))
    (stage / DOC_IDS).write_text(json.dumps(list(doc_ids), ensure_ascii=False), encoding="utf-8")
    return len(doc_ids), tokens, dim


def _write_header(file: BinaryIO, shape: tuple[int, int], dtype: np.dtype[np.floating]) -> None:
    """Write the header of an .npy file; numpy pads it so that another number of rows takes the same room."""
    header = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, header)
