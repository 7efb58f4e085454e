"""Speed figures of a search: what one architecture costs to judge, and what a run took."""

from __future__ import annotations

import random
import subprocess
import sys
import time
import timeit
from dataclasses import dataclass, replace
from functools import lru_cache, partial

from nas.explore.problem import probe
from nas.explore.study import StudySettings, run_study
from nas.explore.study_file import CANDIDATES, StudyFile
from nas.run.config import Budgets
from nas.run.folder import RunDir
from nas.run.target import load_target
from ppgnas.defaults import DEFAULT_BOARD, DEFAULT_ENGINE
from ppgnas.files import temporary_folder
from search_spaces.space import load_space

ARCHITECTURES = 1000
STARTS = 5
STUDIES = (60, 1000, 10_000)


def cost_us() -> float:
    """Microseconds to lower one random architecture and to estimate all of its costs.

    The mean over `ARCHITECTURES` new ones, after a few that warm the memories up.
    """
    target, networks = load_target(DEFAULT_BOARD, DEFAULT_ENGINE), load_space("default")
    rng = random.Random(0)
    archs = [networks.sample(rng) for _ in range(2 * ARCHITECTURES)]
    for arch in archs[:ARCHITECTURES]:
        target.costs(arch)
    start_s = time.perf_counter()
    for arch in archs[ARCHITECTURES:]:
        target.costs(arch)
    return (time.perf_counter() - start_s) / ARCHITECTURES * 1e6


def overhead_ms(candidates: int) -> float:
    """Milliseconds of the processor that a candidate takes beside its forecast.

    It is proposed by the default sampler, costed, judged by a formula and written to the journal,
    while it is considered and at the end.
    """
    space, target = load_space("default"), load_target(DEFAULT_BOARD, DEFAULT_ENGINE)
    cost_of = lru_cache(maxsize=None)(target.costs)
    probed = probe(
        space,
        cost_of,
        budgets=Budgets(flash_bytes=80 * 1024),
        objectives=("mae", "latency", "flash"),
        board=target.board,
    )
    start_s = time.process_time()
    with (
        temporary_folder() as folder,
        StudyFile(folder / "study.journal", probed.problem, space) as file,
    ):
        found = run_study(
            space,
            probed,
            settings=StudySettings("nsga2", candidates, 0),
            cost_of=cost_of,
            # an error that falls with the operations, and differs by a third between neighbours
            mae_of=lambda a: 100 * cost_of(a).macs ** -0.3 * (1 + int(a.id, 16) % 1000 / 3000),
            first=[],
            progress=lambda done, total, note: None,
            on_trial=lambda trial: file.add("search", trial),
        )
        file.write(CANDIDATES, found)
    return (time.process_time() - start_s) / candidates * 1e3


def help_s() -> float:
    """Seconds that `ppgnas --help` takes: the fastest of `STARTS` starts."""
    command = [sys.executable, "-m", "nas.cli.main", "--help"]
    start = partial(subprocess.run, command, check=True, stdout=subprocess.DEVNULL)
    return min(timeit.repeat(start, number=1, repeat=STARTS))


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
    """All figures; `overhead_ms` by candidates of the study, of a small one beside a run's."""

    cost_us: float
    overhead_ms: dict[int, float]
    help_s: float
    run: RunFigures | None = None


def bench_search(run: RunDir | None = None) -> Figures:
    """Take them.

    Raises:
        RunError: `run` is not a run, or is not complete.
    """
    studies = STUDIES if run is None else STUDIES[:1]
    figures = Figures(cost_us(), {size: overhead_ms(size) for size in studies}, help_s())
    if run is None:
        return figures
    document, found = run.document(), run.candidates()
    of_run = RunFigures(
        str(run.path), found.considered, found.evaluated, len(run.finalists()), document.time_s
    )
    return replace(figures, run=of_run)
