from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from qdrant_client import QdrantClient
from sentence_transformers import MultiVectorEncoder

from kivuko.data.collections import Document
from kivuko.errors import ConfigError
from kivuko.search import Searcher, build_index, store
from kivuko.search.flat import FlatStore, create_store
from kivuko.search.qdrant.server import ServerStore, create_collection
from kivuko.search.qdrant.store import QdrantManifest
from kivuko.search.store import Changes, ingest, renew


def test_an_interrupted_ingestion_is_resumed_where_it_stopped(
    tiny_encoder: MultiVectorEncoder, documents: list[Document], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "COMMIT_BATCHES", 2)

    def until_the_power_fails(count: int) -> None:
        seen.append(count)
        if len(seen) == 2:
            raise KeyboardInterrupt

    seen: list[int] = []
    flat = create_store(tmp_path / "flat", dim=32, model_name="tiny")
    with pytest.raises(KeyboardInterrupt):
        ingest(flat, tiny_encoder, documents, batch_size=2, progress=until_the_power_fails)
    assert FlatStore(flat.directory).doc_ids == tuple(document.doc_id for document in documents[:8])
    counted: list[int] = []
    assert ingest(flat, tiny_encoder, documents, language="sw", batch_size=2, progress=counted.append) == 2
    assert counted == [4, 4, 2]
    assert flat.doc_ids == tuple(document.doc_id for document in documents)
    assert (flat.get("d8").language, flat.get("d9")[:3]) == ("sw", tuple(documents[9]))


def test_a_store_finds_what_exact_search_finds(
    tiny_encoder: MultiVectorEncoder, documents: list[Document], tmp_path: Path
) -> None:
    flat = create_store(tmp_path / "flat", dim=32, model_name="tiny")
    ingest(flat, tiny_encoder, documents)
    exact = Searcher(build_index(tiny_encoder, documents, tmp_path / "index", model_name="tiny"), tiny_encoder)
    queries = ["rains and maize", "measles", "saa tisa", "longest river"]
    embeddings = list(tiny_encoder.encode_query(queries, convert_to_numpy=True, show_progress_bar=False))
    for matches, hits in zip(flat.search(embeddings, top_k=1), exact.search(queries, top_k=1), strict=True):
        assert matches[0].passage.doc_id == hits[0].doc_id
        assert matches[0].score == pytest.approx(hits[0].score, rel=0.01)


class Busy:
    """An encoder during whose work something else happens, once."""

    def __init__(self, encoder: MultiVectorEncoder, happens: Callable[[], object]) -> None:
        self.encoder, self.happens = encoder, [happens]

    def encode_document(self, *arguments: Any, **options: Any) -> Any:
        if self.happens:
            self.happens.pop()()
        return self.encoder.encode_document(*arguments, **options)


@pytest.mark.filterwarnings("ignore:Payload indexes have no effect in the local Qdrant:UserWarning")
@pytest.mark.parametrize("fill", [ingest, renew])
def test_what_another_writer_added_while_a_portion_was_encoded_is_passed_over(
    tiny_encoder: MultiVectorEncoder, documents: list[Document], fill: Callable[..., Any]
) -> None:
    manifest = QdrantManifest(model_name="tiny", model_digest=None, teacher_digests=(), language=None, dim=32)
    client = QdrantClient(":memory:")
    mine = create_collection(client, "passages", manifest, location="memory")
    other = ServerStore(client, "passages", location="memory")
    busy = Busy(tiny_encoder, lambda: ingest(other, tiny_encoder, [documents[0]._replace(text="of the other one")]))
    assert fill(mine, busy, documents) in (9, Changes(9))
    assert (len(mine), mine.get("d0").text) == (10, "of the other one")
    client.close()


@pytest.mark.parametrize("fill", [ingest, renew])
def test_a_second_writer_is_refused_before_it_encodes_anything(
    tiny_encoder: MultiVectorEncoder, documents: list[Document], tmp_path: Path, fill: Callable[..., Any]
) -> None:
    first = create_store(tmp_path / "flat", dim=32, model_name="tiny")
    second, encoded = FlatStore(first.directory), []

    def begin_too() -> None:
        with pytest.raises(ConfigError, match="Another process is writing"):
            fill(second, Busy(tiny_encoder, lambda: encoded.append("something")), documents)

    assert fill(first, Busy(tiny_encoder, begin_too), documents) in (10, Changes(10))
    assert encoded == []
    assert fill(second, tiny_encoder, documents) in (0, Changes(0, 0, 10)), "which has moved on to what is there"
