"""The folder that cleaning writes, and what may be replaced by one."""

from collections.abc import Iterable
from pathlib import Path

from kivuko.errors import ConfigError

RESULTS = frozenset({"kept.tsv", "rejected.tsv", "report.md"})


def check_out(out: Path, inputs: Iterable[Path], *, overwrite: bool) -> None:
    """Make sure that nothing is lost when a folder takes the place of `out`, except what cleaning wrote there before.

    Args:
        out: Where the folder is to be.
        inputs: What is read: files and folders, or how `--bitext` spells them (several with commas between, or what the
            names of two files have in common).
        overwrite: Whether the results of a former cleaning may be replaced.

    Raises:
        ConfigError: If `out` is there, and is anything else than a folder with nothing but such results in it, none of
            them an input; or if it is one, and is not to be replaced.
    """
    if not out.exists():
        return
    if not out.is_dir():
        raise ConfigError(f"{out} is a file. Choose another --out: a new folder.")
    if not overwrite:
        raise ConfigError(f"{out} is there already. Choose another --out, or give --overwrite.")
    place = out.resolve()
    if Path.cwd().is_relative_to(place):
        raise ConfigError(f"{out} is the working directory, or holds it, and is not replaced. Choose another --out.")
    for each in inputs:
        if any(Path(part).resolve().is_relative_to(place) for part in (str(each), *str(each).split(","))):
            raise ConfigError(f"{out} holds {each}, which is read, and is not replaced. Choose another --out.")
    others = sorted(each.name for each in out.iterdir() if each.name not in RESULTS or not each.is_file())
    if others:
        more = f" and {len(others) - 1:,} more" if len(others) > 1 else ""
        raise ConfigError(
            f"{out} holds {others[0]}{more}, which `kivuko bitext clean` did not write, and is not replaced. "
            "Choose another --out."
        )
