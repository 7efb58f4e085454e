"""The work of a bench, as a worker process does it: grounds, paces, cells."""

from __future__ import annotations

import random
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from itertools import accumulate
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from distill.compression.retrain import float_network, parts_of, retrain
from distill.evaluation import predict_windows
from distill.finalist import FinalistJob
from distill.pool import make_pool
from distill.teachers.base import Teacher
from distill.teachers.choice import TEACHER_HZ, teacher_of
from distill.teachers.files import load_teacher
from distill.teachers.names import is_preset, members_of
from distill.training.checkpoint import save_checkpoint
from distill.training.recipe import load_recipe
from nas.bench.distillation.cells import Ground
from nas.bench.distillation.jobs import CellJob, GroundJob, Judges
from nas.bench.distillation.plan import RecipePace
from nas.bench.distillation.records import CellRecord, GroundRecord, PeopleErrors
from nas.bench.distillation.spent import Spent
from nas.run.progress import Tick
from ppg.augment.bank import TrainingBank
from ppg.augment.unlabelled import UnlabelledBank
from ppg.people.metrics import mae_by_person, mean_over_people
from ppg.people.split import people_of
from ppg.readout.smoothing import read_series
from ppg.recording import Recording
from ppg.windows import InputSpec, WindowSet, windows_of
from search_spaces.lower import lower
from search_spaces.network import Network

PACE_STEPS, PACE_WARMUP = 60, 5
TEACHER_STEM = "teacher"
READ_AT_ONCE = 256


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
    return GroundRecord(
        ground=job.ground,
        teacher_s=sum(_seconds_of(job, name) for name in members_of(job.ground.teacher)),
        pool_s=spent.seconds,
        teacher_parameters=sum(weights.numel() for weights in teacher.parameters()),
        teacher_facts=teacher.facts,
        teacher_errors=_errors_of_logits(_logits(teacher, windows), windows, job.judges),
    )


def measure_pace(job: CellJob, progress: Tick) -> RecipePace:
    """A few steps of all stages; what the network learns is thrown away."""
    torch.manual_seed(0)
    with tempfile.TemporaryDirectory() as folder:
        weights = Path(folder) / "initial.safetensors"
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


def _middle(at_s: Sequence[float]) -> float:
    """Seconds between two steps, the first ones of a few left out."""
    seconds = np.diff(at_s[min(PACE_WARMUP, len(at_s) // 2) :])
    return float(np.median(seconds)) if len(seconds) else 0.0


def train_cell(job: CellJob, progress: Tick) -> CellRecord:
    """Train, then read report people once."""
    finalist = _finalist(job)
    spent = Spent(job.folder / "seconds.json")
    if not finalist.weights.exists():
        torch.manual_seed(job.cell.seed)
        save_checkpoint(finalist.weights, Network(job.arch))
    search, report = (windows_of(r, job.arch) for r in (job.judges.search, job.judges.report))
    result = retrain(finalist, search, spent.watching(progress))
    seconds, search_bpm = spent.seconds, result.search_mae_bpm
    if job.cell.recipe.quantisation == "float":
        unrounded = float_network(finalist)
        read = _raw(_logits(unrounded, search), search)
        search_bpm = mean_over_people(abs(read - search.hr_bpm), search.person)
        errors = _errors_of_logits(_logits(unrounded, report), report, job.judges)
    else:
        found = predict_windows(
            result.net, report, transitions=job.judges.transitions, rule=job.judges.rule
        )
        errors = _errors(report, found.raw.bpm, found.smoothed.bpm)
    return CellRecord(
        cell=job.cell,
        arch=result.arch,
        parameters=lower(result.arch).total_parameters,
        costs=job.target.costs(result.arch),
        steps=job.steps,
        seconds=seconds,
        search_bpm=search_bpm,
        errors=errors,
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


def _seconds_of(job: GroundJob, name: str) -> float:
    """What a member took; one from a file, what that says of the machine that trained it."""
    if is_preset(name):
        return Spent(_file_of(job, name).with_suffix(".json")).seconds
    facts = load_teacher(Path(name)).facts
    return 0.0 if facts is None else facts.train_s


def _finalist(job: CellJob) -> FinalistJob:
    steps = job.steps
    effort = replace(job.effort, finetune_steps=steps.float_steps, qat_steps=steps.int8_steps)
    weights = job.folder / "initial.safetensors"
    return FinalistJob(
        job.arch,
        weights,
        job.pool,
        effort,
        job.cell.seed,
        rule=job.judges.rule,
        distill=job.cell.recipe.mix,
        recipe=load_recipe(job.cell.recipe.stages),
    )


def _drawn_people(train: Sequence[Recording], ground: Ground) -> list[Recording]:
    """The recordings of as many training people as the ground says."""
    if ground.people is None:
        return list(train)
    everybody = sorted(people_of(train))
    count = min(ground.people, len(everybody))
    chosen = set(random.Random(f"{ground.seed} people").sample(everybody, count))
    return [recording for recording in train if recording.person in chosen]


def _logits(module: nn.Module, windows: WindowSet) -> NDArray[np.float32]:
    """`(windows, classes)`."""
    with torch.no_grad():
        parts = torch.split(torch.from_numpy(windows.x), READ_AT_ONCE)
        found: NDArray[np.float32] = torch.cat([module(x) for x in parts]).numpy()
        return found


def _raw(logits: NDArray[np.float32], windows: WindowSet) -> NDArray[np.float64]:
    return read_series(logits, windows.recording, windows.start_s, smoothing="none")[0].bpm


def _errors_of_logits(
    logits: NDArray[np.float32], windows: WindowSet, judges: Judges
) -> PeopleErrors:
    raw, smoothed = read_series(
        logits, windows.recording, windows.start_s, transitions=judges.transitions
    )
    return _errors(windows, raw.bpm, smoothed.bpm)


def _errors(
    windows: WindowSet, raw: NDArray[np.float64], smoothed: NDArray[np.float64]
) -> PeopleErrors:
    raw_by, smoothed_by = (
        mae_by_person(windows.hr_bpm, bpm, windows.person, windows.people)
        for bpm in (raw, smoothed)
    )
    return PeopleErrors(raw_by, smoothed_by)
