"""Benchmark tasks by name: which collection, asked in which direction, and which parts of its pool are measured."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from ir_measures import Qrel

from kivuko.data.catalog import Entry, Pair, find_entry
from kivuko.data.collections import Collection, Document, Query, read_collection
from kivuko.data.formats.hub import read_hub
from kivuko.data.formats.irds import read_irds
from kivuko.data.formats.tatoeba import ISO_639_1
from kivuko.data.published import check_counts, check_languages, downloaded_revision, read_published
from kivuko.errors import ConfigError, DataError

DEFAULT_MEASURES = "nDCG@10 RR@10 AP R@100"
_ANY = {"irds": "id", "hub": "owner/name", "beir": "folder"}


class View(NamedTuple):
    """A part of a pool that is measured: queries whose id begins so, among the documents whose id begins so."""

    name: str
    group: str = ""  # views of one group are averaged, each with the same weight
    query_prefix: str = ""
    document_prefix: str = ""
    is_multilingual: bool = False  # whether documents of several languages, whose ids begin with it, are to be equal


@dataclass(frozen=True, slots=True)
class Part:
    """One pool of documents with its queries.

    Attributes:
        name: For the report: `sw-en`.
        collection: Documents, queries and judgments.
        views: What is measured; at least one.
        reversed: Whether the document model encodes the queries, and the query model the documents.
    """

    name: str
    collection: Collection
    views: Sequence[View]
    reversed: bool = False


@dataclass(frozen=True, slots=True)
class Task:
    """A benchmark task.

    Attributes:
        name: What it was asked for as: `tatoeba:sw`.
        split: Which judgments.
        measures: Its customary measures.
        parts: Its pools.
        entry: Its description; None for a folder or an id of ir_datasets.
        incomplete: What differs from the published sizes, where that was allowed.
        unchecked: That no published sizes are known, where none are.
        revision: Of a data set of the hub, where it is known; of several, with spaces between.
    """

    name: str
    split: str
    measures: str
    parts: Sequence[Part]
    entry: Entry | None = None
    incomplete: str = ""
    unchecked: str = ""
    revision: str = ""


class Outline(NamedTuple):
    """What a task's name says of it, before any file is read.

    Attributes:
        split: The customary judgments.
        measures: The customary measures.
        languages: Those of its queries and documents; none where nothing says (`irds:`, `hub:`, `beir:`).
        directions: For each of its parts, the languages of queries and documents; None for a pool of several.
    """

    split: str
    measures: str
    languages: tuple[str, ...]
    directions: tuple[Pair | None, ...]


def outline(name: str) -> Outline:
    """Return what a task's name says of it.

    Example:
        >>> [str(direction) for direction in outline("tatoeba:sw").directions]
        ['sw-en', 'en-sw']

    Raises:
        ConfigError: If there is no such task or language.
    """
    kind, _, argument = name.partition(":")
    if kind in _ANY:
        if not argument:
            raise ConfigError(f"Expected {kind}:<{_ANY[kind]}>, got {name!r}.")
        return Outline("test", DEFAULT_MEASURES, (), (None,))
    entry = find_entry(kind)
    pair, languages = _languages(entry, argument)
    directions: tuple[Pair | None, ...] = (pair,)
    if pair is not None and kind == "tatoeba":
        directions = (pair, Pair(pair.documents, pair.queries))
    spoken = pair or tuple(languages or entry.languages.split())
    return Outline(entry.splits[0], entry.measures, tuple(spoken), directions)


def open_task(name: str, *, split: str = "", data: Path | None = None, allow_incomplete: bool = False) -> Task:
    """Open a task by name.

    Args:
        name: `tatoeba:sw`, `lareqa`, `lareqa:de,en`, `mewsli-x`, a collection with a language or a pair of them
            (`afriqa:sw`, `ciral:sw`, `belebele:so-sw`), `irds:<id>`, `hub:<owner/name>` or `beir:<folder>`.
        split: Which judgments; by default the customary ones.
        data: The data directory.
        allow_incomplete: Go on where sizes differ from the published ones.

    Raises:
        ConfigError: If there is no such task, language or split.
        DataError: If a file is missing or malformed, or sizes differ from the published ones.
    """
    kind, _, argument = name.partition(":")
    split = split or outline(name).split
    if kind in _ANY:
        return _any(name, kind, argument, split)
    entry = find_entry(kind)
    pair, languages = _languages(entry, argument)
    collection = read_published(entry, pair, split, data)
    incomplete = unchecked = ""
    wanted = entry.wanted(pair, split)
    if kind != "lareqa" and wanted.queries is None:
        unchecked = f"no published size of {name}, {split}, is known: nobody checked that the download is whole"
    try:
        if kind == "lareqa":
            check_languages(collection, entry, languages)
        else:
            check_counts(collection, wanted, f"{name}, {split}")
    except DataError as error:
        if not allow_incomplete:
            raise
        incomplete = str(error)
    revision = "" if data is None else downloaded_revision(data, entry.folders)
    parts = _parts(kind, collection, pair, languages)
    return Task(name, split, entry.measures, parts, entry, incomplete, unchecked, revision)


def _any(name: str, kind: str, argument: str, split: str) -> Task:
    revision = ""
    match kind:
        case "irds":
            collection = read_irds(argument)
        case "hub":
            collection, revision = read_hub(argument, split)
        case _:
            collection = read_collection(argument, split=split)
    return Task(name, split, DEFAULT_MEASURES, [Part(argument, collection, [View(argument)])], revision=revision)


def _languages(entry: Entry, argument: str) -> tuple[Pair | None, list[str]]:
    if entry.direction != "pool":
        if not argument:
            raise ConfigError(f"Which languages? Expected {entry.name}{entry.argument}; it has {entry.languages}.")
        if entry.name == "tatoeba":  # whose files are named by ISO 639-3
            argument = ISO_639_1.get(argument, argument)
        pair, known = entry.pair(argument), entry.languages.split()
        unknown = sorted({*pair} - {*known, "en"})
        # Where the catalog lists codes alone, there are no others; queries of one's own may ask English documents.
        if unknown and entry.direction != "to English" and all(word.isalpha() for word in known):
            raise ConfigError(f"{entry.name} has no language {unknown[0]!r}; it has {entry.languages}.")
        return pair, []
    languages = argument.split(",") if argument else []
    unknown = [language for language in languages if language not in entry.languages.split()]
    if unknown:
        raise ConfigError(f"{entry.name} has no language {unknown[0]!r}; it has {entry.languages}.")
    return None, languages


def _parts(kind: str, collection: Collection, pair: Pair | None, languages: Sequence[str]) -> list[Part]:
    match kind, pair:
        case "tatoeba", Pair(queries, documents):
            there = _with_languages(collection, queries, documents)
            back = _turned(there)
            names = f"{queries}-{documents}", f"{documents}-{queries}"
            return [Part(names[0], there, [View(names[0])]), Part(names[1], back, [View(names[1])], reversed=True)]
        case "lareqa", _:
            chosen = _only(collection, languages) if languages else collection
            return [Part("pool", chosen, lareqa_views(_first_two(query.query_id for query in chosen.queries)))]
        case "mewsli-x", _:
            chosen = _only_queries(collection, languages) if languages else collection
            spoken = _first_two(query.query_id for query in chosen.queries)
            views = [View(language, "languages", f"{language}:") for language in spoken]
            return [Part("mentions", chosen, [View("all mentions"), *views])]
    return [Part(str(pair), collection, [View(str(pair))])]


def lareqa_views(languages: Sequence[str]) -> list[View]:
    """Return what LAReQA measures.

    The pool of all languages, for all questions and for those of each language; the monolingual pools (question and
    candidates of the same language); and every pair of different languages.

    Example:
        >>> [view.name for view in lareqa_views(["de", "en"])]
        ['pool', 'de to pool', 'en to pool', 'de-de', 'en-en', 'de-en', 'en-de']
    """
    return [
        View("pool", is_multilingual=True),
        *(View(f"{asked} to pool", "question languages", f"{asked}:") for asked in languages),
        *(View(f"{asked}-{asked}", "monolingual pools", f"{asked}:", f"{asked}-") for asked in languages),
        *(
            View(f"{asked}-{answered}", "pairs of languages", f"{asked}:", f"{answered}-")
            for asked in languages
            for answered in languages
            if asked != answered
        ),
    ]


def _first_two(ids: Iterable[str]) -> list[str]:
    return sorted({identifier[:2] for identifier in ids})


def _only(collection: Collection, languages: Sequence[str]) -> Collection:
    """Keep questions and candidates of these languages."""
    documents = [document for document in collection.corpus if document.doc_id[:2] in languages]
    chosen = _only_queries(collection, languages)
    qrels = [qrel for qrel in chosen.qrels if qrel.doc_id[:2] in languages]
    return Collection(documents, chosen.queries, qrels)


def _only_queries(collection: Collection, languages: Sequence[str]) -> Collection:
    queries = [query for query in collection.queries if query.query_id[:2] in languages]
    missing = set(languages) - {query.query_id[:2] for query in queries}
    if missing:
        raise DataError(f"There is no query in {', '.join(sorted(missing))}: ids must begin with the language.")
    qrels = [qrel for qrel in collection.qrels if qrel.query_id[:2] in languages]
    return replace(collection, queries=queries, qrels=qrels)


def _with_languages(collection: Collection, queries: str, documents: str) -> Collection:
    """Let ids begin with the language, so that those of the two directions are distinct in one run."""

    def named(language: str, identifier: str) -> str:
        return identifier if identifier.startswith(f"{language}:") else f"{language}:{identifier}"

    return Collection(
        [document._replace(doc_id=named(documents, document.doc_id)) for document in collection.corpus],
        [query._replace(query_id=named(queries, query.query_id)) for query in collection.queries],
        [
            Qrel(named(queries, qrel.query_id), named(documents, qrel.doc_id), qrel.relevance)
            for qrel in collection.qrels
        ],
    )


def _turned(collection: Collection) -> Collection:
    """Ask the documents, and search the queries."""
    return Collection(
        [Document(query.query_id, "", query.text) for query in collection.queries],
        [Query(document.doc_id, document.content) for document in collection.corpus],
        [Qrel(qrel.doc_id, qrel.query_id, qrel.relevance) for qrel in collection.qrels],
    )
