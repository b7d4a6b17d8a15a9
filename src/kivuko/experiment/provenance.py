"""Where a student comes from: what decides the outcome of a run, and the revisions and licences of its models."""

import hashlib
import json
import platform
import shutil
import subprocess
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import kivuko
from kivuko.config import DistillConfig
from kivuko.data.bitext import Bitext
from kivuko.data.collections import Collection
from kivuko.models.encoder import hub_revision, model_digest, read_card, stated_license
from kivuko.search.manifest import corpus_digest

_PACKAGES = ("torch", "transformers", "sentence-transformers", "tokenizers", "accelerate", "numpy", "scipy")


def run_plan(config: DistillConfig, bitexts: Sequence[Bitext], validation: Collection | None) -> dict[str, Any]:
    """Return what decides the outcome of a run: config, digests of the inputs, versions."""
    return {
        "kivuko": kivuko.__version__,
        "config": config.model_dump(mode="json"),
        "inputs": {
            "teacher_sha256": _directory_digest(config.teacher),
            "student_sha256": None if config.student is None else _directory_digest(config.student),
            "bitext": [
                {"path": str(b.source.path), "pairs": len(b.pairs), "weight": b.source.weight, "sha256": b.sha256}
                for b in bitexts
            ],
            "validation_sha256": None if validation is None else collection_digest(validation),
        },
        "versions": {"python": platform.python_version()} | {package: version(package) for package in _PACKAGES},
    }


def collection_digest(collection: Collection) -> str:
    """Return the SHA-256 digest of documents, queries and judgments, in their order."""
    digest = hashlib.sha256(corpus_digest(collection.corpus).encode())
    for row in (*collection.queries, *collection.qrels):
        digest.update(json.dumps(row).encode() + b"\n")
    return digest.hexdigest()


def model_provenance(name_or_path: str) -> dict[str, str | None]:
    """Return a model's name, its commit on the hub, and its licence as its card states it, each where it is known.

    Ask after the model was loaded: only then its commit is certainly known.
    """
    is_directory = Path(name_or_path).is_dir()
    card = read_card(name_or_path)
    return {
        "name": name_or_path,
        "revision": None if is_directory else hub_revision(name_or_path),
        "license": None if card is None else stated_license(card),
    }


def source_commit(file: Path = Path(__file__)) -> str | None:
    """Return the commit of the checkout that a file is part of, `-dirty` where something differs; None outside one."""
    git = shutil.which("git")
    if git is None:
        return None
    found = ""
    # A file that lies in a checkout of something else, in a virtual environment perhaps, is not part of it.
    for asked in (
        ["ls-files", "--error-unmatch", file.name],
        ["describe", "--always", "--exclude=*", "--abbrev=12", "--dirty"],
    ):
        done = subprocess.run([git, *asked], cwd=file.parent, capture_output=True, text=True, check=False)  # noqa: S603
        if done.returncode:
            return None
        found = done.stdout.strip()
    return found


def _directory_digest(name_or_path: str) -> str | None:
    """Return the digest of a directory; a hub id is told apart by its revision."""
    directory = Path(name_or_path)
    return model_digest(directory) if directory.is_dir() else None
