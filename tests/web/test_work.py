import asyncio
import threading

import pytest

from kivuko.web.problems import Problem
from kivuko.web.work import WorkQueue


def wait_for(_: str, event: threading.Event) -> str:
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
        queue.close()

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
        queue.close()

    asyncio.run(scenario())


def test_each_worker_does_one_thing_at_a_time() -> None:
    busy: set[str] = set()
    clashes = []

    def work(worker: str, _: None) -> None:
        if worker in busy:
            clashes.append(worker)
        busy.add(worker)
        threading.Event().wait(0.005)
        busy.discard(worker)

    async def scenario() -> None:
        queue = WorkQueue(["a", "b", "c"], waiting=30, timeout=10)
        await asyncio.gather(*(queue.run(work, None) for _ in range(30)))
        queue.close()

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
            queue.close()
        return answers

    assert asyncio.run(scenario()) == ["done", "done"]


def test_an_error_of_the_work_is_the_callers() -> None:
    def fail(_: str, __: None) -> None:
        raise ArithmeticError("of the work")

    async def scenario() -> None:
        queue = WorkQueue(["worker"], waiting=0, timeout=10)
        with pytest.raises(ArithmeticError, match="of the work"):
            await queue.run(fail, None)
        queue.close()

    asyncio.run(scenario())


def test_the_time_to_come_back_grows_with_the_queue() -> None:
    queue = WorkQueue(["worker"], waiting=100, timeout=10)
    assert queue.retry_after() == 1
    queue.pending, queue._seconds = 50, 0.5
    assert queue.retry_after() == 25
    queue._seconds = 100
    assert queue.retry_after() == 60
    queue.close()
