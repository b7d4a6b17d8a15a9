"""A Qdrant server or cluster, by its address: `http://host:6333/collection`."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Self

from qdrant_client import QdrantClient, models

from kivuko.errors import DataError
from kivuko.search.qdrant.collection import answering, complete, connect, index_terms, make, read_manifest
from kivuko.search.qdrant.points import POOLED, TOKENS, Point
from kivuko.search.qdrant.store import PREFETCH, SCROLLED, QdrantManifest, QdrantStore, Question

REQUEST_NUMBERS = 1_000_000  # in one request: about 20 MB of JSON, where servers take 32 MB
REQUEST_IDS = 1_000


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
        manifest = read_manifest(client, collection, location=location)
        super().__init__(location, manifest, prefetch=prefetch)

    @classmethod
    def at(cls, address: str, *, prefetch: int | None = PREFETCH, writing: bool = False) -> Self:
        """Open the collection at an address, with the key in the environment variable KIVUKO_QDRANT_API_KEY.

        Args:
            address: As in `http://host:6333/collection`.
            prefetch: How many candidates the pooled vectors propose; None for all passages.
            writing: Whether it will be written to, so that it has to have the index that filters use.
        """
        client, collection = connect(address)
        store = cls(client, collection, location=address, prefetch=prefetch)
        if writing:
            with answering(address):
                index_terms(client, collection)
        return store

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
        self._send(new, models.UpdateMode.UPSERT)

    def _insert(self, new: Sequence[Point]) -> None:
        self._send(new, models.UpdateMode.INSERT_ONLY)

    def _send(self, new: Sequence[Point], mode: models.UpdateMode) -> None:
        for portion in _portions(new):
            with answering(self.location):
                points = [_point(each) for each in portion]
                self.client.upsert(self.collection, points, wait=True, update_mode=mode)

    def _remove(self, point_ids: Sequence[str]) -> None:
        for first in range(0, len(point_ids), REQUEST_IDS):
            selected = models.PointIdsList(points=list(point_ids[first : first + REQUEST_IDS]))
            with answering(self.location):
                self.client.delete(self.collection, selected, wait=True)

    def _query(self, questions: Sequence[Question]) -> list[list[tuple[Mapping[str, Any], float]]]:
        with answering(self.location):
            found = self.client.query_batch_points(self.collection, [_request(each) for each in questions])
        return [[(each.payload or {}, each.score) for each in answers.points] for answers in found]


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
    if not make(client, collection, manifest, location=location, shards=shards, replicas=replicas):
        raise DataError(f"{location} exists already: open it, or give another name.")
    return open_or_create_collection(client, collection, manifest, location=location)


def open_or_create_collection(
    client: QdrantClient,
    collection: str,
    manifest: QdrantManifest,
    *,
    location: str,
    shards: int | None = None,
    replicas: int | None = None,
) -> ServerStore:
    """Open a collection to write, or make it; several writers may do so at once, or go on where one was killed.

    Args:
        client: A connection.
        collection: The collection's name.
        manifest: What a new one says of itself; one that is there may say something else.
        location: Its address, to name it.
        shards: Parts that a cluster spreads over its nodes, for a new one.
        replicas: Copies of each of them.

    Raises:
        DataError: If another program's collection is there, or the server does not answer or refuses.
    """
    make(client, collection, manifest, location=location, shards=shards, replicas=replicas)
    complete(client, collection, manifest, location=location)
    return ServerStore(client, collection, location=location)


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
