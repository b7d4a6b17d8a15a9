"""How much mass each token has to give, or may take. A marginal sums to one, or to zero where nothing takes part."""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor


def uniform_marginal(
    mask: Bool[Tensor, "batch tokens"], *, dtype: torch.dtype = torch.float32
) -> Float[Tensor, "batch tokens"]:
    """Share a mass of one equally among the tokens that take part.

    Args:
        mask: True for a token that takes part. A row that is False throughout gets no mass at all.
        dtype: Precision; that of the cost, for a problem that is solved in float64.

    Example:
        >>> uniform_marginal(torch.tensor([[True, True, False], [False, False, False]]))
        tensor([[0.5000, 0.5000, 0.0000],
                [0.0000, 0.0000, 0.0000]])
    """
    return mask.to(dtype) / mask.sum(-1, keepdim=True).clamp(min=1)


def weighted_marginal(
    weights: Float[Tensor, "batch tokens"], mask: Bool[Tensor, "batch tokens"]
) -> Float[Tensor, "batch tokens"]:
    """Share a mass of one among the tokens that take part, in proportion to their weights, at least in float32.

    Args:
        weights: Non-negative weights. Where all of those that take part are zero, there is no mass at all.
        mask: True for a token that takes part.

    Example:
        >>> weighted_marginal(torch.tensor([[3.0, 1.0, 9.0]]), torch.tensor([[True, True, False]]))
        tensor([[0.7500, 0.2500, 0.0000]])
    """
    weights = weights.to(torch.promote_types(weights.dtype, torch.float32)).where(mask, 0)
    total = weights.sum(-1, keepdim=True)
    return weights / total.where(total > 0, 1)


def word_marginal(
    words: Int[Tensor, "batch tokens"], mask: Bool[Tensor, "batch tokens"]
) -> Float[Tensor, "batch tokens"]:
    """Share a mass of one equally among the words, and a word's mass equally among its pieces.

    A language that the tokenizer cuts into crumbs is thus not overweighted, nor is a rare word.

    Args:
        words: Which word of its sentence each token belongs to, from 0; masked tokens may have any number.
        mask: True for a token that takes part.

    Example:
        >>> word_marginal(torch.tensor([[-1, 0, 1, 1]]), torch.tensor([[False, True, True, True]]))
        tensor([[0.0000, 0.5000, 0.2500, 0.2500]])
    """
    same_word = (words[:, :, None] == words[:, None, :]) & mask[:, None, :]
    return weighted_marginal(1 / same_word.sum(-1).clamp(min=1), mask)


def norm_marginal(
    embeddings: Float[Tensor, "batch tokens dim"], mask: Bool[Tensor, "batch tokens"]
) -> Float[Tensor, "batch tokens"]:
    """Share a mass of one in proportion to the length of the embeddings, as word rotator's distance does.

    Args:
        embeddings: Token embeddings before they are normalized. No gradient passes.
        mask: True for a token that takes part.

    Example:
        >>> norm_marginal(torch.tensor([[[3.0, 4.0], [0.0, 5.0]]]), torch.tensor([[True, True]]))
        tensor([[0.5000, 0.5000]])

    References:
        Yokoi, Takahashi, Akama, Suzuki and Inui, "Word Rotator's Distance", EMNLP 2020.
        https://arxiv.org/abs/2004.15003
    """
    embeddings = embeddings.detach().to(torch.promote_types(embeddings.dtype, torch.float32))
    return weighted_marginal(embeddings.norm(dim=-1), mask)


def rarity_marginal(
    token_ids: Int[Tensor, "batch tokens"],
    document_frequency: Float[Tensor, " vocabulary"],
    mask: Bool[Tensor, "batch tokens"],
    *,
    documents: int,
) -> Float[Tensor, "batch tokens"]:
    """Share a mass of one in proportion to inverse document frequency, log(1 + documents / (1 + frequency)).

    Args:
        token_ids: Vocabulary ids.
        document_frequency: In how many documents each id of the vocabulary occurs.
        mask: True for a token that takes part.
        documents: How many documents were counted.

    Example:
        >>> frequency = torch.tensor([99.0, 0.0])
        >>> rarity_marginal(torch.tensor([[0, 1]]), frequency, torch.tensor([[True, True]]), documents=100)
        tensor([[0.1306, 0.8694]])
    """
    return weighted_marginal(torch.log1p(documents / (1 + document_frequency))[token_ids], mask)
