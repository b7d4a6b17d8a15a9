"""Work that is done by several processes, which end with the one that started them."""

import os
import threading
import time
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from multiprocessing import get_context
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

import transformers

from kivuko.errors import KivukoError
from kivuko.experiment.comparison.config import CompareConfig

Item = TypeVar("Item")
Progress = Callable[[str, Item, str], None]


class Workers:
    """Processes that a comparison keeps from its first work to its last, or this process alone.

    Args:
        config: The comparison; every worker is told it.
        out: Its folder.
        jobs: How many processes; with one there are no others.
    """

    def __init__(self, config: CompareConfig, out: Path, jobs: int) -> None:
        self._config, self._out, self._jobs = config, out, jobs
        self._pool = (
            ProcessPoolExecutor(jobs, get_context("spawn"), _end_with_parent, (os.getpid(),)) if jobs > 1 else None
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)

    def run(
        self,
        work: Callable[[CompareConfig, Item, Path], None],
        items: Sequence[Item],
        *,
        progress: Progress[Item] = lambda state, item, detail: None,
        first_alone: Callable[[Item], Hashable] = lambda item: item,
    ) -> None:
        """Do the work of all items; after one has failed no other is begun.

        Args:
            work: Called with the comparison, an item and the folder, in a process of its own where there are some.
            items: In the order in which they are to be begun.
            progress: Told `started`, `done` or `failed` of an item, with a detail to show.
            first_alone: Of items for which it gives the same value, none is begun while the first one is in work, if
                there is another to begin: they use again what the first one leaves behind.

        Raises:
            KivukoError: If an item failed; it names the item.
        """
        if self._pool is None:
            for item in items:
                progress("started", item, "")
                progress("done", item, f"{_timed(work, self._config, item, self._out):.0f} s")
            return
        told = self._config.model_dump_json()
        failed: list[tuple[Item, BaseException]] = []
        running: dict[Future[float], Item] = {}
        order, served = list(items), set[Hashable]()
        waiting = list(order)
        while waiting or running:
            while waiting and len(running) < self._jobs and not failed:
                held = {first_alone(item) for item in running.values()} - served
                item = waiting.pop(next((n for n, item in enumerate(waiting) if first_alone(item) not in held), 0))
                running[self._pool.submit(_in_process, work, told, item, self._out)] = item
                progress("started", item, "")
            if not running:
                break
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                item = running.pop(future)
                served.add(first_alone(item))
                problem = future.exception()
                if problem is None:
                    progress("done", item, f"{future.result():.0f} s")
                else:
                    failed.append((item, problem))
                    progress("failed", item, str(problem))
        if failed:
            # The first in the order that was given, whichever ended first.
            item, problem = min(failed, key=lambda each: order.index(each[0]))
            if isinstance(problem, KivukoError):
                raise type(problem)(f"{item}: {problem}") from problem
            raise problem


def _timed(work: Callable[[CompareConfig, Item, Path], None], config: CompareConfig, item: Item, out: Path) -> float:
    started = time.monotonic()
    work(config, item, out)
    return time.monotonic() - started


def _in_process(work: Callable[[CompareConfig, Item, Path], None], told: str, item: Item, out: Path) -> float:
    transformers.utils.logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    transformers.utils.logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    return _timed(work, CompareConfig.model_validate_json(told), item, out)


def _end_with_parent(parent: int) -> None:
    """End this process when the one that started it is gone, killed perhaps."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(2)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def saying(notify: Callable[[str], None]) -> Progress[Item]:
    """Return a progress that only says what is begun."""

    def progress(state: str, item: Item, _: str) -> None:
        if state == "started":
            notify(str(item))

    return progress
