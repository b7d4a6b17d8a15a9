"""Work in processes: who begins when, and what a failure does to the rest."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from kivuko.data.settings import parse_config
from kivuko.errors import DataError
from kivuko.experiment.comparison import CompareConfig
from kivuko.experiment.comparison.workers import Workers


def touch(config: CompareConfig, item: str, out: Path) -> None:
    time.sleep(0.1)
    (out / item).touch()


def fail(config: CompareConfig, item: str, out: Path) -> None:
    raise DataError("nothing there")


class Notes(list[tuple[str, str]]):
    """What was told of which item."""

    def __call__(self, state: str, item: str, detail: str) -> None:
        self.append((state, item))

    def of(self, state: str) -> list[str]:
        return [item for told, item in self if told == state]


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("comparison")


@pytest.fixture(scope="module")
def nothing() -> CompareConfig:
    """A comparison that only travels to the workers."""
    task = {"name": "tiny", "collection": "tiny"}
    told = {
        "teacher": "teacher",
        "languages": [{"code": "sw", "bitext": [{"path": "en-sw.tsv", "language": "sw"}], "tasks": [task]}],
        "systems": [{"name": "transport", "objectives": [{"name": "transport"}]}],
        "pairs": [32],
    }
    return parse_config(CompareConfig, told, origin="test")


@pytest.fixture(scope="module")
def two(nothing: CompareConfig, out: Path) -> Iterator[Workers]:
    """Two processes, which all tests use: to start them takes seconds."""
    with Workers(nothing, out, 2) as workers:
        yield workers


def test_one_job_works_in_this_process_in_order(nothing: CompareConfig, out: Path) -> None:
    notes = Notes()
    with Workers(nothing, out, 1) as workers:
        workers.run(touch, ["x", "y"], progress=notes)
    assert notes == [("started", "x"), ("done", "x"), ("started", "y"), ("done", "y")]
    assert (out / "x").exists()


def test_items_of_one_kind_wait_for_their_first(two: Workers, out: Path) -> None:
    notes = Notes()
    two.run(touch, ["a1", "a2", "a3", "b1", "b2"], progress=notes, first_alone=lambda item: item[0])
    assert notes.of("started")[:2] == ["a1", "b1"]
    assert all((out / item).exists() for item in ("a1", "a2", "a3", "b1", "b2"))


def test_nobody_idles_where_there_is_only_one_kind(two: Workers) -> None:
    notes = Notes()
    two.run(touch, ["c1", "c2"], progress=notes, first_alone=lambda item: item[0])
    assert notes[:2] == [("started", "c1"), ("started", "c2")]


def test_failure_names_its_item_and_begins_no_other(two: Workers) -> None:
    notes = Notes()
    with pytest.raises(DataError, match="a: nothing there"):
        two.run(fail, ["a", "a", "b", "c", "d"], progress=notes)
    assert len(notes.of("started")) < 5
