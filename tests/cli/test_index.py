"""`kivuko index` on stores: add, go on, update, delete, and every mistake a clear line."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from kivuko.cli import app
from kivuko.errors import ConfigError, DataError, KivukoError, ModelError
from kivuko.search.opening import open_index, open_store


@pytest.fixture
def corpus(tmp_path: Path, sentences: list[str]) -> Path:
    path = tmp_path / "corpus.jsonl"
    write(path, sentences)
    return path


def write(path: Path, texts: list[str], **more: object) -> None:
    rows = [{"_id": f"d{n}", "text": text, "language": "sw" if n % 2 else "en"} | more for n, text in enumerate(texts)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def index(*arguments: object) -> str:
    result = CliRunner().invoke(app, ["index", *map(str, arguments)], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


@pytest.mark.parametrize("kind", ["flat", "qdrant"])
def test_a_store_is_filled_completed_updated_and_emptied(
    kind: str, corpus: Path, tiny_encoder_dir: Path, tmp_path: Path, sentences: list[str]
) -> None:
    out, ids = tmp_path / "store", tmp_path / "ids.txt"
    command = ("--model", tiny_encoder_dir, "--corpus", corpus, "--out", out)
    write(corpus, sentences[:6])
    assert "6 documents, 6 added, 0 replaced" in index(*command, "--store", kind, "--language", "en")
    write(corpus, [*sentences[:5], "changed", *sentences[6:]])
    assert "10 documents, 4 added, 0 replaced" in index(*command)  # of the kind that is there
    assert "10 documents, 0 added, 1 replaced" in index(*command, "--update")
    ids.write_text("d1\nd3\nd3\n")
    assert "8 documents, 2 removed" in index("--out", out, "--delete", ids)
    ids.write_text("d1\nd2\nnobody\n")
    assert "7 documents, 1 removed; not there: 2, 'd1' first" in index("--out", out, "--delete", ids)
    store = open_store(out)
    assert (len(store), "d3" in store, store.get("d5").text) == (7, False, "changed")
    assert (store.manifest.language, store.get("d5").language) == ("en", "sw")
    store.close()


def test_the_default_is_the_exact_index(corpus: Path, tiny_encoder_dir: Path, tmp_path: Path) -> None:
    out = tmp_path / "index"
    assert "10 documents" in index(
        "--model", tiny_encoder_dir, "--corpus", corpus, "--out", out, "--language", "sw", "--batch-size", 4
    )
    manifest = open_index(out).manifest
    assert (manifest.format, manifest.language) == ("kivuko-index", "sw")
    assert manifest.model_digest is not None


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--update"], "--update cannot be used with the kind of store `exact`"),
        (["--store", "flat", "--overwrite"], "--overwrite cannot be used with the kind of store `flat`"),
        (["--store", "flat", "--float32", "--shards", "2"], "--float32, --shards cannot be used"),
        (["--store", "qdrant", "--shards", "2"], "Shards and replicas are for a Qdrant server"),
    ],
)
def test_flags_of_another_store_are_refused(
    flags: list[str], message: str, corpus: Path, tiny_encoder_dir: Path, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=message):
        index("--model", tiny_encoder_dir, "--corpus", corpus, "--out", tmp_path / "out", *flags)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("kind", ["exact", "flat"])
def test_an_address_is_for_qdrant_alone(kind: str, corpus: Path, tiny_encoder_dir: Path) -> None:
    address = "http://localhost:1/passages"
    refused(
        ConfigError,
        "is for `--store qdrant`",
        *("--model", tiny_encoder_dir, "--corpus", corpus, "--out", address, "--store", kind),
    )


def test_what_is_missing_or_too_much_is_said(corpus: Path, tiny_encoder_dir: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    refused(ConfigError, "Give --model and --corpus", "--out", out)
    refused(ConfigError, "Give --model and --corpus", "--out", out, "--model", tiny_encoder_dir)
    index("--model", tiny_encoder_dir, "--corpus", corpus, "--out", out, "--store", "flat")
    refused(DataError, "does not exist", "--out", out, "--delete", tmp_path / "missing.txt")
    (tmp_path / "ids.txt").write_text("d1\n")
    refused(ConfigError, "Give --delete without", "--out", out, "--delete", tmp_path / "ids.txt", "--corpus", corpus)
    assert len(open_store(out)) == 10


def test_another_model_does_not_add_to_a_store(
    corpus: Path, tiny_encoder_dir: Path, tmp_path: Path, sentences: list[str]
) -> None:
    out, other = tmp_path / "out", tmp_path / "other"
    index("--model", tiny_encoder_dir, "--corpus", corpus, "--out", out, "--store", "flat")
    subprocess.run(["cp", "-r", tiny_encoder_dir, other], check=True)
    (other / "note.txt").write_text("another model")
    refused(ModelError, "holds embeddings by", "--model", other, "--corpus", corpus, "--out", out)


def refused(error: type[KivukoError], message: str, *arguments: object) -> None:
    with pytest.raises(error, match=message):
        index(*arguments)


@pytest.mark.parametrize("kind", ["flat", "qdrant"])
def test_an_ingestion_that_was_killed_goes_on(
    kind: str, tiny_encoder_dir: Path, tmp_path: Path, sentences: list[str]
) -> None:
    out, corpus = tmp_path / "store", tmp_path / "corpus.jsonl"
    write(corpus, [f"{n} {text}" for n in range(12) for text in sentences])
    arguments = ["index", "--model", tiny_encoder_dir, "--corpus", corpus, "--out", out, "--store", kind]
    # Kills itself between two commits, without any farewell, when the third portion has been committed.
    script = (
        "import os, signal, sys\n"
        "from kivuko.report.progress import Counter\n"
        "seen = []\n"
        "def count(self, number):\n"
        "    seen.append(number)\n"
        "    if len(seen) == 3: os.kill(os.getpid(), signal.SIGKILL)\n"
        "Counter.__call__ = count\n"
        "from kivuko.__main__ import main\n"
        "sys.argv = ['kivuko', *sys.argv[1:]]\n"
        "main()\n"
    )
    command = [sys.executable, "-c", script, *map(str, arguments), "--batch-size", "1", "--threads", "1"]
    done = subprocess.run(command, capture_output=True, env=os.environ | {"OMP_NUM_THREADS": "1"}, check=False)
    assert done.returncode == -9, done.stderr
    assert "120 documents, 24 added" in index(*arguments[1:], "--batch-size", 1)


@pytest.mark.parametrize("kind", ["exact", "flat"])
def test_documents_that_are_longer_than_the_model_reads_are_counted(
    kind: str, tiny_encoder_dir: Path, tmp_path: Path, sentences: list[str]
) -> None:
    corpus = tmp_path / "long.jsonl"
    write(corpus, [*sentences, "maize " * 70, "beans " * 70])
    command = ["index", "--model", tiny_encoder_dir, "--corpus", corpus, "--out", tmp_path / "out", "--store", kind]
    told = CliRunner().invoke(app, list(map(str, command)), catch_exceptions=False)
    assert told.stdout.startswith(f"{tmp_path / 'out'}: {len(sentences) + 2} documents")
    assert "warning: 2 documents are longer than the 64 tokens that the model reads" in told.stderr
    write(corpus, sentences)
    told = CliRunner().invoke(app, [*map(str, command[:-3]), str(tmp_path / "other")], catch_exceptions=False)
    assert told.exit_code == 0
    assert "warning" not in told.stderr
