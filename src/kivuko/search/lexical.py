"""An index of words: BM25 by the bm25s library, and the counts behind it for structured queries."""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final, Literal

import bm25s  # type: ignore[import-untyped]
import numpy as np
from pydantic import Field, ValidationError
from scipy.sparse import csr_array, load_npz, save_npz

from kivuko.config import Frozen
from kivuko.data.collections import Document
from kivuko.errors import ConfigError, DataError
from kivuko.models.words import Analyzer
from kivuko.search.exact import Ranking
from kivuko.search.manifest import FileRecord, document_line
from kivuko.search.runs import best_documents
from kivuko.search.staging import read_whole, staged_directory

MANIFEST: Final = "lexical.json"
DOC_IDS: Final = "doc_ids.json"
COUNTS: Final = "counts.npz"
BM25: Final = "bm25"


class BM25Config(Frozen):
    """The two numbers of BM25; the defaults are Lucene's.

    Attributes:
        k1: How soon a repeated word counts no more.
        b: How much a long document pays for its length.
    """

    k1: float = Field(default=1.2, ge=0, le=100)
    b: float = Field(default=0.75, ge=0, le=1)


class LexicalManifest(Frozen):
    """What a lexical index says of itself.

    Attributes:
        format: Always `kivuko-lexical-index`.
        format_version: The version of the format.
        kivuko_version: The version of kivuko that made it.
        analyzer: How texts are cut into words.
        bm25: The parameters of BM25.
        documents: Number of documents.
        corpus_digest: That of a vector index of the same documents in the same order.
        contents: What the index or store beside which it was made held then, if there was one.
        files: Size and SHA-256 of every other file.
    """

    format: Literal["kivuko-lexical-index"] = "kivuko-lexical-index"
    format_version: Literal[1] = 1
    kivuko_version: str = Field(default_factory=lambda: version("kivuko"))
    analyzer: Analyzer
    bm25: BM25Config
    documents: int = Field(ge=1)
    corpus_digest: str
    contents: str | None = None
    files: Mapping[str, FileRecord] = {}


@dataclass(frozen=True, eq=False, slots=True)
class LexicalIndex:
    """Documents as counted words.

    Attributes:
        manifest: How they were counted.
        doc_ids: The documents' ids, by position.
        vocabulary: The column of each word.
        counts: How often each word stands in each document, sparse (documents, words).
        bm25: The scores of the library.
    """

    manifest: LexicalManifest
    doc_ids: Sequence[str]
    vocabulary: Mapping[str, int]
    counts: csr_array
    bm25: Any

    def __len__(self) -> int:
        return len(self.doc_ids)

    def rank(self, queries: Sequence[str], top_k: int) -> list[Ranking]:
        """Rank documents by BM25, in the form that Lucene has it.

        score(q, d) = sum over words w of q of ln(1 + (N - df_w + 0.5) / (df_w + 0.5)) tf / (tf + k1 (1 - b + b l / L)),
        with N documents of mean length L, df_w of which have w; tf is the count of w in d and l the length of d. A word
        that comes twice in the query counts twice. A document without any word of the query is not found.

        Raises:
            ConfigError: If `top_k` is not positive.

        References:
            Robertson and Zaragoza, "The Probabilistic Relevance Framework: BM25 and Beyond", 2009.
            Kamphuis et al., "Which BM25 Do You Mean?", ECIR 2020, for the variants.
            Lù, "BM25S", 2024, for the library. https://arxiv.org/abs/2407.03618
        """
        if top_k < 1:
            raise ConfigError(f"top_k must be at least 1, got {top_k}.")
        rankings = []
        for query in queries:
            words = [self.vocabulary[word] for word in self.manifest.analyzer.words(query) if word in self.vocabulary]
            scores = self.bm25.get_scores_from_ids(words) if words else np.zeros(len(self), dtype=np.float32)
            rankings.append(best_documents(scores, self.doc_ids, top_k))
        return rankings


def build_lexical_index(
    documents: Iterable[Document], *, analyzer: Analyzer, bm25: BM25Config | None = None
) -> LexicalIndex:
    """Count the words of documents, titles included.

    Raises:
        DataError: If an id comes twice, or there is no word in any document.

    Example:
        >>> index = build_lexical_index(
        ...     [Document("a", "", "Maize and beans"), Document("b", "", "Buses to Mombasa")], analyzer=Analyzer()
        ... )
        >>> [index.doc_ids[place] for place in index.rank(["beans"], 10)[0].positions]
        ['a']
    """
    bm25 = bm25 or BM25Config()
    digest = hashlib.sha256()
    doc_ids: dict[str, None] = {}
    vocabulary: dict[str, int] = {}
    words: list[list[int]] = []
    for document in documents:
        if document.doc_id in doc_ids:
            raise DataError(f"Two documents have the id {document.doc_id!r}: ids must be distinct.")
        doc_ids[document.doc_id] = None
        digest.update(document_line(document))
        words.append([vocabulary.setdefault(word, len(vocabulary)) for word in analyzer.words(document.content)])
    if not vocabulary:
        raise DataError("There is no word in any document to index.")
    scorer = bm25s.BM25(k1=bm25.k1, b=bm25.b, method="lucene")
    scorer.index((words, vocabulary), create_empty_token=False, show_progress=False)
    columns = np.concatenate([np.asarray(ids, dtype=np.int32) for ids in words])
    rows = np.repeat(np.arange(len(words)), [len(ids) for ids in words])
    counts = csr_array((np.ones(len(columns), dtype=np.float32), (rows, columns)), shape=(len(words), len(vocabulary)))
    manifest = LexicalManifest(analyzer=analyzer, bm25=bm25, documents=len(doc_ids), corpus_digest=digest.hexdigest())
    return LexicalIndex(manifest, tuple(doc_ids), vocabulary, counts, scorer)


def save_lexical_index(index: LexicalIndex, directory: str | Path) -> None:
    """Write an index whole or not at all, as JSON and number arrays. An older lexical index there is replaced.

    Raises:
        DataError: If the directory is something else, or cannot be written.
    """
    directory = Path(directory).resolve()
    if (
        directory.exists()
        and not (directory / MANIFEST).is_file()
        and (directory.is_file() or any(directory.iterdir()))
    ):
        raise DataError(f"{directory} exists and is not a lexical index: choose another directory.")
    try:
        with staged_directory(directory) as stage:
            index.bm25.save(stage / BM25, show_progress=False)
            save_npz(stage / COUNTS, index.counts, compressed=False)
            (stage / DOC_IDS).write_text(json.dumps(list(index.doc_ids), ensure_ascii=False), encoding="utf-8")
            files = {
                path.relative_to(stage).as_posix(): FileRecord.of(path)
                for path in sorted(stage.rglob("*"))
                if path.is_file()
            }
            manifest = index.manifest.model_copy(update={"files": files})
            (stage / MANIFEST).write_text(manifest.model_dump_json(indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise DataError(f"The lexical index {directory} cannot be written: {error}.") from error


def load_lexical_index(directory: str | Path) -> LexicalIndex:
    """Open an index; its arrays are compared with their digests.

    While another process replaces it, the old one is opened or the new one, each of them whole.

    Raises:
        DataError: If there is none, another version of kivuko wrote it, or it is damaged.
    """
    return read_whole(Path(directory), _open_files)


def _open_files(directory: Path) -> LexicalIndex:
    try:
        manifest = LexicalManifest.model_validate_json((directory / MANIFEST).read_bytes())
    except OSError:
        raise DataError(f"{directory} is not a lexical index: there is no {MANIFEST}.") from None
    except ValidationError as error:
        first = error.errors()[0]
        raise DataError(
            f"{directory / MANIFEST}, {'.'.join(map(str, first['loc']))}: {first['msg']}. Build the index anew."
        ) from None
    try:
        altered = [name for name, written in manifest.files.items() if FileRecord.of(directory / name) != written]
        counts = csr_array(load_npz(directory / COUNTS))
        scorer = bm25s.BM25.load(directory / BM25, load_corpus=False, show_progress=False)
        doc_ids = json.loads((directory / DOC_IDS).read_bytes())
    except (OSError, ValueError, KeyError, TypeError, EOFError) as error:
        raise DataError(f"The lexical index {directory} is damaged: {error}. Build it anew.") from None
    if altered or counts.shape != (manifest.documents, len(scorer.vocab_dict)) or len(doc_ids) != manifest.documents:
        what = f"{altered[0]} is not what was written" if altered else "its files do not fit together"
        raise DataError(f"The lexical index {directory} is damaged: {what}. Build it anew.")
    return LexicalIndex(manifest, tuple(doc_ids), scorer.vocab_dict, counts, scorer)
