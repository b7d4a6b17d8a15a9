import pytest
import torch
from torch import Tensor

from kivuko.transport import norm_marginal, rarity_marginal, uniform_marginal, weighted_marginal, word_marginal

MASK = torch.tensor([[True, True, False, True], [False, True, True, True], [False, False, False, False]])
WORDS = torch.tensor([[0, 0, 0, 1], [-1, 0, 1, 2], [-1, -1, -1, -1]])


def every_marginal() -> dict[str, Tensor]:
    ids = torch.tensor([[3, 1, 0, 2], [0, 1, 1, 1], [0, 0, 0, 0]])
    return {
        "uniform": uniform_marginal(MASK),
        "weighted": weighted_marginal(torch.rand(3, 4) + 0.1, MASK),
        "word": word_marginal(WORDS, MASK),
        "norm": norm_marginal(torch.randn(3, 4, 8), MASK),
        "rarity": rarity_marginal(ids, torch.tensor([5.0, 0.0, 100.0, 1.0]), MASK, documents=100),
    }


@pytest.mark.parametrize("name", ["uniform", "weighted", "word", "norm", "rarity"])
def test_mass_is_one_on_the_mask_and_nothing_elsewhere(name: str) -> None:
    marginal = every_marginal()[name]
    torch.testing.assert_close(marginal.sum(1), torch.tensor([1.0, 1.0, 0.0]))
    assert ((marginal > 0) == MASK).all()


def test_a_word_has_the_same_mass_however_many_pieces_it_has() -> None:
    expected = torch.tensor([[0.25, 0.25, 0.0, 0.5], [0.0, 1 / 3, 1 / 3, 1 / 3], [0.0, 0.0, 0.0, 0.0]])
    torch.testing.assert_close(word_marginal(WORDS, MASK), expected)


def test_a_masked_piece_takes_nothing_from_its_word() -> None:
    mask = torch.tensor([[True, False, True]])
    torch.testing.assert_close(word_marginal(torch.tensor([[0, 0, 1]]), mask), torch.tensor([[0.5, 0.0, 0.5]]))


def test_a_rare_token_outweighs_a_common_one() -> None:
    marginal = rarity_marginal(torch.tensor([[0, 1]]), torch.tensor([90.0, 2.0]), MASK[:1, :2], documents=100)
    assert marginal[0, 1] > 2 * marginal[0, 0]


def test_weights_of_zero_give_no_mass_and_no_nan() -> None:
    assert not weighted_marginal(torch.zeros(3, 4), MASK).any()


def test_norms_in_bfloat16_sum_to_one_in_float32() -> None:
    marginal = norm_marginal(torch.randn(3, 4, 8).bfloat16().requires_grad_(), MASK)
    assert marginal.dtype == torch.float32
    assert not marginal.requires_grad
    torch.testing.assert_close(marginal.sum(1), torch.tensor([1.0, 1.0, 0.0]))


def test_marginals_are_as_precise_as_what_they_are_made_of() -> None:
    mask = torch.tensor([[True, True, True, False]])
    assert uniform_marginal(mask, dtype=torch.float64)[0, 0] == 1 / 3
    lengths = norm_marginal(torch.rand(1, 4, 3, dtype=torch.float64), mask)
    assert lengths.dtype == torch.float64
    assert norm_marginal(torch.rand(1, 4, 3, dtype=torch.bfloat16), mask).dtype == torch.float32
