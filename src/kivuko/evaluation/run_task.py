"""Run a task: encode its pools once, rank them by MaxSim and by one vector for a text, and measure every view."""

import math
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from ir_measures import Qrel, ScoredDoc
from ir_measures.measures import Measure
from numpy.typing import NDArray

from kivuko.data.collections import Query
from kivuko.errors import DataError, ModelError
from kivuko.evaluation.language_gap import list_fairness
from kivuko.evaluation.measures import Measures, evaluate_run, required_depth
from kivuko.evaluation.single_vector import cosine_scores, document_vectors
from kivuko.evaluation.tasks import Part, Task, View
from kivuko.search.build import build_index
from kivuko.search.exact import MAX_SCORES, maxsim_scores
from kivuko.search.index import Index, index_matches, load_index
from kivuko.search.manifest import corpus_digest
from kivuko.search.searcher import Searcher

if TYPE_CHECKING:
    from sentence_transformers import MultiVectorEncoder

MAXSIM = "MaxSim"
SINGLE_VECTOR = "single vector"
SCORINGS = (MAXSIM, SINGLE_VECTOR)
_FAIR = 20  # results that PEER looks at


class Encoder(NamedTuple):
    """A model with what a manifest says of it."""

    model: "MultiVectorEncoder"
    name: str = ""
    digest: str | None = None


class Outcome(NamedTuple):
    """What one view is worth under one way of scoring."""

    view: str
    group: str
    scoring: str
    measures: Measures


@dataclass(frozen=True, slots=True)
class TaskEvaluation:
    """The outcome of a task.

    Attributes:
        outcomes: One for each view and way of scoring, in the order of the views.
        run: What MaxSim found in the whole pools.
        documents: Number of documents that were searched, over all pools.
    """

    outcomes: Sequence[Outcome]
    run: Sequence[ScoredDoc]
    documents: int

    def means(self) -> dict[str, dict[str, dict[str, float]]]:
        """Return the mean of every measure by view and way of scoring, then those of the groups of views."""
        rows: dict[str, dict[str, dict[str, float]]] = {}
        groups: dict[tuple[str, str], list[Mapping[str, float]]] = {}
        for outcome in self.outcomes:
            rows.setdefault(outcome.view, {})[outcome.scoring] = dict(outcome.measures.mean)
            if outcome.group:
                groups.setdefault((outcome.group, outcome.scoring), []).append(outcome.measures.mean)
        for (group, scoring), means in groups.items():
            rows.setdefault(f"mean of {len(means)} {group}", {})[scoring] = {
                name: math.fsum(mean[name] for mean in means) / len(means) for name in means[0]
            }
        return rows


@dataclass(slots=True)
class _Found:
    """Positions and scores of what was found, query by query."""

    positions: list[NDArray[np.int64]] = field(default_factory=list)
    scores: list[NDArray[np.float32]] = field(default_factory=list)


def evaluate_task(
    task: Task,
    query_encoder: Encoder,
    document_encoder: Encoder,
    measures: Sequence[Measure],
    *,
    index_directory: Path | None = None,
    indexes: Mapping[str, Path] | None = None,
    overwrite: bool = False,
    depth: int | None = None,
    batch_size: int = 32,
    progress: Callable[[int], None] | None = None,
) -> TaskEvaluation:
    """Index every pool of a task, ask its judged queries, and measure what each way of scoring finds.

    Args:
        task: The task.
        query_encoder: Encodes the queries, and the documents of a reversed part.
        document_encoder: Encodes the documents, and the queries of a reversed part.
        measures: What to measure.
        index_directory: Where to keep the indexes, one folder for each part. One that fits is used again.
        indexes: Part -> where its index lies instead.
        overwrite: Replace an index that does not fit.
        depth: Results for each query; by default what the measures need (`required_depth`).
        batch_size: Texts encoded at once.
        progress: Called with the number of documents encoded since the last call.

    Raises:
        DataError: If no query of a pool is judged, or its judgments name none of its documents.
        ModelError: If the two models' embeddings differ in length.
    """
    outcomes: list[Outcome] = []
    run: list[ScoredDoc] = []
    documents = 0
    for part in task.parts:
        asking, answering = (document_encoder, query_encoder) if part.reversed else (query_encoder, document_encoder)
        queries = _judged(part)
        with ExitStack() as stack:
            folder = index_directory or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="kivuko-")))
            folder.mkdir(parents=True, exist_ok=True)
            place = (indexes or {}).get(part.name, folder / _file_name(part.name))
            index = _index(part, answering, place, overwrite, batch_size=batch_size, progress=progress)
            documents += len(index)
            found = _rank(part, queries, index, asking.model, depth or required_depth(measures), batch_size)
            run += _scored(queries, index, found[MAXSIM, ""], "")
            outcomes += _measure(part, queries, index, found, measures)
    return TaskEvaluation(outcomes, run, documents)


def measure_run(part: Part, run: Sequence[ScoredDoc], measures: Sequence[Measure]) -> Iterator[Outcome]:
    """Measure a run over the whole pool of a part, by those of its views that search all of it.

    Args:
        part: The part.
        run: What was found; queries of other parts are passed over.
        measures: What to measure.
    """
    doc_ids = [document.doc_id for document in part.collection.corpus]
    for view in part.views:
        if not view.document_prefix:
            own = [found for found in run if found.query_id.startswith(view.query_prefix)]
            yield Outcome(view.name, view.group, "", _measured(part, view, own, measures, doc_ids))


def _index(
    part: Part,
    encoder: Encoder,
    directory: Path,
    overwrite: bool,
    *,
    batch_size: int,
    progress: Callable[[int], None] | None,
) -> Index:
    corpus = part.collection.corpus
    if index_matches(directory, model_digest=encoder.digest, corpus_digest=corpus_digest(corpus), dtype="float16"):
        return load_index(directory)
    return build_index(
        encoder.model,
        corpus,
        directory,
        model_name=encoder.name,
        model_digest=encoder.digest,
        batch_size=batch_size,
        overwrite=overwrite,
        progress=progress,
    )


def _rank(
    part: Part, asked: Sequence[Query], index: Index, model: "MultiVectorEncoder", depth: int, batch_size: int
) -> dict[tuple[str, str], _Found]:
    """Rank the documents of each prefix that a view asks for, in both ways, for every judged query."""
    Searcher(index, model)  # compares the models' dimensions
    prefixes = {"": np.arange(len(index))}
    for view in part.views:
        if view.document_prefix not in prefixes:
            fits = (
                position for position, doc_id in enumerate(index.doc_ids) if doc_id.startswith(view.document_prefix)
            )
            prefixes[view.document_prefix] = np.fromiter(fits, dtype=np.int64)
    vectors = document_vectors(index)
    ties = np.empty(len(index), dtype=np.int64)
    ties[sorted(range(len(index)), key=index.doc_ids.__getitem__, reverse=True)] = np.arange(len(index))
    found = {(scoring, prefix): _Found() for scoring in SCORINGS for prefix in prefixes}
    for queries in _encoded(model, [query.text for query in asked], max(1, MAX_SCORES // len(index)), batch_size):
        for scoring in SCORINGS:
            scores = maxsim_scores(index, queries) if scoring == MAXSIM else cosine_scores(queries, vectors)
            for prefix, members in prefixes.items():
                ranking = found[scoring, prefix]
                for row in scores if len(members) == len(index) else scores[:, members]:
                    best = _best(row, ties[members], depth)
                    ranking.positions.append(members[best])
                    ranking.scores.append(row[best])
    return found


def _encoded(
    model: "MultiVectorEncoder", texts: Sequence[str], step: int, batch_size: int
) -> Iterator[list[NDArray[np.float32]]]:
    for first in range(0, len(texts), step):
        embeddings = model.encode_query(
            list(texts[first : first + step]), batch_size=batch_size, convert_to_numpy=True, show_progress_bar=False
        )
        queries = [np.asarray(embedding, dtype=np.float32) for embedding in embeddings]
        if not all(np.isfinite(query).all() for query in queries):
            raise ModelError("The model's embeddings of a query hold NaN or infinity: check its weights.")
        yield queries


def _best(scores: NDArray[np.float32], ties: NDArray[np.int64], depth: int) -> NDArray[np.int64]:
    """Return the places of the best scores, best first; equal ones by `ties`, which puts the larger doc_id first."""
    threshold = np.partition(scores, -depth)[-depth] if depth < len(scores) else -np.inf
    candidates = np.flatnonzero((scores >= threshold) & np.isfinite(scores))
    return candidates[np.lexsort((ties[candidates], -scores[candidates]))[:depth]]


def _measure(
    part: Part,
    queries: Sequence[Query],
    index: Index,
    found: Mapping[tuple[str, str], _Found],
    measures: Sequence[Measure],
) -> Iterator[Outcome]:
    if {qrel.doc_id for qrel in part.collection.qrels}.isdisjoint(index.doc_ids):
        raise DataError(f"{part.name}: the judgments name no document, as {part.collection.qrels[0].doc_id!r}.")
    for view in part.views:
        for scoring in SCORINGS:
            run = list(_scored(queries, index, found[scoring, view.document_prefix], view.query_prefix))
            yield Outcome(view.name, view.group, scoring, _measured(part, view, run, measures, index.doc_ids))


def _measured(
    part: Part, view: View, run: Sequence[ScoredDoc], measures: Sequence[Measure], doc_ids: Iterable[str]
) -> Measures:
    qrels = [
        qrel
        for qrel in part.collection.qrels
        if qrel.query_id.startswith(view.query_prefix) and qrel.doc_id.startswith(view.document_prefix)
    ]
    measured = evaluate_run(qrels, run, measures)
    if view.is_multilingual:
        measured = _with_fairness(measured, qrels, run, doc_ids, min(_FAIR, required_depth(measures)))
    return measured


def _with_fairness(
    measured: Measures, qrels: Sequence[Qrel], run: Sequence[ScoredDoc], doc_ids: Iterable[str], cutoff: int
) -> Measures:
    """Add PEER: whether the languages of the documents, which their ids begin with, are ranked alike."""
    languages = {doc_id: doc_id[:2] for doc_id in (*doc_ids, *(qrel.doc_id for qrel in qrels))}
    fairness = list_fairness(qrels, run, languages, cutoff=cutoff)
    return replace(
        measured,
        mean={**measured.mean, f"PEER@{cutoff}": fairness.mean},
        per_query=[*measured.per_query, *fairness.per_query],
    )


def _scored(queries: Sequence[Query], index: Index, found: _Found, query_prefix: str) -> Iterator[ScoredDoc]:
    for query, positions, scores in zip(queries, found.positions, found.scores, strict=True):
        if query.query_id.startswith(query_prefix):
            for position, score in zip(positions.tolist(), scores.tolist(), strict=True):
                yield ScoredDoc(query.query_id, index.doc_ids[position], score)


def _judged(part: Part) -> list[Query]:
    judged = {qrel.query_id for qrel in part.collection.qrels}
    queries = [query for query in part.collection.queries if query.query_id in judged]
    if not queries:
        raise DataError(f"{part.name}: no query has a judgment.")
    return queries


def _file_name(name: str) -> str:
    return "".join(character if character.isalnum() or character in "-_" else "_" for character in name)
