import json
import shutil
from pathlib import Path

import pytest

from kivuko.errors import ModelError
from kivuko.models.encoder import model_digest
from kivuko.search.lineage import Lineage, direction, identities, read_lineage, refuse_stranger
from kivuko.search.manifest import FileRecord, Manifest

TEACHER, OTHER = "a" * 64, "b" * 64
STUDENT = Lineage("student", "c" * 64, (TEACHER,), ("sw",))
SIBLING = Lineage("sibling", "d" * 64, (TEACHER,), ("ha",))


def made_by(encoder: Lineage, language: str | None = None) -> Manifest:
    files = {"documents.jsonl": FileRecord(bytes=0, sha256="")}
    return Manifest(
        **identities(encoder), language=language, dim=8, dtype="float16", documents=1, tokens=1, files=files
    )


@pytest.mark.parametrize(
    ("index", "asker"),
    [
        (Lineage("teacher", TEACHER), Lineage("teacher", TEACHER)),  # English over English
        (Lineage("teacher", TEACHER), STUDENT),  # L over English
        (STUDENT, Lineage("teacher", TEACHER)),  # English over L
        (STUDENT, STUDENT),  # L over L
        (STUDENT, SIBLING),  # L over another language
    ],
)
def test_those_that_share_a_space_may_ask(index: Lineage, asker: Lineage) -> None:
    assert refuse_stranger(made_by(index), asker, "index") is None


@pytest.mark.parametrize(
    ("index", "asker", "why"),
    [
        (Lineage("teacher", TEACHER), Lineage("other", OTHER), "is another model, and no student of it"),
        (Lineage("other", OTHER), STUDENT, "is the student of another teacher"),
        (STUDENT, Lineage("other", OTHER), "is neither that student nor its teacher"),
        (STUDENT, SIBLING._replace(teachers=(OTHER,)), "is the student of another teacher"),
    ],
)
def test_strangers_are_refused_with_the_reason(index: Lineage, asker: Lineage, why: str) -> None:
    with pytest.raises(ModelError, match=f"{asker.name} does not belong to index: .*{why}.*--any-model"):
        refuse_stranger(made_by(index), asker, "index")


@pytest.mark.parametrize(
    ("index", "asker"),
    [
        (Lineage("teacher", None), STUDENT),
        (Lineage("teacher", TEACHER), Lineage("hub/model", None)),
        (Lineage("hub/model", "e" * 40), Lineage("copy", OTHER)),  # a commit, and the digest of files
    ],
)
def test_what_cannot_be_known_is_a_warning(index: Lineage, asker: Lineage) -> None:
    assert "is not known" in (refuse_stranger(made_by(index), asker, "index") or "")


def test_the_direction_names_both_languages() -> None:
    assert str(direction(made_by(Lineage("teacher", TEACHER), "en"), STUDENT)) == "sw -> en"
    assert str(direction(made_by(STUDENT, "sw"), Lineage("teacher", TEACHER))) == "? -> sw"


def test_a_student_is_known_by_its_record_and_the_teacher_beside_it(tiny_encoder_dir: Path, tmp_path: Path) -> None:
    student = tmp_path / "student"
    shutil.copytree(tiny_encoder_dir, student)
    (student / "note.txt").write_text("another model")
    shutil.copytree(tiny_encoder_dir, student / "teacher")
    record = {
        "config": {"dimensions": None, "target": ["sw"]},
        "inputs": {"teacher_sha256": OTHER},
        "models": {"teacher": {"revision": None}},
    }
    (student / "kivuko.json").write_text(json.dumps(record))
    found = read_lineage(student)
    assert found == Lineage(str(student), model_digest(student), (model_digest(tiny_encoder_dir), OTHER), ("sw",))
    record["config"]["dimensions"] = 16  # projected: what came before the projection is another space
    (student / "kivuko.json").write_text(json.dumps(record))
    assert read_lineage(student).teachers == (model_digest(tiny_encoder_dir),)


@pytest.mark.parametrize("record", ["{", '{"config": {"target": ["sw"]}}', '{"config": {"dimensions": null}}'])
def test_a_broken_record_is_refused(tmp_path: Path, record: str) -> None:
    (tmp_path / "kivuko.json").write_text(record)
    with pytest.raises(ModelError, match=r"kivuko\.json"):
        read_lineage(tmp_path)
