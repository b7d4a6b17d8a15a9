"""How long a comparison takes, reckoned from what an optimizer step takes."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from kivuko.data.collections import Collection
from kivuko.experiment.comparison.cells import Cell
from kivuko.experiment.comparison.config import Baseline, CompareConfig
from kivuko.experiment.comparison.named_tasks import ENGLISH, collections_of, directions, in_english
from kivuko.search.manifest import corpus_digest

# Measured with MiniLM (384 dimensions, projected to 128), batches of 32 and the 5,413 passages and 300 questions of
# AfriQA in Hausa, on one core on which a step took 0.75 s. In units of a step, so that they go with machine and model.
_TEACHER = 55.0  # loading, and fitting the projection
_TOKEN = 4e-4  # reading a token of a document or a question
_MATCH = 3.8e-9  # comparing a token of a question with one of a document
_PAIR = 1.8e-3  # aligning a sentence pair: growing a student, or the table of structured queries
_CELL = 3.0  # reading and writing models, for each cell or baseline
_LETTERS = 5  # a token, roughly


class Size(NamedTuple):
    """Tokens of a collection, roughly: of its documents, and of its judged questions."""

    documents: int
    questions: int


class Work(NamedTuple):
    """What a comparison does, in units of an optimizer step.

    Attributes:
        preparing: Teacher, students to start from, indexes.
        baselines: The baselines, but for what a translation model takes.
        training: Optimizer steps.
        testing: Validation of the trials, and the tests of the cells.
        indexed: Tokens of the documents that are indexed at a time.
    """

    preparing: float
    baselines: float
    training: float
    testing: float
    indexed: int

    @property
    def steps(self) -> float:
        """All of it."""
        return self.preparing + self.baselines + self.training + self.testing


def estimate(config: CompareConfig, trials: Sequence[Cell], finals: Sequence[Cell], pairs: Mapping[str, int]) -> Work:
    """Reckon the work of a comparison.

    Args:
        config: The comparison.
        trials: Its trials.
        finals: Its other cells.
        pairs: Language -> sentence pairs.

    Raises:
        KivukoError: If a collection cannot be read.
    """
    indexed: dict[str, int] = {}
    tested: dict[str, float] = {}
    validated: dict[str, float] = {}
    read: list[int] = []
    for language in config.languages:
        for task in language.tasks:
            for collection, direction in zip(collections_of(task), directions(task, language.code), strict=True):
                digest, size = _size(collection)
                asking = _asking(size)
                if direction and direction.documents == ENGLISH:
                    indexed[digest] = size.documents
                else:  # every student reads these documents, and keeps no index of them
                    read.append(size.documents)
                    asking += _TOKEN * size.documents
                tested[language.code] = tested.get(language.code, 0) + asking
        if language.validation:
            digest, size = _size(*in_english(language.validation, language.code))
            indexed[digest] = size.documents
            validated[language.code] = _asking(size)
    growing = sum(pairs.values()) * _PAIR if config.grows else 0.0
    return Work(
        preparing=_TEACHER + _TOKEN * sum(indexed.values()) + growing,
        baselines=sum(_baseline(b, tested[code], pairs[code]) for code in tested for b in config.baselines),
        training=sum(cell.pairs // config.training.batch_size for cell in (*trials, *finals)),
        testing=sum(validated.get(cell.language, 0) + _CELL for cell in trials)
        + sum(tested[cell.language] + _CELL for cell in finals),
        indexed=sum(indexed.values()) + max(read, default=0),
    )


def _baseline(baseline: Baseline, asking: float, pairs: int) -> float:
    match baseline:
        case Baseline.BM25 | Baseline.TRANSLATED_BM25 | Baseline.MT_BM25:
            return _CELL
        case Baseline.PSQ:
            return _CELL + pairs * _PAIR
    return _CELL + asking


def _asking(size: Size) -> float:
    return size.questions * (_TOKEN + size.documents * _MATCH)


def _size(found: Collection) -> tuple[str, Size]:
    judged = {qrel.query_id for qrel in found.qrels}
    documents = sum(len(document.content) for document in found.corpus)
    questions = sum(len(query.text) for query in found.queries if query.query_id in judged)
    return corpus_digest(found.corpus), Size(documents // _LETTERS, questions // _LETTERS)
