"""From a name or a description in a file to a network that knows nothing yet."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

from pydantic import TypeAdapter

from distill.teachers import recurrent, resnet, spectral, transformer
from distill.teachers.base import Shape, Teacher
from distill.teachers.ensemble import Ensemble
from distill.teachers.foreign import ForeignShape, ForeignTeacher
from distill.teachers.names import WITHOUT_ACCELERATION, plain
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
