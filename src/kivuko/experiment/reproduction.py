"""Published numbers as commands: run them and compare."""

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from pydantic import Field

from kivuko.config import Frozen
from kivuko.data.settings import load_config
from kivuko.errors import ConfigError, DataError
from kivuko.experiment.demo import packaged_teacher


class Expectation(Frozen):
    """A command whose JSON holds measures, and what they should be.

    Attributes:
        name: What is measured.
        command: Arguments of `kivuko`, with `{out}` for the folder of the run, `{data}` for that of the data,
            and `{teacher}` for the packaged all-MiniLM-L6-v2.
        expected: Measure -> value.
        tolerance: Largest difference either way.
    """

    name: str
    command: str
    expected: dict[str, float]
    tolerance: float = Field(default=0.02, gt=0, le=1)


class Reproduction(Frozen):
    """A file of `reproductions/`.

    Attributes:
        description: What is reproduced, on what.
        data: Folder of the data, relative to the working directory; the environment's KIVUKO_DATA takes its place.
        variables: Further names for the commands; their values may use `{out}`, `{data}` and `{teacher}`.
        prepare: Commands that make the models; one whose `--out` exists is not repeated.
        measure: What is measured, and expected.
    """

    description: str
    data: Path
    variables: dict[str, str] = Field(default_factory=dict)
    prepare: tuple[str, ...] = ()
    measure: tuple[Expectation, ...] = Field(min_length=1)


class Reproduced(NamedTuple):
    """One measure as it came out.

    Attributes:
        name: What was measured.
        measure: The measure.
        expected: The published value.
        found: The value that came out.
        holds: Whether the difference is within the tolerance.
    """

    name: str
    measure: str
    expected: float
    found: float
    holds: bool


def reproduce(path: Path, out: Path, *, notify: Callable[[str], None]) -> list[Reproduced]:
    """Run a reproduction and compare every measure.

    Args:
        path: The TOML file.
        out: Folder of the run.
        notify: Told each command.

    Raises:
        ConfigError: If the file is wrong.
        DataError: If the data are not there, or a command fails.
    """
    config = load_config(path, Reproduction)
    data = Path(os.environ.get("KIVUKO_DATA", config.data))
    if not data.is_dir():
        raise DataError(f"{path} needs the data folder {data}, which is not there. Set KIVUKO_DATA to where it is.")
    out.mkdir(parents=True, exist_ok=True)
    names = {"out": str(out), "data": str(data), "teacher": str(packaged_teacher())}
    names |= {name: value.format(**names) for name, value in config.variables.items()}
    for command in config.prepare:
        arguments = _arguments(command, names, path)
        target = _out_argument(arguments)
        if target is not None and target.exists():
            continue
        if target is not None and target.with_name(target.name + ".partial").exists():
            arguments.append("--resume")
        _run(arguments, notify)
    results = []
    for expectation in config.measure:
        measures = json.loads(_run(_arguments(expectation.command, names, path), notify))["measures"]
        for measure, expected in expectation.expected.items():
            if measure not in measures:
                raise ConfigError(
                    f"{path}: {expectation.name} has no measure {measure!r}, it has {', '.join(measures)}."
                )
            found = float(measures[measure])
            holds = abs(found - expected) <= expectation.tolerance
            results.append(Reproduced(expectation.name, measure, expected, found, holds))
    return results


def _arguments(command: str, names: dict[str, str], path: Path) -> list[str]:
    try:
        return shlex.split(command.format(**names))
    except KeyError as error:
        raise ConfigError(f"{path}: there is no variable {error} in {command!r}, only {', '.join(names)}.") from error


def _out_argument(arguments: list[str]) -> Path | None:
    return Path(arguments[arguments.index("--out") + 1]) if "--out" in arguments[:-1] else None


def _run(arguments: list[str], notify: Callable[[str], None]) -> str:
    notify(f"kivuko {shlex.join(arguments)}")
    # The arguments are those of a file that the user chose to run, and no shell reads them.
    done = subprocess.run([sys.executable, "-m", "kivuko", *arguments], stdout=subprocess.PIPE, text=True, check=False)  # noqa: S603
    if done.returncode != 0:
        raise DataError(f"'kivuko {shlex.join(arguments)}' failed with exit code {done.returncode}.")
    return done.stdout
