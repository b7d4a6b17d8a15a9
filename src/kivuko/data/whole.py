"""Files that appear whole or not at all."""

import secrets
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO

from kivuko.errors import DataError


@contextmanager
def written_whole(*paths: Path) -> Iterator[list[IO[str]]]:
    """Yield a text file to write for each path; they get their names when the block ends well.

    Until then each has a name of its own in the same folder, so that two processes that write the same path do not
    write into each other's file: the last one to end has it. What had a name before is replaced.

    Raises:
        DataError: If one cannot be written; then none is left, and what was there stays.
    """
    beside = [path.with_name(f".{path.name}.{secrets.token_hex(4)}.partial") for path in paths]
    try:
        with ExitStack() as stack:
            yield [stack.enter_context(each.open("x", encoding="utf-8", newline="\n")) for each in beside]
        for partial, path in zip(beside, paths, strict=True):
            partial.replace(path)
    except OSError as error:
        raise DataError(f"{paths[0]} cannot be written: {error}.") from error
    finally:
        for partial in beside:
            partial.unlink(missing_ok=True)
