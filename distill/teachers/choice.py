"""What a name of a teacher means, trained or read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import torch

from distill.teachers.base import Ensemble, Shape, Teacher
from distill.teachers.calibration import measured
from distill.teachers.files import build, description, identity_of, load_teacher, shape_of
from distill.teachers.foreign import declared, foreign_teacher
from distill.teachers.names import (
    ENSEMBLE,
    ONNX,
    PRESETS,
    WITHOUT_ACCELERATION,
    chosen,
    is_preset,
    members_of,
    plain,
)
from distill.teachers.training import train_teacher
from distill.training.checkpoint import Checkpoint
from distill.training.device import CPU, placed
from distill.training.effort import Effort, Progress
from distill.training.team import Team
from ppg.augment.bank import PREPARATION, TrainingBank
from ppg.recording import Recording
from ppg.windows import InputSpec, windows_of
from ppgnas.errors import RunError
from ppgnas.task import TASK, Task


def teacher_of(
    name: str,
    bank: TrainingBank,
    search: Sequence[Recording],
    *,
    rate_hz: int,
    effort: Effort,
    seed: int,
    path: Path,
    processes: int,
    progress: Progress,
    device: torch.device = CPU,
    launched: Team | None = None,
) -> Teacher | None:
    """The teacher that a name means, calibrated and in evaluation mode.

    Args:
        name: see `names.files_of`.
        bank, search, seed, processes, progress, device, launched: see `train_teacher`.
        rate_hz: what one that is trained reads.
        effort: `teacher_steps` are those of `resnet-small`; others take their share of them.
        path: file of the teacher. Members of an ensemble that are trained lie beside it, and it
            holds them all.

    Raises:
        RunError: a file cannot be used, or reads more than the students.
    """
    name = chosen(name, effort=effort.name)
    members = members_of(name)
    if not members:
        return None
    if not bank.acceleration and len({*map(plain, members)}) < len(members):
        raise RunError(
            f"`teacher` {name!r} names one network twice: these students read PPG alone, where "
            f"{members[0]} and the same with {WITHOUT_ACCELERATION} do not differ; name members "
            "that read in different ways, such as resnet-small,spectral"
        )
    found = []
    for member in members:
        own = path if len(members) == 1 else path.with_stem(f"{path.stem}-{Path(member).stem}")
        known: tuple[str, ...] = ()
        if is_preset(member):
            shape = shape_of(
                member, acceleration=bank.acceleration, rate_hz=rate_hz, task=bank.task
            )
            make: Callable[[], Teacher] = partial(build, shape)
            steps = steps_of(member, effort)
        elif Path(member).suffix == ONNX:
            make, steps = partial(foreign_teacher, Path(member)), effort.teacher_steps
            shape, known = make().shape, declared(Path(member)).people
            _check_reads(shape, Path(member), bank.task, acceleration=bank.acceleration)
        else:
            teacher = load_teacher(Path(member))
            _check_reads(teacher.shape, Path(member), bank.task, acceleration=bank.acceleration)
            found.append(placed(teacher, device))
            continue
        found.append(
            train_teacher(
                bank,
                windows_of(search, InputSpec(shape.rate_hz, shape.channels > 1, shape.task)),
                make=make,
                name=member,
                effort=replace(effort, teacher_steps=steps),
                seed=seed,
                path=own,
                processes=processes,
                progress=progress,
                device=device,
                known=known,
                launched=launched,
            )
        )
    if not name.startswith(ENSEMBLE):
        return found[0]
    write = launched is None or launched.rank == 0
    return _together(found, members, bank, search, name=name, path=path if write else None)


def steps_of(name: str, effort: Effort) -> int:
    """Training steps of a preset."""
    return max(1, round(PRESETS[plain(name)].steps * effort.teacher_steps))


def steps_and_networks(
    name: str, *, acceleration: bool, rate_hz: int, effort: Effort, task: Task = TASK
) -> list[tuple[float, Teacher]]:
    """Untrained networks of a name with their steps to one of `teacher_steps`, to measure pace.

    A finished teacher takes none, an ONNX file those of its head.

    Raises:
        RunError: as `teacher_of`.
    """
    found = []
    for member in members_of(chosen(name, effort=effort.name)):
        if is_preset(member):
            shape = shape_of(member, acceleration=acceleration, rate_hz=rate_hz, task=task)
            found.append((PRESETS[plain(member)].steps, build(shape)))
        else:
            is_foreign = Path(member).suffix == ONNX
            network = (foreign_teacher if is_foreign else load_teacher)(Path(member))
            _check_reads(network.shape, Path(member), task, acceleration=acceleration)
            trains = is_foreign and any(p.requires_grad for p in network.parameters())
            found.append((float(trains), network))
    return found


def reads_acceleration(member: str) -> bool:
    """Whether a single teacher of `members_of` does, where there is any.

    Raises:
        RunError: a file cannot be used.
    """
    if is_preset(member):
        return not member.endswith(WITHOUT_ACCELERATION)
    path = Path(member)
    channels = (
        declared(path).channels if path.suffix == ONNX else load_teacher(path).shape.channels
    )
    return channels > 1


def _check_reads(shape: Shape, path: Path, task: Task, *, acceleration: bool) -> None:
    if replace(task, stride_s=shape.task.stride_s) != shape.task:
        raise RunError(
            f"teacher {path} reads windows of {shape.task}, and its students those of {task}; "
            "name one that is trained here, such as resnet-small"
        )
    if shape.channels > 1 and not acceleration:
        raise RunError(
            f"teacher {path} reads acceleration, and its students read PPG alone; let it by "
            "`teacher_inputs` ppg+acc, or name one that does not, such as resnet-small-ppg"
        )


def _together(
    found: Sequence[Teacher],
    members: Sequence[str],
    bank: TrainingBank,
    search: Sequence[Recording],
    *,
    name: str,
    path: Path | None,
) -> Teacher:
    """An ensemble, kept in `path` with everybody that one of its members was trained on."""
    for member, teacher in zip(members, found, strict=True):
        if isinstance(teacher, Ensemble):
            raise RunError(f"{member} is an ensemble itself; name its members instead")
    whole = Ensemble(found).eval()
    inputs = InputSpec(whole.inputs.rate_hz, whole.inputs.channels > 1, whole.inputs.task)
    told = [member.facts.train_s for member in found if member.facts is not None]
    whole.facts = measured(whole, windows_of(search, inputs), name=name, train_s=sum(told))
    known = [identity_of(Path(member)) for member in members if not is_preset(member)]
    said = [bank.people, *(each.people for each in known)]
    people = None  # one that does not say whom it knows may know anybody
    if None not in said:
        people = sorted({person for each in said for person in each or ()})
    also_in = {*bank.also_in}.union(*(each.also_in for each in known))
    identity = {
        "steps": 1,
        "members": list(members),
        "people": people,
        "also_in": sorted(also_in),
        "fingerprint": bank.fingerprint,
        **PREPARATION,
    }
    facts = {**description(whole), "measured": whole.facts.to_json()}
    if path is not None:
        Checkpoint(path, identity, facts).save(whole, 1)
    return whole
