"""What a comparison refuses before anything starts."""

import re
from pathlib import Path
from typing import Any

import pytest

from kivuko.data.settings import load_config, parse_config
from kivuko.errors import ConfigError
from kivuko.experiment.comparison import CompareConfig

ROOT = Path(__file__).parents[3]


def refused(values: dict[str, Any], **changes: Any) -> str:
    with pytest.raises(ConfigError) as caught:
        parse_config(CompareConfig, values | changes, origin="compare.toml")
    return str(caught.value)


def test_untuned_rival_is_refused(values: dict[str, Any]) -> None:
    systems = [*values["systems"][:1], values["systems"][1] | {"trials": [{"temperature": 0.1}]}]
    assert "same number of trials" in refused(values, systems=systems, fusions=[])


def test_trial_that_changes_nothing_is_refused(values: dict[str, Any]) -> None:
    tuning = {"trials": [{"epsilon": 0.02}, {"epsilon": 0.1}]}
    assert "trials of scores come to the same: as given; as given" in refused(values, tuning=tuning)
    own = [{"temperature": 0.05}, {"learning_rate": 1e-4}]  # both are the defaults
    systems = [values["systems"][0], values["systems"][1] | {"trials": own}]
    assert "trials of scores come to the same" in refused(values, systems=systems)


def test_mixture_with_an_objective_twice_is_refused(values: dict[str, Any]) -> None:
    twice = {"name": "mix", "objectives": [{"name": "transport", "epsilon": 0.01}, {"name": "transport"}]}
    assert "each objective of mix can be given once, got transport again" in refused(
        values, systems=[*values["systems"], twice]
    )


def test_task_with_other_measures_in_another_language_is_refused(values: dict[str, Any]) -> None:
    first, second = values["languages"]
    other = second | {"tasks": [second["tasks"][0] | {"measures": "R@1 RR@10"}]}
    assert "task tiny has the measures RR@10 R@1 in sw and R@1 RR@10 in ha" in refused(values, languages=[first, other])


def test_trial_that_an_objective_does_not_read_is_refused(values: dict[str, Any]) -> None:
    systems = [values["systems"][0] | {"trials": [{"temperature": 0.1}, {"epsilon": 0.1}]}]
    assert "a trial of transport sets temperature" in refused(values, systems=systems, fusions=[])


def test_choosing_trials_on_test_data_is_refused(values: dict[str, Any]) -> None:
    language = values["languages"][0]
    validation = {"collection": language["tasks"][0]["collection"], "split": "test"}
    assert "that sw is tested on" in refused(values, languages=[language | {"validation": validation}])
    other = values["languages"][1] | {"validation": validation}
    assert "language ha would choose its trials" in refused(values, languages=[language, other])


def test_task_is_a_collection_or_has_a_name(values: dict[str, Any]) -> None:
    language = values["languages"][0]

    def told(**task: Any) -> str:
        return refused(values, languages=[language | {"tasks": [{"name": "t"} | task]}])

    assert "needs a `collection` (BEIR folder) or a `task`" in told()
    assert "and not both" in told(collection="folder", task="tatoeba:sw")
    assert "There is no task 'tatoba'" in told(task="tatoba:sw")
    assert "language sw is tested on ciral:ha, which is of en, ha" in told(task="ciral:ha")
    assert "language sw is tested on lareqa, which is of ar, de" in told(task="lareqa")
    assert "only a named `task` reads" in told(collection="folder", data="downloads")


def test_named_task_has_its_customary_split_and_measures(values: dict[str, Any]) -> None:
    tasks = [{"name": "ciral", "task": "ciral:sw"}, {"name": "own", "task": "ciral:sw", "split": "dev"}]
    languages = [values["languages"][0] | {"tasks": tasks}]
    config = parse_config(CompareConfig, values | {"languages": languages}, origin="test")
    found = [(task.split, task.measures) for task in config.languages[0].tasks]
    assert found == [("test-a", "nDCG@20 R@100"), ("dev", "nDCG@20 R@100")]


def test_unknown_names_are_refused(values: dict[str, Any]) -> None:
    assert "reference 'nobody' is none of" in refused(values, reference="nobody")
    assert "fusion both names nobody" in refused(values, fusions=[{"name": "both", "systems": ["psq", "nobody"]}])
    languages = [values["languages"][0] | {"mt_model": "opus-mt-sw-en"}, values["languages"][1]]
    assert "need mt_model; ha has none" in refused(values, languages=languages, baselines=["mt"], fusions=[])
    assert "also_test names nobody" in refused(values, also_test=[["psq", "nobody"]])
    assert "did you mean 'seeds'?" in refused(values, seed=[1])


def test_names_are_given_once(values: dict[str, Any]) -> None:
    assert "each system can be given once" in refused(values, systems=[values["systems"][0]] * 2)
    assert "each language can be given once" in refused(values, languages=[values["languages"][0]] * 2)


def test_fusion_needs_a_weight_for_each(values: dict[str, Any]) -> None:
    fusion = {"name": "both", "systems": ["psq", "transport"]}
    assert "2 systems and 1 weights" in refused(values, fusions=[fusion | {"weights": [1]}])
    assert "does not read" in refused(values, fusions=[fusion | {"normalization": "z"}])


def test_translate_train_needs_triples_and_its_objective(values: dict[str, Any]) -> None:
    system = {"name": "translate-train", "objectives": [{"name": "contrastive"}], "translate_train": True}
    found = refused(values, systems=[*values["systems"], system])
    assert "needs `translated` (triples, queries, passages) in every language; it is missing in sw, ha" in found
    other = system | {"objectives": [{"name": "transport"}]}
    assert "its one objective is contrastive" in refused(values, systems=[*values["systems"], other])


def test_pairs_that_are_tested_anyway_are_refused(values: dict[str, Any]) -> None:
    for pair in (["scores", "transport"], ["transport", "psq"], ["psq", "psq"]):
        assert "neither of them the reference transport" in refused(values, also_test=[pair])
    assert "each pair of also_test can be given once" in refused(
        values, also_test=[["psq", "scores"], ["scores", "psq"]]
    )


def test_less_than_one_batch_is_refused(values: dict[str, Any]) -> None:
    assert "at least one batch of 4, got 2" in refused(values, pairs=[2])


def test_trials_take_what_they_can_use(values: dict[str, Any]) -> None:
    values["tuning"] = {"trials": [{"epsilon": 0.1, "learning_rate": 1e-4}]}
    config = parse_config(CompareConfig, values, origin="test")
    assert config.trials_of(config.system("scores"))[0].label() == "learning_rate 0.0001"
    assert config.trials_of(config.system("transport"))[0].label() == "learning_rate 0.0001, epsilon 0.1"


@pytest.mark.parametrize(
    "path", sorted((ROOT / "reproductions" / "compare").glob("*.toml")), ids=lambda path: path.stem
)
def test_published_comparisons_are_valid(path: Path) -> None:
    assert load_config(path, CompareConfig).systems


def test_documented_config_is_valid(tmp_path: Path) -> None:
    block, *_ = re.findall(r"```toml\n(.+?)```", (ROOT / "docs" / "compare.md").read_text(encoding="utf-8"), re.DOTALL)
    path = tmp_path / "compare.toml"
    path.write_text(block, encoding="utf-8")
    config = load_config(path, CompareConfig)
    assert [cell.label() for cell in config.trials_of(config.systems[0])] == [
        "learning_rate 3e-05",
        "learning_rate 0.0001",
    ]
