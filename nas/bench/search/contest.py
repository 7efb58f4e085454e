"""Does searching pay? Found networks against others that train as long, on report people.

For each seed a whole search, then as many core-seconds as it took for random networks, as many for
networks that are spread over the sizes, and the hand-made ones without a limit. All learn from one
teacher and equal windows, which nobody pays for. A killed contest goes on where it was.
"""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from hwmodels.costs import Costs
from nas.bench.search.sides import (
    Complete,
    NetworkRecord,
    Side,
    by_size,
    drawn,
    hand_made,
    mark_of,
    read_records,
)
from nas.explore.problem import Problem, probe
from nas.models.backend import MakeTrainer, site_of, torch_trainer
from nas.models.readout import RULES
from nas.run.claim import claim
from nas.run.config import ConfigError, SearchConfig
from nas.run.documents import write_kept
from nas.run.folder import RunDir, held
from nas.run.job.machine import available_cores
from nas.run.job.progress import Progress
from nas.run.people import People, fitting_space, gather, without_acceleration
from nas.run.run_toml import RunDocument
from nas.run.target import Target, load_target
from nas.search import search
from ppg.readout.transitions import Transitions, fit_transitions
from search_spaces.arch import Arch
from search_spaces.published import LARGE
from search_spaces.space import SearchSpace, load_space

if TYPE_CHECKING:
    from distill.scratch import ScratchTrainer, Trained

NEAR_BPM = 5.0
"""A box that ends at 30 BPM is full of any network that works; this one is not."""

PAID = ("supernet", "search", "finalists")
"""Phases of a search whose seconds the other sides may spend."""


MakeSideTrainer = Callable[..., "ScratchTrainer"]
"""The arguments are those of `torch_side_trainer`."""


def torch_side_trainer(
    config: SearchConfig,
    *,
    space: SearchSpace,
    people: People,
    target: Target,
    transitions: Transitions,
    teacher: str,
    folder: Path,
) -> ScratchTrainer:
    """The real one; imports torch."""
    from distill.scratch import ScratchTrainer
    from distill.trainer import Trainer
    from distill.training.effort import effort_by_name

    trainer = Trainer(
        space,
        train=people.train,
        search=people.search,
        effort=effort_by_name(config.effort),
        seed=config.seed,
        teacher=teacher,
        folder=folder,
        site=site_of(config.device),
        accept=lambda _: True,  # whom it is asked for, the sides say
        rule=RULES[target.file],
        distill=config.distill,
    )
    return ScratchTrainer(trainer, people.report, transitions)


@dataclass(frozen=True)
class SeedResult:
    """Everything of one seed.

    Attributes:
        allowed_s: core-seconds that the search took, and that the others were allowed.
    """

    document: RunDocument
    allowed_s: float
    records: tuple[NetworkRecord, ...]


@dataclass(frozen=True)
class Contest:
    """All seeds, and how their fronts are judged.

    Attributes:
        boxes: by name, objectives and corner of a hypervolume: error and latency, the same near
            the corner where good networks differ, the objectives of the search.
    """

    seeds: tuple[SeedResult, ...]
    boxes: Mapping[str, Problem]


def contest(
    config: SearchConfig,
    out: Path,
    *,
    seeds: Sequence[int],
    command: str,
    progress: Progress,
    make_trainer: MakeTrainer = torch_trainer,
    make_side_trainer: MakeSideTrainer = torch_side_trainer,
) -> Contest:
    """Hold it, or what is left of it.

    Args:
        out: `seed-N/` in it holds the search, the records of the other sides, and a cache.
        make_trainer: of the searches; the real one unless told otherwise.
        make_side_trainer: of the other sides; likewise.

    Raises:
        PpgnasError: as a search, or a folder was begun with another configuration or people.
    """
    if config.also:
        raise ConfigError("`board` names several, and the sides are compared on one")
    # Refused before anything is trained; minutes are those of cores, so no GPU takes part.
    configs = [replace(config, seed=seed, device="cpu") for seed in seeds]
    out.mkdir(parents=True, exist_ok=True)
    results = []
    with held(out / ".lock", out):
        for own in configs:
            progress.say(f"Seed {own.seed}: the search")
            folder = out / f"seed-{own.seed}"
            run = RunDir(folder / "found")
            search(own, run, command=command, progress=progress, make_trainer=make_trainer)
            results.append(_others(own, run, folder, command, progress, make_side_trainer))
    return Contest(tuple(result for result, _ in results), results[0][1])


def _others(
    config: SearchConfig,
    run: RunDir,
    folder: Path,
    command: str,
    progress: Progress,
    make_trainer: MakeSideTrainer,
) -> tuple[SeedResult, dict[str, Problem]]:
    """Train what a finished search has to beat; the result of the seed, and the boxes."""
    target, space = load_target(config.board, config.engine), load_space(config.space)
    people = gather(config, space)
    space = fitting_space(space, people)
    claim(run, config, space, people, command=command)  # refuses other recordings or people
    cost_of = lru_cache(maxsize=1 << 16)(target.costs)
    plane, own = (
        probe(
            space, cost_of, budgets=config.budgets, objectives=objectives, board=target.board
        ).problem
        for objectives in (("mae", "latency"), config.objectives)
    )

    def fits(arch: Arch) -> bool:
        return own.fits(arch, cost_of(arch))

    document = run.document()
    took_s = document.core_s or {k: available_cores() * s for k, s in document.time_s.items()}
    allowed_s = sum(took_s.get(phase, 0.0) for phase in PAID)
    made = hand_made(acceleration=not without_acceleration(people), rates_hz=space.rate_hz)
    teacher = run.path / "cache" / "teacher.safetensors"
    judged = _Judge(config.seed, cost_of, fits, {arch: name for name, arch in made.items()})
    trainer = make_trainer(
        config,
        space=space,
        people=people,
        target=target,
        transitions=document.smoothing or fit_transitions(people.train),
        teacher=str(teacher) if teacher.is_file() else config.teacher,
        folder=folder,
    )
    sizes = by_size(
        drawn(space, fits, seed=f"{config.seed} sizes"),
        lambda arch: cost_of(arch).weight_bytes,
        classes=config.finalists,
    )
    sides: dict[Side, tuple[Iterator[Arch], float | None]] = {
        "hand-made": (iter(made.values()), None),  # first, as it takes the least
        "random": (drawn(space, fits, seed=f"{config.seed} random"), allowed_s),
        "sizes": (iter(sizes), allowed_s),
    }
    if not all(mark_of(folder / side).is_file() for side in sides):
        with progress.phase("teacher of the other sides") as tick:
            trainer.prepare_teacher(tick)
    records = judged.found(run)
    for side, (archs, most_s) in sides.items():
        where = folder / side
        if not mark_of(where).is_file():
            _train(side, archs, most_s, where, judged, trainer, progress)
        records += read_records(where)
    shutil.rmtree(folder / "cache", ignore_errors=True)
    near = {"mae_bpm": NEAR_BPM, "latency_ms": cost_of(LARGE).latency_ms}
    boxes = {"MAE, latency": plane, "near": replace(plane, reference=near), "all objectives": own}
    return SeedResult(document, allowed_s, tuple(records)), boxes


@dataclass(frozen=True)
class _Judge:
    """Makes records."""

    seed: int
    cost_of: Callable[[Arch], Costs]
    fits: Callable[[Arch], bool]
    names: dict[Arch, str]

    def found(self, run: RunDir) -> list[NetworkRecord]:
        """The finalists of a search."""
        cards = [run.card(number) for number in run.finalists()]
        return [
            NetworkRecord(
                side="found",
                seed=self.seed,
                name=str(card.finalist),
                arch=card.arch,
                costs=self.cost_of(card.arch),
                fits=self.fits(card.arch),
                seconds=None,
                search_bpm=card.search_mae_bpm.retrained_int8,
                report_bpm={who: row.mae_bpm for who, row in card.report.people.items()},
                report_smoothed_bpm={
                    who: row.mae_bpm_smoothed for who, row in card.report.people.items()
                },
            )
            for card in cards
        ]

    def record(self, side: Side, arch: Arch, trained: Trained) -> NetworkRecord:
        return NetworkRecord(
            side=side,
            seed=self.seed,
            name=self.names.get(arch, "") if side == "hand-made" else "",
            arch=arch,
            costs=self.cost_of(arch),
            fits=self.fits(arch),
            **vars(trained),
        )


def _train(
    side: Side,
    archs: Iterator[Arch],
    allowed_s: float | None,
    folder: Path,
    judge: _Judge,
    trainer: ScratchTrainer,
    progress: Progress,
) -> None:
    """Train networks of a side until its core-seconds are spent, at least one.

    One that is in training when they end counts.
    """
    folder.mkdir(parents=True, exist_ok=True)
    records = read_records(folder)
    known = {record.arch for record in records}
    most_s = math.inf if allowed_s is None else allowed_s

    def spent_s() -> float:
        return sum(record.seconds or 0.0 for record in records)

    def go_on(running_s: float) -> bool:
        return spent_s() + running_s < most_s or (not records and running_s == 0.0)

    with progress.phase(f"{side}, seed {judge.seed}") as tick:

        def beat(running_s: float) -> None:
            seconds = spent_s() + running_s
            whole = seconds if allowed_s is None else allowed_s
            done = min(seconds, whole)
            tick(round(done), round(whole), f"core-seconds; {len(records)} networks")

        def keep(arch: Arch, trained: Trained) -> None:
            records.append(judge.record(side, arch, trained))
            write_kept(folder / f"{arch.id}.json", records[-1])

        left = (arch for arch in archs if arch not in known)
        trainer.train(left, go_on=go_on, beat=beat, on_done=keep)
    write_kept(mark_of(folder), Complete(allowed_s, spent_s()))
