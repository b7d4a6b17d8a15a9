"""How small epsilon has to be for the exact solver to be faster than `sinkhorn`: what `solve_transport` goes by.

    python benchmarks/transport_exact.py

Problems as in `benchmarks/transport.py`, one thread, CPU time, the best of three. Epsilon is given in per mille of the
mean cost between tokens. `sinkhorn` is called as `solve_transport` calls it: to a marginal error of 1e-3, in at most
1000 iterations; `unsolved` says for what part of the problems those do not suffice.
"""

import time
from collections.abc import Callable

import torch

from kivuko.transport import exact_transport, sinkhorn
from transport import SHAPES, embed, make_problem

PER_MILLE = (10, 5, 3, 2, 1, 0.5)


def seconds(run: Callable[[], object]) -> float:
    """Return the least CPU time of three runs, after one that compiles and warms the caches."""
    run()
    times = []
    for _ in range(3):
        start = time.process_time()
        run()
        times.append(time.process_time() - start)
    return min(times)


def main() -> None:
    """Print the table."""
    torch.set_num_threads(1)
    texts = embed()
    print("| tokens | epsilon, per mille of the mean cost | exact, ms | sinkhorn, ms | unsolved | excess % |")
    print("|---|--:|--:|--:|--:|--:|")
    for shape in SHAPES:
        problem = make_problem(texts, *shape)
        masses = problem.a, problem.b
        inside = (problem.a[:, :, None] > 0) & (problem.b[:, None, :] > 0)
        mean = float(problem.cost[inside].mean())
        best = exact_transport(problem.cost, *masses).value
        exact = seconds(lambda: exact_transport(problem.cost, *masses))  # noqa: B023 - called at once
        for share in PER_MILLE:
            epsilon = share / 1000 * mean
            found = sinkhorn(problem.cost, *masses, epsilon=epsilon)
            ours = seconds(lambda: sinkhorn(problem.cost, *masses, epsilon=epsilon))  # noqa: B023 - called at once
            unsolved = 1 - float(found.converged.float().mean())
            excess = 100 * float((found.value / best - 1).mean())
            print(
                f"| {shape[1]}-{shape[2]} | {share:g} | {1e3 * exact:.1f} | {1e3 * ours:.1f} | {unsolved:.0%} "
                f"| {excess:.2f} |"
            )


if __name__ == "__main__":
    main()
