"""Theorems on the plan, on tiny problems in float64 and, for the compiled solver, in float32."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from kivuko.transport import TransportResult, regularized_value, sinkhorn, unbalanced_sinkhorn

quick = settings(deadline=None, max_examples=40)  # no deadline: the first example may compile
finite = st.floats(0, 1, width=32)
mass = st.one_of(st.just(0.0), st.floats(0.0625, 1, width=32))


@st.composite
def problems(draw: st.DrawFn) -> tuple[Tensor, Tensor, Tensor]:
    """A batch of one: up to 5 by 5 tokens, some of which have no mass, all of it in float64."""
    n, m = draw(st.integers(1, 5)), draw(st.integers(1, 5))
    cost = draw(st.lists(st.lists(finite, min_size=m, max_size=m), min_size=n, max_size=n))
    a, b = (torch.tensor([draw(st.lists(mass, min_size=k, max_size=k))], dtype=torch.float64) for k in (n, m))
    a[:, 0] += 0.5
    b[:, -1] += 0.5
    return torch.tensor([cost], dtype=torch.float64), a / a.sum(), b / b.sum()


def solve(problem: tuple[Tensor, Tensor, Tensor], epsilon: float = 0.1) -> TransportResult:
    return sinkhorn(*problem, epsilon=epsilon, tolerance=1e-9, max_iterations=20_000)


def close(actual: Tensor, expected: Tensor, atol: float = 1e-7) -> None:
    torch.testing.assert_close(actual, expected, atol=atol, rtol=0)


@quick
@given(problems())
def test_marginals_hold_and_nothing_is_negative(problem: tuple[Tensor, Tensor, Tensor]) -> None:
    _, a, b = problem
    plan = solve(problem).plan
    close(plan.sum(2), a)
    close(plan.sum(1), b)
    assert (plan >= 0).all()


@quick
@given(problems())
def test_compiled_marginals_hold_in_float32(problem: tuple[Tensor, Tensor, Tensor]) -> None:
    cost, a, b = (tensor.float() for tensor in problem)
    result = sinkhorn(cost, a, b, epsilon=0.1, tolerance=1e-5, max_iterations=20_000, backend="compiled")
    close(result.plan.sum(2), a, 2e-5)
    close(result.plan.sum(1), b, 2e-5)
    close(result.plan.double(), solve(problem).plan, 1e-4)


@quick
@given(problems(), st.lists(finite, min_size=10, max_size=10))
def test_adding_a_cost_per_token_keeps_the_plan(problem: tuple[Tensor, Tensor, Tensor], extra: list[float]) -> None:
    cost, a, b = problem
    row, column = torch.tensor(extra[: a.shape[1]]), torch.tensor(extra[5 : 5 + b.shape[1]])
    close(solve((cost + row[None, :, None] + column[None, None, :], a, b)).plan, solve(problem).plan)


@quick
@given(problems(), st.floats(0.1, 10))
def test_scaling_cost_and_epsilon_together_keeps_the_plan(problem: tuple[Tensor, Tensor, Tensor], scale: float) -> None:
    cost, a, b = problem
    close(solve((scale * cost, a, b), 0.1 * scale).plan, solve(problem).plan)


@quick
@given(problems())
def test_swapping_the_sides_transposes_the_plan(problem: tuple[Tensor, Tensor, Tensor]) -> None:
    cost, a, b = problem
    close(solve((cost.mT, b, a)).plan.mT, solve(problem).plan)


@quick
@given(problems(), st.randoms(use_true_random=False))
def test_reordering_tokens_reorders_the_plan(problem: tuple[Tensor, Tensor, Tensor], random: object) -> None:
    cost, a, b = problem
    order = list(range(a.shape[1]))
    random.shuffle(order)  # type: ignore[attr-defined]
    close(solve((cost[:, order], a[:, order], b)).plan, solve(problem).plan[:, order])


@quick
@given(problems(), st.integers(0, 3), st.integers(0, 3), st.sampled_from(["torch", "compiled"]))
def test_padding_changes_nothing(problem: tuple[Tensor, Tensor, Tensor], rows: int, columns: int, backend: str) -> None:
    cost, a, b = (tensor.float() for tensor in problem)
    padded = [
        torch.nn.functional.pad(cost, (columns, 1, rows, 2), value=torch.nan),
        torch.nn.functional.pad(a, (rows, 2)),
        torch.nn.functional.pad(b, (columns, 1)),
    ]
    options = {"epsilon": 0.1, "backend": backend}
    bare, wrapped = sinkhorn(cost, a, b, **options), sinkhorn(*padded, **options)  # type: ignore[arg-type]
    close(wrapped.plan[:, rows:-2, columns:-1], bare.plan, 1e-6)
    close(wrapped.value, bare.value, 1e-6)


@quick
@given(st.lists(problems(), min_size=2, max_size=4), st.sampled_from(["torch", "compiled"]))
def test_a_batch_is_a_loop(batch: list[tuple[Tensor, Tensor, Tensor]], backend: str) -> None:
    n, m = (max(problem[side].shape[1] for problem in batch) for side in (1, 2))
    cost, a, b = torch.zeros(len(batch), n, m), torch.zeros(len(batch), n), torch.zeros(len(batch), m)
    for item, problem in enumerate(batch):
        rows, columns = problem[1].shape[1], problem[2].shape[1]
        cost[item, :rows, :columns], a[item, :rows], b[item, :columns] = (tensor[0].float() for tensor in problem)
    together = sinkhorn(cost, a, b, epsilon=0.1, backend=backend)  # type: ignore[arg-type]
    for item in range(len(batch)):
        one = slice(item, item + 1)
        alone = sinkhorn(cost[one], a[one], b[one], epsilon=0.1, backend=backend)  # type: ignore[arg-type]
        close(together.plan[one], alone.plan, 1e-7)
        assert together.iterations[item] == alone.iterations[0]


@quick
@given(problems(), st.lists(finite, min_size=25, max_size=25))
def test_gradient_of_the_regularized_value_is_the_plan(
    problem: tuple[Tensor, Tensor, Tensor], entries: list[float]
) -> None:
    cost, a, b = problem
    direction = torch.tensor(entries[: cost.numel()]).view_as(cost)
    step = 1e-4

    def value(C: Tensor) -> Tensor:
        return regularized_value(C, a, b, solve((C, a, b)), epsilon=0.1)

    cost.requires_grad_()
    (gradient,) = torch.autograd.grad(value(cost).sum(), cost)
    cost = cost.detach()
    slope = (value(cost + step * direction) - value(cost - step * direction)) / (2 * step)
    close(slope, (gradient * direction).sum((1, 2)), 1e-5)


@quick
@given(problems(), st.floats(0.05, 2))
def test_relaxed_marginals_satisfy_the_optimality_condition(problem: tuple[Tensor, Tensor, Tensor], rho: float) -> None:
    _, a, b = problem
    result = unbalanced_sinkhorn(*problem, epsilon=0.1, rho=rho, tolerance=1e-9, max_iterations=20_000)
    close(result.plan.sum(2), a * (-result.f / rho).exp())
    close(result.plan.sum(1), b * (-result.g / rho).exp())
