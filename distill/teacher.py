"""The teacher: a 1D residual network that need not fit any chip.

It sees the whole window (no causality), is trained first on training people, and its logits are
divided by one temperature fitted on search people, because an over-confident teacher teaches less.

Reference for the shape: He et al. 2016 (arXiv 1512.03385), two 3-tap convolutions a block, here
with five taps over time.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from pydantic import TypeAdapter, ValidationError
from torch import Tensor, nn

from distill.losses import fit_temperature, label_loss
from distill.training.checkpoint import Checkpoint, load_checkpoint, read_facts
from distill.training.device import CPU, mixed_precision, moved, placed
from distill.training.effort import Effort
from distill.training.fit import Schedule, fit, make_optimiser
from distill.training.norms import settle_norms
from distill.training.progress import Progress
from distill.training.team import SHARDS, Team, team
from ppg.augment.bank import PREPARATION, TrainingBank
from ppg.frontend import FRONT_END
from ppg.identity import known_people
from ppg.readout.classes import soft_labels
from ppg.recording import Recording
from ppg.windows import InputSpec, WindowSet, windows_of
from ppgnas.errors import RunError
from ppgnas.parsing import mistake
from ppgnas.task import CLASSES

TEACHER_HZ = 32
PEAK_RATE = 3e-3
CHECKPOINT_EVERY = 200
NORM_BATCHES = 16
_TEACHER = "pass a teacher.safetensors of a run"
SETTLING = SHARDS  # draws of no shard of the training


@dataclass(frozen=True)
class TeacherShape:
    """Input channels and rate, stem width, width and blocks of each stage that halves time."""

    channels: int
    rate_hz: int
    stem: int = 32
    widths: tuple[int, ...] = (48, 64, 96)
    blocks: tuple[int, ...] = (2, 2, 2)
    kernel: int = 5

    def __post_init__(self) -> None:
        sizes = (self.channels, self.rate_hz, self.stem, self.kernel, *self.widths, *self.blocks)
        if not 1 <= min(sizes) <= max(sizes) <= 512 or sum(self.blocks) > 16:
            raise ValueError(f"{self} has a size outside of 1 to 512, or more than 16 blocks")
        if len(self.widths) != len(self.blocks):
            raise ValueError(f"{self} has other numbers of widths and blocks")


class _Residual(nn.Module):
    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int) -> None:
        super().__init__()
        pad = kernel // 2
        self.first = nn.Conv2d(
            inputs, outputs, (1, kernel), stride=(1, stride), padding=(0, pad), bias=False
        )
        self.first_norm = nn.BatchNorm2d(outputs)
        self.second = nn.Conv2d(outputs, outputs, (1, kernel), padding=(0, pad), bias=False)
        self.second_norm = nn.BatchNorm2d(outputs)
        self.shortcut: nn.Module = nn.Identity()
        if stride > 1 or inputs != outputs:
            self.shortcut = nn.Sequential(
                nn.Conv2d(inputs, outputs, 1, stride=(1, stride), bias=False),
                nn.BatchNorm2d(outputs),
            )

    def forward(self, x: Tensor) -> Tensor:
        value = F.relu(self.first_norm(self.first(x)))
        return F.relu(self.second_norm(self.second(value)) + self.shortcut(x))


class ResNetTeacher(nn.Module):
    """`(batch, channels, time)` to `(batch, classes)` logits, already divided by `temperature`."""

    def __init__(self, shape: TeacherShape) -> None:
        super().__init__()
        self.shape = shape
        self.stem = nn.Conv2d(
            shape.channels, shape.stem, (1, 9), stride=(1, 2), padding=(0, 4), bias=False
        )
        self.stem_norm = nn.BatchNorm2d(shape.stem)
        layers: list[nn.Module] = []
        width = shape.stem
        for out, blocks in zip(shape.widths, shape.blocks, strict=True):
            for index in range(blocks):
                layers.append(_Residual(width, out, shape.kernel, 2 if index == 0 else 1))
                width = out
        self.layers = nn.Sequential(*layers)
        self.head = nn.Linear(width, CLASSES)
        self.temperature: Tensor
        self.register_buffer("temperature", torch.ones(()))

    def forward(self, x: Tensor) -> Tensor:
        x = x[:, : self.shape.channels]
        have = x.shape[2] // 8
        if have != self.shape.rate_hz:
            x = F.interpolate(x, size=8 * self.shape.rate_hz, mode="linear", align_corners=False)
        x = x[:, :, None].contiguous(memory_format=torch.channels_last)
        features = self.layers(F.relu(self.stem_norm(self.stem(x)))).mean(dim=(2, 3))
        logits: Tensor = self.head(features) / self.temperature
        return logits


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
) -> ResNetTeacher | None:
    """The teacher that a name means.

    Args:
        name: `none`, `resnet-small`, which is trained, or the path of a teacher's file.
        bank, search, effort, seed, path, processes, progress, device: see `train_teacher`.
        rate_hz: what one that is trained reads.

    Raises:
        RunError: the file cannot be used, or reads more than the students.
    """
    if name == "none":
        return None
    if name == "resnet-small":
        inputs = InputSpec(rate_hz, bank.acceleration)
        return train_teacher(
            bank,
            windows_of(search, inputs),
            shape=TeacherShape(4 if bank.acceleration else 1, rate_hz),
            effort=effort,
            seed=seed,
            path=path,
            processes=processes,
            progress=progress,
            device=device,
        )
    teacher = placed(load_teacher(Path(name)), device)
    if teacher.shape.channels > 1 and not bank.acceleration:
        raise RunError(
            f"teacher {name} reads acceleration, and its students read PPG alone; use "
            "resnet-small or none"
        )
    return teacher


def _fit(
    own: Team,
    teacher: ResNetTeacher,
    bank: TrainingBank,
    effort: Effort,
    seed: int,
    checkpoint: Checkpoint,
    progress: Progress,
) -> None:
    device = teacher.temperature.device

    def losses(step: int, shard: int) -> Iterator[Tensor]:
        drawn = _draw(bank, teacher.shape, effort, seed, step, shard)
        x, labels = (moved(each, device) for each in drawn)
        yield label_loss(mixed_precision(device, teacher, x), labels)

    fit(
        teacher,
        losses,
        optimiser=make_optimiser(teacher),
        schedule=Schedule(effort.teacher_steps, PEAK_RATE, CHECKPOINT_EVERY),
        checkpoint=checkpoint,
        progress=progress,
        team=own,
    )


def _draw(
    bank: TrainingBank, shape: TeacherShape, effort: Effort, seed: int, step: int, shard: int
) -> tuple[Tensor, Tensor]:
    """Windows and soft labels of a shard."""
    rng = np.random.default_rng((seed, 1, step, shard))
    x, hr_bpm = bank.draw(rng, effort.batch // SHARDS, rate_hz=shape.rate_hz)
    return torch.from_numpy(x), torch.from_numpy(soft_labels(hr_bpm))


def _take_part(
    own: Team,
    bank: TrainingBank,
    shape: TeacherShape,
    effort: Effort,
    seed: int,
    checkpoint: Checkpoint,
) -> None:
    torch.manual_seed(seed)
    _fit(own, ResNetTeacher(shape), bank, effort, seed, checkpoint, lambda *_: None)


def train_teacher(
    bank: TrainingBank,
    search: WindowSet,
    *,
    shape: TeacherShape,
    effort: Effort,
    seed: int,
    path: Path,
    processes: int,
    progress: Progress,
    device: torch.device = CPU,
) -> ResNetTeacher:
    """Train on `bank`, fit the temperature on `search`, keep the result in `path`.

    A finished file of the same seed, effort and shape is taken; an unfinished one goes on.
    """
    torch.manual_seed(seed)
    teacher = placed(ResNetTeacher(shape), device)
    steps = effort.teacher_steps
    identity = {
        "seed": seed,
        "steps": steps,
        "batch": effort.batch,
        "shape": str(shape),
        "shards": SHARDS,
        "people": list(bank.people),
        "also_in": list(bank.also_in),
        **PREPARATION,
    }
    checkpoint = Checkpoint(path, identity, {"shape": asdict(shape)})
    if checkpoint.steps() == steps:
        load_checkpoint(path, teacher)
        return teacher.eval()
    with team(processes, _take_part, bank, shape, effort, seed, checkpoint) as whole:
        _fit(whole, teacher, bank, effort, seed, checkpoint, progress)
    batches = (_draw(bank, shape, effort, seed, step, SETTLING) for step in range(NORM_BATCHES))
    settle_norms(teacher, (x.to(device) for x, _ in batches))
    with torch.no_grad():
        logits = torch.cat(
            [teacher(x.to(device)).cpu() for x in torch.split(torch.from_numpy(search.x), 256)]
        )
        labels = torch.from_numpy(soft_labels(search.hr_bpm))
        teacher.temperature.fill_(fit_temperature(logits, labels))
    checkpoint.save(teacher, steps)
    return teacher


def load_teacher(path: Path) -> ResNetTeacher:
    """Read a finished teacher.

    Raises:
        RunError: not a teacher, or one whose training did not end.
    """
    if not path.is_file():
        raise RunError(f"teacher {str(path)!r} is neither a file nor one of: resnet-small, none")
    try:
        facts = _FACTS.validate_python(read_facts(path))
    except ValidationError as error:
        raise RunError(
            f"{path} is not a finished teacher ({mistake(error)}); {_TEACHER}"
        ) from error
    if facts.step != facts.identity.steps:
        raise RunError(f"{path} is not a finished teacher; {_TEACHER}")
    if facts.identity.front_end != FRONT_END:
        raise RunError(
            f"{path} was made by another ppgnas, whose networks read another front end; train it "
            "again with `teacher` resnet-small"
        )
    teacher = ResNetTeacher(facts.shape)
    load_checkpoint(path, teacher)
    return teacher.eval()


def check_unseen(path: Path, recordings: Iterable[Recording]) -> None:
    """Refuse a teacher that was trained on people who judge this search.

    Args:
        path: of a finished teacher.
        recordings: of search and report people.

    Raises:
        RunError: it knows one of them, or does not say whom it was trained on.
    """
    try:
        identity = _IDENTITY.validate_python(read_facts(path).get("identity", {}))
    except ValidationError as error:
        raise RunError(f"{path} is no teacher ({mistake(error)}); {_TEACHER}") from error
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
class _Identity:
    """What a teacher's file says of its training, of what is read here."""

    steps: int = 0
    front_end: str = ""
    people: tuple[str, ...] | None = None
    also_in: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Facts:
    identity: _Identity
    step: int
    shape: TeacherShape


_FACTS = TypeAdapter(_Facts)
_IDENTITY = TypeAdapter(_Identity)
