"""What a flat store holds after one commit: segments, and which of their passages still count."""

import hashlib
import json
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kivuko.errors import DataError
from kivuko.search.flat.manifest import MANIFEST, FlatManifest, SegmentRecord, damaged, read_manifest
from kivuko.search.flat.segment import PASSAGES, Segment, open_segment

ATTEMPTS = 10  # to open a state before a writer has replaced it


@dataclass(frozen=True, eq=False, slots=True)
class State:
    """What a store held after one commit. Positions count through the segments.

    Attributes:
        manifest: What it said of itself.
        segments: Its segments, oldest first.
        starts: The first position of each segment, and the end.
        live: Which positions were neither deleted nor replaced.
        positions: Where the passage of each id is.
    """

    manifest: FlatManifest
    segments: tuple[Segment, ...]
    starts: NDArray[np.int64]
    live: NDArray[np.bool_]
    positions: Mapping[str, int]

    @property
    def contents(self) -> str:
        """What tells these passages from others: it changes with each commit."""
        kept = [(record.files[PASSAGES].sha256, record.deleted) for record in self.manifest.segments]
        return f"passages {hashlib.sha256(json.dumps(kept).encode()).hexdigest()}"

    def place(self, position: int) -> tuple[Segment, int]:
        """Return the segment of a position, and the position in it."""
        number = int(np.searchsorted(self.starts, position, side="right")) - 1
        return self.segments[number], position - int(self.starts[number])

    def position(self, doc_id: str) -> int:
        """Return the position of a passage.

        Raises:
            DataError: If the id is not there.
        """
        if doc_id not in self.positions:
            raise DataError(f"The store has no passage {doc_id!r}.")
        return self.positions[doc_id]

    def without(self, deleted: Iterable[int]) -> tuple[SegmentRecord, ...]:
        """Return the segments' records with some more positions deleted; segments of which nothing is left go."""
        live = self.live.copy()
        live[list(deleted)] = False
        records = []
        for record, start in zip(self.manifest.segments, self.starts.tolist(), strict=False):
            gone = np.flatnonzero(~live[start : start + record.documents])
            if len(gone) < record.documents:
                records.append(record.model_copy(update={"deleted": tuple(gone.tolist())}))
        return tuple(records)


def open_state(directory: Path, known: Sequence[Segment], *, verify: bool = False) -> State:
    """Open the present state of a store; segments that are open already stay so.

    Raises:
        DataError: If it is no flat store, was written by a newer kivuko, or is damaged.
    """
    for _ in range(ATTEMPTS):
        manifest = read_manifest(directory)
        # By its digests, not its number alone: another store may have been put in the place of this one.
        opened = {(segment.record.number, repr(segment.record.files)): segment for segment in known}
        try:
            segments = tuple(
                opened.get((record.number, repr(record.files)))
                or open_segment(directory, record, manifest.dim, verify=verify)
                for record in manifest.segments
            )
        except FileNotFoundError as error:
            gone = error.filename
            if read_manifest(directory) == manifest:
                break
            continue  # a writer removed the segment after it had replaced the manifest
        return _state(manifest, segments)
    raise damaged(directory, f"{gone} is missing")


def _state(manifest: FlatManifest, segments: tuple[Segment, ...]) -> State:
    starts = np.cumsum([0, *map(len, segments)])
    live = np.ones(starts[-1], dtype=bool)
    for record, start in zip(manifest.segments, starts.tolist(), strict=False):
        live[start + np.array(record.deleted, dtype=np.int64)] = False
    doc_ids = [doc_id for segment in segments for doc_id in segment.doc_ids]
    positions = {doc_ids[position]: position for position in np.flatnonzero(live).tolist()}
    return State(manifest, segments, starts, live, positions)


def sweep(directory: Path, manifest: FlatManifest) -> None:
    """Remove segments that the manifest does not name: former ones, and what a killed or failed writer left."""
    named = {record.name for record in manifest.segments}
    for path in directory.iterdir():
        if path.name.isdecimal() and len(path.name) == 8 and path.name not in named:
            shutil.rmtree(path)
    (directory / f"{MANIFEST}.partial").unlink(missing_ok=True)
