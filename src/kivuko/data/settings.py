"""Configs from TOML files and flags, with errors that name the nearest right key."""

import difflib
import tomllib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from kivuko.errors import ConfigError

Model = TypeVar("Model", bound=BaseModel)


def load_config(path: Path, model: type[Model], **overrides: Any) -> Model:
    """Read a config from a TOML file; relative paths are left relative to the working directory.

    Args:
        path: The file.
        model: The config's class.
        **overrides: Values that take the place of the file's; a table replaces only the keys that it has.

    Raises:
        ConfigError: If the file is missing, is not TOML, or a key or value is wrong; a wrong key is answered with the
            nearest right one.
    """
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ConfigError(f"Config {path}: expected a TOML file, there is none.") from error
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"Config {path} cannot be read as TOML: {error}") from error
    for key, value in overrides.items():
        table = values.get(key, {})
        if not isinstance(value, dict):
            values[key] = value
        elif value and isinstance(table, dict):
            values[key] = table | value
    return parse_config(model, values, origin=str(path))


def parse_config(model: type[Model], values: dict[str, Any], *, origin: str) -> Model:
    """Build a config from plain values.

    Args:
        model: The config's class.
        values: Its values.
        origin: Where they come from, for the error.

    Raises:
        ConfigError: If a key or a value is wrong.

    Example:
        >>> from kivuko.config import TrainingConfig
        >>> parse_config(TrainingConfig, {"batchsize": 8}, origin="config.toml")
        Traceback (most recent call last):
        kivuko.errors.ConfigError: config.toml: there is no key 'batchsize'; did you mean 'batch_size'?
    """
    try:
        return model.model_validate(values)
    except ValidationError as error:
        problems = [_describe(problem, model) for problem in _causes(error.errors())]
        raise ConfigError(f"{origin}: {'; '.join(problems)}") from error


def _causes(problems: Sequence[Any]) -> Iterator[Any]:
    """Leave out a list that is called too short only because its entries were refused, which is said already."""
    for problem in problems:
        place = problem["loc"]
        is_within = any(each["loc"][: len(place)] == place != each["loc"] for each in problems)
        if not (problem["type"] == "too_short" and is_within):
            yield problem


def _describe(problem: Any, model: type[BaseModel]) -> str:
    location = [part for part in problem["loc"] if isinstance(part, str | int)]
    name = ".".join(str(part) for part in location)
    match problem["type"]:
        case "extra_forbidden":
            near = difflib.get_close_matches(str(location[-1]), _keys(model, location[:-1]), n=1, cutoff=0.5)
            hint = f"did you mean '{near[0]}'?" if near else f"expected one of {', '.join(_keys(model, location[:-1]))}"
            return f"there is no key '{name}'; {hint}"
        case "missing":
            return f"the key '{name}' is missing"
        case "value_error":
            return f"{name}: {problem['ctx']['error']}" if name else str(problem["ctx"]["error"])
        case "too_short":
            return f"{name}: expected {problem['ctx']['min_length']} or more, got {problem['ctx']['actual_length']}"
        case "tuple_type" | "list_type":
            return f"{name}: expected a list, got {_short(problem['input'])}"
        case _:
            return f"{name}: {problem['msg'].lower()}, got {_short(problem['input'])}"


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


def _keys(model: type[BaseModel], location: Iterable[str | int]) -> list[str]:
    for part in location:
        if isinstance(part, int):
            continue
        annotation: Any = model.model_fields[part].annotation
        while not (isinstance(annotation, type) and issubclass(annotation, BaseModel)):
            annotation = annotation.__args__[0]
        model = annotation
    return list(model.model_fields)
