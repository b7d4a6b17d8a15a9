"""A directory that appears whole or not at all."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from kivuko.errors import DataError


@contextmanager
def staged_directory(directory: Path) -> Iterator[Path]:
    """Yield an empty directory beside `directory` that takes its place when the block ends well.

    A block that fails leaves nothing. What a killed process left is removed by the next one for the same directory;
    two at once are kept apart by a lock.

    Args:
        directory: An absolute path. What is there is replaced.

    Raises:
        DataError: If another process is writing the same directory.
    """
    stage, old = (directory.with_name(f".{directory.name}.{suffix}") for suffix in ("partial", "old"))
    directory.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(directory.with_name(f".{directory.name}.lock"), timeout=0)
    try:
        lock.acquire()
    except Timeout:
        raise DataError(f"Another process is writing {directory}: wait for it, or choose another directory.") from None
    try:
        _restore(old, directory)
        _remove(stage, old)
        stage.mkdir()
        yield stage
        if directory.exists():
            directory.rename(old)
        stage.rename(directory)
        _remove(old)
    except BaseException:
        _remove(stage)
        _restore(old, directory)
        raise
    finally:
        with suppress(OSError):
            Path(lock.lock_file).unlink()
        lock.release()


def _restore(old: Path, directory: Path) -> None:
    """Put back what was moved aside, if nothing came in its place."""
    if old.exists() and not directory.exists():
        old.rename(directory)


def _remove(*directories: Path) -> None:
    for directory in directories:
        if directory.exists():
            shutil.rmtree(directory)
