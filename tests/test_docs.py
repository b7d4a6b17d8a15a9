"""The documentation says what the code does."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import typer.main

from kivuko.cli import app
from kivuko.config import DistillConfig
from kivuko.data.settings import load_config
from kivuko.experiment.reproduction import Reproduction

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
COMMANDS = typer.main.get_command(app).commands  # type: ignore[attr-defined]


def command_of(words: list[str]) -> Any:
    """Return the command that a line calls, `bitext stats` too."""
    found = COMMANDS[words[0]]
    return found.commands[words[1]] if hasattr(found, "commands") else found


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_readme_names_every_command(command: str) -> None:
    assert f"kivuko {command}" in README


PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_pages_use_only_commands_and_flags_that_exist(page: Path) -> None:
    for block in re.findall(r"^    (kivuko .+(?:\\\n.+)*)", page.read_text(encoding="utf-8"), flags=re.MULTILINE):
        words = block.replace("\\\n", " ").split()
        command = command_of(words[1:])
        known = {option for parameter in command.params for option in parameter.opts}
        assert {word for word in words if word.startswith("--")} <= known, block


def test_readme_toml_is_a_valid_config(tmp_path: Path) -> None:
    blocks = re.findall(r"```toml\n(.+?)```", README, flags=re.DOTALL)
    assert blocks
    for number, block in enumerate(blocks):
        path = tmp_path / f"{number}.toml"
        path.write_text(block, encoding="utf-8")
        load_config(path, DistillConfig)


@pytest.mark.parametrize("path", sorted((ROOT / "reproductions").glob("*.toml")), ids=lambda path: path.stem)
def test_reproductions_are_valid_and_use_flags_that_exist(path: Path) -> None:
    config = load_config(path, Reproduction)
    for line in (*config.prepare, *(expectation.command for expectation in config.measure)):
        words = line.split()
        known = {option for parameter in command_of(words).params for option in parameter.opts}
        assert {word for word in words if word.startswith("--")} <= known


def test_constraints_pin_what_the_project_depends_on() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    pinned = {
        re.split(r"[=<>]", line)[0].lower().replace("_", "-")
        for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    }
    wanted = project["dependencies"] + project["optional-dependencies"]["dev"]
    names = {re.split(r"[\[<>=]", requirement)[0].lower() for requirement in wanted}
    assert names <= pinned


def test_help_texts_have_no_tags_that_markdown_would_swallow() -> None:
    commands = [each for found in COMMANDS.values() for each in getattr(found, "commands", {"": found}).values()]
    helps = [getattr(parameter, "help", None) or "" for command in commands for parameter in command.params]
    assert any("`English<TAB>translation`" in text for text in helps)
    assert not [text for text in helps if re.search(r"<[A-Za-z]", re.sub(r"`[^`]*`", "", text))]
