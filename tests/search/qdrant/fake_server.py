"""A server on the loopback interface that speaks as much of Qdrant's REST interface as snapshots need.

It keeps its collections in the client's in-process mode. What a snapshot is inside is the server's own affair: here it
is a line of JSON, and some megabytes of noise.
"""

import hashlib
import json
import random
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from qdrant_client import QdrantClient, models

NOISE = 3_000_000  # bytes of a snapshot, more than a reader should hold at once


class FakeQdrant(ThreadingHTTPServer):
    """The server, its state, and what is wrong with it.

    Attributes:
        kept: Its collections.
        snapshots: The snapshots that it keeps, by name.
        asked: Methods and paths of all requests, with their queries.
        key: The key that it wants.
        remote_shards: Shards that are on other machines of its cluster.
        flaw: `cut`: downloads end early; `flipped`: they have a wrong byte; `failing`: they fail; `refusing`: uploads
            are refused; `forgetful`: they come without metadata; `lossy`: with a point less.
    """

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.kept = QdrantClient(":memory:", force_disable_check_same_thread=True)
        self.snapshots: dict[str, bytes] = {}
        self.asked: list[str] = []
        self.key: str | None = None
        self.remote_shards: list[int] = []
        self.flaw: str | None = None

    def address(self, collection: str) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/behind/{collection}"

    def snapshot_of(self, collection: str) -> dict[str, Any]:
        points, _ = self.kept.scroll(collection, limit=1000, with_vectors=True)
        content = {
            "config": self.kept.get_collection(collection).config.model_dump(mode="json"),
            "points": [{"id": each.id, "vector": each.vector, "payload": each.payload} for each in points],
        }
        name = f"{collection}-{len(self.snapshots)}.snapshot"
        self.snapshots[name] = json.dumps(content).encode() + b"\n" + random.Random(5).randbytes(NOISE)  # noqa: S311
        return {
            "name": name,
            "size": len(self.snapshots[name]),
            "checksum": hashlib.sha256(self.snapshots[name]).hexdigest(),
        }

    def restore(self, collection: str, snapshot: bytes) -> None:
        content = json.loads(snapshot.partition(b"\n")[0])
        vectors = {
            name: models.VectorParams.model_validate(each)
            for name, each in content["config"]["params"]["vectors"].items()
        }
        metadata = None if self.flaw == "forgetful" else content["config"]["metadata"]
        self.kept.create_collection(collection, vectors_config=vectors, metadata=metadata)
        points = [models.PointStruct.model_validate(each) for each in content["points"]]
        self.kept.upsert(collection, points[1:] if self.flaw == "lossy" else points)


class _Handler(BaseHTTPRequestHandler):
    server: FakeQdrant

    def log_message(self, *arguments: object) -> None:
        pass

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def do_PUT(self) -> None:
        self._answer()

    def do_PATCH(self) -> None:
        self._answer()

    def do_DELETE(self) -> None:
        self._answer()

    def _answer(self) -> None:
        self.body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.asked.append(f"{self.command} {self.path}")
        url = urlsplit(self.path)
        behind, collections, name, *rest = [unquote(part) for part in url.path.strip("/").split("/")]
        assert (behind, collections) == ("behind", "collections")
        self.query = dict(parse_qsl(url.query))
        if self.server.key not in (None, self.headers.get("api-key")):
            self._send(401, {"status": {"error": "Must provide an API key"}})
        elif not self.server.kept.collection_exists(name) and rest not in (["exists"], ["snapshots", "upload"]):
            self._send(404, {"status": {"error": f"Not found: Collection `{name}` doesn't exist!"}})
        elif rest[:1] == ["snapshots"]:
            self._snapshots(name, *rest[1:])
        else:
            self._result(self._collection(name, "/".join(rest)))

    def _collection(self, name: str, rest: str) -> Any:  # noqa: PLR0911 - one for each route
        kept = self.server.kept
        match self.command, rest:
            case "GET", "exists":
                return {"exists": kept.collection_exists(name)}
            case "GET", "":
                return kept.get_collection(name).model_dump(mode="json")
            case "PATCH", "":
                return kept.update_collection(name, metadata=self._json()["metadata"])
            case "GET", "cluster":
                return self._cluster()
            case "POST", "points":
                return [each.model_dump(mode="json") for each in kept.retrieve(name, self._json()["ids"])]
            case "POST", "points/count":
                return {"count": kept.count(name).count}
        assert (self.command, rest) == ("PUT", "index")
        return {"operation_id": 1, "status": "completed"}

    def _snapshots(self, name: str, snapshot: str | None = None) -> None:
        match self.command, snapshot:
            case "POST", None:
                assert self.query == {"wait": "true"}
                self._result(self.server.snapshot_of(name))
            case "POST", "upload":
                self._upload(name)
            case "GET", str():
                self._download(self.server.snapshots[snapshot])
            case "DELETE", str():
                del self.server.snapshots[snapshot]
                self._result(True)

    def _json(self) -> Any:
        return json.loads(self.body)

    def _cluster(self) -> dict[str, Any]:
        return {
            "peer_id": 1,
            "shard_count": 1 + len(self.server.remote_shards),
            "local_shards": [{"shard_id": 0, "points_count": 0, "state": "Active"}],
            "remote_shards": [
                {"shard_id": each, "peer_id": 2, "state": "Active"} for each in self.server.remote_shards
            ],
            "shard_transfers": [],
        }

    def _upload(self, name: str) -> None:
        if self.server.flaw == "refusing":
            return self._send(400, {"status": {"error": "Wrong input: no snapshot"}})
        form = message_from_bytes(b"Content-Type: " + self.headers["Content-Type"].encode() + b"\r\n\r\n" + self.body)
        [part] = form.get_payload()  # type: ignore[misc]
        assert 'name="snapshot"' in part["Content-Disposition"]  # type: ignore[index, operator]
        snapshot = part.get_payload(decode=True)  # type: ignore[union-attr]
        assert isinstance(snapshot, bytes)
        assert self.query == {
            "wait": "true",
            "priority": "snapshot",
            "checksum": hashlib.sha256(snapshot).hexdigest(),
        }
        self.server.restore(name, snapshot)
        return self._result(True)

    def _download(self, snapshot: bytes) -> None:
        if self.server.flaw == "failing":
            return self._send(500, {"status": {"error": "Service internal error"}})
        self.send_response(200)
        self.send_header("Content-Type", "application/octet-stream")
        self.send_header("Content-Length", str(len(snapshot)))
        self.end_headers()
        match self.server.flaw:
            case "cut":
                snapshot = snapshot[:-1000]
            case "flipped":
                snapshot = snapshot[:-1] + bytes([snapshot[-1] ^ 1])
        self.wfile.write(snapshot)
        return None

    def _result(self, result: object) -> None:
        self._send(200, {"result": result, "status": "ok", "time": 0.0})

    def _send(self, status: int, content: object) -> None:
        written = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(written)))
        self.end_headers()
        self.wfile.write(written)


@contextmanager
def running() -> Iterator[FakeQdrant]:
    """Run one in this block."""
    with FakeQdrant() as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
            server.kept.close()
