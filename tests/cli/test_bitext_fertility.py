import json
from pathlib import Path

from typer.testing import CliRunner

from kivuko.cli import app


def test_each_file_is_reported_and_crumbs_warn(tiny_encoder_dir: Path, tmp_path: Path) -> None:
    swahili, amharic = tmp_path / "en-sw.tsv", tmp_path / "en-am.tsv"
    swahili.write_text("The rains begin.\tMvua huanza.\n", encoding="utf-8")
    amharic.write_text("river\tወንዝ\n", encoding="utf-8")
    flags = ("--bitext", swahili, "--bitext", amharic, "--model", tiny_encoder_dir)
    result = CliRunner().invoke(app, ["bitext", "fertility", *map(str, flags), "--json"], catch_exceptions=False)
    first, second = map(json.loads, result.stdout.splitlines())
    assert (first["words"], first["script"], first["unknown"]) == (2, "Latn", 0.0)
    assert (second["words"], second["script"], second["unknown"]) == (1, "Ethi", 1.0)
    assert "100.0% of the words hold letters" in result.stderr
    plain = CliRunner().invoke(app, ["bitext", "fertility", *map(str, flags)], catch_exceptions=False)
    assert "pieces a word" in plain.stdout


def test_format_may_stand_before_the_path(tiny_encoder_dir: Path, tmp_path: Path) -> None:
    (tmp_path / "c.en").write_text("The rains begin.\nYes.\n", encoding="utf-8")
    (tmp_path / "c.sw").write_text("Mvua huanza.\n\n", encoding="utf-8")
    flags = ("--bitext", f"moses:{tmp_path}/c", "--target", "sw", "--model", str(tiny_encoder_dir), "--json")
    result = CliRunner().invoke(app, ["bitext", "fertility", *flags], catch_exceptions=False)
    record = json.loads(result.stdout)
    assert (record["words"], record["left_out"]) == (2, {"empty side": 1})
    assert "1 records left out" in result.stderr


def test_columns_and_format_are_told_as_to_stats(tiny_encoder_dir: Path, tmp_path: Path) -> None:
    (tmp_path / "pairs").write_text('{"t": {"en": "The rains begin.", "sw": "Mvua huanza."}}\n', encoding="utf-8")
    flags = ("--format", "jsonl", "--english", "t.en", "--translation", "t.sw", "--model", str(tiny_encoder_dir))
    arguments = ["bitext", "fertility", "--bitext", str(tmp_path / "pairs"), *flags, "--json"]
    result = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert json.loads(result.stdout)["words"] == 2
