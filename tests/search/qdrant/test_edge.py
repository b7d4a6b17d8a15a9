import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import numpy as np
import pytest

from kivuko.errors import ConfigError, DataError, ModelError
from kivuko.search.qdrant import edge, is_edge_store, open_or_create_qdrant, open_qdrant
from kivuko.search.qdrant.edge import EdgeStore, create_edge_store
from kivuko.search.qdrant.store import QdrantManifest
from kivuko.search.staging import staged_directory
from kivuko.search.store import Entry, Passage

MODEL = {"dim": 8, "model_name": "tiny", "model_digest": "abc", "teacher_digests": ("def",), "language": "sw"}

OPEN = """
import sys
from kivuko.errors import ConfigError
from kivuko.search.qdrant import open_qdrant
try:
    open_qdrant(sys.argv[1])
except ConfigError as error:
    print(error)
"""


def test_a_store_is_opened_again_with_all_it_held(tmp_path: Path, entry: Callable[..., Entry]) -> None:
    first = open_or_create_qdrant(tmp_path / "store", **MODEL)  # type: ignore[arg-type]
    first.add([entry("a")])
    first.close()
    again = open_or_create_qdrant(tmp_path / "store", **MODEL)  # type: ignore[arg-type]
    assert again.get("a") == entry("a").passage
    assert (again.manifest.teacher_digests, again.manifest.language, again.dim) == (("def",), "sw", 8)
    again.close()


def test_a_second_process_is_told_why_it_cannot_open_it(tmp_path: Path, manifest: QdrantManifest) -> None:
    store = create_edge_store(tmp_path / "store", manifest)
    done = subprocess.run(
        [sys.executable, "-c", OPEN, str(store.directory)], capture_output=True, text=True, check=True
    )
    assert "admits one, readers included: close it there" in done.stdout
    store.close()
    open_qdrant(store.directory).close()


def test_another_model_is_refused_and_leaves_the_directory_free(tmp_path: Path) -> None:
    open_or_create_qdrant(tmp_path / "store", **MODEL).close()  # type: ignore[arg-type]
    for other in ({"model_digest": "xyz"}, {"model_digest": None}, {"dim": 16}):
        with pytest.raises(ModelError, match="holds embeddings by tiny"):
            open_or_create_qdrant(tmp_path / "store", **(MODEL | other))  # type: ignore[arg-type]
    open_qdrant(tmp_path / "store").close()


def test_a_directory_with_something_else_is_left_alone(tmp_path: Path, manifest: QdrantManifest) -> None:
    (tmp_path / "letters").mkdir()
    (tmp_path / "letters" / "mine.txt").write_text("x")
    with pytest.raises(DataError, match=r"something at .* already"):
        create_edge_store(tmp_path / "letters", manifest)
    assert [path.name for path in (tmp_path / "letters").iterdir()] == ["mine.txt"]
    with pytest.raises(DataError, match="is not a qdrant store"):
        EdgeStore(tmp_path / "letters")


def test_of_two_that_make_a_store_at_once_the_second_does_not_replace_what_the_first_made(
    tmp_path: Path, manifest: QdrantManifest, entry: Callable[..., Entry], monkeypatch: pytest.MonkeyPatch
) -> None:
    def after_the_first(directory: Path) -> AbstractContextManager[Path]:
        monkeypatch.undo()
        first = create_edge_store(directory, manifest)
        first.add([entry("a")])
        first.close()
        return staged_directory(directory)

    monkeypatch.setattr(edge, "staged_directory", after_the_first)
    with pytest.raises(DataError, match=r"something at .* already"):
        create_edge_store(tmp_path / "store", manifest)
    store = EdgeStore(tmp_path / "store")
    assert "a" in store
    store.close()


def test_a_damaged_shard_is_named(tmp_path: Path, manifest: QdrantManifest) -> None:
    create_edge_store(tmp_path / "store", manifest).close()
    (tmp_path / "store" / "shard" / "edge_config.json").write_text("{")
    assert is_edge_store(tmp_path / "store")
    with pytest.raises(DataError, match="store is damaged"):
        open_qdrant(tmp_path / "store")


def test_shards_are_for_servers(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="for a Qdrant server"):
        open_or_create_qdrant(tmp_path / "store", **MODEL, shards=2)  # type: ignore[arg-type]
    assert not (tmp_path / "store").exists()


def test_candidates_limit_what_maxsim_sees_unless_all_are_asked_for(tmp_path: Path, manifest: QdrantManifest) -> None:
    store = create_edge_store(tmp_path / "store", manifest)
    axis = np.eye(8, dtype=np.float32)
    # One token of "hidden" is the query itself, but its mean points elsewhere; means of the others lean to the query.
    hidden = np.concatenate([axis[:1], np.repeat(axis[1:2], 30, axis=0)])
    others = [Entry(Passage(f"d{n}", "", ""), 0.7 * axis[:1] + 0.01 * axis[2:3]) for n in range(20)]
    store.add([Entry(Passage("hidden", "", ""), hidden), *others])
    store.prefetch = 5
    assert store.search([axis[:1]], top_k=1)[0][0].passage.doc_id != "hidden"
    store.prefetch = None
    assert store.search([axis[:1]], top_k=1)[0][0].passage.doc_id == "hidden"
    store.close()
