"""A segment: some passages in five files that are written once, and never change."""

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from kivuko.errors import DataError, ModelError
from kivuko.search.flat.manifest import SegmentRecord, damaged, sync_directory
from kivuko.search.flat.quantize import LARGEST, Quantized, quantize
from kivuko.search.manifest import FileRecord
from kivuko.search.store import Entry, FieldValue, Passage, check_passage

if TYPE_CHECKING:
    import torch

    from kivuko.search.flat.signs import Signs

CODES, SCALES, OFFSETS = "codes.i8", "scales.f32", "offsets.i64"
DOC_IDS, PASSAGES = "doc_ids.json", "passages.jsonl"
LARGEST_NUMBER = 1e6  # in an embedding; float32 has room for the products of such numbers


class DeviceCodes(NamedTuple):
    """A segment's embeddings on another device.

    Attributes:
        codes: int8, (tokens, dim).
        scales: float32, (tokens,).
        owners: The position of the passage that each token is of, (tokens,).
    """

    codes: "torch.Tensor"
    scales: "torch.Tensor"
    owners: "torch.Tensor"


@dataclass(frozen=True, eq=False, slots=True)
class Segment:
    """An open segment, memory-mapped.

    Attributes:
        folder: Where it lies.
        record: What the manifest said of it when it was opened; since then more may have been deleted.
        doc_ids: The passages' ids, by position.
        codes: int8, (tokens, dim).
        scales: float32, (tokens,).
        token_starts: For each position, and one past the last, the first token.
        byte_starts: The same for the first byte in `passages`.
        passages: JSON lines.
        on_device: Copies on other devices, by their names.
    """

    folder: Path
    record: SegmentRecord
    doc_ids: tuple[str, ...]
    codes: NDArray[np.int8]
    scales: NDArray[np.float32]
    token_starts: NDArray[np.int64]
    byte_starts: NDArray[np.int64]
    passages: NDArray[np.uint8]
    on_device: "dict[str, DeviceCodes]" = field(default_factory=dict)
    _signs: "list[Signs]" = field(default_factory=list)
    _columns: dict[str, list[FieldValue | None]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.doc_ids)

    @property
    def signs(self) -> "Signs":
        """The signs of the embeddings. The first use reads all codes once."""
        if not self._signs:
            from kivuko.search.flat.signs import make_signs  # noqa: PLC0415 - imports torch

            self._signs.append(make_signs(self.codes, self.scales, self.token_starts))
        return self._signs[0]

    def passage(self, position: int) -> Passage:
        """Read a passage."""
        start, end = self.byte_starts[position : position + 2].tolist()
        try:
            record = json.loads(self.passages[start:end].tobytes())
            return Passage(
                record["_id"], record["title"], record["text"], record.get("language"), record.get("fields", {})
            )
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise damaged(self.folder.parent, f"{self.folder.name}/{PASSAGES}, byte {start}: {error}") from None

    def stored(self, position: int) -> Quantized:
        """Return the embeddings of a passage as they are stored."""
        tokens = slice(*self.token_starts[position : position + 2].tolist())
        return Quantized(self.codes[tokens], self.scales[tokens])

    def having(self, where: Mapping[str, FieldValue]) -> NDArray[np.bool_]:
        """Say which passages have all these values. The first use of a field reads all passages once."""
        unread = [name for name in where if name not in self._columns]
        if unread:
            values = [_values(self.passage(position)) for position in range(len(self))]
            self._columns.update({name: [each.get(name) for each in values] for name in unread})
        fits = np.ones(len(self), dtype=bool)
        for name, value in where.items():
            fits &= [found is not None and found == value for found in self._columns[name]]
        return fits


def _values(passage: Passage) -> dict[str, FieldValue | None]:
    return {**passage.fields, "title": passage.title, "text": passage.text, "language": passage.language}


def open_segment(directory: Path, record: SegmentRecord, dim: int, *, verify: bool = False) -> Segment:
    """Map a segment's files.

    Args:
        directory: The store's directory.
        record: What the manifest says of the segment.
        dim: Length of a token embedding.
        verify: Read every file and compare it with its digest; otherwise only sizes are compared.

    Raises:
        DataError: If a file is not what was written.
        FileNotFoundError: If the segment is gone.
    """
    folder = directory / record.name
    for name, written in record.files.items():
        if (folder / name).stat().st_size != written.bytes or (verify and FileRecord.of(folder / name) != written):
            raise damaged(directory, f"{record.name}/{name} is not what was written")
    try:
        offsets = _mapped(folder / OFFSETS, "<i8").reshape(-1, 2)
        segment = Segment(
            folder=folder,
            record=record,
            doc_ids=tuple(json.loads((folder / DOC_IDS).read_bytes())),
            codes=_mapped(folder / CODES, "i1").reshape(-1, dim),
            scales=_mapped(folder / SCALES, "<f4"),
            token_starts=np.ascontiguousarray(offsets[:, 0]),
            byte_starts=np.ascontiguousarray(offsets[:, 1]),
            passages=_mapped(folder / PASSAGES, "u1"),
        )
    except (ValueError, TypeError) as error:
        raise damaged(directory, f"{record.name}: {error}") from None
    ends = (len(segment.codes), len(segment.passages))
    if (
        {len(segment), len(offsets) - 1} != {record.documents}
        or {len(segment.codes), len(segment.scales)} != {record.tokens}
        or tuple(offsets[-1].tolist()) != ends
        or not (np.diff(offsets, axis=0, prepend=[(0, 0)]) >= 0).all()
    ):
        raise damaged(directory, f"the files of {record.name} do not fit together")
    _check_scales(directory, segment)
    return segment


def _check_scales(directory: Path, segment: Segment) -> None:
    """Refuse scales that no embedding of the segment can have: 127 of one are at most `longest`."""
    largest = 1.01 * segment.record.longest / LARGEST
    # Not "any beyond": NaN is beyond nothing.
    if len(segment.scales) and not (segment.scales.min() >= 0 and segment.scales.max() <= largest):
        raise damaged(directory, f"{segment.record.name}/{SCALES} holds scales that are not those of its embeddings")


def _mapped(path: Path, dtype: str) -> NDArray[Any]:
    # "c" never writes to the file, and torch takes only arrays that could be written to.
    return np.asarray(np.memmap(path, dtype, mode="c")) if path.stat().st_size else np.empty(0, dtype)


def write_segment(directory: Path, number: int, entries: Iterable[tuple[Passage, Quantized]]) -> SegmentRecord | None:
    """Write a segment, on disk to the last byte, that no manifest names yet; without entries write none.

    Raises:
        DataError: If a passage cannot be written as JSON in UTF-8.
    """
    entries = iter(entries)
    first = next(entries, None)
    if first is None:
        return None
    folder = directory / f"{number:08d}"
    folder.mkdir()
    offsets, doc_ids, longest = [(0, 0)], [], 0.0
    with ExitStack() as stack:
        codes, scales, passages = (
            stack.enter_context((folder / name).open("wb")) for name in (CODES, SCALES, PASSAGES)
        )
        for passage, quantized in chain([first], entries):
            codes.write(np.ascontiguousarray(quantized.codes).data)
            scales.write(np.ascontiguousarray(quantized.scales, dtype="<f4").data)
            passages.write(_line(passage))
            doc_ids.append(passage.doc_id)
            offsets.append((offsets[-1][0] + len(quantized.codes), passages.tell()))
            norms = np.linalg.norm(quantized.dequantized().astype(np.float64), axis=1)
            longest = max(longest, float(norms.max(initial=0)))
    np.array(offsets, dtype="<i8").tofile(folder / OFFSETS)
    (folder / DOC_IDS).write_text(json.dumps(doc_ids, ensure_ascii=False), encoding="utf-8")
    for path in folder.iterdir():
        with path.open("rb") as file:
            os.fsync(file.fileno())
    sync_directory(folder)
    sync_directory(directory)
    return SegmentRecord(
        number=number,
        documents=len(doc_ids),
        tokens=offsets[-1][0],
        longest=longest,
        files={path.name: FileRecord.of(path) for path in sorted(folder.iterdir())},
    )


def checked(entries: Iterable[Entry], dim: int) -> Iterator[tuple[Passage, Quantized]]:
    """Quantize embeddings one by one.

    Raises:
        DataError: If an id comes twice, a passage cannot be stored, or embeddings are not of the store's dimension.
        ModelError: If embeddings hold NaN, infinity or numbers beyond a million.
    """
    seen: set[str] = set()
    for passage, embeddings in entries:
        check_passage(passage)
        if passage.doc_id in seen:
            raise DataError(f"Two passages have the id {passage.doc_id!r}: ids must be distinct.")
        seen.add(passage.doc_id)
        yield passage, quantize(valid_embeddings(embeddings, dim, f"passage {passage.doc_id!r}"))


def valid_embeddings(embeddings: NDArray[Any], dim: int, whose: str) -> NDArray[np.float32]:
    """Return embeddings in float32.

    Raises:
        DataError: If they are not (tokens, dim).
        ModelError: If they hold NaN, infinity or numbers beyond a million.
    """
    if embeddings.ndim != 2 or embeddings.shape[1] != dim:
        raise DataError(f"The embeddings of {whose} must be (tokens, {dim}), got {embeddings.shape}.")
    # Not "max > limit": that is False for NaN, which would then pass. As a float: float16 knows no million.
    if embeddings.size and not float(np.abs(embeddings).max()) <= LARGEST_NUMBER:
        raise ModelError(
            f"The embeddings of {whose} hold NaN, infinity or numbers beyond {LARGEST_NUMBER:,.0f}. "
            "Load the model in float32, or check its weights."
        )
    return np.ascontiguousarray(embeddings, dtype=np.float32)


def _line(passage: Passage) -> bytes:
    record: dict[str, Any] = {"_id": passage.doc_id, "title": passage.title, "text": passage.text}
    if passage.language is not None:
        record["language"] = passage.language
    if passage.fields:
        record["fields"] = dict(passage.fields)
    return json.dumps(record, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode() + b"\n"
