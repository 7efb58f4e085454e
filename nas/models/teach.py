"""Training a teacher alone, into one file that `teacher` takes in searches and trainings.

The file appears whole or not at all; a training that was killed finds its checkpoint, and the
members of an ensemble theirs, in the hidden folder beside it.
"""

from __future__ import annotations

import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from distill.teachers.names import ONNX, TEACHER_HZ, is_preset, members_of
from distill.training.effort import AUTO, effort_by_name
from nas.models.backend import check_judges, check_teacher, site_of
from nas.run.config import ConfigError, TrainConfig
from nas.run.folder import check_free, new_place
from nas.run.job.progress import Progress, Silent
from nas.run.people import People, gather_for
from ppg.augment.bank import PREPARATION
from ppgnas.files import cache_folder
from ppgnas.task import TASK

if TYPE_CHECKING:
    from distill.teachers.base import Teacher
    from distill.teachers.facts import TeacherFacts
    from distill.training.device import Site
    from distill.training.team import Team

FILE = "teacher.safetensors"


@dataclass(frozen=True)
class ReportErrors:
    """MAE of a teacher on report people in BPM, in float: mean over so many people."""

    name: str
    people: int
    mae_bpm: float
    mae_bpm_smoothed: float


@dataclass(frozen=True)
class Taught:
    """A finished teacher.

    Attributes:
        report: its errors and, of an ensemble, those of each member; no file holds them. Empty in
            all but the first process of `torchrun`.
    """

    facts: TeacherFacts
    report: tuple[ReportErrors, ...] = ()


def teach(config: TrainConfig, out: Path, *, progress: Progress) -> Taught:
    """Train the teacher that `config.teacher` names.

    Under `torchrun` every process calls this, and they share the training; the first one writes,
    and then reads report people once.

    Args:
        config: on what, and how long; board, engine and period mean nothing here.
        out: the file to write; it must not exist.

    Raises:
        ConfigError: no teacher is named, or a finished file, or an option of students.
        RunError: `out` exists, or another training writes it.
        PpgnasError: bad input.
    """
    from distill.teachers.choice import reads_acceleration
    from distill.training.team import launched

    check_teacher(config)  # before anything is read
    members = members_of(config.taught_by)
    if len(members) < 2 and not any(is_preset(m) or Path(m).suffix == ONNX for m in members):
        raise ConfigError(
            f"`teacher` {config.teacher} is nothing to train; name a teacher (`ppgnas teachers "
            "list` shows them)"
        )
    if config.unlabelled is not None:
        raise ConfigError(
            "`unlabelled` is for students: a teacher learns from labels; leave it out"
        )
    if config.student_inputs is not None:
        raise ConfigError(
            f"`student_inputs` is {config.student_inputs}, and no student is trained; say "
            "`teacher_inputs`"
        )
    if config.mode == "streaming":
        raise ConfigError(
            "`mode` streaming is for students: a teacher reads windows, of whatever students; "
            "leave it out"
        )
    if (config.distill, config.recipe) != (AUTO, "direct"):
        raise ConfigError(
            f"`distill` {config.distill} and `recipe` {config.recipe} are for students: a teacher "
            "learns from labels, in one stage; leave them out"
        )
    config.windows.task(TASK)  # before anything is read
    site = site_of(config.device)
    with launched(site.device) as together:
        if together is not None and together.rank > 0:
            progress = Silent()
        check_free(out)
        progress.say(f"Reading the recordings: {config.data}")
        acceleration = any(map(reads_acceleration, members))
        people = gather_for(config, acceleration=acceleration)
        for note in people.notes:
            progress.say(note)
        check_judges(config.teacher, [*people.search, *people.report])
        if together is not None and together.rank > 0:
            cache = together.share(Path)
            taught = _train(config, people, cache, site, progress, acceleration, together)
            return Taught(_facts(taught))
        with new_place(out) as place:
            cache = _cache(place, config, people)
            if together is not None:
                together.share(lambda: cache)
            taught = _train(config, people, cache, site, progress, acceleration, together)
            (cache / FILE).replace(out)
            shutil.rmtree(cache, ignore_errors=True)
    return Taught(_facts(taught), _reported(taught, people))


def _cache(place: Path, config: TrainConfig, people: People) -> Path:
    apart = ("device", "windows")
    asked = {name: value for name, value in asdict(config).items() if name not in apart}
    asked |= config.windows.task(TASK).changed
    made_for = {"training": asked, "fingerprint": people.fingerprint, **PREPARATION}
    return cache_folder(place, made_for)


def _train(
    config: TrainConfig,
    people: People,
    cache: Path,
    site: Site,
    progress: Progress,
    acceleration: bool,
    together: Team | None,
) -> Teacher:
    from distill.teachers.choice import teacher_of
    from ppg.augment.bank import TrainingBank

    with progress.phase("teacher") as tick:
        teacher = teacher_of(
            config.taught_by,
            TrainingBank(people.train, acceleration=acceleration, task=config.windows.task(TASK)),
            people.search,
            rate_hz=TEACHER_HZ,
            effort=effort_by_name(config.effort),
            seed=config.seed,
            path=cache / FILE,
            processes=site.processes,
            progress=tick,
            device=site.device,
            launched=together,
        )
    assert teacher is not None
    return teacher


def _facts(teacher: Teacher) -> TeacherFacts:
    assert teacher.facts is not None  # it was trained just now
    return teacher.facts


def _reported(teacher: Teacher, people: People) -> tuple[ReportErrors, ...]:
    """Of the teacher and its members, whose readings are smoothed as a student's are."""
    from distill.evaluation import decoded, float_logits
    from distill.teachers.base import Ensemble
    from ppg.readout.transitions import fit_transitions
    from ppg.windows import InputSpec, windows_of

    found = []
    transitions = fit_transitions(people.train, teacher.inputs.task)
    for each in (teacher, *(teacher.teachers if isinstance(teacher, Ensemble) else ())):
        reads = each.inputs
        windows = windows_of(
            people.report, InputSpec(reads.rate_hz, reads.channels > 1, reads.task)
        )
        read = decoded(float_logits(each, windows), windows, transitions=transitions)
        errors = read.summary()
        means = errors.mae_bpm, errors.mae_bpm_smoothed
        found.append(ReportErrors(_facts(each).name, len(errors.people), *means))
    return tuple(found)
