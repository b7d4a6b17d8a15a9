import errno
import os
import shutil
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path

import pytest

from kivuko.errors import ConfigError, DataError
from kivuko.search import staging
from kivuko.search.staging import ATTEMPTS, exclusive, place_of, read_whole, replace_directory, staged_directory


@pytest.fixture(params=[True, False], ids=["exchange", "two moves"])
def exchanges(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Whether the file system can exchange directories."""
    if not request.param:
        monkeypatch.setattr(staging, "_exchange", lambda one, other: False)
    return bool(request.param)


def read_file(directory: Path) -> str:
    return (directory / "file").read_text()


def test_what_a_process_killed_between_two_renames_moved_aside_is_put_back(tmp_path: Path) -> None:
    directory = tmp_path / "index"
    (tmp_path / ".index.old").mkdir()
    (tmp_path / ".index.old" / "file").write_text("old")
    with staged_directory(directory) as stage:
        assert (directory / "file").read_text() == "old"
        (stage / "file").write_text("new")
    assert [path.name for path in tmp_path.iterdir()] == ["index"]
    assert (directory / "file").read_text() == "new"


@pytest.mark.usefixtures("exchanges")
def test_a_stage_that_cannot_take_its_place_leaves_the_old_directory(tmp_path: Path) -> None:
    directory = tmp_path / "index"
    directory.mkdir()
    (directory / "file").write_text("old")
    with pytest.raises(FileNotFoundError), staged_directory(directory) as stage:
        shutil.rmtree(stage)
    assert (directory / "file").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["index"]


def test_two_processes_cannot_write_the_same_directory(tmp_path: Path) -> None:
    script = (
        "import sys\nfrom pathlib import Path\nfrom kivuko.search.staging import exclusive\n"
        "with exclusive(Path(sys.argv[1])):\n    print('held', flush=True)\n    sys.stdin.read()\n"
    )
    command = [sys.executable, "-c", script, str(tmp_path / "index")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        with pytest.raises(ConfigError, match="Another process is writing"), exclusive(tmp_path / "index"):
            pass
        other.communicate("")
    with exclusive(tmp_path / "index"):
        pass
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def old_and_new(tmp_path: Path) -> tuple[Path, Path]:
    """A directory, and one that is to take its place."""
    for name in ("model", "stage"):
        (tmp_path / name / "inner").mkdir(parents=True)
        (tmp_path / name / "inner" / "file").write_text(name)
    return tmp_path / "model", tmp_path / "stage"


def test_at_no_move_are_both_the_old_and_the_new_directory_gone(
    old_and_new: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch, exchanges: bool
) -> None:
    model, stage = old_and_new
    aside = model.with_name(".model.old")
    whole: list[list[str]] = []
    found: list[str] = []

    def watched(move: object) -> object:
        def moved(*arguments: object, **options: object) -> object:
            whole.append([path.name for path in (model, stage, aside) if (path / "inner" / "file").exists()])
            found.append(read_whole(model, lambda place: read_file(place / "inner")))
            return move(*arguments, **options)  # type: ignore[operator]

        return moved

    monkeypatch.setattr(os, "rename", watched(os.rename))
    monkeypatch.setattr(shutil, "rmtree", watched(shutil.rmtree))
    replace_directory(stage, model)
    if exchanges:
        assert whole == [["model", "stage"]]
        assert found == ["stage"]
    else:
        assert whole == [["model", "stage"], ["stage", ".model.old"], ["model", ".model.old"]]
        assert found == ["model", "model", "stage"]
    assert (model / "inner" / "file").read_text() == "stage"
    assert [path.name for path in model.parent.iterdir()] == ["model"]


def test_files_are_on_disk_before_they_are_moved_and_the_move_before_the_old_ones_are_deleted(
    old_and_new: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch, exchanges: bool
) -> None:
    model, stage = old_and_new
    events: list[str] = []

    def named(descriptor: int) -> str:
        return Path(f"/proc/self/fd/{descriptor}").readlink().name

    monkeypatch.setattr(os, "fsync", lambda descriptor: events.append(f"sync {named(descriptor)}"))
    rename, rmtree, exchange = os.rename, shutil.rmtree, staging._exchange
    monkeypatch.setattr(
        staging, "_exchange", lambda a, b: exchange(a, b) and (events.append(f"exchange {b.name}") or True)
    )
    monkeypatch.setattr(os, "rename", lambda a, b: events.append(f"move {Path(a).name}") or rename(a, b))
    monkeypatch.setattr(shutil, "rmtree", lambda path: events.append(f"delete {Path(path).name}") or rmtree(path))
    replace_directory(stage, model)
    assert sorted(events[:3]) == ["sync file", "sync inner", "sync stage"]
    parent = f"sync {model.parent.name}"
    if exchanges:
        assert events[3:] == ["exchange model", parent, "delete stage"]
    else:
        assert events[3:] == ["move model", "move stage", parent, "delete .model.old"]


@pytest.mark.skipif(sys.platform != "linux", reason="renameat2 is Linux's")
def test_where_directories_cannot_be_exchanged_they_are_moved_and_other_errors_are_told(
    old_and_new: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    model, stage = old_and_new
    for number in (errno.EINVAL, errno.ENOSYS, errno.ENOTSUP):
        monkeypatch.setattr(staging.ctypes, "get_errno", lambda number=number: number)
        assert staging._exchange(model / "none", stage) is False
    monkeypatch.undo()
    with pytest.raises(FileNotFoundError):
        staging._exchange(model / "none", stage)
    assert staging._exchange(model, stage) is True
    assert read_file(model / "inner") == "stage"


@pytest.mark.usefixtures("exchanges")
def test_what_is_read_is_of_one_directory_though_another_takes_its_place_meanwhile(
    old_and_new: tuple[Path, Path],
) -> None:
    model, stage = old_and_new

    def read(place: Path) -> tuple[str, str]:
        first = read_file(place / "inner")
        if stage.exists():
            replace_directory(stage, model)
        return first, read_file(place / "inner")

    assert read_whole(model, read) == ("stage", "stage")


def test_a_file_that_vanishes_with_the_directory_is_looked_for_again_and_otherwise_missed(
    old_and_new: tuple[Path, Path],
) -> None:
    model, stage = old_and_new

    def read(place: Path) -> str:
        if stage.exists():
            replace_directory(stage, model)
            raise DataError("a file is missing")
        return read_file(place)

    with pytest.raises(FileNotFoundError):
        read_whole(model, read)
    (model / "file").write_text("new")
    assert read_whole(model, read) == "new"


def test_what_is_moved_aside_while_it_is_read_is_read_there(old_and_new: tuple[Path, Path]) -> None:
    model, _ = old_and_new

    def read(place: Path) -> str:
        if place == model:
            model.rename(model.with_name(".model.old"))
        return read_file(place / "inner")

    assert read_whole(model, read) == "model"


def test_what_is_replaced_whenever_it_is_read_is_given_up(tmp_path: Path) -> None:
    times: list[int] = []

    def read(place: Path) -> None:
        with staged_directory(tmp_path / "index"):
            times.append(1)

    (tmp_path / "index").mkdir()
    with pytest.raises(DataError, match=f"was replaced {ATTEMPTS} times while it was read"):
        read_whole(tmp_path / "index", read)
    assert len(times) == ATTEMPTS


def test_what_was_moved_aside_is_read_until_somebody_writes(tmp_path: Path) -> None:
    directory = tmp_path / "index"
    aside = tmp_path / ".index.old"
    aside.mkdir()
    (aside / "file").write_text("old")
    (tmp_path / "link").symlink_to("index")
    assert read_whole(directory, read_file) == read_whole(tmp_path / "link", read_file) == "old"
    assert place_of(directory) == aside
    directory.mkdir()
    assert place_of(directory) == directory
    assert place_of(Path()) == Path()


@pytest.mark.usefixtures("exchanges")
@pytest.mark.parametrize("name", ["index", ".index.old"])
def test_files_are_not_taken_for_directories_and_stay(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("mine")
    with pytest.raises(ConfigError, match="is a file") if name == "index" else nullcontext():  # noqa: SIM117
        with staged_directory(tmp_path / "index") as stage:
            (stage / "file").write_text("new")
    assert (tmp_path / name).read_text() == "mine"
    assert {path.name for path in tmp_path.iterdir()} == {name, "index"}
