"""`kivuko ingest`: its own mistakes in this process, and a driver that is killed in one of its own."""

import json
import subprocess
import sys
import time
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

import psutil
import pytest
from sentence_transformers import MultiVectorEncoder
from typer.testing import CliRunner

from kivuko.cli import app
from kivuko.data.collections import Document
from kivuko.errors import ConfigError, DataError
from kivuko.search.flat import FlatStore, create_store
from kivuko.search.store import ingest

NEEDS_RAY = pytest.mark.skipif(not find_spec("ray"), reason="Ray is not installed")


@pytest.fixture
def corpus(tmp_path: Path, sentences: Sequence[str]) -> Path:
    lines = [json.dumps({"_id": f"d{n}", "text": f"{sentences[n % 10]} {sentences[n // 10 % 10]}"}) for n in range(600)]
    (tmp_path / "corpus.jsonl").write_text("\n".join(lines), encoding="utf-8")
    return tmp_path / "corpus.jsonl"


def test_without_ray_it_says_what_to_install(
    corpus: Path, tiny_encoder_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kivuko.search.scale.cluster.find_spec", lambda name: None)
    arguments = ["--model", tiny_encoder_dir, "--corpus", corpus, "--out", tmp_path / "store"]
    done = CliRunner().invoke(app, ["ingest", *map(str, arguments)])
    assert isinstance(done.exception, ConfigError)
    assert "pip install 'kivuko[scale]'" in str(done.exception)
    assert not (tmp_path / "store").exists()


@NEEDS_RAY
def test_a_corpus_that_is_missing_is_noticed_before_anything_starts(tiny_encoder_dir: Path, tmp_path: Path) -> None:
    arguments = ["--model", tiny_encoder_dir, "--corpus", tmp_path / "none.jsonl", "--out", tmp_path / "store"]
    done = CliRunner().invoke(app, ["ingest", *map(str, arguments)])
    assert isinstance(done.exception, DataError)
    assert not (tmp_path / "store").exists()


@NEEDS_RAY
@pytest.mark.slow
@pytest.mark.timeout(1_200)  # six processes load torch
def test_a_command_that_was_killed_takes_its_workers_along_and_goes_on_when_run_again(
    corpus: Path,
    tiny_encoder: MultiVectorEncoder,
    tiny_encoder_dir: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("RAY_worker_niceness", "0")  # it is 15, with which workers starve beside whatever else runs here
    arguments = ["--model", tiny_encoder_dir, "--corpus", corpus, "--out", tmp_path / "store", "--batch-size", "1"]
    command = [sys.executable, "-m", "kivuko", "ingest", *map(str, arguments)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as first:
        while not (tmp_path / "store" / "00000003").exists():
            assert first.poll() is None
            time.sleep(0.01)
        started = psutil.Process(first.pid).children(recursive=True)
        first.kill()
    _, alive = psutil.wait_procs(started, timeout=30)  # by themselves Ray's agents take 62 seconds
    assert not alive
    kept = len(FlatStore(tmp_path / "store", verify=True))
    assert 0 < kept < 600
    second = subprocess.run(command, check=True, capture_output=True, text=True)
    assert f"600 documents, {600 - kept} added" in second.stdout
    alone = create_store(tmp_path / "alone", dim=32, model_name="tiny")
    records = map(json.loads, corpus.read_text(encoding="utf-8").splitlines())
    texts = [Document(record["_id"], "", record["text"]) for record in records]
    ingest(alone, tiny_encoder, texts, batch_size=1)
    made = FlatStore(tmp_path / "store", verify=True)
    assert made.doc_ids == alone.doc_ids
    assert all(abs(made.embeddings(n) - alone.embeddings(n)).max() < 0.01 for n in alone.doc_ids)
