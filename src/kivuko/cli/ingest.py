"""`kivuko ingest`."""

from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Annotated, Literal

import typer

from kivuko.cli.console import prepare, warn_of_cut, writing_to


def ingest(
    out: Annotated[
        str, typer.Option(help="Directory of the store; for `qdrant` also an address, http://host:6333/collection.")
    ],
    model: Annotated[
        str, typer.Option(help="Directory or hub id of the encoder of the documents: the teacher for English.")
    ],
    corpus: Annotated[
        list[Path], typer.Option(help="BEIR `corpus.jsonl`, or a folder of text files; again for each shard.")
    ],
    store: Annotated[
        Literal["flat", "qdrant"] | None, typer.Option(help="By default what is at --out already, else `flat`.")
    ] = None,
    workers: Annotated[int, typer.Option(min=1, help="Processes that encode.")] = 2,
    threads: Annotated[int, typer.Option(min=1, help="Cores of each worker.")] = 1,
    gpus: Annotated[float, typer.Option(min=0, help="GPUs of each worker, also a part of one.")] = 0.0,
    batch_size: Annotated[int, typer.Option(min=1)] = 32,
    language: Annotated[
        str | None, typer.Option(help="Language of the documents that do not state their own, as in `sw`.")
    ] = None,
    shards: Annotated[int | None, typer.Option(min=1, help="Shards of a new collection on a Qdrant server.")] = None,
    replicas: Annotated[int | None, typer.Option(min=1, help="Copies of each of these shards.")] = None,
    cluster: Annotated[
        str | None, typer.Option(help="`host:port` of a Ray cluster to join; by default one is started here.")
    ] = None,
    temp: Annotated[Path | None, typer.Option(help="Where a cluster started here keeps sockets and logs.")] = None,
) -> None:
    """Encode a large collection into a store by many processes, with Ray; run again after an interruption, it goes on.

    Documents whose ids are in the store are passed over. On a Qdrant server each worker writes what it encoded;
    other stores have one writer, this process.

    Example: `kivuko ingest --model swahili/teacher --corpus corpus.jsonl --out store --workers 8`
    """
    prepare(threads)
    from itertools import chain

    from kivuko.data.lines import existing
    from kivuko.models.encoder import load_encoder
    from kivuko.models.reading import CutTexts
    from kivuko.report.progress import Counter
    from kivuko.search.lineage import read_lineage
    from kivuko.search.opening import StoreKind, held_by, open_index, open_or_create_store, open_store
    from kivuko.search.passages import read_passages
    from kivuko.search.qdrant import is_address
    from kivuko.search.scale import Encoding, ingest_by_workers, ingest_with_workers, ray_cluster, require_ray

    require_ray()
    documents = chain.from_iterable(read_passages(path) for path in list(map(existing, corpus)))
    kind = StoreKind(store) if store is not None else held_by(out) or StoreKind.flat
    if held_by(out) is StoreKind.flat:
        open_index(out, verify=True)  # what is written anew of damaged files would look sound
    encoder = load_encoder(model)
    dim = encoder.encode_document(["."], convert_to_numpy=True, show_progress_bar=False)[0].shape[1]
    cut = CutTexts(encoder, "document")
    passages = cut.watch(documents)
    del encoder  # each worker has its own
    encoding = Encoding(model, language, batch_size, threads, gpus)
    with ray_cluster(cpus=workers * threads, temp_dir=temp, address=cluster):
        opened = open_or_create_store(
            kind, out, dim=dim, encoder=read_lineage(model), language=language, shards=shards, replicas=replicas
        )
        with closing(opened), opened.writing(), writing_to(opened), Counter("documents") as count:
            if is_address(out):
                opening = partial(open_store, out)
                added = ingest_by_workers(opening, passages, encoding, workers=workers, progress=count)
            else:
                added = ingest_with_workers(opened, passages, encoding, workers=workers, progress=count)
            opened.tidy()
            typer.echo(f"{out}: {len(opened)} documents, {added} added")
            warn_of_cut(cut)
