"""The plots of a comparison as SVG: measure by language, learning curves, cost against quality.

Text stays text, and takes the color of the page it stands in; the colors are those of Okabe and Ito that can be told
apart by everybody and stand out on white and on black.
"""

import importlib.util
import io
import math
import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from kivuko.errors import ConfigError
from kivuko.experiment.comparison.answer import Answer
from kivuko.experiment.comparison.config import Baseline
from kivuko.report.result_tables import languages_of, means_of, overall_means

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe & Ito, "Color Universal Design", 2008, without black and yellow, which one of the two backgrounds would swallow.
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
LINES = ("-", "--", ":", "-.")

# Stand for the colors of the page; nothing else is drawn in them.
_TEXT, _FAINT = "#123456", "#654321"
_WIDTH = 7.0  # inches
_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "kivuko",
    "font.family": "sans-serif",
    "font.size": 9,
    "axes.titlesize": 10,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": False,
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "legend.fontsize": 9,
    "text.color": _TEXT,
    "axes.labelcolor": _TEXT,
    "axes.titlecolor": _TEXT,
    "axes.edgecolor": _FAINT,
    "xtick.color": _FAINT,
    "ytick.color": _FAINT,
    "xtick.labelcolor": _TEXT,
    "ytick.labelcolor": _TEXT,
    "grid.color": _FAINT,
}


def require_matplotlib() -> None:
    """Check that plots can be drawn; to be asked before hours of work.

    Raises:
        ConfigError: If matplotlib is not installed.
    """
    if importlib.util.find_spec("matplotlib") is None:
        raise ConfigError("The report needs matplotlib for its plots. Install it: pip install 'kivuko[report]'.")


def draw(answer: Answer) -> dict[str, str]:
    """Return the plots that there are figures for, as SVG, by name: `measure`, `curve`, `cost`.

    Text is in the color `var(--text)` and lines in `var(--faint)`, which the page defines, or `standalone`.

    Raises:
        ConfigError: If matplotlib is not installed.
    """
    require_matplotlib()
    import matplotlib  # noqa: PLC0415

    plots: dict[str, Callable[[Answer], Figure]] = {"measure": _measures}
    if answer.curve:
        plots["curve"] = _curves
    if answer.costs and any(overall_means(answer, task.measure) for task in answer.tasks):
        plots["cost"] = _costs
    with matplotlib.rc_context(_STYLE):
        return {name: _svg(plot(answer), name) for name, plot in plots.items()}


def standalone(svg: str) -> str:
    """Return a plot as a file of its own, on white."""
    colors = svg.replace("var(--text)", "#1a1a1a").replace("var(--faint)", "#767676")
    head, rest = colors.split(">", 1)
    return f'{head}>\n<rect width="100%" height="100%" fill="#ffffff"/>{rest}\n'


def _measures(answer: Answer) -> "Figure":
    """Draw a row for each system and a mark with its interval for each language, one panel a task."""
    systems = {task.measure: {system for system, _ in means_of(answer, task.measure)} for task in answer.tasks}
    codes = [language.code for language in answer.config.languages]
    heights = [
        max(1.0, len(names) * (0.12 + 0.1 * len(languages_of(answer, measure)))) for measure, names in systems.items()
    ]
    figure, panels = _panels(heights)
    for panel, task in zip(panels, answer.tasks, strict=True):
        means, languages = means_of(answer, task.measure), languages_of(answer, task.measure)
        names = [system for system in answer.systems if system in systems[task.measure]]
        for place, language in enumerate(codes):
            rows = [row for row, name in enumerate(names) if (name, language) in means]
            found = [means[names[row], language] for row in rows]
            offset = 0.7 * ((languages.index(language) + 0.5) / len(languages) - 0.5) if found else 0.0
            values = [mean.mean for mean in found]
            panel.errorbar(
                values,
                [row + offset for row in rows],
                xerr=[
                    [max(mean.mean - mean.interval.low, 0) for mean in found],
                    [max(mean.interval.high - mean.mean, 0) for mean in found],
                ],
                fmt=MARKERS[place % len(MARKERS)],
                color=COLORS[place % len(COLORS)],
                markersize=4.5,
                elinewidth=1.3,
                label=language,
            )
        for row in range(0, len(names), 2):
            panel.axhspan(row - 0.5, row + 0.5, facecolor=_FAINT, alpha=0.09, edgecolor="none")
        panel.set_yticks(range(len(names)), names)
        panel.set_ylim(len(names) - 0.5, -0.5)
        panel.tick_params(axis="y", length=0)
        panel.grid(axis="x", alpha=0.35)
        panel.set_axisbelow(True)
        panel.set_title(task.measure)
    _legend(figure, panels[0])
    return figure


def _curves(answer: Answer) -> "Figure":
    """Draw a line for each system with its intervals, one panel for each task and language."""
    from matplotlib.figure import Figure  # noqa: PLC0415

    tasks = [task for task in answer.tasks if any(point.measure == task.measure for point in answer.curve)]
    cells = [(task.measure, language) for task in tasks for language in languages_of(answer, task.measure)]
    columns = min(3, len(cells))
    figure = Figure(figsize=(_WIDTH, 2.4 * math.ceil(len(cells) / columns) + 0.8), layout="constrained")
    grid = figure.subplots(math.ceil(len(cells) / columns), columns, squeeze=False)
    sizes = sorted({point.pairs for point in answer.curve})
    names = [name for name in answer.systems if any(point.system == name for point in answer.curve)]
    panels = grid.ravel()
    for panel, (measure, language) in zip(panels, cells, strict=False):
        for place, name in enumerate(names):
            points = sorted(
                (point for point in answer.curve if point[:3] == (name, language, measure)),
                key=lambda point: point.pairs,
            )
            # Beside each other, or the intervals of one size would hide each other.
            beside = 2 ** (0.5 * ((place + 0.5) / len(names) - 0.5))
            panel.errorbar(
                [point.pairs * beside for point in points],
                [point.mean for point in points],
                yerr=[
                    [max(point.mean - point.interval.low, 0) for point in points],
                    [max(point.interval.high - point.mean, 0) for point in points],
                ],
                linestyle=LINES[place // len(COLORS) % len(LINES)],
                marker=MARKERS[place % len(MARKERS)],
                color=COLORS[place % len(COLORS)],
                markersize=4,
                linewidth=1.3,
                elinewidth=0.8,
                label=name,
            )
        panel.set_xscale("log", base=2)
        panel.set_xticks(sizes, [_thousands(size) for size in sizes])
        panel.minorticks_off()
        panel.grid(axis="y", alpha=0.35)
        panel.set_title(f"{language}: {measure}")
    for panel in panels[len(cells) :]:
        panel.remove()
    for panel in panels[max(0, len(cells) - columns) : len(cells)]:
        panel.set_xlabel("sentence pairs")
    _legend(figure, panels[0])
    return figure


def _costs(answer: Answer) -> "Figure":
    """Draw cost against quality, one panel a task, the names at the right, joined to their marks."""
    figure, panels = _panels([max(2.2, 0.24 * (len(answer.costs) + 1))] * len(answer.tasks))
    for panel, task in zip(panels, answer.tasks, strict=True):
        overall = overall_means(answer, task.measure)
        marks = [
            (cost.cpu_minutes, overall[cost.system], cost.system) for cost in answer.costs if cost.system in overall
        ]
        for place, (minutes, mean, _) in enumerate(marks):
            panel.plot(minutes, mean, MARKERS[place % len(MARKERS)], color=COLORS[place % len(COLORS)], markersize=7)
        highest = max((minutes for minutes, _, _ in marks), default=1.0)
        panel.set_xlim(0, highest * 1.08 or 1.0)
        start = str(Baseline.UNTRAINED)
        if start in overall:
            panel.axhline(overall[start], color=_FAINT, linestyle="--", linewidth=1)
            marks.append((highest * 1.08, overall[start], start))
        _names_at_the_right(panel, marks)
        panel.grid(axis="y", alpha=0.35)
        panel.set_axisbelow(True)
        panel.set_title(f"{task.measure}, mean over languages")
    panels[-1].set_xlabel("CPU minutes of training")
    return figure


def _names_at_the_right(panel: "Axes", marks: Sequence[tuple[float, float, str]]) -> None:
    """Write the names beside the panel in the order of their marks, far enough apart to be read."""
    low, high = panel.get_ylim()
    places = spread([(mean - low) / (high - low) for _, mean, _ in sorted(marks, key=lambda mark: mark[1])], 0.085)
    for (minutes, mean, name), place in zip(sorted(marks, key=lambda mark: mark[1]), places, strict=True):
        panel.annotate(
            name,
            (minutes, mean),
            xytext=(1.03, place),
            textcoords="axes fraction",
            va="center",
            annotation_clip=False,
            arrowprops={"arrowstyle": "-", "color": _FAINT, "linewidth": 0.7, "shrinkA": 1, "shrinkB": 4},
        )


def spread(places: Sequence[float], gap: float) -> list[float]:
    """Move places in ascending order so that neighbors are `gap` apart, and each group stays around its middle.

    Example:
        >>> spread([0.1, 0.5, 0.5], 0.2)
        [0.1, 0.4, 0.6]
    """
    # Groups of neighbors that touch, each with the sum of where its members' first would like to be.
    groups: list[list[float]] = []
    for place in places:
        groups.append([place])
        while len(groups) > 1 and _start(groups[-2], gap) + gap * len(groups[-2]) > _start(groups[-1], gap) + 1e-12:
            last = groups.pop()
            groups[-1] += last
    return [round(_start(group, gap) + gap * place, 6) for group in groups for place in range(len(group))]


def _start(group: Sequence[float], gap: float) -> float:
    return sum(group) / len(group) - gap * (len(group) - 1) / 2


def _panels(heights: Sequence[float]) -> tuple["Figure", "Sequence[Axes]"]:
    from matplotlib.figure import Figure  # noqa: PLC0415

    figure = Figure(figsize=(_WIDTH, sum(heights) + 0.6 * len(heights) + 0.4), layout="constrained")
    grid = figure.subplots(len(heights), 1, squeeze=False, height_ratios=heights)
    return figure, list(grid[:, 0])


def _legend(figure: "Figure", panel: "Axes") -> None:
    handles, labels = panel.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=min(len(labels), 5))


def _thousands(count: int) -> str:
    return f"{count / 1000:g}k" if count >= 1000 else str(count)


def _svg(figure: "Figure", name: str) -> str:
    """Return a figure as an element of a page: no prologue, no metadata, ids of its own, colors of the page."""
    buffer = io.StringIO()
    nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
    figure.savefig(buffer, format="svg", transparent=True, metadata=nothing)
    svg = buffer.getvalue()
    svg = svg[svg.index("<svg") :].strip()
    svg = re.sub(r"<metadata>.*?</metadata>\s*", "", svg, flags=re.DOTALL)
    svg = re.sub(r'\b(id=")|(href="#)|(url\(#)', lambda match: f"{match.group()}{name}-", svg)
    svg = svg.replace(_TEXT, "var(--text)").replace(_FAINT, "var(--faint)")
    return re.sub(
        r'(<svg\b[^>]*?) width="[^"]*"', r"\1", re.sub(r'(<svg\b[^>]*?) height="[^"]*"', r"\1", svg, count=1), count=1
    )
