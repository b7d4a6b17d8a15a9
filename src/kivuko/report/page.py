"""A report as one HTML page that asks for nothing else: style and plots within, no script, light and dark."""

from collections.abc import Iterator, Mapping
from html import escape

from kivuko.report.document import Block, Document, Items, Picture, Section, Subheading, Table, spans

_STYLE = """
:root {
  color-scheme: light dark;
  --page: #ffffff; --text: #1b1f24; --faint: #69707a; --rule: #d5d9de; --band: #f3f5f7; --link: #0a5ea8;
}
@media (prefers-color-scheme: dark) {
  :root { --page: #14171b; --text: #e6e9ed; --faint: #98a1ac; --rule: #383f48; --band: #1d2228; --link: #7fbdf5; }
}
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; }
body {
  margin: 0 auto; padding: 2rem 1rem 4rem; max-width: 80rem; background: var(--page); color: var(--text);
  font: 1rem/1.55 system-ui, sans-serif; overflow-wrap: break-word;
}
h1 { font-size: clamp(1.5rem, 1.1rem + 2vw, 2.1rem); line-height: 1.2; margin: 0 0 1rem; text-wrap: balance; }
h2 { font-size: 1.3rem; margin: 2.8rem 0 0.8rem; padding-top: 0.8rem; border-top: 1px solid var(--rule); }
h3 { font-size: 1.05rem; margin: 1.6rem 0 0.5rem; }
p, ul { max-width: 46rem; }
ul { padding-left: 1.2rem; }
li { margin: 0.35rem 0; }
code { font: 0.92em ui-monospace, monospace; }
a { color: var(--link); }
nav ul { display: flex; flex-wrap: wrap; gap: 0.3rem 1.1rem; list-style: none; padding: 0; margin: 0; max-width: none; }
nav li { margin: 0; }
.scroll { overflow-x: auto; margin: 1.4rem 0; }
.scroll:focus-visible { outline: 2px solid var(--link); outline-offset: 2px; }
table { border-collapse: collapse; min-width: min(34rem, 100%); font-size: 0.88rem; }
td { font-variant-numeric: tabular-nums; }
caption { text-align: left; color: var(--faint); padding-bottom: 0.5rem; max-width: 46rem; }
.caption { position: sticky; left: 0; display: block; max-width: min(46rem, calc(100vw - 2rem)); }
th, td { padding: 0.3rem 0.5rem; text-align: left; vertical-align: baseline; border-bottom: 1px solid var(--rule); }
thead th { border-bottom: 2px solid var(--faint); white-space: nowrap; }
th[scope="row"] { position: sticky; left: 0; background: var(--page); font-weight: normal; }
tbody tr:hover > * { background: var(--band); }
.r { text-align: right; white-space: nowrap; }
figure { margin: 1.6rem 0; }
figure svg { display: block; width: 100%; min-width: 32rem; max-width: 46rem; height: auto; }
figure svg text { font-family: system-ui, sans-serif !important; }
figcaption { color: var(--faint); font-size: 0.9rem; }
@media print { body { max-width: none; } .scroll { overflow: visible; } nav { display: none; } }
"""

_POLICY = "default-src 'none'; style-src 'unsafe-inline'"


def render_page(document: Document, drawings: Mapping[str, str]) -> str:
    """Return the document as an HTML page.

    Args:
        document: The report.
        drawings: SVG elements by the key of their picture; pictures without one are left out.
    """
    title = _inline(document.title)
    lines = [
        "<!doctype html>",
        '<html lang="en">',
        "<head>",
        '<meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{escape(_POLICY)}">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{escape(''.join(span.text for span in spans(document.title)))}</title>",
        f"<style>{_STYLE}</style>",
        "</head>",
        "<body>",
        f"<header><h1>{title}</h1>",
        '<nav aria-label="Sections"><ul>',
        *(f'<li><a href="#{_id(section)}">{_inline(section.heading)}</a></li>' for section in document.sections),
        "</ul></nav></header>",
        "<main>",
    ]
    for section in document.sections:
        lines.append(
            f'<section aria-labelledby="{_id(section)}"><h2 id="{_id(section)}">{_inline(section.heading)}</h2>'
        )
        for block in section.blocks:
            lines += _block(block, drawings)
        lines.append("</section>")
    lines += ["</main>", "</body>", "</html>"]
    return "\n".join(lines) + "\n"


def _block(block: Block, drawings: Mapping[str, str]) -> Iterator[str]:
    match block:
        case str():
            yield f"<p>{_inline(block)}</p>"
        case Subheading(text):
            yield f"<h3>{_inline(text)}</h3>"
        case Items(entries):
            yield "<ul>"
            yield from (f"<li>{_inline(entry)}</li>" for entry in entries)
            yield "</ul>"
        case Table():
            yield from _table(block)
        case Picture(key, caption) if key in drawings:
            label = escape("".join(span.text for span in spans(caption)))
            drawing = drawings[key].replace("<svg ", f'<svg role="img" aria-label="{label}" ', 1)
            yield f'<figure><div class="scroll" tabindex="0" role="region" aria-label="{label}">{drawing}</div>'
            yield f"<figcaption>{_inline(caption)}</figcaption></figure>"
        case Picture():
            pass


def _table(table: Table) -> Iterator[str]:
    name = f"table-{table.key}"
    yield f'<div class="scroll" tabindex="0" role="region" aria-labelledby="{name}"><table>'
    yield f'<caption><span class="caption" id="{name}">{_inline(table.caption)}</span></caption>'
    yield "<thead><tr>"
    yield from (
        f'<th scope="col"{_side(side)}>{_inline(column)}</th>'
        for column, side in zip(table.header, table.align, strict=True)
    )
    yield "</tr></thead>\n<tbody>"
    for row in table.rows:
        first, *rest = map(_inline, row)
        cells = (f"<td{_side(side)}>{entry}</td>" for entry, side in zip(rest, table.align[1:], strict=True))
        yield f'<tr><th scope="row">{first}</th>{"".join(cells)}</tr>'
    yield "</tbody></table></div>"


def _side(side: str) -> str:
    return ' class="r"' if side == "r" else ""


def _id(section: Section) -> str:
    return "-".join("".join(letter if letter.isalnum() else " " for letter in section.heading.lower()).split())


def _inline(text: str) -> str:
    tags = {"plain": "{}", "code": "<code>{}</code>", "strong": "<strong>{}</strong>"}
    return "".join(tags[span.style].format(escape(span.text)) for span in spans(text))
