"""`kivuko compare`, in this process: the report says how it was made."""

import re
import shlex
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import kivuko
from kivuko.cli import app


def as_toml(value: Any) -> str:
    """Return a value as TOML writes it in one line."""
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {as_toml(each)}" for key, each in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(map(as_toml, value)) + "]"
    return f'"{value}"' if isinstance(value, str) else str(value).lower()


def test_the_report_has_the_command_as_it_was_given_and_what_trained_the_cells(
    values: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    teacher = values.pop("teacher")
    values |= {"languages": values["languages"][:1], "systems": values["systems"][:1], "baselines": [], "fusions": []}
    values |= {"seeds": [0], "pairs": [8], "tuning": {}, "teacher": "elsewhere", "allow_leaks": True}
    (tmp_path / "few.toml").write_text("".join(f"{key} = {as_toml(value)}\n" for key, value in values.items()))
    monkeypatch.chdir(tmp_path)
    given = ["compare", "few.toml", "--teacher", teacher, "--out", "an out", "--resume"]
    monkeypatch.setattr(sys, "argv", ["/usr/bin/kivuko", *given])
    done = CliRunner().invoke(app, given)
    assert done.exit_code == 0, done.output
    told = (tmp_path / "an out" / "report.md").read_text(encoding="utf-8")
    assert f"| command | `kivuko {shlex.join(given)}` |" in told
    assert re.search(
        rf"\| trained by \| kivuko {re.escape(kivuko.__version__)}( at [0-9a-f]+(-dirty)?)? on cpu \|", told
    )
