"""What every store of token embeddings can do, and how documents get into one."""

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple, Protocol

from numpy.typing import NDArray

from kivuko.data.collections import Document
from kivuko.data.lines import is_encodable
from kivuko.errors import DataError, QueryError
from kivuko.search.origin import Origin

if TYPE_CHECKING:
    import numpy as np
    from sentence_transformers import MultiVectorEncoder

FieldValue = str | int | float | bool
LARGEST_FLOAT = sys.float_info.max
TEXTS = ("title", "text", "language")  # what of a passage, besides its fields, it can be filtered by

COMMIT_BATCHES = 32  # batches between two commits: what a killed ingestion has to encode again, at most


class Passage(NamedTuple):
    """What a store keeps beside the embeddings.

    Attributes:
        doc_id: The passage's name: it never changes, and is never given to another one.
        title: Its title, or nothing.
        text: Its text.
        language: ISO 639 code, if it is known.
        fields: Anything else to filter by.
    """

    doc_id: str
    title: str
    text: str
    language: str | None = None
    fields: Mapping[str, FieldValue] = {}

    @property
    def content(self) -> str:
        """What an encoder reads: the title and the text, with a space between them."""
        return Document(*self[:3]).content


def check_passage(passage: Passage) -> None:
    """Refuse what cannot be stored and filtered by in the same way everywhere.

    Raises:
        DataError: If id, title, text or the name of a field is no string, the language neither a string nor nothing, or
            a field's value no string, finite number or boolean; or one of them is not valid Unicode.

    Example:
        >>> check_passage(Passage("rain", "", "Mvua", 5))
        Traceback (most recent call last):
        kivuko.errors.DataError: The passage 'rain' cannot be stored: its language is 5, and must be a string or None.
    """
    refused = f"The passage {_shown(passage.doc_id)} cannot be stored"
    texts = {"id": passage.doc_id, "title": passage.title, "text": passage.text}
    for name, text in texts.items():
        if not isinstance(text, str):
            raise DataError(f"{refused}: its {name} is {_shown(text)}, and must be a string.")
    if not isinstance(passage.language, str | None):
        raise DataError(f"{refused}: its language is {_shown(passage.language)}, and must be a string or None.")
    for name, value in passage.fields.items():
        if told := _unfit(name, value):
            raise DataError(f"{refused}: its field {told}")
    strings = (*texts.values(), passage.language or "", *passage.fields, *passage.fields.values())
    if not all(is_encodable(each) for each in strings if isinstance(each, str)):
        raise DataError(f"{refused}: its texts must be valid Unicode.")


def check_where(where: Mapping[str, FieldValue] | None) -> None:
    """Refuse conditions that no passage can meet, because of their types: a mistake that would look like no results.

    Args:
        where: Values that `title`, `text`, `language` or fields must have.

    Raises:
        QueryError: If a name is no string, one of these three is to be no string, a value is no string, finite number
            or boolean, or one is not valid Unicode.

    Example:
        >>> check_where({"title": "5", "year": 5})
        >>> check_where({"title": 5})
        Traceback (most recent call last):
        kivuko.errors.QueryError: The filter title=5 cannot be met: title, text and language are strings.
    """
    for name, value in (where or {}).items():
        filtered = f"The filter {name if isinstance(name, str) else _shown(name)}={_shown(value)} cannot be met"
        if name in TEXTS and not isinstance(value, str):
            raise QueryError(f"{filtered}: {', '.join(TEXTS[:-1])} and {TEXTS[-1]} are strings.")
        if told := _unfit(name, value):
            raise QueryError(f"{filtered}: its field {told}")
        if not all(is_encodable(each) for each in (name, value) if isinstance(each, str)):
            raise QueryError(f"The filter {name!a}={value!a} cannot be met: it is not valid Unicode.")


def is_finite(value: float) -> bool:
    """Say whether a number is one, and no larger than a float can be; an integer may be.

    Example:
        >>> is_finite(2024), is_finite(float("nan")), is_finite(10**400)
        (True, False, False)
    """
    return -LARGEST_FLOAT <= value <= LARGEST_FLOAT


def _unfit(name: object, value: object) -> str | None:
    """Say why something is no field that can be stored and filtered by."""
    if isinstance(name, str) and (isinstance(value, str) or (isinstance(value, int | float) and is_finite(value))):
        return None
    told = "not a number" if value != value else _shown(value)  # noqa: PLR0124 - NaN
    return f"{_shown(name)} is {told}. Names of fields are strings, values strings, finite numbers or booleans."


def _shown(value: object) -> str:
    """Write a value out; Python refuses to do that for integers of thousands of digits."""
    if isinstance(value, int) and not is_finite(value):
        return f"an integer beyond {LARGEST_FLOAT:.1e}"
    try:
        return repr(value)
    except ValueError:  # one of these in a list
        return f"of the type {type(value).__name__}"


class Entry(NamedTuple):
    """A passage and its token embeddings, (tokens, dim)."""

    passage: Passage
    embeddings: "NDArray[np.floating]"


class Match(NamedTuple):
    """A passage that was found, and its MaxSim score."""

    passage: Passage
    score: float


class Store(Protocol):
    """Passages with their token embeddings, searched by MaxSim.

    A method that writes does all it was asked for, durably, or nothing.
    """

    @property
    def dim(self) -> int:
        """Length of a token embedding."""
        ...

    def __len__(self) -> int: ...

    def __contains__(self, doc_id: object) -> bool: ...

    def writing(self) -> AbstractContextManager[None]:
        """Keep other writers out for a whole block, where the store has one writer; move on to its present state.

        Raises:
            ConfigError: If another process is writing, and the store admits one.
        """
        ...

    def add(self, entries: Iterable[Entry]) -> None:
        """Add passages whose ids are new.

        Raises:
            DataError: If an id is there already, or comes twice.
        """
        ...

    def add_new(self, entries: Iterable[Entry]) -> int:
        """Add those passages whose ids are new at the moment of writing, and pass over the others.

        Returns:
            How many were added.

        Raises:
            DataError: If an id comes twice.
        """
        ...

    def update(self, entries: Iterable[Entry]) -> None:
        """Replace passages, embeddings and all.

        Raises:
            DataError: If an id is not there, or comes twice.
        """
        ...

    def delete(self, doc_ids: Iterable[str]) -> None:
        """Remove passages.

        Raises:
            DataError: If an id is not there.
        """
        ...

    def known(self, doc_ids: Iterable[str]) -> set[str]:
        """Say which of these ids are there, with as few requests as the store can do with."""
        ...

    def get(self, doc_id: str) -> Passage:
        """Read one passage.

        Raises:
            DataError: If the id is not there.
        """
        ...

    def get_many(self, doc_ids: Sequence[str]) -> list[Passage]:
        """Read passages, in the order of their ids, with as few requests as the store can do with.

        Raises:
            DataError: If an id is not there.
        """
        ...

    def search(
        self, queries: "Sequence[NDArray[np.floating]]", *, top_k: int, where: Mapping[str, FieldValue] | None = None
    ) -> list[list[Match]]:
        """Find the passages with the largest MaxSim scores, best first; equal scores by doc_id, falling.

        Args:
            queries: The token embeddings of each query, (tokens, dim).
            top_k: How many passages to return for each, at most.
            where: Values that `title`, `text`, `language` or fields must have, all of them.

        Raises:
            QueryError: If a value of `where` is of a type that no passage has there (`check_where`).
        """
        ...


class OpenStore(Store, Protocol):
    """A store that says where it is, and whose embeddings it holds."""

    @property
    def location(self) -> str:
        """Its directory, or its address."""
        ...

    @property
    def manifest(self) -> Origin:
        """Where its embeddings come from."""
        ...

    @property
    def contents(self) -> str:
        """What tells the passages that it holds now from those before a change, as far as it knows."""
        ...

    def passages(self) -> Iterator[Passage]:
        """Read all passages, in any order."""
        ...

    def tidy(self) -> None:
        """Free the room of what was deleted, and build what makes searching faster, where that is worth while."""
        ...

    def close(self) -> None:
        """Let go of it."""
        ...


def ingest(
    store: Store,
    model: "MultiVectorEncoder",
    documents: Iterable[Document | Passage],
    *,
    language: str | None = None,
    batch_size: int = 32,
    progress: Callable[[int], None] | None = None,
) -> int:
    """Encode documents and add those whose ids are not in the store yet, some thousand at a time.

    Each portion is committed before the next one is encoded, so a run that was interrupted is resumed by running it
    again. A document that is there under its id is not looked at: `update` is for those that changed. What another
    writer added while a portion was encoded is passed over, too.

    Args:
        store: Where they go.
        model: The encoder of the documents.
        documents: The documents, or passages with languages and fields of their own; with distinct ids.
        language: ISO 639 code of the documents' language, where they do not state one.
        batch_size: Documents encoded at once.
        progress: Called with the number of documents dealt with since the last call.

    Returns:
        How many were added.

    Raises:
        ConfigError: If another process is writing, and the store has one writer: before anything is encoded.
    """
    added = 0
    remaining = iter(documents)
    with store.writing():
        while portion := list(islice(remaining, COMMIT_BATCHES * batch_size)):
            there = store.known(document.doc_id for document in portion)
            new = [as_passage(document, language) for document in portion if document.doc_id not in there]
            if new:
                added += store.add_new(encoded(model, new, batch_size=batch_size))
            if progress is not None:
                progress(len(portion))
    return added


class Changes(NamedTuple):
    """How many passages were added, replaced, and found to be as they were."""

    added: int
    updated: int = 0
    unchanged: int = 0


def renew(
    store: Store,
    model: "MultiVectorEncoder",
    documents: Iterable[Document | Passage],
    *,
    language: str | None = None,
    batch_size: int = 32,
    progress: Callable[[int], None] | None = None,
) -> Changes:
    """Do as `ingest` does, and also encode and replace those passages that differ from the documents with their ids.

    Whatever differs in title, text, language or a field is replaced. Passages that no document names stay.

    Args:
        store: Where they go.
        model: The encoder of the documents.
        documents: The documents, or passages with languages and fields of their own; with distinct ids.
        language: ISO 639 code of the documents' language, where they do not state one.
        batch_size: Documents encoded at once.
        progress: Called with the number of documents dealt with since the last call.

    Raises:
        ConfigError: If another process is writing, and the store has one writer: before anything is encoded.
    """
    added = updated = unchanged = 0
    remaining = iter(documents)
    with store.writing():
        while portion := list(islice(remaining, COMMIT_BATCHES * batch_size)):
            passages = [as_passage(document, language) for document in portion]
            known = store.known(passage.doc_id for passage in passages)
            new = [passage for passage in passages if passage.doc_id not in known]
            older = [passage for passage in passages if passage.doc_id in known]
            kept = store.get_many([passage.doc_id for passage in older])
            changed = [each for each, now in zip(older, kept, strict=True) if each != now]
            entries = encoded(model, new + changed, batch_size=batch_size) if new or changed else []
            if new:
                added += store.add_new(entries[: len(new)])
            if changed:
                store.update(entries[len(new) :])
            updated += len(changed)
            unchanged += len(portion) - len(new) - len(changed)
            if progress is not None:
                progress(len(portion))
    return Changes(added, updated, unchanged)


def as_passage(document: Document | Passage, language: str | None) -> Passage:
    """Return a document as a passage, in a language unless it states one itself."""
    passage = document if isinstance(document, Passage) else Passage(*document)
    return passage if passage.language else passage._replace(language=language)


def encoded(model: "MultiVectorEncoder", passages: Sequence[Passage], *, batch_size: int) -> list[Entry]:
    """Encode passages."""
    embeddings = model.encode_document(
        [passage.content for passage in passages],
        batch_size=batch_size,
        convert_to_numpy=True,
        show_progress_bar=False,
    )
    return [Entry(passage, each) for passage, each in zip(passages, embeddings, strict=True)]
