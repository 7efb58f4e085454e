"""What the bench is asked, the trainings that it takes, in their order, and what is kept of each.

One JSON file an encoder, so that a killed bench goes on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from nas.bench.crossmodal.measure import Retrieval
from nas.run.config import check_choice
from ppg.segments.shards import FEWEST_HOURS
from search_spaces.space import SearchSpace

if TYPE_CHECKING:
    from distill.encoders.job import Job


TEACHER, DISTILLED = "ppg teacher", "distilled"
MASKED, CONTRAST = "acc masked", "acc contrast"
ALONE = (MASKED, CONTRAST)  # encoders that learnt from acceleration alone
SUPERVISED, HAND, OWN_MEAN = "supervised", "hand features", "person's own mean"
SUPERVISED_SHARES = (1.0, 0.1, 0.01)

SHARES = (1.0, 0.3, 0.1, 0.03, 0.01)
"""Of the labelled segments of training people that a probe sees."""
DRAWS = 5  # of each share below all


@dataclass(frozen=True)
class Preset:
    """How long everything is trained.

    Attributes:
        net: size of the encoders with attention.
        teacher_steps, steps: of the PPG encoder, and of every encoder of acceleration.
        supervised_steps: of each training from labels.
        sizes_kb: of the compact encoders.
        compact_steps: of each.
    """

    net: str
    teacher_steps: int
    steps: int
    supervised_steps: int
    sizes_kb: tuple[int, ...]
    compact_steps: int


PRESETS: Mapping[str, Preset] = {
    "smoke": Preset("small", 6, 6, 4, (2,), 4),
    "brief": Preset("small", 300, 300, 100, (16, 8, 4, 2), 150),
    "small": Preset("small", 1500, 1500, 400, (16, 8, 4, 2), 600),
    "full": Preset("large", 20000, 20000, 4000, (16, 8, 4, 2), 20000),
}


@dataclass(frozen=True)
class CrossmodalConfig:
    """What is asked.

    Attributes:
        seed: of trainings, draws, and of who is held out.
        held_out_hours: that whole people must last who are held out.
    """

    data: tuple[str, ...]
    preset: str = "small"
    method: str = "contrast"
    seed: int = 0
    held_out_hours: float = FEWEST_HOURS
    device: str = "auto"

    def __post_init__(self) -> None:
        check_choice("preset", self.preset, tuple(PRESETS))
        check_choice("method", self.method, ("masked", "contrast"))


@dataclass(frozen=True)
class Cell:
    """One training.

    Attributes:
        name: of its row; that of a compact encoder is its size.
        taught: whether by the PPG encoder.
    """

    name: str
    job: Job
    taught: bool = False


@lru_cache(maxsize=4)
def cells_of(config: CrossmodalConfig) -> tuple[Cell, ...]:
    """All trainings but the supervised ones; the teacher comes first."""
    from distill.encoders.compact import compact_arch
    from distill.encoders.job import CHANNELS, Job
    from distill.encoders.transformer import SIZES, EncoderShape

    preset = PRESETS[config.preset]
    acc = EncoderShape(CHANNELS["acc"], **SIZES[preset.net])
    teacher = Job(
        sensor="ppg",
        method=config.method,  # type: ignore[arg-type]
        shape=EncoderShape(CHANNELS["ppg"], **SIZES[preset.net]),
        steps=preset.teacher_steps,
        seed=config.seed,
    )
    student = Job(sensor="acc", method="aligned", shape=acc, steps=preset.steps, seed=config.seed)
    space = SearchSpace.preset("default")
    return (
        Cell(TEACHER, teacher),
        Cell(DISTILLED, student, taught=True),
        Cell(MASKED, replace(student, method="masked")),
        Cell(CONTRAST, replace(student, method="contrast")),
        *(
            Cell(
                f"{DISTILLED} int8 {size_kb} KB",
                replace(
                    student,
                    shape=None,
                    arch=compact_arch(
                        space, 1024 * size_kb, channels=CHANNELS["acc"], seed=config.seed
                    ),
                    steps=preset.compact_steps,
                ),
                taught=True,
            )
            for size_kb in preset.sizes_kb
        ),
    )


@dataclass(frozen=True)
class Probe:
    """What one probe reads of held-out people.

    Attributes:
        target: `hr`, `sdnn`, `rmssd` or `activity`.
        draw: which of several draws of them.
        by_person: mean absolute error (BPM, ms), or share of segments told wrongly in percent.
        by_activity: the same of heart rate, mean over people; only with all labels.
    """

    target: str
    share: float
    draw: int
    labels: int
    by_person: dict[str, float]
    by_activity: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class EncoderRecord:
    """One row of the bench.

    Attributes:
        made_for: what it depends on; JSON values.
        parameters: of a float encoder; 0 where there is none.
        weight_bytes, latency_ms: of a compact one.
        retrieval: by where candidates come from; empty where nothing was aligned.
        ppg_xy, acc_xy: `(segments, 2)` of the picture, and `who` is in it.
        pictured: how the picture was made.
    """

    name: str
    made_for: str
    parameters: int = 0
    weight_bytes: int = 0
    latency_ms: float = 0.0
    differences: int | None = None
    train_s: float = 0.0
    probes: tuple[Probe, ...] = ()
    retrieval: dict[str, Retrieval] = field(default_factory=dict)
    ppg_xy: tuple[tuple[float, float], ...] = ()
    acc_xy: tuple[tuple[float, float], ...] = ()
    who: tuple[str, ...] = ()
    pictured: str = ""


def file_of(folder: Path, name: str) -> Path:
    """Where a record lies."""
    return folder / f"{name.replace(' ', '-').replace('%', 'percent')}.json"
