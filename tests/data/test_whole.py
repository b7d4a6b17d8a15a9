from pathlib import Path

import pytest

from kivuko.data.whole import written_whole
from kivuko.errors import DataError


def test_two_that_write_one_path_do_not_write_into_each_other(tmp_path: Path) -> None:
    out = tmp_path / "out.tsv"
    with written_whole(out) as (last,):
        last.write("last\n" * 3000)
        with written_whole(out) as (first,):
            first.write("first\n" * 5)
            last.write("last\n" * 3000)
        assert out.read_text(encoding="utf-8") == "first\n" * 5
    assert out.read_text(encoding="utf-8") == "last\n" * 6000
    assert [path.name for path in tmp_path.iterdir()] == ["out.tsv"]


def test_failure_leaves_what_was_there_and_nothing_else(tmp_path: Path) -> None:
    paths = [tmp_path / "kept.tsv", tmp_path / "rejected.tsv"]
    paths[0].write_text("old")
    with pytest.raises(UnicodeEncodeError), written_whole(*paths) as files:
        files[0].writelines(["new", "\ud800"])
    assert paths[0].read_text() == "old"
    assert list(tmp_path.iterdir()) == paths[:1]
    with pytest.raises(DataError, match=r"cannot be written"), written_whole(tmp_path / "missing" / "out.tsv"):
        pass


def test_file_may_be_read_by_whom_the_user_lets_read(tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    plain.write_text("")
    with written_whole(tmp_path / "out.tsv"):
        pass
    assert (tmp_path / "out.tsv").stat().st_mode == plain.stat().st_mode
