"""Training one architecture, fixed or published, or a teacher alone.

An architecture becomes a folder that every verb takes as a model. It holds what a finalist of a
run has: `arch.json`, `graph.json`, `weights.safetensors`, `model.tflite`, `model.onnx`,
`predictions.csv` of the report people and, last, `card.json`. A teacher becomes one file that
`teacher` takes in searches and trainings.

Both appear whole or not at all; a killed training finds its teacher, its pool and its checkpoint
again in the hidden folder beside what it writes.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from distill.teachers.names import ONNX, TEACHER_HZ, is_preset, members_of
from distill.training.effort import effort_by_name
from distill.training.recipe import load_recipe
from hwmodels.path import USUAL
from nas.models.backend import check_judges, check_teacher, mix_of, site_of
from nas.models.folder import Judging, write_model
from nas.models.readout import RULES
from nas.run.card import Card, Origin, SearchErrors
from nas.run.config import ConfigError, TrainConfig
from nas.run.folder import METRICS, check_free, new_folder, new_place
from nas.run.job.progress import Progress, Silent
from nas.run.people import People, gather_for
from nas.run.target import load_target
from ppg.augment.bank import PREPARATION, TrainingBank
from ppg.readout.transitions import fit_transitions
from ppgnas.files import cache_folder
from ppgnas.parsing import refuse_idle
from ppgnas.task import PPG_ACC, TASK
from search_spaces.arch import Arch
from search_spaces.stages import at_task
from search_spaces.streaming import require_streamable

if TYPE_CHECKING:
    from distill.evaluation import Retrained
    from distill.teachers.base import Teacher
    from distill.teachers.names import TeacherFacts
    from distill.training.device import Site
    from distill.training.team import Team


Train = Callable[[Arch, TrainConfig, People, Path, Progress], "Retrained"]


def train_with_torch(
    arch: Arch, config: TrainConfig, people: People, cache: Path, progress: Progress
) -> Retrained:
    """The real training; imports torch."""
    from distill.fixed import train_fixed

    check_judges(config.teacher, [*people.search, *people.report])
    with progress.phase("training") as tick:
        return train_fixed(
            arch,
            train=people.train,
            search=people.search,
            unlabelled=people.unlabelled.recordings if people.unlabelled else (),
            effort=config.effort,
            seed=config.seed,
            teacher=config.taught_by,
            taught_with_acceleration=config.taught_with_acceleration,
            recipe=config.recipe,
            cache=cache,
            site=site_of(config.device),
            progress=tick,
            say=progress.say,
            rule=RULES[load_target(config.board, config.engine).file],
            distill=config.distill,
            mode=config.mode,
        )


def train_model(
    arch: Arch,
    config: TrainConfig,
    out: Path,
    *,
    command: str,
    progress: Progress,
    train: Train = train_with_torch,
) -> Card:
    """Train an architecture and write its folder.

    Args:
        arch: the architecture; what it reads is what `config.student_inputs` says, if anything.
        out: the folder; it must not exist.
        train: the training; the real one unless told otherwise.

    Raises:
        RunError: `out` exists, or another training writes it.
        PpgnasError: bad input.
    """
    check_free(out)
    check_teacher(config)  # before anything is read
    load_recipe(config.recipe)
    if config.student_inputs is not None:
        arch = replace(arch, acceleration=config.student_inputs == PPG_ACC)
    task = config.windows.task(arch.task)
    arch = at_task(arch, task, streams=config.mode == "streaming")
    if config.mode == "streaming":
        require_streamable(arch)
    config = replace(config, distill=mix_of(config))
    device = site_of(config.device).name
    target = load_target(config.board, config.engine, mode=config.mode, around=USUAL, task=task)
    if config.mode == "streaming":
        target.costs(arch)  # refuses what the engine cannot stream
    progress.say(f"Reading the recordings: {config.data}")
    people = gather_for(config, acceleration=arch.acceleration)
    for note in people.notes:
        progress.say(note)
    with new_place(out) as place:
        asked = _asked(config)
        cache = cache_folder(
            place,
            {
                "arch": arch.to_json(),
                "training": asked,
                "fingerprint": people.fingerprint,
                "unlabelled": people.unlabelled.facts.fingerprint if people.unlabelled else None,
                **PREPARATION,
            },
        )
        result = train(arch, config, people, cache, progress)
        judging = Judging(target, people, fit_transitions(people.train, task))
        origin = Origin(
            command=command,
            training={**asked, "device": device},
            split=people.split,
            one_person=people.one_person,
            fingerprint=people.fingerprint,
            search_mae_bpm=SearchErrors(retrained_int8=float(result.search_mae_bpm)),
        )
        with new_folder(out) as folder:
            card = write_model(folder, result.net, result.arch, judging=judging, origin=origin)
        if (cache / METRICS).is_dir():
            shutil.copytree(cache / METRICS, out / METRICS)
        shutil.rmtree(cache, ignore_errors=True)
    return card


FILE = "teacher.safetensors"
OF_STUDENTS = ("unlabelled", "student_inputs", "mode", "distill", "recipe", "board", "engine")


def _asked(config: TrainConfig) -> dict[str, Any]:
    """What a training was asked; what windows stands in the network that reads them."""
    apart = ("device", "windows")
    return {name: value for name, value in asdict(config).items() if name not in apart}


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
        ConfigError: no teacher is named, or a finished file.
        OptionError: an option of students is given.
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
    stated, usual = vars(config), vars(TrainConfig())
    idle = {name: stated[name] for name in OF_STUDENTS if stated[name] != usual[name]}
    refuse_idle("a teacher is trained, and no student", **idle)
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
    asked = _asked(config) | config.windows.task(TASK).changed
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
