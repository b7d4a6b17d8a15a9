"""What only the compiled solver has: threads, machine code that is kept, views that are not contiguous."""

import math
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch

from kivuko.transport import sinkhorn, unbalanced_sinkhorn

from .conftest import Problem


@pytest.fixture
def two_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def large(generator: torch.Generator) -> Problem:
    return Problem(
        torch.rand(64, 48, 56, generator=generator), torch.full((64, 48), 1 / 48), torch.full((64, 56), 1 / 56)
    )


@pytest.mark.usefixtures("two_threads")
def test_threads_change_nothing(large: Problem) -> None:
    shared = sinkhorn(*large, epsilon=0.05, backend="compiled")
    torch.set_num_threads(1)
    alone = sinkhorn(*large, epsilon=0.05, backend="compiled")
    for name in ("plan", "value", "f", "g", "iterations", "error"):
        torch.testing.assert_close(getattr(shared, name), getattr(alone, name), atol=0, rtol=0, msg=name)


def test_callers_in_several_threads_do_not_disturb_each_other(large: Problem) -> None:
    alone = sinkhorn(*large, epsilon=0.05, backend="compiled").plan
    with ThreadPoolExecutor(4) as pool:
        plans = list(pool.map(lambda _: sinkhorn(*large, epsilon=0.05, backend="compiled").plan, range(8)))
    for plan in plans:
        torch.testing.assert_close(plan, alone, atol=0, rtol=0)


def test_views_are_read_as_what_they_show(large: Problem) -> None:
    cost, a, b = large
    turned = cost.mT.contiguous().mT
    assert not turned.is_contiguous()
    expanded = a[:1].expand(64, -1)
    torch.testing.assert_close(
        sinkhorn(turned, expanded, b, epsilon=0.05, backend="compiled").plan,
        sinkhorn(cost, a, b, epsilon=0.05, backend="compiled").plan,
        atol=0,
        rtol=0,
    )


@pytest.mark.parametrize("rho", [math.inf, 0.5])
@pytest.mark.parametrize(("source", "target"), [(1, 1), (16, 16), (5, 33), (49, 64), (70, 130), (180, 3)])
def test_problems_of_any_size_are_those_of_the_reference(
    source: int, target: int, rho: float, generator: torch.Generator
) -> None:
    """One vector, several, parts of one, and all the blocks that products are made of; with holes and padding."""
    cost = torch.rand(3, source, target, generator=generator)
    a, b = (torch.rand(3, side, generator=generator) + 0.1 for side in (source, target))
    for marginal in (a, b):
        marginal[1:, 1:] *= torch.rand(2, marginal.shape[1] - 1, generator=generator) < 0.7
        marginal[2, 1 + marginal.shape[1] // 2 :] = 0
    a, b = a / a.sum(1, keepdim=True), b / b.sum(1, keepdim=True)
    fast, plain = (
        unbalanced_sinkhorn(cost, a, b, epsilon=0.05, rho=rho, tolerance=1e-5, max_iterations=5000, backend=backend)
        for backend in ("compiled", "torch")
    )
    assert fast.converged.all()
    for name in ("plan", "value", "f", "g"):
        torch.testing.assert_close(getattr(fast, name), getattr(plain, name), atol=3e-5, rtol=0, msg=name)


def test_over_relaxation_needs_fewer_iterations_than_sinkhorn_does(large: Problem) -> None:
    fast = sinkhorn(*large, epsilon=0.02, backend="compiled")
    assert fast.converged.all()
    assert fast.iterations.float().mean() < 60


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="only Linux tells the peak of a part of a run")
def test_memory_stays_below_ten_cost_matrices() -> None:
    program = """
import torch
from pathlib import Path
from kivuko.transport import sinkhorn, unbalanced_sinkhorn

def kilobytes(field):
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(field))

cost = torch.rand(256, 64, 64, requires_grad=True)
mass = torch.full((256, 64), 1 / 64)
sinkhorn(cost[:1], mass[:1], mass[:1], epsilon=0.05).value.sum().backward()
Path("/proc/self/clear_refs").write_text("5")
before = kilobytes("VmRSS")
sinkhorn(cost, mass, mass, epsilon=0.05).value.sum().backward()
print(1024 * (kilobytes("VmHWM") - before) / (4 * cost.numel()))
"""
    assert 1 < float(_run(program, {})) < 10  # the plan at least


@pytest.mark.slow
def test_first_call_compiles_in_time_and_the_second_process_finds_it(tmp_path: Path) -> None:
    program = """
import time, torch
from kivuko.transport import sinkhorn, unbalanced_sinkhorn
begin = time.process_time()
sinkhorn(torch.rand(1, 3, 3), torch.ones(1, 3) / 3, torch.ones(1, 3) / 3, epsilon=0.1)
print(time.process_time() - begin)
"""
    first, second = (float(_run(program, {"NUMBA_CACHE_DIR": str(tmp_path)})) for _ in range(2))
    assert first < 15
    assert second < first / 3


def _run(program: str, environment: dict[str, str]) -> str:
    environment = {**os.environ, "OMP_NUM_THREADS": "1", **environment}
    return subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True, env=environment
    ).stdout
