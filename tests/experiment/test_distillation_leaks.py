"""What a distillation does with bitext that holds what is tested on."""

import json
from pathlib import Path

import pytest

from kivuko.config import DistillConfig
from kivuko.errors import ConfigError, DataError
from kivuko.experiment import distill


def beir(folder: Path, *judged: tuple[str, str], split: str = "test") -> Path:
    (folder / "qrels").mkdir(parents=True)
    texts = [("queries", [query for query, _ in judged]), ("corpus", [document for _, document in judged])]
    for name, rows in texts:
        lines = [json.dumps({"_id": str(number), "text": text}) for number, text in enumerate(rows)]
        (folder / f"{name}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    qrels = "".join(f"{number}\t{number}\t1\n" for number in range(len(judged)))
    (folder / "qrels" / f"{split}.tsv").write_text("query-id\tcorpus-id\tscore\n" + qrels, encoding="utf-8")
    return folder


def training_pair(bitext: Path, number: int) -> tuple[str, str]:
    english, translation = bitext.read_text(encoding="utf-8").splitlines()[number].split("\t")
    return translation, english


def untrained(config: DistillConfig, **update: object) -> DistillConfig:
    training = config.training.model_copy(update={"epochs": 0})
    return config.model_copy(update={"training": training, **update})


@pytest.fixture
def leaking(tmp_path: Path, bitext: Path) -> Path:
    """Two judged pairs, one of which is in the bitext."""
    return beir(tmp_path / "beir", training_pair(bitext, 0), ("Kitu kingine kabisa?", "Something else entirely."))


def test_bitext_with_test_items_is_refused_with_their_number(config: DistillConfig, leaking: Path) -> None:
    with pytest.raises(ConfigError, match=r"beir: 1 of 2 judged pairs leak by either side .*1 of 2 whole.*drop-leaks"):
        distill(untrained(config, against=(leaking,)))
    assert not config.out.with_name("student.partial").exists()


@pytest.mark.parametrize("dress", ["{}", "“{}”!", "- {}"])
def test_bitext_with_test_items_but_for_punctuation_is_refused(
    config: DistillConfig, bitext: Path, tmp_path: Path, dress: str
) -> None:
    query, document = training_pair(bitext, 0)
    collection = beir(tmp_path / "beir", (dress.format(query.rstrip(".")), dress.format(document.rstrip(".").upper())))
    with pytest.raises(ConfigError, match=r"1 of 1 whole"):
        distill(untrained(config, against=(collection,)))


def test_validation_collection_is_looked_for_too(config: DistillConfig, bitext: Path, tmp_path: Path) -> None:
    collection = beir(tmp_path / "beir", training_pair(bitext, 3), split="dev")
    validation = config.validation.model_copy(update={"collection": collection})
    with pytest.raises(ConfigError, match=r"beir \(dev\): 1 of 1 judged pairs"):
        distill(untrained(config, validation=validation))


def test_who_gives_no_test_items_is_told_that_nothing_was_searched_for(config: DistillConfig, leaking: Path) -> None:
    said: list[str] = []
    distill(untrained(config), notify=said.append)
    assert any("the bitext was not searched for them" in line for line in said)
    said.clear()
    distill(untrained(config, against=(leaking,), leaks="allow", out=config.out.with_name("other")), notify=said.append)
    assert not any("not searched" in line for line in said), "who allows leaks has said so"


def test_dropped_leaks_are_counted_and_left_out(config: DistillConfig, leaking: Path, bitext: Path) -> None:
    said: list[str] = []
    made = distill(untrained(config, against=(leaking,), leaks="drop"), notify=said.append)
    lines = len(bitext.read_text(encoding="utf-8").splitlines())
    dropped = lines - made.record["inputs"]["bitext"][0]["pairs"]
    assert dropped >= 1
    assert f"{dropped} of {lines} training pairs have a part in it, which are left out" in said[0]
    assert made.record["config"]["leaks"] == "drop"
    assert made.record["leaks"][str(leaking)]["training"]["exact"] >= 1


def test_allowed_leaks_are_trained_on_told_and_recorded(config: DistillConfig, leaking: Path, bitext: Path) -> None:
    said: list[str] = []
    made = distill(untrained(config, against=(leaking,), leaks="allow"), notify=said.append)
    lines = len(bitext.read_text(encoding="utf-8").splitlines())
    assert made.record["inputs"]["bitext"][0]["pairs"] == lines
    assert "beir: 1 of 2 judged pairs leak by either side" in said[0]
    assert "which are trained on" in said[0]
    record = json.loads((made.directory / "kivuko.json").read_text(encoding="utf-8"))
    whole = record["leaks"][str(leaking)]["whole"]
    assert (whole["exact"], whole["total"]) == (1, 2)


def test_search_that_found_nothing_is_recorded(config: DistillConfig, tmp_path: Path) -> None:
    clean = beir(tmp_path / "beir", ("Kitu kingine kabisa?", "Something else entirely."))
    found = distill(untrained(config, against=(clean,))).record["leaks"]
    assert found[str(clean)]["training"]["exact"] == 0


def test_bitext_of_nothing_but_test_items_is_refused(config: DistillConfig, bitext: Path, tmp_path: Path) -> None:
    count = len(bitext.read_text(encoding="utf-8").splitlines())
    collection = beir(tmp_path / "beir", *(training_pair(bitext, number) for number in range(count)))
    with pytest.raises(DataError, match="none is left"):
        distill(untrained(config, against=(collection,), leaks="drop"))


def test_plan_of_a_run_that_was_told_nothing_of_leaks_does_not_name_them(config: DistillConfig) -> None:
    assert not {"against", "against_split", "leaks"} & config.model_dump(mode="json").keys()
    told = config.model_copy(update={"against": (Path("beir"),)})
    assert DistillConfig.model_validate(told.model_dump(mode="json")) == told
