"""`kivuko bitext lexicon`: word translations out of parallel text."""

import json
from collections import Counter
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kivuko.cli.bitext_options import English, FormatName, Translation, bitext_file
from kivuko.cli.console import Threads, prepare, read_pairs, say

if TYPE_CHECKING:
    from kivuko.curation.lexicon_induction import Entry
    from kivuko.data.bitext import SentencePair
    from kivuko.data.readers import BitextFile
    from kivuko.models.word_lexicon import WordLinks


class Method(StrEnum):
    """Who links the words."""

    IBM1 = "ibm1"
    TRANSPORT = "transport"


class Direction(StrEnum):
    """Which words are looked up."""

    TO_ENGLISH = "to-english"
    FROM_ENGLISH = "from-english"


def lexicon(
    bitext: Annotated[list[Path], typer.Option(help="File of parallel text; may be given again.")],
    target: Annotated[str, typer.Option(help="ISO 639 code of the translations.")],
    out: Annotated[Path, typer.Option(help="The file to write: word, translation, probability, count.")],
    method: Annotated[
        Method, typer.Option(help="Who links words: IBM Model 1, or transport plans of a student.")
    ] = Method.IBM1,
    model: Annotated[str | None, typer.Option(help="Student that reads the translations, for transport.")] = None,
    teacher: Annotated[
        str | None, typer.Option(help="Its teacher; by default the one in the student's directory.")
    ] = None,
    direction: Annotated[
        Direction, typer.Option(help="Whether words of the language are looked up, or English ones.")
    ] = Direction.TO_ENGLISH,
    min_probability: Annotated[float, typer.Option(min=0, max=1, help="Leave less probable translations out.")] = 0.05,
    top_k: Annotated[int, typer.Option(min=1, help="Translations of a word, at most.")] = 10,
    gold: Annotated[
        list[Path] | None,
        typer.Option(help="Dictionary to compare with, `English<TAB>translation`; may be given again."),
    ] = None,
    format_name: FormatName = None,
    english: English = None,
    translation: Translation = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the file at --out.")] = False,
    threads: Threads = None,
) -> None:
    """Write a bilingual lexicon: each word of the parallel text with its translations, the likeliest first.

    Example: `kivuko bitext lexicon --bitext en-sw.tsv --target sw --out lexicon.tsv`

    Example: `kivuko bitext lexicon --bitext en-sw.tsv --target sw --method transport --model swahili --out lexicon.tsv`
    """
    from kivuko.curation.filtering import check_out
    from kivuko.curation.lexicon_induction import ranked_translations, read_dictionary, score_lexicon, write_lexicon
    from kivuko.errors import ConfigError
    from kivuko.evaluation.retrieval import check_writable

    if (method is Method.TRANSPORT) != (model is not None):
        raise ConfigError("--method transport needs --model STUDENT, and --method ibm1 uses none.")
    check_out(out, overwrite=overwrite)
    check_writable(out)
    to_english = direction is Direction.TO_ENGLISH
    dictionary = (
        read_dictionary(_pairs([bitext_file(path, None, target) for path in gold], Counter()), to_english=to_english)
        if gold
        else None
    )
    left_out: Counter[str] = Counter()
    files = [bitext_file(path, format_name, target, english, translation) for path in bitext]
    pairs = _pairs(files, left_out)
    say(f"{len(pairs):,} sentence pairs")
    prepare(threads)
    entries = ranked_translations(
        _links(pairs, model, teacher, to_english=to_english), minimum=min_probability, top_k=top_k
    )
    record = _record(entries, bitext, target, method, direction) | {"out": str(out), "left_out": dict(left_out)}
    if dictionary is not None:
        score = score_lexicon(entries, dictionary)
        record["dictionary"] = {
            "words": score.dictionary_words,
            "covered": score.covered,
            **{f"precision@{k}": round(value, 4) for k, value in score.precision.items()},
        }
    write_lexicon(entries, out)
    if as_json:
        typer.echo(json.dumps(record, ensure_ascii=False))
        return
    typer.echo(f"{out}: {record['translations']:,} translations of {record['words']:,} words")
    if dictionary is not None:
        typer.echo(
            f"of {score.dictionary_words:,} words of the dictionary {score.covered:,} are covered; a translation from "
            + ", ".join(f"it is in the first {k} for {value:.1%}" for k, value in score.precision.items())
        )


def _links(pairs: "list[SentencePair]", model: str | None, teacher: str | None, *, to_english: bool) -> "WordLinks":
    from kivuko.experiment.lexicon import link_by_ibm1, link_by_transport
    from kivuko.models.encoder import default_document_model, load_encoder

    if model is None:
        return link_by_ibm1(pairs, to_english=to_english)
    return link_by_transport(
        pairs, load_encoder(model), load_encoder(teacher or default_document_model(model)), to_english=to_english
    )


def _pairs(files: "list[BitextFile]", left_out: Counter[str]) -> "list[SentencePair]":
    return [pair for file in files for pair in read_pairs(file, left_out)]


def _record(
    entries: "list[Entry]", bitext: list[Path], target: str, method: Method, direction: Direction
) -> dict[str, Any]:
    return {
        "bitext": [str(path) for path in bitext],
        "target": target,
        "method": method.value,
        "direction": direction.value,
        "words": len({entry.word for entry in entries}),
        "translations": len(entries),
    }
