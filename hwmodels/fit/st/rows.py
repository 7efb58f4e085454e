"""Lines of the error table on ST's tools: cycles by version, core, size and board; memory."""

from __future__ import annotations

from hwmodels.engines.engine import SMALL_MACS
from hwmodels.engines.load import load_engine
from hwmodels.fit.rows import Row, percent, share_by_group
from hwmodels.fit.st import law, memory
from hwmodels.fit.st.law import CORES, CURRENT, VERSIONS, Errors, is_version, regime_rows

_TITLES = {"3": "X-CUBE-AI 9-10, ST Edge AI 3-4", "8.1": "X-CUBE-AI 8.1", "7.3": "X-CUBE-AI 7.3"}
_GOALS = {("3", True): 10.0, ("3", False): 6.0}
# Fewer points say nothing of a share.
FEWEST = 3


def st_rows() -> list[Row]:
    """A few seconds: every network is left out in turn, and every network with its board."""
    points = law.points()
    errors = law.held_out(points)
    found = []
    for version, title in _TITLES.items():
        for small in (True, False):
            found += _of_size(errors, version, title, small=small)
        found += _by_core(errors, version, title)
    return [*found, *_memory_rows()]


def _of_size(errors: Errors, version: str, title: str, *, small: bool) -> list[Row]:
    size = "small networks" if small else "large networks"
    found = []
    for known in (True, False):
        rows = [
            i for i, p in enumerate(errors.points)
            if is_version(p, version) and (p.macs < SMALL_MACS) == small
        ]  # fmt: skip
        if len(rows) >= FEWEST:
            held_out = errors.at(rows, board_known=known)
            where = "board seen" if known else "board not seen"
            found.append(
                percent(
                    f"{title}, {size}, {where}",
                    "whole_networks.csv",
                    held_out,
                    _GOALS.get((version, small)) if known or small else None,
                    "below 5 million MACs"
                    if small
                    else "from 5 million MACs on; a network is left out with all of its rows"
                    + ("" if known else ", and with all other networks on its board"),
                    inside=share_by_group(
                        held_out,
                        errors.at(regime_rows(errors, version, small=small), board_known=known),
                    ),
                )
            )
    return found


def _by_core(errors: Errors, version: str, title: str) -> list[Row]:
    found = []
    for core in CORES:
        rows = [
            i for i, p in enumerate(errors.points)
            if is_version(p, version) and p.network.core == core
        ]  # fmt: skip
        if len(rows) >= FEWEST:
            held_out = errors.at(rows)
            parts = sorted({errors.points[i].network.mcu for i in rows})
            found.append(
                percent(
                    f"{title}, {core}",
                    "whole_networks.csv",
                    held_out,
                    None,
                    f"all sizes, on {', '.join(parts)}",
                    inside=share_by_group(held_out),
                )
            )
    return found


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
