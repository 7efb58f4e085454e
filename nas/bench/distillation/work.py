"""The work of a bench, as worker processes do it: teachers and pools, then paces and trainings."""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from dataclasses import replace
from itertools import accumulate
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from distill.baselines import Baseline, baseline
from distill.compression.retrain import float_network, parts_of, retrain
from distill.evaluation import Predictions, decoded, float_logits, predict_windows, raw_mae_bpm
from distill.finalist import OBSERVED_BATCHES, FinalistJob, fit_finalist
from distill.pool import make_pool, open_pool
from distill.teachers.base import Ensemble, Teacher
from distill.teachers.choice import teacher_of
from distill.teachers.names import TEACHER_HZ, is_preset, members_of
from distill.training.checkpoint import save_checkpoint
from distill.training.effort import Effort
from distill.training.fit import ALONE, settle_norms
from distill.training.recipe import load_recipe
from nas.bench.distillation.cells import Ground, RecipePace, Steps, plain_kind
from nas.bench.distillation.records import (
    CellJob,
    CellRecord,
    GroundJob,
    GroundRecord,
    Judges,
    PeopleErrors,
)
from nas.run.documents import read_document
from nas.run.job.progress import Tick
from ppg.augment.bank import TrainingBank
from ppg.augment.unlabelled import UnlabelledBank
from ppg.people.metrics import mae_by_person
from ppg.people.split import people_of
from ppg.recording import Recording
from ppg.windows import InputSpec, WindowSet, windows_of
from ppgnas.files import temporary_folder, write_json_atomic
from search_spaces.arch import Arch
from search_spaces.lower import lower
from search_spaces.network import Network

KEEP_EVERY_S = 10.0


class Spent:
    """Counts from its making on, what it counted before a kill included.

    Args:
        path: where the seconds are kept; what is lost in a kill are at most the last ten.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._before_s = read_document(path, _seconds) if path.exists() else 0.0
        self._began_s = self._kept_s = time.process_time()

    @property
    def seconds(self) -> float:
        """Until now."""
        return self._before_s + time.process_time() - self._began_s

    def keep(self) -> None:
        """Write them."""
        write_json_atomic(self._path, {"seconds": self.seconds})

    def watching(self, progress: Tick) -> Tick:
        """A progress that keeps the seconds now and then."""

        def tick(done: int, total: int, note: str) -> None:
            if time.process_time() - self._kept_s >= KEEP_EVERY_S:
                self._kept_s = time.process_time()
                self.keep()
            progress(done, total, note)

        return tick


def _seconds(document: dict[str, float]) -> float:
    return float(document["seconds"])


REST, IN_MOTION = "rest", "all but rest"


def errors_of(read: Predictions) -> PeopleErrors:
    """Of all windows, within each activity that is known, and of all but those at rest."""
    windows = read.windows

    def within(rows: NDArray[np.bool_]) -> PeopleErrors:
        raw_by, smoothed_by = (
            mae_by_person(windows.hr_bpm[rows], bpm[rows], windows.person[rows], windows.people)
            for bpm in (read.raw.bpm, read.smoothed.bpm)
        )
        return PeopleErrors(raw_by, smoothed_by)

    done = {name: windows.activity == code for code, name in enumerate(windows.activity_names)}
    moving = (windows.activity >= 0) & ~done.get(REST, np.zeros(len(windows), np.bool_))
    done = {IN_MOTION: moving, **done}
    activities = {name: within(rows) for name, rows in done.items() if rows.any()}
    return replace(within(np.ones(len(windows), np.bool_)), activities=activities)


def judged(
    network: nn.Module, search: WindowSet, report: WindowSet, judges: Judges
) -> tuple[float, PeopleErrors]:
    """Raw error on search people, and the errors of report people, of a network in float."""
    search_bpm = raw_mae_bpm(float_logits(network, search), search)
    read = decoded(float_logits(network, report), report, transitions=judges.transitions)
    return search_bpm, errors_of(read)


TEACHER_STEM = "teacher"


def train_member(job: GroundJob, progress: Tick) -> float:
    """Train the one teacher that a ground names; the seconds that it took."""
    job.teachers.mkdir(parents=True, exist_ok=True)
    spent = Spent(_file_of(job, job.ground.teacher).with_suffix(".json"))
    _teacher(job, _bank(job), spent.watching(progress))
    spent.keep()
    return spent.seconds


def prepare_ground(job: GroundJob, progress: Tick) -> GroundRecord:
    """Draw the pool, ask the teacher for it, and read report people with the teacher."""
    job.folder.mkdir(parents=True, exist_ok=True)
    bank = _bank(job)
    spent = Spent(job.folder / "pool.json")
    teacher = _teacher(job, bank, progress)
    more = None
    if job.unlabelled:
        more = UnlabelledBank(job.unlabelled, acceleration=job.acceleration)
    make_pool(
        bank,
        teacher,
        folder=job.folder / "pool",
        batches=job.effort.pool_batches,
        batch=job.effort.batch,
        rate_hz=job.rate_hz,
        seed=job.ground.seed,
        progress=spent.watching(progress),
        unlabelled=more,
        features=job.features,
    )
    spent.keep()
    if teacher is None:
        return GroundRecord(ground=job.ground, teacher_s=0.0, pool_s=spent.seconds)
    inputs = InputSpec(teacher.inputs.rate_hz, teacher.inputs.channels > 1)
    windows = windows_of(job.judges.report, inputs)
    read = decoded(float_logits(teacher, windows), windows, transitions=job.judges.transitions)
    return GroundRecord(
        ground=job.ground,
        teacher_s=_seconds_of(job, teacher),
        pool_s=spent.seconds,
        teacher_parameters=sum(weights.numel() for weights in teacher.parameters()),
        teacher_facts=teacher.facts,
        teacher_errors=errors_of(read),
    )


def _bank(job: GroundJob) -> TrainingBank:
    return TrainingBank(_drawn_people(job.train, job.ground), acceleration=job.acceleration)


def _teacher(job: GroundJob, bank: TrainingBank, progress: Tick) -> Teacher | None:
    """What the ground names, from its members' files where they are there."""
    teacher = teacher_of(
        job.ground.teacher,
        bank,
        job.judges.search,
        rate_hz=TEACHER_HZ,
        effort=job.effort,
        seed=job.ground.seed,
        path=_file_of(job, job.ground.teacher),
        processes=1,
        progress=progress,
    )
    if teacher is not None and not job.ground.calibrated:
        for each in teacher.modules():
            if isinstance(each, Teacher):
                each.temperature.fill_(1.0)
    return teacher


def _file_of(job: GroundJob, name: str) -> Path:
    """Where `teacher_of` keeps an ensemble, and its members beside it."""
    stem = f"{TEACHER_STEM}-{name}" if is_preset(name) else TEACHER_STEM
    return job.teachers / f"{stem}.safetensors"


def _seconds_of(job: GroundJob, teacher: Teacher) -> float:
    """What the members took; one from a file, what that says of the machine that trained it."""
    names = members_of(job.ground.teacher)
    # A file may hold a whole ensemble: it is one name.
    members = [teacher]
    if isinstance(teacher, Ensemble) and len(names) > 1:
        members = teacher.teachers
    told = [member.facts.train_s if member.facts is not None else 0.0 for member in members]
    return sum(
        Spent(_file_of(job, name).with_suffix(".json")).seconds if is_preset(name) else train_s
        for name, train_s in zip(names, told, strict=True)
    )


def _drawn_people(train: Sequence[Recording], ground: Ground) -> list[Recording]:
    """The recordings of as many training people as the ground says."""
    if ground.people is None:
        return list(train)
    everybody = sorted(people_of(train))
    count = min(ground.people, len(everybody))
    chosen = set(random.Random(f"{ground.seed} people").sample(everybody, count))
    return [recording for recording in train if recording.person in chosen]


PACE_STEPS, PACE_WARMUP = 60, 5


def measure_pace(job: CellJob, progress: Tick) -> RecipePace:
    """A few steps of all stages; what the network learns is thrown away."""
    if plain_kind(job.cell.recipe.student) is not None:
        return _plain_pace(job)
    torch.manual_seed(0)
    with temporary_folder() as folder:
        weights = folder / "initial.safetensors"
        save_checkpoint(weights, Network(job.arch))
        few = replace(job.effort, finetune_steps=PACE_STEPS, qat_steps=PACE_STEPS)
        own = replace(_finalist(job), weights=weights, effort=few)
        parts = [part.steps for part in parts_of(own)]
        windows = windows_of(job.judges.search[:1], job.arch)
        at_s: list[float] = []
        retrain(own, windows, lambda *_: at_s.append(time.process_time()))
    ends = [*accumulate(parts)]
    pace_s = [_middle(at_s[end - part : end]) for part, end in zip(parts, ends, strict=True)]
    float_s = sum(s * part for s, part in zip(pace_s[:-1], parts[:-1], strict=True))
    return RecipePace(float_s / PACE_STEPS, pace_s[-1])


def _plain_pace(job: CellJob) -> RecipePace:
    at_s: list[float] = []
    with temporary_folder() as folder:
        own = replace(job, steps=Steps(PACE_STEPS, 0), folder=folder)
        _train_plain(own, lambda *_: at_s.append(time.process_time()))
    return RecipePace(_middle(at_s), 0.0)


def _middle(at_s: Sequence[float]) -> float:
    """Seconds between two steps, the first ones of a few left out."""
    seconds = np.diff(at_s[min(PACE_WARMUP, len(at_s) // 2) :])
    return float(np.median(seconds)) if len(seconds) else 0.0


def train_cell(job: CellJob, progress: Tick) -> CellRecord:
    """Train, then read report people once."""
    spent = Spent(job.folder / "seconds.json")
    watched = spent.watching(progress)
    search, report = (windows_of(r, job.arch) for r in (job.judges.search, job.judges.report))
    arch: Arch | None = None
    if plain_kind(job.cell.recipe.student) is not None:
        network = _train_plain(job, watched)
        parameters, seconds = network.parameters_folded, spent.seconds
        search_bpm, errors = judged(network, search, report, job.judges)
    else:
        finalist = _finalist(job)
        if not finalist.weights.exists():
            torch.manual_seed(job.cell.seed)
            save_checkpoint(finalist.weights, Network(job.arch))
        result = retrain(finalist, search, watched)
        spent.keep()  # for a cell of the same training
        arch, seconds = result.arch, spent.seconds
        parameters = lower(arch).total_parameters
        if job.cell.recipe.quantisation == "float":
            search_bpm, errors = judged(float_network(finalist), search, report, job.judges)
        else:
            search_bpm = result.search_mae_bpm
            found = predict_windows(
                result.net, report, transitions=job.judges.transitions, rule=job.judges.rule
            )
            errors = errors_of(found)
    return CellRecord(
        cell=job.cell,
        arch=arch,
        parameters=parameters,
        costs=None if arch is None else job.target.costs(arch),
        steps=job.steps,
        seconds=seconds,
        search_bpm=search_bpm,
        errors=errors,
    )


def _train_plain(job: CellJob, progress: Tick) -> Baseline:
    """In float, from what a student learns from but features."""
    kind = plain_kind(job.cell.recipe.student) or ""
    parameters = lower(job.arch).total_parameters
    torch.manual_seed(job.cell.seed)
    network = baseline(kind, parameters, acceleration=job.arch.acceleration)
    job.folder.mkdir(parents=True, exist_ok=True)
    pool, own = open_pool(job.pool), _finalist(job)
    own = replace(own, distill=own.mix(pool).without_features().text)
    fit_finalist(own, network, ALONE, progress)
    settle_norms(network, (pool.of(x, job.arch) for x in pool.inputs(OBSERVED_BATCHES)))
    return network


def _finalist(job: CellJob) -> FinalistJob:
    weights = job.folder / "initial.safetensors"
    return FinalistJob(
        job.arch,
        weights,
        job.pool,
        _effort(job),
        job.cell.seed,
        rule=job.judges.rule,
        distill=job.cell.recipe.mix,
        recipe=load_recipe(job.cell.recipe.stages),
    )


def _effort(job: CellJob) -> Effort:
    steps = job.steps
    return replace(job.effort, finetune_steps=steps.float_steps, qat_steps=steps.int8_steps)
