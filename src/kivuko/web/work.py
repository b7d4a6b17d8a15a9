"""The bounded queue before the models: what waits, what is refused, what took too long."""

import asyncio
import math
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from queue import SimpleQueue
from time import perf_counter
from typing import Any, Generic, TypeVar

from kivuko.web.problems import Problem

Worker = TypeVar("Worker")
Result = TypeVar("Result")


class WorkQueue(Generic[Worker]):
    """Runs calls in threads, one at a time on each worker, and refuses what would have to wait too long.

    Args:
        workers: What the calls are made on.
        waiting: How many calls may wait beside those that run.
        timeout: Seconds until a call is given up. One that waits is taken out of the queue then; one that runs cannot
            be stopped, and keeps its place until it is done.
    """

    def __init__(self, workers: Sequence[Worker], *, waiting: int, timeout: float) -> None:
        self.size = len(workers)
        self.waiting = waiting
        self.timeout = timeout
        self.pending = 0
        self._seconds = 0.0  # what a call took lately
        self._free: SimpleQueue[Worker] = SimpleQueue()
        for worker in workers:
            self._free.put(worker)
        self._threads: ThreadPoolExecutor | None = None  # made anew by the first call after `close`

    async def run(self, call: Callable[[Worker, Any], Result], argument: Any) -> Result:
        """Make a call on the next free worker.

        Raises:
            Problem: 429 if too many wait, 504 if it took too long.
        """
        if self.pending >= self.size + self.waiting:
            raise Problem(
                429,
                "busy",
                f"The service has {self.pending} requests to answer and takes no more now: come back later.",
                headers={"Retry-After": str(self.retry_after())},
            )
        if self._threads is None:
            self._threads = ThreadPoolExecutor(self.size, thread_name_prefix="kivuko")
        future = self._threads.submit(self._call, call, argument)
        self.pending += 1
        loop = asyncio.get_running_loop()
        future.add_done_callback(lambda done: self._leave(done, loop))
        try:
            return await asyncio.wait_for(asyncio.wrap_future(future), self.timeout)
        except TimeoutError:
            raise Problem(
                504,
                "timeout",
                f"There is no answer after {self.timeout:g} seconds: try again later, or ask for less at once.",
            ) from None

    def retry_after(self) -> int:
        """Estimate in how many seconds there is room, from 1 to 60."""
        return min(60, max(1, math.ceil(self._seconds * self.pending / self.size)))

    def close(self) -> None:
        """Finish what runs, drop what waits."""
        if self._threads is not None:
            self._threads.shutdown(wait=True, cancel_futures=True)
            self._threads = None

    def _call(self, call: Callable[[Worker, Any], Result], argument: Any) -> Result:
        worker = self._free.get()
        start = perf_counter()
        try:
            return call(worker, argument)
        finally:
            self._seconds += 0.2 * (perf_counter() - start - self._seconds)
            self._free.put(worker)

    def _leave(self, _: Future[Any], loop: asyncio.AbstractEventLoop) -> None:
        if not loop.is_closed():
            loop.call_soon_threadsafe(self._left)

    def _left(self) -> None:
        self.pending -= 1
