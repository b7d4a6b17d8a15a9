"""What was found in parallel text, as tables and as JSON."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from kivuko.data.cleaning import CleaningReport
from kivuko.data.flaws import Reason
from kivuko.data.leakage import Leaks
from kivuko.data.profile import QUANTILES, Profile, SideProfile

_LEAKS = {
    "queries": "queries",
    "documents": "relevant documents",
    "whole": "judged pairs, whole",
    "either": "judged pairs, by either side",
    "training": "training pairs, by either side",
    "english": "training pairs, by their English",
    "translation": "training pairs, by their translation",
}
_FOUND = {
    "exact": "found exactly",
    "same": "only with the same letters and digits",
    "near": "only nearly",
    "within": "only within a longer text or in pieces",
}


def print_leaks(bitext: Path, collection: Path, leaks: Leaks) -> None:
    """Print how many of what leak from a collection into bitext."""
    table = Table(title=escape(f"{bitext} against {collection}"), title_justify="left")
    table.add_column("of the")
    for column in (*_FOUND.values(), "of"):
        table.add_column(column, justify="right")
    for name, label in _LEAKS.items():
        overlap = getattr(leaks, name)
        table.add_row(label, *(f"{getattr(overlap, how):,}" for how in (*_FOUND, "total")))
    Console().print(table)


def leaks_record(
    bitext: Path, collection: Path, leaks: Leaks, left_out: Mapping[str, int], *, split: str
) -> dict[str, Any]:
    """Return the same as JSON has it, and how many records of the bitext were left out for what."""
    names = {"bitext": str(bitext), "against": str(collection), "split": split}
    return names | leaks.record() | {"left_out": dict(left_out)}


def print_stats(bitext: Path, profile: Profile) -> None:
    """Print what parallel text is like."""
    table = Table(title=escape(str(bitext)), title_justify="left")
    table.add_column("")
    for column in ("English", "translation"):
        table.add_column(column, justify="right")
    for label, *values in _stats_rows(profile):
        table.add_row(label, *values)
    Console().print(table)


def stats_record(bitext: Path, profile: Profile) -> dict[str, Any]:
    """Return the same as JSON has it."""
    record = {"bitext": str(bitext)} | profile._asdict() | {"ratio": profile.ratio._asdict()}
    for name in ("english", "translation"):
        side: SideProfile = getattr(profile, name)
        lengths = dict(zip(map(str, QUANTILES), side.lengths, strict=True))
        limit = side.length_limit if math.isfinite(side.length_limit) else None
        record[name] = side._asdict() | {"lengths": lengths, "length_limit": limit}
    return record


def cleaning_page(bitext: Path, report: CleaningReport, *, command: str) -> str:
    """Return one page of Markdown: what was kept, what was rejected and why, and the limits that were learned."""
    learned, total = report.profile, report.kept + report.rejected.total()
    lines = [
        f"# Cleaning of {bitext.name}",
        "",
        f"    {command}",
        "",
        f"{report.kept:,} of {total:,} records are kept ({report.kept / total:.1%}), {report.tidied:,} of them tidied. "
        f"Sides changed by each step of tidying: {_steps(report)}.",
        "",
        "| rejected for | records | share | the first of them |",
        "|---|---:|---:|---|",
    ]
    for reason in Reason:
        if reason in report.rejected:
            example = report.examples[reason]
            shown = f"{example.record.place}: {_short(example.record.english)} / {_short(example.record.translation)}"
            detail = f" ({_short(example.detail)})" if example.detail else ""
            count = report.rejected[reason]
            lines.append(f"| {reason} | {count:,} | {count / total:.1%} | {shown}{detail} |")
    lines += [
        "",
        "## What the pairs are like before",
        "",
        "| | English | translation |",
        "|---|---:|---:|",
        *(f"| {label} | {english} | {translation} |" for label, english, translation in _stats_rows(learned)),
        "",
        f"A translation is {learned.ratio.c:.2f} times as long as its English, with a standard deviation of "
        f"{learned.ratio.s:.2f} times the square root of the length of the English; lengths are in characters.",
    ]
    return "\n".join(lines) + "\n"


def _steps(report: CleaningReport) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in sorted(report.steps.items())) or "none"


def _stats_rows(profile: Profile) -> list[tuple[str, str, str]]:
    sides = (profile.english, profile.translation)
    left_out: list[tuple[str, list[float | str | None]]] = [
        (f"left out: {flaw}", [count, ""]) for flaw, count in profile.left_out.most_common(5)
    ]
    rows: list[tuple[str, Sequence[float | str | None]]] = [
        ("records", [profile.records, ""]),
        *left_out,
        ("sentence pairs", [profile.pairs, ""]),
        ("copies of the English", [profile.copies, ""]),
        ("words", [side.words for side in sides]),
        ("characters", [side.characters for side in sides]),
        *(
            (f"length in characters, quantile {quantile:g}", [round(side.lengths[place]) for side in sides])
            for place, quantile in enumerate(QUANTILES)
        ),
        ("longest that is usual", [side.length_limit for side in sides]),
        ("script", [f"{side.script} {side.script_share:.1%}" for side in sides]),
        ("length of the translation by the English", ["", f"{profile.ratio.c:.2f}"]),
    ]
    if profile.distinct is not None:
        rows += [
            ("pairs that repeat another", [profile.pairs - profile.distinct, ""]),
            ("different texts", [side.distinct for side in sides]),
        ]
    return [(label, _shown(english), _shown(translation)) for label, (english, translation) in rows]


def _shown(value: float | str | None) -> str:
    if isinstance(value, str):
        return value
    return "no limit" if value is None or math.isinf(value) else f"{value:,.0f}"


def _short(text: str) -> str:
    """Return the start of a text as a cell of a Markdown table takes it."""
    folded = " ".join(text.split())
    cut = folded if len(folded) <= 60 else folded[:59] + "…"
    return cut.replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;").replace("`", "'")
