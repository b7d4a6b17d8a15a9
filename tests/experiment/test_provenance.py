import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from ir_measures import Qrel

from kivuko.data.collections import Collection, Document, Query
from kivuko.experiment.provenance import collection_digest, model_provenance, source_commit

COMMIT = "c9745ed1d9f207416be6d2e6f8de32d1f16199bf"


def test_commit_is_that_of_the_checkout_that_a_file_is_part_of(tmp_path: Path) -> None:
    def git(*arguments: str) -> str:
        told = ["-c", "user.name=a", "-c", "user.email=a@b"]
        return subprocess.run(
            ["git", *told, *arguments], cwd=tmp_path, check=True, capture_output=True, text=True
        ).stdout

    ours, other = tmp_path / "ours.py", tmp_path / "other.py"
    ours.write_text("")
    other.write_text("")
    assert source_commit(ours) is None
    git("init", "-q")
    git("add", "ours.py")
    git("commit", "-q", "-m", "Begin")
    commit = git("rev-parse", "HEAD")[:12]
    assert source_commit(ours) == commit
    assert source_commit(other) is None
    ours.write_text("changed")
    assert source_commit(ours) == f"{commit}-dirty"


def test_digest_of_a_collection_follows_each_of_its_parts() -> None:
    one = Collection([Document("d", "", "maize")], [Query("q", "mahindi")], [Qrel("q", "d", 1)])
    others = [
        replace(one, corpus=[Document("d", "", "beans")]),
        replace(one, queries=[Query("q", "maharage")]),
        replace(one, qrels=[Qrel("q", "d", 2)]),
    ]
    digests = {collection_digest(collection) for collection in (one, *others)}
    assert len(digests) == 4
    assert collection_digest(replace(one)) == collection_digest(one)


def test_hub_id_is_named_with_the_commit_in_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SENTENCE_TRANSFORMERS_HOME", str(tmp_path))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    cached = tmp_path / "models--org--model"
    (cached / "snapshots" / COMMIT).mkdir(parents=True)
    (cached / "snapshots" / COMMIT / "config.json").write_text("{}", encoding="utf-8")
    (cached / "snapshots" / COMMIT / "README.md").write_text("---\nlicense: mit\n---\n", encoding="utf-8")
    (cached / "refs").mkdir()
    (cached / "refs" / "main").write_text(COMMIT, encoding="utf-8")
    assert model_provenance("org/model") == {"name": "org/model", "revision": COMMIT, "license": "mit"}
    assert model_provenance("org/other") == {"name": "org/other", "revision": None, "license": None}
