"""`kivuko compare`."""

import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from kivuko.cli.console import given, prepare, say


def compare(
    config: Annotated[Path, typer.Argument(help="A TOML file: languages, systems, trials, seeds.")],
    teacher: Annotated[str | None, typer.Option(help="Directory or hub id, in place of the file's.")] = None,
    out: Annotated[Path | None, typer.Option(help="Folder for models, runs, scores and the report.")] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print cells, hours and disk, and do nothing else.")
    ] = False,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with an unfinished comparison.")] = False,
    jobs: Annotated[int, typer.Option(min=1, max=256, help="Cells at a time, each in a process of its own.")] = 1,
    seconds_a_step: Annotated[
        float, typer.Option(min=0.0001, help="For --dry-run: what a step takes here; 0.75 on one idle core for MiniLM.")
    ] = 0.75,
) -> None:
    """Compare objectives and baselines at the same student size, with seeds and significance, and write a report.

    Example: `kivuko compare comparison.toml --out comparison --jobs 2`
    """
    from kivuko.data.settings import load_config
    from kivuko.errors import ConfigError
    from kivuko.experiment.comparison import CompareConfig

    told = load_config(config, CompareConfig, **given(teacher=teacher))
    if not dry_run and out is None:
        raise ConfigError("Give --out, the folder of the comparison; or --dry-run to see what it would do.")
    prepare(told.training.threads)
    from kivuko.experiment.comparison import compare as run
    from kivuko.experiment.comparison import dry_run as plan
    from kivuko.report.cells import CellProgress
    from kivuko.report.comparison import print_answer, print_dry_run, write_report
    from kivuko.report.figures import require_matplotlib

    if dry_run or out is None:
        print_dry_run(plan(told, seconds_a_step=seconds_a_step), jobs=jobs)
        return
    require_matplotlib()  # which would be missed after hours
    with CellProgress(told) as progress:
        found = run(told, out, resume=resume, jobs=jobs, notify=say, progress=progress)
    write_report(found, out, command=f"kivuko {shlex.join(sys.argv[1:])}")
    print_answer(found)
    typer.echo(f"{out}: report.md, report.tex, report.tsv, report.html, scores.tsv")
