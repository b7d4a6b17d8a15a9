import ot
import pytest
import torch

from kivuko.transport import exact_transport, proximal_transport, sinkhorn, solve_transport

from .conftest import Problem, dense, items_with_mass


@pytest.mark.parametrize("epsilon", [0.05, 0.1, 0.5])
def test_value_tends_to_the_exact_cost_whatever_epsilon_is(problem: Problem, epsilon: float) -> None:
    result = proximal_transport(*problem, epsilon=epsilon, steps=2000)
    for item in items_with_mass(problem):
        C, a, b, *_ = dense(problem, item)
        exact = float(ot.emd2(a.numpy(), b.numpy(), C.numpy()))
        assert float(result.value[item]) == pytest.approx(exact, abs=3e-3)


def test_it_is_sharper_than_sinkhorn_with_the_same_epsilon(problem: Problem) -> None:
    items = items_with_mass(problem)[:-1]
    sharp, blurred = proximal_transport(*problem, epsilon=0.1), sinkhorn(*problem, epsilon=0.1)
    assert (sharp.value[items] < blurred.value[items]).all()


def test_marginals_hold_within_the_reported_error(problem: Problem) -> None:
    result = proximal_transport(*problem, epsilon=0.1, steps=500, tolerance=1e-2)
    measured = (result.plan.sum(2) - problem.a).abs().sum(1) + (result.plan.sum(1) - problem.b).abs().sum(1)
    torch.testing.assert_close(measured[:5], result.error[:5], atol=1e-6, rtol=0)
    assert result.converged.all()


def test_what_has_no_mass_is_not_read_and_gives_zero(problem: Problem) -> None:
    outside = (problem.a[:, :, None] <= 0) | (problem.b[:, None, :] <= 0)
    cost = problem.cost.masked_fill(outside, torch.nan).requires_grad_()
    result = proximal_transport(cost, problem.a, problem.b)
    assert not result.value[5:7].any()
    (gradient,) = torch.autograd.grad(result.value.sum(), cost)
    torch.testing.assert_close(gradient, result.plan, atol=0, rtol=0)
    assert gradient.isfinite().all()


def test_steps_must_be_positive(problem: Problem) -> None:
    with pytest.raises(ValueError, match="steps must be positive, got 0"):
        proximal_transport(*problem, steps=0)


def test_the_unit_of_the_cost_does_not_matter(problem: Problem) -> None:
    plan = proximal_transport(*problem).plan
    for unit in (1e-3, 1e3):
        torch.testing.assert_close(proximal_transport(problem.cost * unit, problem.a, problem.b).plan, plan)


def test_costs_far_from_one_are_solved(problem: Problem) -> None:
    cost = 700 + 1500 * problem.cost
    exact = exact_transport(cost, problem.a, problem.b).value
    solved = solve_transport(cost, problem.a, problem.b, epsilon=0.0, method="proximal")
    assert solved.error.max() < 2e-2
    torch.testing.assert_close(solved.value, exact, rtol=2e-2, atol=0)


def test_potentials_are_those_of_the_plan_that_all_steps_make(problem: Problem) -> None:
    epsilon, steps = 0.2, 50
    result = proximal_transport(*problem, epsilon=epsilon, steps=steps)
    shares = epsilon / steps
    plan = ((result.f[:, :, None] + result.g[:, None, :] - problem.cost) / shares).exp()
    inside = (problem.a[:, :, None] > 0) & (problem.b[:, None, :] > 0)
    torch.testing.assert_close(plan.where(inside, 0), result.plan, atol=1e-4, rtol=0)
    assert not result.f[problem.a <= 0].any()
    assert not result.g[problem.b <= 0].any()
