"""Collections that are made by several writers at once, or by one that is interrupted between any two steps."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from qdrant_client import QdrantClient, models

from kivuko.errors import DataError, ModelError
from kivuko.search.qdrant.collection import KEPT, index_terms
from kivuko.search.qdrant.points import TERMS
from kivuko.search.qdrant.server import ServerStore, create_collection, open_or_create_collection
from kivuko.search.qdrant.store import QdrantManifest
from kivuko.search.store import Entry

pytestmark = pytest.mark.filterwarnings("ignore:Payload indexes have no effect in the local Qdrant:UserWarning")


@pytest.fixture
def client() -> Iterator[QdrantClient]:
    made = QdrantClient(":memory:")
    yield made
    made.close()


@pytest.fixture
def calls(client: QdrantClient, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the calls that change the collection itself, in their order."""
    called: list[str] = []

    def counted(name: str, method: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            called.append(name)
            return method(*arguments, **options)

        return call

    for name in ("create_collection", "create_payload_index", "update_collection"):
        monkeypatch.setattr(client, name, counted(name, getattr(client, name)))
    return called


def opened(client: QdrantClient, manifest: QdrantManifest) -> ServerStore:
    return open_or_create_collection(client, "passages", manifest, location="memory")


def forget_manifest(client: QdrantClient) -> None:
    """Leave the collection as a writer would that was interrupted before the metadata was there."""
    client._client.collections["passages"].config.metadata = None  # type: ignore[attr-defined]


def fail(*arguments: object, **options: object) -> None:
    raise OSError("The connection was lost.")


def test_the_manifest_is_there_from_the_first_moment(client: QdrantClient, manifest: QdrantManifest) -> None:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(client, "create_payload_index", fail)
        with pytest.raises(DataError, match="The connection was lost"):
            opened(client, manifest)
    assert ServerStore(client, "passages", location="memory").manifest == manifest


def test_a_writer_that_was_interrupted_before_the_index_is_followed_by_one_that_makes_it(
    client: QdrantClient, manifest: QdrantManifest, calls: list[str], entry: Callable[..., Entry]
) -> None:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(client, "create_payload_index", fail)
        with pytest.raises(DataError, match="The connection was lost"):
            opened(client, manifest)
    assert calls == ["create_collection"]
    opened(client, manifest).add([entry("a")])
    assert calls == ["create_collection", "create_payload_index"]


def test_an_index_that_is_there_is_not_made_again(
    client: QdrantClient, manifest: QdrantManifest, calls: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    opened(client, manifest)
    there = client.get_collection("passages")
    schema = {TERMS: models.PayloadIndexInfo(data_type=models.PayloadSchemaType.KEYWORD, points=0)}
    monkeypatch.setattr(client, "get_collection", lambda name: there.model_copy(update={"payload_schema": schema}))
    calls.clear()
    index_terms(client, "passages")
    opened(client, manifest)
    assert calls == []


def test_an_answer_that_was_lost_is_no_failure(client: QdrantClient, manifest: QdrantManifest) -> None:
    create = client.create_collection

    def lose(*arguments: Any, **options: Any) -> None:
        create(*arguments, **options)
        fail()

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(client, "create_collection", lose)
        assert opened(client, manifest).manifest == manifest


def between(client: QdrantClient, patched: pytest.MonkeyPatch, action: Callable[[], object]) -> None:
    """Let another writer act after this one has seen that no collection is there."""
    exists = client.collection_exists

    def look(name: str) -> bool:
        found = exists(name)
        patched.undo()
        action()
        return found

    patched.setattr(client, "collection_exists", look)


def test_two_writers_that_make_the_same_collection_both_write_to_it(
    client: QdrantClient, manifest: QdrantManifest, entry: Callable[..., Entry]
) -> None:
    with pytest.MonkeyPatch.context() as patched:
        between(client, patched, lambda: opened(client, manifest).add([entry("a")]))
        store = opened(client, manifest)
    store.add([entry("b")])
    assert (len(store), "a" in store) == (2, True)


def test_of_two_writers_with_two_models_one_finds_that_it_is_not_its_own(
    client: QdrantClient, manifest: QdrantManifest
) -> None:
    other = manifest.model_copy(update={"model_digest": "xyz", "model_name": "other"})
    with pytest.MonkeyPatch.context() as patched:
        between(client, patched, lambda: opened(client, other))
        store = opened(client, manifest)
    with pytest.raises(ModelError, match="holds embeddings by other"):
        store.manifest.refuse_other_model("memory", manifest.model_name, manifest.model_digest, manifest.dim)
    with pytest.MonkeyPatch.context() as patched:
        between(client, patched, lambda: None)
        with pytest.raises(DataError, match="exists already"):
            create_collection(client, "passages", manifest, location="memory")


def test_an_empty_collection_without_metadata_is_finished_metadata_last(
    client: QdrantClient, manifest: QdrantManifest, calls: list[str], entry: Callable[..., Entry]
) -> None:
    opened(client, manifest)
    forget_manifest(client)
    calls.clear()
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(client, "create_payload_index", fail)
        with pytest.raises(DataError, match="The connection was lost"):
            opened(client, manifest)
    with pytest.raises(DataError, match="not a collection of kivuko's"):
        ServerStore(client, "passages", location="memory")
    store = opened(client, manifest)
    assert calls == ["create_payload_index", "update_collection"]
    assert store.manifest == manifest
    store.add([entry("a")])


def test_points_without_metadata_are_nobodys(
    client: QdrantClient, manifest: QdrantManifest, calls: list[str], entry: Callable[..., Entry]
) -> None:
    opened(client, manifest).add([entry("a")])
    forget_manifest(client)
    calls.clear()
    with pytest.raises(DataError, match="holds points, 1 of them, and does not say whose they are"):
        opened(client, manifest)
    assert calls == []


@pytest.mark.parametrize(
    "vectors", [{}, models.VectorParams(size=8, distance=models.Distance.DOT), {"tokens": 16, "pooled": 16}]
)
def test_an_empty_collection_of_another_program_is_left_alone(
    client: QdrantClient, manifest: QdrantManifest, calls: list[str], vectors: Any
) -> None:
    if isinstance(vectors, dict):
        vectors = {name: models.VectorParams(size=size, distance=models.Distance.DOT) for name, size in vectors.items()}
    client.create_collection("passages", vectors_config=vectors)
    calls.clear()
    with pytest.raises(DataError, match="not a collection of kivuko's"):
        opened(client, manifest)
    assert calls == []


def test_a_server_that_keeps_no_metadata_is_refused(
    client: QdrantClient, manifest: QdrantManifest, monkeypatch: pytest.MonkeyPatch
) -> None:
    create = client.create_collection
    monkeypatch.setattr(
        client, "create_collection", lambda *given, **options: create(*given, **(options | {"metadata": None}))
    )
    monkeypatch.setattr(client, "update_collection", lambda *given, **options: True)
    with pytest.raises(DataError, match="keeps no metadata of collections"):
        opened(client, manifest)


def test_what_another_program_keeps_in_the_metadata_stays(client: QdrantClient, manifest: QdrantManifest) -> None:
    opened(client, manifest)
    client._client.collections["passages"].config.metadata = {"theirs": 1}  # type: ignore[attr-defined]
    opened(client, manifest)
    assert set(client.get_collection("passages").config.metadata or {}) == {"theirs", KEPT}
