"""Names of teachers, and what a name promises before anything is built; no torch here.

Beside them what is known of a trained teacher, as its file, `run.toml` and the report have it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ppgnas.errors import PpgnasError
from ppgnas.task import PPG

NONE, AUTO = "none", "auto"
WITHOUT_ACCELERATION = "-ppg"
ENSEMBLE = "ensemble:"
ONNX = ".onnx"
MOST_MEMBERS = 5
TEACHER_HZ = 32  # what a teacher reads that is trained here; more holds nothing below 5 Hz

AUTOMATIC: Mapping[str, str] = {
    "smoke": "resnet-small",
    "quick": "spectral",
    "standard": "spectral",
    "thorough": "ensemble:spectral,resnet-small",
}
"""What `auto` is for an effort: on people it was not trained on `spectral` errs less for its
minutes than `resnet-small` (docs/distillation.md); with much time one that reads in another way
joins it."""


@dataclass(frozen=True)
class Preset:
    """One teacher that is trained here.

    Attributes:
        parameters, macs: with acceleration, at 32 Hz.
        step_ms: of one core, for a step of 128 windows: measured on a shared two-core virtual
            machine with AVX-512, torch 2.13, November 2026, as CPU time.
        steps: of its training, to a step of `Effort.teacher_steps`; a large network takes longer a
            step and gets fewer.
    """

    about: str
    parameters: int
    macs: int
    step_ms: float
    steps: float = 1.0

    def minutes(self, teacher_steps: int) -> float:
        """Of a training on two cores."""
        return self.steps * teacher_steps * self.step_ms / 2 / 60_000


PRESETS: Mapping[str, Preset] = {
    "resnet-small": Preset("residual network, three stages", 319_508, 8_323_968, 63),
    "resnet-medium": Preset("residual network, four stages", 1_116_628, 20_131_968, 119),
    "resnet-50": Preset("residual network, 50 layers in bottlenecks", 1_947_444, 29_042_688, 226),
    "transformer-small": Preset("patches, four blocks", 474_324, 14_369_664, 208),
    "transformer-large": Preset("patches, six blocks", 4_810_164, 151_565_312, 1467, 0.4),
    "spectral": Preset("spectra, convolutions over heart rates", 68_661, 15_297_152, 107, 0.5),
    "recurrent": Preset("convolutions, recurrent units both ways", 318_132, 18_155_264, 278),
}


class TeacherNameError(PpgnasError, ValueError):
    """A text names no teacher."""


def plain(name: str) -> str:
    """The name of a preset, whether or not it reads acceleration."""
    return name.removesuffix(WITHOUT_ACCELERATION)


def is_preset(name: str) -> bool:
    """Whether a name is of a teacher that is trained here."""
    return plain(name) in PRESETS


def members_of(name: str) -> tuple[str, ...]:
    """The single teachers that a name means: none, one, or those of an ensemble."""
    if name == NONE:
        return ()
    if not name.startswith(ENSEMBLE):
        return (name,)
    return tuple(part.strip() for part in name.removeprefix(ENSEMBLE).split(","))


def chosen(name: str, *, effort: str) -> str:
    """The name itself, or what `auto` is for an effort."""
    return AUTOMATIC[effort] if name == AUTO else name


def reading(name: str, inputs: str | None) -> str:
    """The name of the same teacher that reads these inputs: PPG alone is `NAME-ppg`.

    Files stay what they are.

    Args:
        name: see `files_of`, but not `auto`.
        inputs: of `ppgnas.task.INPUTS`, or None for what the name says.
    """
    if inputs != PPG or name == NONE:
        return name
    members = [
        plain(each) + WITHOUT_ACCELERATION if is_preset(each) else each
        for each in members_of(name)
    ]
    return f"{ENSEMBLE if name.startswith(ENSEMBLE) else ''}{','.join(members)}"


def files_of(name: str) -> tuple[Path, ...]:
    """The files that a name means; empty where everything is trained here.

    Args:
        name: `none`, `auto`, a name of `PRESETS` with or without `-ppg`, the path of a teacher,
            or `ensemble:` and two to five of the last two with commas.

    Raises:
        TeacherNameError: it is neither a name nor a file.
    """
    if name == AUTO:
        return ()
    members = members_of(name)
    if name.startswith(ENSEMBLE) and not (
        2 <= len(members) <= MOST_MEMBERS and len(set(members)) == len(members)
    ):
        raise TeacherNameError(
            f"`teacher` {name!r} names {len(members)} members; an ensemble has 2 to "
            f"{MOST_MEMBERS} different ones. Write for example "
            f"{ENSEMBLE}resnet-small,spectral"
        )
    files = []
    for member in members:
        if is_preset(member):
            continue
        if not Path(member).is_file():
            raise TeacherNameError(
                f"`teacher` {member!r} is neither {', '.join((*PRESETS, AUTO))} nor {NONE} nor a "
                "file; name one of them, or the path of a teacher.safetensors (`ppgnas teachers "
                "list` shows the names)"
            )
        files.append(Path(member))
    return tuple(files)


@dataclass(frozen=True, kw_only=True)
class TeacherFacts:
    """Size, cost and accuracy of a teacher.

    Attributes:
        macs: multiply-accumulate operations for one window; None of an ONNX file.
        train_s: seconds that its training took, of its members together.
        temperature: its logits are divided by; 1 for an ensemble, whose members have their own.
        search_mae_bpm: raw error on search people, mean over people.
        ece_before, ece_after: expected calibration error on search people without and with the
            temperatures, see `calibration.expected_calibration_error`.
    """

    name: str
    parameters: int
    train_s: float
    temperature: float
    search_mae_bpm: float
    ece_before: float
    ece_after: float
    macs: int | None = None
    members: tuple[TeacherFacts, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The fields as a file has them: what is not known or not there is left out."""
        told = {key: value for key, value in vars(self).items() if value is not None}
        if not self.members:
            return {key: value for key, value in told.items() if key != "members"}
        return {**told, "members": [member.to_json() for member in self.members]}
