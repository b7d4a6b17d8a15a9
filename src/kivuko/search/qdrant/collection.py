"""A collection on a server: how it is reached, made, and made whole where a writer was interrupted."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple
from urllib.parse import urlsplit

from pydantic import ValidationError
from qdrant_client import QdrantClient, models
from qdrant_client.http.exceptions import ApiException

from kivuko.errors import ConfigError, DataError
from kivuko.search.qdrant.points import POOLED, TERMS, TOKENS
from kivuko.search.qdrant.store import FORMAT_VERSION, QdrantManifest

API_KEY = "KIVUKO_QDRANT_API_KEY"
KEPT = "kivuko"  # the key of the collection's metadata under which the manifest stands
TIMEOUT = 60  # seconds
PORTS = {"http": 6333, "https": 443}  # where the address names none


class Place(NamedTuple):
    """An address, taken apart.

    Attributes:
        server: The address of the server, with a port and without a path.
        prefix: What stands before Qdrant's own paths, or nothing.
        collection: The collection's name.
    """

    server: str
    prefix: str
    collection: str


def place_of(address: str) -> Place:
    """Take an address apart; the port is 6333 for http and 443 for https, where it names none.

    Raises:
        ConfigError: If it is malformed, names no collection, or holds a name or a password.

    Example:
        >>> place_of("https://example.org:6333/qdrant/passages")
        Place(server='https://example.org:6333', prefix='qdrant', collection='passages')
        >>> place_of("http://localhost/passages").server, place_of("https://example.org/passages").server
        ('http://localhost:6333', 'https://example.org:443')
    """
    try:
        parts = urlsplit(address)
        port = PORTS[parts.scheme] if parts.port is None else parts.port
        if port == 0:  # the client would take another one
            raise ValueError("Port 0")  # noqa: TRY301 - told as the others are
    except ValueError as error:
        raise _malformed(address, error) from None
    if "@" in parts.netloc:  # not said again: it may be a password
        raise ConfigError(
            f"An address on {parts.hostname} holds a name or a password, which Qdrant does not take: leave it out, and "
            f"give a key in {API_KEY}."
        )
    prefix, _, collection = parts.path.strip("/").rpartition("/")
    if not parts.hostname or not collection:
        raise ConfigError(f"The address {address} names no collection: give it as http://host:6333/collection.")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return Place(f"{parts.scheme}://{host}:{port}", prefix, collection)


def connect(address: str, *, timeout: int = TIMEOUT) -> tuple[QdrantClient, str]:
    """Return a connection to the server of an address, and the collection's name; nothing is asked yet.

    Args:
        address: As in `http://host:6333/collection`.
        timeout: Seconds to wait for an answer.

    Raises:
        ConfigError: If the address is malformed or names no collection.
    """
    place = place_of(address)
    try:
        client = QdrantClient(
            url=place.server,
            prefix=place.prefix or None,
            api_key=os.environ.get(API_KEY),
            timeout=timeout,
            check_compatibility=False,  # it would ask at once, and warn where it should fail
        )
    except ValueError as error:  # a name of a host that cannot be
        raise _malformed(address, error) from None
    return client, place.collection


@contextmanager
def answering(location: str) -> Iterator[None]:
    """Turn what a connection raises into one clear error."""
    try:
        yield
    except (ApiException, OSError) as error:
        raise DataError(
            f"{location} does not answer as a Qdrant server does: {str(error).strip() or type(error).__name__}. "
            f"Is it running, is the address right, does it want a key in {API_KEY}?"
        ) from error


def make(
    client: QdrantClient,
    collection: str,
    manifest: QdrantManifest,
    *,
    location: str,
    shards: int | None = None,
    replicas: int | None = None,
) -> bool:
    """Make an empty collection that has its manifest from the first moment on, unless it is there.

    One request does that, so of several writers one makes it, and the others find it. What it still lacks then
    (`complete`) changes no result.

    Args:
        client: A connection.
        collection: The collection's name.
        manifest: What it says of itself.
        location: Its address, to name it.
        shards: Parts that a cluster spreads over its nodes; by default the server's choice.
        replicas: Copies of each of them.

    Returns:
        Whether this call made it.

    Raises:
        DataError: If the server does not answer or refuses.
    """
    with answering(location):
        if client.collection_exists(collection):
            return False
        try:
            client.create_collection(
                collection,
                vectors_config={
                    TOKENS: models.VectorParams(
                        size=manifest.dim,
                        distance=models.Distance.DOT,
                        datatype=models.Datatype.FLOAT16,
                        multivector_config=models.MultiVectorConfig(comparator=models.MultiVectorComparator.MAX_SIM),
                        hnsw_config=models.HnswConfigDiff(m=0),  # only ever rescored: a graph of them would be waste
                        on_disk=True,
                    ),
                    POOLED: models.VectorParams(
                        size=manifest.dim, distance=models.Distance.DOT, datatype=models.Datatype.FLOAT16
                    ),
                },
                shard_number=shards,
                replication_factor=replicas,
                metadata=_metadata(manifest),
            )
        except (ApiException, OSError, ValueError):  # ValueError: of the client's in-process mode
            if not client.collection_exists(collection):
                raise
            return False  # another writer was faster, or the answer was lost
        return True


def complete(client: QdrantClient, collection: str, manifest: QdrantManifest, *, location: str) -> None:
    """Add what a collection lacks whose making was interrupted: the index of its payload, then the manifest.

    Args:
        client: A connection.
        collection: A collection that is there.
        manifest: What it is to say of itself, if it says nothing and is empty.
        location: Its address, to name it.

    Raises:
        DataError: If it holds points and does not say whose they are, is none of kivuko's, or the server does not
            answer, refuses, or keeps no metadata.
    """
    with answering(location):
        found = client.get_collection(collection).config
        nameless = KEPT not in (found.metadata or {})
        if nameless:
            _refuse_foreign(found.params.vectors, manifest.dim, location)
            if points := client.count(collection, exact=True).count:
                raise DataError(
                    f"{location} holds points, {points:,} of them, and does not say whose they are: it was not made by "
                    "kivuko, or its metadata was removed. Delete the collection, or give another name."
                )
        index_terms(client, collection)
        if nameless:
            client.update_collection(collection, metadata=_metadata(manifest))
            if KEPT not in (client.get_collection(collection).config.metadata or {}):
                raise DataError(
                    f"The server of {location} keeps no metadata of collections, as Qdrant does from version 1.16 on. "
                    "Upgrade it, and delete the collection."
                )


def index_terms(client: QdrantClient, collection: str) -> None:
    """Make the index of the payload that filters use, unless it is there."""
    if TERMS not in (client.get_collection(collection).payload_schema or {}):
        client.create_payload_index(collection, TERMS, models.PayloadSchemaType.KEYWORD, wait=True)


def read_manifest(client: QdrantClient, collection: str, *, location: str) -> QdrantManifest:
    """Read what a collection says of itself.

    Raises:
        DataError: If the server does not answer, or the collection is not there, none of kivuko's, or of a newer one.
    """
    with answering(location):
        if not client.collection_exists(collection):
            raise DataError(f"{location} does not exist. Make it with `kivuko index --store qdrant`.")
        metadata = client.get_collection(collection).config.metadata or {}
    try:
        manifest = QdrantManifest.model_validate(metadata[KEPT])
    except (KeyError, ValidationError):
        raise _foreign(location) from None
    if manifest.format_version > FORMAT_VERSION:
        raise DataError(
            f"{location} has qdrant format {manifest.format_version}; this kivuko reads up to {FORMAT_VERSION}. "
            "Upgrade kivuko."
        )
    return manifest


def _malformed(address: str, error: ValueError) -> ConfigError:
    return ConfigError(f"The address {address} is malformed ({error}): give it as http://host:6333/collection.")


def _metadata(manifest: QdrantManifest) -> dict[str, object]:
    return {KEPT: manifest.model_dump(mode="json")}


def _refuse_foreign(vectors: object, dim: int, location: str) -> None:
    """Refuse a collection whose vectors are not those that `make` gives it; of settings servers may choose some."""
    if not isinstance(vectors, dict) or {name: each.size for name, each in vectors.items()} != {
        TOKENS: dim,
        POOLED: dim,
    }:
        raise _foreign(location)


def _foreign(location: str) -> DataError:
    return DataError(f"{location} is not a collection of kivuko's: give another name.")
