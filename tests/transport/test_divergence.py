import pytest
import torch

from kivuko.transport import cosine_cost, regularized_value, sinkhorn, sinkhorn_divergence, uniform_marginal

from .conftest import Problem, items_with_mass


def sides(generator: torch.Generator, tokens: int = 6) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.randn(3, tokens, 8, generator=generator, dtype=torch.float64), torch.full(
        (3, tokens), 1 / tokens, dtype=torch.float64
    )


def divergence(source: torch.Tensor, target: torch.Tensor, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    return sinkhorn_divergence(
        cosine_cost(source, target),
        cosine_cost(source, source),
        cosine_cost(target, target),
        a,
        b,
        epsilon=0.5,
        tolerance=1e-9,
        max_iterations=10_000,
    )


def test_dual_value_is_the_primal_objective(problem: Problem) -> None:
    cost, a, b = (tensor.double() for tensor in problem)
    a, b = (m / m.sum(-1, keepdim=True).clamp(min=1e-6) for m in (a, b))
    result = sinkhorn(cost, a, b, epsilon=0.1, tolerance=1e-10, max_iterations=10_000)
    product = (a[:, :, None] * b[:, None, :]).clamp(min=1e-300)
    entropy = torch.special.xlogy(result.plan, result.plan / product).sum((1, 2))
    torch.testing.assert_close(
        regularized_value(cost, a, b, result, epsilon=0.1), result.value + 0.1 * entropy, atol=1e-8, rtol=0
    )


def test_divergence_vanishes_where_both_sides_agree(generator: torch.Generator) -> None:
    tokens, mass = sides(generator)
    shuffled = tokens[:, torch.randperm(6, generator=generator)]
    torch.testing.assert_close(divergence(tokens, shuffled, mass, mass), torch.zeros(3).double(), atol=1e-7, rtol=0)


def test_divergence_is_positive_and_symmetric(generator: torch.Generator) -> None:
    (source, a), (target, b) = sides(generator), sides(generator, 4)
    forth, back = divergence(source, target, a, b), divergence(target, source, b, a)
    assert (forth > 0.01).all()
    torch.testing.assert_close(forth, back, atol=1e-7, rtol=0)


def test_equal_sides_are_a_minimum_where_plain_transport_has_a_slope(generator: torch.Generator) -> None:
    tokens, mass = sides(generator)
    student = tokens.clone().requires_grad_()
    (debiased,) = torch.autograd.grad(divergence(student, tokens, mass, mass).sum(), student)
    plain = sinkhorn(cosine_cost(student, tokens), mass, mass, epsilon=0.5, tolerance=1e-9)
    (biased,) = torch.autograd.grad(plain.value.sum(), student)
    assert debiased.abs().max() < 1e-7
    assert biased.abs().max() > 1e-4


def test_gradient_agrees_with_finite_differences(generator: torch.Generator) -> None:
    (source, a), (target, b) = sides(generator), sides(generator, 4)
    direction = torch.randn(source.shape, generator=generator, dtype=torch.float64)
    source.requires_grad_()
    (gradient,) = torch.autograd.grad(divergence(source, target, a, b).sum(), source)
    up, down = (divergence(source.detach() + step * direction, target, a, b).sum() for step in (1e-4, -1e-4))
    assert float((up - down) / 2e-4) == pytest.approx(float((gradient * direction).sum()), abs=1e-6)


def test_items_without_mass_on_a_side_contribute_nothing(generator: torch.Generator) -> None:
    source, target = (torch.randn(4, 5, 8, generator=generator).requires_grad_() for _ in range(2))
    mask, other = torch.ones(4, 5, dtype=torch.bool), torch.ones(4, 5, dtype=torch.bool)
    mask[0], other[1], mask[2], other[2] = False, False, False, False
    value = divergence(source, target, uniform_marginal(mask), uniform_marginal(other))
    assert not value[:3].any()
    for gradient in torch.autograd.grad(value.sum(), (source, target)):
        assert gradient.isfinite().all()
        assert not gradient[:3].any()


def test_regularized_value_of_an_item_without_mass_is_zero(problem: Problem) -> None:
    result = sinkhorn(*problem, epsilon=0.1)
    value = regularized_value(*problem, result, epsilon=0.1)
    assert not value[5:7].any()
    assert value[items_with_mass(problem)].all()
