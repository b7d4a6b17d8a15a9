"""A comparison from its config to its answer, on a tiny real encoder."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from kivuko.data.bitext import Bitext, SentencePair
from kivuko.data.settings import parse_config
from kivuko.errors import ConfigError, ModelError
from kivuko.evaluation.scores import read_scores
from kivuko.experiment.comparison import CompareConfig, compare, dry_run
from kivuko.experiment.comparison.cells import RECORD, Cell, final_cells, tuning_cells
from kivuko.experiment.comparison.leaks import refuse_leaks, triples_of_all_cells
from kivuko.experiment.comparison.prepare import LEAKS, language_bitext
from kivuko.experiment.comparison.run import _claim
from kivuko.experiment.comparison.training import order_of
from kivuko.models.encoder import load_encoder, model_digest

from .conftest import ENGLISH, accented, write_collection


def test_comparison_answers_and_repeats_nothing(config: CompareConfig, tmp_path: Path) -> None:
    out = tmp_path / "out"
    done: list[Cell] = []

    def note(state: str, cell: Cell, detail: str) -> None:
        if state == "done":
            done.append(cell)

    answer = compare(config, out, progress=note)

    # Six trials (three systems, two trials, one language), then 3 systems x 2 languages x (2 seeds + 1 smaller size).
    assert len(done) == 6 + 18
    assert set(answer.systems) == {
        "zero-shot", "untrained", "bm25", "psq", "translated", "translated-bm25",
        "transport", "scores", "shuffled", "psq+transport",
    }  # fmt: skip
    rows = read_scores(out / "scores.tsv")
    assert {row.measure for row in rows} == {"tiny RR@10", "tiny R@1"}
    assert {row.seed for row in rows if row.system == "transport"} == {0, 1}
    assert {row.seed for row in rows if row.system == "bm25"} == {0}
    ceiling = [row.value for row in rows if row.system == "translated" and row.measure == "tiny RR@10"]
    floor = [row.value for row in rows if row.system == "bm25" and row.measure == "tiny RR@10"]
    assert sum(floor) < sum(ceiling)
    assert {point.pairs for point in answer.curve} == {8, 16}
    assert [trial.system for trial in answer.trials if trial.chosen] == ["transport", "scores", "shuffled"]
    assert len(list(out.rglob("tiny.trec"))) == 18 + 2 * 6 + 2 * 2
    assert not list(out.glob("cells/**/model")), "students that were scored are not kept"
    [task] = answer.tasks
    assert {c.system for c in task.comparisons} == set(answer.systems) - {"transport"}

    removed = next(cell for cell in done[6:] if (cell.language, cell.system, cell.seed) == ("ha", "scores", 1))
    before = (removed.directory(out) / "tiny.trec").read_bytes()
    shutil.rmtree(removed.directory(out))
    done.clear()
    again = compare(config, out, resume=True, progress=note)
    assert done == [removed]
    assert (removed.directory(out) / "tiny.trec").read_bytes() == before
    assert again.means == answer.means

    record = removed.directory(out) / RECORD
    record.write_text(json.dumps(json.loads(record.read_text()) | {"parameters": 1}))
    with pytest.raises(ModelError, match="other conditions"):
        compare(config, out, resume=True)


def test_all_systems_see_the_same_batches(config: CompareConfig, tmp_path: Path) -> None:
    out = tmp_path / "out"
    few = config.model_copy(
        update={"seeds": (0,), "pairs": (8,), "baselines": (), "fusions": (), "languages": config.languages[:1]}
    )
    compare(few, out)
    records = [json.loads(path.read_text()) for path in out.rglob(RECORD)]
    orders = {record["cell"]["system"]: record["order_sha256"] for record in records}
    assert orders["transport"] == orders["scores"] != orders["shuffled"]
    assert len({record["parameters"] for record in records}) == 1
    assert {record["steps"] for record in records} == {2}


def test_processes_give_what_one_process_gives(config: CompareConfig, tmp_path: Path) -> None:
    few = config.model_copy(
        update={
            "seeds": (0,),
            "pairs": (8,),
            "baselines": (),
            "fusions": (),
            "languages": config.languages[:1],
            "systems": config.systems[:2],
            "tuning": config.tuning.model_copy(update={"trials": config.tuning.trials[:1]}),
        }
    )
    one = compare(few, tmp_path / "one")
    two = compare(few, tmp_path / "two", jobs=2)
    assert one.means == two.means


def test_near_leaks_are_told(config: CompareConfig) -> None:
    """The sentence pairs are the documents, each with a number behind it."""
    told: list[str] = []
    refuse_leaks(config.languages[0], told.append)
    [line] = told
    assert "in the bitext of sw there are nearly or in part items of tiny: 8 of 8 judged pairs leak" in line
    assert "by either side (0 exactly)" in line


def test_test_items_but_for_punctuation_are_refused(config: CompareConfig) -> None:
    [language, _] = config.languages
    lines = [f"“{text.capitalize()}!”\t- {accented(text, 'sw')}" for text in ENGLISH]
    language.bitext[0].path.write_text("\n".join(lines) + "\n")
    with pytest.raises(
        ConfigError, match=r"bitext of sw there are items of tiny.*\(0 exactly, 8 with the same letters and digits\)"
    ):
        refuse_leaks(language)


def test_allowed_leaks_are_told_and_recorded(values: dict[str, Any], tmp_path: Path) -> None:
    values |= {"systems": values["systems"][:1], "seeds": [0], "pairs": [8], "tuning": {}, "fusions": []}
    values |= {"baselines": [], "languages": values["languages"][:1]}
    path = Path(values["languages"][0]["bitext"][0]["path"])
    path.write_text(path.read_text() + "".join(f"{text}.\t{accented(text, 'sw')}.\n" for text in ENGLISH))
    told: list[str] = []
    out = tmp_path / "out"
    compare(parse_config(CompareConfig, values | {"allow_leaks": True}, origin="test"), out, notify=told.append)
    assert "warning: in the bitext of sw there are items of tiny: 8 of 8 judged pairs" in told[0]
    found = json.loads((out / LEAKS).read_text())["sw"]["bitext"]["tiny"]["documents"]
    assert (found["same"], found["total"]) == (8, 8)


def test_triples_with_test_items_are_refused(values: dict[str, Any], tmp_path: Path) -> None:
    named = {"name": "translate-train", "objectives": [{"name": "contrastive"}], "translate_train": True}
    triples = write_triples(tmp_path, "sw")
    passages = Path(triples["passages"])
    passages.write_text(passages.read_text().replace(" and so on", "."))
    language = values["languages"][0] | {"translated": triples}
    values |= {"languages": [language], "tuning": {}, "pairs": [4, 8], "seeds": [0]}
    config = parse_config(CompareConfig, values | {"systems": [*values["systems"], named]}, origin="test")
    seen = triples_of_all_cells(config, config.languages[0])
    assert {pair.english for pair in seen} == {f"{text}." for text in ENGLISH}, "with those that answer nothing"
    with pytest.raises(ConfigError, match=r"translated triples of sw there are items of tiny.*these files"):
        refuse_leaks(config.languages[0], triples=seen)
    with pytest.raises(ConfigError, match="translated triples of sw there are items of tiny"):
        compare(config, tmp_path / "out")

    others = parse_config(CompareConfig, values, origin="test")
    assert not triples_of_all_cells(others, others.languages[0]), "no system learns from them"


def test_a_system_can_have_its_own_student_of_the_same_size(
    values: dict[str, Any], tmp_path: Path, tiny_encoder_dir: Path
) -> None:
    values |= {"seeds": [0], "pairs": [8], "tuning": {}, "fusions": [], "baselines": ["zero-shot"]}
    values["languages"] = values["languages"][:1]
    transport, scores, _ = values["systems"]
    values["systems"] = [transport, scores | {"student": str(tiny_encoder_dir)}]
    out = tmp_path / "out"
    with pytest.raises(ModelError, match=r"sw differ in size: [\d,]+ parameters in transport; [\d,]+ .* in scores"):
        compare(parse_config(CompareConfig, values, origin="test"), out)
    assert not (out / "cells").exists(), "refused before anything is trained"

    allowed = parse_config(CompareConfig, values | {"allow_other_sizes": True}, origin="test")
    compare(allowed, tmp_path / "allowed")
    sizes = records_of(tmp_path / "allowed", "parameters")
    assert sizes["scores"] < sizes["transport"]

    same = parse_config(CompareConfig, values | {"student": str(other_weights(tiny_encoder_dir, tmp_path))}, origin="")
    compare(same, tmp_path / "same")
    sizes, starts = (records_of(tmp_path / "same", key) for key in ("parameters", "start_sha256"))
    assert sizes["scores"] == sizes["transport"]
    assert starts["scores"] != starts["transport"]


def records_of(out: Path, key: str) -> dict[str, Any]:
    """Return what the record of each system has under a key."""
    records = [json.loads(path.read_text()) for path in out.glob(f"cells/**/{RECORD}")]
    return {record["cell"]["system"]: record[key] for record in records}


def other_weights(encoder: Path, folder: Path) -> Path:
    """Save an encoder of the same size with other weights."""
    model = load_encoder(encoder)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(1.5)
    model.save(str(folder / "other"), create_model_card=False)
    return folder / "other"


def write_triples(folder: Path, language: str) -> dict[str, str]:
    """Write four triples in mMARCO's form: queries in a language, passages in English."""
    texts = {
        "queries": "".join(f"{n}\t{accented(text, language)}\n" for n, text in enumerate(ENGLISH[:4])),
        "passages": "".join(f"p{n}\t{text} and so on\n" for n, text in enumerate(ENGLISH)),
        "triples": "".join(f"{n}\tp{n}\tp{7 - n}\n" for n in range(4)),
    }
    for name, text in texts.items():
        (folder / f"{language}-{name}.tsv").write_text(text)
    return {name: str(folder / f"{language}-{name}.tsv") for name in texts}


def test_translate_train_and_weighted_fusion(config: CompareConfig, tmp_path: Path) -> None:
    told = config.model_dump(mode="json")
    told["languages"] = [language | {"translated": write_triples(tmp_path, "sw")} for language in told["languages"][:1]]
    named = {"name": "translate-train", "objectives": [{"name": "contrastive"}], "translate_train": True}
    told["systems"] = [told["systems"][0], named]
    told["fusions"] = [{"name": "both", "systems": ["psq", "translate-train"], "weights": [1, 2], "normalization": "z"}]
    told |= {"seeds": [0], "pairs": [8], "baselines": ["psq"]}
    out = tmp_path / "out"
    answer = compare(parse_config(CompareConfig, told, origin="test"), out)
    assert set(answer.systems) == {"psq", "transport", "translate-train", "both"}
    records = {
        r["cell"]["system"]: r for r in (json.loads(path.read_text()) for path in out.glob("cells/**/cell.json"))
    }
    same = ("steps", "parameters", "start_sha256", "teacher_sha256")
    assert [records["translate-train"][key] for key in same] == [records["transport"][key] for key in same]
    assert records["translate-train"]["order_sha256"] != records["transport"]["order_sha256"]


# Loading a Marian tokenizer says that a package would be nice to have.
@pytest.mark.filterwarnings("ignore:Recommended. pip install sacremoses")
def test_queries_are_translated_by_the_model_of_each_language(
    values: dict[str, Any], tmp_path: Path, sentences: list[str], write_marian: Callable[..., Path]
) -> None:
    models = {
        code: write_marian(tmp_path / f"opus-mt-{code}-en", known)
        for code, known in (("sw", sentences), ("ha", ENGLISH))
    }
    values |= {"systems": values["systems"][:1], "seeds": [0], "pairs": [8], "tuning": {}, "fusions": []}
    sw, ha = values["languages"]
    values |= {"languages": [sw, ha | {"mt_model": str(models["ha"])}], "baselines": ["mt", "mt-bm25"]}
    values["mt_model"] = str(models["sw"])
    told, out = parse_config(CompareConfig, values, origin="test"), tmp_path / "out"
    answer = compare(told, out)
    assert set(answer.systems) == {"mt", "mt-bm25", "transport"}
    assert {(mean.system, mean.language) for mean in answer.means if mean.measure == "tiny RR@10"} == {
        (system, code) for system in answer.systems for code in ("sw", "ha")
    }
    cached = [json.loads(line) for line in (out / "translations.jsonl").read_text().splitlines()]
    assert {(row["source"], row["model"]) for row in cached} == {
        (code, model_digest(folder)) for code, folder in models.items()
    }
    assert len({row["model"] for row in cached}) == 2
    assert len(cached) == 2 * len(ENGLISH), "what one baseline translated the other reads from the cache"

    with pytest.raises(ConfigError, match="begun with another mt_model of sw"):
        compare(told.model_copy(update={"mt_model": str(models["ha"])}), out, resume=True)


def test_a_translation_model_may_be_told_later(values: dict[str, Any], tmp_path: Path) -> None:
    before, out = parse_config(CompareConfig, values, origin="test"), tmp_path / "out"
    _claim(before, out, resume=False)
    later = before.model_copy(update={"mt_model": "marian"})
    _claim(later, out, resume=True)
    with pytest.raises(ConfigError, match="mt_model of ha, mt_model of sw"):
        _claim(before, out, resume=True)


def test_comparison_begun_by_an_older_version_goes_on(config: CompareConfig, tmp_path: Path) -> None:
    few = config.model_copy(
        update={"seeds": (0,), "pairs": (8,), "baselines": (), "fusions": (), "systems": config.systems[:1]}
    )
    out = tmp_path / "out"
    before = compare(few, out)
    plan = json.loads((out / "plan.json").read_text())
    for system in plan["systems"]:
        del system["translate_train"]
    (out / "plan.json").write_text(json.dumps(plan))
    assert compare(few, out, resume=True).means == before.means


def test_folder_of_another_comparison_is_refused(config: CompareConfig, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "letter.txt").write_text("mine")
    with pytest.raises(ConfigError, match="not empty"):
        compare(config, out)
    assert [path.name for path in out.iterdir()] == ["letter.txt"]


def test_bitext_with_test_items_is_refused_unless_told(config: CompareConfig, tmp_path: Path) -> None:
    source = config.languages[0].bitext[0].path
    asked = json.loads((config.languages[0].tasks[0].collection / "queries.jsonl").read_text().splitlines()[0])
    source.write_text(source.read_text() + f"something else\t{asked['text'].upper()}\n")
    with pytest.raises(ConfigError, match=r"bitext of sw there are items of tiny.*kivuko bitext clean --against"):
        compare(config, tmp_path / "out")


def test_bitext_with_validation_items_is_refused(values: dict[str, Any], tmp_path: Path) -> None:
    first = values["languages"][0]
    folder = write_collection(tmp_path / "chosen-on", "xx")
    first["validation"] = {"collection": str(folder), "split": "dev"}
    source = Path(first["bitext"][0]["path"])
    asked = json.loads((folder / "queries.jsonl").read_text().splitlines()[0])
    source.write_text(source.read_text() + f"something else\t{asked['text']}\n")
    with pytest.raises(ConfigError, match="bitext of sw there are items of the validation"):
        compare(parse_config(CompareConfig, values, origin="test"), tmp_path / "out")


def test_a_shuffled_system_has_no_translation_in_its_place(config: CompareConfig) -> None:
    bitexts = language_bitext(config, config.languages[0])[0]
    for seed in range(20):
        cell = Cell("sw", "shuffled", 0, seed, 16)
        order, shuffled = order_of(config, bitexts, cell._replace(system="transport")), order_of(config, bitexts, cell)
        assert [pair.english for pair in shuffled] == [pair.english for pair in order]
        assert sorted(pair.translation for pair in shuffled) == sorted(pair.translation for pair in order)
        assert not set(shuffled) & set(order)
        assert order_of(config, bitexts, cell) == shuffled


def test_pairs_that_are_all_the_same_cannot_be_shuffled(config: CompareConfig) -> None:
    source = config.languages[0].bitext[0]
    alike = [Bitext(source, (SentencePair("a bus", "basi"),) * 40, 0, "")]
    with pytest.raises(ConfigError, match="Too few sentence pairs differ"):
        order_of(config, alike, Cell("sw", "shuffled", 0, 0, 16))


def test_dry_run_counts_what_would_be_trained(config: CompareConfig) -> None:
    plan = dry_run(config, seconds_a_step=3600)
    # The chosen trial of the first seed in Swahili is a trial that was run: three cells less.
    assert (plan.trials, plan.cells) == (6, 15)
    assert plan.steps == 9 * 4 + 6 * 4 + 6 * 2
    # A teacher is fitted and every cell is tested, which here takes longer than the few steps.
    assert plan.hours is not None
    assert plan.hours > plan.steps + 55
    assert plan.languages == {"sw": 44, "ha": 44}


def test_trials_come_first_and_smaller_sizes_last(config: CompareConfig) -> None:
    assert {cell.language for cell in tuning_cells(config)} == {"sw"}
    cells = final_cells(config, {"transport": 1, "scores": 0, "shuffled": 0})
    assert [cell.pairs for cell in cells] == [16] * 12 + [8] * 6
    assert {cell.trial for cell in cells if cell.system == "transport"} == {1}
