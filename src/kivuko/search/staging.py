"""A directory that appears whole or not at all."""

import ctypes
import errno
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, TypeVar

from filelock import FileLock, Timeout

from kivuko.errors import ConfigError, DataError

ATTEMPTS = 10  # to read a directory before a writer has replaced it

_AT_FDCWD: Final = -100  # Linux: paths count from the working directory
_RENAME_EXCHANGE: Final = 2
_CANNOT_EXCHANGE: Final = (errno.EINVAL, errno.ENOSYS, errno.ENOTSUP)  # what kernels and file systems say that cannot

T = TypeVar("T")


@contextmanager
def staged_directory(directory: Path) -> Iterator[Path]:
    """Yield an empty directory beside `directory` that takes its place when the block ends well.

    A block that fails leaves nothing. What a killed process left is removed by the next one for the same directory;
    two at once are kept apart by a lock.

    Args:
        directory: An absolute path. What is there is replaced: who must not lose it looks in the block, where no other
            process can write and what one that was killed moved aside is back.

    Raises:
        ConfigError: If another process is writing the same directory, or a file is in its place.
    """
    stage = directory.with_name(f".{directory.name}.partial")
    with exclusive(directory):
        if directory.exists() and not directory.is_dir():
            raise ConfigError(f"{directory} is a file: choose another place for a directory.")
        try:
            _remove(stage)
            stage.mkdir()
            yield stage
            replace_directory(stage, directory)
        except BaseException:
            _remove(stage)
            raise


@contextmanager
def exclusive(directory: Path) -> Iterator[None]:
    """Keep every other process from writing `directory` in this block, and mend what one that was killed left of it.

    Raises:
        ConfigError: If another process is writing it.
        OSError: If nothing can be written there.
    """
    directory.parent.mkdir(parents=True, exist_ok=True)
    path = directory.with_name(f".{directory.name}.lock")
    path.touch()  # says what is wrong where nothing can be written; the lock would take that for another process
    lock = FileLock(path, timeout=0)
    try:
        lock.acquire()
    except Timeout:
        raise ConfigError(
            f"Another process is writing {directory}: wait for it, or choose another directory."
        ) from None
    try:
        _restore(directory)
        yield
    finally:
        with suppress(OSError):
            path.unlink()
        lock.release()


def replace_directory(stage: Path, directory: Path) -> None:
    """Let `stage` take the place of `directory`, on disk to the last byte before anything that was there is removed.

    The two change places in one step, and the old one is deleted: whoever opens `directory` finds one of them, whole,
    and so does one who comes after the process was killed. Where the system or the file system cannot exchange
    directories (Linux's `renameat2` can, on ext4, XFS, Btrfs and tmpfs; NFS and other systems cannot), the old one is
    moved aside and the new one moved in. Between these two moves nothing is in the place: `read_whole` reads what was
    moved aside, and `exclusive` puts it back if the process was killed there.

    Args:
        stage: A directory on the same file system.
        directory: Where it is to be; held by `exclusive`.
    """
    for path in (*stage.rglob("*"), stage):
        _sync(path)
    if directory.exists() and _exchange(stage, directory):
        for parent in {directory.parent, stage.parent}:
            _sync(parent)
        _remove(stage)
        return
    old = _aside(directory)
    _remove(old)
    if directory.exists():
        directory.rename(old)
    try:
        stage.rename(directory)
    except BaseException:
        _restore(directory)
        raise
    _sync(directory.parent)
    _remove(old)


def read_whole(directory: Path, read: Callable[[Path], T]) -> T:
    """Read files of a directory that another process may replace meanwhile, all of them from one and the same.

    What was read, or was found wrong, counts if no other directory took the place until the end; otherwise it is read
    again.

    Args:
        directory: Where `staged_directory` or `replace_directory` writes.
        read: Opens files below the path that it is given.

    Raises:
        DataError: If it was replaced again each time; also what `read` raises.
    """
    for _ in range(ATTEMPTS):
        place = place_of(directory)
        with _held(place) as held:
            try:
                found = read(place)
            except (DataError, OSError):
                if place_of(directory) == place and _is_at(place, held):
                    raise
                continue
            if place_of(directory) == place and _is_at(place, held):
                return found
    raise DataError(f"{directory} was replaced {ATTEMPTS} times while it was read: try again when nobody writes it.")


def place_of(directory: Path) -> Path:
    """Return where a directory is: in its place, or beside it if a process was killed between two moves."""
    if directory.exists():
        return directory
    old = _aside(directory.resolve())
    return old if old.exists() else directory


@contextmanager
def _held(directory: Path) -> Iterator[int | None]:
    """Keep a directory open, so that no other one gets its number; None where there is none."""
    try:
        descriptor = os.open(directory, getattr(os, "O_PATH", os.O_RDONLY))
    except OSError:
        yield None
        return
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _is_at(place: Path, held: int | None) -> bool:
    """Say whether a directory that is kept open is still where it was, or nothing is there as before."""
    try:
        now = place.stat()
    except OSError:
        return held is None
    return held is not None and os.path.samestat(os.fstat(held), now)


def _exchange(one: Path, other: Path) -> bool:
    """Let two directories change places in one step; False where that cannot be done."""
    if sys.platform != "linux":
        return False
    try:
        renameat2 = ctypes.CDLL(None, use_errno=True).renameat2
    except (OSError, AttributeError):  # an old C library
        return False
    if renameat2(_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other), _RENAME_EXCHANGE) == 0:
        return True
    error = ctypes.get_errno()
    if error in _CANNOT_EXCHANGE:
        return False
    raise OSError(error, os.strerror(error), str(one), None, str(other))


def _sync(path: Path) -> None:
    """Wait until a file, or the list of a folder's entries, is on disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _aside(directory: Path) -> Path:
    return directory.with_name(f".{directory.name}.old")


def _restore(directory: Path) -> None:
    """Put back what was moved aside if nothing came in its place, and remove it otherwise."""
    old = _aside(directory)
    if old.is_dir() and not directory.exists():
        old.rename(directory)
    _remove(old)


def _remove(directory: Path) -> None:
    if directory.is_dir():  # a file of that name is somebody else's
        shutil.rmtree(directory)
