"""The embedded store: files that many processes read at once, and one at a time writes."""

import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from filelock import FileLock
from numpy.typing import NDArray

from kivuko.errors import ConfigError, DataError
from kivuko.search.flat.gpu import usable_gpu
from kivuko.search.flat.lock import LOCK, holding
from kivuko.search.flat.manifest import (
    MANIFEST,
    SMALLEST_DIM,
    FlatManifest,
    is_flat_store,
    read_manifest,
    write_manifest,
)
from kivuko.search.flat.quantize import Quantized
from kivuko.search.flat.scan import find_head
from kivuko.search.flat.segment import checked, valid_embeddings, write_segment
from kivuko.search.flat.state import State, open_state, sweep
from kivuko.search.store import Entry, FieldValue, Match, Passage, check_where

ADVISED_PASSAGES = 100_000  # a query takes time in proportion; beyond this many, tenths of seconds on one core
WASTE = 0.2  # the share of deleted passages that `tidy` leaves
MANY_SEGMENTS = 64  # that `tidy` leaves: each write makes one, and a query looks into each


class LargeStoreWarning(UserWarning):
    """That a store has grown beyond what it is meant for."""


class FlatStore:
    """A flat store, as it was when it was opened, last refreshed, or last written to by this object.

    Any number of objects, in any number of processes and threads, may search one directory while one writes. Each
    write is one commit: a reader sees all of it or nothing, and once it has returned it survives a crash.

    Args:
        directory: Where the store lies.
        verify: Read every file and compare it with its digest; otherwise only sizes are compared.
        device: Where to scan: `cpu`, or a GPU by its name in torch; by default on a GPU where there is one.
        exhaustive: Whether to score every passage, also where there are so many that looking at the signs of their
            embeddings first is faster. A GPU always does.

    Raises:
        DataError: If it is no flat store, was written by a newer kivuko, or is damaged.
    """

    def __init__(
        self, directory: str | Path, *, verify: bool = False, device: str | None = None, exhaustive: bool = False
    ) -> None:
        self.directory = Path(directory)
        self.exhaustive = exhaustive
        self._state = open_state(self.directory, (), verify=verify)
        self._lock = FileLock(self.directory / LOCK, timeout=0)  # of each thread; may be taken again by the same one
        self._device = usable_gpu(self.dim) if device is None else None if device == "cpu" else torch.device(device)

    @property
    def location(self) -> str:
        """Its directory."""
        return str(self.directory)

    @property
    def dim(self) -> int:
        """Length of a token embedding."""
        return self._state.manifest.dim

    @property
    def manifest(self) -> FlatManifest:
        """What the store says of itself."""
        return self._state.manifest

    @property
    def contents(self) -> str:
        """What tells the passages that it holds from those that it held before a change."""
        return self._state.contents

    @property
    def advice(self) -> str | None:
        """What there is to say of a store that is larger than is meant."""
        if len(self) <= ADVISED_PASSAGES:
            return None
        return (
            f"The store {self.directory} holds {len(self):,} passages; `flat` is meant for up to about "
            f"{ADVISED_PASSAGES:,}. By default each query compares the signs of all embeddings to find candidates, and "
            "only an exhaustive one scans all int8 codes; either takes time in proportion. For more passages make a "
            "store with `kivuko index --store qdrant`."
        )

    def passages(self) -> Iterator[Passage]:
        """Read all passages, in the order in which they were last written."""
        state = self._state
        for position in np.flatnonzero(state.live).tolist():
            segment, place = state.place(position)
            yield segment.passage(place)

    @property
    def doc_ids(self) -> tuple[str, ...]:
        """The ids of all passages, in the order in which they were last written."""
        return tuple(self._state.positions)

    def __len__(self) -> int:
        return len(self._state.positions)

    def __contains__(self, doc_id: object) -> bool:
        return doc_id in self._state.positions

    def known(self, doc_ids: Iterable[str]) -> set[str]:
        """Say which of these ids are there."""
        return self._state.positions.keys() & doc_ids

    def refresh(self) -> None:
        """Move on to the present state of the directory."""
        self._state = open_state(self.directory, self._state.segments)

    def get(self, doc_id: str) -> Passage:
        """Read one passage.

        Raises:
            DataError: If the id is not there.
        """
        return self.get_many([doc_id])[0]

    def get_many(self, doc_ids: Sequence[str]) -> list[Passage]:
        """Read passages, in the order of their ids.

        Raises:
            DataError: If an id is not there.
        """
        state = self._state
        places = [state.place(state.position(doc_id)) for doc_id in doc_ids]
        return [segment.passage(position) for segment, position in places]

    def embeddings(self, doc_id: str) -> NDArray[np.float32]:
        """Return the token embeddings of one passage as they are stored, (tokens, dim).

        Raises:
            DataError: If the id is not there.
        """
        state = self._state
        segment, position = state.place(state.position(doc_id))
        return segment.stored(position).dequantized()

    def search(
        self, queries: Sequence[NDArray[Any]], *, top_k: int, where: Mapping[str, FieldValue] | None = None
    ) -> list[list[Match]]:
        """Find the passages with the largest MaxSim scores over the stored embeddings, best first.

        Scores are those of the embeddings as they were stored. Among many passages the best ones are looked for among
        candidates (`exhaustive`), ten for each that is wanted and 500 at least, and one may be missed. Equal scores are
        ordered by doc_id, falling, as trec_eval does. A passage without tokens is never found, and a query without
        tokens finds nothing.

        Args:
            queries: The token embeddings of each query, (tokens, dim).
            top_k: How many passages to return for each; fewer where fewer are there.
            where: Values that `title`, `text`, `language` or fields must have, all of them.

        Raises:
            ConfigError: If `top_k` is not positive.
            DataError: If a query is not of the store's dimension, or a value of `where` is of a wrong type.
            ModelError: If a query's embeddings are not finite.
        """
        if top_k < 1:
            raise ConfigError(f"top_k must be at least 1, got {top_k}.")
        check_where(where)
        state = self._state
        asked = [valid_embeddings(query, state.manifest.dim, "the query") for query in queries]
        allowed = state.live
        if where and state.segments:
            allowed = allowed & np.concatenate([segment.having(where) for segment in state.segments])
        return [self._matches(state, query, allowed, top_k) for query in asked]

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Keep other writers out for a whole block, and move on to the present state of the directory.

        Each call that writes does so by itself; this is for several, of which none is to be refused.

        Raises:
            ConfigError: If another process is writing, or another thread or object of this one.
        """
        with holding(self._lock, self.directory):
            self.refresh()
            yield

    def add(self, entries: Iterable[Entry]) -> None:
        """Add passages whose ids are new, in one commit; thousands at a time is best.

        Raises:
            ConfigError: If another process is writing.
            DataError: If an id is there already or comes twice, or a passage cannot be stored.
            ModelError: If embeddings hold NaN, infinity or numbers beyond a million.
        """

        def new(state: State) -> Iterator[tuple[Passage, Quantized]]:
            for passage, quantized in checked(entries, state.manifest.dim):
                if passage.doc_id in state.positions:
                    raise DataError(f"The store has a passage {passage.doc_id!r} already: use update to replace it.")
                yield passage, quantized

        self._write(new)

    def add_new(self, entries: Iterable[Entry]) -> int:
        """Add those passages whose ids are new, in one commit, and pass over the others.

        Returns:
            How many were added.

        Raises:
            ConfigError: If another process is writing.
            DataError: If an id comes twice, or a passage cannot be stored.
            ModelError: If embeddings hold NaN, infinity or numbers beyond a million.
        """
        added: list[str] = []

        def new(state: State) -> Iterator[tuple[Passage, Quantized]]:
            unknown = (entry for entry in entries if entry.passage.doc_id not in state.positions)
            for passage, quantized in checked(unknown, state.manifest.dim):
                added.append(passage.doc_id)
                yield passage, quantized

        self._write(new)
        return len(added)

    def update(self, entries: Iterable[Entry]) -> None:
        """Replace passages, embeddings and all, in one commit.

        Raises:
            ConfigError: If another process is writing.
            DataError: If an id is not there or comes twice, or a passage cannot be stored.
            ModelError: If embeddings hold NaN, infinity or numbers beyond a million.
        """
        replaced: list[int] = []

        def newer(state: State) -> Iterator[tuple[Passage, Quantized]]:
            for passage, quantized in checked(entries, state.manifest.dim):
                replaced.append(state.position(passage.doc_id))
                yield passage, quantized

        self._write(newer, lambda _: replaced)

    def delete(self, doc_ids: Iterable[str]) -> None:
        """Remove passages, in one commit. Their bytes go with the next `compact`.

        Raises:
            ConfigError: If another process is writing.
            DataError: If an id is not there.
        """
        self._write(lambda _: iter(()), lambda state: [state.position(doc_id) for doc_id in doc_ids])

    def compact(self) -> None:
        """Write all passages anew into one segment, without those that were deleted or replaced.

        Raises:
            ConfigError: If another process is writing.
        """

        def kept(state: State) -> Iterator[tuple[Passage, Quantized]]:
            for position in np.flatnonzero(state.live).tolist():
                segment, place = state.place(position)
                yield segment.passage(place), segment.stored(place)

        self._write(kept, lambda state: range(len(state.live)))

    def tidy(self) -> None:
        """Compact, if more than a fifth of what is stored was deleted or replaced, or it lies in many segments.

        Raises:
            ConfigError: If another process is writing.
        """
        state = self._state
        if len(state.live) - len(state.positions) > WASTE * len(state.live) or len(state.segments) > MANY_SEGMENTS:
            self.compact()

    def close(self) -> None:
        """Do nothing: an open store holds no lock, and its maps end with the last use of them."""

    def _matches(self, state: State, query: NDArray[np.float32], allowed: NDArray[np.bool_], top_k: int) -> list[Match]:
        head = find_head(state.segments, query, allowed, top_k=top_k, exhaustive=self.exhaustive, device=self._device)
        found = []
        for position, score in zip(head.positions.tolist(), head.scores.tolist(), strict=True):
            segment, place = state.place(position)
            found.append((score, segment.doc_ids[place], segment, place))
        found.sort(key=lambda each: each[:2], reverse=True)
        return [Match(segment.passage(place), score) for score, _, segment, place in found[:top_k]]

    def _write(
        self,
        entries: Callable[[State], Iterator[tuple[Passage, Quantized]]],
        deleted: Callable[[State], Iterable[int]] = lambda _: (),
    ) -> None:
        """Commit a segment of `entries` and the deletion of some positions."""
        with self.writing():
            state = self._state
            sweep(self.directory, state.manifest)
            number = state.manifest.next_segment
            try:
                record = write_segment(self.directory, number, entries(state))
                segments = state.without(deleted(state)) + ((record,) if record else ())
                changes = {"next_segment": number + 1, "segments": segments}
                manifest = state.manifest.model_copy(update=changes)
                write_manifest(manifest, self.directory)
            except OSError as error:
                raise DataError(f"The store {self.directory} cannot be written: {error}.") from error
            finally:
                sweep(self.directory, read_manifest(self.directory))
            self.refresh()
        if len(state.positions) <= ADVISED_PASSAGES and (advice := self.advice):
            warnings.warn(advice, LargeStoreWarning, stacklevel=3)


def create_store(
    directory: str | Path,
    *,
    dim: int,
    model_name: str,
    model_digest: str | None = None,
    teacher_digests: Sequence[str] = (),
    language: str | None = None,
) -> FlatStore:
    """Make an empty flat store.

    Args:
        directory: Where it is to lie: a path where nothing is, or an empty directory.
        dim: Length of a token embedding, at least 2.
        model_name: The encoder's hub id or directory, for the manifest.
        model_digest: A digest of the encoder's files, for the manifest.
        teacher_digests: For a student, those of its teachers, for the manifest.
        language: ISO 639 code of the passages' language, for the manifest.

    Raises:
        ConfigError: If `dim` is less than 2, or another process is writing there.
        DataError: If the directory is taken or cannot be written.
    """
    if dim < SMALLEST_DIM:
        raise ConfigError(f"dim must be at least {SMALLEST_DIM}, got {dim}.")
    directory = Path(directory)
    if is_flat_store(directory):
        raise DataError(f"The store {directory} exists already: open it, or choose another directory.")
    # What a process that was killed while it made a store may have left is no reason to refuse.
    if directory.exists() and not (
        directory.is_dir() and {path.name for path in directory.iterdir()} <= {LOCK, f"{MANIFEST}.partial"}
    ):
        raise DataError(f"{directory} exists and is not a flat store: choose another directory.")
    manifest = FlatManifest(
        model_name=model_name,
        model_digest=model_digest,
        teacher_digests=tuple(teacher_digests),
        language=language,
        dim=dim,
    )
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with holding(FileLock(directory / LOCK, timeout=0), directory):
            if is_flat_store(directory):
                raise DataError(f"The store {directory} exists already: open it, or choose another directory.")
            write_manifest(manifest, directory)
    except OSError as error:
        raise DataError(f"The store {directory} cannot be written: {error}.") from error
    return FlatStore(directory)


def open_or_create(
    directory: str | Path,
    *,
    dim: int,
    model_name: str,
    model_digest: str | None,
    teacher_digests: Sequence[str] = (),
    language: str | None = None,
) -> FlatStore:
    """Open the flat store of this model, or make it where nothing is: so that an ingestion can begin or go on.

    Raises:
        DataError: If the directory is taken, damaged or cannot be written.
        ModelError: If the store there is not, or cannot be known to be, of this model.
    """
    if not is_flat_store(Path(directory)):
        return create_store(
            directory,
            dim=dim,
            model_name=model_name,
            model_digest=model_digest,
            teacher_digests=teacher_digests,
            language=language,
        )
    store = FlatStore(directory)
    store.manifest.refuse_other_model(store.location, model_name, model_digest, dim)
    return store
