"""What it costs to carry a token of one sentence to a token of another; costs add up by plain addition.

`cosine_cost(s, t) + 0.1 * position_cost(m, n) - 0.2 * lexicon_prior(...)` is a cost with both priors.
"""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

_LEAST_SQUARE = 1e-24  # of the length of an embedding that has a direction


def cosine_cost(
    source: Float[Tensor, "batch source dim"], target: Float[Tensor, "batch target dim"]
) -> Float[Tensor, "batch source target"]:
    """Compute the cosine distance of every pair of tokens, 1 - cos(source_i, target_j), in [0, 2].

    The result is at least float32, whatever the embeddings are and whatever autocast says: a bfloat16 cost is exact to
    0.004 only, which is of the order of a sharp epsilon.

    An embedding of zero, or shorter than 1e-12, has no direction: its distance to all is 1, and no gradient flows into
    it. (The gradient of a cosine is of the order of 1 / length, and would be of 1e12.)

    Args:
        source: Token embeddings, of any length: they are normalized here. Finite, padding too: a NaN that no solver
            reads still meets a gradient of zero on the way back, and makes the other side's NaN.
        target: Token embeddings of the other side, likewise.

    Example:
        >>> cosine_cost(torch.tensor([[[3.0, 0.0]]]), torch.tensor([[[1.0, 0.0], [0.0, 2.0], [-1.0, 0.0]]]))
        tensor([[[0., 1., 2.]]])
    """
    with torch.autocast(source.device.type, enabled=False):
        return 1 - _directions(source) @ _directions(target).mT


def squared_euclidean_cost(
    source: Float[Tensor, "batch source dim"], target: Float[Tensor, "batch target dim"]
) -> Float[Tensor, "batch source target"]:
    """Compute the squared Euclidean distance of every pair of tokens, |source_i - target_j|^2, at least in float32.

    It is |s|^2 + |t|^2 - 2 <s, t>, which loses digits where embeddings are far from the origin and near each other: in
    float32 its error is about 1e-7 of the squared lengths. Subtract a common mean first.

    Args:
        source: Token embeddings; finite, padding too, as for `cosine_cost`.
        target: Token embeddings of the other side, likewise.

    Example:
        >>> squared_euclidean_cost(torch.tensor([[[0.0, 3.0]]]), torch.tensor([[[0.0, 1.0], [4.0, 3.0]]]))
        tensor([[[ 4., 16.]]])
    """
    with torch.autocast(source.device.type, enabled=False):
        source, target = _at_least_float32(source), _at_least_float32(target)
        squares = source.square().sum(-1)[:, :, None] + target.square().sum(-1)[:, None, :]
        return (squares - 2 * source @ target.mT).clamp(min=0)


def position_cost(
    source_mask: Bool[Tensor, "batch source"], target_mask: Bool[Tensor, "batch target"]
) -> Float[Tensor, "batch source target"]:
    """Compute how far apart two tokens stand in their sentences, |i / (n - 1) - j / (m - 1)|, in [0, 1].

    Args:
        source_mask: True for the tokens that are counted; the others have the position of the one before them.
        target_mask: Likewise.

    Example:
        >>> position_cost(torch.ones(1, 2, dtype=torch.bool), torch.ones(1, 3, dtype=torch.bool))
        tensor([[[0.0000, 0.5000, 1.0000],
                 [1.0000, 0.5000, 0.0000]]])
    """

    def positions(mask: Tensor) -> Tensor:
        ordinal = (mask.cumsum(-1) - 1).clamp(min=0)
        return ordinal / ordinal[:, -1:].clamp(min=1)

    return (positions(source_mask)[:, :, None] - positions(target_mask)[:, None, :]).abs()


def lexicon_prior(
    source_ids: Int[Tensor, "batch source"],
    target_ids: Int[Tensor, "batch target"],
    pairs: Int[Tensor, "entries 2"],
    probability: Float[Tensor, " entries"],
) -> Float[Tensor, "batch source target"]:
    """Look up how probable each pair of tokens is as a translation; zero where the lexicon has no entry.

    Args:
        source_ids: Vocabulary ids of the source tokens.
        target_ids: Vocabulary ids of the target tokens.
        pairs: Source and target id of each entry of the lexicon, without repetition.
        probability: Translation probability of each entry.

    Example:
        >>> lexicon = torch.tensor([[7, 2], [7, 4]]), torch.tensor([0.75, 0.25])
        >>> lexicon_prior(torch.tensor([[7, 8]]), torch.tensor([[4, 2, 1]]), *lexicon)
        tensor([[[0.2500, 0.7500, 0.0000],
                 [0.0000, 0.0000, 0.0000]]])
    """
    stride = 1 + max(int(ids.max()) if ids.numel() else 0 for ids in (target_ids, pairs[:, 1]))
    keys, order = (pairs[:, 0] * stride + pairs[:, 1]).sort()
    wanted = source_ids[:, :, None] * stride + target_ids[:, None, :]
    if not len(keys):
        return probability.new_zeros(wanted.shape)
    place = torch.searchsorted(keys, wanted).clamp(max=len(keys) - 1)
    is_id = (source_ids >= 0)[:, :, None] & (target_ids >= 0)[:, None, :]  # padding may be numbered below zero
    return probability[order][place].where((keys[place] == wanted) & is_id, 0)


def _directions(tokens: Tensor) -> Tensor:
    tokens = _at_least_float32(tokens)
    squares = tokens.square().sum(-1, keepdim=True)
    # NaN is not short: it stays, and makes its pairs NaN.
    return (tokens * squares.clamp(min=_LEAST_SQUARE).rsqrt()).masked_fill(squares < _LEAST_SQUARE, 0)


def _at_least_float32(tokens: Tensor) -> Tensor:
    return tokens.to(torch.promote_types(tokens.dtype, torch.float32))
