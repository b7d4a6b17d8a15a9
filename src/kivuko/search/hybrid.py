"""Rank by meaning, by words, or by both: MaxSim, BM25, structured queries, and fusions of them, chosen by name."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from itertools import chain
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
from ir_measures import ScoredDoc
from numpy.typing import NDArray

from kivuko.data.lines import is_encodable
from kivuko.errors import ConfigError, QueryError
from kivuko.search.exact import Ranking
from kivuko.search.fusion import reciprocal_rank_fusion, weighted_fusion
from kivuko.search.index import Index
from kivuko.search.runs import Ranker
from kivuko.search.searcher import Hit, Searcher
from kivuko.search.store import FieldValue, OpenStore, Passage, check_where
from kivuko.search.words import Words

MOST_READ = 1_000  # passages at a time, where a filter passes few
FUSED = 100  # documents of each ranking that are fused, and never fewer than are asked for


class RankerName(StrEnum):
    """What documents are ranked by."""

    MAXSIM = "maxsim"
    BM25 = "bm25"
    PSQ = "psq"
    RRF = "rrf"
    WEIGHTED = "weighted"


SINGLE = (RankerName.MAXSIM, RankerName.BM25, RankerName.PSQ)
LEXICAL = (RankerName.BM25, RankerName.PSQ)
FUSIONS = (RankerName.RRF, RankerName.WEIGHTED)


class RankBy(NamedTuple):
    """How documents are to be ranked.

    Attributes:
        name: By what.
        parts: For a fusion, the rankings that are fused, and the weight of each; without any, MaxSim and structured
            queries, or BM25 where there are no translations.
    """

    name: RankerName = RankerName.MAXSIM
    parts: Mapping[RankerName, float] = MappingProxyType({})

    @property
    def needs_model(self) -> bool:
        """Whether queries have to be encoded."""
        return (
            RankerName.MAXSIM in self.parts
            or self.name is RankerName.MAXSIM
            or (self.name in FUSIONS and not self.parts)
        )

    @property
    def needs_words(self) -> bool:
        """Whether words have to be looked up."""
        return self.name is not RankerName.MAXSIM


BY_MEANING = RankBy()


def parse_rank_by(name: RankerName, parts: Sequence[str] = ()) -> RankBy:
    """Read how documents are to be ranked, and what is fused, each as in `psq` or `psq:0.5`.

    Args:
        name: By what.
        parts: What is fused.

    Raises:
        ConfigError: If parts are given to what is no fusion, or one is none, comes twice, or has no fit weight.

    Example:
        >>> by = parse_rank_by(RankerName.WEIGHTED, ["maxsim", "bm25:0.25"])
        >>> {str(part): weight for part, weight in by.parts.items()}
        {'maxsim': 1.0, 'bm25': 0.25}
    """
    if name not in FUSIONS:
        if parts:
            raise ConfigError(f"--fuse is for --ranker {' and '.join(FUSIONS)}, not for {name}.")
        return RankBy(name)
    weights: dict[RankerName, float] = {}
    for part in parts:
        kind, colon, weight = part.partition(":")
        try:
            number = float(weight) if colon else 1.0
        except ValueError:
            number = -1.0
        if kind not in SINGLE or not 0 < number < float("inf"):
            raise ConfigError(
                f"--fuse takes {', '.join(SINGLE)}, with an optional weight above 0, as in psq:0.5; got {part!r}."
            )
        if kind in weights:
            raise ConfigError(f"--fuse {kind} is given twice: once is enough, with a weight.")
        weights[RankerName(kind)] = number
    if len(weights) == 1:
        raise ConfigError(f"--ranker {name} fuses two rankings or more: give --fuse twice, or use --ranker {parts[0]}.")
    return RankBy(name, weights)


class HybridSearcher:
    """An index that is asked in words, and ranks its documents in whatever ways it was given.

    Args:
        index: The index or store.
        searcher: The same with the encoder of its queries, for MaxSim.
        words: The index's words, for BM25.
        language: The queries' language, for structured queries.
    """

    def __init__(
        self,
        index: Index | OpenStore,
        *,
        searcher: Searcher | None = None,
        words: Words | None = None,
        language: str | None = None,
    ) -> None:
        self.index = index
        self.searcher = searcher
        self._words = words
        self._language = language
        self._psq: Ranker | None = None
        self._positions: dict[str, int] = {}

    @property
    def rankers(self) -> tuple[RankerName, ...]:
        """What can be asked for."""
        single = [RankerName.MAXSIM] if self.searcher else []
        if self._words:
            single.append(RankerName.BM25)
            if self._language in self._words.directions or (
                self._language is None and len(self._words.directions) == 1
            ):
                single.append(RankerName.PSQ)
        return (*single, *(FUSIONS if len(single) > 1 else ()))

    def search(
        self,
        queries: Sequence[str],
        top_k: int = 10,
        *,
        by: RankBy = BY_MEANING,
        where: Mapping[str, FieldValue] | None = None,
    ) -> list[list[Hit]]:
        """Find the `top_k` best documents for each query, best first.

        A fusion takes the 100 best documents of each of its rankings, or `top_k` if that is more.

        Args:
            queries: The queries.
            top_k: How many documents to return for each; by words, only those are found that share one.
            by: By what they are ranked.
            where: Values that `title`, `text`, `language` or fields must have, all of them; asked of a store.

        Raises:
            ConfigError: If `top_k` is not positive, an exact index is asked to filter, or there is no model, no words
                or no translations for that ranking.
            DataError: If the words are not those of the documents.
            QueryError: If a query is empty.
        """
        if by.name not in FUSIONS:
            return self._single(queries, top_k, by.name, where)
        parts = by.parts or self._usual_parts()
        found = [self._single(queries, max(top_k, FUSED), part, where) for part in parts]
        return fuse_hits(found, list(parts.values()), by.name, top_k)

    def _usual_parts(self) -> dict[RankerName, float]:
        words = RankerName.PSQ if RankerName.PSQ in self.rankers else RankerName.BM25
        return {RankerName.MAXSIM: 1.0, words: 1.0}

    def _single(
        self, queries: Sequence[str], top_k: int, name: RankerName, where: Mapping[str, FieldValue] | None
    ) -> list[list[Hit]]:
        if name is RankerName.MAXSIM:
            if self.searcher is None:
                raise ConfigError("MaxSim needs the encoder of the queries: give --model, or --ranker bm25 or psq.")
            return self.searcher.search(queries, top_k, where=where)
        ranker = self._lexical(name)
        if where and isinstance(self.index, Index):
            raise ConfigError(
                f"The index {self.index.directory} keeps nothing to filter by: make a store of the documents with "
                "`kivuko index --store flat`."
            )
        if top_k < 1:
            raise ConfigError(f"top_k must be at least 1, got {top_k}.")
        check_where(where)
        for query in queries:
            if not query.strip():
                raise QueryError("The query is empty: give it at least one word.")
            if not is_encodable(query):
                raise QueryError(f"The query {query[:60]!a} is not valid UTF-8: give it as text.")
        if where:
            return [self._filtered(ranker, query, top_k, where) for query in queries]
        return self._found(ranker.rank(queries, top_k))

    def _lexical(self, name: RankerName) -> Ranker:
        if self._words is None:
            raise ConfigError(
                f"The words of {self.index.location} are not counted, by which {name} ranks: "
                f"`kivuko index --out {self.index.location} --lexical bm25` counts them."
            )
        if name is RankerName.BM25:
            return self._words.lexical
        if self._psq is None:
            self._psq = self._words.psq(self._language, self.index.manifest.language)
        return self._psq

    def _found(self, rankings: Sequence[Ranking]) -> list[list[Hit]]:
        """Read what was found for all queries at once: a store may be asked by requests."""
        doc_ids = [self._doc_ids(ranking.positions) for ranking in rankings]
        wanted = list(dict.fromkeys(chain.from_iterable(doc_ids)))
        passages = dict(zip(wanted, self._passages(wanted), strict=True))
        return [
            [_hit(passages[doc_id], score) for doc_id, score in zip(each, ranking.scores.tolist(), strict=True)]
            for each, ranking in zip(doc_ids, rankings, strict=True)
        ]

    def _filtered(self, ranker: Ranker, query: str, top_k: int, where: Mapping[str, FieldValue]) -> list[Hit]:
        """Read down the whole ranking until enough passages fit, more at a time the rarer they are."""
        assert self._words is not None  # noqa: S101 - for the type checker
        [ranking] = ranker.rank([query], len(self._words.lexical.doc_ids))
        hits: list[Hit] = []
        first, read = 0, 4 * top_k
        while first < len(ranking.positions) and len(hits) < top_k:
            portion = slice(first, first + read)
            passages = self._passages(self._doc_ids(ranking.positions[portion]))
            scored = zip(passages, ranking.scores[portion].tolist(), strict=True)
            hits += [_hit(passage, score) for passage, score in scored if _has(passage, where)]
            first, read = first + read, min(2 * read, MOST_READ)
        return hits[:top_k]

    def _doc_ids(self, positions: NDArray[np.int64]) -> list[str]:
        assert self._words is not None  # noqa: S101 - for the type checker
        doc_ids = self._words.lexical.doc_ids
        return [doc_ids[position] for position in positions.tolist()]

    def _passages(self, doc_ids: Sequence[str]) -> list[Passage]:
        if not isinstance(self.index, Index):
            return self.index.get_many(doc_ids)
        if not self._positions:
            self._positions = {each: position for position, each in enumerate(self.index.doc_ids)}
        language = self.index.manifest.language
        return [Passage(*self.index.document(self._positions[doc_id]), language) for doc_id in doc_ids]


def fuse_hits(
    found: Sequence[Sequence[Sequence[Hit]]], weights: Sequence[float], name: RankerName, top_k: int
) -> list[list[Hit]]:
    """Fuse what several rankings found for the same queries.

    Args:
        found: For each ranking, for each query, what it found.
        weights: The weight of each ranking.
        name: The fusion.
        top_k: How many documents to return for each query.
    """
    hits = [{hit.doc_id: hit for ranking in rankings for hit in ranking} for rankings in zip(*found, strict=True)]
    runs = [
        [ScoredDoc(str(number), hit.doc_id, hit.score) for number, ranking in enumerate(rankings) for hit in ranking]
        for rankings in found
    ]
    fused: list[list[Hit]] = [[] for _ in hits]
    for each in (reciprocal_rank_fusion if name is RankerName.RRF else weighted_fusion)(runs, weights=weights):
        number = int(each.query_id)
        if len(fused[number]) < top_k:
            fused[number].append(hits[number][each.doc_id]._replace(score=each.score))
    return fused


def _hit(passage: Passage, score: float) -> Hit:
    return Hit(passage.doc_id, score, passage.title, passage.text, passage.language, passage.fields)


def _has(passage: Passage, where: Mapping[str, FieldValue]) -> bool:
    own = {"title": passage.title, "text": passage.text, "language": passage.language}
    values = {**passage.fields, **own}
    return all(values.get(name) is not None and values[name] == value for name, value in where.items())
