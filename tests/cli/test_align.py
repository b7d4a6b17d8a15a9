"""`kivuko align` on a tiny real encoder that is its own teacher."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from kivuko.__main__ import main


class Done(NamedTuple):
    """What the command left."""

    returncode: int
    stdout: str
    stderr: str


Align = Callable[..., Done]


@pytest.fixture
def align(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tiny_encoder_dir: Path) -> Align:
    def run(*arguments: object) -> Done:
        monkeypatch.setattr(sys, "argv", ["kivuko", "align", "--model", str(tiny_encoder_dir), *map(str, arguments)])
        with pytest.raises(SystemExit) as stop:
            main()
        return Done(int(stop.value.code or 0), *capsys.readouterr())

    return run


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    path = tmp_path / "pairs.tsv"
    path.write_text("The clinic in Dodoma .\tThe clinic in Dodoma .\nThe bus\tThe bus\n", encoding="utf-8")
    return path


def test_two_sentences_become_a_table_of_links(align: Align) -> None:
    done = align("The clinic in Dodoma.", "Kliniki ya Dodoma.")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("Dodoma") == 2
    assert "strength" in done.stdout


def test_file_of_pairs_becomes_pharaoh_lines(align: Align, pairs: Path) -> None:
    assert align("--pairs", pairs).stdout == "0-0 1-1 2-2 3-3 4-4\n0-0 1-1\n"


def test_punctuation_of_pairs_is_set_off_on_demand(align: Align, tmp_path: Path) -> None:
    path = tmp_path / "raw.tsv"
    path.write_text("The bus.\tThe bus.\n", encoding="utf-8")
    assert align("--pairs", path).stdout == "0-0 1-1\n"
    assert align("--pairs", path, "--split-punctuation").stdout == "0-0 1-1 2-2\n"


def test_plot_is_written_beside_the_links(align: Align, pairs: Path, tmp_path: Path) -> None:
    page, picture = tmp_path / "plot.html", tmp_path / "plot.png"
    assert align("--pairs", pairs, "--plot", page).stdout == "0-0 1-1 2-2 3-3 4-4\n0-0 1-1\n"
    assert page.read_text(encoding="utf-8").count("<figure>") == 2
    assert align("The bus", "The bus", "--plot", picture).returncode == 0
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert {path.name for path in tmp_path.iterdir()} == {"pairs.tsv", "plot.html", "plot.png"}


def test_json_and_tsv_have_words_and_strength(align: Align, pairs: Path) -> None:
    records = [json.loads(line) for line in align("--pairs", pairs, "--json").stdout.splitlines()]
    assert [link[:2] for link in records[1]["links"]] == [[0, 0], [1, 1]]
    assert records[1]["english"] == ["The", "bus"]
    rows = [line.split("\t") for line in align("--pairs", pairs, "--tsv").stdout.splitlines()]
    assert rows[-1][:5] == ["2", "1", "1", "bus", "bus"]
    assert float(rows[-1][5]) == records[1]["links"][1][2]


@pytest.mark.parametrize(
    ("gold_format", "content"),
    [("pharaoh", "0-0 1-1 2-2 3p3 4-4\n0-0 1-1\n"), ("naacl", "1 1 1\n1 2 2\n1 3 3\n1 4 4 P\n1 5 5\n2 1 1\n2 2 2\n")],
)
def test_gold_in_both_formats_gives_the_same_measures(
    align: Align, pairs: Path, tmp_path: Path, gold_format: str, content: str
) -> None:
    gold = tmp_path / "gold"
    gold.write_text(content, encoding="utf-8")
    found = json.loads(align("--pairs", pairs, "--gold", gold, "--format", gold_format, "--json").stdout)
    assert found == {"unbalanced": {"precision": 1.0, "recall": 1.0, "f1": 1.0, "aer": 0.0, "links": 7}}


def test_gold_of_our_own_format_is_measured_with_the_method_that_is_named(align: Align, tmp_path: Path) -> None:
    gold = tmp_path / "gold.tsv"
    gold.write_text("The bus\tThe bus\t0-0 1-1\t\n", encoding="utf-8")
    done = align("--gold", gold, "--method", "mutual")
    assert done.returncode == 0, done.stderr
    assert "mutual" in done.stdout
    assert "AER" in done.stdout
    assert "unbalanced" not in done.stdout


def test_compare_measures_all_methods_on_the_embedded_gold(align: Align) -> None:
    done = align("--compare")
    assert "72 sentence pairs" in done.stdout
    for method in ("balanced", "unbalanced", "partial", "mutual", "argmax", "diagonal", "random"):
        assert method in done.stdout


def test_tune_names_the_settings_that_it_found(align: Align, tmp_path: Path) -> None:
    gold = tmp_path / "gold.tsv"
    gold.write_text("The bus\tThe bus\t0-0 1-1\t\n" * 2, encoding="utf-8")
    found = json.loads(align("--tune", "--gold", gold, "--json").stdout)
    assert found["mutual"]["held_out"]["aer"] == 0
    assert set(found["unbalanced"]["settings"]) == {"epsilon", "rho", "threshold", "position"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "Give either a sentence and its translation"),
        (("The bus",), "there is only one"),
        (("The bus", " "), "Expected a sentence of words"),
        (("The bus", "basi", "--compare"), "Give either a sentence and its translation"),
        (("The bus", "basi", "--method", "best"), "--method must be one of balanced, unbalanced"),
        (("The bus", "basi", "--epsilon", "0"), "epsilon must be a positive number"),
        (("The bus", "basi", "--threshold", "2"), "threshold must be in (0, 1]"),
        (("The bus", "basi", "--json", "--tsv"), "without --json"),
        (("--compare", "--method", "mutual"), "exclude each other"),
        (("--tune", "--epsilon", "0.1"), "--tune finds --epsilon"),
        (("--pairs", "none.tsv"), "none.tsv cannot be read"),
        (("--gold", "none.tsv"), "none.tsv cannot be read"),
        (("--gold", "none.tsv", "--format", "talp"), "--format must be kivuko, pharaoh or naacl"),
        (("--gold", "none.tsv", "--format", "naacl"), "has links only"),
        (("--gold", "none.tsv", "--first", "1"), "leave out --pairs and --first"),
        (("The bus", "basi", "--split-punctuation"), "--split-punctuation is for --pairs without --gold"),
        (("--pairs", "p.tsv", "--gold", "g", "--split-punctuation"), "--split-punctuation is for --pairs"),
        (("The bus", "basi", "--format", "kivuko"), "--format and --first say how to read --gold"),
        (("The bus", "basi", "--first", "1"), "--format and --first say how to read --gold"),
        (("--compare", "--format", "naacl"), "--format and --first say how to read --gold"),
        (("The bus", "basi", "--fraction", "0.5"), "--method unbalanced does not read --fraction"),
        (("The bus", "basi", "--method", "argmax", "--rho", "1"), "--method argmax does not read --rho"),
        (("--compare", "--plot", "a.html"), "--plot draws links"),
        (("The bus", "basi", "--plot", "a.pdf"), "--plot must end in .png or .html"),
        (("The bus", "basi", "--plot", "/nowhere/a.png"), "there is no directory"),
        (("--pairs", "none.tsv", "--plot", "a.png"), "A .png shows one pair"),
        (("The bus", "basi", "--teacher", "/nowhere"), "expected a model directory, found nothing"),
    ],
)
def test_wrong_call_is_one_clear_line(align: Align, arguments: tuple[str, ...], message: str) -> None:
    done = align(*arguments)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert message in done.stderr


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("0-0\n", "expected a line for each of the 2 sentence pairs, got 1 lines"),
        ("0-0\n0-2\n", "line 2: link 0-2 points outside 2 and 2 words"),
        ("one\n\n", "line 1: expected links"),
    ],
)
def test_gold_that_does_not_fit_its_pairs_is_refused(
    align: Align, pairs: Path, tmp_path: Path, content: str, message: str
) -> None:
    gold = tmp_path / "gold"
    gold.write_text(content, encoding="utf-8")
    done = align("--pairs", pairs, "--gold", gold, "--format", "pharaoh")
    assert done.returncode == 2
    assert message in done.stderr


def test_empty_sentence_in_a_file_is_named_by_its_line(align: Align, tmp_path: Path) -> None:
    path = tmp_path / "pairs.tsv"
    path.write_text("The bus\tbasi\n\tbasi\n", encoding="utf-8")
    done = align("--pairs", path)
    assert (done.returncode, done.stdout) == (2, "")
    assert "line 2: expected an English sentence" in done.stderr
