"""Named tasks in a comparison: all views and scorings, and each side read by the model of its language."""

import json
from pathlib import Path
from typing import Any

import pytest

from kivuko.data.settings import parse_config
from kivuko.errors import KivukoError
from kivuko.evaluation.measures import parse_measures
from kivuko.evaluation.run_task import MAXSIM, Encoder, TaskEvaluation, evaluate_task
from kivuko.evaluation.scores import Score, read_scores
from kivuko.evaluation.tasks import open_task
from kivuko.experiment.comparison import CompareConfig, compare, dry_run
from kivuko.experiment.comparison.cells import Layout
from kivuko.models.encoder import load_encoder
from kivuko.report.comparison import write_report

from .conftest import ENGLISH, accented, write_collection


def write_tatoeba(data: Path) -> None:
    (data / "tatoeba").mkdir()
    for code, texts in (("eng", ENGLISH), ("swh", [accented(text, "sw") for text in ENGLISH])):
        (data / f"tatoeba/tatoeba.swh-eng.{code}").write_text("".join(f"{text}\n" for text in texts))


def write_ciral(data: Path) -> None:
    """Write English questions and documents in Swahili."""
    folder = write_collection(data / "ciral" / "en-sw", None)
    documents = [{"_id": f"d{n}", "title": "", "text": accented(text, "sw")} for n, text in enumerate(ENGLISH)]
    (folder / "corpus.jsonl").write_text("".join(json.dumps(row) + "\n" for row in documents))
    (folder / "qrels" / "test.tsv").rename(folder / "qrels" / "test-a.tsv")


def write_lareqa(data: Path) -> None:
    (data / "xquad-r").mkdir()
    for code in ("de", "en"):
        first, second = (accented(text, code) if code != "en" else text for text in ENGLISH[:2])
        context, start = f"{first}. {second}.", len(first) + 2
        questions = [
            {"id": name, "question": " ".join(text.split()[:3]), "answers": [{"answer_start": at, "text": "x"}]}
            for name, text, at in (("a", first, 0), ("b", second, start))
        ]
        breaks = [[0, start - 1], [start, len(context)]]
        paragraph = {"context": context, "sentence_breaks": breaks, "qas": questions}
        (data / f"xquad-r/{code}.json").write_text(json.dumps({"data": [{"paragraphs": [paragraph]}]}))


@pytest.fixture
def named(values: dict[str, Any], tmp_path: Path) -> CompareConfig:
    """A comparison on Tatoeba in both directions and on English questions to documents in Swahili, and on a pool."""
    data = tmp_path / "data"
    data.mkdir()
    write_tatoeba(data)
    write_ciral(data)
    write_lareqa(data)
    swahili, other = values["languages"]  # type: ignore[misc]
    given = {"data": str(data), "allow_incomplete": True}
    bitext = [other["bitext"][0] | {"language": "de"}]
    return parse_config(
        CompareConfig,
        values
        | {
            "languages": [
                swahili | {"tasks": [{"name": name, "task": f"{name}:sw"} | given for name in ("tatoeba", "ciral")]},
                {"code": "de", "bitext": bitext, "tasks": [{"name": "lareqa", "task": "lareqa:de,en"} | given]},
            ],
            "systems": values["systems"][:1],  # type: ignore[index]
            "baselines": ["zero-shot", "untrained", "bm25", "psq"],
            "seeds": [0],
            "pairs": [8],
            "tuning": {},
        },
        origin="test",
    )


def by_hand(task: str, config: CompareConfig, layout: Layout, language: str) -> TaskEvaluation:
    """Measure the untrained student where the language stands, the teacher where English stands alone."""
    student, teacher = Encoder(load_encoder(layout.start(language))), Encoder(load_encoder(layout.teacher))
    models = {"tatoeba": (student, teacher), "ciral": (teacher, student), "lareqa": (student, student)}
    [told] = [each for each in config.language(language).tasks if each.name == task]
    opened = open_task(told.task or "", data=told.data, allow_incomplete=True)
    return evaluate_task(opened, *models[task], parse_measures(told.measures))


def test_named_tasks_give_every_view_and_scoring(named: CompareConfig, tmp_path: Path) -> None:
    out, told = tmp_path / "out", list[str]()
    answer = compare(named, out, notify=told.append)
    rows = read_scores(out / "scores.tsv")

    def measures(system: str, task: str) -> set[str]:
        return {row.measure for row in rows if row.system == system and row.measure.startswith(f"{task} ")}

    tatoeba = {
        f"tatoeba {view} {scoring}{name}"
        for view in ("xx-en", "en-xx")
        for scoring in ("", "single-vector ")
        for name in ("Success@1", "RR@10")
    }
    for system in ("zero-shot", "untrained", "transport"):
        assert measures(system, "tatoeba") == tatoeba
        assert measures(system, "ciral") == {
            "ciral nDCG@20", "ciral R@100", "ciral single-vector nDCG@20", "ciral single-vector R@100",
        }  # fmt: skip
        assert {"lareqa pool AP@20", "lareqa pool PEER@20", "lareqa pool single-vector PEER@20", "lareqa xx-xx AP@20",
                "lareqa xx to pool AP@20", "lareqa en-xx AP@20"} < measures(system, "lareqa")  # fmt: skip
    assert [task.measure for task in answer.tasks] == [
        "tatoeba xx-en Success@1",
        "ciral nDCG@20",
        "lareqa pool AP@20",
    ]

    for task, language in (("tatoeba", "sw"), ("ciral", "sw"), ("lareqa", "de")):
        for outcome in by_hand(task, named, Layout(out), language).outcomes:
            scoring = "" if outcome.scoring == MAXSIM else "single-vector "
            view = "" if task == "ciral" else outcome.view.replace(language, "xx") + " "
            expected = {
                Score("untrained", language, 0, query_id, f"{task} {view}{scoring}{measure}", value)
                for query_id, measure, value in outcome.measures.per_query
            }
            assert expected <= set(rows)

    # Words find nothing across languages unless they are translated, and then in English alone.
    only = {"tatoeba xx-en Success@1", "tatoeba xx-en RR@10"}
    for system in ("bm25", "psq", "psq+transport"):
        assert {row.measure for row in rows if row.system == system} == only
    assert "bm25 is left out of ciral (sw): words in en do not find documents in sw." in told
    assert "psq is left out of tatoeba (sw, en-sw): it translates questions in sw for documents in English." in told
    assert "bm25 is left out of lareqa (de): its documents are in several languages." in told
    assert any("tatoeba:sw, test is not what was published" in line for line in told)
    write_report(answer, tmp_path / "report", command="kivuko compare")
    report = (tmp_path / "report" / "report.md").read_text()
    assert "bm25 is left out of lareqa (de): its documents are in several languages." in report
    assert "tatoeba:sw" in report
    assert "lareqa pool PEER@20" in report
    # The documents that students read are indexed by each of them, and not kept.
    assert len(list((out / "indexes").iterdir())) == 1


def test_translations_by_hand_ask_the_view_from_the_language_alone(named: CompareConfig, tmp_path: Path) -> None:
    told = named.model_dump(mode="json")
    swahili = told["languages"][0]
    tatoeba, ciral = swahili["tasks"]
    opened = open_task("tatoeba:sw", data=Path(tatoeba["data"]), allow_incomplete=True)
    [part] = [part for part in opened.parts if part.collection.queries[0].text == accented(ENGLISH[0], "sw")]
    english = dict(zip((query.query_id for query in part.collection.queries), ENGLISH, strict=True))
    given = tmp_path / "given"
    given.mkdir()
    lines = [json.dumps({"_id": query_id, "text": text}) + "\n" for query_id, text in english.items()]
    (given / "queries.jsonl").write_text("".join(lines))
    tasks = [tatoeba | {"translations": str(given)}, ciral | {"translations": str(given)}]
    told |= {"languages": [swahili | {"tasks": tasks}], "baselines": ["translated", "translated-bm25"], "fusions": []}
    config = parse_config(CompareConfig, told, origin="test")
    out, said = tmp_path / "out", list[str]()
    compare(config, out, notify=said.append)
    rows = [row for row in read_scores(out / "scores.tsv") if row.system.startswith("translated")]
    assert {row.measure for row in rows if row.system == "translated-bm25"} == {
        "tatoeba xx-en Success@1",
        "tatoeba xx-en RR@10",
    }
    # Every question is one of the documents, word for word.
    assert {row.value for row in rows if "Success@1" in row.measure and "single" not in row.measure} == {1.0}
    why = "translations by hand are of questions in sw for documents in English."
    assert f"translated is left out of tatoeba (sw, en-sw): {why}" in said
    assert f"translated-bm25 is left out of ciral (sw): {why}" in said

    (given / "queries.jsonl").write_text(lines[0])
    with pytest.raises(KivukoError, match="7 of 8 queries have no translation"):
        compare(config, tmp_path / "fewer")


def test_dry_run_reckons_with_named_tasks(named: CompareConfig) -> None:
    plan = dry_run(named, seconds_a_step=3600)
    assert len(plan.left_out) == 6
    english = named.languages[0].tasks[0].model_copy(update={"measures": "RR@10"})
    language = named.languages[0].model_copy(update={"tasks": (english,)})
    fewer = dry_run(named.model_copy(update={"languages": (language, named.languages[1])}), seconds_a_step=3600)
    assert plan.hours is not None
    assert fewer.hours is not None
    assert plan.hours > fewer.hours
