import pytest
import torch

from kivuko.transport import cosine_cost, lexicon_prior, position_cost, squared_euclidean_cost

DTYPES = [torch.float16, torch.bfloat16, torch.float32, torch.float64]


@pytest.mark.parametrize("dtype", DTYPES)
def test_costs_are_computed_at_least_in_float32(generator: torch.Generator, dtype: torch.dtype) -> None:
    source, target = (torch.randn(2, n, 16, generator=generator).to(dtype) for n in (3, 5))
    at_least = torch.promote_types(dtype, torch.float32)
    unit_source, unit_target = (torch.nn.functional.normalize(x.double(), dim=-1) for x in (source, target))
    cosine = cosine_cost(source, target)
    assert cosine.dtype == at_least
    torch.testing.assert_close(cosine.double(), 1 - unit_source @ unit_target.mT, atol=1e-6, rtol=0)
    euclidean = squared_euclidean_cost(source, target)
    assert euclidean.dtype == at_least
    expected = (source.double()[:, :, None] - target.double()[:, None]).square().sum(-1)
    torch.testing.assert_close(euclidean.double(), expected, atol=1e-4, rtol=1e-5)


def test_autocast_does_not_coarsen_the_cost(generator: torch.Generator) -> None:
    tokens = torch.randn(2, 7, 16, generator=generator)
    with torch.autocast("cpu", torch.bfloat16):
        coarse = cosine_cost(tokens, tokens)
    torch.testing.assert_close(coarse, cosine_cost(tokens, tokens), atol=0, rtol=0)


def test_a_zero_vector_has_distance_one_and_no_nan_in_the_gradient() -> None:
    tokens = torch.zeros(1, 2, 4).requires_grad_()
    cost = cosine_cost(tokens, torch.ones(1, 3, 4))
    torch.testing.assert_close(cost, torch.ones(1, 2, 3))
    (gradient,) = torch.autograd.grad((cost * torch.zeros(1, 2, 3)).sum(), tokens)
    assert gradient.isfinite().all()


@pytest.mark.parametrize("dtype", DTYPES)
def test_an_embedding_of_zero_has_distance_one_and_no_gradient(dtype: torch.dtype) -> None:
    tokens = torch.tensor([[[0.0, 0.0], [3.0, 4.0]]], dtype=dtype, requires_grad=True)
    cost = cosine_cost(tokens, torch.ones(1, 3, 2, dtype=dtype))
    assert cost[0, 0].eq(1).all()
    (gradient,) = torch.autograd.grad(cost.sum(), tokens)
    assert not gradient[0, 0].any()
    assert 0 < gradient[0, 1].abs().max() < 1


def test_an_embedding_that_is_nan_stays_so() -> None:
    assert cosine_cost(torch.full((1, 1, 2), torch.nan), torch.ones(1, 3, 2)).isnan().all()


@pytest.mark.parametrize("length", [1e-10, 1.0, 1e10])
def test_the_length_of_an_embedding_does_not_matter(generator: torch.Generator, length: float) -> None:
    tokens = torch.randn(1, 3, 8, generator=generator)
    torch.testing.assert_close(cosine_cost(length * tokens, tokens), cosine_cost(tokens, tokens), atol=1e-6, rtol=0)


def test_gradient_of_the_cosine_cost_agrees_with_finite_differences(generator: torch.Generator) -> None:
    source, target = (torch.randn(1, n, 4, generator=generator, dtype=torch.float64).requires_grad_() for n in (2, 3))
    assert torch.autograd.gradcheck(cosine_cost, (source, target))


def test_positions_count_only_the_tokens_that_take_part() -> None:
    source = torch.tensor([[False, True, False, True]])
    cost = position_cost(source, torch.ones(1, 2, dtype=torch.bool))
    torch.testing.assert_close(cost[0, [1, 3]], torch.tensor([[0.0, 1.0], [1.0, 0.0]]))


def test_position_of_an_empty_or_one_token_side_is_finite() -> None:
    assert position_cost(torch.zeros(1, 3, dtype=torch.bool), torch.ones(1, 1, dtype=torch.bool)).isfinite().all()


def test_lexicon_is_looked_up_pair_by_pair(generator: torch.Generator) -> None:
    table = torch.rand(20, 30, generator=generator) * (torch.rand(20, 30, generator=generator) < 0.2)
    pairs = table.nonzero()
    order = torch.randperm(len(pairs), generator=generator)
    source = torch.randint(0, 20, (3, 5), generator=generator)
    target = torch.randint(0, 30, (3, 7), generator=generator)
    prior = lexicon_prior(source, target, pairs[order], table[tuple(pairs[order].T)])
    torch.testing.assert_close(prior, table[source[:, :, None], target[:, None, :]])


def test_an_empty_lexicon_knows_nothing() -> None:
    ids = torch.tensor([[1, 2]])
    assert not lexicon_prior(ids, ids, torch.empty(0, 2, dtype=torch.int64), torch.empty(0)).any()


def test_padding_below_zero_is_no_entry_of_the_lexicon() -> None:
    pairs, probability = torch.tensor([[1, 5], [1, 3]]), torch.tensor([0.3, 0.7])
    prior = lexicon_prior(torch.tensor([[1, 2, -1]]), torch.tensor([[3, -3, -1]]), pairs, probability)
    torch.testing.assert_close(prior[0], torch.tensor([[0.7, 0, 0], [0, 0, 0], [0, 0, 0]]))
