"""A worker that trains nothing: errors follow from the name of a cell."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from distill.teachers.names import NONE
from nas.bench.distillation.cells import Cell, Ground, RecipePace
from nas.bench.distillation.records import (
    CellJob,
    CellRecord,
    GroundJob,
    GroundRecord,
    PeopleErrors,
)
from nas.bench.distillation.run import Finished, run_bench
from nas.bench.distillation.tables import BenchConfig
from nas.bench.distillation.worker import Processes
from nas.run.job.progress import Silent, Tick
from search_spaces.lower import lower

TEACHER_S, POOL_S = 60.0, 6.0


@dataclass(frozen=True)
class FakeWorker(Processes):
    """Notes what it did; `dies_at` so many cells it is stopped."""

    count: int = 1
    prepared: list[str] = field(default_factory=list)
    trained: list[Cell] = field(default_factory=list)
    waves: list[int] = field(default_factory=list)
    dies_at: int | None = None
    unlabelled: dict[Ground, int] = field(default_factory=dict)

    def prepare(
        self, jobs: Sequence[GroundJob], tick: Tick, keep: Callable[[int, GroundRecord], None]
    ) -> None:
        for index, job in enumerate(jobs):
            job.folder.mkdir(parents=True, exist_ok=True)
            self.unlabelled[job.ground] = len(job.unlabelled)
            taught = job.ground.teacher != NONE
            self.prepared.append(f"{job.ground.teacher} {job.ground.people} {job.ground.seed}")
            people = [recording.person for recording in job.judges.report]
            keep(
                index,
                GroundRecord(
                    ground=job.ground,
                    teacher_s=TEACHER_S if taught else 0.0,
                    pool_s=POOL_S,
                    teacher_parameters=1000 if taught else None,
                    teacher_errors=_errors(people, 1.0) if taught else None,
                ),
            )

    def pace(
        self, jobs: Sequence[CellJob], tick: Tick, keep: Callable[[int, RecipePace], None]
    ) -> None:
        for index in range(len(jobs)):
            keep(index, RecipePace(0.01, 0.02))

    def train(
        self, jobs: Sequence[CellJob], tick: Tick, keep: Callable[[int, CellRecord], None]
    ) -> None:
        self.waves.append(len({job.folder for job in jobs}))
        for index, job in enumerate(jobs):
            if len(self.trained) == self.dies_at:
                raise KeyboardInterrupt
            self.trained.append(job.cell)
            parameters = lower(job.arch).total_parameters
            alone = job.cell.recipe.teacher == NONE
            error = 1.5 + 0.5 * alone + 0.01 * job.cell.seed + 500 / parameters
            people = [recording.person for recording in job.judges.report]
            keep(
                index,
                CellRecord(
                    cell=job.cell,
                    arch=job.arch,
                    parameters=parameters,
                    costs=job.target.costs(job.arch),
                    steps=job.steps,
                    seconds=120.0,
                    search_bpm=error,
                    errors=_errors(people, error),
                ),
            )


def _errors(people: Sequence[str], bpm: float) -> PeopleErrors:
    raw = {person: bpm + 0.1 * place for place, person in enumerate(people)}
    half = {person: each / 2 for person, each in raw.items()}
    first = people[0]  # the only one who runs, with twice the error
    run = PeopleErrors({first: 2 * raw[first]}, {first: raw[first]})
    return PeopleErrors(raw, half, {"run": run})


def ask(
    people: str, out: Path, worker: FakeWorker, *, seeds: Sequence[int] = (0, 1), **changes: object
) -> Finished:
    """Run a bench with a fake worker."""
    asked = {"bench": "strategies", "minutes": 2.0, "effort": "smoke", "data": people, **changes}
    return run_bench(
        BenchConfig(**asked),  # type: ignore[arg-type]
        out,
        seeds=seeds,
        worker=worker,
        command=f"ppgnas bench strategies --seeds {','.join(map(str, seeds))}",
        progress=Silent(),
    )
