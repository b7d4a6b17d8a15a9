"""Snapshots of a collection on a server: one file to keep, and a collection that is made of it again."""

import hashlib
import os
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal
from urllib.parse import quote

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from kivuko.data.lines import existing
from kivuko.errors import ConfigError, DataError
from kivuko.search.manifest import FileRecord
from kivuko.search.qdrant.opening import is_address, require_qdrant
from kivuko.search.qdrant.store import QdrantManifest, QdrantStore

if TYPE_CHECKING:
    from qdrant_client import QdrantClient, models

FORMAT: Final = "kivuko-qdrant-snapshot"
SLOW = 3_600  # seconds that a server may take to write a snapshot, or to make a collection of one
CHUNK = 1 << 20  # bytes in memory at a time


class Snapshot(BaseModel):
    """What is known of a snapshot; it is kept beside it, in a file of the same name with `.json` after it.

    Attributes:
        format: Always `kivuko-qdrant-snapshot`.
        file: Size and SHA-256 of the snapshot.
        manifest: What the collection said of itself.
        passages: How many passages are in it; unknown if some came or went while it was made.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal["kivuko-qdrant-snapshot"] = FORMAT
    file: FileRecord
    manifest: QdrantManifest
    passages: int | None = Field(default=None, ge=0)


def save_snapshot(location: str | Path, path: str | Path) -> Snapshot:
    """Let a server make a snapshot of a collection, and bring it here; the server does not keep it.

    The file appears whole or not at all, with what is known of it in another one beside it.

    Args:
        location: The collection's address, as in `http://host:6333/collection`.
        path: Where the file is to be; nothing is there.

    Raises:
        ConfigError: If it is no address, or the client of Qdrant is not installed.
        DataError: If something is at `path`, it cannot be written, the collection is not there or none of kivuko's,
            parts of it lie on other machines of a cluster, or the server does not answer or refuses.
    """
    address, path = _address(location), Path(path)
    for each in (path, _beside(path)):
        if each.exists():
            raise DataError(f"There is something at {each} already: choose another name.")
    from qdrant_client.http.exceptions import ApiException  # noqa: PLC0415 - an extra

    from kivuko.search.qdrant.collection import answering, connect, read_manifest  # noqa: PLC0415

    client, collection = connect(address, timeout=SLOW)
    with closing(client):
        manifest = read_manifest(client, collection, location=address)
        with answering(address):
            _refuse_parts(client, collection, address)
            before = client.count(collection, exact=True).count
            made = client.create_snapshot(collection, wait=True)
        if made is None:
            raise DataError(f"{address} made no snapshot.")
        try:
            with answering(address):
                after = client.count(collection, exact=True).count
            with _written(path) as partial:
                file = _download(address, made, partial)
        finally:
            with suppress(ApiException, OSError):  # it is no more than room on the server's disk
                client.delete_snapshot(collection, made.name, wait=True)
    snapshot = Snapshot(file=file, manifest=manifest, passages=after if before == after else None)
    with _written(_beside(path)) as partial:
        partial.write_text(snapshot.model_dump_json(indent=2) + "\n", encoding="utf-8")
    return snapshot


def restore_snapshot(path: str | Path, location: str | Path) -> QdrantStore:
    """Make a collection of a snapshot, on the same server or on another one, and open it.

    Args:
        path: What `save_snapshot` wrote; or any snapshot of a collection of kivuko's, without the file beside it, and
            without the checks and the manifest that this one is for.
        location: The address of a collection that is not there.

    Raises:
        ConfigError: If it is no address, or the client of Qdrant is not installed.
        DataError: If the file is missing or damaged, a collection is there already, the server does not answer or
            refuses, or what it made of the snapshot is not whole or none of kivuko's.
    """
    address, path = _address(location), existing(Path(path))
    known = _read(path)
    measured = FileRecord.of(path)
    if known is not None and known.file != measured:
        raise DataError(f"The snapshot {path} is damaged: it is not what was written. Take another copy.")
    from kivuko.search.qdrant.collection import KEPT, answering, connect, index_terms  # noqa: PLC0415
    from kivuko.search.qdrant.server import ServerStore  # noqa: PLC0415

    client, collection = connect(address, timeout=SLOW)
    with closing(client):
        with answering(address):
            if client.collection_exists(collection):
                raise DataError(f"{address} exists already: restore it under another name, or delete it first.")
        with path.open("rb") as file, _restoring(path, address), answering(address):
            client.http.snapshots_api.recover_from_uploaded_snapshot(
                collection,
                wait=True,
                priority="snapshot",  # type: ignore[arg-type]  # of the enum the client would send its name in Python
                checksum=measured.sha256,
                snapshot=file,
            )
            kept = client.get_collection(collection).config.metadata or {}
            if KEPT not in kept:
                if known is None:
                    raise DataError("It is no snapshot of a collection of kivuko's.")
                client.update_collection(collection, metadata={KEPT: known.manifest.model_dump(mode="json")})
            index_terms(client, collection)
            there = client.count(collection, exact=True).count
            if known is not None and known.passages not in (None, there):
                raise DataError(f"The server has {there:,} of its {known.passages:,} passages.")
    return ServerStore.at(address)


def _address(location: str | Path) -> str:
    if not is_address(location):
        raise ConfigError(
            f"{location} is a directory, and snapshots are for collections on a Qdrant server: copy the directory "
            "instead, while no process writes to it; one of Qdrant Edge, while no process has it open."
        )
    require_qdrant("qdrant_client")
    return str(location)


def _beside(path: Path) -> Path:
    return path.with_name(f"{path.name}.json")


def _read(path: Path) -> Snapshot | None:
    try:
        return Snapshot.model_validate_json(_beside(path).read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValidationError) as error:
        raise DataError(f"{_beside(path)} is not what was written beside a snapshot: {error}.") from None


def _refuse_parts(client: "QdrantClient", collection: str, address: str) -> None:
    """Refuse a collection of which this machine has not all shards: its snapshot would lack them without a word."""
    cluster = client.collection_cluster_info(collection)
    elsewhere = {each.shard_id for each in cluster.remote_shards} - {each.shard_id for each in cluster.local_shards}
    if elsewhere:
        raise DataError(
            f"{len(elsewhere)} of the {cluster.shard_count} shards of {address} are not on this machine of the "
            "cluster, and a snapshot holds those of one machine. Take one of each machine by Qdrant's own tools."
        )


def _download(address: str, made: "models.SnapshotDescription", path: Path) -> FileRecord:
    import httpx  # noqa: PLC0415 - comes with the client, which reads whole answers into memory

    from kivuko.search.qdrant.collection import API_KEY, TIMEOUT, place_of  # noqa: PLC0415

    place = place_of(address)
    parts = ["collections", quote(place.collection, safe=""), "snapshots", quote(made.name, safe="")]
    url = "/".join([place.server, *filter(None, [place.prefix]), *parts])
    key = os.environ.get(API_KEY)
    headers = {"Accept-Encoding": "identity"} | ({"api-key": key} if key else {})
    digest, size = hashlib.sha256(), 0
    try:
        with httpx.stream("GET", url, headers=headers, timeout=TIMEOUT) as answer, path.open("wb") as file:
            answer.raise_for_status()
            for chunk in answer.iter_bytes(CHUNK):
                size += file.write(chunk)
                digest.update(chunk)
            file.flush()
            os.fsync(file.fileno())
    except httpx.HTTPError as error:
        raise DataError(f"The snapshot of {address} did not arrive whole: {error}.") from error
    if size != made.size or made.checksum not in (None, digest.hexdigest()):
        raise DataError(f"The snapshot of {address} did not arrive as it was made, {size:,} of {made.size:,} bytes.")
    return FileRecord(bytes=size, sha256=digest.hexdigest())


@contextmanager
def _written(path: Path) -> Iterator[Path]:
    """Yield a path beside this one whose file takes its place when the block ends well, and is removed otherwise."""
    partial = path.with_name(f".{path.name}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield partial
        partial.replace(path)
    except OSError as error:
        raise DataError(f"{path} cannot be written: {error}.") from error
    finally:
        with suppress(OSError):
            partial.unlink(missing_ok=True)


@contextmanager
def _restoring(path: Path, address: str) -> Iterator[None]:
    try:
        yield
    except DataError as error:
        raise DataError(
            f"{path} could not be restored to {address}. {error} What the server made of it, if anything, is not "
            "whole: delete that collection before you try again."
        ) from error
