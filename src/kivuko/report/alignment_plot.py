"""A picture of word alignments: the plan as a heat map, its links in frames, as PNG or as a page of HTML."""

import unicodedata
import warnings
from collections.abc import Sequence
from html import escape
from pathlib import Path

from kivuko.errors import ConfigError
from kivuko.evaluation.alignment_methods import AlignedPair
from kivuko.report.figures import require_matplotlib

_INK = "#0072B2"  # blue of Okabe and Ito

_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Word alignment</title>
<style>
body {{ margin: 2rem 1rem; background: #fff; color: #1b1f24; font: 1rem/1.4 system-ui, sans-serif; }}
figure {{ margin: 0 0 2.5rem; overflow-x: auto; }}
table {{ border-collapse: separate; border-spacing: 2px; }}
th {{ font-weight: normal; padding: 0.2rem 0.5rem; white-space: nowrap; }}
th[scope="row"] {{ text-align: end; }}
td {{ min-width: 3rem; height: 2rem; text-align: center; font-size: 0.8rem; border: 2px solid transparent; }}
td.link {{ border-color: #1b1f24; font-weight: bold; }}
td.dark {{ color: #fff; }}
figcaption {{ color: #69707a; font-size: 0.85rem; }}
</style>
</head>
<body>
<h1>Word alignment</h1>
<p>English down, its translation across. The darker a cell, the more mass of the plan it has; framed cells are links,
with their strength.</p>
{figures}
</body>
</html>
"""


def write_alignment_plot(pairs: Sequence[AlignedPair], path: Path) -> None:
    """Draw aligned pairs into a file, as its ending says: `.html` for all of them, `.png` for a single one.

    Raises:
        ConfigError: If the picture cannot be drawn in this format, or the file not be written.
    """
    beside = path.with_name(f".{path.name}.part")
    try:
        if path.suffix == ".html":
            beside.write_text(alignment_page(pairs), encoding="utf-8")
        else:
            _draw(pairs[0], beside)
        beside.replace(path)
    except OSError as error:
        raise ConfigError(f"--plot {path} cannot be written: {error.strerror}.") from None
    finally:
        beside.unlink(missing_ok=True)


def check_alignment_plot(path: Path, *, one: bool) -> None:
    """Refuse what cannot be drawn, before models are loaded.

    Args:
        path: Where the picture is to be.
        one: Whether there is a single pair.

    Raises:
        ConfigError: If the ending is neither `.png` nor `.html`, or is `.png` for many pairs or without matplotlib.
    """
    if path.suffix not in {".png", ".html"}:
        raise ConfigError(f"--plot must end in .png or .html, got {path.name!r}.")
    if not path.parent.is_dir():
        raise ConfigError(f"--plot {path}: there is no directory {path.parent}. Create it.")
    if path.suffix == ".png":
        if not one:
            raise ConfigError("A .png shows one pair: give --plot a name in .html for --pairs.")
        require_matplotlib()


def alignment_page(pairs: Sequence[AlignedPair]) -> str:
    """Return a page of HTML that asks for nothing else, with a heat map for each pair.

    Where the translation is written from right to left, its words run that way across the table, too.
    """
    return _PAGE.format(figures="\n".join(_figure(pair) for pair in pairs))


def is_right_to_left(words: Sequence[str]) -> bool:
    """Say whether more letters of the words are written from right to left than the other way.

    Example:
        >>> is_right_to_left(["طبيب", "2", "Dr"]), is_right_to_left(["daktari", "א"])
        (True, False)
    """
    kinds = [unicodedata.bidirectional(letter) for word in words for letter in word]
    return sum(kind in {"R", "AL"} for kind in kinds) > kinds.count("L")


def _figure(pair: AlignedPair) -> str:
    direction = "rtl" if is_right_to_left(pair.translation) else "ltr"
    largest = float(pair.plan.max()) or 1.0
    strengths = {(link.english, link.translation): link.strength for link in pair.links}
    head = "".join(f'<th scope="col"><bdi>{escape(word)}</bdi></th>' for word in pair.translation)
    rows = []
    for i, word in enumerate(pair.english):
        cells = "".join(
            _cell(float(pair.plan[i, j]) / largest, strengths.get((i, j))) for j in range(len(pair.translation))
        )
        rows.append(f'<tr><th scope="row"><bdi>{escape(word)}</bdi></th>{cells}</tr>')
    return (
        f'<figure><table dir="{direction}">\n<thead><tr><td></td>{head}</tr></thead>\n<tbody>\n'
        + "\n".join(rows)
        + "\n</tbody></table></figure>"
    )


def _cell(share: float, strength: float | None) -> str:
    kinds = " ".join(kind for kind, holds in (("link", strength is not None), ("dark", share > 0.6)) if holds)
    shown = "" if strength is None else f"{strength:.2f}"
    red, green, blue = (round(255 + share * (part - 255)) for part in bytes.fromhex(_INK[1:]))
    return f'<td class="{kinds}" style="background: rgb({red} {green} {blue})">{shown}</td>'


def _draw(pair: AlignedPair, path: Path) -> None:
    from matplotlib.colors import LinearSegmentedColormap  # noqa: PLC0415 - an extra
    from matplotlib.figure import Figure  # noqa: PLC0415
    from matplotlib.patches import Rectangle  # noqa: PLC0415

    if is_right_to_left(pair.english) or is_right_to_left(pair.translation):
        raise ConfigError("A .png cannot show a right-to-left script: give --plot a name in .html.")
    rows, columns = len(pair.english), len(pair.translation)
    colors = LinearSegmentedColormap.from_list("ink", [(0.0, "#ffffff"), (1.0, _INK)])
    figure = Figure(figsize=(1.5 + 0.6 * columns, 1.2 + 0.4 * rows), layout="constrained")
    axes = figure.add_subplot()
    largest = float(pair.plan.max()) or 1.0
    axes.imshow(pair.plan.numpy() / largest, cmap=colors, vmin=0, vmax=1, aspect="auto")
    for i, j, strength in pair.links:
        axes.add_patch(Rectangle((j - 0.48, i - 0.48), 0.96, 0.96, fill=False, edgecolor="black", linewidth=1.5))
        is_dark = float(pair.plan[i, j]) / largest > 0.6
        axes.text(j, i, f"{strength:.2f}", ha="center", va="center", fontsize=8, color="white" if is_dark else "black")
    axes.set_xticks(range(columns), labels=pair.translation, rotation=45, ha="left", rotation_mode="anchor")
    axes.set_yticks(range(rows), labels=pair.english)
    axes.xaxis.tick_top()
    axes.tick_params(length=0)
    for label in (*axes.get_xticklabels(), *axes.get_yticklabels()):
        label.set_parse_math(False)
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message="Glyph")
        try:
            figure.savefig(path, format="png", dpi=150)
        except UserWarning:
            raise ConfigError(
                "The font of the .png lacks letters of these words: give --plot a name in .html, which takes the "
                "fonts of the browser."
            ) from None
