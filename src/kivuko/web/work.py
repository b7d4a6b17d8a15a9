"""The bounded queue before the models: what waits, what is refused, what took too long."""

import asyncio
import math
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from queue import SimpleQueue
from time import perf_counter
from typing import Any, Generic, TypeVar

from kivuko.web.problems import Problem

Worker = TypeVar("Worker")
Result = TypeVar("Result")
Check = Callable[[], None]  # raises `Abandoned` if nobody waits for the answer any more

RECENT = 16  # calls whose time says how long the next ones will take
LONGEST_WAIT = 60  # seconds that a caller is told to stay away, at most


class Abandoned(Exception):  # noqa: N818 - no error: there is nobody to be told
    """What ends a call that nobody waits for any more."""


class _Turn:
    """A call from when it came until it is over."""

    def __init__(self) -> None:
        self.wanted = True
        self.started: float | None = None

    def check(self) -> None:
        if not self.wanted:
            raise Abandoned


class WorkQueue(Generic[Worker]):
    """Runs calls in threads, one at a time on each worker, and refuses what would have to wait too long.

    Args:
        workers: What the calls are made on.
        waiting: How many calls may wait beside those that run.
        timeout: Seconds until a call is given up. One that waits is taken out of the queue then, as it is when its
            caller goes away; one that runs keeps its place until it checks whether it is still waited for.
    """

    def __init__(self, workers: Sequence[Worker], *, waiting: int, timeout: float) -> None:
        self.size = len(workers)
        self.waiting = waiting
        self.timeout = timeout
        self.pending = 0
        self._took: deque[float] = deque(maxlen=RECENT)
        self._turns: dict[_Turn, Future[Any]] = {}  # of those that are here, for the thread of the loop alone
        self._free: SimpleQueue[Worker] = SimpleQueue()
        for worker in workers:
            self._free.put(worker)
        self._threads: ThreadPoolExecutor | None = None  # made anew by the first call after `close`

    async def run(
        self,
        call: Callable[[Worker, Any, Check], Result],
        argument: Any,
        *,
        gone: Callable[[], Awaitable[None]] | None = None,
    ) -> Result:
        """Make a call on the next free worker.

        Args:
            call: What to do, given the worker, the argument and a check; what may take long calls that now and then,
                and is ended by it when nobody waits for the answer any more.
            argument: With what.
            gone: Returns when the caller has gone away, so that nobody waits for the answer any more.

        Raises:
            Problem: 429 if too many wait, 504 if it took too long, 499 if the caller has gone away.
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
        turn, loop = _Turn(), asyncio.get_running_loop()
        future = self._threads.submit(self._call, call, argument, turn)
        self._turns[turn] = future
        self.pending += 1
        future.add_done_callback(lambda _: self._leave(turn, loop))
        answer = asyncio.wrap_future(future)
        leaving = None if gone is None else asyncio.ensure_future(gone())
        waited: list[asyncio.Future[Any]] = [answer] if leaving is None else [answer, leaving]
        try:
            await asyncio.wait(waited, timeout=self.timeout, return_when=asyncio.FIRST_COMPLETED)
            if answer.done():
                return answer.result()
            if leaving is not None and leaving.done():
                leaving.result()  # raises what went wrong, if anything did
                raise Problem(499, "gone", "The caller went away before there was an answer.")
        finally:
            turn.wanted = False
            answer.cancel()
            if leaving is not None:
                leaving.cancel()
        raise Problem(
            504,
            "timeout",
            f"There is no answer after {self.timeout:g} seconds: try again later, or ask for less at once.",
        )

    def retry_after(self) -> int:
        """Estimate in how many seconds everything that is here now is done, from 1 to 60.

        That is as many rounds as the calls here need, each of what a call took lately, or has taken so far.
        """
        took, now = list(self._took), perf_counter()
        lately = sum(took) / len(took) if took else 0.0
        started = [turn.started for turn in self._turns]  # once: the threads write it
        so_far = max((now - start for start in started if start is not None), default=0.0)
        return min(LONGEST_WAIT, max(1, math.ceil(max(lately, so_far) * self.pending / self.size)))

    async def close(self, *, seconds: float) -> int:
        """Drop what waits, and end what runs at its next check.

        Args:
            seconds: For how long to wait for what runs, at most.

        Returns:
            How many calls still run.
        """
        if self._threads is None:
            return 0
        for turn in self._turns:
            turn.wanted = False
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._threads = None
        running = [future for future in self._turns.values() if not future.done()]
        with suppress(TimeoutError):
            await asyncio.wait_for(
                asyncio.gather(*map(asyncio.wrap_future, running), return_exceptions=True), timeout=seconds
            )
        self._turns.clear()
        self.pending = 0
        return sum(not future.done() for future in running)

    def _call(self, call: Callable[[Worker, Any, Check], Result], argument: Any, turn: _Turn) -> Result:
        worker = self._free.get()
        start = turn.started = perf_counter()
        try:
            turn.check()
            return call(worker, argument, turn.check)
        finally:
            turn.started = None
            self._took.append(perf_counter() - start)
            self._free.put(worker)

    def _leave(self, turn: _Turn, loop: asyncio.AbstractEventLoop) -> None:
        if not loop.is_closed():
            loop.call_soon_threadsafe(self._left, turn)

    def _left(self, turn: _Turn) -> None:
        if self._turns.pop(turn, None) is not None:
            self.pending -= 1
