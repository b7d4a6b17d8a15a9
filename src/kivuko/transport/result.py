"""What every solver of this package returns."""

from typing import NamedTuple

from jaxtyping import Bool, Float, Int
from torch import Tensor


class TransportResult(NamedTuple):
    """A batch of solved transport problems.

    Only `value` carries a gradient, and through the cost alone: the plan is held constant (see `transport_value`).

    Attributes:
        plan: Transport plan P; zero wherever the source or the target token has no mass.
        value: Transport cost <P, C>.
        f: Source potential, zero where there is no mass.
        g: Target potential, likewise.
        iterations: Iterations that each problem took.
        error: L1 distance of the plan's marginals from the demanded ones.
        converged: Whether `error` is within the tolerance.
    """

    plan: Float[Tensor, "batch source target"]
    value: Float[Tensor, " batch"]
    f: Float[Tensor, "batch source"]
    g: Float[Tensor, "batch target"]
    iterations: Int[Tensor, " batch"]
    error: Float[Tensor, " batch"]
    converged: Bool[Tensor, " batch"]
