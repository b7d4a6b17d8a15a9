"""`kivuko index`."""

from contextlib import ExitStack, closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from kivuko.cli.console import Threads, Verify, prepare, warn_of_cut, writing_to
from kivuko.cli.index_words import Lexical, WordOptions, count_words, word_options

if TYPE_CHECKING:
    from kivuko.search.index import Index
    from kivuko.search.store import OpenStore

Kind = Literal["exact", "flat", "qdrant"]


def index(
    out: Annotated[
        str, typer.Option(help="Directory to write; for `qdrant` also an address, http://host:6333/collection.")
    ],
    model: Annotated[
        str | None, typer.Option(help="Directory or hub id of the encoder of the documents: the teacher for English.")
    ] = None,
    corpus: Annotated[Path | None, typer.Option(help="BEIR `corpus.jsonl`, or a folder of text files.")] = None,
    store: Annotated[
        Kind | None,
        typer.Option(
            help="`exact`: written once, the reference. `flat`: int8, can be changed and filtered, up to about "
            "100,000 documents. `qdrant`: for more. By default what is at --out already, else `exact`."
        ),
    ] = None,
    language: Annotated[
        str | None, typer.Option(help="Language of the documents that do not state their own, as in `sw`.")
    ] = None,
    update: Annotated[
        bool, typer.Option("--update", help="Also replace documents of a store that have changed.")
    ] = False,
    delete: Annotated[
        Path | None,
        typer.Option(help="File of ids, one a line, to remove from a store; those not there are passed over."),
    ] = None,
    lexical: Annotated[
        Lexical | None,
        typer.Option(
            help="Also count words, for `--ranker bm25` of `kivuko search`; `psq` also learns their translations from "
            "--bitext. Without --model and --corpus, of what is at --out already."
        ),
    ] = None,
    bitext: Annotated[
        list[Path] | None, typer.Option(help="Parallel text to learn translations of words from; may be repeated.")
    ] = None,
    target: Annotated[
        str | None, typer.Option(help="ISO 639 code of the bitext's language that is not English.")
    ] = None,
    lexical_index: Annotated[
        Path | None, typer.Option(help="Directory of the words; by default that of the index.")
    ] = None,
    shards: Annotated[int | None, typer.Option(min=1, help="Shards of a new collection on a Qdrant server.")] = None,
    replicas: Annotated[int | None, typer.Option(min=1, help="Copies of each of these shards.")] = None,
    snapshot: Annotated[
        Path | None, typer.Option(help="File to keep the collection in that is on the Qdrant server at --out.")
    ] = None,
    restore: Annotated[
        Path | None, typer.Option(help="Such a file, to make the collection at --out of, which is not there yet.")
    ] = None,
    batch_size: Annotated[int, typer.Option(min=1)] = 32,
    float32: Annotated[bool, typer.Option("--float32", help="`exact` in float32; float16 by default.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the `exact` index at --out.")] = False,
    verify: Verify = False,
    threads: Threads = None,
) -> None:
    """Encode documents into an index for exact MaxSim search, or into a store that can be changed.

    For a store the same command adds the documents that are not there yet, and so goes on after an interruption.

    Example: `kivuko index --model swahili/teacher --corpus corpus.jsonl --out index`

    Example: `kivuko index --out index --lexical psq --bitext en-sw.tsv --target sw`

    Example: `kivuko index --out index --verify`

    Example: `kivuko index --out http://localhost:6333/passages --snapshot passages.snapshot`
    """
    from kivuko.errors import ConfigError
    from kivuko.search.opening import StoreKind, held_by, open_index, open_or_create_store, open_store

    if snapshot is not None or restore is not None:
        others = (model, corpus, store, language, delete, lexical, bitext, target, lexical_index, shards, replicas)
        if None not in (snapshot, restore) or any(others) or update or float32 or overwrite or verify:
            raise ConfigError("Give --snapshot or --restore with --out alone.")
        _keep(out, snapshot, restore)
        return
    kind = StoreKind(store) if store is not None else held_by(out) or StoreKind.exact
    if store not in (None, "qdrant") and held_by(out) is StoreKind.qdrant:
        raise ConfigError(f"{out} is for `--store qdrant`: give that, or another --out.")
    exact, on_server = kind is StoreKind.exact, kind is StoreKind.qdrant
    misplaced = {
        "--update": update and exact,
        "--float32": float32 and not exact,
        "--overwrite": overwrite and not exact,
        "--verify": verify and on_server,
        "--shards": shards is not None and not on_server,
        "--replicas": replicas is not None and not on_server,
    }
    if any(misplaced.values()):
        flags = ", ".join(flag for flag, wrong in misplaced.items() if wrong)
        raise ConfigError(f"{flags} cannot be used with the kind of store `{kind}`: leave it out, or see --store.")
    _verify(out, asked=verify)
    if verify and not any((model, corpus, delete, lexical)):
        typer.echo(f"{out}: every file is as it was written")
        return
    words = word_options(out, lexical, bitext, target, lexical_index)
    if delete is not None:
        if corpus is not None or update:
            raise ConfigError("Give --delete without --corpus and --update: remove first, then add.")
        _delete(open_store(out), delete, words)
        return
    if model is None and corpus is None and lexical is not None:
        _only_words(open_index(out), words)
        return
    if model is None or corpus is None:
        raise ConfigError("Give --model and --corpus, or --delete with a file of ids, or --lexical or --verify alone.")
    prepare(threads)
    from kivuko.data.collections import read_corpus
    from kivuko.models.encoder import load_encoder
    from kivuko.models.reading import CutTexts
    from kivuko.report.progress import Counter
    from kivuko.search.build import build_index
    from kivuko.search.lineage import identities, read_lineage
    from kivuko.search.passages import read_passages
    from kivuko.search.store import Changes, ingest, renew

    encoder, lineage = load_encoder(model), read_lineage(model)
    cut = CutTexts(encoder, "document")
    if exact:
        with Counter("documents") as count:
            built = build_index(
                encoder,
                cut.watch(read_corpus(corpus)),
                out,
                **identities(lineage),
                language=language,
                batch_size=batch_size,
                dtype="float32" if float32 else "float16",
                overwrite=overwrite,
                progress=count,
            )
        typer.echo(f"{out}: {len(built)} documents")
        warn_of_cut(cut)
        count_words(built, words, changed=True)
        return
    passages = cut.watch(read_passages(corpus))
    dim = encoder.encode_document(["."], convert_to_numpy=True, show_progress_bar=False)[0].shape[1]
    opened = open_or_create_store(
        kind, out, dim=dim, encoder=lineage, language=language, shards=shards, replicas=replicas
    )
    with closing(opened), opened.writing(), writing_to(opened), Counter("documents") as count:
        if update:
            changes = renew(opened, encoder, passages, language=language, batch_size=batch_size, progress=count)
        else:
            changes = Changes(
                ingest(opened, encoder, passages, language=language, batch_size=batch_size, progress=count)
            )
        opened.tidy()
        typer.echo(f"{out}: {len(opened)} documents, {changes.added} added, {changes.updated} replaced")
        warn_of_cut(cut)
        count_words(opened, words, changed=bool(changes.added or changes.updated))


def _verify(out: str, *, asked: bool) -> None:
    """Compare checksums; those of a flat store always, as what is written anew of damaged files would look sound."""
    from kivuko.errors import ConfigError
    from kivuko.search.opening import StoreKind, held_by, open_index

    there = held_by(out)
    if asked and there is None:
        raise ConfigError(f"There is nothing to verify at {out}: leave out --verify, or give another --out.")
    if asked or there is StoreKind.flat:
        open_index(out, verify=True)


def _keep(out: str, snapshot: Path | None, restore: Path | None) -> None:
    from kivuko.search.qdrant import restore_snapshot, save_snapshot

    if snapshot is not None:
        saved = save_snapshot(out, snapshot)
        many = "" if saved.passages is None else f"{saved.passages} documents, "
        typer.echo(f"{snapshot}: {many}{saved.file.bytes:,} bytes")
    elif restore is not None:
        with closing(restore_snapshot(restore, out)) as restored:
            typer.echo(f"{out}: {len(restored)} documents")


def _only_words(opened: "Index | OpenStore", words: WordOptions) -> None:
    with ExitStack() as stack:
        if (close := getattr(opened, "close", None)) is not None:  # of a store
            stack.callback(close)
        count_words(opened, words, changed=True)


def _delete(store: "OpenStore", path: Path, words: WordOptions) -> None:
    from kivuko.data.lines import existing, numbered_lines

    doc_ids = list(dict.fromkeys(line.strip() for _, line in numbered_lines(existing(path))))
    with closing(store), store.writing():
        # Passed over, not refused: a run that was interrupted has removed the first ones.
        known = store.known(doc_ids)
        store.delete([doc_id for doc_id in doc_ids if doc_id in known])
        store.tidy()
        absent = [doc_id for doc_id in doc_ids if doc_id not in known]
        told = f"; not there: {len(absent)}, {absent[0]!r} first" if absent else ""
        typer.echo(f"{store.location}: {len(store)} documents, {len(known)} removed{told}")
        count_words(store, words, changed=True)
