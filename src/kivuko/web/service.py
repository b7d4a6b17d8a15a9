"""What the service knows how to do, without the web: search, explain, align. One of these works for one request."""

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sentence_transformers import MultiVectorEncoder

from kivuko.data.alignments import WordPair, split_words
from kivuko.data.collections import Document
from kivuko.data.lines import is_encodable
from kivuko.errors import DataError, QueryError
from kivuko.evaluation.aligner import WordAligner
from kivuko.models.encoder import default_document_model, load_encoder, model_identity
from kivuko.search.filters import FieldKind, field_kinds, filter_faults
from kivuko.search.hybrid import LEXICAL, HybridSearcher, RankBy
from kivuko.search.index import Index
from kivuko.search.lineage import read_lineage, refuse_stranger
from kivuko.search.opening import StoreKind, held_by, open_index
from kivuko.search.origin import Origin
from kivuko.search.qdrant import is_address
from kivuko.search.searcher import Hit, Searcher
from kivuko.search.store import OpenStore, check_where
from kivuko.search.words import WORDS, Words, open_words
from kivuko.web.explain import explain
from kivuko.web.languages import describe_language
from kivuko.web.log import log
from kivuko.web.problems import Problem, unknown, unusable
from kivuko.web.schemas import (
    MAX_ANSWER,
    MAX_SENTENCE_WORDS,
    AlignAnswer,
    AlignRequest,
    BatchAnswer,
    BatchRequest,
    CollectionInfo,
    CollectionsAnswer,
    ExplainAnswer,
    ExplainRequest,
    FieldProblem,
    FoundDocument,
)
from kivuko.web.texts import has_word, is_visible
from kivuko.web.work import Check

SLICE = 8  # queries that are searched for at once: what is computed in vain when nobody waits any more
WORD_BYTES = 64  # that a word takes in an explanation, beside its letters


def _go_on() -> None:
    """Check nothing."""


@dataclass(frozen=True, slots=True)
class Collection:
    """An open index or store, which many services may read.

    Attributes:
        index: The index or the store.
        positions: Where each document stands in an index; a store knows that itself.
        words: Its words, where they were counted.
        fields: What its documents can be filtered by; nothing is known of a store that is too large to look through.
    """

    index: Index | OpenStore
    positions: Mapping[str, int]
    words: Words | None = None
    fields: Mapping[str, frozenset[FieldKind]] | None = None

    def document(self, doc_id: str) -> Document | None:
        """Return a document, nothing where there is none of that id."""
        if isinstance(self.index, Index):
            position = self.positions.get(doc_id)
            return None if position is None else self.index.document(position)
        if doc_id not in self.index:
            return None
        passage = self.index.get(doc_id)
        return Document(passage.doc_id, passage.title, passage.text)


def open_collection(location: str) -> Collection:
    """Open what `kivuko index` wrote, with its words, if those are counted in its directory and up to date.

    Every file of an index or a flat store is read and compared with its digest first.

    Raises:
        DataError: If it is no index and no store, was written by a newer kivuko, or is damaged.
    """
    index = open_index(location, verify=held_by(location) is not StoreKind.qdrant)
    doc_ids = index.doc_ids if isinstance(index, Index) else ()
    positions = {doc_id: position for position, doc_id in enumerate(doc_ids)}
    return Collection(index, positions, _open_words(index), field_kinds(index))


def _open_words(index: Index | OpenStore) -> Words | None:
    if is_address(index.location) or not (Path(index.location) / WORDS).is_dir():
        return None
    try:
        return open_words(index, Path(index.location))
    except DataError as error:
        log("doubt", level=logging.WARNING, collection=index.location, message=str(error))
        return None


class Service:
    """Collections, and encoders of the queries by language. Not for two threads at once: tokenizers have a state.

    Args:
        collections: What can be searched, by name.
        models: Directory or hub id of the encoder of the queries, by language. Its teacher, where it has one in its
            directory, is loaded with it, once for all students of the same teacher.
        any_model: Ask collections with models that do not belong to them, too.

    Raises:
        ModelError: If a model cannot be loaded, does not belong to a collection, or cannot be aligned with.
    """

    def __init__(
        self, collections: Mapping[str, Collection], models: Mapping[str, str], *, any_model: bool = False
    ) -> None:
        self.collections = dict(collections)
        self.models = dict(models)
        self._encoders: dict[str, MultiVectorEncoder] = {}
        self._searchers: dict[tuple[str, str], Searcher] = {}
        self._hybrids: dict[tuple[str, str], HybridSearcher] = {}
        self._aligners: dict[str, WordAligner] = {}
        for language, model in models.items():
            encoder = self._load(model)
            self._aligners[language] = WordAligner(encoder, self._load(default_document_model(model)))
            lineage = read_lineage(model)
            for name, collection in collections.items():
                index = collection.index
                searcher = self._searchers[name, language] = Searcher(index, encoder)
                self._hybrids[name, language] = HybridSearcher(
                    index, searcher=searcher, words=collection.words, language=language
                )
                if not any_model and (doubt := refuse_stranger(index.manifest, lineage, index.location)):
                    log("doubt", level=logging.WARNING, collection=name, language=language, message=doubt)

    def warm_up(self) -> None:
        """Do everything once, so that the first caller does not wait for what is compiled or read at first use."""
        for (_, language), searcher in self._hybrids.items():
            searcher.search([language], top_k=1)
            for ranker in set(searcher.rankers) & set(LEXICAL):
                searcher.search([language], top_k=1, by=RankBy(ranker))
            # Not with a text of the collection's: there may be none, or nothing but white space in it.
            self.align(AlignRequest(english="one", translation="one", language=language))

    def describe(self) -> CollectionsAnswer:
        """Say what there is."""
        infos = []
        for name, collection in self.collections.items():
            origin = collection.index.manifest
            infos.append(
                CollectionInfo(
                    name=name,
                    documents=len(collection.index),
                    language=origin.language,
                    model=shown_name(origin.model_name),
                    rankers={language: list(self._hybrids[name, language].rankers) for language in self.models},
                    fields=None
                    if collection.fields is None
                    else {name: sorted(kinds) for name, kinds in collection.fields.items()},
                )
            )
        return CollectionsAnswer(collections=infos, languages=[describe_language(code) for code in self.models])

    def search(self, request: BatchRequest, *, check: Check = _go_on, max_answer: int = MAX_ANSWER) -> BatchAnswer:
        """Search for several queries of one language, a few at a time.

        Args:
            request: The queries.
            check: Called before each few of them; what it raises ends the search.
            max_answer: Bytes of the texts of all documents of the answer, at most.

        Raises:
            Problem: If there is no such collection or language, nothing to search for, nothing to rank or filter by, or
                the answer would be too large.
        """
        self._searcher(request.collection, request.language)
        searcher = self._hybrids[request.collection, request.language]
        if request.ranker not in searcher.rankers:
            raise Problem(
                409,
                "no_ranker",
                f"{request.collection} cannot be ranked by {request.ranker} for questions in {request.language}, only "
                f"by {', '.join(searcher.rankers)}: its words, or their translations, are not counted.",
            )
        start = time.perf_counter()
        self._check(request.queries)
        faults = filter_faults(request.where, self.collections[request.collection].fields)
        for name, value in request.where.items():
            try:
                check_where({name: value})
            except QueryError as error:
                faults.setdefault(name, str(error).removesuffix("."))
        if faults:
            raise unusable(
                [FieldProblem(field=f"where.{name}"[:100], expected=told[:400]) for name, told in faults.items()]
            )
        found: list[list[Hit]] = []
        size = 0
        for first in range(0, len(request.queries), SLICE):
            check()
            queries = request.queries[first : first + SLICE]
            try:
                hits = searcher.search(queries, request.top_k, by=RankBy(request.ranker), where=request.where)
            except QueryError as error:
                raise Problem(422, "no_words", str(error)) from None
            size += sum(_size(hit) for each in hits for hit in each)
            if size > max_answer:
                raise Problem(
                    422,
                    "too_much",
                    f"Expected an answer with at most {_mb(max_answer)} MB of text, got {_mb(size)} MB for the first "
                    f"{first + len(queries)} of {len(request.queries)} queries. Ask for fewer documents (top_k is "
                    f"{request.top_k}) or with fewer queries at once, or start the service with a larger --max-answer.",
                )
            found += hits
        results = [[FoundDocument(**hit._asdict()) for hit in hits] for hits in found]
        return BatchAnswer(results=results, milliseconds=round(1_000 * (time.perf_counter() - start), 1))

    def explain(self, request: ExplainRequest, *, max_answer: int = MAX_ANSWER) -> ExplainAnswer:
        """Say which words of a query matched which words of a document.

        Args:
            request: Which query and document.
            max_answer: Bytes of the answer, at most, by an estimate.

        Raises:
            Problem: If there is no such collection, language or document, the document has too many words for an
                answer, or the encoder of the documents is not here.
        """
        searcher = self._searcher(request.collection, request.language)
        self._check([request.query])
        collection = self.collections[request.collection]
        document = collection.document(request.doc_id)
        if document is None:
            raise unknown("document", request.doc_id)
        count = len(document.content.split())
        size = _bytes(document.content) + WORD_BYTES * count
        if size > max_answer:
            raise Problem(
                422,
                "too_much",
                f"Expected an explanation of at most {_mb(max_answer)} MB, got a document of {count:,} words, which "
                f"makes {_mb(size)} MB. Start the service with a larger --max-answer to have it explained.",
            )
        encoder = self._document_encoder(collection.index.manifest, request.language)
        return explain(request.query, document, searcher.model, encoder)

    def align(self, request: AlignRequest) -> AlignAnswer:
        """Link the words of an English sentence to those of its translation.

        Raises:
            Problem: If there is no such language, or a sentence has too many words.
        """
        aligner = self._aligners.get(request.language)
        if aligner is None:
            raise unknown("language", request.language, list(self.models))
        self._check([request.english, request.translation])
        sides = (split_words(text) for text in (request.english, request.translation))
        pair = WordPair(*(tuple(word for word in words if is_visible(word)) for words in sides))
        if max(map(len, pair)) > MAX_SENTENCE_WORDS:
            raise Problem(
                422,
                "too_long",
                f"Expected sentences of at most {MAX_SENTENCE_WORDS} words, got {len(pair.english)} English words and "
                f"{len(pair.translation)} of the translation. Align sentence by sentence.",
            )
        [aligned] = aligner.align([pair])
        return AlignAnswer(
            english_words=list(aligned.english),
            translation_words=list(aligned.translation),
            plan=[[round(mass, 6) for mass in row] for row in aligned.plan.T.tolist()],
            links=[(link.english, link.translation) for link in aligned.links],
        )

    def _searcher(self, collection: str, language: str) -> Searcher:
        if collection not in self.collections:
            raise unknown("collection", collection, list(self.collections))
        if language not in self.models:
            raise unknown("language", language, list(self.models))
        return self._searchers[collection, language]

    def _document_encoder(self, origin: Origin, language: str) -> MultiVectorEncoder:
        if origin.model_digest is None:
            return self._aligners[language].teacher
        if origin.model_digest not in self._encoders:
            raise Problem(
                409,
                "no_document_model",
                f"The encoder of this collection, {shown_name(origin.model_name)}, is not loaded, so its words cannot "
                "be matched: the service has to be started with --model, the documents' language and that encoder.",
            )
        return self._encoders[origin.model_digest]

    def _load(self, model: str) -> MultiVectorEncoder:
        identity = model_identity(model) or model
        if identity not in self._encoders:
            self._encoders[identity] = load_encoder(model).eval()
        return self._encoders[identity]

    @staticmethod
    def _check(texts: Sequence[str]) -> None:
        for text in texts:
            if not is_encodable(text):
                raise Problem(422, "no_words", "Expected text in valid Unicode, got half of a surrogate pair in it.")
            if not has_word(text):
                raise Problem(
                    422,
                    "no_words",
                    "Expected text with a word in it: a letter, a digit or a symbol such as an emoji. Got none: "
                    "punctuation, white space and invisible characters by themselves are no words.",
                )


def _bytes(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))


def _size(hit: Hit) -> int:
    return sum(map(_bytes, (hit.title, hit.text, *(each for each in hit.fields.values() if isinstance(each, str)))))


def _mb(size: int) -> str:
    return f"{size / 1_000_000:.3g}"


def shown_name(model: str) -> str:
    """Shorten a directory to its last two names, so that callers learn nothing of where things lie.

    Example:
        >>> shown_name("/home/asha/runs/swahili/teacher"), shown_name("sentence-transformers/LaBSE")
        ('swahili/teacher', 'sentence-transformers/LaBSE')
    """
    return "/".join([part for part in model.split("/") if part][-2:])


def load_services(
    collections: Mapping[str, str], models: Mapping[str, str], *, workers: int = 1, any_model: bool = False
) -> list[Service]:
    """Load as many services as shall work at once. They share the collections; each has models of its own.

    Raises:
        DataError: As `open_collection`.
        ModelError: As `Service`.
    """
    opened = {name: open_collection(location) for name, location in collections.items()}
    services = [Service(opened, models, any_model=any_model) for _ in range(workers)]
    for service in services:
        service.warm_up()
    return services
