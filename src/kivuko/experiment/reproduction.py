"""Published numbers as commands: run them and compare."""

import hashlib
import json
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import Field

import kivuko
from kivuko.config import Frozen
from kivuko.data.settings import load_config
from kivuko.errors import ConfigError, DataError
from kivuko.experiment.demo import packaged_teacher
from kivuko.experiment.unfinished import write_json

_MADE = "made.json"


class Expectation(Frozen):
    """A command whose JSON holds measures, and what they should be.

    Attributes:
        name: What is measured.
        command: Arguments of `kivuko`, split as a shell would, with `{out}` for the folder of the run, `{data}` for
            that of the data, and `{teacher}` for the packaged all-MiniLM-L6-v2.
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
        variables: Further names for the commands, each for one argument or more; their values may use `{out}`, `{data}`
            and `{teacher}`.
        prepare: Commands that make the models; one whose `--out` was made by the same command of the same
            inputs is not repeated.
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

    What is wrong with the file, or with what lies in the folder, is said before the first command runs.

    Args:
        path: The TOML file.
        out: Folder of the run.
        notify: Told each command.

    Raises:
        ConfigError: If the file is wrong, or the folder holds what another command made.
        DataError: If the data are not there, or a command fails.
    """
    config = load_config(path, Reproduction)
    data = Path(os.environ.get("KIVUKO_DATA", config.data))
    if not data.is_dir():
        raise DataError(f"{path} needs the data folder {data}, which is not there. Set KIVUKO_DATA to where it is.")
    names = {"out": str(out), "data": str(data)}
    texts = (*config.prepare, *(each.command for each in config.measure), *config.variables.values())
    if any("{teacher}" in text for text in texts):
        names["teacher"] = str(packaged_teacher())
    prepare, measure = _commands(config, path, names)
    # As they would be in any folder, to be compared with those of an earlier run.
    signatures, _ = _commands(config, path, {name: f"{{{name}}}" for name in names})
    steps = _steps(prepare, signatures, out)
    todo = [step for step in steps if not _is_made(step, out)]
    out.mkdir(parents=True, exist_ok=True)
    for step in todo:
        _make(step, out, notify)
    results = []
    for expectation, arguments in zip(config.measure, measure, strict=True):
        measures = _measures(_run(arguments, notify), f"{path}: {expectation.name}", expectation.expected)
        for name, expected in expectation.expected.items():
            holds = abs(measures[name] - expected) <= expectation.tolerance
            results.append(Reproduced(expectation.name, name, expected, measures[name], holds))
    return results


class _Step(NamedTuple):
    """A command that prepares something, the same in words that hold wherever the folders are, and what it reads."""

    arguments: list[str]
    command: list[str]
    inputs: dict[str, str]

    @property
    def target(self) -> Path | None:
        """What the command makes."""
        made = _out_argument(self.arguments)
        return None if made is None else Path(made)

    @property
    def name(self) -> str:
        """What the command makes, in words that hold wherever the folders are."""
        return _out_argument(self.command) or ""

    @property
    def signature(self) -> dict[str, Any]:
        """What has to be the same for the outcome to be the same."""
        return {"kivuko": kivuko.__version__, "command": self.command, "inputs": self.inputs}


def _commands(config: Reproduction, path: Path, names: Mapping[str, str]) -> tuple[list[list[str]], list[list[str]]]:
    """Return the arguments of the commands that prepare, and of those that measure."""
    values = {name: [value] for name, value in names.items()}
    variables = {name: _arguments(text, values, path) for name, text in config.variables.items()}
    prepare = [_arguments(text, variables | values, path) for text in config.prepare]
    return prepare, [_arguments(each.command, variables | values, path) for each in config.measure]


def _arguments(text: str, values: Mapping[str, list[str]], path: Path) -> list[str]:
    """Split a command into arguments, then put values in: one with a space in it stays one argument.

    A variable of several arguments has to stand alone.
    """
    single = {name: value[0] for name, value in values.items() if len(value) == 1}
    arguments = []
    try:
        for part in shlex.split(text):
            alone = values.get(part[1:-1]) if part.startswith("{") and part.endswith("}") else None
            arguments += [part.format(**single)] if alone is None else alone
    except KeyError as error:
        name = str(error.args[0])
        what = "has several words and has to stand alone" if name in values else f"is not one of {', '.join(values)}"
        raise ConfigError(f"{path}: the variable {name!r} in {text!r} {what}.") from error
    except (ValueError, IndexError, AttributeError) as error:
        raise ConfigError(f"{path}: {text!r} cannot be read as a command: {error}.") from error
    return arguments


def _steps(prepare: Sequence[list[str]], commands: Sequence[list[str]], out: Path) -> list[_Step]:
    """Return the commands that prepare with digests of what they read, be it there or made by a command before."""
    steps: list[_Step] = []
    for arguments, command in zip(prepare, commands, strict=True):
        target, inputs = _out_argument(arguments), {}
        for argument, word in zip(arguments, command, strict=True):
            path = Path(argument.partition("=")[2] if argument.startswith("--") else argument)
            makers = [step for step in steps if step.target and path.is_relative_to(step.target)]
            if makers:
                inputs[word] = hashlib.sha256(json.dumps(makers[-1].signature).encode()).hexdigest()
            elif argument != target and path.name and path.exists() and not path.is_relative_to(out):
                inputs[word] = _digest(path)
        steps.append(_Step(arguments, command, inputs))
    return steps


def _digest(path: Path) -> str:
    """Return the SHA-256 digest of a file, or of all files of a directory with their names."""
    digest = hashlib.sha256()
    for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
        if file.is_file():
            digest.update(f"{file.relative_to(path).as_posix()}\n".encode())
            with file.open("rb") as content:
                digest.update(hashlib.file_digest(content, "sha256").digest())
    return digest.hexdigest()


def _is_made(step: _Step, out: Path) -> bool:
    """Say whether a command's output is there; refuse one that another command, or another kivuko, made.

    One that was made of other inputs is not there; one that was made before inputs were noted is believed.
    """
    if step.target is None or not step.target.exists():
        return False
    made = _made(out).get(step.name)
    if made is not None and made | {"inputs": {}} == step.signature | {"inputs": {}}:
        return bool(made.get("inputs", step.inputs) == step.inputs)
    by = "nothing says by which" if made is None else f"but kivuko {made['kivuko']}, '{' '.join(made['command'])}'"
    raise ConfigError(
        f"{step.target} is there already, and was not made by kivuko {kivuko.__version__}, '{' '.join(step.command)}' "
        f"({by}). Remove it, or give another folder with --out."
    )


def _make(step: _Step, out: Path, notify: Callable[[str], None]) -> None:
    target = step.target
    if target is None:
        _run(step.arguments, notify)
        return
    old = target.with_name(target.name + ".replaced")
    if target.exists():  # made of other inputs; kept until the new one is there
        notify(f"{target} was made of other inputs and is made again")
        shutil.rmtree(old, ignore_errors=True)
        target.rename(old)
    is_begun = target.with_name(target.name + ".partial").exists()
    try:
        _run([*step.arguments, "--resume"] if is_begun else step.arguments, notify)
    except DataError:
        if old.exists() and not target.exists():
            old.rename(target)
        raise
    write_json(out / _MADE, _made(out) | {step.name: step.signature})
    shutil.rmtree(old, ignore_errors=True)


def _made(out: Path) -> dict[str, Any]:
    """Return what was made in the folder, by its name: the command, its inputs and the version of kivuko."""
    try:
        return dict(json.loads((out / _MADE).read_text(encoding="utf-8")))
    except FileNotFoundError:
        return {}
    except (ValueError, TypeError) as error:
        raise ConfigError(
            f"{out / _MADE} is damaged: {error}. Remove the folder, or give another with --out."
        ) from error


def _measures(printed: str, what: str, wanted: Iterable[str]) -> dict[str, float]:
    """Read the measures that a command printed."""
    try:
        measures = {name: float(value) for name, value in json.loads(printed)["measures"].items()}
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise ConfigError(
            f"{what} has to print JSON with measures, as `kivuko evaluate --json` does; it printed {printed[:80]!r}."
        ) from error
    for name in wanted:
        if name not in measures:
            raise ConfigError(f"{what} has no measure {name!r}, it has {', '.join(measures)}.")
    return measures


def _out_argument(arguments: list[str]) -> str | None:
    return arguments[arguments.index("--out") + 1] if "--out" in arguments[:-1] else None


def _run(arguments: list[str], notify: Callable[[str], None]) -> str:
    notify(f"kivuko {shlex.join(arguments)}")
    # The arguments are those of a file that the user chose to run, and no shell reads them.
    done = subprocess.run([sys.executable, "-m", "kivuko", *arguments], stdout=subprocess.PIPE, text=True, check=False)  # noqa: S603
    if done.returncode != 0:
        raise DataError(f"'kivuko {shlex.join(arguments)}' failed with exit code {done.returncode}.")
    return done.stdout
