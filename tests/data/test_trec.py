import gzip
import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ir_measures import ScoredDoc

from kivuko.data.trec import read_run, write_run
from kivuko.errors import DataError

BETWEEN = struct.unpack("<f", struct.pack("<I", 0x41200001))[0]  # the float32 after 10


def test_a_run_comes_back_as_it_was_ranked(tmp_path: Path) -> None:
    run = [
        ScoredDoc("q2", "d1", 10.0),
        ScoredDoc("q2", "d3", BETWEEN),
        ScoredDoc("q1", "d1", -1.5),
        ScoredDoc("q2", "d2", 10.0),
    ]
    write_run(tmp_path / "run.trec", run, tag="test")
    assert (tmp_path / "run.trec").read_text().splitlines() == [
        "q2 Q0 d3 1 10.000000953674316 test",
        "q2 Q0 d2 2 10.0 test",
        "q2 Q0 d1 3 10.0 test",
        "q1 Q0 d1 1 -1.5 test",
    ]
    assert read_run(tmp_path / "run.trec") == [run[1], run[3], run[0], run[2]]


@given(scores=st.lists(st.floats(allow_nan=False), min_size=1, max_size=20))
def test_scores_survive_to_the_last_digit(tmp_path_factory: pytest.TempPathFactory, scores: list[float]) -> None:
    path = tmp_path_factory.mktemp("run") / "run.trec"
    run = [ScoredDoc("q", str(number), score) for number, score in enumerate(scores)]
    write_run(path, run)
    assert sorted(read_run(path)) == sorted(run)


def test_a_gzipped_run_is_read(tmp_path: Path) -> None:
    path = tmp_path / "run.trec.gz"
    path.write_bytes(gzip.compress(b"q Q0 d 1 2.5 x\n"))
    assert read_run(path) == [ScoredDoc("q", "d", 2.5)]


@pytest.mark.parametrize(
    ("result", "message"),
    [
        (ScoredDoc("q", "my file.txt", 1.0), "doc_id 'my file.txt' cannot be written"),
        (ScoredDoc("", "d", 1.0), "query_id '' cannot be written"),
        (ScoredDoc("q", "a\u00a0b", 1.0), "cannot be written"),
        (ScoredDoc("q", "d", float("nan")), "is not a number"),
    ],
)
def test_what_the_format_cannot_hold_is_refused_and_the_old_run_stays(
    tmp_path: Path, result: ScoredDoc, message: str
) -> None:
    path = tmp_path / "run.trec"
    path.write_text("old")
    with pytest.raises(DataError, match=message):
        write_run(path, [ScoredDoc("q", "ok", 2.0), result])
    assert [entry.name for entry in tmp_path.iterdir()] == ["run.trec"]
    assert path.read_text() == "old"


def test_a_folder_that_cannot_be_written_to_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be written"):
        write_run(tmp_path / "gone" / "run.trec", [ScoredDoc("q", "d", 1.0)])


def test_a_run_that_cannot_take_its_place_leaves_nothing_beside(tmp_path: Path) -> None:
    (tmp_path / "run.trec").mkdir()
    with pytest.raises(DataError, match="cannot be written"):
        write_run(tmp_path / "run.trec", [ScoredDoc("q", "d", 1.0)])
    assert [entry.name for entry in tmp_path.iterdir()] == ["run.trec"]


@pytest.mark.parametrize("line", ["q Q0 d 1 high x", "q Q0 d 1 0.5", "a b c d e f g"])
def test_a_malformed_run_is_refused_by_line(tmp_path: Path, line: str) -> None:
    path = tmp_path / "run.trec"
    path.write_text(f"q Q0 d 1 1.0 x\n{line}\n")
    with pytest.raises(DataError, match=r"run\.trec, line 2: expected"):
        read_run(path)


def test_a_missing_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="does not exist"):
        read_run(tmp_path / "run.trec")
