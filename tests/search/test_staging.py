import shutil
from pathlib import Path

import pytest

from kivuko.search.staging import staged_directory


def test_what_a_process_killed_between_two_renames_moved_aside_is_put_back(tmp_path: Path) -> None:
    directory = tmp_path / "index"
    (tmp_path / ".index.old").mkdir()
    (tmp_path / ".index.old" / "file").write_text("old")
    with staged_directory(directory) as stage:
        assert (directory / "file").read_text() == "old"
        (stage / "file").write_text("new")
    assert [path.name for path in tmp_path.iterdir()] == ["index"]
    assert (directory / "file").read_text() == "new"


def test_a_stage_that_cannot_take_its_place_leaves_the_old_directory(tmp_path: Path) -> None:
    directory = tmp_path / "index"
    directory.mkdir()
    (directory / "file").write_text("old")
    with pytest.raises(FileNotFoundError), staged_directory(directory) as stage:
        shutil.rmtree(stage)
    assert (directory / "file").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["index"]
