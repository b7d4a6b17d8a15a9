import asyncio
import threading
from collections.abc import Callable
from functools import partial
from time import perf_counter, sleep

import pytest

from kivuko.web import work as work_module
from kivuko.web.problems import Problem
from kivuko.web.work import Abandoned, Check, WorkQueue

LONG = 60  # seconds that nothing here takes, on any machine


def wait_for(_: str, event: threading.Event, __: Check) -> str:
    assert event.wait(LONG)
    return "done"


async def all_but(pending: int, queue: WorkQueue[str]) -> None:
    """Return when no more calls than these are in the queue."""
    while queue.pending > pending:
        await asyncio.sleep(0.001)


def test_what_waits_is_run_in_its_order_and_what_is_too_much_refused() -> None:
    async def scenario() -> None:
        queue = WorkQueue(["worker"], waiting=1, timeout=LONG)
        event = threading.Event()
        first, second = (asyncio.create_task(queue.run(wait_for, event)) for _ in range(2))
        await asyncio.sleep(0)
        with pytest.raises(Problem) as refused:
            await queue.run(wait_for, event)
        assert refused.value.status == 429
        event.set()
        assert [await first, await second] == ["done", "done"]
        await all_but(0, queue)
        assert queue.pending == 0
        await queue.close(seconds=10)

    asyncio.run(scenario())


def test_what_runs_too_long_keeps_its_place_and_what_waits_too_long_gives_it_back() -> None:
    async def scenario() -> None:
        queue = WorkQueue(["worker"], waiting=1, timeout=0.05)
        begun, event = threading.Event(), threading.Event()

        def begin(worker: str, event: threading.Event, check: Check) -> str:
            begun.set()
            return wait_for(worker, event, check)

        runs = [asyncio.create_task(queue.run(begin, event)) for _ in range(2)]
        await asyncio.sleep(0)
        assert begun.wait(LONG)  # which holds up the loop, and with it the end of the time
        told = await asyncio.gather(*runs, return_exceptions=True)
        assert [problem.status for problem in told if isinstance(problem, Problem)] == [504, 504]
        await all_but(1, queue)
        assert queue.pending == 1
        event.set()
        queue.timeout = LONG
        assert await queue.run(wait_for, event) == "done"
        await queue.close(seconds=10)

    asyncio.run(scenario())


def test_each_worker_does_one_thing_at_a_time() -> None:
    busy: set[str] = set()
    clashes = []

    def work(worker: str, _: None, __: Check) -> None:
        if worker in busy:
            clashes.append(worker)
        busy.add(worker)
        threading.Event().wait(0.005)
        busy.discard(worker)

    async def scenario() -> None:
        queue = WorkQueue(["a", "b", "c"], waiting=30, timeout=LONG)
        await asyncio.gather(*(queue.run(work, None) for _ in range(30)))
        await queue.close(seconds=10)

    asyncio.run(scenario())
    assert clashes == []


def test_a_queue_that_was_closed_starts_anew() -> None:
    async def scenario() -> list[str]:
        queue = WorkQueue(["worker"], waiting=0, timeout=LONG)
        event = threading.Event()
        event.set()
        answers = []
        for _ in range(2):
            answers.append(await queue.run(wait_for, event))
            await all_but(0, queue)
            await queue.close(seconds=10)
        return answers

    assert asyncio.run(scenario()) == ["done", "done"]


def test_an_error_of_the_work_is_the_callers() -> None:
    def fail(_: str, __: None, ___: Check) -> None:
        raise ArithmeticError("of the work")

    async def scenario() -> None:
        queue = WorkQueue(["worker"], waiting=0, timeout=LONG)
        with pytest.raises(ArithmeticError, match="of the work"):
            await queue.run(fail, None)
        await queue.close(seconds=10)

    asyncio.run(scenario())


def test_who_goes_away_gives_back_the_place_and_is_not_worked_for() -> None:
    done = []
    begun, go_on = threading.Event(), threading.Event()

    def work(_: str, item: int, __: Check) -> int:
        begun.set()
        assert go_on.wait(LONG)
        done.append(item)
        return item

    async def leave() -> None:
        while not begun.is_set():
            await asyncio.sleep(0.001)

    async def stay() -> None:
        await asyncio.sleep(LONG)

    async def scenario() -> None:
        queue = WorkQueue(["worker"], waiting=5, timeout=LONG)
        told = await asyncio.gather(*(queue.run(work, n, gone=leave) for n in range(6)), return_exceptions=True)
        assert [problem.status for problem in told if isinstance(problem, Problem)] == [499] * 6
        await all_but(1, queue)
        assert queue.pending == 1  # what runs does not check
        go_on.set()
        assert await queue.run(work, 6, gone=stay) == 6
        assert done == [0, 6]
        await queue.close(seconds=10)

    asyncio.run(scenario())


def never_done(begun: threading.Event) -> Callable[[str, int, Check], int]:
    def work(_: str, __: int, check: Check) -> int:
        while True:
            begun.set()
            check()
            sleep(0.001)

    return work


async def until(event: threading.Event) -> None:
    while not event.is_set():
        await asyncio.sleep(0.001)


@pytest.mark.parametrize("why", ["gone", "late"])
def test_what_checks_is_ended_as_soon_as_nobody_waits_for_it(why: str) -> None:
    async def scenario() -> None:
        queue, begun = WorkQueue(["worker"], waiting=0, timeout=LONG if why == "gone" else 0.05), threading.Event()
        with pytest.raises(Problem):
            await queue.run(never_done(begun), 1, gone=partial(until, begun) if why == "gone" else None)
        await all_but(0, queue)
        assert queue.pending == 0

    asyncio.run(scenario())


def test_closing_ends_what_checks_and_drops_what_waits() -> None:
    async def scenario() -> int:
        queue, begun = WorkQueue(["worker"], waiting=1, timeout=LONG), threading.Event()
        runs = [asyncio.create_task(queue.run(never_done(begun), item)) for item in range(2)]
        await until(begun)
        left = await queue.close(seconds=LONG)
        told = await asyncio.gather(*runs, return_exceptions=True)
        assert [type(each) for each in told] == [Abandoned, asyncio.CancelledError]
        return left

    assert asyncio.run(scenario()) == 0


def test_closing_waits_no_longer_than_it_is_told_and_keeps_nobody_else_waiting() -> None:
    async def scenario() -> None:
        queue = WorkQueue(["worker"], waiting=0, timeout=0.05)
        event, beats = threading.Event(), []

        async def beat() -> None:
            while True:
                beats.append(perf_counter())
                await asyncio.sleep(0.01)

        with pytest.raises(Problem):
            await queue.run(wait_for, event)
        beating = asyncio.create_task(beat())
        start = perf_counter()
        assert await queue.close(seconds=0.3) == 1
        assert perf_counter() - start > 0.25
        assert len(beats) > 1
        beating.cancel()
        event.set()

    asyncio.run(scenario())


def test_the_time_to_come_back_grows_with_the_queue() -> None:
    queue = WorkQueue(["worker"], waiting=100, timeout=10)
    assert queue.retry_after() == 1
    queue.pending = 50
    queue._took.extend([0.25, 0.75])
    assert queue.retry_after() == 25
    queue._took.extend([100] * 16)
    assert queue.retry_after() == 60


def test_the_time_to_come_back_is_measured_from_the_first_call_on(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [8.0]
    monkeypatch.setattr(work_module, "perf_counter", lambda: now[0])
    begun = threading.Event()

    def work(worker: str, event: threading.Event, check: Check) -> str:
        begun.set()
        return wait_for(worker, event, check)

    def take_time(_: str, seconds: float, __: Check) -> None:
        now[0] += seconds

    async def scenario() -> None:
        queue = WorkQueue(["worker"], waiting=100, timeout=LONG)
        event = threading.Event()
        runs = [asyncio.create_task(queue.run(work, event)) for _ in range(41)]
        await asyncio.sleep(0)
        assert begun.wait(LONG)
        now[0] += 0.25
        assert queue.retry_after() == 11  # by what the call that runs has taken so far
        event.set()
        await asyncio.gather(*runs)
        queue._took.clear()
        await queue.run(take_time, 0.125)
        queue.pending = 40
        assert queue.retry_after() == 5
        await queue.close(seconds=10)

    asyncio.run(scenario())
