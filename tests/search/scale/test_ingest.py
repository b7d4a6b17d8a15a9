"""Ingestion by two workers on a Ray cluster of this process: one that is killed loses nothing and doubles nothing."""

import os
import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from sentence_transformers import MultiVectorEncoder

from kivuko.data.collections import Document
from kivuko.errors import ConfigError, ModelError
from kivuko.search import store as stores
from kivuko.search.flat import FlatStore, create_store
from kivuko.search.scale import ingest as ingestion
from kivuko.search.scale import ingest_by_workers, ingest_with_workers, ray_cluster
from kivuko.search.scale.ingest import in_order
from kivuko.search.scale.worker import Encoding
from kivuko.search.store import ingest

if not find_spec("ray"):
    pytest.skip("Ray is not installed", allow_module_level=True)


class Squarer:
    """Squares lists of numbers, in a process of its own."""

    def square(self, numbers: list[int]) -> list[int]:
        time.sleep(0.05)
        if -1 in numbers:
            raise ModelError("-1 cannot be squared here.")
        if -2 in numbers:
            os.kill(os.getpid(), signal.SIGKILL)
        return [number * number for number in numbers]


def square(worker: Any, numbers: list[int]) -> Any:
    return worker.square.remote(numbers)


@pytest.fixture(scope="module")
def cluster() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("RAY_worker_niceness", "0")  # it is 15, with which workers starve beside whatever else runs here
        with ray_cluster(cpus=2):
            yield


@pytest.fixture
def squarers(cluster: None) -> list[Any]:
    import ray  # noqa: PLC0415 - after kivuko has prepared it

    actor = ray.remote(Squarer).options(max_restarts=1, max_task_retries=1)
    return [actor.remote() for _ in range(2)]


def workers_of_this_process(name: str) -> list[psutil.Process]:
    found = []
    for child in psutil.Process().children(recursive=True):
        with suppress(psutil.Error):  # it may end, or be about to, while it is looked at
            if child.cmdline() and child.cmdline()[0].startswith(f"ray::{name}"):
                found.append(child)
    return found


def kill_one(name: str) -> int:
    """Kill a worker by SIGKILL, one of those that have started; on a busy machine that need not be all."""
    until = time.monotonic() + 60
    while not (there := workers_of_this_process(name)):
        assert time.monotonic() < until, "no worker is running"
        time.sleep(0.05)
    there[0].kill()
    return there[0].pid


@pytest.mark.slow
def test_a_killed_worker_loses_no_portion_and_doubles_none(squarers: list[Any]) -> None:
    portions = [[number, number + 1] for number in range(0, 40, 2)]
    made = []
    for portion, squares in in_order(squarers, square, portions):
        made.append((portion, squares))
        if len(made) == 5:
            victim = kill_one("Squarer")
    assert made == [([n, n + 1], [n * n, (n + 1) ** 2]) for n in range(0, 40, 2)]
    assert victim not in {process.pid for process in workers_of_this_process("Squarer")}


@pytest.mark.slow
def test_portions_are_read_only_a_few_ahead(squarers: list[Any]) -> None:
    read = []

    def portions() -> Iterator[list[int]]:
        for number in range(20):
            read.append(number)
            yield [number]

    for done, _ in enumerate(in_order(squarers, square, portions())):
        assert len(read) <= done + 1 + ingestion.AHEAD * len(squarers)


@pytest.mark.slow
def test_an_error_in_a_worker_is_raised_as_it_was(squarers: list[Any]) -> None:
    with pytest.raises(ModelError, match=r"^-1 cannot be squared here\.$"):
        list(in_order(squarers, square, [[1], [-1], [2]]))


@pytest.mark.slow
def test_a_portion_that_kills_every_worker_ends_in_a_clear_error(squarers: list[Any]) -> None:
    with pytest.raises(ConfigError, match="smaller batch size"):
        list(in_order(squarers, square, [[1], [-2], [2]]))


@pytest.mark.slow
def test_every_socket_of_the_cluster_is_on_the_loopback_interface(squarers: list[Any]) -> None:
    import ray  # noqa: PLC0415 - after kivuko has prepared it

    ray.get([square(worker, [1]) for worker in squarers])
    connections = []
    for process in [psutil.Process(), *psutil.Process().children(recursive=True)]:
        with suppress(psutil.NoSuchProcess):  # a worker of an earlier test may end while it is looked at
            connections += process.net_connections()
    listening = [each.laddr.ip for each in connections if each.status == psutil.CONN_LISTEN]
    assert len(listening) > 3
    assert set(listening) <= {"127.0.0.1", "::ffff:127.0.0.1"}


@pytest.mark.slow
def test_numbers_of_workers_and_batches_are_positive(cluster: None, tmp_path: Path) -> None:
    flat = create_store(tmp_path / "flat", dim=32, model_name="tiny")
    with pytest.raises(ConfigError, match="workers must be at least 1, got 0"):
        ingest_with_workers(flat, [], Encoding("tiny"), workers=0)
    with pytest.raises(ConfigError, match="batch_size must be at least 1, got 0"):
        ingest_with_workers(flat, [], Encoding("tiny", batch_size=0), workers=1)


def assert_same(made: FlatStore, expected: FlatStore, *, in_order: bool = True) -> None:
    if in_order:
        assert made.doc_ids == expected.doc_ids
    assert sorted(made.doc_ids) == sorted(expected.doc_ids)
    for doc_id in expected.doc_ids:
        assert made.get(doc_id) == expected.get(doc_id)
        np.testing.assert_allclose(made.embeddings(doc_id), expected.embeddings(doc_id), atol=0.01)


@pytest.fixture(scope="module")
def many(sentences: Sequence[str]) -> list[Document]:
    return [Document(f"d{n}", "", f"{sentences[n % 10]} {sentences[n // 10 % 10]}") for n in range(400)]


@pytest.fixture
def alone(
    tiny_encoder: MultiVectorEncoder, many: list[Document], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> FlatStore:
    """The store that one process makes, with a commit for each 16 documents."""
    for module in (stores, ingestion):
        monkeypatch.setattr(module, "COMMIT_BATCHES", 4)
    flat = create_store(tmp_path / "alone", dim=32, model_name="tiny")
    assert ingest(flat, tiny_encoder, many, language="sw", batch_size=4) == len(many)
    return flat


@pytest.mark.slow
@pytest.mark.timeout(1_200)  # three processes load torch
def test_the_store_is_the_one_that_a_single_process_makes_though_an_encoder_is_killed(
    cluster: None, alone: FlatStore, tiny_encoder_dir: Path, many: list[Document], tmp_path: Path
) -> None:
    killed: list[int] = []

    def kill(count: int) -> None:
        dealt.append(count)
        if len(dealt) == 3:
            killed.append(kill_one("Worker"))

    dealt: list[int] = []
    flat = create_store(tmp_path / "flat", dim=32, model_name="tiny")
    encoding = Encoding(str(tiny_encoder_dir), language="sw", batch_size=4)
    added = ingest_with_workers(flat, many, encoding, workers=2, progress=kill)
    assert killed
    assert added == sum(dealt) == len(many)
    assert_same(FlatStore(flat.directory, verify=True), alone)
    assert ingest_with_workers(flat, many, encoding, workers=1, progress=dealt.append) == 0
    assert sum(dealt) == 2 * len(many)


@pytest.mark.slow
@pytest.mark.timeout(1_200)
def test_a_worker_that_writes_by_itself_and_is_killed_adds_everything_once(
    cluster: None, alone: FlatStore, tiny_encoder_dir: Path, many: list[Document], tmp_path: Path
) -> None:
    killed: list[int] = []

    def kill(count: int) -> None:
        if not killed:
            killed.append(kill_one("Worker"))

    directory = create_store(tmp_path / "flat", dim=32, model_name="tiny").directory
    encoding = Encoding(str(tiny_encoder_dir), language="sw", batch_size=4)
    ingest_by_workers(lambda: FlatStore(directory), many, encoding, workers=1, progress=kill)
    assert killed
    # The portion of a killed worker may be written behind the next one.
    assert_same(FlatStore(directory, verify=True), alone, in_order=False)


@pytest.mark.slow
def test_of_two_documents_with_one_id_the_first_is_taken(
    cluster: None, tiny_encoder_dir: Path, many: list[Document], tmp_path: Path
) -> None:
    flat = create_store(tmp_path / "flat", dim=32, model_name="tiny")
    twice = [many[0], many[0]._replace(text="another one"), many[1]]
    assert ingest_with_workers(flat, twice, Encoding(str(tiny_encoder_dir)), workers=1) == 2
    assert flat.get("d0").text == many[0].text
