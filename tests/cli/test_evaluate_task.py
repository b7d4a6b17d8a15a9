"""`kivuko evaluate --task`, in this process."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from ir_measures import read_trec_run
from typer.testing import CliRunner, Result

from kivuko.cli import app
from kivuko.errors import ConfigError, DataError


def evaluate(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["evaluate", *map(str, arguments)])


@pytest.fixture
def downloads(tmp_path: Path, sentences: Sequence[str]) -> Path:
    folder = tmp_path / "tatoeba"
    folder.mkdir()
    for suffix, first in (("swh", 1), ("eng", 0)):
        lines = "".join(f"{line}\n" for line in sentences[first::2])
        (folder / f"tatoeba.swh-eng.{suffix}").write_text(lines, encoding="utf-8")
    return tmp_path


def test_tasks_are_listed_with_licence_and_citation() -> None:
    done = evaluate("--list-tasks")
    assert done.exit_code == 0
    assert done.stdout.count("licence: ") == done.stdout.count("cite: ") == 14
    assert "lareqa[:de,en]" in done.stdout
    assert "irds:ID" in done.stdout


def test_about_says_where_to_get_and_put_the_data() -> None:
    done = evaluate("--task", "ciral:sw", "--about")
    assert "Apache-2.0" in done.stdout
    assert "DIR/ciral/" in done.stdout
    assert isinstance(evaluate("--about").exception, ConfigError)


def test_a_task_gives_json_a_run_and_values_per_query(downloads: Path, tiny_encoder_dir: Path, tmp_path: Path) -> None:
    done = evaluate(
        *("--task", "tatoeba:sw", "--query-model", tiny_encoder_dir, "--data", downloads, "--allow-incomplete"),
        *("--json", "--run", tmp_path / "out.trec", "--per-query", tmp_path / "values.tsv"),
    )
    assert done.exit_code == 0, done.exception
    result = json.loads(done.stdout)
    assert result["incomplete"]
    assert result["sizes_known"]
    assert result["measures"]["en-sw"].keys() == {"MaxSim", "single vector"}
    assert "queries 5 instead of 390" in done.stderr
    assert len(list(read_trec_run(str(tmp_path / "out.trec")))) == 50
    values = [line.split("\t") for line in (tmp_path / "values.tsv").read_text(encoding="utf-8").splitlines()]
    reciprocal = [float(value) for _, measure, value in values if measure == "sw-en/MaxSim/RR@10"]
    assert sum(reciprocal) / 5 == pytest.approx(result["measures"]["sw-en"]["MaxSim"]["RR@10"])


def test_the_table_leaves_out_pairs_of_languages_but_not_their_mean(tmp_path: Path, tiny_encoder_dir: Path) -> None:
    (tmp_path / "xquad-r").mkdir()
    for language in ("de", "en"):
        questions = [{"id": "a", "question": "Nile?", "answers": [{"answer_start": 0, "text": "N"}]}]
        paragraph = {"context": "Nile.", "sentence_breaks": [[0, 5]], "qas": questions}
        content = json.dumps({"data": [{"paragraphs": [paragraph]}]})
        (tmp_path / f"xquad-r/{language}.json").write_text(content, encoding="utf-8")
    arguments = ("--task", "lareqa", "--query-model", tiny_encoder_dir, "--data", tmp_path, "--allow-incomplete")
    done = evaluate(*arguments)
    assert "mean of 2 pairs of languages, MaxSim" in done.stdout
    assert "de-en" not in done.stdout
    assert "de-en" in json.loads(evaluate(*arguments, "--json").stdout)["measures"]


@pytest.mark.parametrize(
    ("arguments", "error", "expected"),
    [
        ((), ConfigError, "--query-model"),
        (("--query-model", "x"), ConfigError, "either --collection FOLDER or --task NAME"),
        (("--query-model", "x", "--collection", "y", "--task", "z"), ConfigError, "either --collection"),
        (("--query-model", "x", "--task", "tatoeba:sw", "--query-prefix", "sw-"), ConfigError, "--query-prefix"),
        (("--query-model", "x", "--task", "tatoeba:sw", "--data", "/none"), DataError, "LASER"),
    ],
)
def test_calls_that_cannot_be_meant_are_refused(
    arguments: Sequence[str], error: type[Exception], expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("KIVUKO_DATA", raising=False)
    done = evaluate(*arguments)
    assert isinstance(done.exception, error)
    assert expected in str(done.exception)
