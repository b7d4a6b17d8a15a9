"""Ask an index or a store in words."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from kivuko.data.lines import is_encodable
from kivuko.errors import ConfigError, ModelError, QueryError
from kivuko.search.exact import Ranking, exact_search
from kivuko.search.index import Index
from kivuko.search.origin import Origin
from kivuko.search.store import FieldValue, Match, Store

if TYPE_CHECKING:
    from sentence_transformers import MultiVectorEncoder


class Hit(NamedTuple):
    """A document that was found."""

    doc_id: str
    score: float
    title: str
    text: str
    language: str | None = None
    fields: Mapping[str, FieldValue] = {}


class Searcher:
    """An index together with the model that encodes its queries, which need not be the one that encoded the documents.

    Args:
        index: An index, or any store.
        model: The encoder of the queries.
        batch_size: Queries encoded at once.

    Raises:
        ModelError: If the model's embeddings are not as long as those of the index.
    """

    def __init__(self, index: Index | Store, model: "MultiVectorEncoder", *, batch_size: int = 32) -> None:
        self.index = index
        self.model = model
        self.batch_size = batch_size
        dim = model.get_embedding_dimension()
        if dim is not None:
            self._check_dimension(dim)

    def search(
        self, queries: Sequence[str], top_k: int = 10, *, where: Mapping[str, FieldValue] | None = None
    ) -> list[list[Hit]]:
        """Find the `top_k` best documents for each query, best first; fewer where the index holds fewer.

        Args:
            queries: The queries.
            top_k: How many documents to return for each.
            where: Values that `title`, `text`, `language` or fields must have, all of them; asked of a store.

        Raises:
            ConfigError: If `top_k` is not positive, or an exact index is asked to filter.
            QueryError: If a query is empty, or the model leaves no token of it.
        """
        if isinstance(queries, str):
            raise TypeError("queries must be a list of strings, got one string.")
        if where and isinstance(self.index, Index):
            raise ConfigError(
                f"The index {self.index.directory} keeps nothing to filter by: make a store of the documents with "
                "`kivuko index --store flat`."
            )
        for query in queries:
            if not query.strip():
                raise QueryError("The query is empty: give it at least one word.")
            if not is_encodable(query):
                raise QueryError(f"The query {query[:60]!a} is not valid UTF-8: give it as text.")
        embeddings = self._encode(queries)
        for query, embedding in zip(queries, embeddings, strict=True):
            if not len(embedding):
                raise QueryError(f"The model leaves no token of the query {query[:60]!r} to search for.")
        if isinstance(self.index, Index):
            return [self._hits(self.index, ranking) for ranking in exact_search(self.index, embeddings, top_k=top_k)]
        return [[_hit(match) for match in each] for each in self.index.search(embeddings, top_k=top_k, where=where)]

    def rank(self, queries: Sequence[str], top_k: int) -> list[Ranking]:
        """Find positions and scores only, in an exact index; a query without tokens finds nothing."""
        if not isinstance(self.index, Index):
            raise TypeError("Only an exact index has positions: use search to ask a store.")
        return exact_search(self.index, self._encode(queries), top_k=top_k)

    def _encode(self, queries: Sequence[str]) -> list[NDArray[np.float32]]:
        encoded = self.model.encode_query(
            list(queries), batch_size=self.batch_size, convert_to_numpy=True, show_progress_bar=False
        )
        embeddings = [np.asarray(embedding, dtype=np.float32) for embedding in encoded]
        for embedding in embeddings:
            self._check_dimension(embedding.shape[1])
            if not np.isfinite(embedding).all():
                raise ModelError("The model's embeddings of a query hold NaN or infinity: check its weights.")
        return embeddings

    def _hits(self, index: Index, ranking: Ranking) -> list[Hit]:
        documents = [index.document(position) for position in ranking.positions.tolist()]
        return [
            Hit(document.doc_id, score, document.title, document.text, index.manifest.language)
            for document, score in zip(documents, ranking.scores.tolist(), strict=True)
        ]

    def _check_dimension(self, dim: int) -> None:
        expected = self.index.manifest.dim if isinstance(self.index, Index) else self.index.dim
        if dim != expected:
            place = getattr(self.index, "location", "store")
            manifest = getattr(self.index, "manifest", None)
            by = f", from {manifest.model_name}" if isinstance(manifest, Origin) else ""
            raise ModelError(
                f"The query model gives embeddings of {dim} dimensions; the index {place} holds {expected}{by}. "
                "Ask it with that model, or with a student of it."
            )


def _hit(match: Match) -> Hit:
    passage = match.passage
    return Hit(passage.doc_id, match.score, passage.title, passage.text, passage.language, passage.fields)
