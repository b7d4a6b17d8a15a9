import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from kivuko.cli import app
from kivuko.errors import ConfigError


@pytest.fixture
def bitext(tmp_path: Path) -> Path:
    path = tmp_path / "en-sw.tsv"
    path.write_text("The big house\tNyumba kubwa\nhouse\tnyumba\nbook\tkitabu\n", encoding="utf-8")
    return path


@pytest.fixture
def dictionary(tmp_path: Path) -> Path:
    path = tmp_path / "gold.tsv"
    path.write_text("house\tnyumba\nbook\tkitabu\nriver\tmto\n", encoding="utf-8")
    return path


def run(*arguments: str | Path) -> str:
    result = CliRunner().invoke(app, ["bitext", "lexicon", *map(str, arguments)], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def test_lexicon_is_written_and_measured(bitext: Path, dictionary: Path, tmp_path: Path) -> None:
    out = tmp_path / "lexicon.tsv"
    flags = ("--bitext", bitext, "--target", "sw", "--gold", dictionary)
    record = json.loads(run(*flags, "--out", out, "--top-k", "1", "--json"))
    assert (record["method"], record["direction"], record["words"]) == ("ibm1", "to-english", 3)
    assert record["dictionary"] == {"words": 3, "covered": 2, "precision@1": 1.0, "precision@5": 1.0}
    assert out.read_text(encoding="utf-8").splitlines()[1].startswith("kitabu\tbook\t")
    said = run(*flags, "--out", out, "--overwrite")
    assert "of 3 words of the dictionary 2 are covered" in said


def test_format_may_stand_before_the_path_and_what_is_left_out_is_said(tmp_path: Path) -> None:
    (tmp_path / "c.en").write_text("house\nbook\nriver\n", encoding="utf-8")
    (tmp_path / "c.sw").write_text("nyumba\nkitabu\n\n", encoding="utf-8")
    flags = ("--target", "sw", "--out", tmp_path / "lexicon.tsv", "--json")
    record = json.loads(run("--bitext", f"moses:{tmp_path}/c", *flags))
    assert (record["words"], record["left_out"]) == (2, {"empty side": 1})


def test_columns_and_format_are_told_as_to_stats(dictionary: Path, tmp_path: Path) -> None:
    (tmp_path / "pairs").write_text("id,sw,en\n1,nyumba,house\n2,kitabu,book\n", encoding="utf-8")
    flags = ("--target", "sw", "--out", tmp_path / "lexicon.tsv", "--gold", dictionary, "--json")
    columns = ("--format", "csv", "--english", "en", "--translation", "sw")
    record = json.loads(run("--bitext", tmp_path / "pairs", *columns, *flags))
    assert (record["words"], record["dictionary"]["covered"]) == (2, 2)


def test_english_words_are_looked_up_if_asked(bitext: Path, tmp_path: Path) -> None:
    out = tmp_path / "lexicon.tsv"
    run("--bitext", bitext, "--target", "sw", "--out", out, "--direction", "from-english")
    assert "\nbook\tkitabu\t1.0000\t" in out.read_text(encoding="utf-8")


def test_transport_asks_a_student(bitext: Path, tiny_encoder_dir: Path, tmp_path: Path) -> None:
    out = tmp_path / "lexicon.tsv"
    flags = ("--bitext", bitext, "--target", "sw", "--method", "transport")
    record = json.loads(run(*flags, "--model", tiny_encoder_dir, "--out", out, "--json"))
    assert record["method"] == "transport"
    with pytest.raises(ConfigError, match="--model STUDENT"):
        run(*flags, "--out", tmp_path / "other.tsv")
    with pytest.raises(ConfigError, match="ibm1 uses none"):
        run("--bitext", bitext, "--target", "sw", "--model", tiny_encoder_dir, "--out", tmp_path / "other.tsv")


def test_what_is_there_stays_unless_told(bitext: Path, tmp_path: Path) -> None:
    out = tmp_path / "lexicon.tsv"
    out.write_text("mine", encoding="utf-8")
    with pytest.raises(ConfigError, match="--overwrite"):
        run("--bitext", bitext, "--target", "sw", "--out", out)
    assert out.read_text(encoding="utf-8") == "mine"


def test_compressed_name_is_refused_and_what_is_there_stays(bitext: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no \.gz holds"):
        run("--bitext", bitext, "--target", "sw", "--out", tmp_path / "lexicon.tsv.gz")
    with pytest.raises(ConfigError, match="is there already"):
        run("--bitext", bitext, "--target", "sw", "--out", bitext)
