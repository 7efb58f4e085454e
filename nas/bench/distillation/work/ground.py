"""Teachers and pools."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

from distill.evaluation import decoded, float_logits
from distill.pool import make_pool
from distill.teachers.base import Ensemble, Teacher
from distill.teachers.choice import teacher_of
from distill.teachers.names import TEACHER_HZ, is_preset, members_of
from nas.bench.distillation.cells import Ground
from nas.bench.distillation.records import GroundJob, GroundRecord
from nas.bench.distillation.spent import Spent
from nas.bench.distillation.work.readings import errors_of
from nas.run.job.progress import Tick
from ppg.augment.bank import TrainingBank
from ppg.augment.unlabelled import UnlabelledBank
from ppg.people.split import people_of
from ppg.recording import Recording
from ppg.windows import InputSpec, windows_of

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
