"""Lines of the error table on ST's tools: cycles by version, core, size and board; memory."""

from __future__ import annotations

from hwmodels.engines.engine import SMALL_MACS
from hwmodels.engines.load import load_engine
from hwmodels.fit.rows import Row, percent, share_by_group
from hwmodels.fit.st import law, memory
from hwmodels.fit.st.law import CORES, CURRENT, VERSIONS, Errors, is_version, share_inside

_TITLES = {"3": "X-CUBE-AI 9-10, ST Edge AI 3-4", "8.1": "X-CUBE-AI 8.1", "7.3": "X-CUBE-AI 7.3"}
# By version, size (small), and whether the board is among those of the fit.
_GOALS = {("3", True, True): 10.0, ("3", True, False): 10.0, ("3", False, True): 6.0}
# Fewer points say nothing of a share.
FEWEST = 3


def st_rows() -> list[Row]:
    """A few seconds: every network is left out in turn, and every network with its board."""
    points = law.points()
    errors = law.held_out(points)
    found = []
    for version in _TITLES:
        for small in (True, False):
            for core in (None, *CORES):
                for seen in (True, False):
                    found += _regime(errors, version, core, small=small, seen=seen)
    return [*found, *_memory_rows()]


def _regime(
    errors: Errors, version: str, core: str | None, *, small: bool, seen: bool
) -> list[Row]:
    """The line of networks of one size on one core, or on all: none where they are too few."""
    rows = [
        i for i, p in enumerate(errors.points)
        if is_version(p, version) and (p.macs < SMALL_MACS) == small
        and core in (None, p.network.core) and law.told(errors.points, i, board_known=seen)
    ]  # fmt: skip
    if len(rows) < FEWEST:
        return []
    size = "small networks" if small else "large networks"
    where = "board seen" if seen else "board not seen"
    parts = ", ".join(sorted({errors.points[i].network.mcu for i in rows}))
    return [
        percent(
            f"{_TITLES[version]}, {size}{f', {core}' if core else ''}, {where}",
            "whole_networks.csv",
            errors.at(rows, board_known=seen),
            None if core else _GOALS.get((version, small, seen)),
            f"{'below' if small else 'from'} 5 million MACs{'' if small else ' on'}, on {parts}; "
            "a network is left out with all of its rows"
            + ("" if seen else ", and with all other networks on its board"),
            inside=share_inside(errors, rows, version, board_known=seen),
        )
    ]


def _memory_rows() -> list[Row]:
    found = []
    for version, sizes in memory.fit_all().items():
        title = load_engine(VERSIONS[version]).version
        for what, held_out, goal, note in (
            ("activations", sizes.activations, 12.0, "nothing fitted"),
            ("code", sizes.code, 15.0, "a network is left out"),
            ("RAM of the runtime", sizes.runtime, None, "a network is left out"),
        ):
            found.append(
                percent(
                    f"{title}, {what}",
                    "network_memory.csv",
                    held_out,
                    goal if version in CURRENT else None,
                    note,
                    inside=share_by_group(held_out),
                    evidence="published",
                )
            )
    return found
