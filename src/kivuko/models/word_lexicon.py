"""Translation probabilities between the words of two languages, learned from bitext."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError
from scipy.sparse import csr_array

from kivuko.config import Frozen
from kivuko.data.lines import numbered_lines
from kivuko.data.whole import written_whole
from kivuko.errors import DataError
from kivuko.models.lexicon import align_pieces
from kivuko.models.words import Analyzer

_TINY = np.finfo(np.float64).tiny
MAX_WORDS = 100  # a longer sentence is seldom one, and its links grow with the square


class _Header(Frozen):
    """First line of the file."""

    format: str = "kivuko-word-lexicon 1"
    query_analyzer: Analyzer
    document_analyzer: Analyzer


class WordLinks(NamedTuple):
    """How often the words of one language were linked to those of another.

    Attributes:
        words: The rows, in the order in which they were met.
        translations: The columns, likewise.
        counts: Expected links, sparse.
    """

    words: Sequence[str]
    translations: Sequence[str]
    counts: csr_array

    def shares(self) -> csr_array:
        """Return p(translation | word): each row divided by its sum."""
        totals = np.asarray(self.counts.sum(axis=1)).ravel()
        shares = self.counts.data / np.repeat(np.maximum(totals, _TINY), np.diff(self.counts.indptr))
        return csr_array((shares, self.counts.indices, self.counts.indptr), shape=self.counts.shape)


@dataclass(frozen=True, slots=True, eq=False)
class WordLexicon:
    """What each word of the queries' language means in the documents' language, and how surely.

    Attributes:
        query_analyzer: Cuts queries into the words of the rows.
        document_analyzer: Cuts documents into the words of the columns.
        query_words: The rows.
        document_words: The columns.
        probabilities: p(document word | query word), sparse. A row sums to 1, less what was too small to keep.
    """

    query_analyzer: Analyzer
    document_analyzer: Analyzer
    query_words: Sequence[str]
    document_words: Sequence[str]
    probabilities: csr_array

    def translations(self, word: str, *, minimum: float = 0.01) -> list[tuple[str, float]]:
        """List the translations of one word, the likeliest first; none for a word that the bitext does not have."""
        if word not in self.query_words:
            return []
        row = self.probabilities[[self.query_words.index(word)]]
        found = zip(row.indices.tolist(), row.data.tolist(), strict=True)
        pairs = [(self.document_words[column], value) for column, value in found if value >= minimum]
        return sorted(pairs, key=lambda pair: (-pair[1], pair[0]))


def learn_word_lexicon(
    queries_side: Iterable[str],
    documents_side: Iterable[str],
    *,
    query_analyzer: Analyzer,
    document_analyzer: Analyzer,
    iterations: int = 5,
    tension: float | None = None,
    minimum: float = 0.01,
) -> WordLexicon:
    """Estimate translation probabilities from sentences and their translations.

    The expected links c(q, d) of lexical alignment, as far as both of its directions believe in them (see
    `kivuko.models.lexicon`), are normalized over the documents' language: p(d | q) = c(q, d) / sum_d' c(q, d').

    Args:
        queries_side: Sentences in the language of the queries.
        documents_side: Their translations, in the same order. Pairs with an empty side, or a side of more than
            `MAX_WORDS` words, are left out.
        query_analyzer: Cuts the former into words.
        document_analyzer: Cuts the latter into words, as the index of the documents does.
        iterations: Passes of expectation maximization.
        tension: How much the alignment expects both sides in the same order; 0 is IBM Model 1, None learns it.
        minimum: Smaller probabilities are dropped.

    Raises:
        DataError: If there is no pair to learn from.

    Example:
        >>> plain = Analyzer()
        >>> swahili, english = ["paka analala", "paka anakula"], ["cat sleeps", "cat eats"]
        >>> lexicon = learn_word_lexicon(swahili, english, query_analyzer=plain, document_analyzer=plain, iterations=20)
        >>> lexicon.translations("paka", minimum=0.5)[0][0]
        'cat'
    """
    links = link_words(
        (
            (query_analyzer.words(query), document_analyzer.words(document))
            for query, document in zip(queries_side, documents_side, strict=True)
        ),
        iterations=iterations,
        tension=tension,
    )
    shares = links.shares()
    kept = shares.data >= minimum
    rows = np.repeat(np.arange(shares.shape[0]), np.diff(shares.indptr))[kept]
    table = csr_array((shares.data[kept], (rows, shares.indices[kept])), shape=shares.shape)
    return WordLexicon(query_analyzer, document_analyzer, links.words, links.translations, table)


def link_words(
    pairs: Iterable[tuple[Sequence[str], Sequence[str]]], *, iterations: int = 5, tension: float | None = 0.0
) -> WordLinks:
    """Link the words of sentences to those of their translations, with IBM Model 1 in both directions.

    Args:
        pairs: Words of a sentence, and of its translation. Pairs with an empty side, or a side of more than
            `MAX_WORDS` words, are left out.
        iterations: Passes of expectation maximization.
        tension: How much both sides are expected in the same order; 0 is Model 1, which expects none; None learns it.

    Raises:
        DataError: If there is no pair to learn from.
    """
    sides: tuple[list[list[int]], list[list[int]]] = ([], [])
    ids: tuple[dict[str, int], dict[str, int]] = ({}, {})
    for words in pairs:
        if all(0 < len(side) <= MAX_WORDS for side in words):
            for side, known, cut in zip(sides, ids, words, strict=True):
                side.append([known.setdefault(word, len(known)) for word in cut])
    if not sides[0]:
        raise DataError(f"There is no sentence pair of 1 to {MAX_WORDS} words a side to learn a lexicon from.")
    counts = align_pieces(
        sides[1],
        sides[0],
        english_size=len(ids[1]),
        target_size=len(ids[0]),
        iterations=iterations,
        tension=tension,
    ).counts
    return WordLinks(tuple(ids[0]), tuple(ids[1]), counts)


def write_word_lexicon(lexicon: WordLexicon, path: str | Path) -> None:
    """Write a lexicon whole or not at all: a line of settings, then `query word<TAB>document word<TAB>probability`.

    Raises:
        DataError: If the file cannot be written.
    """
    with written_whole(Path(path)) as (file,):
        file.writelines(_lines(lexicon))


def read_word_lexicon(path: str | Path) -> WordLexicon:
    """Read what `write_word_lexicon` wrote, or a table of another tool under the same first line.

    Raises:
        DataError: If the file is missing or malformed, or a probability is not in (0, 1].
    """
    path = Path(path)
    lines = numbered_lines(path)
    try:
        header = _Header.model_validate_json(next(lines, (0, ""))[1])
    except ValidationError:
        expected = _Header(query_analyzer=Analyzer(), document_analyzer=Analyzer()).model_dump_json()
        raise DataError(f"{path}, line 1: expected settings such as {expected}.") from None
    queries: dict[str, int] = {}
    documents: dict[str, int] = {}
    rows, columns, values = [], [], []
    for number, line in lines:
        match line.split("\t"):
            case [query_word, document_word, probability]:
                rows.append(queries.setdefault(query_word, len(queries)))
                columns.append(documents.setdefault(document_word, len(documents)))
                values.append(_probability(probability, path, number))
            case cells:
                raise DataError(f"{path}, line {number}: expected word, word, probability, got {len(cells)} columns.")
    if not values:
        raise DataError(f"{path} holds no translation.")
    data: NDArray[np.float64] = np.array(values)
    table = csr_array((data, (rows, columns)), shape=(len(queries), len(documents)))
    return WordLexicon(header.query_analyzer, header.document_analyzer, tuple(queries), tuple(documents), table)


def _lines(lexicon: WordLexicon) -> Iterator[str]:
    header = _Header(query_analyzer=lexicon.query_analyzer, document_analyzer=lexicon.document_analyzer)
    yield header.model_dump_json() + "\n"
    table = lexicon.probabilities
    for row, word in enumerate(lexicon.query_words):
        start, end = table.indptr[row : row + 2]
        for place in start + np.argsort(-table.data[start:end], kind="stable"):
            yield f"{word}\t{lexicon.document_words[table.indices[place]]}\t{table.data[place]:.6g}\n"


def _probability(text: str, path: Path, number: int) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 < value <= 1:
        raise DataError(f"{path}, line {number}: expected a probability above 0 and at most 1, got {text!r}.")
    return value
