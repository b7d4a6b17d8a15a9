"""Any data set of ir_datasets, which fetches, caches and parses it (https://ir-datasets.com)."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from ir_measures import Qrel

from kivuko.data.collections import Collection, Document, Query
from kivuko.data.formats.files import Documents
from kivuko.errors import ConfigError, DataError


def read_irds(identifier: str, *, asked: str = "") -> Collection:
    """Open a data set by its id, as in `miracl/sw/dev`.

    What a document and a query say is what ir_datasets calls their default text: for most sets the title and the text
    of a document, and the title of a topic. Nothing but its iterators is used, which parse the files as published.

    Args:
        identifier: Of the set.
        asked: Id of a set whose queries are asked instead of its own.

    Raises:
        ConfigError: If ir_datasets is not installed.
        DataError: If there is no such set, it has no documents, queries or judgments, or it cannot be fetched.
    """
    try:
        import ir_datasets  # noqa: PLC0415  # optional
    except ImportError as error:
        raise ConfigError(
            f"irds:{identifier} is read by ir_datasets, which is not installed: pip install 'kivuko[collections]'."
        ) from error
    try:
        dataset = ir_datasets.load(identifier)
    except KeyError:
        raise DataError(
            f"ir_datasets has no data set {identifier!r}; https://ir-datasets.com lists them, as miracl/sw/dev."
        ) from None
    missing = [part for part in ("docs", "queries", "qrels") if not getattr(dataset, f"has_{part}")()]
    if missing:
        raise DataError(f"irds:{identifier} has no {' and no '.join(missing)}: choose one of its splits.")
    with _fetching(identifier):
        asking = ir_datasets.load(asked) if asked else dataset
        queries = [Query(str(query.query_id), query.default_text()) for query in asking.queries_iter()]
        qrels = [Qrel(str(qrel.query_id), str(qrel.doc_id), int(qrel.relevance)) for qrel in dataset.qrels_iter()]
    return Collection(Documents(partial(_documents, dataset, identifier)), queries, qrels)


def _documents(dataset: Any, identifier: str) -> Iterator[Document]:
    with _fetching(identifier):
        for document in dataset.docs_iter():
            yield Document(str(document.doc_id), "", document.default_text())


@contextmanager
def _fetching(identifier: str) -> Iterator[None]:
    try:
        yield
    except (OSError, RuntimeError, EOFError, ValueError) as error:
        # Of a download it raises a sentence and a list of everything that it tried.
        told = error.args[0] if len(error.args) > 1 and isinstance(error.args[0], str) else str(error) or repr(error)
        raise DataError(
            f"ir_datasets cannot read {identifier}: {told.splitlines()[0][:300].rstrip('.')}. It fetches files "
            "when they are asked for first, into ~/.ir_datasets or $IR_DATASETS_HOME; some need a person's agreement, "
            "and https://ir-datasets.com says where to put those."
        ) from error
