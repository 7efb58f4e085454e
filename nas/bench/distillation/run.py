"""A bench from recordings to records: seed by seed grounds, paces, cells; what is kept stays.

All cells of a seed are trained before the next seed begins, so that a bench that was stopped early
has whole seeds.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING

from distill.inputs import stored_rate_hz
from distill.teachers.names import NONE, TEACHER_HZ, files_of
from distill.training.effort import effort_by_name
from distill.training.recipe import load_recipe
from nas.bench.distillation.cells import (
    Cell,
    Ground,
    Recipe,
    RecipePace,
    Steps,
    planned,
    student_arch,
)
from nas.bench.distillation.records import (
    BenchDocument,
    CellJob,
    CellRecord,
    GroundJob,
    GroundRecord,
    Judges,
    file_of,
)
from nas.bench.distillation.tables import BenchConfig
from nas.bench.distillation.worker import Processes
from nas.models.backend import check_judges
from nas.models.readout import RULES
from nas.run.documents import read_kept, write_kept
from nas.run.folder import held
from nas.run.job.machine import versions
from nas.run.job.progress import Progress
from nas.run.people import People, gather_for
from nas.run.target import load_target
from ppg.augment.bank import PREPARATION
from ppg.readout.transitions import fit_transitions
from ppgnas.errors import RunError
from search_spaces.arch import Arch

if TYPE_CHECKING:
    from distill.losses.mix import Mix


@dataclass(frozen=True)
class Finished:
    """A finished bench."""

    config: BenchConfig
    document: BenchDocument
    seeds: tuple[int, ...]
    grounds: dict[Ground, GroundRecord]
    cells: dict[Cell, CellRecord]


def run_bench(
    config: BenchConfig,
    out: Path,
    *,
    seeds: Sequence[int],
    worker: Processes,
    command: str,
    progress: Progress,
) -> Finished:
    """Do what the folder does not hold yet.

    Args:
        out: `bench.json`, one JSON file a ground and a cell, and a cache.
        seeds: of the trainings; people are split by the seed of the configuration.

    Raises:
        PpgnasError: the data or a student cannot be used, or the folder holds another bench.
    """
    for row in config.rows:
        _mix(row.recipe)
    archs = {row.recipe.student: student_arch(row.recipe.student) for row in config.rows}
    people = gather_for(config, acceleration=any(a.acceleration for a in archs.values()))
    for note in people.notes:
        progress.say(note)
    check_judges(config.teacher, [*people.search, *people.report])
    out.mkdir(parents=True, exist_ok=True)
    with held(out / ".lock", out):
        document = _claimed(config, out, people, command)
        bench = _Bench(config, out, people, archs, worker, progress)
        grounds: dict[Ground, GroundRecord] = {}
        cells: dict[Cell, CellRecord] = {}
        for seed in seeds:
            own = bench.grounds(seed)
            if not document.steps:
                document = bench.planned(document, own)
                write_kept(file_of(out), document)
            grounds |= own
            cells |= bench.cells(seed, document.steps)
            shutil.rmtree(bench.cache(seed), ignore_errors=True)
        return Finished(config, document, tuple(seeds), grounds, cells)


def _claimed(config: BenchConfig, out: Path, people: People, command: str) -> BenchDocument:
    """`bench.json`: written, or checked."""
    told = asdict(config)
    # Defaults are not told, so that an option that is new changes no bench of before.
    changed = [f.name for f in fields(config) if getattr(config, f.name) != f.default]
    asked = {name: told[name] for name in changed}
    asked.pop("device", None)
    asked |= {"fingerprint": people.fingerprint, **PREPARATION}
    if people.unlabelled is not None:
        asked["unlabelled_fingerprint"] = people.unlabelled.facts.fingerprint
    for file in files_of(config.teacher):
        asked[f"sha256 of {file}"] = hashlib.sha256(file.read_bytes()).hexdigest()
    known = read_kept(file_of(out), BenchDocument, damaged="choose another `out`")
    if known is None:
        new = BenchDocument(
            asked=asked,
            command=command,
            synthetic=people.synthetic,
            people=people.split.to_json(),
            versions=versions(),
        )
        write_kept(file_of(out), new)
        return new
    different = [key for key in asked | known.asked if asked.get(key) != known.asked.get(key)]
    if different:
        listed = "; ".join(
            f"`{key}`: {known.asked.get(key)!r} there, {asked.get(key)!r} asked"
            for key in different
        )
        raise RunError(
            f"`out` {out} holds a bench that was measured otherwise ({listed}). Ask for the same "
            "to go on with it, or choose another `out`"
        )
    if known.steps and known.steps.keys() != {row.recipe.id for row in config.rows}:
        raise RunError(
            f"`out` {out} holds a bench with other rows, of another ppgnas; choose another `out`"
        )
    if known.command != command:  # with more seeds, say
        known = replace(known, command=command)
        write_kept(file_of(out), known)
    return known


def _mix(recipe: Recipe) -> Mix:
    from distill.losses.mix import chosen_mix  # brings torch

    return chosen_mix(recipe.mix, effort=effort_by_name("quick"), taught=recipe.teacher != NONE)


class _Bench:
    """A bench that is being run."""

    def __init__(
        self,
        config: BenchConfig,
        out: Path,
        people: People,
        archs: dict[str, Arch],
        worker: Processes,
        progress: Progress,
    ) -> None:
        self.out, self.people, self.archs = out, people, archs
        self.worker, self.progress = worker, progress
        self.minutes, self.effort = config.minutes, effort_by_name(config.effort)
        self.recipes = [*dict.fromkeys(row.recipe for row in config.rows)]
        self.target = load_target(config.board, config.engine, period_s=config.period_s)
        transitions, rule = fit_transitions(people.train), RULES[self.target.file]
        assistants = [load_recipe(recipe.stages).rates_hz for recipe in self.recipes]
        own = {arch.rate_hz for arch in archs.values()}
        self.rates_hz = {TEACHER_HZ} | own.union(*assistants)
        self.featured = {recipe.source for recipe in self.recipes if _mix(recipe).features}
        self.judges = Judges(people.search, people.report, transitions, rule)

    def cache(self, seed: int) -> Path:
        """What can be made again, of a seed."""
        return self.out / "cache" / f"seed-{seed}"

    def grounds(self, seed: int) -> dict[Ground, GroundRecord]:
        """The grounds of a seed; teacher and pool are there for cells that are missing."""
        cells = [Cell(recipe, seed) for recipe in self.recipes]
        known: dict[Ground, GroundRecord] = {}
        for ground in dict.fromkeys(cell.ground for cell in cells):
            record = read_kept(file_of(self.out, ground), GroundRecord, ground=ground)
            if record is not None:
                known[ground] = record
        missing = [cell for cell in cells if not file_of(self.out, cell).exists()]
        jobs = [self._ground_job(g) for g in dict.fromkeys(cell.ground for cell in missing)]

        def keep(index: int, record: GroundRecord) -> None:
            # What it took the first time stays: a pool that is made again adds nothing.
            if record.ground not in known:
                known[record.ground] = record
                write_kept(file_of(self.out, record.ground), record)

        with self.progress.phase(f"teachers and pools, seed {seed}") as tick:
            self.worker.prepare(jobs, tick, keep)
        return known

    def planned(
        self, document: BenchDocument, grounds: dict[Ground, GroundRecord]
    ) -> BenchDocument:
        """The document with paces and steps, measured on the grounds of a seed."""
        seed = next(iter(grounds)).seed
        trained = dict.fromkeys(recipe.trained_as for recipe in self.recipes)
        jobs = [self._cell_job(Cell(recipe, seed), Steps(1, 0)) for recipe in trained]
        pace: dict[str, RecipePace] = {}

        def keep(index: int, found: RecipePace) -> None:
            pace[jobs[index].cell.recipe.id] = found

        with self.progress.phase("paces") as tick:
            self.worker.pace(jobs, tick, keep)
        share = self.effort.qat_steps / self.effort.finetune_steps
        pace = {recipe.id: pace[recipe.trained_as.id] for recipe in self.recipes}
        ground_s = {ground.source: record.seconds for ground, record in grounds.items()}
        steps = {
            recipe.id: planned(
                recipe, pace[recipe.id], ground_s, minutes=self.minutes, int8_share=share
            )
            for recipe in self.recipes
        }
        return replace(document, pace=pace, steps=steps)

    def cells(self, seed: int, steps: dict[str, Steps]) -> dict[Cell, CellRecord]:
        """The cells of a seed."""
        known: dict[Cell, CellRecord] = {}
        for recipe in self.recipes:
            cell = Cell(recipe, seed)
            record = read_kept(file_of(self.out, cell), CellRecord, cell=cell)
            if record is not None:
                known[cell] = record
        wanted = [Cell(recipe, seed) for recipe in self.recipes]
        jobs = [self._cell_job(c, steps[c.recipe.id]) for c in wanted if c not in known]
        # Cells of one training share a folder: the later ones find it trained.
        first: dict[Path, CellJob] = {}
        later = [job for job in jobs if first.setdefault(job.folder, job) is not job]

        def keep(_: int, record: CellRecord) -> None:
            known[record.cell] = record
            write_kept(file_of(self.out, record.cell), record)

        with self.progress.phase(f"networks, seed {seed}") as tick:
            self.worker.train([*first.values()], tick, keep)
            if later:
                self.worker.train(later, tick, keep)
        return known

    def _ground_job(self, ground: Ground) -> GroundJob:
        unlabelled = self.people.unlabelled if ground.unlabelled else None
        return GroundJob(
            ground,
            self.people.train,
            [] if unlabelled is None else unlabelled.recordings,
            self.judges,
            self.effort,
            rate_hz=stored_rate_hz(tuple(sorted(self.rates_hz))),
            acceleration=any(arch.acceleration for arch in self.archs.values()),
            features=ground.source in self.featured,
            folder=self.cache(ground.seed) / f"ground-{ground.id}",
            teachers=self.cache(ground.seed) / f"teachers-{ground.people or 'all'}",
        )

    def _cell_job(self, cell: Cell, steps: Steps) -> CellJob:
        arch = self.archs[cell.recipe.student]
        cache = self.cache(cell.seed)
        return CellJob(
            cell,
            arch,
            self.target,
            steps,
            self.judges,
            self.effort,
            pool=cache / f"ground-{cell.ground.id}" / "pool",
            folder=cache / f"cell-{Cell(cell.recipe.trained_as, cell.seed).id}",
        )
