"""docs/objectives.md says what the code does."""

import re
from pathlib import Path

import pytest
from sentence_transformers import MultiVectorEncoder

from kivuko.config import DistillConfig, ObjectiveConfig, ObjectiveName
from kivuko.data.settings import load_config
from kivuko.losses import MixtureLoss

PAGE = (Path(__file__).parents[2] / "docs" / "objectives.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.+?)```", PAGE, flags=re.DOTALL)


def test_toml_is_a_valid_config(tmp_path: Path) -> None:
    assert blocks("toml")
    for block in blocks("toml"):
        path = tmp_path / "config.toml"
        path.write_text(block, encoding="utf-8")
        load_config(path, DistillConfig)


def test_python_runs(tiny_encoder: MultiVectorEncoder) -> None:
    assert blocks("python")
    for block in blocks("python"):
        names = {"student": tiny_encoder, "teacher": tiny_encoder}
        exec(block, names)  # noqa: S102
        assert isinstance(names["loss"], MixtureLoss)


@pytest.mark.parametrize("name", ObjectiveName)
def test_table_names_every_objective_with_its_options(name: ObjectiveName) -> None:
    _, _, _, options, _ = next(
        [cell.strip() for cell in line.split("|")][1:]
        for line in PAGE.splitlines()
        if line.startswith(f"| `{name}` | ")
    )
    held = {"epsilon_batches", "rho", "mass", "steps"} if name is ObjectiveName.TRANSPORT else set()
    assert set(re.findall(r"`(\w+)`", options)) == {*ObjectiveConfig(name=name).options, *held}


def test_defaults_are_the_ones_the_page_gives() -> None:
    given = dict(re.findall(r"`(\w+)`,? \(?(\d[\d.]*)", PAGE.split("## Options of")[1].split("##")[0]))
    assert set(given) == {"epsilon", "epsilon_batches", "max_iterations", "rho", "mass", "steps"}
    assert {option: ObjectiveConfig.model_fields[option].default for option in given} == pytest.approx(
        {option: float(default) for option, default in given.items()}
    )
