from pathlib import Path

import pytest
from typer.testing import CliRunner

from kivuko.cli import app
from kivuko.errors import ConfigError, DataError


@pytest.fixture
def texts(tmp_path: Path, sentences: list[str]) -> tuple[Path, Path]:
    """Twenty sentences, and eight of them with a full stop set off, as their translations."""
    words = [word for sentence in sentences for word in sentence.split()]
    english = [" ".join(words[4 * n : 4 * n + 6]) for n in range(20)]
    paths = tmp_path / "news.en", tmp_path / "news.sw"
    for path, lines in zip(paths, (english, [f"{text} ." for text in english[4:12]]), strict=True):
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return paths


def run(*arguments: str | Path) -> str:
    result = CliRunner().invoke(app, ["bitext", "mine", *map(str, arguments)], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


@pytest.mark.parametrize("flags", [(), ("--no-rescore",)])
def test_pairs_are_found(
    flags: tuple[str, ...], texts: tuple[Path, Path], tiny_encoder_dir: Path, tmp_path: Path
) -> None:
    out = tmp_path / "mined.tsv"
    given = ("--english", texts[0], "--other", texts[1], "--model", tiny_encoder_dir, "--out", out)
    said = run(*given, "--threshold", "1.02", "--top-k", "3", "--scores", *flags)
    names, *rows = [line.split("\t") for line in out.read_text(encoding="utf-8").splitlines()]
    assert names == ["english", "translation", "score"]
    assert f"{len(rows)} pairs" in said
    assert {(english, other) for english, other, _ in rows if other == f"{english} ."} == {(e, o) for e, o, _ in rows}
    assert len(rows) >= 6


def test_bad_flags_and_text_are_refused(texts: tuple[Path, Path], tiny_encoder_dir: Path, tmp_path: Path) -> None:
    given = ("--english", texts[0], "--model", tiny_encoder_dir)
    with pytest.raises(ConfigError, match="--threshold must be a positive number"):
        run(*given, "--other", texts[1], "--out", tmp_path / "out.tsv", "--threshold", "0")
    with pytest.raises(ConfigError, match="the folder of --out, is not there"):
        run(*given, "--other", texts[1], "--out", tmp_path / "none" / "out.tsv")
    with pytest.raises(DataError, match="does not exist"):
        run(*given, "--other", tmp_path / "none", "--out", tmp_path / "out.tsv")
    with pytest.raises(ConfigError, match="is there already"):
        run(*given, "--other", texts[1], "--out", texts[1])
