import math
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from kivuko.data.collections import Document, Query
from kivuko.errors import ConfigError, DataError
from kivuko.models.words import Analyzer
from kivuko.search import lexical
from kivuko.search.lexical import (
    BM25Config,
    LexicalIndex,
    build_lexical_index,
    load_lexical_index,
    save_lexical_index,
)
from kivuko.search.manifest import corpus_digest
from kivuko.search.runs import best_documents, run_queries

QUERIES = ["rains and maize", "the clinic of Dodoma, the clinic", "mwezi wa Machi", "Which river flows to the sea?"]


@pytest.fixture(scope="module")
def index(documents: list[Document]) -> LexicalIndex:
    return build_lexical_index(documents, analyzer=Analyzer(stemmer="english"), bm25=BM25Config(k1=1.3, b=0.6))


def bm25_by_hand(documents: list[list[str]], query: list[str], k1: float, b: float) -> list[float]:
    mean = sum(map(len, documents)) / len(documents)
    scores = []
    for words in documents:
        counts, score = Counter(words), 0.0
        for word in query:
            frequency = sum(word in other for other in documents)
            idf = math.log(1 + (len(documents) - frequency + 0.5) / (frequency + 0.5))
            score += idf * counts[word] / (counts[word] + k1 * (1 - b + b * len(words) / mean))
        scores.append(score)
    return scores


@pytest.mark.parametrize("query", QUERIES)
def test_scores_are_those_of_the_formula(index: LexicalIndex, documents: list[Document], query: str) -> None:
    words = [index.manifest.analyzer.words(document.content) for document in documents]
    expected = bm25_by_hand(words, index.manifest.analyzer.words(query), k1=1.3, b=0.6)
    (ranking,) = index.rank([query], len(documents))
    assert {int(place) for place in ranking.positions} == {place for place, score in enumerate(expected) if score > 0}
    for place, score in zip(ranking.positions, ranking.scores, strict=True):
        assert score == pytest.approx(expected[place], rel=1e-5)


def test_a_query_without_known_word_finds_nothing(index: LexicalIndex) -> None:
    assert [len(ranking.positions) for ranking in index.rank(["xylophone", "?!", "", "maize"], 5)] == [0, 0, 0, 1]


def test_titles_are_searched_and_words_without_content_are_kept_as_documents() -> None:
    documents = [Document("a", "Dodoma", ""), Document("b", "", "..."), Document("c", "", "Mombasa")]
    index = build_lexical_index(documents, analyzer=Analyzer())
    assert len(index) == 3
    assert index.rank(["dodoma"], 5)[0].positions.tolist() == [0]


def test_a_run_names_queries_and_documents(index: LexicalIndex) -> None:
    run = run_queries(index, index.doc_ids, [Query("q1", "xylophone"), Query("q2", "hare and lion")], top_k=2)
    assert {result.query_id for result in run} == {"q2"}
    assert run[0].doc_id == "d6"
    assert run[0].score > run[1].score


def test_equal_scores_are_ordered_by_falling_id_also_at_the_cut() -> None:
    scores = np.array([1, 2, 1, 1, 0], dtype=np.float32)
    ranking = best_documents(scores, ["a", "b", "d", "c", "e"], 3)
    assert ranking.positions.tolist() == [1, 2, 3]


def test_documents_with_nothing_in_common_are_not_found() -> None:
    ranking = best_documents(np.array([0, 0.5, 0], dtype=np.float32), ["a", "b", "c"], 3)
    assert ranking.positions.tolist() == [1]


def test_an_index_comes_back_from_disk_as_it_was(
    tmp_path: Path, index: LexicalIndex, documents: list[Document]
) -> None:
    save_lexical_index(index, tmp_path / "lexical")
    save_lexical_index(index, tmp_path / "lexical")
    again = load_lexical_index(tmp_path / "lexical")
    assert again.manifest.corpus_digest == corpus_digest(documents)
    assert again.manifest.bm25 == index.manifest.bm25
    for one, other in zip(index.rank(QUERIES, 10), again.rank(QUERIES, 10), strict=True):
        np.testing.assert_array_equal(one.positions, other.positions)
        np.testing.assert_array_equal(one.scores, other.scores)
    assert (again.counts != index.counts).nnz == 0


def test_a_damaged_index_is_refused(tmp_path: Path, index: LexicalIndex) -> None:
    save_lexical_index(index, tmp_path / "lexical")
    data = tmp_path / "lexical" / "bm25" / "data.csc.index.npy"
    content = bytearray(data.read_bytes())
    content[-1] ^= 1
    data.write_bytes(content)
    with pytest.raises(DataError, match=r"damaged: bm25/data\.csc\.index\.npy is not what was written"):
        load_lexical_index(tmp_path / "lexical")
    data.unlink()
    with pytest.raises(DataError, match="damaged"):
        load_lexical_index(tmp_path / "lexical")


def test_an_index_is_whole_while_another_takes_its_place(
    tmp_path: Path, index: LexicalIndex, documents: list[Document], monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = tmp_path / "lexical"
    save_lexical_index(index, directory)
    load = lexical.load_npz

    def replaced_before(path: Path) -> object:
        if not replaced:
            replaced.append(True)
            save_lexical_index(build_lexical_index(documents[:2], analyzer=Analyzer()), directory)
        return load(path)

    replaced: list[bool] = []
    monkeypatch.setattr(lexical, "load_npz", replaced_before)
    found = load_lexical_index(directory)
    assert found.doc_ids == ("d0", "d1")
    assert found.manifest.corpus_digest == corpus_digest(documents[:2])


def test_a_folder_of_anything_else_is_neither_read_nor_replaced(tmp_path: Path, index: LexicalIndex) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(DataError, match="is not a lexical index"):
        save_lexical_index(index, tmp_path)
    with pytest.raises(DataError, match=r"there is no lexical\.json"):
        load_lexical_index(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_manifest_of_another_version_is_refused(tmp_path: Path, index: LexicalIndex) -> None:
    save_lexical_index(index, tmp_path / "lexical")
    manifest = tmp_path / "lexical" / "lexical.json"
    manifest.write_text(manifest.read_text().replace('"format_version": 1', '"format_version": 2'))
    with pytest.raises(DataError, match="format_version"):
        load_lexical_index(tmp_path / "lexical")


def test_documents_of_the_same_id_or_without_any_word_are_refused() -> None:
    with pytest.raises(DataError, match="Two documents have the id 'a'"):
        build_lexical_index([Document("a", "", "x"), Document("a", "", "y")], analyzer=Analyzer())
    with pytest.raises(DataError, match="no word in any document"):
        build_lexical_index([Document("a", "", "?")], analyzer=Analyzer())


def test_a_depth_of_zero_is_refused(index: LexicalIndex) -> None:
    with pytest.raises(ConfigError, match="top_k"):
        index.rank(["maize"], 0)
