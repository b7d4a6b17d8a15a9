"""The command `kivuko`: runs the app and turns a user's mistake into one clear line and exit code 2."""

import errno
import sys

from kivuko.cli import app
from kivuko.errors import KivukoError

# What the machine refuses to write or read; anything else of the operating system is a failed run.
_USER_CAN_MEND = {
    errno.ENOENT,
    errno.EEXIST,
    errno.ENOSPC,
    errno.EDQUOT,
    errno.EROFS,
    errno.EACCES,
    errno.EPERM,
    errno.ENOTDIR,
    errno.EISDIR,
    errno.ENAMETOOLONG,
}


def main() -> None:
    """Run the command line."""
    try:
        app()
    except KivukoError as error:
        _fail(str(error))
    except OSError as error:
        if error.errno not in _USER_CAN_MEND:
            raise
        where = f" {error.filename}:" if error.filename else ""
        _fail(f"{where.strip()} {error.strerror}. Free some space, or choose another place to write to.".strip())
    except KeyboardInterrupt:
        sys.stderr.write("interrupted\n")
        sys.exit(130)


def _fail(message: str) -> None:
    sys.stderr.write(f"error: {message}\n")
    sys.exit(2)


if __name__ == "__main__":
    main()
