"""What the pages share: number formats, menus, sections, and the templates.

HTML stands in `templates/` alone. Jinja escapes every string that it is given.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import plotly.graph_objects as go
    from jinja2 import Environment
    from markupsafe import Markup

NONE = "\u2013"  # shown for what is not known

# Costs: key in candidates.json -> (label, unit shown, divisor, decimals)
COSTS: dict[str, tuple[str, str, float, int]] = {
    "latency_ms": ("Latency", "ms", 1.0, 2),
    "flash_bytes": ("Flash", "KB", 1024.0, 1),
    "sram_bytes": ("SRAM", "KB", 1024.0, 1),
    "energy_mj": ("Energy", "mJ", 1.0, 3),  # of one reading
    "power_mw": ("Average power", "mW", 1.0, 2),  # mostly sleep and sensors
    "weight_bytes": ("Weights", "KB", 1024.0, 1),
}


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


def cost(key: str, value: float | None, *, bare: bool = False) -> str:
    """A cost in the unit people use for it; `bare` leaves the unit out."""
    _, unit, divisor, decimals = COSTS[key]
    return fixed(None if value is None else value / divisor, decimals, unit="" if bare else unit)


def sleep_words(
    board: str, value_mw: float, low_mw: float, high_mw: float, *, period_s: float
) -> str:
    """What a board takes between readings, which says nothing of a network."""
    return (
        f"Between readings {board} sleeps at {value_mw:.3g} mW ({low_mw:.3g} to "
        f"{high_mw:.3g}), whatever the network; average power, which budgets and objectives "
        f"of power mean, adds the energy of a reading every {period_s:g} s and, where they "
        "count, the sensors."
    )


@dataclass(frozen=True)
class Menu:
    """A selector; it switches every plot and panel of its group, wherever they stand.

    Attributes:
        group: of the plots and panels.
        title: what stands before it.
        options: value -> words.
        chosen: the value at first.
    """

    group: str
    title: str
    options: Mapping[str, str]
    chosen: str


@dataclass(frozen=True)
class Section:
    """One part of the page.

    Attributes:
        results: whether numbers of people are shown.
        figures: name -> value of the menu that chooses it -> figure.
    """

    key: str
    title: str
    body: Markup
    results: bool = True
    figures: Mapping[str, Mapping[str, go.Figure]] = field(default_factory=dict)


def section(template: str, title: str, *, results: bool = True, **values: object) -> Section:
    """A part of the page; the template's name without its folder is the anchor.

    Args:
        template: file in `templates/`.
        results: see `Section`.
        **values: what the template reads; figures by the value of the menu that chooses them.
    """
    import plotly.graph_objects as go

    figures: dict[str, Mapping[str, go.Figure]] = {}
    for name, value in values.items():
        if isinstance(value, go.Figure):
            figures[name] = {"": value}
        elif isinstance(value, dict) and any(
            isinstance(each, go.Figure) for each in value.values()
        ):
            figures[name] = value
    key = PurePosixPath(template).stem
    return Section(key, title, render(template, **values), results, figures)


@cache
def _templates() -> Environment:
    """The templates, with what all of them may call."""
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from plotly.io.json import to_json_plotly

    made = Environment(
        loader=PackageLoader("nas.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    # `tojson` writes figures so that they cannot end the script element they stand in.
    made.policies |= {"json.dumps_function": to_json_plotly, "json.dumps_kwargs": {}}
    made.globals.update(COSTS=COSTS, cost=cost, fixed=fixed, word=word)
    made.globals["packed_plotly"] = _packed_plotly
    return made


@cache
def _packed_plotly() -> Markup:
    """plotly.js as gzip in base64: two fifths of its size, and nothing to load beside a page."""
    import base64
    import gzip

    from markupsafe import Markup
    from plotly.offline import get_plotlyjs

    packed = gzip.compress(get_plotlyjs().encode(), mtime=0)
    return Markup(base64.b64encode(packed).decode("ascii"))


def render(template: str, **values: object) -> Markup:
    """A template as HTML that other templates take as it is."""
    from markupsafe import Markup

    return Markup(_templates().get_template(template).render(values))


def render_page(
    title: str,
    heading: str,
    sections: Sequence[Section | None],
    *,
    chips: Sequence[str] = (),
    synthetic: bool,
) -> str:
    """The whole document; plotly.js (packed), styles and script are inlined once.

    Args:
        sections: in order; what is None is left out.
        synthetic: True marks every section that shows results, where no figure in it does.
    """
    shown = [part for part in sections if part is not None]
    page = render(
        "page.html",
        title=title,
        heading=heading,
        sections=shown,
        chips=chips,
        synthetic=synthetic,
        plots=any("data-plot=" in part.body for part in shown),
    )
    return str(page)  # a Markup would escape what is added to it


def left_words(share: float) -> str:
    """What is left of a limit as tables say it, or by how much of it it is exceeded.

    What only comes near 0 or 100 % is not said to be it.

    >>> left_words(0.38), left_words(-0.12), left_words(0.9997), left_words(-0.0002)
    ('38 % left', '12 % over', '99.9 % left', '0.1 % over')
    """
    percent = 100 * abs(share)
    if 0 < percent < 0.5:
        shown = f"{max(percent, 0.1):.1f}"
    elif 99.5 <= percent < 100 and share > 0:
        shown = f"{min(percent, 99.9):.1f}"
    else:
        shown = f"{percent:,.0f}"
    return f"{shown} % {'left' if share >= 0 else 'over'}"
