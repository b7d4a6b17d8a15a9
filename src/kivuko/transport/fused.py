"""From embeddings to the loss in one step, for who does not need the plan."""

import math

from jaxtyping import Float
from torch import Tensor

from kivuko.transport.cost import cosine_cost
from kivuko.transport.scaling import Backend, check_problem, runs_triton
from kivuko.transport.sinkhorn import sinkhorn


def cosine_transport_value(
    source: Float[Tensor, "batch source dim"],
    target: Float[Tensor, "batch target dim"],
    a: Float[Tensor, "batch source"],
    b: Float[Tensor, "batch target"],
    *,
    epsilon: float,
    tolerance: float = 1e-3,
    max_iterations: int = 1000,
    backend: Backend = "auto",
) -> Float[Tensor, " batch"]:
    """Compute <P, C> of the balanced entropic plan of the cosine cost, with the plan held constant.

    It is `sinkhorn(cosine_cost(source, target), a, b, ...).value`. On a GPU with Triton, up to 64 tokens a
    side (128 in bfloat16), one kernel goes from the embeddings to the value and another from its gradient to theirs;
    neither the cost nor the plan is ever in memory.

    Args:
        source: Token embeddings, of any length; float32 or half precision. Those without mass are not read.
        target: Token embeddings of the other side, of the same precision.
        a: Source marginal. Non-negative; sums to 1. Where it is zero throughout, the value is zero.
        b: Target marginal, likewise.
        epsilon: Regularization strength, in the unit of the cosine distance. Positive.
        tolerance: Largest L1 error of the marginals at which an item is done.
        max_iterations: Bound on the iterations of each item.
        backend: As in `sinkhorn`.

    Raises:
        ValueError: As `sinkhorn`.

    Example:
        >>> import torch
        >>> tokens, half = torch.eye(2)[None], torch.tensor([[0.5, 0.5]])
        >>> cosine_transport_value(tokens, tokens.flip(1), half, half, epsilon=0.05).round(decimals=3)
        tensor([0.])
    """
    if source.shape[::2] != target.shape[::2]:
        raise ValueError(
            f"source and target must agree in batch and dim; got {tuple(source.shape)} and {tuple(target.shape)}."
        )
    check_problem(
        (len(source), source.shape[1], target.shape[1]),
        a,
        b,
        epsilon=epsilon,
        rho=math.inf,
        tolerance=tolerance,
        max_iterations=max_iterations,
    )
    if (backend == "triton" or (backend == "auto" and source.device.type == "cuda")) and runs_triton(source):
        from kivuko.transport.gpu_fused import fits, fused_value  # noqa: PLC0415 - triton is not everywhere

        if fits(source, target):
            return fused_value(
                source, target, a, b, epsilon=epsilon, tolerance=tolerance, max_iterations=max_iterations
            )
    # What has no mass is not read: a NaN there would come back in the gradients of all that it is multiplied with.
    source, target = source.where((a > 0)[..., None], 0), target.where((b > 0)[..., None], 0)
    return sinkhorn(
        cosine_cost(source, target),
        a,
        b,
        epsilon=epsilon,
        tolerance=tolerance,
        max_iterations=max_iterations,
        backend=backend,
    ).value
