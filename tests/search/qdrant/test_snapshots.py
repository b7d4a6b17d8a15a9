"""Snapshots over HTTP, by a server on the loopback interface that checks what it is asked, and by a real one if any."""

import json
import os
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from qdrant_client import QdrantClient
from typer.testing import CliRunner

from kivuko.cli import app
from kivuko.errors import ConfigError, DataError
from kivuko.search.flat import create_store
from kivuko.search.qdrant import open_qdrant, restore_snapshot, save_snapshot
from kivuko.search.qdrant.edge import create_edge_store
from kivuko.search.qdrant.server import create_collection
from kivuko.search.qdrant.store import QdrantManifest
from kivuko.search.store import Entry

from .fake_server import NOISE, FakeQdrant, running

pytestmark = [
    pytest.mark.filterwarnings("ignore:Payload indexes have no effect in the local Qdrant:UserWarning"),
    pytest.mark.filterwarnings("ignore:Api key is used with an insecure connection:UserWarning"),
]


@pytest.fixture
def server(manifest: QdrantManifest, entry: Callable[..., Entry]) -> Iterator[FakeQdrant]:
    """A server with three passages in the collection "passages"."""
    with running() as made:
        create_collection(made.kept, "passages", manifest, location="memory").add(entry(doc_id) for doc_id in "abc")
        yield made


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_collection_is_made_again_of_its_snapshot(
    server: FakeQdrant, manifest: QdrantManifest, entry: Callable[..., Entry], tmp_path: Path
) -> None:
    snapshot = save_snapshot(server.address("passages"), tmp_path / "new" / "kept.snapshot")
    assert (snapshot.manifest, snapshot.passages) == (manifest, 3)
    assert snapshot.file.bytes == (tmp_path / "new" / "kept.snapshot").stat().st_size > NOISE
    assert names(tmp_path / "new") == ["kept.snapshot", "kept.snapshot.json"]
    assert server.snapshots == {}, "the server's own copy is removed"
    server.kept.delete_collection("passages")
    store = restore_snapshot(tmp_path / "new" / "kept.snapshot", server.address("again"))
    assert (store.manifest, len(store), store.location) == (manifest, 3, server.address("again"))
    assert store.get("b") == entry("b").passage
    assert [each for each in server.asked if not each.startswith(("GET", "POST /behind/collections/again/points"))] == [
        "POST /behind/collections/passages/points/count",
        "POST /behind/collections/passages/snapshots?wait=true",
        "POST /behind/collections/passages/points/count",
        "DELETE /behind/collections/passages/snapshots/passages-0.snapshot?wait=true",
        f"POST /behind/collections/again/snapshots/upload?wait=true&priority=snapshot&checksum={snapshot.file.sha256}",
        "PUT /behind/collections/again/index?wait=true",
    ]
    store.close()


def test_the_key_is_sent_with_every_request(
    server: FakeQdrant, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.key = "secret"
    with pytest.raises(DataError, match="KIVUKO_QDRANT_API_KEY"):
        save_snapshot(server.address("passages"), tmp_path / "kept.snapshot")
    monkeypatch.setenv("KIVUKO_QDRANT_API_KEY", "secret")
    save_snapshot(server.address("passages"), tmp_path / "kept.snapshot")
    restore_snapshot(tmp_path / "kept.snapshot", server.address("again")).close()
    assert "secret" not in (tmp_path / "kept.snapshot.json").read_text()


@pytest.mark.parametrize(
    ("flaw", "told"),
    [
        ("cut", "did not arrive whole"),
        ("flipped", "did not arrive as it was made"),
        ("failing", "did not arrive whole.*500"),
    ],
)
def test_a_download_that_fails_leaves_nothing_here_nor_there(
    server: FakeQdrant, tmp_path: Path, flaw: str, told: str
) -> None:
    server.flaw = flaw
    with pytest.raises(DataError, match=told):
        save_snapshot(server.address("passages"), tmp_path / "kept.snapshot")
    assert names(tmp_path) == []
    assert server.snapshots == {}


def test_a_place_that_is_taken_or_cannot_be_written_is_refused(server: FakeQdrant, tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("x")
    (tmp_path / "other.json").write_text("x")
    for taken in ("mine", "other"):
        with pytest.raises(DataError, match=r"something at .* already"):
            save_snapshot(server.address("passages"), tmp_path / taken)
    assert server.asked == []
    with pytest.raises(DataError, match="cannot be written"):
        save_snapshot(server.address("passages"), tmp_path / "mine" / "kept.snapshot")
    assert names(tmp_path) == ["mine", "other.json"]
    assert server.snapshots == {}


def test_a_collection_with_shards_on_other_machines_is_refused(server: FakeQdrant, tmp_path: Path) -> None:
    server.remote_shards = [0, 1, 2]  # 0 is a copy of the one that is here
    with pytest.raises(DataError, match=r"2 of the 4 shards of .* are not on this machine"):
        save_snapshot(server.address("passages"), tmp_path / "kept.snapshot")
    assert not any("snapshots" in each for each in server.asked)


def test_a_collection_that_is_there_is_not_replaced(server: FakeQdrant, tmp_path: Path) -> None:
    save_snapshot(server.address("passages"), tmp_path / "kept.snapshot")
    with pytest.raises(DataError, match="exists already: restore it under another name"):
        restore_snapshot(tmp_path / "kept.snapshot", server.address("passages"))
    assert not any("upload" in each for each in server.asked)


def test_a_snapshot_that_is_damaged_or_missing_is_not_sent(server: FakeQdrant, tmp_path: Path) -> None:
    path = tmp_path / "kept.snapshot"
    save_snapshot(server.address("passages"), path)
    content = path.read_bytes()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(DataError, match="is damaged: it is not what was written"):
        restore_snapshot(path, server.address("again"))
    (tmp_path / "kept.snapshot.json").write_text("{}")
    with pytest.raises(DataError, match="is not what was written beside a snapshot"):
        restore_snapshot(path, server.address("again"))
    with pytest.raises(DataError, match="does not exist"):
        restore_snapshot(tmp_path / "none", server.address("again"))
    assert not any("again" in each for each in server.asked)


def test_a_manifest_that_the_server_lost_is_put_back(
    server: FakeQdrant, manifest: QdrantManifest, tmp_path: Path
) -> None:
    save_snapshot(server.address("passages"), tmp_path / "kept.snapshot")
    server.flaw = "forgetful"
    assert restore_snapshot(tmp_path / "kept.snapshot", server.address("again")).manifest == manifest
    (tmp_path / "kept.snapshot.json").unlink()
    with pytest.raises(DataError, match=r"no snapshot of a collection of kivuko's. What the server made of it"):
        restore_snapshot(tmp_path / "kept.snapshot", server.address("third"))


def test_a_snapshot_alone_is_enough_where_the_server_keeps_metadata(
    server: FakeQdrant, manifest: QdrantManifest, tmp_path: Path
) -> None:
    save_snapshot(server.address("passages"), tmp_path / "kept.snapshot")
    (tmp_path / "kept.snapshot.json").unlink()
    store = restore_snapshot(tmp_path / "kept.snapshot", server.address("again"))
    assert (store.manifest, len(store)) == (manifest, 3)


@pytest.mark.parametrize(("flaw", "told"), [("refusing", "no snapshot"), ("lossy", "has 2 of its 3 passages")])
def test_a_restoration_that_is_not_whole_says_what_to_do(
    server: FakeQdrant, tmp_path: Path, flaw: str, told: str
) -> None:
    save_snapshot(server.address("passages"), tmp_path / "kept.snapshot")
    server.flaw = flaw
    with pytest.raises(DataError, match=rf"(?s)could not be restored .*{told}.* delete that collection before"):
        restore_snapshot(tmp_path / "kept.snapshot", server.address("again"))


def test_what_comes_and_goes_meanwhile_is_not_counted(
    server: FakeQdrant, entry: Callable[..., Entry], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = server.snapshot_of

    def take(collection: str) -> dict[str, object]:
        made = taken(collection)
        server.kept.delete(collection, [server.kept.scroll(collection, limit=1)[0][0].id])
        return made

    monkeypatch.setattr(server, "snapshot_of", take)
    assert save_snapshot(server.address("passages"), tmp_path / "kept.snapshot").passages is None
    restore_snapshot(tmp_path / "kept.snapshot", server.address("again")).close()


def test_a_directory_is_copied_instead(tmp_path: Path, manifest: QdrantManifest) -> None:
    create_edge_store(tmp_path / "edge", manifest).close()
    create_store(tmp_path / "flat", dim=8, model_name="tiny")
    for directory in ("edge", "flat"):
        with pytest.raises(ConfigError, match=r"copy the directory instead.*while no process has it open"):
            save_snapshot(tmp_path / directory, tmp_path / "kept.snapshot")
    (tmp_path / "kept.snapshot").write_bytes(b"x")
    with pytest.raises(ConfigError, match="copy the directory instead"):
        restore_snapshot(tmp_path / "kept.snapshot", tmp_path / "again")


def kivuko(*arguments: object) -> str:
    done = CliRunner().invoke(app, [*map(str, arguments)], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


def test_the_command_saves_and_restores(server: FakeQdrant, tmp_path: Path) -> None:
    path = tmp_path / "kept.snapshot"
    saved = kivuko("index", "--out", server.address("passages"), "--snapshot", path)
    assert saved == f"{path}: 3 documents, {path.stat().st_size:,} bytes\n"
    restored = kivuko("index", "--out", server.address("again"), "--restore", path)
    assert restored == f"{server.address('again')}: 3 documents\n"
    assert json.loads((tmp_path / "kept.snapshot.json").read_text())["passages"] == 3


@pytest.mark.parametrize(
    "flags",
    [
        ["--snapshot", "kept", "--restore", "kept"],
        ["--snapshot", "kept", "--model", "tiny", "--corpus", "corpus.jsonl"],
        ["--restore", "kept", "--lexical", "bm25"],
        ["--restore", "kept", "--delete", "ids.txt"],
        ["--restore", "kept", "--shards", "2"],
    ],
)
def test_the_command_does_one_thing_at_a_time(server: FakeQdrant, flags: list[str]) -> None:
    with pytest.raises(ConfigError, match="--snapshot or --restore with --out alone"):
        kivuko("index", "--out", server.address("passages"), *flags)
    assert server.asked == []


def test_a_real_server_saves_and_restores(
    manifest: QdrantManifest, entry: Callable[..., Entry], tmp_path: Path
) -> None:
    url = os.environ.get("KIVUKO_QDRANT_URL")
    if not url:
        pytest.skip("KIVUKO_QDRANT_URL names no server")
    first, second = (f"kivuko-test-{uuid.uuid4()}" for _ in range(2))
    client = QdrantClient(url=url)
    try:
        create_collection(client, first, manifest, location=url).add(entry(doc_id) for doc_id in "abc")
        save_snapshot(f"{url}/{first}", tmp_path / "kept.snapshot")
        assert client.list_snapshots(first) == []
        store = restore_snapshot(tmp_path / "kept.snapshot", f"{url}/{second}")
        assert (store.manifest, len(store), store.get("b")) == (manifest, 3, entry("b").passage)
        assert open_qdrant(f"{url}/{second}").search([entry("b").embeddings], top_k=1)[0][0].passage.doc_id == "b"
    finally:
        client.delete_collection(first)
        client.delete_collection(second)
        client.close()
