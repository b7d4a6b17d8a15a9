"""One writer at a time."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from kivuko.errors import ConfigError, DataError

LOCK = "writer.lock"


@contextmanager
def holding(lock: FileLock, directory: Path) -> Iterator[None]:
    """Keep every other writer out. The lock's file stays: one that was removed could be held by two.

    Args:
        lock: The lock of the store, `LOCK` in its directory.
        directory: The store, to name it.

    Raises:
        ConfigError: If another process is writing, or another thread or object of this one.
        DataError: If nothing can be written there.
    """
    try:
        (directory / LOCK).touch()  # says what is wrong where nothing can be written; the lock would wait for a writer
        lock.acquire()
    except Timeout:
        raise ConfigError(f"Another process is writing {directory}: try again when it is done.") from None
    except OSError as error:
        raise DataError(f"The store {directory} cannot be written: {error}.") from error
    try:
        yield
    finally:
        lock.release()
