"""Data sets as the hub has them, in folders as `hf download --local-dir` leaves them: no network."""

import csv
import json
from pathlib import Path

import pyarrow
import pytest
from pyarrow import parquet

from kivuko.data.collections import Document, Query
from kivuko.data.formats.hub import read_hub
from kivuko.data.published import downloaded_revision
from kivuko.errors import DataError
from kivuko.evaluation.tasks import open_task

TABLES = {
    "corpus": [{"_id": "d1", "title": "Nile", "text": "It flows."}, {"_id": "d2", "title": None, "text": "A lake."}],
    "queries": [{"_id": "q1", "text": "mto?"}, {"_id": "q2", "text": "hakuna hukumu"}],
    "default": [{"query-id": "q1", "corpus-id": "d1", "score": 1}, {"query-id": "q1", "corpus-id": "d2", "score": 0}],
}


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "cache")


def write(folder: Path, kind: str, language: str = "") -> Path:
    """Write the three tables with the card that names them."""
    card = ["---", "configs:"]
    for name, rows in TABLES.items():
        split = "test" if name == "default" else name
        called = {"default": f"{language}-qrels"}.get(name, f"{language}-{name}") if language else name
        (folder / called).mkdir(parents=True)
        path = folder / called / f"{split}.{kind}"
        match kind:
            case "parquet":
                parquet.write_table(pyarrow.Table.from_pylist(rows), path)
            case "jsonl":
                path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
            case "csv":
                with path.open("w", encoding="utf-8", newline="") as file:
                    writer = csv.DictWriter(file, rows[0])
                    writer.writeheader()
                    writer.writerows(rows)
        card += [f"- config_name: {called}", f"  data_files: [{{split: {split}, path: {called}/{path.name}}}]"]
    (folder / "README.md").write_text("\n".join([*card, "---", ""]), encoding="utf-8")
    return folder


@pytest.mark.parametrize("kind", ["parquet", "jsonl", "csv"])
def test_three_tables_are_a_collection_whatever_their_files(tmp_path: Path, kind: str) -> None:
    collection, revision = read_hub(str(write(tmp_path / "set", kind)), "test")
    assert list(collection.corpus) == [Document("d1", "Nile", "It flows."), Document("d2", "", "A lake.")]
    assert collection.queries == [Query("q1", "mto?")]
    assert [tuple(qrel)[:3] for qrel in collection.qrels] == [("q1", "d1", 1), ("q1", "d2", 0)]
    assert revision
    assert list(collection.corpus) == list(collection.corpus)


def test_a_language_of_many_is_named_behind_the_set(tmp_path: Path) -> None:
    folder = write(tmp_path / "set", "jsonl", language="sw")
    task = open_task(f"hub:{folder}/sw")
    assert [query.query_id for query in task.parts[0].collection.queries] == ["q1"]
    assert task.revision
    with pytest.raises(DataError, match="no configuration yo-corpus or corpus-yo; it has sw-corpus, sw-qrels"):
        open_task(f"hub:{folder}/yo")


def test_a_split_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no split 'dev' of default; it has test"):
        read_hub(str(write(tmp_path / "set", "jsonl")), "dev")


def test_code_that_lies_with_a_set_is_not_run(tmp_path: Path) -> None:
    folder = tmp_path / "set"
    folder.mkdir()
    mark = tmp_path / "was-run"
    (folder / "set.py").write_text(f"open({str(mark)!r}, 'w')\n", encoding="utf-8")
    with pytest.raises(DataError, match="cannot be read"):
        read_hub(str(folder), "test")
    assert not mark.exists()


@pytest.mark.parametrize("told", ["scifact", "a/b/c/d", "a//c"])
def test_what_is_no_name_is_refused(told: str) -> None:
    with pytest.raises(DataError, match="Expected hub:owner/name"):
        read_hub(told, "test")


def test_the_commit_of_a_download_is_known(tmp_path: Path) -> None:
    note = tmp_path / "ciral" / ".cache" / "huggingface" / "download" / "topics" / "sw.tsv.metadata"
    note.parent.mkdir(parents=True)
    note.write_text("0a1b2c\netag\n1700000000.0\n", encoding="utf-8")
    assert downloaded_revision(tmp_path, ("ciral",)) == downloaded_revision(tmp_path / "ciral", ("ciral",)) == "0a1b2c"
    assert downloaded_revision(tmp_path / "elsewhere", ("ciral",)) == ""
