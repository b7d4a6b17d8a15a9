"""A collection encoded by many processes, and added to a store exactly once."""

from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

from kivuko.data.collections import Document
from kivuko.errors import ConfigError
from kivuko.search.scale.worker import Encoding, Worker
from kivuko.search.store import COMMIT_BATCHES, Passage, Store, as_passage

AHEAD = 2  # portions given to each worker beforehand, so that it need not wait while another one is written
DEATHS = 5  # of one worker, or over one portion, until something is taken to be wrong


def ingest_with_workers(
    store: Store,
    documents: Iterable[Document | Passage],
    encoding: Encoding,
    *,
    workers: int,
    progress: Callable[[int], None] | None = None,
) -> int:
    """Encode documents by workers, and add those whose ids are not in the store yet from this process.

    For a store that one process at a time may write. What `kivuko.search.store.ingest` does, with the same portions in
    the same order, so the store becomes the same; a portion that a killed worker had is encoded again, and this
    process, when killed and started anew, goes on after the last portion that it had committed. Of two documents with
    one id the first is taken.

    Args:
        store: Where they go.
        documents: The documents, or passages with languages and fields of their own. They are read a few portions
            ahead of what is written.
        encoding: How they are encoded.
        workers: Number of processes that encode.
        progress: Called with the number of documents dealt with since the last call.

    Returns:
        How many were added.

    Raises:
        ConfigError: If there is no worker, workers die again and again, or another process is writing.
    """
    added = 0
    with store.writing():
        pool = _start(workers, encoding)
        portions = _portions(documents, encoding, lambda doc_id: doc_id in store, progress)
        for new, made in in_order(pool, lambda worker, new: worker.encode.remote(new), portions):
            # Not `add`: two portions that were under way together may hold the same id.
            added += store.add_new(made)
            if progress is not None:
                progress(len(new))
    return added


def ingest_by_workers(
    open_store: Callable[[], Store],
    documents: Iterable[Document | Passage],
    encoding: Encoding,
    *,
    workers: int,
    progress: Callable[[int], None] | None = None,
) -> int:
    """Encode documents by workers, each of which adds what it encoded and is not in the store yet.

    For a store that many processes may write, such as a server: embeddings do not pass through this process. A worker
    that was killed is given its portion again, and adds what of it is not there.

    Args:
        open_store: Opens the store in a worker.
        documents: The documents, or passages with languages and fields of their own. They are read a few portions
            ahead of what is written.
        encoding: How they are encoded.
        workers: Number of processes that encode and write.
        progress: Called with the number of documents dealt with since the last call.

    Returns:
        How many were added; without those that a worker had added when it was killed.

    Raises:
        ConfigError: If there is no worker, or workers die again and again.
    """
    added = 0
    pool = _start(workers, encoding, open_store)
    portions = _portions(documents, encoding, lambda _: False, progress)
    for portion, count in in_order(pool, lambda worker, portion: worker.ingest.remote(portion), portions):
        added += count
        if progress is not None:
            progress(len(portion))
    return added


def in_order(
    workers: Sequence[Any], submit: Callable[[Any, Any], Any], portions: Iterable[Any]
) -> Iterator[tuple[Any, Any]]:
    """Yield each portion with what a worker made of it, in the order of the portions.

    A portion goes to the worker with the least to do. Ray starts a worker that died anew and gives it its portions
    again, so `submit` must call what can be done twice. No more than `AHEAD` portions a worker are read in advance.

    Args:
        workers: Handles of Ray actors.
        submit: Calls an actor with a portion and returns Ray's reference to the result.
        portions: What is to be done.

    Raises:
        ConfigError: If workers die again and again.
        Exception: What a worker raised, as it raised it.
    """
    import ray  # noqa: PLC0415

    waiting: deque[tuple[Any, Any, Any]] = deque()
    for portion in portions:
        if len(waiting) == AHEAD * len(workers):
            yield _first(waiting)
        unfinished = ray.wait([ref for _, ref, _ in waiting], num_returns=len(waiting), timeout=0)[1] if waiting else []
        load = Counter(worker for _, ref, worker in waiting if ref in unfinished)
        idlest = min(workers, key=load.__getitem__)
        waiting.append((portion, submit(idlest, portion), idlest))
    while waiting:
        yield _first(waiting)


def _first(waiting: deque[tuple[Any, Any, Any]]) -> tuple[Any, Any]:
    import ray  # noqa: PLC0415

    portion, ref, _ = waiting.popleft()
    try:
        return portion, ray.get(ref)
    except ray.exceptions.RayTaskError as error:
        raise error.cause from error
    except (ray.exceptions.RayActorError, ray.exceptions.ObjectLostError) as error:
        raise ConfigError(
            f"Workers died {DEATHS} times, most often for want of memory: take fewer workers or a smaller batch size. "
            "What was added stays; run it again to go on."
        ) from error


def _start(workers: int, encoding: Encoding, *arguments: Any) -> list[Any]:
    if workers < 1:
        raise ConfigError(f"workers must be at least 1, got {workers}.")
    if encoding.batch_size < 1:
        raise ConfigError(f"batch_size must be at least 1, got {encoding.batch_size}.")
    import ray  # noqa: PLC0415

    actor = ray.remote(Worker).options(
        num_cpus=encoding.threads, num_gpus=encoding.gpus, max_restarts=DEATHS, max_task_retries=DEATHS
    )
    return [actor.remote(encoding, *arguments) for _ in range(workers)]


def _portions(
    documents: Iterable[Document | Passage],
    encoding: Encoding,
    is_there: Callable[[str], bool],
    progress: Callable[[int], None] | None,
) -> Iterator[list[Passage]]:
    """Cut documents into those portions that `ingest` commits, without what is there already."""
    remaining = iter(documents)
    while portion := list(islice(remaining, COMMIT_BATCHES * encoding.batch_size)):
        new: dict[str, Passage] = {}
        for document in portion:
            if not is_there(document.doc_id):
                new.setdefault(document.doc_id, as_passage(document, encoding.language))
        if progress is not None and len(new) < len(portion):
            progress(len(portion) - len(new))
        if new:
            yield list(new.values())
