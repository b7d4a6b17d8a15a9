"""Open or make a collection of Qdrant, by a directory or an address."""

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from kivuko.errors import ConfigError
from kivuko.search.manifest import MANIFEST
from kivuko.search.qdrant.store import FORMAT, QdrantManifest, QdrantStore


def is_address(location: str | Path) -> bool:
    """Say whether a location is the address of a server, and no directory.

    Example:
        >>> is_address("http://localhost:6333/passages"), is_address("runs/passages")
        (True, False)
    """
    return str(location).lower().startswith(("http://", "https://"))


def is_edge_store(directory: str | Path) -> bool:
    """Say whether a directory holds a store of Qdrant Edge, sound or damaged."""
    try:
        return f'"{FORMAT}"'.encode() in (Path(directory) / MANIFEST).read_bytes()
    except OSError:
        return False


def open_qdrant(location: str | Path, *, writing: bool = False) -> QdrantStore:
    """Open the collection in a directory or at an address.

    Args:
        location: A directory, or an address as in `http://host:6333/collection`.
        writing: Whether it will be written to; what a server's collection then lacks is made.

    Raises:
        ConfigError: If Qdrant is not installed, or another process has the directory open.
        DataError: If it is not there, none of kivuko's, of a newer kivuko, or damaged.
    """
    if is_address(location):
        require_qdrant("qdrant_client")
        from kivuko.search.qdrant.server import ServerStore  # noqa: PLC0415 - an extra

        return ServerStore.at(str(location), writing=writing)
    require_qdrant("qdrant_edge")
    from kivuko.search.qdrant.edge import EdgeStore  # noqa: PLC0415 - an extra

    return EdgeStore(location)


def open_or_create_qdrant(
    location: str | Path,
    *,
    dim: int,
    model_name: str,
    model_digest: str | None,
    teacher_digests: Sequence[str] = (),
    language: str | None = None,
    shards: int | None = None,
    replicas: int | None = None,
) -> QdrantStore:
    """Open this model's collection, or make it where nothing is: so that an ingestion can begin or go on.

    Args:
        location: A directory, for Qdrant Edge, or an address as in `http://host:6333/collection`.
        dim: Length of a token embedding.
        model_name: The encoder's hub id or directory, for the manifest.
        model_digest: A digest of the encoder's files.
        teacher_digests: For a student, those of its teachers, for the manifest.
        language: ISO 639 code of the passages' language, for the manifest.
        shards: Parts that a cluster spreads over its nodes, for a collection that is to be made.
        replicas: Copies of each of them.

    Raises:
        ConfigError: If Qdrant is not installed, shards or replicas are given for a directory, or another process has
            the directory open.
        DataError: If something else is there, or it cannot be reached or written.
        ModelError: If the collection is not, or cannot be known to be, of this model.
    """
    manifest = QdrantManifest(
        model_name=model_name,
        model_digest=model_digest,
        teacher_digests=tuple(teacher_digests),
        language=language,
        dim=dim,
    )
    if is_address(location):
        store = _on_server(str(location), manifest, shards, replicas)
    else:
        if shards is not None or replicas is not None:
            raise ConfigError(f"Shards and replicas are for a Qdrant server; {location} is a directory.")
        store = _in_directory(Path(location), manifest)
    try:
        store.manifest.refuse_other_model(store.location, model_name, model_digest, dim)
    except BaseException:
        store.close()
        raise
    return store


def _on_server(address: str, manifest: QdrantManifest, shards: int | None, replicas: int | None) -> QdrantStore:
    require_qdrant("qdrant_client")
    from kivuko.search.qdrant.collection import connect  # noqa: PLC0415
    from kivuko.search.qdrant.server import open_or_create_collection  # noqa: PLC0415

    client, collection = connect(address)
    return open_or_create_collection(client, collection, manifest, location=address, shards=shards, replicas=replicas)


def _in_directory(directory: Path, manifest: QdrantManifest) -> QdrantStore:
    require_qdrant("qdrant_edge")
    from kivuko.search.qdrant.edge import EdgeStore, create_edge_store  # noqa: PLC0415

    return EdgeStore(directory) if is_edge_store(directory) else create_edge_store(directory, manifest)


def require_qdrant(module: str) -> None:
    """Make sure that one of Qdrant's packages is there.

    Raises:
        ConfigError: If it is not.
    """
    if find_spec(module) is None:
        raise ConfigError(
            f"Qdrant needs the package {module.replace('_', '-')}, which is not installed: "
            "pip install 'kivuko[qdrant]'."
        )
