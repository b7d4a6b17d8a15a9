"""`kivuko search`."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from kivuko.cli.console import Threads, Verify, prepare, say, warn_of_cut, warn_of_size

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kivuko.search.index import Index
    from kivuko.search.store import FieldValue, OpenStore

Name = Literal["maxsim", "bm25", "psq", "rrf", "weighted"]


def search(
    query: Annotated[str | None, typer.Argument(help="The question.")] = None,
    location: Annotated[
        str, typer.Option("--index", help="What `kivuko index` wrote: a directory or an address.")
    ] = "index",
    model: Annotated[
        str | None,
        typer.Option(help="Directory or hub id of the encoder of the query: the student. Words alone need none."),
    ] = None,
    ranker: Annotated[
        Name,
        typer.Option(
            help="`maxsim`: by meaning. `bm25`: by words. `psq`: by words, through translations. `rrf`, `weighted`: "
            "fusions of these, by rank and by score."
        ),
    ] = "maxsim",
    fuse: Annotated[
        list[str] | None,
        typer.Option(help="What a fusion fuses, with an optional weight, as in `psq:0.5`; may be repeated."),
    ] = None,
    language: Annotated[
        str | None, typer.Option(help="Language of the query, for `psq`; by default the one that the model was taught.")
    ] = None,
    lexical_index: Annotated[
        Path | None, typer.Option(help="Directory of the words, where they are not in that of the index.")
    ] = None,
    queries: Annotated[
        Path | None, typer.Option(help="File of queries: BEIR `queries.jsonl`, `id<TAB>text`, or one a line.")
    ] = None,
    top_k: Annotated[int, typer.Option(min=1, help="Results for each query.")] = 10,
    where: Annotated[
        list[str] | None,
        typer.Option(help="Only documents with this value, as in `language=sw` or `year=2024`; may be repeated."),
    ] = None,
    any_model: Annotated[
        bool, typer.Option("--any-model", help="Ask also with a model that does not belong to the index.")
    ] = False,
    verify: Verify = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    threads: Threads = None,
) -> None:
    """Search an index: one query to read, a file of queries to a TREC run.

    Example: `kivuko search --index index --model swahili "Mto mrefu zaidi Afrika ni upi?"`

    Example: `kivuko search --index index --model swahili --ranker rrf "Mto mrefu zaidi Afrika ni upi?"`
    """
    from kivuko.errors import ConfigError

    if (query is None) == (queries is None):
        raise ConfigError("Give either a query or a file of queries with --queries.")
    prepare(threads)
    from kivuko.data.collections import Query, read_queries
    from kivuko.models.reading import CutTexts
    from kivuko.report.tables import print_hits, print_run
    from kivuko.search.hybrid import RankerName, parse_rank_by
    from kivuko.search.opening import open_hybrid

    asked = [Query("1", query)] if query is not None else read_queries(queries or Path())
    conditions = dict(_condition(each) for each in where or ())
    by = parse_rank_by(RankerName(ranker), fuse or ())
    searcher = open_hybrid(
        location,
        model,
        by=by,
        language=language,
        lexical_index=lexical_index,
        any_model=any_model,
        verify=verify,
        warn=say,
    )
    warn_of_size(searcher.index)
    if searcher.searcher is not None:
        cut = CutTexts(searcher.searcher.model, "query")
        cut.count = sum(cut.is_cut(each.text) for each in asked)
        warn_of_cut(cut)
    wanted = _filter(conditions, searcher.index)
    found = searcher.search([each.text for each in asked], top_k=top_k, by=by, where=wanted)
    if as_json:
        for each, hits in zip(asked, found, strict=True):
            line = {"query_id": each.query_id, "query": each.text, "hits": [hit._asdict() for hit in hits]}
            typer.echo(json.dumps(line, ensure_ascii=False))
    elif query is not None:
        print_hits(found[0])
    else:
        print_run(asked, found)


def _condition(text: str) -> tuple[str, str]:
    """Read `name=value`."""
    from kivuko.errors import ConfigError

    name, equals, value = text.partition("=")
    if not equals or not name:
        raise ConfigError(f"--where takes name=value, as in language=sw; got {text!r}.")
    return name, value


def _filter(conditions: "Mapping[str, str]", index: "Index | OpenStore") -> "dict[str, FieldValue]":
    """Make a filter of conditions, with values of the kinds that the fields have."""
    from kivuko.errors import ConfigError
    from kivuko.search.filters import FieldKind, field_kinds, filter_faults, read_value
    from kivuko.search.store import TEXTS

    known = (field_kinds(index) if conditions else None) or None  # an index has no fields, and says so when it is asked
    kinds = known or dict.fromkeys(TEXTS, frozenset({FieldKind.STRING}))
    wanted = {name: read_value(value, kinds.get(name)) for name, value in conditions.items()}
    for name, told in filter_faults(wanted, known).items():
        raise ConfigError(f"--where {name}={conditions[name]} can find nothing. {told} in {index.location}.")
    return wanted
