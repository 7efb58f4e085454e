"""What a serial monitor or a logger puts around rows: a clock, and a name before each number."""

from __future__ import annotations

import re

MOST = 0.8  # of the lines look so
LONGEST = 2000  # characters of a line; looking for names takes the square of the time
_CLOCK = re.compile(
    r"\[?((?:\d{4}-\d\d-\d\d[T ])?\d{1,2}:\d{2}:\d{2}[.,]\d{1,6})(?:,\d{3})?"
    r"(?: ?-> ?|\] ?(?:[A-Z]{4,8}:? |<\w{3}> [\w.]+: )?| [A-Z]{4,8}:? )"
)
_PAIR = re.compile(r"([^\W\d][\w ]*?)\s*[:=[]\s*([+-]?\d[\d.eE+-]*|[Nn]a[Nn])(?:\]|(?=[\s,;|]|$))")
Lines = list[tuple[int, str]]


def without_clock(lines: Lines) -> tuple[Lines, dict[int, str]]:
    """Lines without the time that a monitor (`14:05:09.250 -> `) or a logger (`[2024-05-31
    14:05:09.250] INFO `, `[00:00:09.250,000] <inf> main: `) writes, and that of each."""
    found = {number: _CLOCK.match(text) for number, text in lines}
    times = {number: match[1] for number, match in found.items() if match}
    if len(times) < MOST * len(lines):
        return lines, {}
    rest = [(number, _CLOCK.sub("", text, count=1)) for number, text in lines if number in times]
    return [(number, text) for number, text in rest if text.strip()], times


def without_names(lines: Lines) -> Lines:
    """Rows of `PPG:51234,HR:72`, as a plotter reads them, with the names above them."""
    looked = [pairs for _, text in lines[:200] if (pairs := _pairs(text))]
    if len(looked) < MOST * min(len(lines), 200):
        return lines
    names = list(dict.fromkeys(name for pairs in looked for name in pairs))
    rows = [(number, _pairs(text)) for number, text in lines]
    cells = [(number, "\t".join(row.get(n, "") for n in names)) for number, row in rows if row]
    return [(0, "\t".join(names)), *cells]


def _pairs(text: str) -> dict[str, str]:
    """Name -> number of a line of nothing else."""
    if len(text) > LONGEST:
        return {}
    return {} if _PAIR.sub("", text).strip(" \t,;|") else dict(_PAIR.findall(text))
