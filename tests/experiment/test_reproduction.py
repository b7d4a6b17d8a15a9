"""Reproductions: mistakes are found before anything runs, and what was made is known by the command that made it."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

import kivuko
from kivuko.errors import ConfigError, DataError
from kivuko.experiment import reproduce

MEASURE = "evaluate --query-model {out}/model {collection} --json"


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Write a reproduction of one measure."""
    (tmp_path / "the data").mkdir()

    def written(*prepare: str, command: str = MEASURE, variables: str = "") -> Path:
        path = tmp_path / "table.toml"
        path.write_text(
            f"description = 'a test'\ndata = {json.dumps(str(tmp_path / 'the data'))}\n"
            f"prepare = {json.dumps(prepare)}\n[variables]\ncollection = '--collection {{data}}/beir'\n{variables}\n"
            f"[[measure]]\nname = 'one'\ncommand = {json.dumps(command)}\nexpected = {{ 'RR@10' = 0.5 }}\n"
            "tolerance = 0.5\n",
            encoding="utf-8",
        )
        return path

    return written


def run(path: Path, out: Path) -> list[str]:
    """Return the commands that were begun, the last of which failed."""
    begun: list[str] = []
    with pytest.raises(DataError, match="failed with exit code"):
        reproduce(path, out, notify=begun.append)
    return begun


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"command": "evaluate {gone}"}, r"variable 'gone' .* is not one of collection, out, data"),
        ({"variables": "b = '{gone}'"}, r"variable 'gone' in '\{gone\}' is not one of out, data"),
        ({"command": "evaluate {out"}, "cannot be read as a command: expected '}'"),
        ({"command": "evaluate {}"}, "cannot be read as a command: Replacement index 0"),
        ({"command": "evaluate {out.name}"}, "cannot be read as a command: 'str' object has no attribute 'name'"),
        ({"command": "evaluate 'out"}, "cannot be read as a command: No closing quotation"),
        ({"variables": "b = '\"'"}, "cannot be read as a command: No closing quotation"),
        ({"command": "evaluate --x={collection}"}, "'collection' .* has several words and has to stand alone"),
    ],
)
def test_mistakes_in_the_file_are_found_before_anything_runs(
    write: Callable[..., Path], tmp_path: Path, changes: dict[str, str], message: str
) -> None:
    begun: list[str] = []
    with pytest.raises(ConfigError, match=message):
        reproduce(write("distill --out {out}/model", **changes), tmp_path / "run", notify=begun.append)
    assert begun == []
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("made", "message"),
    [
        (None, "nothing says by which"),
        ({"kivuko": kivuko.__version__, "command": ["distill", "--epochs", "9"]}, "'distill --epochs 9'"),
        ({"kivuko": "0.0.1", "command": ["distill", "--out", "{out}/model"]}, "kivuko 0.0.1"),
    ],
    ids=["unknown", "another command", "another kivuko"],
)
def test_what_another_command_made_is_refused(
    write: Callable[..., Path], tmp_path: Path, made: dict[str, object] | None, message: str
) -> None:
    (tmp_path / "run" / "model").mkdir(parents=True)
    if made is not None:
        (tmp_path / "run" / "made.json").write_text(json.dumps({"{out}/model": made}), encoding="utf-8")
    begun: list[str] = []
    with pytest.raises(ConfigError, match=f"{message}.*Remove it, or give another folder"):
        reproduce(write("distill --out {out}/model"), tmp_path / "run", notify=begun.append)
    assert begun == []


def test_damaged_notes_are_refused(write: Callable[..., Path], tmp_path: Path) -> None:
    (tmp_path / "run" / "model").mkdir(parents=True)
    (tmp_path / "run" / "made.json").write_text("{", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"made\.json is damaged"):
        reproduce(write("distill --out {out}/model"), tmp_path / "run", notify=print)


def test_data_that_are_not_there_are_asked_for(
    write: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write()
    monkeypatch.setenv("KIVUKO_DATA", str(tmp_path / "elsewhere"))
    with pytest.raises(DataError, match="Set KIVUKO_DATA to where it is"):
        reproduce(path, tmp_path / "run", notify=print)


@pytest.mark.parametrize("command", ["--version", "--help"])
def test_command_that_prints_no_measures_is_refused(write: Callable[..., Path], tmp_path: Path, command: str) -> None:
    with pytest.raises(ConfigError, match="one has to print JSON with measures, as `kivuko evaluate --json` does"):
        reproduce(write(command=command), tmp_path / "run", notify=print)


def test_what_the_same_command_made_is_not_made_again_wherever_the_folder_is(
    write: Callable[..., Path], tmp_path: Path
) -> None:
    path = write("--version --out {out}/model", command="no-such-command {collection}")
    signature = {"kivuko": kivuko.__version__, "command": ["--version", "--out", "{out}/model"]}
    (tmp_path / "run" / "model").mkdir(parents=True)
    (tmp_path / "run" / "made.json").write_text(json.dumps({"{out}/model": signature}), encoding="utf-8")
    (tmp_path / "run").rename(tmp_path / "moved")
    assert run(path, tmp_path / "moved") == [
        f"kivuko no-such-command --collection '{tmp_path}/the data/beir'"  # one argument, for all its space
    ]


def test_what_was_made_of_other_inputs_is_made_again_and_what_reads_it_too(
    write: Callable[..., Path], tmp_path: Path
) -> None:
    out, bitext = tmp_path / "run", tmp_path / "the data" / "en-sw.tsv"
    commands = {
        "clean": "bitext clean --bitext {data}/en-sw.tsv --out {out}/clean",
        "twice": "no-such-command {out}/clean/kept.tsv --out {out}/twice",
    }
    bitext.write_text("the water is cold today\tmaji ni baridi leo\n", encoding="utf-8")
    before = {}
    for name, command in commands.items():
        (out / name).mkdir(parents=True)
        read = command.split()[-3]
        before[f"{{out}}/{name}"] = {
            "kivuko": kivuko.__version__,
            "command": command.split(),
            "inputs": {read: "another"},
        }
    (out / "made.json").write_text(json.dumps(before), encoding="utf-8")
    begun = run(write(*commands.values()), out)
    assert [line.split()[1] for line in begun if line.startswith("kivuko")] == ["bitext", "no-such-command"]
    assert sum("made of other inputs" in line for line in begun) == 2
    assert "water" in (out / "clean" / "kept.tsv").read_text(encoding="utf-8")
    made = json.loads((out / "made.json").read_text(encoding="utf-8"))
    assert made["{out}/clean"]["inputs"] != before["{out}/clean"]["inputs"]
    assert made["{out}/twice"] == before["{out}/twice"]
    assert {entry.name for entry in out.iterdir()} == {"clean", "twice", "made.json"}


def test_a_model_is_kept_where_its_successor_fails(write: Callable[..., Path], tmp_path: Path) -> None:
    out, bitext = tmp_path / "run", tmp_path / "the data" / "en-sw.tsv"
    path = write("no-such-command {data}/en-sw.tsv --out {out}/model")
    bitext.write_text("water\tmaji\n", encoding="utf-8")
    (out / "model").mkdir(parents=True)
    command = ["no-such-command", "{data}/en-sw.tsv", "--out", "{out}/model"]
    signature = {"kivuko": kivuko.__version__, "command": command, "inputs": {"{data}/en-sw.tsv": "another"}}
    (out / "made.json").write_text(json.dumps({"{out}/model": signature}), encoding="utf-8")
    assert len(run(path, out)) == 2
    assert {entry.name for entry in out.iterdir()} == {"model", "made.json"}


@pytest.mark.slow
def test_a_table_is_reproduced_in_a_folder_with_a_space_in_its_name(
    write: Callable[..., Path], tmp_path: Path, bitext: Path, tiny_encoder_dir: Path, sentences: list[str]
) -> None:
    data = tmp_path / "the data"
    shutil.copytree(tiny_encoder_dir, data / "teacher")
    shutil.copyfile(bitext, data / "en-sw.tsv")
    (data / "beir" / "qrels").mkdir(parents=True)
    for name, rows in (("corpus", sentences[::2]), ("queries", sentences[1::2])):
        lines = [json.dumps({"_id": str(number), "title": "", "text": text}) for number, text in enumerate(rows)]
        (data / "beir" / f"{name}.jsonl").write_text("\n".join(lines), encoding="utf-8")
    (data / "beir" / "qrels" / "test.tsv").write_text("".join(f"{n}\t{n}\t1\n" for n in range(5)), encoding="utf-8")
    path = write(
        "distill --teacher {data}/teacher --target sw --bitext {data}/en-sw.tsv --dimensions 0 --epochs 0 "
        "--vocabulary-size 300 --out {out}/model",
        command=MEASURE.replace("--json", "--measures RR@10 --json"),
    )
    begun: list[str] = []
    results = reproduce(path, tmp_path / "a run", notify=begun.append)
    assert [(result.name, result.measure, result.expected) for result in results] == [("one", "RR@10", 0.5)]
    assert results[0].holds == (abs(results[0].found - 0.5) <= 0.5)
    assert 0 < results[0].found <= 1
    assert [command.split()[1] for command in begun] == ["distill", "evaluate"]
    assert reproduce(path, tmp_path / "a run", notify=begun.append) == results
    assert [command.split()[1] for command in begun] == ["distill", "evaluate", "evaluate"]
