import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from kivuko.cli import app
from kivuko.errors import ConfigError, DataError


@pytest.fixture
def bitext(tmp_path: Path, sentences: list[str]) -> Path:
    """Thirty pairs of a sentence and itself, three of them with another's, and a line that is none."""
    words = [word for sentence in sentences for word in sentence.split()]
    english = [" ".join(words[3 * n : 3 * n + 6]) for n in range(30)]
    other = [*english[1:3], english[0], *english[3:]]
    lines = [f"{one}\t{two.upper()}" for one, two in zip(english, other, strict=True)]
    path = tmp_path / "en-sw.tsv"
    path.write_text("\n".join([*lines, "no tab"]) + "\n", encoding="utf-8")
    return path


def run(*arguments: str | Path) -> str:
    result = CliRunner().invoke(app, ["bitext", "score", *map(str, arguments)], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def test_kept_pairs_are_bitext_again(bitext: Path, tiny_encoder_dir: Path, tmp_path: Path) -> None:
    out = tmp_path / "good.tsv"
    said = run("--bitext", bitext, "--model", tiny_encoder_dir, "--keep", "0.9", "--out", out, "--json")
    record = json.loads(said)
    assert (record["pairs"], record["kept"]) == (30, 27)
    assert sum(record["left_out"].values()) == 1
    assert 0 <= record["noise"] <= 0.4
    assert out.read_text(encoding="utf-8").splitlines() == bitext.read_text(encoding="utf-8").splitlines()[3:30]
    assert len((tmp_path / "good.rejected.tsv").read_text(encoding="utf-8").splitlines()) == 1 + 3 + 1


def test_scores_are_written_below_names(bitext: Path, tiny_encoder_dir: Path, tmp_path: Path) -> None:
    out = tmp_path / "scored.tsv"
    flags = ("--bitext", bitext, "--model", tiny_encoder_dir, "--out", out)
    assert "30 of 30 pairs, 1 records left out" in run(*flags)
    first = out.read_bytes()
    assert first.startswith(b"english\ttranslation\tcost\tmargin\tcoverage\tscore\n")
    assert not (tmp_path / "scored.rejected.tsv").exists()
    with pytest.raises(ConfigError, match="--overwrite"):
        run(*flags)
    run(*flags, "--overwrite")
    assert out.read_bytes() == first


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (("--keep", "0"), "--keep must be above 0"),
        (("--keep", "0.5", "--threshold", "1"), "not both"),
        (("--format", "csw"), "--format must be one of"),
    ],
)
def test_flags_that_make_no_sense_are_refused(
    flags: tuple[str, ...], told: str, bitext: Path, tiny_encoder_dir: Path, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=told):
        run("--bitext", bitext, "--model", tiny_encoder_dir, "--out", tmp_path / "out.tsv", *flags)
    assert [*tmp_path.iterdir()] == [bitext]


def test_text_that_is_not_there_is_refused(tiny_encoder_dir: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none\.tsv"):
        run("--bitext", tmp_path / "none.tsv", "--model", tiny_encoder_dir, "--out", tmp_path / "out.tsv")
    assert not [*tmp_path.iterdir()]
