"""Small transport problems: ragged, masked, with holes, with whole items masked, and one-token items."""

from typing import NamedTuple

import pytest
import torch
from torch import Tensor


class Problem(NamedTuple):
    cost: Tensor
    a: Tensor
    b: Tensor


@pytest.fixture
def generator() -> torch.Generator:
    return torch.Generator().manual_seed(17)


@pytest.fixture
def problem(generator: torch.Generator) -> Problem:
    """Eight items of up to 11 by 14 tokens. Item 5 has no source, item 6 no target, item 7 one source token."""
    cost = torch.rand(8, 11, 14, generator=generator)
    a, b = torch.rand(8, 11, generator=generator) + 0.1, torch.rand(8, 14, generator=generator) + 0.1
    a[torch.rand(8, 11, generator=generator) < 0.25] = 0
    b[torch.rand(8, 14, generator=generator) < 0.25] = 0
    a[:, 0], b[:, 1] = 0.5, 0.5
    a[5], b[6] = 0, 0
    a[7] = torch.nn.functional.one_hot(torch.tensor(4), 11)
    return Problem(cost, a / a.sum(-1, keepdim=True).clamp(min=1e-6), b / b.sum(-1, keepdim=True).clamp(min=1e-6))


def items_with_mass(problem: Problem) -> list[int]:
    """The items that have a source and a target."""
    return [i for i in range(len(problem.a)) if problem.a[i].sum() > 0 and problem.b[i].sum() > 0]


def dense(problem: Problem, item: int) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Cost and marginals of one item without what has no mass, in float64, and where its rows and columns are."""
    rows, columns = problem.a[item].nonzero()[:, 0], problem.b[item].nonzero()[:, 0]
    a, b = problem.a[item, rows].double(), problem.b[item, columns].double()
    return problem.cost[item][rows][:, columns].double(), a / a.sum(), b / b.sum(), rows, columns
