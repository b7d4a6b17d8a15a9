"""Passages as points of Qdrant, checked before Qdrant sees them: it takes NaN without a word."""

import json
import uuid
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from kivuko.errors import DataError, ModelError
from kivuko.search.flat.segment import valid_embeddings
from kivuko.search.store import TEXTS, Entry, FieldValue, Passage, check_passage

TOKENS, POOLED, TERMS = "tokens", "pooled", "terms"
NAMESPACE = uuid.UUID("5b0e9d0c-6d38-5c55-9c0b-2f6a4cf0a7d1")  # of the ids of all points; never to be changed


class Point(NamedTuple):
    """A passage as both kinds of Qdrant take it; one without tokens has no vector, and is never found.

    Attributes:
        point_id: A UUID made of the passage's id.
        tokens: The token embeddings, (tokens, dim), as they are stored.
        pooled: Their mean, of length 1.
        payload: The passage, and the terms that it is filtered by.
    """

    point_id: str
    tokens: NDArray[np.float16]
    pooled: NDArray[np.float16]
    payload: dict[str, Any]


def point_id(doc_id: str) -> str:
    """Return the id of a passage's point, the same everywhere and always.

    Example:
        >>> point_id("rain")
        '95c466e4-7526-59be-bcae-fa10b6b86283'
    """
    return str(uuid.uuid5(NAMESPACE, doc_id))


def points(entries: Iterable[Entry], dim: int) -> Iterator[Point]:
    """Check passages and their embeddings, one by one.

    Raises:
        DataError: If an id comes twice, embeddings are not of the store's dimension, or a passage cannot be stored.
        ModelError: If embeddings hold NaN, infinity or numbers that float16 has no room for.
    """
    seen: set[str] = set()
    for passage, embeddings in entries:
        check_passage(passage)
        if passage.doc_id in seen:
            raise DataError(f"Two passages have the id {passage.doc_id!r}: ids must be distinct.")
        seen.add(passage.doc_id)
        tokens = half(valid_embeddings(embeddings, dim, f"passage {passage.doc_id!r}"), f"passage {passage.doc_id!r}")
        yield Point(point_id(passage.doc_id), tokens, pool(tokens).astype(np.float16), payload(passage))


def half(embeddings: NDArray[np.float32], whose: str) -> NDArray[np.float16]:
    """Round to float16.

    Raises:
        ModelError: If it has no room for a number.
    """
    largest = float(np.finfo(np.float16).max)
    if embeddings.size and float(np.abs(embeddings).max()) > largest:
        raise ModelError(
            f"The embeddings of {whose} hold numbers beyond {largest:,.0f}, the largest that Qdrant keeps in float16. "
            "Check the model's weights."
        )
    return embeddings.astype(np.float16)


def pool(tokens: NDArray[Any]) -> NDArray[np.float32]:
    """Return the mean of token embeddings, of length 1; zero where there is none.

    Example:
        >>> pool(np.array([[3.0, 0.0], [0.0, 4.0]]))
        array([0.6, 0.8], dtype=float32)
        >>> pool(np.empty((0, 2)))
        array([0., 0.], dtype=float32)
    """
    total = np.asarray(tokens, dtype=np.float32).sum(axis=0)
    length = np.linalg.norm(total)
    return np.asarray(total / length if length > 0 else total, dtype=np.float32)


def payload(passage: Passage) -> dict[str, Any]:
    """Return what is kept beside the embeddings."""
    named = {name: value for name, value in passage.fields.items() if name not in TEXTS}
    if passage.language is not None:
        named["language"] = passage.language
    return {
        "doc_id": passage.doc_id,
        "title": passage.title,
        "text": passage.text,
        "language": passage.language,
        "fields": dict(passage.fields),
        TERMS: [term(name, value) for name, value in named.items()],
    }


def passage_of(kept: Mapping[str, Any]) -> Passage:
    """Return the passage that `payload` was made of."""
    return Passage(kept["doc_id"], kept["title"], kept["text"], kept["language"], kept["fields"])


def term(name: str, value: FieldValue) -> str:
    """Write a field and its value as the one keyword that they are filtered by.

    One index then serves all fields, whatever their names. Qdrant has no filter for equal floats, and Edge takes True
    for 1 in a filter but not in a payload; here, as in Python, 1, 1.0 and True are equal.

    Raises:
        DataError: If the value is no string, finite number or boolean.

    Example:
        >>> term("language", "sw"), term("year", 2024), term("year", 2024.0), term("share", 0.5)
        ('language="sw"', 'year=2024', 'year=2024', 'share=0.5')
    """
    if isinstance(value, (bool, float)) and value == value // 1:  # not so for NaN and infinity
        value = int(value)
    try:
        if not isinstance(value, (str, int, float)):
            raise TypeError(f"it is of type {type(value).__name__}")  # noqa: TRY301 - as json would say it
        return f"{name}={json.dumps(value, ensure_ascii=False, allow_nan=False)}"
    except (TypeError, ValueError) as error:
        raise DataError(
            f"The field {name!r} cannot be stored or filtered by: {error}. Fields are strings, finite numbers or "
            "booleans."
        ) from None


def conditions(where: Mapping[str, FieldValue] | None) -> list[tuple[str, str]]:
    """Return keys of the payload and the values that they must have, all of them."""
    return [
        (name, str(value)) if name in ("title", "text") else (TERMS, term(name, value))
        for name, value in (where or {}).items()
    ]
