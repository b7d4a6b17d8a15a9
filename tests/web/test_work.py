import asyncio
import threading
from collections.abc import Callable
from time import perf_counter

import pytest

from kivuko.web.problems import Problem
from kivuko.web.work import Abandoned, Check, WorkQueue


def wait_for(_: str, event: threading.Event, __: Check) -> str:
    event.wait(10)
    return "done"


def test_what_waits_is_run_in_its_order_and_what_is_too_much_refused() -> None:
    async def scenario() -> None:
        queue = WorkQueue(["worker"], waiting=1, timeout=10)
        event = threading.Event()
        first, second = (asyncio.create_task(queue.run(wait_for, event)) for _ in range(2))
        await asyncio.sleep(0)
        with pytest.raises(Problem) as refused:
            await queue.run(wait_for, event)
        assert refused.value.status == 429
        event.set()
        assert [await first, await second] == ["done", "done"]
        await asyncio.sleep(0.05)
        assert queue.pending == 0
        await queue.close(seconds=10)

    asyncio.run(scenario())


def test_what_runs_too_long_keeps_its_place_and_what_waits_too_long_gives_it_back() -> None:
    async def scenario() -> None:
        queue = WorkQueue(["worker"], waiting=1, timeout=0.05)
        event = threading.Event()
        told = await asyncio.gather(*(queue.run(wait_for, event) for _ in range(2)), return_exceptions=True)
        assert [problem.status for problem in told if isinstance(problem, Problem)] == [504, 504]
        await asyncio.sleep(0.05)
        assert queue.pending == 1
        event.set()
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
        queue = WorkQueue(["a", "b", "c"], waiting=30, timeout=10)
        await asyncio.gather(*(queue.run(work, None) for _ in range(30)))
        await queue.close(seconds=10)

    asyncio.run(scenario())
    assert clashes == []


def test_a_queue_that_was_closed_starts_anew() -> None:
    async def scenario() -> list[str]:
        queue = WorkQueue(["worker"], waiting=0, timeout=10)
        event = threading.Event()
        event.set()
        answers = []
        for _ in range(2):
            answers.append(await queue.run(wait_for, event))
            await asyncio.sleep(0.05)
            await queue.close(seconds=10)
        return answers

    assert asyncio.run(scenario()) == ["done", "done"]


def test_an_error_of_the_work_is_the_callers() -> None:
    def fail(_: str, __: None, ___: Check) -> None:
        raise ArithmeticError("of the work")

    async def scenario() -> None:
        queue = WorkQueue(["worker"], waiting=0, timeout=10)
        with pytest.raises(ArithmeticError, match="of the work"):
            await queue.run(fail, None)
        await queue.close(seconds=10)

    asyncio.run(scenario())


def test_who_goes_away_gives_back_the_place_and_is_not_worked_for() -> None:
    done = []

    def work(_: str, item: int, __: Check) -> int:
        threading.Event().wait(0.1)
        done.append(item)
        return item

    async def leave() -> None:
        await asyncio.sleep(0.02)

    async def stay() -> None:
        await asyncio.sleep(10)

    async def scenario() -> None:
        queue = WorkQueue(["worker"], waiting=5, timeout=10)
        told = await asyncio.gather(*(queue.run(work, n, gone=leave) for n in range(6)), return_exceptions=True)
        assert [problem.status for problem in told if isinstance(problem, Problem)] == [499] * 6
        await asyncio.sleep(0.01)
        assert queue.pending == 1  # what runs does not check
        assert await queue.run(work, 6, gone=stay) == 6
        assert done == [0, 6]
        await queue.close(seconds=10)

    asyncio.run(scenario())


def in_steps(done: list[int]) -> Callable[[str, int, Check], int]:
    def work(_: str, item: int, check: Check) -> int:
        for _step in range(100):
            check()
            threading.Event().wait(0.02)
        done.append(item)
        return item

    return work


@pytest.mark.parametrize("why", ["gone", "late"])
def test_what_checks_is_ended_as_soon_as_nobody_waits_for_it(why: str) -> None:
    done: list[int] = []

    async def leave() -> None:
        await asyncio.sleep(0.05)

    async def scenario() -> float:
        queue = WorkQueue(["worker"], waiting=0, timeout=10 if why == "gone" else 0.05)
        with pytest.raises(Problem):
            await queue.run(in_steps(done), 1, gone=leave if why == "gone" else None)
        start = perf_counter()
        while queue.pending:
            await asyncio.sleep(0.01)
        return perf_counter() - start

    assert asyncio.run(scenario()) < 1
    assert done == []


def test_closing_ends_what_checks_and_drops_what_waits() -> None:
    done: list[int] = []

    async def scenario() -> int:
        queue = WorkQueue(["worker"], waiting=1, timeout=10)
        runs = [asyncio.create_task(queue.run(in_steps(done), item)) for item in range(2)]
        await asyncio.sleep(0.05)
        start = perf_counter()
        left = await queue.close(seconds=10)
        assert perf_counter() - start < 1
        told = await asyncio.gather(*runs, return_exceptions=True)
        assert [type(each) for each in told] == [Abandoned, asyncio.CancelledError]
        return left

    assert asyncio.run(scenario()) == 0
    assert done == []


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
        assert 0.25 < perf_counter() - start < 2
        assert len(beats) > 5
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


def test_the_time_to_come_back_is_measured_from_the_first_call_on() -> None:
    async def scenario() -> None:
        queue = WorkQueue(["worker"], waiting=100, timeout=10)
        event = threading.Event()
        runs = [asyncio.create_task(queue.run(wait_for, event)) for _ in range(41)]
        await asyncio.sleep(0.1)
        assert 4 < queue.retry_after() < 12  # by what the call that runs has taken so far
        event.set()
        await asyncio.gather(*runs)
        await asyncio.sleep(0.05)
        queue._took.clear()
        await queue.run(lambda _, seconds, __: threading.Event().wait(seconds), 0.1)
        queue.pending = 40
        assert 4 <= queue.retry_after() < 12
        await queue.close(seconds=10)

    asyncio.run(scenario())
