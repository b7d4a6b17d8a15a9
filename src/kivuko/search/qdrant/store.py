"""What the two kinds of Qdrant have in common: all of a store but the calls themselves."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from kivuko.data.lines import is_encodable
from kivuko.errors import ConfigError, DataError
from kivuko.search.flat.segment import valid_embeddings
from kivuko.search.origin import Origin
from kivuko.search.qdrant.points import Point, conditions, passage_of, point_id, points, pool
from kivuko.search.store import Entry, FieldValue, Match, Passage, check_where

FORMAT: Final = "kivuko-qdrant"
FORMAT_VERSION = 1
SCROLLED = 1_000  # passages that are read at a time
PREFETCH = 1_000  # candidates that the pooled vectors propose; never fewer than ten for each passage asked for


class QdrantManifest(Origin):
    """What a collection says of itself: in `manifest.json` beside an Edge shard, in its metadata on a server."""

    format: Literal["kivuko-qdrant"] = FORMAT
    format_version: int = FORMAT_VERSION


class Question(NamedTuple):
    """A query as both kinds of Qdrant are asked it.

    Attributes:
        tokens: Token embeddings, (tokens, dim), at least one.
        pooled: Their mean, of length 1.
        top_k: How many passages are wanted.
        prefetch: Candidates whose MaxSim is computed; None for all passages.
        conditions: Keys of the payload and the values that they must have.
    """

    tokens: NDArray[np.float32]
    pooled: NDArray[np.float32]
    top_k: int
    prefetch: int | None
    conditions: list[tuple[str, str]]


class QdrantStore(ABC):
    """Passages in a collection of Qdrant: float16 token embeddings for MaxSim, and their mean to propose candidates.

    A search takes the passages whose means have the largest inner products with the query's, and computes MaxSim of
    these over the float16 embeddings, in one request. What the means do not propose is not found; `prefetch=None`
    computes MaxSim of all passages. Equal scores are ordered by doc_id, falling; which of those that tie for the last
    place come is Qdrant's choice.

    Args:
        location: Its directory or address.
        manifest: What the collection says of itself.
        prefetch: How many candidates are proposed, ten for each passage asked for at the least; None for all.
    """

    def __init__(self, location: str, manifest: QdrantManifest, *, prefetch: int | None = PREFETCH) -> None:
        self.location = location
        self.manifest = manifest
        self.prefetch = prefetch

    @property
    def dim(self) -> int:
        """Length of a token embedding."""
        return self.manifest.dim

    def __len__(self) -> int:
        return self._count()

    def __contains__(self, doc_id: object) -> bool:
        return isinstance(doc_id, str) and bool(self._payloads([point_id(doc_id)]))

    def known(self, doc_ids: Iterable[str]) -> set[str]:
        """Say which of these ids are there, in one request, or one for each thousand on a server."""
        ids = {point_id(doc_id): doc_id for doc_id in doc_ids if is_encodable(doc_id)}
        return {ids[each] for each in self._payloads(list(ids))}

    def get(self, doc_id: str) -> Passage:
        """Read one passage.

        Raises:
            DataError: If the id is not there.
        """
        return self.get_many([doc_id])[0]

    def get_many(self, doc_ids: Sequence[str]) -> list[Passage]:
        """Read passages, in the order of their ids, in one request, or one for each thousand on a server.

        Raises:
            DataError: If an id is not there.
        """
        ids = [point_id(doc_id) for doc_id in doc_ids]
        kept = self._payloads(list(dict.fromkeys(ids)))
        for each, doc_id in zip(ids, doc_ids, strict=True):
            if each not in kept:
                raise _missing(doc_id)
        return [passage_of(kept[each]) for each in ids]

    @property
    def contents(self) -> str:
        """How many passages it holds: a change that leaves their number as it was is not noticed by this."""
        return f"{self._count()} passages"

    def passages(self) -> Iterator[Passage]:
        """Read all passages, in Qdrant's order."""
        return (passage_of(kept) for kept in self._all_payloads())

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Do nothing: a server takes any number of writers, and a directory is open in one process at a time."""
        yield

    def add(self, entries: Iterable[Entry]) -> None:
        """Add passages whose ids are new; one that another process adds at the same moment stays as that wrote it.

        Raises:
            DataError: If an id is there already or comes twice, or a passage cannot be stored.
            ModelError: If embeddings hold NaN, infinity or numbers that float16 has no room for.
        """
        new = list(points(entries, self.dim))
        there = self._payloads([each.point_id for each in new])
        if there:
            doc_id = next(iter(there.values()))["doc_id"]
            raise DataError(f"The store has a passage {doc_id!r} already: use update to replace it.")
        self._insert(new)

    def add_new(self, entries: Iterable[Entry]) -> int:
        """Add those passages whose ids are new, and pass over the others.

        Returns:
            How many were added; with those that another process added at the same moment.

        Raises:
            DataError: If an id comes twice, or a passage cannot be stored.
            ModelError: If embeddings hold NaN, infinity or numbers that float16 has no room for.
        """
        given = list(points(entries, self.dim))
        there = self._payloads([each.point_id for each in given])
        new = [each for each in given if each.point_id not in there]
        self._insert(new)
        return len(new)

    def update(self, entries: Iterable[Entry]) -> None:
        """Replace passages, embeddings and all.

        Raises:
            DataError: If an id is not there or comes twice, or a passage cannot be stored.
            ModelError: If embeddings hold NaN, infinity or numbers that float16 has no room for.
        """
        newer = list(points(entries, self.dim))
        there = self._payloads([each.point_id for each in newer])
        for each in newer:
            if each.point_id not in there:
                raise _missing(each.payload["doc_id"])
        self._upsert(newer)

    def delete(self, doc_ids: Iterable[str]) -> None:
        """Remove passages.

        Raises:
            DataError: If an id is not there.
        """
        ids = {point_id(doc_id): doc_id for doc_id in doc_ids}
        there = self._payloads(list(ids))
        for each, doc_id in ids.items():
            if each not in there:
                raise _missing(doc_id)
        self._remove(list(ids))

    def search(
        self, queries: Sequence[NDArray[Any]], *, top_k: int, where: Mapping[str, FieldValue] | None = None
    ) -> list[list[Match]]:
        """Find passages with large MaxSim scores, best first; a query without tokens finds nothing.

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
        asked = [valid_embeddings(query, self.dim, "the query") for query in queries]
        prefetch = None if self.prefetch is None else max(self.prefetch, 10 * top_k)
        questions = [Question(query, pool(query), top_k, prefetch, conditions(where)) for query in asked if len(query)]
        found = iter(self._query(questions) if questions else ())
        return [_matches(next(found)) if len(query) else [] for query in asked]

    @abstractmethod
    def tidy(self) -> None:
        """Build what makes searching faster, and free the room of what was deleted."""

    @abstractmethod
    def close(self) -> None:
        """Let go of it."""

    @abstractmethod
    def _count(self) -> int:
        """Count all points."""

    @abstractmethod
    def _payloads(self, point_ids: Sequence[str]) -> dict[str, Mapping[str, Any]]:
        """Return the payloads of those points that are there, by id."""

    @abstractmethod
    def _all_payloads(self) -> Iterator[Mapping[str, Any]]:
        """Read the payloads of all points, some at a time."""

    @abstractmethod
    def _upsert(self, new: Sequence[Point]) -> None:
        """Put points there, in the place of those with the same ids, durably."""

    def _insert(self, new: Sequence[Point]) -> None:
        """Put points there, durably, but for those that are there: which can come about where several may write."""
        self._upsert(new)

    @abstractmethod
    def _remove(self, point_ids: Sequence[str]) -> None:
        """Remove points, durably."""

    @abstractmethod
    def _query(self, questions: Sequence[Question]) -> list[list[tuple[Mapping[str, Any], float]]]:
        """Return payloads and MaxSim scores for each question."""


def _missing(doc_id: str) -> DataError:
    return DataError(f"The store has no passage {doc_id!r}.")


def _matches(found: Sequence[tuple[Mapping[str, Any], float]]) -> list[Match]:
    best = sorted(found, key=lambda each: (each[1], each[0]["doc_id"]), reverse=True)
    return [Match(passage_of(kept), score) for kept, score in best]
