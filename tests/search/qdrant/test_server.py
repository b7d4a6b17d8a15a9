import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from qdrant_client import QdrantClient, models
from typer.testing import CliRunner

from kivuko.cli import app
from kivuko.errors import ConfigError, DataError, KivukoError
from kivuko.search import opening
from kivuko.search.opening import open_index
from kivuko.search.qdrant import is_address, open_or_create_qdrant, open_qdrant, server, snapshots
from kivuko.search.qdrant.collection import connect, place_of
from kivuko.search.qdrant.server import ServerStore, create_collection
from kivuko.search.qdrant.store import QdrantManifest
from kivuko.search.store import Entry

pytestmark = pytest.mark.filterwarnings("ignore:Payload indexes have no effect in the local Qdrant:UserWarning")


@pytest.fixture
def client() -> Iterator[QdrantClient]:
    made = QdrantClient(":memory:")
    yield made
    made.close()


def test_a_collection_says_of_itself_what_it_was_made_for(
    client: QdrantClient, manifest: QdrantManifest, entry: Callable[..., Entry]
) -> None:
    create_collection(client, "passages", manifest, location="memory", shards=2, replicas=1).add([entry("a")])
    again = ServerStore(client, "passages", location="memory")
    assert again.manifest == manifest
    assert again.get("a") == entry("a").passage


def test_collections_that_are_missing_taken_or_not_ours_are_refused(
    client: QdrantClient, manifest: QdrantManifest
) -> None:
    with pytest.raises(DataError, match="does not exist"):
        ServerStore(client, "passages", location="memory")
    create_collection(client, "passages", manifest, location="memory")
    with pytest.raises(DataError, match="exists already"):
        create_collection(client, "passages", manifest, location="memory")
    client.create_collection("other", vectors_config={})
    with pytest.raises(DataError, match="not a collection of kivuko's"):
        ServerStore(client, "other", location="memory")


def test_what_is_too_much_for_one_request_goes_in_several(
    client: QdrantClient, manifest: QdrantManifest, entry: Callable[..., Entry], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "REQUEST_NUMBERS", 50)  # a passage has 24
    monkeypatch.setattr(server, "REQUEST_IDS", 2)
    store = create_collection(client, "passages", manifest, location="memory")
    store.add(entry(f"d{number}") for number in range(7))
    assert len(store) == 7
    store.delete([f"d{number}" for number in range(5)])
    assert [match.passage.doc_id for match in store.search([np.eye(8, dtype=np.float32)], top_k=9)[0]] != []
    assert len(store) == 2


def test_a_server_that_does_not_answer_is_one_clear_error() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{free.getsockname()[1]}/passages"
        with pytest.raises(DataError, match="does not answer as a Qdrant server does"):
            open_qdrant(address)
        with pytest.raises(DataError, match="does not answer as a Qdrant server does"):
            open_or_create_qdrant(address, dim=8, model_name="tiny", model_digest="abc")


@pytest.mark.parametrize("address", ["http://localhost:6333", "http://localhost:6333/", "http:///passages"])
def test_an_address_must_name_a_collection(address: str) -> None:
    with pytest.raises(ConfigError, match="names no collection"):
        connect(address)


def test_an_address_may_have_a_path_before_the_collection() -> None:
    client, collection = connect("http://localhost:6333/behind/proxy/passages")
    assert collection == "passages"
    client.close()


def test_an_id_that_another_writer_added_meanwhile_is_passed_over(
    client: QdrantClient, manifest: QdrantManifest, entry: Callable[..., Entry], monkeypatch: pytest.MonkeyPatch
) -> None:
    store = create_collection(client, "passages", manifest, location="memory")
    other = ServerStore(client, "passages", location="memory")
    send = client.upsert

    def just_after(*arguments: Any, **options: Any) -> Any:
        monkeypatch.undo()
        other.add([entry("b", "of the other one")])
        return send(*arguments, **options)

    for add in (store.add, store.add_new):
        monkeypatch.setattr(client, "upsert", just_after)
        add([entry("a"), entry("b")])
        assert (store.get("b").text, "a" in store) == ("of the other one", True)
        store.delete(["a", "b"])
    store.add([entry("a")])
    store.update([entry("a", "rain")])
    assert store.get("a").text == "rain"


def test_a_deletion_that_was_interrupted_is_run_again(
    client: QdrantClient,
    manifest: QdrantManifest,
    entry: Callable[..., Entry],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.setattr(server, "REQUEST_IDS", 2)
    store = create_collection(client, "passages", manifest, location="http://localhost/passages")
    store.add(entry(f"d{number}") for number in range(7))
    monkeypatch.setattr(opening, "open_store", lambda location: store)
    monkeypatch.setattr(store, "close", lambda: None)
    (tmp_path / "ids.txt").write_text("".join(f"d{number}\n" for number in range(6)))
    command = ["index", "--out", store.location, "--delete", str(tmp_path / "ids.txt")]
    remove, asked = client.delete, []

    def fail_then(*arguments: Any, **options: Any) -> Any:
        asked.append(arguments)
        if len(asked) == 2:
            raise OSError("The connection was lost.")
        return remove(*arguments, **options)

    monkeypatch.setattr(client, "delete", fail_then)
    with pytest.raises(DataError, match="The connection was lost"):
        CliRunner().invoke(app, command, catch_exceptions=False)
    assert len(store) == 5
    again = CliRunner().invoke(app, command, catch_exceptions=False)
    assert again.stdout == "http://localhost/passages: 1 documents, 4 removed; not there: 2, 'd0' first\n"


@pytest.mark.parametrize(
    ("address", "server"),
    [
        ("http://localhost/passages", "http://localhost:6333"),
        ("http://localhost:80/passages", "http://localhost:80"),
        ("https://example.org/behind/passages", "https://example.org:443"),
        ("https://example.org:6333/passages", "https://example.org:6333"),
        ("http://[::1]/passages", "http://[::1]:6333"),
    ],
)
def test_the_port_is_the_same_for_the_client_and_for_downloads(
    address: str, server: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    client, _ = connect(address)
    assert client._client.rest_uri.removesuffix("/behind") == server  # type: ignore[attr-defined]
    client.close()
    asked: list[str] = []

    def stream(method: str, url: str, **options: object) -> None:
        asked.append(url)
        raise httpx.ConnectError("This is a test.")

    monkeypatch.setattr(httpx, "stream", stream)
    with pytest.raises(DataError, match="did not arrive whole"):
        snapshots._download(address, models.SnapshotDescription(name="kept", size=1), tmp_path / "kept")
    assert asked[0].startswith(f"{server}/")


@pytest.mark.parametrize(
    "address", ["localhost:abc", "localhost:99999", "[::1", "[]", "ho st", "%zz", "localhost:0", "a..b", "a" * 70]
)
def test_a_malformed_address_is_one_clear_error(address: str, tmp_path: Path) -> None:
    for given in (f"http://{address}/c", f"HTTPS://{address}/c"):
        with pytest.raises(KivukoError, match=r"is malformed|does not answer|names no collection"):
            open_index(given)
        command = ["index", "--out", given, "--snapshot", str(tmp_path / "kept")]
        assert isinstance(CliRunner().invoke(app, command).exception, KivukoError)


def test_a_password_in_an_address_is_refused_and_not_repeated() -> None:
    with pytest.raises(ConfigError, match="holds a name or a password") as refused:
        open_index("http://me:secret@localhost/passages")
    assert "secret" not in str(refused.value)


def test_letters_of_any_case_begin_an_address() -> None:
    assert is_address("HTTP://localhost/passages")
    assert place_of("HTTP://localhost/passages") == place_of("http://localhost/passages")
