"""The command line on a tiny real encoder: from bitext to measures, and every mistake a clear line and exit code 2."""

import contextlib
import io
import json
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import NamedTuple

import pytest
from ir_measures import read_trec_run

from kivuko.__main__ import main


class Done(NamedTuple):
    """What a command left: its exit code and what it printed."""

    returncode: int
    stdout: str
    stderr: str


def kivuko(*arguments: object) -> Done:
    """Run the command's own entry point in this process: a new one would spend its time importing torch."""
    stdout, stderr = io.StringIO(), io.StringIO()
    code = 0
    before = sys.argv
    sys.argv = ["kivuko", *map(str, arguments)]
    try:
        with contextlib.redirect_stdout(stdout), contextlib.redirect_stderr(stderr):
            main()
    except SystemExit as stop:
        code = stop.code if isinstance(stop.code, int) else int(stop.code is not None)
    finally:
        sys.argv = before
    return Done(code, stdout.getvalue(), stderr.getvalue())


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory, sentences: list[str]) -> Path:
    """Bitext, and a BEIR folder with the Swahili sentences as queries for their English originals."""
    folder = tmp_path_factory.mktemp("data")
    english, swahili = sentences[::2], sentences[1::2]
    lines = [f"{n} {e}\t{n} {s}" for n in range(10, 22) for e, s in zip(english, swahili, strict=True)]
    (folder / "en-sw.tsv").write_text("\n".join(lines), encoding="utf-8")
    beir = folder / "beir"
    (beir / "qrels").mkdir(parents=True)
    documents = [{"_id": f"d{n}", "title": "", "text": text} for n, text in enumerate(english)]
    queries = [{"_id": f"q{n}", "text": text} for n, text in enumerate(swahili)]
    (beir / "corpus.jsonl").write_text("".join(json.dumps(row) + "\n" for row in documents), encoding="utf-8")
    (beir / "queries.jsonl").write_text("".join(json.dumps(row) + "\n" for row in queries), encoding="utf-8")
    qrels = "".join(f"q{n}\td{n}\t1\n" for n in range(len(english)))
    (beir / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\n" + qrels, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def student(data: Path, tiny_encoder_dir: Path) -> Path:
    out = data / "student"
    done = kivuko(
        *("distill", "--teacher", tiny_encoder_dir, "--bitext", f"{data / 'en-sw.tsv'}:2", "--target", "sw"),
        *("--out", out, "--dimensions", 0, "--vocabulary-size", 300, "--batch-size", 8, "--epochs", 1),
        *("--objective", "transport", "--objective", "scores:0.5", "--validation", data / "beir"),
        *("--validation-split", "test"),
    )
    assert done.returncode == 0, done.stderr
    assert "RR@10" in done.stdout
    assert "training" in done.stderr
    return out


@pytest.fixture(scope="module")
def index(data: Path, student: Path) -> Path:
    out = data / "index"
    done = kivuko("index", "--model", student / "teacher", "--corpus", data / "beir" / "corpus.jsonl", "--out", out)
    assert done.returncode == 0, done.stderr
    return out


def test_record_and_card_name_the_validation_collection(student: Path) -> None:
    record = json.loads((student / "kivuko.json").read_text(encoding="utf-8"))
    card = (student / "README.md").read_text(encoding="utf-8")
    assert f"| RR@10, validation collection `{record['inputs']['validation_sha256'][:12]}` |" in card


def test_search_answers_a_question_in_json(student: Path, index: Path, sentences: list[str]) -> None:
    done = kivuko("search", "--index", index, "--model", student, sentences[1], "--top-k", 3, "--json")
    answer = json.loads(done.stdout)
    assert answer["query"] == sentences[1]
    assert len(answer["hits"]) == 3
    assert [hit["score"] for hit in answer["hits"]] == sorted((hit["score"] for hit in answer["hits"]), reverse=True)


def test_search_of_a_file_gives_a_trec_run(student: Path, index: Path, data: Path, tmp_path: Path) -> None:
    done = kivuko("search", "--index", index, "--model", student, "--queries", data / "beir" / "queries.jsonl")
    run = list(read_trec_run(done.stdout))
    assert {row.query_id for row in run} == {f"q{n}" for n in range(5)}
    assert len(run) == 25


def test_search_shows_titles_and_scores_to_a_person(student: Path, index: Path) -> None:
    done = kivuko("search", "--index", index, "--model", student, "Mto gani ni mrefu?", "--top-k", 2)
    assert done.stdout.count("score") == 2


def test_evaluate_keeps_run_and_values_per_query(student: Path, data: Path, tmp_path: Path) -> None:
    done = kivuko(
        *("evaluate", "--query-model", student, "--collection", data / "beir", "--measures", "nDCG@10 RR@10"),
        *("--run", tmp_path / "out.trec", "--per-query", tmp_path / "values.tsv", "--json"),
    )
    result = json.loads(done.stdout)
    rows = [line.split("\t") for line in (tmp_path / "values.tsv").read_text(encoding="utf-8").splitlines()]
    reciprocal_ranks = [float(value) for _, measure, value in rows if measure == "RR@10"]
    assert set(result["measures"]) == {"nDCG@10", "RR@10"}
    assert sum(reciprocal_ranks) / 5 == pytest.approx(result["measures"]["RR@10"])
    assert result["document_model"].endswith("teacher")
    assert len(list(read_trec_run(str(tmp_path / "out.trec")))) == 25


def test_evaluate_uses_an_index_again_and_replaces_another_only_when_told(
    student: Path, data: Path, tmp_path: Path
) -> None:
    command = ("evaluate", "--collection", data / "beir", "--index", tmp_path / "index", "--json", "--query-model")
    first = kivuko(*command, student)
    assert first.returncode == 0, first.stderr
    assert "0/?" in kivuko(*command, student).stderr  # documents encoded
    other = (student, "--document-model", student)
    refused(kivuko(*command, *other), "was encoded by another model", "teacher", "replace this one with --overwrite")
    replaced = kivuko(*command, *other, "--overwrite")
    assert replaced.returncode == 0, replaced.stderr
    refused(kivuko(*command, student), "was encoded by another model", str(student))


def refused(done: Done, *expected: str) -> None:
    assert done.returncode == 2, (done.returncode, done.stderr)
    assert "Traceback" not in done.stderr
    for words in expected:
        assert words in " ".join(done.stderr.split())


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (None, "no such file"),
        (b"only one column\n", "expected two columns"),
        (b"a\tb\nc\t\xff\xfe\n", "line 2: not valid UTF-8"),
        (b"", "found none"),
    ],
    ids=["missing", "one column", "invalid UTF-8", "empty"],
)
def test_bad_bitext(tmp_path: Path, tiny_encoder_dir: Path, content: bytes | None, expected: str) -> None:
    if content is not None:
        (tmp_path / "en-sw.tsv").write_bytes(content)
    before = sorted(tmp_path.iterdir())
    done = kivuko(
        *("distill", "--teacher", tiny_encoder_dir, "--bitext", tmp_path / "en-sw.tsv", "--target", "sw"),
        *("--out", tmp_path / "out"),
    )
    refused(done, expected, "en-sw.tsv")
    assert sorted(tmp_path.iterdir()) == before


def test_bad_flags_and_configs(tmp_path: Path, tiny_encoder_dir: Path, data: Path) -> None:
    given = ("--teacher", tiny_encoder_dir, "--bitext", data / "en-sw.tsv", "--target", "sw", "--out", tmp_path / "out")
    refused(kivuko("distill", *given, "--objective", "transports"), "objectives.0.name", "'transport'")
    refused(kivuko("distill", "--teacher", tiny_encoder_dir), "'target' is missing")
    refused(kivuko("distill", *given, "--epochs", "-1"), "training.epochs")
    refused(kivuko("distill", *given[:4], "--target", "SW", "--out", tmp_path / "out"), "bitext.0.language", "SW")
    config = tmp_path / "config.toml"
    config.write_text('teacher = "x"\ntarget = ["sw"]\nout = "y"\n[trainin]\nepochs = 1\n', encoding="utf-8")
    refused(kivuko("distill", config), "no key 'trainin'; did you mean 'training'?")
    refused(kivuko("distill", tmp_path / "none.toml"), "none.toml", "there is none")


def test_bad_models(tmp_path: Path, data: Path) -> None:
    given = ("--bitext", data / "en-sw.tsv", "--target", "sw", "--out", tmp_path / "out")
    empty = tmp_path / "model"
    empty.mkdir()
    (empty / "config.json").write_text("{}", encoding="utf-8")
    refused(
        kivuko("distill", "--teacher", empty, *given), "expected weights in a .safetensors file", "no weights at all"
    )
    (empty / "pytorch_model.bin").write_bytes(b"pickle")
    refused(kivuko("distill", "--teacher", empty, *given), "pytorch_model.bin", "unpickled")
    refused(kivuko("distill", "--teacher", tmp_path / "none", *given), "expected a model directory, found nothing")
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_bad_queries_and_indexes(student: Path, index: Path, data: Path, tmp_path: Path) -> None:
    refused(kivuko("search", "--index", index, "--model", student, "  "), "query is empty")
    refused(kivuko("search", "--index", index, "--model", student), "either a query or a file")
    refused(
        kivuko("search", "--index", data, "--model", student, "maji"),
        f"{data} is not a kivuko index (no manifest.json there). Build one with `kivuko index`.",
    )
    refused(
        kivuko("index", "--model", student, "--corpus", tmp_path / "none.jsonl", "--out", tmp_path / "i"),
        "none.jsonl does not exist",
    )
    refused(
        kivuko("evaluate", "--query-model", student, "--collection", data / "beir", "--measures", "nDGC@10"),
        "Did you mean",
    )
    refused(
        kivuko("evaluate", "--query-model", student, "--collection", data / "beir", "--split", "dev"),
        "has no split 'dev'",
        "test",
    )


def test_ids_that_a_trec_run_cannot_hold_are_refused(student: Path, index: Path, tmp_path: Path) -> None:
    (tmp_path / "queries.tsv").write_text("q 1\tMto gani?\n", encoding="utf-8")
    command = ("search", "--index", index, "--model", student, "--queries", tmp_path / "queries.tsv")
    done = kivuko(*command)
    refused(done, "separates its columns by white space: query_id 'q 1' cannot be written")
    assert done.stdout == ""
    assert json.loads(kivuko(*command, "--json").stdout)["query_id"] == "q 1"


def test_output_that_cannot_be_written(tmp_path: Path, student: Path, data: Path) -> None:
    (tmp_path / "file").touch()
    corpus = data / "beir" / "corpus.jsonl"
    index = ("index", "--model", student, "--corpus", corpus, "--out")
    refused(kivuko(*index, tmp_path / "file" / "index"), "file/index cannot be written: [Errno 17] File exists")
    refused(
        kivuko(*index, "/proc/kivuko-index"), "The index /proc/kivuko-index cannot be written: [Errno 2] No such file"
    )
    evaluate = ("evaluate", "--query-model", student, "--collection", data / "beir")
    for flag in ("--run", "--per-query"):
        done = kivuko(*evaluate, flag, tmp_path / "gone" / "file")
        refused(done, "gone/file cannot be written: No such file or directory")
        assert "documents" not in done.stderr  # of which none was encoded
        refused(kivuko(*evaluate, flag, "/proc/file"), "/proc/file cannot be written")
        refused(kivuko(*evaluate, flag, tmp_path), f"{tmp_path} cannot be written: it is a folder")


@pytest.mark.parametrize("limit", [500, 20_000])
def test_full_disk_stops_distillation_with_one_line(
    tmp_path: Path,
    data: Path,
    tiny_encoder_dir: Path,
    full_disk: Callable[[int], AbstractContextManager[None]],
    limit: int,
) -> None:
    with full_disk(limit):
        done = kivuko(
            *("distill", "--teacher", tiny_encoder_dir, "--bitext", data / "en-sw.tsv", "--target", "sw"),
            *("--vocabulary-size", 300, "--out", tmp_path / "out"),
        )
    refused(done, "out cannot be written", "Free some space, or write elsewhere")
    assert list(tmp_path.iterdir()) == []


def test_full_disk_stops_the_demo_with_one_line(
    tmp_path: Path, tiny_encoder_dir: Path, full_disk: Callable[[int], AbstractContextManager[None]]
) -> None:
    with full_disk(4_096):
        done = kivuko("demo", "--teacher", tiny_encoder_dir, "--out", tmp_path / "out")
    refused(done, "out cannot be written", "File too large")
    assert list(tmp_path.iterdir()) == []


def test_demo_leaves_alone_what_is_not_its_own(tmp_path: Path, tiny_encoder_dir: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "en-sw.tsv").touch()
    done = kivuko("demo", "--teacher", tiny_encoder_dir, "--out", tmp_path)
    refused(done, f"{tmp_path / 'data'} was not made by kivuko", "--out")


def test_full_disk_leaves_nothing_half_written(tmp_path: Path, student: Path, data: Path) -> None:
    """A limit on the size of files stops a write half-way, as a full disk does."""
    arguments = ["index", "--model", student, "--corpus", data / "beir" / "corpus.jsonl", "--out", tmp_path / "index"]
    script = (
        "import resource, signal, sys\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "from kivuko.__main__ import main\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))\n"
        f"sys.argv = {['kivuko', *map(str, arguments)]!r}\n"
        "main()\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    refused(Done(done.returncode, done.stdout, done.stderr), "index cannot be written: [Errno 27] File too large")
    assert list(tmp_path.iterdir()) == []


def test_help_is_light() -> None:
    script = (
        "import sys\n"
        "sys.argv = ['kivuko', '--help']\n"
        "import kivuko\nfrom kivuko.__main__ import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "heavy = {'torch', 'transformers', 'sentence_transformers', 'numpy', 'datasets'} & set(sys.modules)\n"
        "print(len(sys.modules), file=sys.stderr)\n"
        "sys.exit(f'imported {heavy}' if heavy else 0)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert int(done.stderr) < 500  # modules, of which Typer and Rich are most; seconds would be those of the machine


@pytest.mark.parametrize("command", ["demo", "distill", "index", "search", "evaluate", "reproduce"])
def test_every_command_shows_an_example(command: str) -> None:
    done = kivuko(command, "--help")
    assert done.returncode == 0
    assert f"kivuko {command}" in done.stdout
