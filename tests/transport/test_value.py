import torch

from kivuko.transport import cosine_cost, sinkhorn, transport_value, uniform_marginal

from .conftest import Problem


def test_value_is_the_frobenius_product_and_its_gradient_the_plan(problem: Problem) -> None:
    plan = sinkhorn(*problem, epsilon=0.1).plan
    cost = problem.cost.requires_grad_()
    value = transport_value(cost, plan)
    torch.testing.assert_close(value, (cost * plan).sum((1, 2)))
    weights = torch.arange(8.0)
    (gradient,) = torch.autograd.grad((weights * value).sum(), cost)
    torch.testing.assert_close(gradient, weights[:, None, None] * plan)


def test_no_gradient_passes_through_the_plan(problem: Problem) -> None:
    plan = torch.full_like(problem.cost, 0.1).requires_grad_()
    assert not transport_value(problem.cost, plan).requires_grad


def test_loss_over_embeddings_agrees_with_finite_differences_of_a_held_plan(generator: torch.Generator) -> None:
    source = torch.randn(2, 4, 6, generator=generator, dtype=torch.float64)
    target = torch.randn(2, 5, 6, generator=generator, dtype=torch.float64)
    mask = torch.ones(2, 5, dtype=torch.bool)
    plan = sinkhorn(
        cosine_cost(source, target),
        uniform_marginal(mask[:, :4]).double(),
        uniform_marginal(mask).double(),
        epsilon=0.05,
        tolerance=1e-8,
    ).plan
    assert torch.autograd.gradcheck(lambda s: transport_value(cosine_cost(s, target), plan), source.requires_grad_())
