"""What the sections share: colours, number formats, figures, plots with a selector, the page.

Every string that a user or a file gave passes `text` (HTML) or `label` (Plotly, whose labels
are a small HTML of their own) before it is shown.
"""

from __future__ import annotations

import html
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import plotly.graph_objects as go

# Okabe and Ito (2008): distinguishable with every common colour vision.
BLUE, ORANGE, GREEN, RED = "#0072B2", "#E69F00", "#007A5A", "#C44F00"
PURPLE, SKY, GREY, INK, MUTED = "#A5518A", "#56B4E9", "#A9B2BD", "#1B2430", "#55606E"
SERIES = (BLUE, ORANGE, GREEN, PURPLE, RED, SKY, "#8A6D00", INK)
NONE = "\u2013"  # shown for what is not known
LONGEST_LABEL = 26

# Costs: key in candidates.json -> (label, unit shown, divisor, decimals)
COSTS: dict[str, tuple[str, str, float, int]] = {
    "latency_ms": ("Latency", "ms", 1.0, 2),
    "flash_bytes": ("Flash", "KB", 1024.0, 1),
    "sram_bytes": ("SRAM", "KB", 1024.0, 1),
    "power_mw": ("Power", "mW", 1.0, 2),
    "weight_bytes": ("Weights", "KB", 1024.0, 1),
}


def text(value: object) -> str:
    """HTML-escaped."""
    return html.escape(str(value), quote=True)


def name(value: object) -> str:
    """A name in HTML: escaped, and kept from reordering the text around it."""
    return f"<bdi>{text(value)}</bdi>"


def label(value: object) -> str:
    """For Plotly: one line, shortened in the middle, its pseudo-HTML escaped."""
    line = " ".join("".join(c if c.isprintable() else " " for c in str(value)).split())
    if len(line) > LONGEST_LABEL:
        line = f"{line[: LONGEST_LABEL - 10]}…{line[-9:]}"
    return html.escape(line, quote=False) or "(no name)"


def word(key: str) -> str:
    """Name of a cost within a sentence."""
    title = COSTS[key][0] if key in COSTS else key
    return title if title.isupper() else title.lower()


def fixed(value: float | None, decimals: int = 2, *, unit: str = "") -> str:
    """A number with its unit, or a dash; digits where the value is too small for `decimals`."""
    if value is None:
        return NONE
    small = value != 0 and abs(value) < 0.5 * 10**-decimals
    shown = f"{value:.2g}" if small else f"{value:,.{decimals}f}"
    return f"{shown} {unit}".rstrip()


def cost(key: str, value: float | None) -> str:
    """A cost in the unit people use for it."""
    _, unit, divisor, decimals = COSTS[key]
    return fixed(None if value is None else value / divisor, decimals, unit=unit)


def figure(
    traces: Sequence[dict[str, Any]], layout: dict[str, Any], *, synthetic: bool
) -> go.Figure:
    """A validated figure in the report's look.

    Args:
        traces: Plotly traces.
        layout: Plotly layout, laid over the common one.
        synthetic: True stamps the figure, so that a saved picture says so, too.
    """
    import plotly.graph_objects as go

    axis = {
        "gridcolor": "#E6E9ED",
        "linecolor": "#C3CAD2",
        "zeroline": False,
        "automargin": True,
        "title": {"standoff": 8},
    }
    drawn = go.Figure(list(traces))
    drawn.update_layout(
        template=go.layout.Template(),
        font={"family": "system-ui, -apple-system, 'Segoe UI', sans-serif", "color": INK},
        paper_bgcolor="white",
        plot_bgcolor="white",
        margin={"l": 8, "r": 12, "t": 24, "b": 8},
        hoverlabel={"align": "left", "bgcolor": "white", "font": {"color": INK}},
        legend={
            "orientation": "h",
            "itemwidth": 30,
            "xref": "container",
            "yref": "container",
            "x": 0,
            "y": 0,
            "yanchor": "bottom",
        },
        colorway=list(SERIES),
        height=440,
    )
    drawn.update_xaxes(**axis)
    drawn.update_yaxes(**axis)
    drawn.update_layout(**layout)
    if synthetic:
        drawn.add_annotation(
            text="synthetic data",
            xref="paper",
            yref="paper",
            x=1,
            y=1,
            xanchor="right",
            yanchor="bottom",
            showarrow=False,
            font={"color": RED, "size": 12},
        )
    return drawn


def script_json(document: str) -> str:
    """JSON text that cannot end the script element it stands in."""
    for character in "<>&\u2028\u2029":
        document = document.replace(character, f"\\u{ord(character):04x}")
    return document


def plot(
    identifier: str,
    variants: Mapping[str, go.Figure],
    *,
    about: str,
    group: str = "",
    min_width_px: int = 0,
) -> str:
    """A figure, or one per option of a selector.

    Args:
        identifier: of the element, unique in the page.
        variants: figures by the option's value; a single one where there is no selector.
        about: what is to be seen, for screen readers.
        group: the selector (see `selector`) that chooses the variant.
        min_width_px: below this width the plot scrolls in its box.
    """
    body = ",".join(f"{json.dumps(key)}:{drawn.to_json()}" for key, drawn in variants.items())
    style = f' style="min-width:{min_width_px}px"' if min_width_px else ""
    height = max((int(drawn.layout.height) for drawn in variants.values()), default=0)
    return (
        f'<div class="scroll"><div{style}><div class="plot" id="{text(identifier)}" '
        f'data-group="{text(group)}" role="img" aria-label="{text(about)}" '
        f'style="min-height:{height}px"></div></div></div>'
        f'<script type="application/json" data-plot="{text(identifier)}">'
        f"{script_json('{' + body + '}')}</script>"
    )


def selector(group: str, title: str, options: Mapping[str, str], *, chosen: str = "") -> str:
    """A menu that switches every plot and panel of `group`, wherever they stand."""
    items = "".join(
        f'<option value="{text(value)}"{" selected" if value == chosen else ""}>'
        f"{text(shown)}</option>"
        for value, shown in options.items()
    )
    return (
        f'<label class="chooser">{text(title)} '
        f'<select data-group="{text(group)}">{items}</select></label>'
    )


def panels(group: str, contents: Mapping[str, str], *, chosen: str) -> str:
    """HTML of which only the selected part is shown."""
    return "".join(
        f'<div data-panel="{text(group)}" data-value="{text(value)}"'
        f"{'' if value == chosen else ' hidden'}>{content}</div>"
        for value, content in contents.items()
    )


def scroll_table(head: Sequence[str], rows: Sequence[Sequence[str]], *, about: str) -> str:
    """A table in a box of its own; cells are HTML."""
    columns = "".join(f'<th scope="col">{cell}</th>' for cell in head)
    body = "".join(
        f'<tr><th scope="row">{row[0]}</th>' + "".join(f"<td>{c}</td>" for c in row[1:]) + "</tr>"
        for row in rows
    )
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{text(about)}">'
        f"<table><thead><tr>{columns}</tr></thead><tbody>{body}</tbody></table></div>"
    )


@dataclass(frozen=True)
class Section:
    """One part of the page. `body` is HTML; `results` says whether numbers of people are shown."""

    key: str
    title: str
    body: str
    results: bool = True


def render_page(title: str, lead: str, sections: Sequence[Section], *, synthetic: bool) -> str:
    """The whole document; plotly.js, styles and script are inlined once.

    Args:
        title: plain text.
        lead: HTML of the header.
        sections: in order; those with an empty body are left out.
        synthetic: True marks every section that shows results.
    """
    from plotly.offline import get_plotlyjs

    here = files("nas.report")
    badge = ' <span class="badge">synthetic data</span>' if synthetic else ""
    shown = [section for section in sections if section.body]
    links = "".join(f'<a href="#{s.key}">{text(s.title)}</a>' for s in shown)
    parts = "".join(
        f'<section id="{s.key}"><h2>{text(s.title)}{badge if s.results else ""}</h2>'
        f"{s.body}</section>"
        for s in shown
    )
    plots = any("data-plot=" in section.body for section in shown)
    # The policy keeps the page off the network; plotly's WebGL code is compiled at run time.
    return (
        '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">'
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; '
        "script-src 'unsafe-inline' 'unsafe-eval'; style-src 'unsafe-inline'; "
        'img-src data: blob:">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{text(title)}</title><style>{(here / 'page.css').read_text('utf-8')}</style>"
        f"</head><body><header><div>{lead}</div></header><nav><div>{links}</div></nav>"
        f"<main>{parts}</main>"
        + (f"<script>{get_plotlyjs()}</script>" if plots else "")
        + f"<script>{(here / 'page.js').read_text('utf-8')}</script></body></html>\n"
    )
