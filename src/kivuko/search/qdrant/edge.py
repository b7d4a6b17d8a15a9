"""Qdrant Edge: the collection in a directory, and the engine in this process."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import qdrant_edge as edge
from pydantic import ValidationError

from kivuko.errors import ConfigError, DataError
from kivuko.search.manifest import MANIFEST
from kivuko.search.qdrant.points import POOLED, TERMS, TOKENS, Point
from kivuko.search.qdrant.store import FORMAT_VERSION, PREFETCH, SCROLLED, QdrantManifest, QdrantStore, Question
from kivuko.search.staging import staged_directory

SHARD = "shard"


class EdgeStore(QdrantStore):
    """A collection in a directory. One process at a time may have it open, be it only to search.

    Each call that writes is one entry of Qdrant's log, and on disk when it returns.

    Args:
        directory: Where it lies.
        prefetch: How many candidates the pooled vectors propose; None for all passages.

    Raises:
        ConfigError: If another process, or another object of this one, has it open.
        DataError: If it is no such store, was written by a newer kivuko, or is damaged.
    """

    def __init__(self, directory: str | Path, *, prefetch: int | None = PREFETCH) -> None:
        self.directory = Path(directory)
        super().__init__(str(directory), read_manifest(self.directory), prefetch=prefetch)
        try:
            self._shard = edge.EdgeShard.load(str(self.directory / SHARD))
        except Exception as error:
            if "WouldBlock" in str(error):
                raise ConfigError(
                    f"{directory} is open in another process, or twice in this one. Qdrant Edge admits one, readers "
                    "included: close it there, or use a `flat` store or a Qdrant server for several."
                ) from None
            raise DataError(f"The store {directory} is damaged: {error}. Build it anew, or restore a copy.") from error

    def tidy(self) -> None:
        """Merge what was written, drop what was deleted, and build the index of the pooled vectors."""
        with self._failing():
            self._shard.optimize()
            self._shard.flush()

    def close(self) -> None:
        """Release the directory; the object is of no use afterwards."""
        self._shard.close()

    def _count(self) -> int:
        with self._failing():
            return self._shard.count(edge.CountRequest(exact=True))

    def _payloads(self, point_ids: Sequence[str]) -> dict[str, Mapping[str, Any]]:
        with self._failing():
            records = self._shard.retrieve(list(point_ids), with_payload=True, with_vector=False)
        return {str(record.id): record.payload or {} for record in records}

    def _all_payloads(self) -> Iterator[Mapping[str, Any]]:
        place: Any = None
        while True:
            request = edge.ScrollRequest(offset=place, limit=SCROLLED, with_payload=True, with_vector=False)
            with self._failing():
                records, place = self._shard.scroll(request)
            yield from (record.payload or {} for record in records)
            if place is None:
                return

    def _upsert(self, new: Sequence[Point]) -> None:
        if new:
            self._write(edge.UpdateOperation.upsert_points([_point(each) for each in new]))

    def _remove(self, point_ids: Sequence[str]) -> None:
        if point_ids:
            self._write(edge.UpdateOperation.delete_points(list(point_ids)))

    def _write(self, operation: edge.UpdateOperation) -> None:
        with self._failing():
            self._shard.update(operation)
            self._shard.flush()

    def _query(self, questions: Sequence[Question]) -> list[list[tuple[Mapping[str, Any], float]]]:
        with self._failing():
            found = self._shard.query_batch(edge.QueryBatchRequest([_request(each) for each in questions]))
        return [[(each.payload or {}, each.score) for each in answers] for answers in found]

    @contextmanager
    def _failing(self) -> Iterator[None]:
        """Say where it was when Qdrant fails; it raises plain exceptions."""
        try:
            yield
        except Exception as error:
            raise DataError(f"The store {self.directory} failed: {error}") from error


def create_edge_store(directory: str | Path, manifest: QdrantManifest) -> EdgeStore:
    """Make an empty store; it appears whole or not at all.

    Args:
        directory: A path where nothing is, or an empty directory.
        manifest: What it says of itself.

    Raises:
        DataError: If the directory is taken or cannot be written.
    """
    directory = Path(directory).absolute()
    _refuse_taken(directory)
    config = edge.EdgeConfig(
        vectors={
            TOKENS: edge.EdgeVectorParams(
                manifest.dim,
                edge.Distance.Dot,
                multivector_config=edge.MultiVectorConfig(edge.MultiVectorComparator.MaxSim),
                datatype=edge.VectorStorageDatatype.Float16,
                hnsw_config=edge.HnswIndexConfig(0, 0, 0),  # only ever rescored: a graph of them would be waste
            ),
            POOLED: edge.EdgeVectorParams(manifest.dim, edge.Distance.Dot, datatype=edge.VectorStorageDatatype.Float16),
        }
    )
    try:
        with staged_directory(directory) as stage:
            _refuse_taken(directory)  # by another process, before this one had the lock
            shard = edge.EdgeShard.create(str(stage / SHARD), config)
            shard.update(edge.UpdateOperation.create_field_index(TERMS, edge.PayloadSchemaType.Keyword))
            shard.flush()
            shard.close()
            (stage / MANIFEST).write_text(manifest.model_dump_json(indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise DataError(f"The store {directory} cannot be written: {error}.") from error
    return EdgeStore(directory)


def _refuse_taken(directory: Path) -> None:
    if directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
        raise DataError(f"There is something at {directory} already: choose another directory.")


def read_manifest(directory: Path) -> QdrantManifest:
    """Read what a store says of itself.

    Raises:
        DataError: If it is no such store, was written by a newer kivuko, or is damaged.
    """
    try:
        manifest = QdrantManifest.model_validate_json((directory / MANIFEST).read_bytes())
    except (OSError, ValidationError) as error:
        raise DataError(f"{directory} is not a qdrant store, or is damaged: {error}.") from None
    if manifest.format_version > FORMAT_VERSION:
        raise DataError(
            f"{directory} has qdrant format {manifest.format_version}; this kivuko reads up to {FORMAT_VERSION}. "
            "Upgrade kivuko or build the store anew."
        )
    return manifest


def _point(new: Point) -> edge.Point:
    vectors: dict[str, Any] = {}
    if len(new.tokens):
        vectors = {TOKENS: new.tokens.tolist(), POOLED: new.pooled.tolist()}
    return edge.Point(new.point_id, vectors, new.payload)


def _request(question: Question) -> edge.QueryRequest:
    fits = None
    if question.conditions:
        fits = edge.Filter(
            must=[edge.FieldCondition(key, match=edge.MatchValue(value)) for key, value in question.conditions]
        )
    candidates = None
    if question.prefetch is not None:
        nearest = edge.Query.Nearest(question.pooled.tolist(), using=POOLED)
        candidates = [edge.Prefetch(limit=question.prefetch, query=nearest, filter=fits)]
    return edge.QueryRequest(
        limit=question.top_k,
        query=edge.Query.Nearest(question.tokens.tolist(), using=TOKENS),
        prefetches=candidates,
        filter=fits if candidates is None else None,
        params=edge.SearchParams(exact=True) if candidates is None else None,
        with_payload=True,
    )
