import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from kivuko.cli import app
from kivuko.errors import ConfigError


@pytest.fixture
def bitext(tmp_path: Path) -> Path:
    path = tmp_path / "en-sw.tsv"
    path.write_text("The river is wide.\tMto ni mpana.\nYes.\tNdiyo.\nYes.\tNdiyo.\n", encoding="utf-8")
    return path


@pytest.fixture
def collection(tmp_path: Path) -> Path:
    folder = tmp_path / "beir"
    (folder / "qrels").mkdir(parents=True)
    (folder / "corpus.jsonl").write_text('{"_id": "d", "text": "the river is wide."}\n', encoding="utf-8")
    (folder / "queries.jsonl").write_text('{"_id": "q", "text": "Mto ni mpana!"}\n', encoding="utf-8")
    (folder / "qrels" / "dev.tsv").write_text("query-id\tcorpus-id\tscore\nq\td\t1\n", encoding="utf-8")
    return folder


def run(*arguments: str | Path) -> str:
    result = CliRunner().invoke(app, ["bitext", *map(str, arguments)], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def test_leaks_are_counted_for_each_file_and_collection(bitext: Path, collection: Path) -> None:
    flags = ("--bitext", bitext, "--bitext", bitext, "--against", collection, "--split", "dev", "--json")
    first, second = json.loads(run("leaks", *flags))
    assert first == second
    assert first["documents"] == {"exact": 1, "near": 0, "total": 1, "same": 0, "within": 0}
    assert first["queries"] == {"exact": 0, "near": 0, "total": 1, "same": 1, "within": 0}
    assert first["whole"] == {"exact": 0, "near": 0, "total": 1, "same": 1, "within": 0}
    assert first["training"] == {"exact": 1, "near": 0, "total": 3, "same": 0, "within": 0}


def test_leaks_say_what_was_left_out(bitext: Path, collection: Path) -> None:
    with bitext.open("a", encoding="utf-8") as file:
        file.write("a\tb\tc\nNo.\t\n")
    command = ["bitext", "leaks", "--bitext", str(bitext), "--against", str(collection), "--split", "dev", "--json"]
    result = CliRunner().invoke(app, command, catch_exceptions=False)
    assert json.loads(result.stdout)[0]["left_out"] == {"3 columns, expected 2": 1, "empty side": 1}
    assert f"{bitext}: 2 records left out" in result.stderr


def test_stats_are_printed_as_json(bitext: Path) -> None:
    record = json.loads(run("stats", "--bitext", bitext, "--json"))
    assert (record["pairs"], record["distinct"], record["english"]["script"]) == (3, 2, "Latn")
    assert record["english"]["length_limit"] is None


def test_clean_writes_what_it_kept_what_not_and_a_report(bitext: Path, collection: Path, tmp_path: Path) -> None:
    out = tmp_path / "clean"
    said = run("clean", "--bitext", bitext, "--out", out, "--against", collection, "--split", "dev")
    assert "1 pairs kept, 2 rejected" in said
    assert (out / "kept.tsv").read_text(encoding="utf-8") == "Yes.\tNdiyo.\n"
    assert "| test item | 1 | 33.3% |" in (out / "report.md").read_text(encoding="utf-8")
    with pytest.raises(ConfigError, match="--overwrite"):
        run("clean", "--bitext", bitext, "--out", out)


def test_clean_replaces_nothing_that_came_or_was_put_back_meanwhile(bitext: Path, tmp_path: Path) -> None:
    (tmp_path / ".clean.old").mkdir()
    (tmp_path / ".clean.old" / "kept.tsv").write_text("Yes.\tNdiyo.\n", encoding="utf-8")
    with pytest.raises(ConfigError, match="--overwrite"):
        run("clean", "--bitext", bitext, "--out", tmp_path / "clean")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["clean", bitext.name]
    assert [path.name for path in (tmp_path / "clean").iterdir()] == ["kept.tsv"]


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    ("out", "why"),
    [
        ("data", "data holds .*en-sw.tsv, which is read"),
        (".", "working directory"),
        ("file", "file is a file"),
        ("link", "link holds .*en-sw.tsv, which is read"),
        ("beir", "beir holds .*beir, which is read"),
        ("notes", "notes holds mine.txt, which .* did not write"),
        ("folders", "folders holds kept.tsv, which .* did not write"),
    ],
)
def test_clean_replaces_nothing_that_it_did_not_write(
    bitext: Path, collection: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, out: str, why: str
) -> None:
    monkeypatch.chdir(tmp_path)
    for folder in ("data", "notes", "folders/kept.tsv"):
        (tmp_path / folder).mkdir(parents=True)
    bitext.rename(tmp_path / "data" / bitext.name)
    (tmp_path / "link").symlink_to(tmp_path / "data")
    (tmp_path / "file").write_text("mine")
    (tmp_path / "notes" / "mine.txt").write_text("mine")
    (tmp_path / "notes" / "kept.tsv").write_text("")
    before = contents(tmp_path)
    flags = ("--against", collection.name, "--split", "dev", "--overwrite")
    with pytest.raises(ConfigError, match=why):
        run("clean", "--bitext", f"data/{bitext.name}", "--out", out, *flags)
    assert contents(tmp_path) == before


@pytest.mark.parametrize("spelled", ["moses:clean/kept", "bible:clean/kept.tsv,clean/report.md", "tsv:clean/kept.tsv"])
def test_clean_does_not_replace_its_own_result_that_it_reads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spelled: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "clean").mkdir()
    (tmp_path / "clean" / "kept.tsv").write_text("Yes.\tNdiyo.\n")
    with pytest.raises(ConfigError, match="which is read"):
        run("clean", "--bitext", spelled, "--language", "sw", "--out", "clean", "--overwrite")
    assert contents(tmp_path) == {"clean/kept.tsv": b"Yes.\tNdiyo.\n"}


def test_clean_replaces_what_it_wrote_before(bitext: Path, tmp_path: Path) -> None:
    out = tmp_path / "clean"
    run("clean", "--bitext", bitext, "--out", out)
    (out / "kept.tsv").write_text("old")
    (tmp_path / "link").symlink_to(out)
    run("clean", "--bitext", bitext, "--out", tmp_path / "link", "--overwrite")
    assert "Yes." in (out / "kept.tsv").read_text(encoding="utf-8")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["clean", bitext.name, "link"]


def test_report_is_the_same_wherever_it_is_written(
    bitext: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for out in (["--out", "one"], ["--out=two", "--overwrite"]):
        arguments = ["bitext", "clean", "--bitext", str(bitext), *out]
        monkeypatch.setattr("sys.argv", ["kivuko", *arguments])
        monkeypatch.chdir(tmp_path)
        CliRunner().invoke(app, arguments, catch_exceptions=False)
    page = (tmp_path / "one" / "report.md").read_text(encoding="utf-8")
    assert f"kivuko bitext clean --bitext {bitext}\n" in page.replace("`", "")
    assert page == (tmp_path / "two" / "report.md").read_text(encoding="utf-8")


def test_failed_cleaning_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "bad.tsv"
    path.write_text("one column\n", encoding="utf-8")
    result = CliRunner().invoke(app, ["bitext", "clean", "--bitext", str(path), "--out", str(tmp_path / "clean")])
    assert result.exit_code == 1
    assert [each.name for each in tmp_path.iterdir()] == ["bad.tsv"]


def test_unknown_format_is_answered_with_those_known(bitext: Path) -> None:
    with pytest.raises(ConfigError, match="tmx"):
        run("stats", "--bitext", bitext, "--format", "docx")
