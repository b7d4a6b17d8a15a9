import os
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from qdrant_client import QdrantClient

from kivuko.search.flat import create_store
from kivuko.search.qdrant.edge import create_edge_store
from kivuko.search.qdrant.server import create_collection
from kivuko.search.qdrant.store import QdrantManifest
from kivuko.search.store import Entry, OpenStore, Passage

DIM = 8


@pytest.fixture(scope="session")
def entry() -> Callable[..., Entry]:
    """Make an entry of three tokens of length 1, which depend on its id and its text only."""

    def make(doc_id: str, text: str = "maize", language: str | None = "sw", **fields: object) -> Entry:
        random = np.random.default_rng(list(f"{doc_id} {text}".encode()))
        tokens = random.normal(size=(3, DIM))
        tokens /= np.linalg.norm(tokens, axis=1, keepdims=True)
        passage = Passage(doc_id, f"On {text}", text, language, fields)  # type: ignore[arg-type]
        return Entry(passage, tokens.astype(np.float32))

    return make


@pytest.fixture
def manifest() -> QdrantManifest:
    return QdrantManifest(model_name="tiny", model_digest="abc", language="sw", dim=DIM)


def _server(manifest: QdrantManifest) -> Iterator[OpenStore]:
    url = os.environ.get("KIVUKO_QDRANT_URL")
    if not url:
        pytest.skip("KIVUKO_QDRANT_URL names no server")
    client = QdrantClient(url=url)
    name = f"kivuko-test-{uuid.uuid4()}"
    try:
        yield create_collection(client, name, manifest, location=f"{url}/{name}")
    finally:
        client.delete_collection(name)
        client.close()


@pytest.fixture(params=["flat", "edge", "in-process client", "server"])
def store(request: pytest.FixtureRequest, tmp_path: Path, manifest: QdrantManifest) -> Iterator[OpenStore]:
    """An empty store of each kind; a real server where KIVUKO_QDRANT_URL names one."""
    match request.param:
        case "flat":
            yield create_store(tmp_path / "store", dim=DIM, model_name="tiny", model_digest="abc", language="sw")
        case "edge":
            made = create_edge_store(tmp_path / "store", manifest)
            yield made
            made.close()
        case "in-process client":
            client = QdrantClient(":memory:")
            yield create_collection(client, "passages", manifest, location="memory")
            client.close()
        case "server":
            yield from _server(manifest)
