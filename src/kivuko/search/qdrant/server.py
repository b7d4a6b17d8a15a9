"""A Qdrant server or cluster, by its address: `http://host:6333/collection`."""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Self
from urllib.parse import urlsplit

from pydantic import ValidationError
from qdrant_client import QdrantClient, models
from qdrant_client.http.exceptions import ApiException

from kivuko.errors import ConfigError, DataError
from kivuko.search.qdrant.points import POOLED, TERMS, TOKENS, Point
from kivuko.search.qdrant.store import FORMAT_VERSION, PREFETCH, SCROLLED, QdrantManifest, QdrantStore, Question

API_KEY = "KIVUKO_QDRANT_API_KEY"
KEPT = "kivuko"  # the key of the collection's metadata under which the manifest stands
REQUEST_NUMBERS = 1_000_000  # in one request: about 20 MB of JSON, where servers take 32 MB
REQUEST_IDS = 1_000
TIMEOUT = 60  # seconds


class ServerStore(QdrantStore):
    """A collection on a server. Any number of processes may read and write it.

    Passages go there some at a time, each of them whole and durable when the call returns; of a call that fails on the
    way, or was killed, the first ones are there.

    Args:
        client: A connection.
        collection: The collection's name.
        location: Its address, to name it.
        prefetch: How many candidates the pooled vectors propose; None for all passages.

    Raises:
        DataError: If the server does not answer, or the collection is not there or none of kivuko's.
    """

    def __init__(
        self, client: QdrantClient, collection: str, *, location: str, prefetch: int | None = PREFETCH
    ) -> None:
        self.client = client
        self.collection = collection
        with answering(location):
            if not client.collection_exists(collection):
                raise DataError(f"{location} does not exist. Make it with `kivuko index --store qdrant`.")
            metadata = client.get_collection(collection).config.metadata or {}
        try:
            manifest = QdrantManifest.model_validate(metadata[KEPT])
        except (KeyError, ValidationError):
            raise DataError(f"{location} is not a collection of kivuko's: give another name.") from None
        if manifest.format_version > FORMAT_VERSION:
            raise DataError(
                f"{location} has qdrant format {manifest.format_version}; this kivuko reads up to {FORMAT_VERSION}. "
                "Upgrade kivuko."
            )
        super().__init__(location, manifest, prefetch=prefetch)

    @classmethod
    def at(cls, address: str, *, prefetch: int | None = PREFETCH) -> Self:
        """Open the collection at an address, with the key in the environment variable KIVUKO_QDRANT_API_KEY."""
        client, collection = connect(address)
        return cls(client, collection, location=address, prefetch=prefetch)

    def snapshot(self) -> str:
        """Let the server keep the collection as it is now; return the snapshot's name."""
        with answering(self.location):
            made = self.client.create_snapshot(self.collection, wait=True)
        if made is None:
            raise DataError(f"{self.location} made no snapshot.")
        return made.name

    def tidy(self) -> None:
        """Do nothing: a server does it by itself."""

    def close(self) -> None:
        """Close the connection."""
        self.client.close()

    def _count(self) -> int:
        with answering(self.location):
            return self.client.count(self.collection, exact=True).count

    def _payloads(self, point_ids: Sequence[str]) -> dict[str, Mapping[str, Any]]:
        found: dict[str, Mapping[str, Any]] = {}
        for first in range(0, len(point_ids), REQUEST_IDS):
            with answering(self.location):
                records = self.client.retrieve(self.collection, point_ids[first : first + REQUEST_IDS])
            found |= {str(record.id): record.payload or {} for record in records}
        return found

    def _all_payloads(self) -> Iterator[Mapping[str, Any]]:
        place: Any = None
        while True:
            with answering(self.location):
                records, place = self.client.scroll(self.collection, limit=SCROLLED, offset=place, with_payload=True)
            yield from (record.payload or {} for record in records)
            if place is None:
                return

    def _upsert(self, new: Sequence[Point]) -> None:
        for portion in _portions(new):
            with answering(self.location):
                self.client.upsert(self.collection, [_point(each) for each in portion], wait=True)

    def _remove(self, point_ids: Sequence[str]) -> None:
        for first in range(0, len(point_ids), REQUEST_IDS):
            selected = models.PointIdsList(points=list(point_ids[first : first + REQUEST_IDS]))
            with answering(self.location):
                self.client.delete(self.collection, selected, wait=True)

    def _query(self, questions: Sequence[Question]) -> list[list[tuple[Mapping[str, Any], float]]]:
        with answering(self.location):
            found = self.client.query_batch_points(self.collection, [_request(each) for each in questions])
        return [[(each.payload or {}, each.score) for each in answers.points] for answers in found]


def connect(address: str) -> tuple[QdrantClient, str]:
    """Return a connection to the server of an address, and the collection's name; nothing is asked yet.

    Raises:
        ConfigError: If the address names no collection.
    """
    parts = urlsplit(address)
    prefix, _, collection = parts.path.strip("/").rpartition("/")
    if not parts.hostname or not collection:
        raise ConfigError(f"The address {address} names no collection: give it as http://host:6333/collection.")
    client = QdrantClient(
        url=f"{parts.scheme}://{parts.netloc}",
        prefix=prefix or None,
        api_key=os.environ.get(API_KEY),
        timeout=TIMEOUT,
        check_compatibility=False,  # it would ask at once, and warn where it should fail
    )
    return client, collection


def create_collection(
    client: QdrantClient,
    collection: str,
    manifest: QdrantManifest,
    *,
    location: str,
    shards: int | None = None,
    replicas: int | None = None,
) -> ServerStore:
    """Make an empty collection.

    Args:
        client: A connection.
        collection: A name that is free.
        manifest: What the collection says of itself.
        location: Its address, to name it.
        shards: Parts that a cluster spreads over its nodes; by default the server's choice.
        replicas: Copies of each of them.

    Raises:
        DataError: If the name is taken, or the server does not answer or refuses.
    """
    with answering(location):
        if client.collection_exists(collection):
            raise DataError(f"{location} exists already: open it, or give another name.")
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
            metadata={KEPT: manifest.model_dump(mode="json")},
        )
        client.create_payload_index(collection, TERMS, models.PayloadSchemaType.KEYWORD, wait=True)
    return ServerStore(client, collection, location=location)


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


def _portions(new: Sequence[Point]) -> Iterator[list[Point]]:
    """Cut points into requests of a bearable size."""
    portion: list[Point] = []
    numbers = 0
    for point in new:
        if portion and numbers + point.tokens.size > REQUEST_NUMBERS:
            yield portion
            portion, numbers = [], 0
        portion.append(point)
        numbers += point.tokens.size
    if portion:
        yield portion


def _point(new: Point) -> models.PointStruct:
    vectors: dict[str, Any] = {}
    if len(new.tokens):
        vectors = {TOKENS: new.tokens.tolist(), POOLED: new.pooled.tolist()}
    return models.PointStruct(id=new.point_id, vector=vectors, payload=new.payload)


def _request(question: Question) -> models.QueryRequest:
    fits = None
    if question.conditions:
        fits = models.Filter(
            must=[
                models.FieldCondition(key=key, match=models.MatchValue(value=value))
                for key, value in question.conditions
            ]
        )
    candidates = None
    if question.prefetch is not None:
        candidates = models.Prefetch(query=question.pooled.tolist(), using=POOLED, limit=question.prefetch, filter=fits)
    return models.QueryRequest(
        query=question.tokens.tolist(),
        using=TOKENS,
        limit=question.top_k,
        prefetch=candidates,
        filter=fits if candidates is None else None,
        params=models.SearchParams(exact=True) if candidates is None else None,
        with_payload=True,
    )
