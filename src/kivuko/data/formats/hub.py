"""Collections of the Hugging Face hub in three tables, as BEIR's and MTEB's are, and downloaded folders of them."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from ir_measures import Qrel

from kivuko.data.collections import Collection, Document, Query
from kivuko.data.formats.files import Documents
from kivuko.errors import DataError

# What each table's columns are called, the usual name first.
_ID, _TEXT = ("_id", "id", "docid", "query-id"), ("text", "contents", "query")
_QUERY, _DOCUMENT, _RELEVANCE = ("query-id", "query_id"), ("corpus-id", "corpus_id", "doc_id"), ("score", "relevance")


class HubCollection(NamedTuple):
    """A collection and where it comes from.

    Attributes:
        collection: Documents, queries and judgments.
        revision: The commit on the hub; of a folder, the digest that `datasets` knows it by.
    """

    collection: Collection
    revision: str


def read_hub(told: str, split: str) -> HubCollection:
    """Read a data set through `datasets`, which keeps it in its cache; code that lies with it is never run.

    The documents are its configuration `corpus` (`_id`, `text` and perhaps `title`), the queries `queries` (`_id`,
    `text`), the judgments `qrels` or `default` (`query-id`, `corpus-id`, `score`), in parquet, JSON lines or CSV. A set
    of several languages has them for each: `sw-corpus` or `corpus-sw`, and so on.

    Args:
        told: `owner/name` or a folder, then perhaps `/` and a language as the set writes it, then perhaps, on the hub,
            `@` and a commit, tag or branch.
        split: The split of the judgments.

    Raises:
        DataError: If there is no such data set, table, split or column.
    """
    name, language, revision = _parsed(told)
    with _reading(told):
        from datasets import get_dataset_config_names  # noqa: PLC0415  # takes a second

        names = get_dataset_config_names(name, revision=revision)
    corpus, queries, judgments = (
        _table(told, name, _named(told, names, part, language), revision)
        for part in (("corpus",), ("queries",), ("qrels", "default"))
    )
    rows = _rows(told, judgments, split)
    qrels = [
        Qrel(str(_cell(told, row, _QUERY)), str(_cell(told, row, _DOCUMENT)), int(_cell(told, row, _RELEVANCE)))
        for row in rows
    ]
    judged = {qrel.query_id for qrel in qrels}
    asked = (
        Query(str(_cell(told, row, _ID)), str(_cell(told, row, _TEXT)))
        for row in _rows(told, queries, split, also="queries")
    )
    return HubCollection(
        Collection(
            Documents(partial(_documents, told, corpus, split)),
            [query for query in asked if query.query_id in judged],
            qrels,
        ),
        str(corpus.hash),
    )


def _parsed(told: str) -> tuple[str, str, str | None]:
    """Part a name or folder, a language and a revision.

    Example:
        >>> _parsed("BeIR/scifact"), _parsed("mteb/MIRACLRetrieval/sw@main")
        (('BeIR/scifact', '', None), ('mteb/MIRACLRetrieval', 'sw', 'main'))
    """
    path = Path(told)
    if path.is_dir():
        return told, "", None
    if path.parent.is_dir() and path.parent != Path():
        return str(path.parent), path.name, None
    where, _, revision = told.partition("@")
    parts = where.split("/")
    if len(parts) not in (2, 3) or not all(parts):
        raise DataError(f"Expected hub:owner/name, hub:owner/name/language or hub:FOLDER, got hub:{told}.")
    return "/".join(parts[:2]), "".join(parts[2:]), revision or None


def _named(told: str, names: Sequence[str], parts: Sequence[str], language: str) -> str:
    wanted = [
        name for part in parts for name in ((f"{language}-{part}", f"{part}-{language}") if language else (part,))
    ]
    for name in (*wanted, *([language] if language and "qrels" in parts else [])):
        if name in names:
            return name
    raise DataError(f"hub:{told} has no configuration {' or '.join(wanted)}; it has {', '.join(sorted(names))}.")


def _table(told: str, name: str, configuration: str, revision: str | None) -> Any:
    with _reading(told):
        from datasets import load_dataset_builder  # noqa: PLC0415

        builder = load_dataset_builder(name, configuration, revision=revision)
        builder.download_and_prepare()
        return builder


def _rows(told: str, table: Any, split: str, *, also: str = "") -> Iterator[Mapping[str, Any]]:
    """Read a split, the only one, or the one called like the table."""
    there = list(table.info.splits)
    found = next((name for name in (split, also) if name in there), there[0] if also and len(there) == 1 else None)
    if found is None:
        raise DataError(f"hub:{told} has no split {split!r} of {table.config.name}; it has {', '.join(there)}.")
    with _reading(told):
        yield from table.as_dataset(split=found)


def _documents(told: str, table: Any, split: str) -> Iterator[Document]:
    for row in _rows(told, table, split, also="corpus"):
        yield Document(str(_cell(told, row, _ID)), str(row.get("title") or ""), str(_cell(told, row, _TEXT)))


def _cell(told: str, row: Mapping[str, Any], names: Sequence[str]) -> Any:
    for name in names:
        if row.get(name) is not None:
            return row[name]
    raise DataError(f"hub:{told}: expected a column {' or '.join(names)} with a value, got {', '.join(row)}.")


@contextmanager
def _reading(told: str) -> Iterator[None]:
    from datasets.exceptions import DatasetsError  # noqa: PLC0415

    try:
        yield
    except (OSError, ValueError, RuntimeError, DatasetsError) as error:
        raise DataError(
            f"hub:{told} cannot be read: {type(error).__name__}: {' '.join(str(error).split())[:200]} Where there is "
            "no network, fetch it elsewhere, `hf download OWNER/NAME --repo-type dataset --local-dir FOLDER`, and "
            "give hub:FOLDER."
        ) from error
