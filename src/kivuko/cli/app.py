"""The commands, gathered."""

from typing import Annotated

import typer

from kivuko.cli.align import align
from kivuko.cli.bitext import bitext
from kivuko.cli.compare import compare
from kivuko.cli.demo import demo
from kivuko.cli.distill import distill
from kivuko.cli.evaluate import evaluate
from kivuko.cli.index import index
from kivuko.cli.ingest import ingest
from kivuko.cli.reproduce import reproduce
from kivuko.cli.search import search
from kivuko.cli.serve import serve

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Carry an English search model across to languages that have no search training data.",
)


@app.callback(invoke_without_command=True)
def _root(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    if version:
        from kivuko import __version__

        typer.echo(__version__)
        raise typer.Exit
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())
        raise typer.Exit


for command in (demo, distill, index, ingest, search, evaluate, compare, reproduce, align, serve):
    app.command()(command)
app.add_typer(bitext, name="bitext")
