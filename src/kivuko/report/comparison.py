"""The outcome of a comparison: on the terminal, and as files."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from rich.console import Console, JustifyMethod
from rich.markup import escape
from rich.table import Table as RichTable

from kivuko.errors import DataError
from kivuko.evaluation.equivalence import OVERALL, Comparison
from kivuko.experiment.comparison.answer import Answer, TaskAnswer
from kivuko.experiment.comparison.run import DryRun
from kivuko.report.document import Block, Items, Subheading, Table, code, spans
from kivuko.report.figures import draw, standalone
from kivuko.report.findings import document_of
from kivuko.report.latex import render_latex
from kivuko.report.markdown import render_markdown
from kivuko.report.numbers import between, p_value, signed
from kivuko.report.page import render_page
from kivuko.report.result_tables import means_table
from kivuko.report.verdict import answer_blocks, overall_of, title_of

NAME = "report"


def print_answer(answer: Answer) -> None:
    """Print question, answer in words, the means and the tests on stdout; the files of the report have the rest."""
    console = Console()
    console.print(f"[bold]{_rich(title_of(answer.config))}[/bold]\n", highlight=False)
    blocks: list[Block] = [*answer_blocks(answer)]
    for task in answer.tasks:
        blocks.append(means_table(answer, task.measure))
        blocks += [_short_tests(task, found) for found in (task.comparisons, task.pairs) if found]
    for block in blocks:
        if not isinstance(block, Items):  # the table of tests says it
            _print(console, block)


def write_report(answer: Answer, directory: Path, *, command: str) -> None:
    """Write report.md with its plots, report.tex, report.tsv and report.html, each whole or not at all.

    Args:
        answer: What the comparison found.
        directory: Where to write; it is made if it is not there.
        command: What was called, for the report.

    Raises:
        ConfigError: If matplotlib is not installed.
        DataError: If a file cannot be written.
    """
    document = document_of(answer, command=command)
    drawings = draw(answer)
    files = {f"{NAME}-{name}.svg": standalone(svg) for name, svg in drawings.items()}
    files |= {
        f"{NAME}.md": render_markdown(document, picture=lambda key: f"{NAME}-{key}.svg", drawn=drawings),
        f"{NAME}.tex": render_latex(document),
        f"{NAME}.tsv": _means_lines(answer),
        f"{NAME}.html": render_page(document, drawings),
    }
    _write_all(directory, files)


def print_dry_run(plan: DryRun, *, jobs: int = 1) -> None:
    """Print what a comparison would do.

    Args:
        plan: What it would do.
        jobs: Cells at a time.
    """
    console = Console()
    table = RichTable(title="Sentence pairs", title_justify="left")
    table.add_column("language")
    table.add_column("pairs", justify="right")
    for language, pairs in plan.languages.items():
        table.add_row(escape(language), f"{pairs:,}")
    console.print(table)
    lines = [
        f"{plan.trials:,} trials and {plan.cells:,} other cells, {plan.steps:,} steps in all",
        f"about {plan.gigabytes:g} GB of disk",
    ]
    if plan.hours is not None:
        lines.append(f"about {plan.hours / jobs:.1f} hours with {jobs} at a time")
    lines += plan.left_out
    for line in lines:
        console.print(line, highlight=False, soft_wrap=True)


def _write_all(directory: Path, files: Mapping[str, str]) -> None:
    """Write all beside where they belong; only when that went well, put them there."""
    beside = {directory / name: directory / f".{name}.partial" for name in files}
    try:
        directory.mkdir(parents=True, exist_ok=True)
        for (_, partial), text in zip(beside.items(), files.values(), strict=True):
            partial.write_text(text, encoding="utf-8", newline="\n")
        for path, partial in beside.items():
            partial.replace(path)
    except OSError as error:
        for partial in beside.values():
            with suppress(OSError):
                partial.unlink()
        raise DataError(f"The report cannot be written to {directory}: {error.strerror}.") from error


def _means_lines(answer: Answer) -> str:
    """Return the means with every digit; an empty entry where there is no deviation."""
    header = ("system", "language", "measure", "mean", "low", "high", "seed_deviation", "queries", "seeds")
    lines = [header] + [
        (
            *(mean.system, mean.language, mean.measure),
            *(repr(mean.mean), repr(mean.interval.low), repr(mean.interval.high)),
            "" if mean.seed_deviation is None else repr(mean.seed_deviation),
            *(str(mean.queries), str(mean.seeds)),
        )
        for mean in answer.means
    ]
    return "".join("\t".join(line) + "\n" for line in lines)


def _short_tests(task: TaskAnswer, comparisons: Sequence[Comparison]) -> Table:
    """Return the tests in few enough columns for a terminal."""
    pairs = comparisons is task.pairs
    header = ["system", "difference", "interval", "Holm p", "TOST Holm p", "verdict"]
    found = overall_of(comparisons)
    rows = [
        [
            code(c.system) + (f" against {code(c.baseline)}" if pairs else ""),
            signed(c.difference),
            between(c.interval),
            p_value(c.holm_p),
            p_value(c.tost_holm_p),
            c.verdict,
        ]
        for c in found
    ]
    where = "over all languages" if found[0].language == OVERALL else f"in {found[0].language}"
    against = "of other pairs" if pairs else f"against {code(found[0].baseline)}"
    return Table("tests", f"{task.measure} {against}, {where}", header, "lrrrrl", rows)


def _print(console: Console, block: Block) -> None:
    match block:
        case str():
            console.print(_rich(block) + "\n", highlight=False)
        case Subheading(text):
            console.print(f"[bold]{_rich(text)}[/bold]", highlight=False)
        case Table(_, caption, header, align, rows):
            table = RichTable(title=_rich(caption), title_justify="left", title_style="")
            for name, side in zip(header, align, strict=True):
                is_number = side == "r"
                justify: JustifyMethod = "right" if is_number else "left"
                table.add_column(_rich(name), justify=justify, no_wrap=is_number, overflow="fold")
            for row in rows:
                table.add_row(*map(_rich, row))
            console.print(table)


def _rich(text: str) -> str:
    tags = {"plain": "{}", "code": "[cyan]{}[/cyan]", "strong": "[bold]{}[/bold]"}
    return "".join(tags[span.style].format(escape(span.text)) for span in spans(text))
