"""Names of teachers, and what a name promises before anything is built; no torch here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ppgnas.errors import PpgnasError

NONE, AUTO = "none", "auto"
WITHOUT_ACCELERATION = "-ppg"
ENSEMBLE = "ensemble:"
MOST_MEMBERS = 5

AUTOMATIC: Mapping[str, str] = {
    "smoke": "resnet-small",
    "quick": "resnet-small",
    "standard": "resnet-small",
    "thorough": "resnet-small",
}
"""What `auto` is for an effort."""


@dataclass(frozen=True)
class Preset:
    """One teacher that is trained here.

    Attributes:
        about: what it is.
        steps: of its training, to a step of `Effort.teacher_steps`; a large network takes longer a
            step and gets fewer.
    """

    about: str
    steps: float = 1.0


PRESETS: Mapping[str, Preset] = {
    "resnet-small": Preset("residual network, three stages"),
    "resnet-medium": Preset("residual network, four stages"),
    "resnet-50": Preset("residual network of 50 layers in bottlenecks"),
    "transformer-small": Preset("transformer over patches, four blocks"),
    "transformer-large": Preset("transformer over patches, six blocks", 0.4),
    "spectral": Preset("spectra of PPG and acceleration, convolutions over heart rates"),
    "recurrent": Preset("convolutions, then recurrent units both ways"),
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
            f"{ENSEMBLE}resnet-small,resnet-small-ppg"
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
