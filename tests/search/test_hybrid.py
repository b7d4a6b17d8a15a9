"""Rankings by name, and what is fused."""

from pathlib import Path

import numpy as np
import pytest
from qdrant_client import QdrantClient
from qdrant_client.models import Record
from sentence_transformers import MultiVectorEncoder

from kivuko.data.collections import Document
from kivuko.data.pairs import SentencePair
from kivuko.errors import ConfigError, QueryError
from kivuko.search import Searcher, build_index
from kivuko.search.flat import FlatStore, create_store
from kivuko.search.hybrid import HybridSearcher, RankBy, RankerName, parse_rank_by
from kivuko.search.qdrant.server import create_collection
from kivuko.search.qdrant.store import QdrantManifest
from kivuko.search.store import Entry, Passage, ingest
from kivuko.search.words import Words, build_words, learn_translations

MAXSIM, BM25, PSQ, RRF, WEIGHTED = RankerName
QUERIES = ["maize beans farmers", "the hare and the lion"]


@pytest.fixture(scope="module")
def store(
    tmp_path_factory: pytest.TempPathFactory, tiny_encoder: MultiVectorEncoder, documents: list[Document]
) -> FlatStore:
    made = create_store(tmp_path_factory.mktemp("hybrid") / "store", dim=32, model_name="tiny")
    ingest(made, tiny_encoder, [Passage(*each, "sw" if n % 2 else "en", {"n": n}) for n, each in enumerate(documents)])
    return made


@pytest.fixture(scope="module")
def words(store: FlatStore) -> Words:
    return build_words(store, store.directory)


@pytest.fixture(scope="module")
def hybrid(store: FlatStore, words: Words, tiny_encoder: MultiVectorEncoder) -> HybridSearcher:
    return HybridSearcher(store, searcher=Searcher(store, tiny_encoder), words=words)


def ids(found: list[list]) -> list[list[str]]:
    return [[hit.doc_id for hit in hits] for hits in found]


def test_meaning_is_the_default_and_the_same_as_a_searcher(
    hybrid: HybridSearcher, store: FlatStore, tiny_encoder: MultiVectorEncoder
) -> None:
    assert hybrid.search(QUERIES, 3) == Searcher(store, tiny_encoder).search(QUERIES, 3)


def test_words_find_what_shares_a_word_without_a_model(store: FlatStore, words: Words) -> None:
    lexical = HybridSearcher(store, words=words)
    found = lexical.search([*QUERIES, "xyzzy"], 10, by=RankBy(BM25))
    assert (found[0][0].doc_id, found[0][0].language, found[1][0].doc_id, found[2]) == ("d0", "en", "d6", [])
    with pytest.raises(ConfigError, match="MaxSim needs the encoder"):
        lexical.search(QUERIES)


def test_reciprocal_ranks_are_summed(hybrid: HybridSearcher) -> None:
    meaning, lexical = (ids(hybrid.search(QUERIES, 10, by=RankBy(name))) for name in (MAXSIM, BM25))
    fused = hybrid.search(QUERIES, 10, by=RankBy(RRF, {MAXSIM: 1.0, BM25: 2.0}))
    for number, hits in enumerate(fused):
        expected = {
            doc_id: sum(
                weight / (60 + 1 + ranking[number].index(doc_id))
                for ranking, weight in ((meaning, 1.0), (lexical, 2.0))
                if doc_id in ranking[number]
            )
            for doc_id in meaning[number]
        }
        assert {hit.doc_id: hit.score for hit in hits} == pytest.approx(expected)
        assert [hit.score for hit in hits] == sorted(expected.values(), reverse=True)


def test_scores_are_weighted_after_they_were_scaled(hybrid: HybridSearcher) -> None:
    [meaning] = hybrid.search(QUERIES[1:], 10)
    [lexical] = hybrid.search(QUERIES[1:], 10, by=RankBy(BM25))
    [fused] = hybrid.search(QUERIES[1:], 10, by=RankBy(WEIGHTED, {MAXSIM: 1.0, BM25: 0.5}))
    low, high = meaning[-1].score, meaning[0].score
    words = {hit.doc_id: hit.score for hit in lexical}
    span = max(words.values()) - min(words.values())
    expected = {
        hit.doc_id: (hit.score - low) / (high - low)
        + 0.5 * ((words[hit.doc_id] - min(words.values())) / span if hit.doc_id in words else 0.0)
        for hit in meaning
    }
    assert {hit.doc_id: hit.score for hit in fused} == pytest.approx(expected, abs=1e-5)


def test_fusions_keep_as_many_as_are_asked_for(hybrid: HybridSearcher) -> None:
    ten = hybrid.search(QUERIES, 10, by=RankBy(RRF))
    assert hybrid.search(QUERIES, 3, by=RankBy(RRF)) == [hits[:3] for hits in ten]


def test_what_is_usually_fused_depends_on_the_translations(
    tmp_path: Path, store: FlatStore, words: Words, tiny_encoder: MultiVectorEncoder, sentences: list[str]
) -> None:
    searcher = Searcher(store, tiny_encoder)
    plain = HybridSearcher(store, searcher=searcher, words=words, language="sw")
    assert plain.rankers == (MAXSIM, BM25, RRF, WEIGHTED)
    assert plain.search(QUERIES, by=RankBy(RRF)) == plain.search(QUERIES, by=RankBy(RRF, {MAXSIM: 1, BM25: 1}))
    pairs = [SentencePair(*pair) for pair in zip(sentences[::2], sentences[1::2], strict=True)]
    analyzer = words.lexical.manifest.analyzer
    learn_translations(pairs, tmp_path, target="sw", language=None, analyzer=analyzer)
    swahili = HybridSearcher(store, searcher=searcher, words=Words(tmp_path, words.lexical), language="sw")
    assert swahili.rankers == (MAXSIM, BM25, PSQ, RRF, WEIGHTED)
    asked = ["mahindi na maharage"]
    assert swahili.search(asked, by=RankBy(RRF)) == swahili.search(asked, by=RankBy(RRF, {MAXSIM: 1, PSQ: 1}))
    assert ids(swahili.search(asked, 2, by=RankBy(PSQ)))[0] != ids(swahili.search(asked, 2, by=RankBy(BM25)))[0]
    assert "d0" in ids(swahili.search(asked, 2, by=RankBy(PSQ)))[0]  # the English one, by maize and beans
    assert HybridSearcher(store, words=words).rankers == (BM25,)


@pytest.mark.parametrize("name", [BM25, RRF, WEIGHTED])
def test_every_ranking_keeps_to_the_filter(hybrid: HybridSearcher, name: RankerName) -> None:
    found = hybrid.search(["the lion na simba"], 10, by=RankBy(name), where={"language": "sw"})
    assert set(ids(found)[0]) <= {"d1", "d3", "d5", "d7", "d9"}
    assert "d7" in ids(found)[0]
    [one] = hybrid.search(["the lion na simba"], 10, by=RankBy(BM25), where={"language": "sw", "n": 7})
    assert [hit.doc_id for hit in one] == ["d7"]


def test_an_exact_index_ranks_by_words_and_does_not_filter(
    tmp_path: Path, tiny_encoder: MultiVectorEncoder, documents: list[Document]
) -> None:
    index = build_index(tiny_encoder, documents, tmp_path / "index", model_name="tiny", language="en")
    lexical = HybridSearcher(index, words=build_words(index, tmp_path / "index"))
    [hits] = lexical.search(["buses to Mombasa"], 1, by=RankBy(BM25))
    assert (hits[0].doc_id, hits[0].text, hits[0].language) == ("d4", documents[4].text, "en")
    with pytest.raises(ConfigError, match="keeps nothing to filter by"):
        lexical.search(["buses"], by=RankBy(BM25), where={"language": "en"})


def test_what_cannot_be_ranked_by_words_is_refused(hybrid: HybridSearcher, store: FlatStore) -> None:
    for query in ("  ", "\ud800"):
        with pytest.raises(QueryError, match=r"empty|not valid UTF-8"):
            hybrid.search([query], by=RankBy(BM25))
    with pytest.raises(ConfigError, match=r"words of .* are not counted, by which bm25 ranks"):
        HybridSearcher(store).search(["maize"], by=RankBy(BM25))
    with pytest.raises(ConfigError, match="Structured queries in which language"):
        hybrid.search(["maize"], by=RankBy(PSQ))


@pytest.mark.parametrize(
    ("name", "parts", "message"),
    [
        (BM25, ["maxsim"], "--fuse is for --ranker rrf and weighted, not for bm25"),
        (RRF, ["maxsim", "rrf"], "--fuse takes maxsim, bm25, psq"),
        (RRF, ["maxsim", "psq:nan"], "optional weight above 0"),
        (RRF, ["maxsim", "psq:0"], "optional weight above 0"),
        (RRF, ["maxsim", "psq:"], "optional weight above 0"),
        (RRF, ["psq", "psq:2"], "--fuse psq is given twice"),
        (WEIGHTED, ["psq"], "fuses two rankings or more"),
    ],
)
def test_wrong_ways_of_ranking_are_refused(name: RankerName, parts: list[str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        parse_rank_by(name, parts)


def test_only_what_is_needed_is_loaded() -> None:
    needs = {
        name: (parse_rank_by(name, parts).needs_model, parse_rank_by(name, parts).needs_words)
        for name, parts in {MAXSIM: [], BM25: [], PSQ: [], RRF: [], WEIGHTED: ["bm25", "psq"]}.items()
    }
    assert needs == {
        MAXSIM: (True, False), BM25: (False, True), PSQ: (False, True), RRF: (True, True), WEIGHTED: (False, True)
    }  # fmt: skip


@pytest.mark.parametrize(
    ("where", "expected", "most_requests"), [(None, [["d0"], ["d6"]], 1), ({"n": 6}, [["d6"], ["d6"]], 10)]
)
@pytest.mark.filterwarnings("ignore:Payload indexes have no effect in the local Qdrant:UserWarning")
def test_passages_of_a_server_are_read_many_at_a_time(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    documents: list[Document],
    where: dict[str, int] | None,
    expected: list[list[str]],
    most_requests: int,
) -> None:
    client = QdrantClient(":memory:")
    manifest = QdrantManifest(model_name="tiny", model_digest="abc", dim=8)
    store = create_collection(client, "passages", manifest, location="memory")
    # Every passage has a word of every query, so that a filter has to look through all of them.
    texts = {each.doc_id: f"{each.text} maize lion" for each in documents}
    others = {f"x{n:03}": "maize lion lion maize hare" for n in range(300)}
    store.add(
        Entry(Passage(doc_id, "", text, None, {"n": n}), np.ones((1, 8), dtype=np.float32))
        for n, (doc_id, text) in enumerate((texts | others).items())
    )
    hybrid = HybridSearcher(store, words=build_words(store, tmp_path))
    asked: list[int] = []
    retrieve = client.retrieve

    def counted(name: str, ids: list[str]) -> list[Record]:
        asked.append(len(ids))
        return retrieve(name, ids)

    monkeypatch.setattr(client, "retrieve", counted)
    found = hybrid.search(QUERIES, 1, by=RankBy(BM25), where=where)
    assert ids(found) == expected
    assert 0 < len(asked) <= most_requests
    assert hybrid.search([], 1, by=RankBy(BM25), where=where) == []
    client.close()


def test_a_filter_by_words_is_checked_as_the_store_checks_it(hybrid: HybridSearcher) -> None:
    with pytest.raises(QueryError, match="title=5 cannot be met"):
        hybrid.search(QUERIES, 1, by=RankBy(BM25), where={"title": 5})
    with pytest.raises(ConfigError, match="top_k must be at least 1"):
        hybrid.search(QUERIES, 0, by=RankBy(BM25), where={"n": 1})
