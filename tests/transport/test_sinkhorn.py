import math
import warnings

import ot
import pytest
import torch

from kivuko.transport import Backend, sinkhorn

from .conftest import Problem, dense, items_with_mass

BACKENDS: list[Backend] = ["torch", "compiled"]


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("epsilon", [0.5, 0.1, 0.05, 0.01])
def test_plan_is_the_one_of_pot(problem: Problem, backend: Backend, epsilon: float) -> None:
    result = sinkhorn(*problem, epsilon=epsilon, tolerance=2e-6, max_iterations=20_000, backend=backend)
    for item in items_with_mass(problem):
        C, a, b, rows, columns = dense(problem, item)
        expected = ot.sinkhorn(a, b, C, epsilon, method="sinkhorn_log", stopThr=1e-10, numItermax=200_000)
        torch.testing.assert_close(result.plan[item, rows[:, None], columns].double(), expected, atol=2e-5, rtol=0)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("epsilon", [0.5, 0.05, 0.01])
def test_value_lies_between_the_exact_cost_and_the_exact_cost_plus_entropy(
    problem: Problem, backend: Backend, epsilon: float
) -> None:
    result = sinkhorn(*problem, epsilon=epsilon, tolerance=1e-5, max_iterations=20_000, backend=backend)
    for item in items_with_mass(problem):
        C, a, b, *_ = dense(problem, item)
        exact = float(ot.emd2(a.numpy(), b.numpy(), C.numpy()))
        entropy = min(float(-(p * p.log()).sum()) for p in (a, b))
        rounding = (float(result.error[item]) + torch.finfo(result.value.dtype).eps) * float(C.max())
        assert exact - rounding <= float(result.value[item]) <= exact + epsilon * entropy + rounding


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("tolerance", [1e-1, 1e-3, 1e-5])
def test_error_is_the_distance_of_the_marginals_and_within_the_tolerance(
    problem: Problem, backend: Backend, tolerance: float
) -> None:
    result = sinkhorn(*problem, epsilon=0.05, tolerance=tolerance, backend=backend)
    measured = (result.plan.sum(2) - problem.a).abs().sum(1) + (result.plan.sum(1) - problem.b).abs().sum(1)
    for item in items_with_mass(problem):
        torch.testing.assert_close(result.error[item], measured[item], atol=1e-6, rtol=1e-2)
    assert (result.error <= tolerance).all()
    assert result.converged.all()


@pytest.mark.parametrize("backend", BACKENDS)
def test_plan_is_that_of_the_potentials(problem: Problem, backend: Backend) -> None:
    result = sinkhorn(*problem, epsilon=0.1, tolerance=1e-6, backend=backend)
    exponent = (result.f[:, :, None] + result.g[:, None, :] - problem.cost) / 0.1
    product = problem.a[:, :, None] * problem.b[:, None, :]
    torch.testing.assert_close(result.plan, product * exponent.exp(), atol=1e-6, rtol=1e-4)


def test_backends_agree_on_every_field(problem: Problem) -> None:
    plain, fast = (sinkhorn(*problem, epsilon=0.05, tolerance=1e-6, backend=backend) for backend in BACKENDS)
    for name in ("plan", "value", "f", "g"):
        torch.testing.assert_close(getattr(fast, name), getattr(plain, name), atol=2e-5, rtol=0, msg=name)


@pytest.mark.parametrize("backend", BACKENDS)
def test_what_has_no_mass_is_not_read(problem: Problem, backend: Backend) -> None:
    clean = sinkhorn(*problem, epsilon=0.05, backend=backend)
    outside = (problem.a[:, :, None] <= 0) | (problem.b[:, None, :] <= 0)
    cost = problem.cost.masked_fill(outside, math.nan).requires_grad_()
    dirty = sinkhorn(cost, problem.a, problem.b, epsilon=0.05, backend=backend)
    torch.testing.assert_close(dirty.plan, clean.plan, atol=0, rtol=0)
    torch.testing.assert_close(dirty.value, clean.value, atol=0, rtol=0)
    (gradient,) = torch.autograd.grad(dirty.value.sum(), cost)
    torch.testing.assert_close(gradient, clean.plan, atol=0, rtol=0)


@pytest.mark.parametrize("backend", BACKENDS)
def test_item_without_mass_on_a_side_has_a_zero_plan_and_value(problem: Problem, backend: Backend) -> None:
    result = sinkhorn(*problem, epsilon=0.05, backend=backend)
    assert not result.plan[5:7].any()
    assert not result.value[5:7].any()
    assert not result.f[5:7].any()
    assert not result.error[5:7].any()
    assert result.converged[5:7].all()


@pytest.mark.parametrize("backend", BACKENDS)
def test_one_source_token_gives_to_all_targets_what_they_may_take(problem: Problem, backend: Backend) -> None:
    result = sinkhorn(*problem, epsilon=0.01, backend=backend)
    torch.testing.assert_close(result.plan[7, 4], problem.b[7], atol=1e-6, rtol=0)
    torch.testing.assert_close(result.value[7], (problem.b[7] * problem.cost[7, 4]).sum())


@pytest.mark.parametrize("backend", BACKENDS)
def test_no_items_no_tokens_no_trouble(backend: Backend) -> None:
    assert sinkhorn(
        torch.ones(0, 3, 4), torch.ones(0, 3), torch.ones(0, 4), epsilon=1.0, backend=backend
    ).value.shape == (0,)
    empty = sinkhorn(torch.ones(2, 0, 4), torch.ones(2, 0), torch.ones(2, 4) / 4, epsilon=1.0, backend=backend)
    assert empty.plan.shape == (2, 0, 4)
    assert not empty.value.any()


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("epsilon", [1e-2, 1e-3, 1e-4])
def test_sharp_epsilon_and_wide_costs_stay_finite(generator: torch.Generator, backend: Backend, epsilon: float) -> None:
    cost = 10 * torch.rand(4, 20, 30, generator=generator)
    a, b = torch.full((4, 20), 1 / 20), torch.full((4, 30), 1 / 30)
    result = sinkhorn(cost, a, b, epsilon=epsilon, max_iterations=200, backend=backend)
    for name in ("plan", "value", "f", "g", "error"):
        assert getattr(result, name).isfinite().all(), name


@pytest.mark.parametrize("backend", BACKENDS)
def test_very_uneven_masses_converge(generator: torch.Generator, backend: Backend) -> None:
    cost = torch.rand(4, 20, 30, generator=generator)
    a, b = torch.rand(4, 20, generator=generator) ** 12, torch.rand(4, 30, generator=generator) ** 12
    a, b = a / a.sum(1, keepdim=True), b / b.sum(1, keepdim=True)
    assert sinkhorn(cost, a, b, epsilon=0.02, tolerance=1e-4, max_iterations=5000, backend=backend).converged.all()


@pytest.mark.parametrize("backend", BACKENDS)
def test_nan_where_there_is_mass_is_nan_in_that_item_alone(problem: Problem, backend: Backend) -> None:
    clean = sinkhorn(*problem, epsilon=0.05, backend=backend)
    cost = problem.cost.clone()
    cost[1, 0, 1] = math.nan
    value = sinkhorn(cost, problem.a, problem.b, epsilon=0.05, backend=backend).value
    assert value[1].isnan()
    others = torch.arange(8) != 1
    torch.testing.assert_close(value[others], clean.value[others], atol=0, rtol=0)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_half_precision_is_raised_to_float32(problem: Problem, dtype: torch.dtype) -> None:
    cost = problem.cost.to(dtype).requires_grad_()
    result = sinkhorn(cost, problem.a, problem.b, epsilon=0.01)
    assert result.plan.dtype == result.value.dtype == torch.float32
    expected = sinkhorn(cost.detach().float(), problem.a, problem.b, epsilon=0.01)
    torch.testing.assert_close(result.value, expected.value, atol=0, rtol=0)
    (gradient,) = torch.autograd.grad(result.value.sum(), cost)
    torch.testing.assert_close(gradient, expected.plan.to(dtype), atol=0, rtol=0)


def test_float64_is_solved_in_float64(problem: Problem) -> None:
    a, b = (m.double() / m.double().sum(-1, keepdim=True).clamp(min=1e-6) for m in problem[1:])
    result = sinkhorn(problem.cost.double(), a, b, epsilon=0.1, tolerance=1e-12)
    assert result.plan.dtype == torch.float64
    assert result.converged.all()


@pytest.mark.parametrize("backend", BACKENDS)
def test_too_few_iterations_are_confessed(problem: Problem, backend: Backend) -> None:
    result = sinkhorn(*problem, epsilon=0.01, tolerance=1e-6, max_iterations=3, backend=backend)
    assert not result.converged[items_with_mass(problem)[0]]
    assert (result.iterations <= 3).all()
    torch.testing.assert_close(result.plan[0].sum(0), problem.b[0], atol=1e-5, rtol=0)


def test_plan_carries_no_gradient_and_the_value_does(problem: Problem) -> None:
    result = sinkhorn(problem.cost.requires_grad_(), problem.a, problem.b, epsilon=0.1)
    assert result.value.requires_grad
    assert not result.plan.requires_grad
    assert not result.f.requires_grad


@pytest.mark.parametrize("backend", BACKENDS)
def test_masses_that_differ_are_refused(problem: Problem, backend: Backend) -> None:
    with pytest.raises(ValueError, match="same mass"):
        sinkhorn(problem.cost, problem.a, 1.1 * problem.b, epsilon=0.1, backend=backend)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"epsilon": 0.0}, "epsilon must be positive, got 0.0"),
        ({"epsilon": math.nan}, "epsilon must be positive, got nan"),
        ({"epsilon": 0.1, "tolerance": 0.0}, "tolerance must be positive"),
        ({"epsilon": 0.1, "max_iterations": 0}, "max_iterations must be positive"),
    ],
)
def test_options_out_of_range_are_refused(problem: Problem, options: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        sinkhorn(*problem, **options)  # type: ignore[arg-type]


def test_float64_is_refused_by_the_compiled_backend(problem: Problem) -> None:
    with pytest.raises(ValueError, match="float32"):
        sinkhorn(*(tensor.double() for tensor in problem), epsilon=0.1, backend="compiled")


def test_no_warning_reaches_the_user(problem: Problem) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        sinkhorn(*problem, epsilon=0.1)
