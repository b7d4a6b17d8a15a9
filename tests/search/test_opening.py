import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from sentence_transformers import MultiVectorEncoder

from kivuko.data.collections import Document
from kivuko.errors import ConfigError, DataError, ModelError
from kivuko.search import Index, Searcher, build_index
from kivuko.search.flat import create_store
from kivuko.search.lineage import identities, read_lineage
from kivuko.search.opening import StoreKind, held_by, open_index, open_or_create_store, open_searcher, open_store
from kivuko.search.store import Passage, ingest, renew

Build = Callable[[str], Path]


@pytest.fixture(scope="module")
def build(
    tmp_path_factory: pytest.TempPathFactory,
    tiny_encoder: MultiVectorEncoder,
    tiny_encoder_dir: Path,
    documents: list[Document],
) -> Build:
    """Fill an index or a store of a kind with the ten documents, once."""
    folder = tmp_path_factory.mktemp("opening")

    def made(kind: str) -> Path:
        place, encoder = folder / kind, read_lineage(tiny_encoder_dir)
        if place.exists():
            return place
        if kind == "exact":
            build_index(tiny_encoder, documents, place, **identities(encoder), dtype="float32")
            return place
        store = open_or_create_store(StoreKind(kind), place, dim=32, encoder=encoder)
        passages = [Passage(*document, "sw" if n % 2 else "en") for n, document in enumerate(documents)]
        ingest(store, tiny_encoder, passages)
        store.close()
        return place

    return made


@pytest.mark.parametrize("kind", ["exact", "flat", "qdrant"])
def test_whatever_lies_there_is_opened_and_answers(
    build: Build, kind: str, tiny_encoder_dir: Path, documents: list[Document]
) -> None:
    place = build(kind)
    assert held_by(place) is StoreKind(kind)
    searcher = open_searcher(place, tiny_encoder_dir)
    found = searcher.search([document.content for document in documents], top_k=2)
    assert [hits[0][:1] + hits[0][2:4] for hits in found] == [tuple(document) for document in documents]
    if not isinstance(searcher.index, Index):
        searcher.index.close()  # type: ignore[attr-defined]


@pytest.mark.parametrize("kind", ["flat", "qdrant"])
def test_stores_filter_by_language_and_hits_state_it(build: Build, kind: str, tiny_encoder: MultiVectorEncoder) -> None:
    store = open_store(build(kind))
    [hits] = Searcher(store, tiny_encoder).search(["maize"], top_k=10, where={"language": "sw"})
    store.close()
    assert sorted(hit.doc_id for hit in hits) == ["d1", "d3", "d5", "d7", "d9"]
    assert {hit.language for hit in hits} == {"sw"}


def test_an_exact_index_does_not_filter_or_change(build: Build, tiny_encoder: MultiVectorEncoder) -> None:
    with pytest.raises(ConfigError, match="keeps nothing to filter by"):
        Searcher(open_index(build("exact")), tiny_encoder).search(["maize"], where={"language": "sw"})
    with pytest.raises(ConfigError, match="written once"):
        open_store(build("exact"))


def test_only_an_exact_index_has_positions(build: Build, tiny_encoder: MultiVectorEncoder) -> None:
    with pytest.raises(TypeError, match="Only an exact index has positions"):
        Searcher(open_index(build("flat")), tiny_encoder).rank(["maize"], 3)


def test_nothing_and_other_kinds_are_refused(build: Build, tmp_path: Path, tiny_encoder_dir: Path) -> None:
    with pytest.raises(DataError, match="not a kivuko index"):
        open_index(tmp_path / "missing")
    encoder = read_lineage(tiny_encoder_dir)
    with pytest.raises(DataError, match="holds an index of the kind exact"):
        open_or_create_store(StoreKind.flat, build("exact"), dim=32, encoder=encoder)
    with pytest.raises(DataError, match="holds an index of the kind flat"):
        open_or_create_store(StoreKind.qdrant, build("flat"), dim=32, encoder=encoder)


def test_a_stranger_is_refused_unless_any_model_may_ask(build: Build, tiny_encoder_dir: Path, tmp_path: Path) -> None:
    stranger = tmp_path / "stranger"
    shutil.copytree(tiny_encoder_dir, stranger)
    (stranger / "note.txt").write_text("another model of the same dimension")
    with pytest.raises(ModelError, match="is another model, and no student of it"):
        open_searcher(build("flat"), stranger)
    assert open_searcher(build("flat"), stranger, any_model=True).search(["maize"], top_k=1)
    (stranger / "kivuko.json").write_text(json.dumps({"config": {"dimensions": 32, "target": ["sw"]}}))
    shutil.copytree(tiny_encoder_dir, stranger / "teacher")
    assert open_searcher(build("flat"), stranger).search(["maize"], top_k=1)


def test_an_unidentified_origin_is_a_warning(
    tmp_path: Path, tiny_encoder: MultiVectorEncoder, tiny_encoder_dir: Path, documents: list[Document]
) -> None:
    ingest(create_store(tmp_path / "store", dim=32, model_name="tiny"), tiny_encoder, documents)
    said: list[str] = []
    open_searcher(tmp_path / "store", tiny_encoder_dir, warn=said.append)
    assert len(said) == 1
    assert "nothing identifies tiny" in said[0]


def test_renewal_encodes_only_what_is_new_or_differs(
    tmp_path: Path, tiny_encoder: MultiVectorEncoder, documents: list[Document]
) -> None:
    store = create_store(tmp_path / "store", dim=32, model_name="tiny")
    ingest(store, tiny_encoder, documents[:6], language="sw")
    edited = [documents[0]._replace(text="Rain."), Passage(*documents[1], "en"), *documents[2:4], documents[8]]
    counted: list[int] = []
    changes = renew(store, tiny_encoder, edited, language="sw", progress=counted.append)
    assert (changes, counted) == ((1, 2, 2), [5])
    assert (store.get("d0").text, store.get("d1").language, "d5" in store) == ("Rain.", "en", True)
