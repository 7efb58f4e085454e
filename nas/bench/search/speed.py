"""Speed figures of a search: what one architecture costs to judge, and what a run took."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from dataclasses import dataclass, replace

from nas.run.folder import RunDir
from nas.run.target import load_target
from ppgnas.defaults import DEFAULT_BOARD, DEFAULT_ENGINE
from search_spaces.space import load_space

ARCHITECTURES = 1000
STARTS = 5


def cost_us(
    *, space: str = "default", board: str = DEFAULT_BOARD, engine: str = DEFAULT_ENGINE
) -> float:
    """Microseconds to lower one random architecture and to estimate all of its costs.

    The mean over `ARCHITECTURES` new ones, after a few that warm the memories up.
    """
    target, networks = load_target(board, engine), load_space(space)
    rng = random.Random(0)
    archs = [networks.sample(rng) for _ in range(2 * ARCHITECTURES)]
    for arch in archs[:ARCHITECTURES]:
        target.costs(arch)
    start_s = time.perf_counter()
    for arch in archs[ARCHITECTURES:]:
        target.costs(arch)
    return (time.perf_counter() - start_s) / ARCHITECTURES * 1e6


def help_s() -> float:
    """Seconds that `ppgnas --help` takes: the fastest of `STARTS` starts."""
    return min(_start_s() for _ in range(STARTS))


def _start_s() -> float:
    start_s = time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", "nas.cli.main", "--help"], check=True, stdout=subprocess.DEVNULL
    )
    return time.perf_counter() - start_s


@dataclass(frozen=True)
class RunFigures:
    """What a run considered, and seconds by phase."""

    path: str
    considered: int
    evaluated: int
    finalists: int
    time_s: dict[str, float]


@dataclass(frozen=True)
class Figures:
    """All figures; those of a run only if one is given."""

    cost_us: float
    help_s: float
    run: RunFigures | None = None


def bench_search(run: RunDir | None = None) -> Figures:
    """Take them.

    Raises:
        RunError: `run` is not a run, or is not complete.
    """
    figures = Figures(cost_us(), help_s())
    if run is None:
        return figures
    document, found = run.document(), run.candidates()
    of_run = RunFigures(
        str(run.path), found.considered, found.evaluated, len(run.finalists()), document.time_s
    )
    return replace(figures, run=of_run)
