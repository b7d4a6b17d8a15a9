"""Time the fused Triton kernels on a GPU, against eager torch and POT's batched solver, and against the roofline.

    python benchmarks/transport_gpu.py [--json]

Each step goes from embeddings to the value and back to the gradient of one side, as distillation does. Every solver is
held to a marginal error of 1e-3 (L1): ours and eager torch by their tolerance, POT by the loosest tolerance of its own,
in steps of two, that reaches it. `roofline` is the time that reading both sides' embeddings once takes at the memory
bandwidth that a large copy reaches on the same card. `kernel` is our forward kernel alone, one launch after the other;
`forward` adds what Python does and the wait for the check of the masses. `x roofline` is `kernel` in units of
`roofline`, `x torch` and `x POT` how many times as long as our step theirs take. The project's aims are 3, 10 and 20.
Times are medians of CUDA events. No figure of this program has been published yet: it awaits a GPU.
"""

import argparse
import json
import statistics
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib.util import find_spec

import torch
from torch import Tensor

from kivuko.transport import cosine_cost, cosine_transport_value, sinkhorn, uniform_marginal

SHAPES = ((32, 32, 128), (256, 64, 128), (1024, 64, 128), (1024, 64, 768))
EPSILONS = (0.1, 0.05, 0.01)
TOLERANCE = 1e-3


@dataclass(frozen=True)
class Row:
    """One line of the table, times in milliseconds."""

    batch: int
    tokens: int
    dim: int
    dtype: str
    epsilon: float
    kernel: float
    forward: float
    step: float
    torch_step: float
    pot_step: float | None
    roofline: float

    @property
    def ratios(self) -> dict[str, float | None]:
        """How many times as long the others take, and our kernel in units of the roofline."""
        pot = None if self.pot_step is None else self.pot_step / self.step
        return {"x torch": self.torch_step / self.step, "x POT": pot, "x roofline": self.kernel / self.roofline}


def median_ms(run: Callable[[], object], repeats: int = 30) -> float:
    """Time with events, after three runs that compile and warm up."""
    for _ in range(3):
        run()
    times = []
    for _ in range(repeats):
        start, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        start.record()
        run()
        end.record()
        end.synchronize()
        times.append(start.elapsed_time(end))
    return statistics.median(times)


def bandwidth() -> float:
    """Bytes a millisecond that a copy of 1 GiB reads and writes."""
    block = torch.empty(1 << 30, dtype=torch.uint8, device="cuda")
    other = torch.empty_like(block)
    return 2 * len(block) / median_ms(lambda: other.copy_(block))


def make_problem(batch: int, tokens: int, dim: int, dtype: torch.dtype) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Ragged pairs: a permuted and noised copy of each other, of 8 up to the given number of tokens."""
    generator = torch.Generator().manual_seed(0)
    source = torch.randn(batch, tokens, dim, generator=generator)
    lengths = torch.randint(8, tokens + 1, (batch, 1), generator=generator)
    mask = torch.arange(tokens) < lengths
    target = source.flip(1) + 0.7 * torch.randn(source.shape, generator=generator)
    marginals = uniform_marginal(mask).cuda(), uniform_marginal(mask.flip(1)).cuda()
    return source.to("cuda", dtype).requires_grad_(), target.to("cuda", dtype), *marginals


def pot_plan(cost: Tensor, a: Tensor, b: Tensor, epsilon: float, tolerance: float) -> Tensor:
    """Run POT's batched kernel solver, which stops by the L2 error of the worst item."""
    import ot  # noqa: PLC0415

    options = {"max_iter": 20_000, "tol": tolerance, "method": "sinkhorn", "grad": "detach"}
    plan: Tensor = ot.solve_batch(cost.detach(), epsilon, a, b, **options).plan
    return plan


def pot_tolerance(cost: Tensor, a: Tensor, b: Tensor, epsilon: float) -> float | None:
    """Find the loosest that brings all marginals within the goal; none if none does, in float32."""
    for halvings in range(-4, 8):
        tolerance = TOLERANCE * 2.0**-halvings
        plan = pot_plan(cost, a, b, epsilon, tolerance)
        error = (plan.sum(2) - a).abs().sum(1) + (plan.sum(1) - b).abs().sum(1)
        if float(error.max()) <= TOLERANCE:
            return tolerance
    return None


def pot_step_ms(source: Tensor, target: Tensor, a: Tensor, b: Tensor, epsilon: float) -> float | None:
    """Time a step of POT's, with the plan held constant; none where POT is not installed or does not get there."""
    if find_spec("ot") is None:
        return None
    tolerance = pot_tolerance(cosine_cost(source, target), a, b, epsilon)
    if tolerance is None:
        return None

    def step() -> None:
        cost = cosine_cost(source, target)
        (pot_plan(cost, a, b, epsilon, tolerance) * cost).sum().backward()

    return median_ms(step, repeats=5)


def kernel_ms(source: Tensor, target: Tensor, a: Tensor, b: Tensor, options: dict[str, float]) -> float:
    """Time our forward kernel: twenty launches that wait for nothing, so that the card is never idle in between."""
    from kivuko.transport.gpu_fused import launch_forward  # noqa: PLC0415 - triton is not everywhere

    def launch() -> None:
        for _ in range(20):
            launch_forward(source.detach(), target, a, b, **options)  # type: ignore[arg-type]

    return median_ms(launch) / 20


def measure(batch: int, tokens: int, dim: int, dtype: torch.dtype, epsilon: float, bytes_per_ms: float) -> Row:
    """Time everything on one problem."""
    source, target, a, b = make_problem(batch, tokens, dim, dtype)
    options = {"epsilon": epsilon, "tolerance": TOLERANCE, "max_iterations": 20_000}

    def forward() -> Tensor:
        return cosine_transport_value(source, target, a, b, **options)  # type: ignore[arg-type]

    def eager() -> None:
        sinkhorn(cosine_cost(source, target), a, b, **options, backend="torch").value.sum().backward()  # type: ignore[arg-type]

    exact = sinkhorn(cosine_cost(source, target), a, b, **options, backend="torch").value  # type: ignore[arg-type]
    torch.testing.assert_close(forward(), exact, atol=2e-3, rtol=0)
    return Row(
        batch,
        tokens,
        dim,
        str(dtype).removeprefix("torch."),
        epsilon,
        kernel=kernel_ms(source, target, a, b, options),
        forward=median_ms(forward),
        step=median_ms(lambda: forward().sum().backward()),
        torch_step=median_ms(eager, repeats=5),
        pot_step=pot_step_ms(source, target, a, b, epsilon),
        roofline=(source.nbytes + target.nbytes) / bytes_per_ms,
    )


def main() -> None:
    """Parse the command line and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print JSON")
    arguments = parser.parse_args()
    if not torch.cuda.is_available():
        sys.exit("this benchmark needs a CUDA GPU; for the CPU run benchmarks/transport.py")
    bytes_per_ms = bandwidth()
    card = {"gpu": torch.cuda.get_device_name(), "GB/s": round(bytes_per_ms / 1e6), "torch": torch.__version__}
    rows = [
        measure(*shape, dtype, epsilon, bytes_per_ms)
        for shape in SHAPES
        for dtype in (torch.bfloat16, torch.float32)
        for epsilon in EPSILONS
    ]
    table = [{**asdict(row), **row.ratios} for row in rows]
    if arguments.json:
        print(json.dumps({"machine": card, "rows": table}, indent=1))
        return
    print("  ".join(f"{key}: {value}" for key, value in card.items()))
    print("  ".join(f"{title:>10}" for title in table[0]))
    for line in table:
        print("  ".join(f"{cell:10.3g}" if isinstance(cell, float) else f"{cell!s:>10}" for cell in line.values()))


if __name__ == "__main__":
    main()
