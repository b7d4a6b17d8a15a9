"""The words beside an index: whose they are, and in which directions they are translated."""

from pathlib import Path

import numpy as np
import pytest
from sentence_transformers import MultiVectorEncoder

from kivuko.data.collections import Document
from kivuko.data.pairs import SentencePair
from kivuko.errors import ConfigError, DataError
from kivuko.models.words import Analyzer
from kivuko.search import Index, build_index
from kivuko.search.flat import FlatStore, create_store
from kivuko.search.lineage import Lineage
from kivuko.search.opening import StoreKind, open_or_create_store
from kivuko.search.store import Entry, Passage, ingest, renew
from kivuko.search.words import build_words, learn_translations, open_words, renew_words, words_folder

PAIRS = [
    SentencePair("black cat", "paka mweusi"),
    SentencePair("cat", "paka"),
    SentencePair("black", "mweusi"),
    SentencePair("river", "mto"),
]


@pytest.fixture
def store(tmp_path: Path, tiny_encoder: MultiVectorEncoder, documents: list[Document]) -> FlatStore:
    made = create_store(tmp_path / "store", dim=32, model_name="tiny", language="en")
    ingest(made, tiny_encoder, documents)
    return made


@pytest.fixture(scope="module")
def index(
    tmp_path_factory: pytest.TempPathFactory, tiny_encoder: MultiVectorEncoder, documents: list[Document]
) -> Index:
    return build_index(tiny_encoder, documents, tmp_path_factory.mktemp("words") / "index", model_name="tiny")


def test_words_of_an_index_are_those_of_its_documents(index: Index, documents: list[Document]) -> None:
    build_words(index, index.directory)
    words = open_words(index, index.directory)
    assert words.lexical.doc_ids == tuple(document.doc_id for document in documents)
    [ranking] = words.lexical.rank(["maize and beans"], 10)
    assert words.lexical.doc_ids[ranking.positions[0]] == "d0"
    assert words.lexical.manifest.analyzer == Analyzer()  # of a language that nobody stated


def test_the_stemmer_is_that_of_the_documents_language(store: FlatStore) -> None:
    words = build_words(store, store.directory)
    assert words.lexical.manifest.analyzer == Analyzer(stemmer="english")
    [ranking] = words.lexical.rank(["plants"], 10)  # the document has "plant"
    assert len(ranking.positions) == 1


def test_words_are_refused_when_none_were_counted(index: Index, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"are not counted.* --lexical bm25` counts them"):
        open_words(index, tmp_path)


def test_words_of_other_passages_are_refused(
    store: FlatStore, tiny_encoder: MultiVectorEncoder, documents: list[Document]
) -> None:
    build_words(store, store.directory)
    renew(store, tiny_encoder, [documents[0]._replace(text="Rain.")])
    with pytest.raises(DataError, match="not those of the passages"):
        open_words(store, store.directory)
    build_words(store, store.directory)
    assert open_words(store, store.directory).lexical.rank(["rain"], 10)[0].positions.size


def test_words_of_another_index_are_refused(index: Index, store: FlatStore) -> None:
    build_words(store, store.directory)
    with pytest.raises(DataError, match="or is another one"):
        open_words(index, store.directory)


def test_words_that_a_killed_process_moved_aside_are_found(
    store: FlatStore, tiny_encoder: MultiVectorEncoder, documents: list[Document]
) -> None:
    build_words(store, store.directory)
    (store.directory / "words").rename(store.directory / ".words.old")
    assert len(open_words(store, store.directory).lexical) == len(documents)
    renew(store, tiny_encoder, [documents[0]._replace(text="Rain.")])
    assert renew_words(store, store.directory) is not None
    assert not (store.directory / ".words.old").exists()
    (store.directory / "words").rename(store.directory / ".words.old")
    store.delete(list(store.doc_ids))
    assert renew_words(store, store.directory) is None
    assert not (store.directory / ".words.old").exists()


def test_words_are_counted_anew_as_they_were_and_only_if_something_changed(
    store: FlatStore, tiny_encoder: MultiVectorEncoder
) -> None:
    assert renew_words(store, store.directory) is None  # nobody asked for them
    build_words(store, store.directory, analyzer=Analyzer(fold_diacritics=False))
    before = (store.directory / "words" / "lexical.json").stat().st_mtime_ns
    assert renew_words(store, store.directory, changed=False) is not None
    assert (store.directory / "words" / "lexical.json").stat().st_mtime_ns == before
    store.delete(["d1", "d3"])
    renewed = renew_words(store, store.directory, changed=False)
    assert renewed is not None
    assert len(renewed.lexical) == 8
    assert renewed.lexical.manifest.analyzer == Analyzer(fold_diacritics=False)
    store.delete(list(store.doc_ids))
    assert renew_words(store, store.directory) is None
    assert not (store.directory / "words").exists()


def test_a_store_of_qdrant_is_read_in_portions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kivuko.search.qdrant.edge.SCROLLED", 3)
    store = open_or_create_store(StoreKind.qdrant, tmp_path / "edge", dim=4, encoder=Lineage("tiny", "digest"))
    store.add(Entry(Passage(f"d{n}", "", f"word{n}"), np.ones((2, 4))) for n in range(10))
    words = build_words(store, tmp_path / "edge")
    assert sorted(words.lexical.doc_ids) == [f"d{n}" for n in range(10)]
    assert open_words(store, tmp_path / "edge").lexical.manifest.contents == "10 passages"
    store.close()


def test_a_server_needs_a_directory_for_its_words(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="--lexical-index DIRECTORY"):
        words_folder("http://localhost:6333/passages")
    assert words_folder("http://localhost:6333/passages", tmp_path) == tmp_path
    assert words_folder("runs/index") == Path("runs/index")


@pytest.mark.parametrize(
    ("language", "direction", "word", "means"),
    [("en", ("sw", "en"), "paka", "cat"), (None, ("sw", "en"), "paka", "cat"), ("sw", ("en", "sw"), "cat", "paka")],
)
def test_translations_lead_into_the_documents_language(
    store: FlatStore, language: str | None, direction: tuple[str, str], word: str, means: str
) -> None:
    words = build_words(store, store.directory, analyzer=Analyzer())
    made = learn_translations(PAIRS, store.directory, target="sw", language=language, analyzer=Analyzer())
    assert made == direction
    searcher = words.psq(direction[0], language)
    assert searcher.lexicon.translations(word)[0][0] == means


def test_translations_of_a_third_language_are_refused(store: FlatStore) -> None:
    with pytest.raises(ConfigError, match="The documents are in fi, and the bitext is of English and sw"):
        learn_translations(PAIRS, store.directory, target="sw", language="fi", analyzer=Analyzer())


def test_it_is_said_why_no_translations_fit(store: FlatStore) -> None:
    words = build_words(store, store.directory, analyzer=Analyzer())
    with pytest.raises(ConfigError, match=r"need translations of words of sw, and .* has none: make them"):
        words.psq("sw")
    learn_translations(PAIRS, store.directory, target="sw", language="en", analyzer=Analyzer())
    words = open_words(store, store.directory)
    assert words.psq(None).lexicon.query_words == words.psq("sw").lexicon.query_words  # the only ones there are
    with pytest.raises(ConfigError, match=r"of ha, and .* has sw to en"):
        words.psq("ha")
    with pytest.raises(ConfigError, match="lead from sw to en, and the documents are in sw"):
        words.psq("sw", "sw")
    learn_translations(PAIRS, store.directory, target="ha", language="en", analyzer=Analyzer())
    with pytest.raises(ConfigError, match="those from ha and sw: say which by --language"):
        open_words(store, store.directory).psq(None)
