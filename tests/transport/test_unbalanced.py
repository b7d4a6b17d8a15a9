import math

import ot
import pytest
import torch

from kivuko.transport import Backend, regularized_value, sinkhorn, unbalanced_sinkhorn

from .conftest import Problem, dense, items_with_mass

BACKENDS: list[Backend] = ["torch", "compiled"]


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("rho", [0.05, 0.5, 5.0])
@pytest.mark.parametrize("epsilon", [0.2, 0.02])
def test_plan_is_the_one_of_pot(problem: Problem, backend: Backend, epsilon: float, rho: float) -> None:
    result = unbalanced_sinkhorn(
        *problem, epsilon=epsilon, rho=rho, tolerance=1e-5, max_iterations=20_000, backend=backend
    )
    assert result.converged.all()
    for item in items_with_mass(problem)[:3]:
        C, a, b, rows, columns = dense(problem, item)
        expected = ot.unbalanced.sinkhorn_knopp_unbalanced(
            a.numpy(), b.numpy(), C.numpy(), epsilon, rho, numItermax=100_000, stopThr=1e-10
        )
        plan = result.plan[item, rows[:, None], columns].double()
        torch.testing.assert_close(plan, torch.from_numpy(expected), atol=5e-5, rtol=0)


@pytest.mark.parametrize("backend", BACKENDS)
def test_infinite_price_is_balanced_transport(problem: Problem, backend: Backend) -> None:
    balanced = sinkhorn(*problem, epsilon=0.1, tolerance=1e-6, backend=backend)
    relaxed = unbalanced_sinkhorn(*problem, epsilon=0.1, rho=math.inf, tolerance=1e-6, backend=backend)
    torch.testing.assert_close(relaxed.plan, balanced.plan, atol=0, rtol=0)


@pytest.mark.parametrize("backend", BACKENDS)
def test_masses_may_differ(problem: Problem, backend: Backend) -> None:
    result = unbalanced_sinkhorn(problem.cost, problem.a, 3 * problem.b, epsilon=0.1, rho=0.5, backend=backend)
    assert result.converged.all()
    assert not result.value[5:7].any()


def test_a_token_without_a_partner_stays_behind() -> None:
    cost, half = torch.tensor([[[0.1, 1.5], [1.5, 1.5]]]), torch.tensor([[0.5, 0.5]])
    plan = unbalanced_sinkhorn(cost, half, half, epsilon=0.02, rho=0.2).plan[0]
    assert plan[0, 0] > 0.3
    assert plan[1].sum() < 0.02


def test_regularized_value_is_the_primal_objective(problem: Problem) -> None:
    cost, a, b = (tensor.double() for tensor in problem)
    result = unbalanced_sinkhorn(cost, a, b, epsilon=0.1, rho=0.5, tolerance=1e-10, max_iterations=20_000)

    def divergence(p: torch.Tensor, q: torch.Tensor) -> torch.Tensor:
        return torch.special.xlogy(p, p / q.where(q > 0, 1)) - p + q

    plan, product = result.plan, a[:, :, None] * b[:, None, :]
    primal = (plan * cost).sum((1, 2)) + 0.1 * divergence(plan, product).sum((1, 2))
    primal += 0.5 * divergence(plan.sum(2), a).sum(1) + 0.5 * divergence(plan.sum(1), b).sum(1)
    dual = regularized_value(cost, a, b, result, epsilon=0.1, rho=0.5)
    items = items_with_mass(problem)
    torch.testing.assert_close(dual[items], primal[items], atol=1e-8, rtol=0)


def test_price_must_be_positive(problem: Problem) -> None:
    with pytest.raises(ValueError, match="rho must be positive, got 0"):
        unbalanced_sinkhorn(*problem, epsilon=0.1, rho=0.0)
