from pathlib import Path

import pytest

from kivuko.config import DistillConfig, ObjectiveName
from kivuko.data.settings import load_config, parse_config
from kivuko.errors import ConfigError

MINIMAL = """
teacher = "models/teacher"
target = ["sw"]
out = "student"

[[bitext]]
path = "en-sw.tsv"
language = "sw"
"""


def load(tmp_path: Path, text: str) -> DistillConfig:
    path = tmp_path / "config.toml"
    path.write_text(text, encoding="utf-8")
    return load_config(path, DistillConfig)


def test_minimal_config_is_enough(tmp_path: Path) -> None:
    config = load(tmp_path, MINIMAL)
    assert config.student is None
    assert config.objectives[0].name is ObjectiveName.TRANSPORT


def test_config_survives_a_round_trip(tmp_path: Path) -> None:
    config = load(tmp_path, MINIMAL)
    assert parse_config(DistillConfig, config.model_dump(mode="json"), origin="record") == config


@pytest.mark.parametrize(
    ("added", "message"),
    [
        ("tacher = 1", "no key 'tacher'; did you mean 'teacher'?"),
        ("[training]\nbatchsize = 8", "no key 'training.batchsize'; did you mean 'batch_size'?"),
        ("[[objectives]]\nname = 'scores'\nepsilonn = 1", "no key 'objectives.0.epsilonn'; did you mean 'epsilon'?"),
        ("[training]\nxyz = 8", "expected one of epochs, batch_size"),
        ("[training]\nepochs = -1", "training.epochs"),
        ("training = 5", "training"),
        ("[[objectives]]\nname = 'scores'\nweight = inf", "objectives.0.weight"),
        ("[[objectives]]\nname = 'transports'", "objectives.0.name"),
        ("[[objectives]]\nname = 'scores'\n[[objectives]]\nname = 'scores'", "each objective can be given once"),
        ("[[bitext]]\npath = 'en-so.tsv'\nlanguage = 'so'", "bitext in so was given, but the target is sw"),
    ],
)
def test_wrong_key_or_value_is_named(tmp_path: Path, added: str, message: str) -> None:
    top_level = added if not added.startswith("[") else ""
    tables = added if added.startswith("[") else ""
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, f"{top_level}\n{MINIMAL}\n{tables}")
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("added", "message"),
    [
        ("[[objectives]]\nname = 'transports'", "objectives.0.name: input should be 'transport', "),
        ("[[objectives]]\nname = 'scores'\nweight = -1", "objectives.0.weight: input should be greater than 0, got -1"),
        ("objectives = []", "objectives: expected 1 or more, got 0"),
        ("objectives = 'scores'", "objectives: expected a list, got 'scores'"),
    ],
)
def test_a_list_with_a_wrong_entry_is_not_called_too_short(tmp_path: Path, added: str, message: str) -> None:
    top_level = added if not added.startswith("[") else ""
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, f"{top_level}\n{MINIMAL}\n{added if not top_level else ''}")
    assert f"config.toml: {message}" in str(caught.value)
    assert ";" not in str(caught.value)
    assert "at least" not in str(caught.value)


def test_what_is_no_toml_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read as TOML"):
        load(tmp_path, "teacher = ")
    with pytest.raises(ConfigError, match="there is none"):
        load_config(tmp_path / "none.toml", DistillConfig)


def test_overrides_replace_only_the_keys_they_have(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text(MINIMAL + "[training]\nepochs = 3\nseed = 4\n", encoding="utf-8")
    config = load_config(path, DistillConfig, training={"seed": 5}, transplant={}, teacher="another")
    assert (config.training.epochs, config.training.seed, config.teacher) == (3, 5, "another")
