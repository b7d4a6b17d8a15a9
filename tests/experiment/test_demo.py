"""The demo on a tiny teacher: the same way as with the real one, in seconds."""

import json
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import NamedTuple

import pytest

from kivuko.errors import ConfigError, DataError
from kivuko.experiment import Demo, run_demo
from kivuko.search import load_index

MODELS = ("transplant", "sentence", "transport", "default")
FOLDERS = {"data", *MODELS, "index"}


class Shown(NamedTuple):
    """A demo, where it is, and what it cost."""

    out: Path
    demo: Demo
    cpu_minutes: float


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory, tiny_encoder_dir: Path) -> Shown:
    out = tmp_path_factory.mktemp("demo") / "out"
    begun = time.process_time()
    demo = run_demo(out, teacher=str(tiny_encoder_dir), epochs=0.03)
    return Shown(out, demo, (time.process_time() - begun) / 60)


def test_every_system_is_measured_with_the_floor_first_and_the_ceiling_last(shown: Shown) -> None:
    demo = shown.demo
    systems = list(demo.rows)
    assert systems[0] == "teacher as it is"
    assert systems[1] == "transplant, no training"
    assert systems[-1] == "ceiling: English questions"
    assert len(systems) == 6
    assert all(set(row) == {"nDCG@10", "RR@10", "R@1", "R@10"} for row in demo.rows.values())
    assert all(0 <= value <= 1 for row in demo.rows.values() for value in row.values())
    assert demo.rows["teacher as it is"] != demo.rows["transplant, no training"]


def test_question_is_answered_by_the_default_student_from_the_teachers_index(shown: Shown) -> None:
    out, demo, _ = shown
    assert demo.student == out / "default"
    assert demo.teacher == out / "transplant" / "teacher"
    assert demo.question != demo.original
    assert [hit.score for hit in demo.hits] == sorted((hit.score for hit in demo.hits), reverse=True)
    assert len(demo.hits) == 3
    assert len(load_index(out / "index")) == demo.passages
    assert {path.name for path in out.iterdir()} == FOLDERS


def test_each_model_counts_only_its_own_time(shown: Shown) -> None:
    records = [json.loads((shown.out / name / "kivuko.json").read_text()) for name in MODELS]
    rounding = 0.005 * len(MODELS)
    assert sum(record["cpu_minutes"] for record in records) <= shown.cpu_minutes + rounding


@pytest.mark.parametrize("name", sorted(FOLDERS))
def test_what_the_demo_did_not_make_is_left_alone(tmp_path: Path, tiny_encoder_dir: Path, name: str) -> None:
    mine = tmp_path / name
    mine.mkdir()
    (mine / "en-sw.tsv").write_text("mine\tyangu\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=rf"{name} was not made by kivuko"):
        run_demo(tmp_path, teacher=str(tiny_encoder_dir))
    assert [path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*")] == [name, f"{name}/en-sw.tsv"]
    assert (mine / "en-sw.tsv").read_text(encoding="utf-8") == "mine\tyangu\n"


@pytest.mark.parametrize(("limit", "left"), [(4_096, set()), (450_000, {"data"})], ids=["data", "model"])
def test_full_disk_leaves_nothing_half_written(
    tmp_path: Path,
    tiny_encoder_dir: Path,
    full_disk: Callable[[int], AbstractContextManager[None]],
    limit: int,
    left: set[str],
) -> None:
    with full_disk(limit), pytest.raises(DataError, match="cannot be written"):
        run_demo(tmp_path / "out", teacher=str(tiny_encoder_dir))
    assert {path.name for path in tmp_path.glob("out/*")} == left
    assert (tmp_path / "out").exists() == bool(left)


@pytest.mark.slow
def test_an_earlier_demo_is_replaced(shown: Shown, tiny_encoder_dir: Path) -> None:
    out, demo, _ = shown
    again = run_demo(out, teacher=str(tiny_encoder_dir), epochs=0.03)
    assert again.rows == demo.rows
    assert {path.name for path in out.iterdir()} == FOLDERS
