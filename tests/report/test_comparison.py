"""The report of a comparison, written and read again."""

import csv
import importlib.util
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import pytest

from kivuko import __version__
from kivuko.config import TrainingConfig
from kivuko.errors import ConfigError, DataError
from kivuko.evaluation.significance import holm
from kivuko.experiment.comparison.config import ValidationTask
from kivuko.experiment.comparison.run import DryRun
from kivuko.report import figures
from kivuko.report.comparison import print_answer, print_dry_run, write_report
from kivuko.report.document import Items, Table
from kivuko.report.findings import document_of
from kivuko.report.result_tables import means_table, overall_means

VOID = {"meta", "br", "link", "img", "input", "hr"}
FILES = {"report.md", "report.tex", "report.tsv", "report.html"}
PLOTS = {"report-measure.svg", "report-curve.svg", "report-cost.svg"}


class Outline(HTMLParser):
    """Read a page strictly: every element is closed in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


@pytest.fixture(scope="module")
def report(found, tmp_path_factory) -> Path:
    directory = tmp_path_factory.mktemp("report")
    write_report(found, directory, command="kivuko compare a.toml --out <b>")
    return directory


@pytest.fixture(scope="module")
def page(report) -> Outline:
    return Outline((report / "report.html").read_text(encoding="utf-8"))


def tables_of(answer) -> dict[str, Table]:
    document = document_of(answer, command="x")
    return {block.key: block for section in document.sections for block in section.blocks if isinstance(block, Table)}


def test_the_report_is_four_files_and_the_plots_of_the_markdown(report):
    assert {path.name for path in report.iterdir()} == FILES | PLOTS
    assert set(re.findall(r"\]\((.*?)\)", (report / "report.md").read_text(encoding="utf-8"))) == PLOTS


def test_the_same_answer_gives_the_same_files(found, report, tmp_path):
    write_report(found, tmp_path, command="kivuko compare a.toml --out <b>")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {
        path.name: path.read_bytes() for path in report.iterdir()
    }


def test_the_page_asks_for_nothing_else(report, page):
    assert not {"script", "link", "img", "iframe", "object", "image"} & {tag for tag, _ in page.elements}
    text = (report / "report.html").read_text(encoding="utf-8")
    assert "@import" not in text
    assert not [address for address in re.findall(r"url\(([^)]*)\)", text) if not address.startswith("#")]
    addresses = [value for _, attributes in page.elements for key, value in attributes.items() if key.endswith("href")]
    assert addresses
    assert all(str(address).startswith("#") for address in addresses)


def test_the_ids_of_the_page_are_unique_and_every_reference_has_one(report, page):
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    used = re.findall(r'(?:href="#|url\(#|labelledby=")([^")]*)', (report / "report.html").read_text(encoding="utf-8"))
    assert set(used) <= set(ids)


def test_every_table_has_a_caption_and_every_heading_cell_a_scope(page):
    assert len(page.all("caption")) == len(page.all("table")) > 10
    assert {attributes.get("scope") for attributes in page.all("th")} == {"col", "row"}


def test_every_plot_has_a_name_and_the_colors_of_the_page(report, page):
    assert [bool(svg.get("aria-label")) for svg in page.all("svg")] == [True] * 3
    text = (report / "report.html").read_text(encoding="utf-8")
    assert "var(--text)" in text
    assert figures._TEXT not in text


def test_the_command_is_escaped(report):
    assert "--out &lt;b&gt;" in (report / "report.html").read_text(encoding="utf-8")


def test_no_folder_of_this_machine_is_told(report):
    for name in FILES:
        text = (report / name).read_text(encoding="utf-8")
        assert "/models/" not in text
        assert "/data/" not in text


def test_latex_environments_and_columns_are_balanced(report):
    text = (report / "report.tex").read_text(encoding="utf-8")
    stack: list[str] = []
    for kind, name in re.findall(r"\\(begin|end)\{(\w+)\}", text):
        if kind == "begin":
            stack.append(name)
        else:
            assert stack.pop() == name
    assert stack == []
    assert text.isascii()
    assert set(re.findall(r"\\usepackage\{(\w+)\}", text)) == {"booktabs"}


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="pdflatex is not installed")
@pytest.mark.slow
def test_latex_compiles(report, tmp_path):
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "-output-directory", str(tmp_path)]
    done = subprocess.run([*command, str(report / "report.tex")], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:]


def test_the_tsv_has_every_mean_with_all_digits(found, report):
    with (report / "report.tsv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    assert [(row["system"], row["language"], row["measure"], float(row["mean"])) for row in rows] == [
        mean[:4] for mean in found.means
    ]
    assert {row["seed_deviation"] == "" for row in rows if row["system"] == "bm25"} == {True}


def test_a_row_of_the_main_table_is_a_system_with_mean_and_deviation(found):
    table = means_table(found, "afriqa RR@10")
    assert table.header == ["system", "role", "sw", "ha", "yo", "mean"]
    row = next(row for row in table.rows if row[0] == "`transport`")
    mean = next(m for m in found.means if (m.system, m.language, m.measure) == ("transport", "sw", "afriqa RR@10"))
    assert row[1] == "student, reference"
    assert row[2].replace("*", "") == f"{mean.mean:.3f} ± {mean.seed_deviation:.3f}"


def test_the_best_is_bold_and_the_ceiling_is_not_the_best(found):
    rows = means_table(found, "afriqa RR@10").rows
    for column in range(2, 6):
        entries = {row[0]: row[column] for row in rows if row[column] != "–"}
        values = {name: float(entry.replace("*", "").split(" ")[0]) for name, entry in entries.items()}
        best = max(value for name, value in values.items() if name != "`translated`")
        assert {name for name, entry in entries.items() if "**" in entry} == {
            name for name, value in values.items() if value == best
        }
        assert values["`translated`"] > best


def test_a_system_that_was_not_run_everywhere_has_no_overall_mean_and_is_told_of(found):
    assert "psq" not in overall_means(found, "afriqa RR@10")
    sections = {section.heading: section.blocks for section in document_of(found, command="x").sections}
    left_out = [entry for block in sections["What was left out"] if isinstance(block, Items) for entry in block.entries]
    assert any("`psq` and `psq+transport`: not run in every language" in entry for entry in left_out)


def test_trials_are_said_to_be_chosen_where_they_were(config_with, answer_to):
    config = config_with(pairs=(4_000,))
    chosen_on = ValidationTask(collection=Path("/data/dev"))
    first, *others = config.languages
    for languages, told in [
        (
            [first, others[0].model_copy(update={"validation": chosen_on})],
            "chosen on held-out sentence pairs of sw (4,000",
        ),
        ([first.model_copy(update={"validation": chosen_on})], "chosen on a collection of questions of sw (4,000"),
    ]:
        answer = answer_to(config.model_copy(update={"languages": tuple(languages)}))
        [section] = [s for s in document_of(answer, command="x").sections if s.heading == "What was trained and tuned"]
        assert told in section.blocks[0]


def test_conditions_tell_what_decides_the_outcome(config_with, answer_to):
    config = config_with(("sw",), pairs=(4_000,), allow_leaks=True, training=TrainingConfig(precision="bfloat16"))
    rows = dict(tables_of(answer_to(config))["conditions"].rows)
    assert rows["items of tasks and validation in the bitext"] == "allowed"
    assert rows["precision"] == "bfloat16"
    assert rows["how students are grown"].startswith("vocabulary_size 16000, iterations 5, tension learned")
    assert rows["this report by"].startswith(f"kivuko {__version__}")
    assert rows["trained by"] == "a version that did not record itself"


def test_the_tests_are_all_shown_once(found):
    tables = tables_of(found)
    shown = [len(tables[key].rows) for key in tables if key.startswith("tests-")]
    assert sum(shown) == sum(len(task.comparisons) for task in found.tasks)


def test_other_pairs_are_tested_in_a_family_of_their_own(found, config_with, answer_to, tmp_path, capsys):
    pairs = (("scores", "sentence"), ("translated", "psq+transport"))
    answer = answer_to(config_with(also_test=pairs), skip=[("psq", "yo"), ("psq+transport", "yo")])
    [afriqa, tatoeba] = answer.tasks
    assert [task.comparisons for task in answer.tasks] == [task.comparisons for task in found.tasks]
    assert {(c.system, c.baseline, c.language) for c in afriqa.pairs} == {
        ("scores", "sentence", language) for language in ("sw", "ha", "yo", "overall")
    }
    assert [c.holm_p for c in afriqa.pairs] == list(holm([c.randomization_p for c in afriqa.pairs]))
    overall = next(c for c in afriqa.pairs if c.language == "overall")
    means = overall_means(answer, "afriqa RR@10")
    assert overall.difference == pytest.approx(means["scores"] - means["sentence"])
    assert overall.verdict == "better"
    assert "translated against psq+transport: not both were run in every language." in afriqa.unanswered
    assert {c.system for c in tatoeba.pairs} == {"scores", "translated"}

    write_report(answer, tmp_path, command="x")
    markdown = (tmp_path / "report.md").read_text(encoding="utf-8")
    assert "- `scores` against `sentence`: +0.2" in markdown
    assert "| `scores` | `sentence` | yo |" in markdown
    assert "those of other pairs by themselves" in markdown
    print_answer(answer)
    assert "tatoeba Success@1 of other pairs, in sw" in " ".join(capsys.readouterr().out.split())


def test_every_system_shows_the_same_number_of_trials_and_the_chosen_one(found):
    rows = tables_of(found)["trials"].rows
    for system in found.config.systems:
        own = [row for row in rows if row[0] == f"`{system.name}`"]
        assert len(own) == 2
        assert [row[3] for row in own] == ["", "**chosen**"]


def test_one_language_with_one_seed_makes_a_report_too(found_alone, tmp_path):
    write_report(found_alone, tmp_path, command="x")
    assert {path.name for path in tmp_path.iterdir()} == FILES | PLOTS - {"report-curve.svg"}
    assert " ± " not in "".join("".join(row) for row in means_table(found_alone, "afriqa RR@10").rows)


def test_what_cannot_be_written_leaves_nothing_half_written(found_alone, tmp_path):
    (tmp_path / "report.html").mkdir()
    (tmp_path / "report.html" / "kept").touch()
    with pytest.raises(DataError, match="cannot be written"):
        write_report(found_alone, tmp_path, command="x")
    assert not list(tmp_path.glob(".*"))
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match="cannot be written"):
        write_report(found_alone, tmp_path / "file", command="x")


def test_without_matplotlib_the_user_is_told_what_to_install(found_alone, tmp_path, monkeypatch):
    there = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "matplotlib" else there(name))
    with pytest.raises(ConfigError, match="pip install"):
        write_report(found_alone, tmp_path, command="x")
    assert not list(tmp_path.iterdir())


def test_the_terminal_shows_question_sentence_means_and_tests(found, capsys):
    print_answer(found)
    shown = capsys.readouterr().out
    assert shown.startswith("Optimal transport or knowledge distillation")
    assert "of 5 other students" in shown.replace("\n", " ")
    assert "TOST Holm p" in shown
    assert "…" not in shown


def test_the_dry_run_shows_cells_hours_and_disk(capsys):
    print_dry_run(DryRun(4, 12, 8_000, 3.0, 2.5, {"sw": 41_000}), jobs=2)
    shown = capsys.readouterr().out
    assert "4 trials and 12 other cells, 8,000 steps" in shown
    assert "1.5 hours with 2 at a time" in shown
    assert "2.5 GB" in shown
    assert "41,000" in shown
