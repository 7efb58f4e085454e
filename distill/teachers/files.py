"""A teacher's file: weights, what the network is, whom it was trained on, what it errs by.

A name, or the description in a file, gives a network that knows nothing yet.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from distill.teachers import recurrent, resnet, spectral, transformer
from distill.teachers.base import Ensemble, Shape, Teacher
from distill.teachers.foreign import ForeignShape, ForeignTeacher, declared
from distill.teachers.names import ONNX, WITHOUT_ACCELERATION, TeacherFacts, files_of, plain
from distill.training.checkpoint import load_checkpoint, read_facts
from ppg.frontend import FRONT_END
from ppg.identity import known_people
from ppg.recording import Recording
from ppgnas.errors import RunError
from ppgnas.parsing import mistake
from ppgnas.task import TASK, Task

_FAMILIES: Mapping[
    str, tuple[type[Shape], Callable[[Any], Teacher], Mapping[str, Mapping[str, Any]]]
] = {
    "resnet": (resnet.ResNetShape, resnet.ResNetTeacher, resnet.SIZES),
    "transformer": (
        transformer.TransformerShape,
        transformer.TransformerTeacher,
        transformer.SIZES,
    ),
    "spectral": (spectral.SpectralShape, spectral.SpectralTeacher, spectral.SIZES),
    "recurrent": (recurrent.RecurrentShape, recurrent.RecurrentTeacher, recurrent.SIZES),
    "onnx": (ForeignShape, ForeignTeacher, {}),
}
_SIZES = {
    name: (shape, sizes) for shape, _, of in _FAMILIES.values() for name, sizes in of.items()
}
FIRST_FAMILY = "resnet"  # of files that name none


def shape_of(name: str, *, acceleration: bool, rate_hz: int, task: Task = TASK) -> Shape:
    """Of a preset.

    Args:
        name: of `names.PRESETS`, with or without `-ppg`.
    """
    kind, sizes = _SIZES[plain(name)]
    reads = acceleration and not name.endswith(WITHOUT_ACCELERATION)
    return kind(channels=4 if reads else 1, rate_hz=rate_hz, task=task, **sizes)


def build(shape: Shape) -> Teacher:
    """The network of a shape, with weights from torch's random state."""
    make = next(make for kind, make, _ in _FAMILIES.values() if kind is type(shape))
    return make(shape)


def description(teacher: Teacher) -> dict[str, Any]:
    """What a file says of the network; JSON values."""
    if isinstance(teacher, Ensemble):
        return {"members": [description(member) for member in teacher.teachers]}
    family = next(name for name, (_, make, _) in _FAMILIES.items() if make is type(teacher))
    shape = asdict(teacher.shape)
    if not teacher.shape.task.changed:
        del shape["task"]
    return {"family": family, "shape": shape}


def from_description(facts: Mapping[str, Any]) -> Teacher:
    """The network that `description` describes, with random weights.

    Raises:
        ValueError: nothing that this version can build; pydantic's is one.
    """
    if isinstance(members := facts.get("members"), list) and members:
        singles = [_single(_TABLE.validate_python(member)) for member in members]
        return Ensemble(singles)
    return _single(facts)


def _single(facts: Mapping[str, Any]) -> Teacher:
    family = facts.get("family", FIRST_FAMILY)
    if family not in _FAMILIES:
        raise ValueError(f"family: {family!r}; known: {', '.join(_FAMILIES)}")
    return build(TypeAdapter(_FAMILIES[family][0]).validate_python(facts.get("shape")))


_TABLE = TypeAdapter(dict[str, Any])


_TEACHER = "pass a teacher.safetensors of a run"


def load_teacher(path: Path) -> Teacher:
    """Read a finished teacher.

    Raises:
        RunError: not a teacher, or one whose training did not end.
        TeacherNameError: no such file.
    """
    files_of(str(path))
    raw = read_facts(path)
    try:
        facts = _FACTS.validate_python(raw)
        teacher = from_description(raw)
    except ValueError as error:
        why = mistake(error) if isinstance(error, ValidationError) else error
        raise RunError(f"{path} is not a finished teacher ({why}); {_TEACHER}") from error
    if facts.step != facts.identity.steps:
        raise RunError(f"{path} is not a finished teacher; {_TEACHER}")
    if facts.identity.front_end != FRONT_END:
        raise RunError(
            f"{path} was made by another ppgnas, whose networks read another front end; train it "
            "again with `teacher` resnet-small"
        )
    load_checkpoint(path, teacher)
    teacher.facts = facts.measured
    if isinstance(teacher, Ensemble) and facts.measured is not None:
        for member, told in zip(teacher.teachers, facts.measured.members, strict=False):
            member.facts = told
    return teacher.eval()


def check_unseen(path: Path, recordings: Iterable[Recording]) -> None:
    """Refuse a teacher that was trained on people who judge this search.

    Raises:
        RunError: it knows one of them, or does not say whom it was trained on.
    """
    identity = identity_of(path)
    if identity.people is None:
        raise RunError(
            f"{path} does not say whom the teacher was trained on; pass a teacher.safetensors "
            "that this version made, or `teacher` resnet-small"
        )
    known = known_people(recordings, identity.people, identity.also_in)
    if known:
        raise RunError(
            f"{path} was trained on {', '.join(known[:3])}, who is a search or report person "
            f"here ({len(known)} such people); use the split of the run that made it, or "
            "`teacher` resnet-small"
        )


@dataclass(frozen=True, kw_only=True)
class Identity:
    """What a teacher's file says of its training, of what is read here."""

    steps: int = 0
    front_end: str = ""
    people: tuple[str, ...] | None = None
    also_in: tuple[str, ...] = ()


def identity_of(path: Path) -> Identity:
    """Whom a teacher was trained on.

    Raises:
        RunError: no teacher.
    """
    if path.suffix == ONNX:
        return Identity(people=declared(path).people)
    try:
        return _IDENTITY.validate_python(read_facts(path).get("identity", {}))
    except ValidationError as error:
        raise RunError(f"{path} is no teacher ({mistake(error)}); {_TEACHER}") from error


@dataclass(frozen=True)
class _Facts:
    identity: Identity
    step: int
    measured: TeacherFacts | None = None


_FACTS = TypeAdapter(_Facts)
_IDENTITY = TypeAdapter(Identity)
