"""Search collections on disk: documents, queries and judgments, in BEIR's layout, TREC's, or plain text files."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

from ir_measures import Qrel

from kivuko.data.lines import decode, existing, is_encodable, json_objects, numbered_lines
from kivuko.errors import DataError

MAX_FILE_BYTES = 10_000_000
TEXT_SUFFIXES = (".txt", ".md")


class Document(NamedTuple):
    """One document of a corpus."""

    doc_id: str
    title: str
    text: str

    @property
    def content(self) -> str:
        """What an encoder reads: the title and the text, with a space between them."""
        return f"{self.title} {self.text}".strip()


class Query(NamedTuple):
    """One query of a collection."""

    query_id: str
    text: str


@dataclass(frozen=True, slots=True)
class CorpusFile:
    """A corpus on disk that is read anew, document by document, whenever it is iterated over."""

    path: Path

    def __iter__(self) -> Iterator[Document]:
        return read_corpus(self.path)


@dataclass(frozen=True, slots=True)
class Collection:
    """A test collection.

    Attributes:
        corpus: The documents; may be iterated over more than once.
        queries: The queries.
        qrels: The judgments of one split.
    """

    corpus: Iterable[Document]
    queries: Sequence[Query]
    qrels: Sequence[Qrel]

    def only_queries(self, prefix: str) -> "Collection":
        """Keep the queries, and their judgments, whose id starts with `prefix` (`sw-`).

        Raises:
            DataError: If no query is left.
        """
        queries = [query for query in self.queries if query.query_id.startswith(prefix)]
        if not queries:
            examples = ", ".join(query.query_id for query in self.queries[:3])
            raise DataError(f"No query id starts with {prefix!r}; the first ones are {examples}.")
        qrels = [qrel for qrel in self.qrels if qrel.query_id.startswith(prefix)]
        return replace(self, queries=queries, qrels=qrels)


def read_corpus(path: str | Path) -> Iterator[Document]:
    """Read documents one at a time.

    Args:
        path: BEIR's `corpus.jsonl` (keys `_id`, `title` if there is one, `text`), also gzipped, or the folder that
            holds it; or a folder of UTF-8 `.txt` and `.md` files, whose relative paths become the ids.

    Raises:
        DataError: If the path does not exist; while reading, if a document is malformed or its id was seen before,
            or if there is no document at all.
    """
    path = existing(Path(path))
    if path.is_dir():
        beir = [path / name for name in ("corpus.jsonl", "corpus.jsonl.gz") if (path / name).exists()]
        documents = _read_json_corpus(beir[0]) if beir else _read_folder(path)
    else:
        documents = _read_json_corpus(path)
    return _checked(documents, path)


def read_queries(path: str | Path) -> list[Query]:
    """Read queries.

    Args:
        path: BEIR's `queries.jsonl` (keys `_id`, `text`), also gzipped; or lines of `query_id<TAB>text`; or plain
            lines, one query each, which are numbered from 1 (a file whose first line has no tab).

    Raises:
        DataError: If the file is missing or malformed, a query is empty, or an id comes twice.
    """
    path = existing(Path(path))
    if ".jsonl" in path.suffixes:
        queries = [
            (number, Query(_identifier(record, path, number), _string(record, "text", path, number)))
            for number, record in json_objects(path, ("_id", "text"))
        ]
    else:
        queries = _read_query_lines(path)
    if not queries:
        raise DataError(f"{path} holds no query.")
    seen: dict[str, int] = {}
    for number, (query_id, text) in queries:
        if not text.strip():
            raise DataError(f"{path}, line {number}: query {query_id!r} is empty. Give it a text or remove the line.")
        _refuse_duplicate(seen, query_id, path, number)
    return [query for _, query in queries]


def read_qrels(path: str | Path) -> list[Qrel]:
    """Read judgments.

    Args:
        path: BEIR's three columns (`query-id corpus-id score`, with or without that header) or TREC's four
            (`query_id iteration doc_id relevance`).

    Raises:
        DataError: If the file is missing, empty or malformed, or judges a document twice for the same query.
    """
    path = existing(Path(path))
    qrels: list[Qrel] = []
    seen: dict[str, int] = {}
    for number, line in numbered_lines(path):
        cells = line.split("\t")
        if len(cells) not in (3, 4):
            cells = line.split()
        if not seen and cells[0] in ("query-id", "query_id"):
            continue
        match cells:
            case [query_id, doc_id, relevance] | [query_id, _, doc_id, relevance]:
                pass
            case _:
                raise DataError(
                    f"{path}, line {number}: expected `query-id corpus-id score` or TREC's "
                    f"`query_id iteration doc_id relevance`, got {len(cells)} columns."
                )
        try:
            qrels.append(Qrel(query_id, doc_id, int(relevance)))
        except ValueError:
            raise DataError(
                f"{path}, line {number}: the relevance must be a whole number, got {relevance!r}."
            ) from None
        _refuse_duplicate(seen, f"{query_id} {doc_id}", path, number)
    if not qrels:
        raise DataError(f"{path} holds no judgment.")
    return qrels


def read_collection(directory: str | Path, *, split: str = "test") -> Collection:
    """Open a BEIR folder: `corpus.jsonl`, `queries.jsonl` (both also gzipped) and `qrels/<split>.tsv`.

    The corpus is not read here but whenever it is iterated over.

    Raises:
        DataError: If a file is missing or malformed, or the judgments name no query of the collection.
    """
    directory = existing(Path(directory))
    splits = {path.stem: path for path in sorted((directory / "qrels").glob("*.tsv"))}
    if split not in splits:
        there = ", ".join(splits) or "none"
        raise DataError(f"{directory} has no split {split!r} (qrels/{split}.tsv). Splits there: {there}.")
    queries_path, corpus_path = (_plain_or_gzipped(directory / name) for name in ("queries.jsonl", "corpus.jsonl"))
    queries, qrels = read_queries(queries_path), read_qrels(splits[split])
    if {query.query_id for query in queries}.isdisjoint(qrel.query_id for qrel in qrels):
        raise DataError(
            f"{splits[split]} judges no query of {queries_path}: it says {qrels[0].query_id!r}, "
            f"the queries are like {queries[0].query_id!r}."
        )
    return Collection(CorpusFile(corpus_path), queries, qrels)


def _read_json_corpus(path: Path) -> Iterator[tuple[int, Document]]:
    for number, record in json_objects(path, ("_id", "text")):
        title = "" if record.get("title") is None else _string(record, "title", path, number)
        yield number, Document(_identifier(record, path, number), title, _string(record, "text", path, number))


def _read_folder(directory: Path) -> Iterator[tuple[int, Document]]:
    paths = (path for path in directory.rglob("*") if path.suffix.lower() in TEXT_SUFFIXES and path.is_file())
    for path in sorted(paths):
        relative = path.relative_to(directory)
        if any(part.startswith(".") for part in relative.parts):
            continue
        if path.stat().st_size > MAX_FILE_BYTES:
            raise DataError(f"{path} is longer than {MAX_FILE_BYTES:,} bytes: split it into passages.")
        doc_id = relative.as_posix()
        if not is_encodable(doc_id):
            raise DataError(f"The file name {doc_id!r} is not valid UTF-8: rename it.")
        try:
            yield 1, Document(doc_id, "", decode(path.read_bytes(), path, 1).strip())
        except OSError as error:
            raise DataError(f"{path} cannot be read: {error}.") from error


def _checked(documents: Iterable[tuple[int, Document]], path: Path) -> Iterator[Document]:
    seen: dict[str, int] = {}
    for number, document in documents:
        _refuse_duplicate(seen, document.doc_id, path, number)
        yield document
    if not seen:
        suffixes = " or ".join(TEXT_SUFFIXES)
        what = f"no {suffixes} file and no corpus.jsonl" if path.is_dir() else "no document"
        raise DataError(f"{path} holds {what}.")


def _read_query_lines(path: Path) -> list[tuple[int, Query]]:
    lines = list(numbered_lines(path))
    if not lines or (path.suffix != ".tsv" and "\t" not in lines[0][1]):
        return [(number, Query(str(rank), line.strip())) for rank, (number, line) in enumerate(lines, 1)]
    queries = []
    for number, line in lines:
        query_id, tab, text = line.partition("\t")
        if not tab or not query_id.strip():
            raise DataError(f"{path}, line {number}: expected `query_id<TAB>text`, got {line[:60]!r}.")
        queries.append((number, Query(query_id.strip(), text.strip())))
    return queries


def _identifier(record: Mapping[str, Any], path: Path, number: int) -> str:
    value = record["_id"]
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    identifier = _string(record, "_id", path, number)
    if not identifier.strip():
        raise DataError(f"{path}, line {number}: the _id is empty.")
    return identifier


def _string(record: Mapping[str, Any], key: str, path: Path, number: int) -> str:
    value = record[key]
    if not isinstance(value, str):
        raise DataError(f"{path}, line {number}: {key} must be a string, got {type(value).__name__}.")
    if not is_encodable(value):
        raise DataError(f"{path}, line {number}: {key} holds half a surrogate pair (\\ud800 to \\udfff).")
    return value


def _refuse_duplicate(seen: dict[str, int], identifier: str, path: Path, number: int) -> None:
    first = seen.setdefault(identifier, number)
    if first != number:
        raise DataError(f"{path}, line {number}: {identifier!r} was already given in line {first}.")


def _plain_or_gzipped(path: Path) -> Path:
    gzipped = path.with_name(f"{path.name}.gz")
    return gzipped if gzipped.exists() and not path.exists() else existing(path)
