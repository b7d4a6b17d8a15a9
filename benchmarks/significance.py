"""How often the tests err where the truth is known: false alarms under a true null, coverage of the intervals.

    python benchmarks/significance.py

Values are drawn from Beta(0.4, 1.6), skewed as measures of retrieval are, with mean 0.2.
"""

import argparse
from typing import Literal

import numpy as np

from kivuko.evaluation.bootstrap import bootstrap_interval
from kivuko.evaluation.significance import randomization_test, t_test

_SHAPE = (0.4, 1.6)
_MEAN = _SHAPE[0] / sum(_SHAPE)


def false_alarms(trials: int, queries: int, *, level: float, seed: int) -> dict[str, float]:
    """Return the share of trials in which two systems of the same distribution are found to differ."""
    generator = np.random.default_rng(seed)
    rejected = {"randomization test": 0, "t test": 0}
    for trial in range(trials):
        first, second = generator.beta(*_SHAPE, size=(2, queries))
        rejected["randomization test"] += randomization_test(first - second, seed=trial).p_value < level
        rejected["t test"] += t_test(first - second).p_value < level
    return {name: count / trials for name, count in rejected.items()}


def coverage(trials: int, queries: int, *, seed: int) -> dict[Literal["BCa", "percentile"], float]:
    """Return the share of trials in which a 95% interval of the mean holds the true mean."""
    generator = np.random.default_rng(seed)
    held: dict[Literal["BCa", "percentile"], int] = {"BCa": 0, "percentile": 0}
    for trial in range(trials):
        values = generator.beta(*_SHAPE, size=queries)
        for name in held:
            low, high = bootstrap_interval(values, method=name, seed=trial)
            held[name] += low <= _MEAN <= high
    return {name: count / trials for name, count in held.items()}


def main() -> None:
    """Print all shares, each with the standard error of its simulation."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=2_000)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    alarms = false_alarms(given.trials, 30, level=0.05, seed=given.seed)
    covered = coverage(given.trials, 50, seed=given.seed)
    for title, shares in (
        ("rejected under a true null, 30 queries, level 5%", alarms),
        ("95% intervals that hold the mean, 50 queries", covered),
    ):
        for name, share in shares.items():
            error = (share * (1 - share) / given.trials) ** 0.5
            print(f"{title}: {name} {share:.1%} ± {error:.1%}")


if __name__ == "__main__":
    main()
