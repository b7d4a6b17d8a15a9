r"""How much text of a third language `kivuko bitext clean` finds, and what it rejects wrongly for its language.

    python benchmarks/identification.py --bitext lafand/en-sw.tsv \
        --foreign lafand/en-ha.tsv --foreign tatoeba-challenge-test/en-de.tsv

The first --pairs pairs of --bitext are taken for clean. Of each --foreign file --each pairs are drawn with a fixed seed
and put among them. Duplicates are not looked for. The table has, by the length of the translation in characters, how
many foreign pairs are rejected for their language or script, how many for anything, and how many of the clean ones are
rejected for their language; the line below it says how many of these are if there is no foreign pair among them.
"""

import argparse
import random
from collections.abc import Sequence
from itertools import islice, pairwise
from pathlib import Path

from kivuko.data.cleaning import judge, learn
from kivuko.data.flaws import CleaningOptions, Reason
from kivuko.data.readers import BitextFile, Record

BOUNDS = (0, 20, 50, 100, 200, 1_000_000)
OF_LANGUAGE = (Reason.WRONG_LANGUAGE, Reason.WRONG_SCRIPT)


def read(path: Path) -> list[Record]:
    """Read a file without what has a flaw or an empty side."""
    return [record for record in BitextFile(path) if not record.flaw and record.english and record.translation]


def reasons(records: Sequence[Record], deviations: float) -> list[Reason | None]:
    """Return why each record is rejected."""
    options = CleaningOptions(deviations, near=None, repeats=None)
    return [verdict.reason for verdict in judge(records, learn(records), options=options)]


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bitext", type=Path, required=True)
    parser.add_argument("--foreign", type=Path, action="append", required=True)
    parser.add_argument("--pairs", type=int, default=4000)
    parser.add_argument("--each", type=int, default=60)
    parser.add_argument("--deviations", type=float, default=6.0)
    arguments = parser.parse_args()
    clean = list(islice(read(arguments.bitext), arguments.pairs))
    draw = random.Random(0)  # noqa: S311
    foreign = [record for path in arguments.foreign for record in draw.sample(read(path), arguments.each)]
    mixed = [(record, False) for record in clean] + [(record, True) for record in foreign]
    draw.shuffle(mixed)
    found = reasons([record for record, _ in mixed], arguments.deviations)
    alone = sum(reason in OF_LANGUAGE for reason in reasons(clean, arguments.deviations))
    print("| characters | foreign | rejected for language | for anything | clean | wrongly rejected |")
    print("|---|---:|---:|---:|---:|---:|")
    for low, high in [*pairwise(BOUNDS), (0, BOUNDS[-1])]:
        rows = [
            (is_foreign, reason)
            for (record, is_foreign), reason in zip(mixed, found, strict=True)
            if low <= len(record.translation) < high
        ]
        of_foreign = [reason for is_foreign, reason in rows if is_foreign]
        of_clean = [reason for is_foreign, reason in rows if not is_foreign]
        told = sum(reason in OF_LANGUAGE for reason in of_foreign)
        name = f"{low} to {high - 1}" if high < BOUNDS[-1] else f"from {low}" if low else "all"
        print(
            f"| {name} | {len(of_foreign)} | {told} | {sum(reason is not None for reason in of_foreign)} "
            f"| {len(of_clean)} | {sum(reason in OF_LANGUAGE for reason in of_clean)} |"
        )
    print(f"\nOf the clean pairs alone {alone} of {len(clean):,} are rejected for their language.")


if __name__ == "__main__":
    main()
