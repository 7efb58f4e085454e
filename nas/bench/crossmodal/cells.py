"""The trainings of the bench, in their order."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING

from nas.bench.crossmodal.config import PRESETS, CrossmodalConfig
from search_spaces.space import SearchSpace

if TYPE_CHECKING:
    from distill.encoders.job import Job

TEACHER, DISTILLED = "ppg teacher", "distilled"
MASKED, CONTRAST = "acc masked", "acc contrast"
ALONE = (MASKED, CONTRAST)
"""Encoders that learnt from acceleration alone."""
SUPERVISED, HAND, OWN_MEAN = "supervised", "hand features", "person's own mean"
SUPERVISED_SHARES = (1.0, 0.1, 0.01)


@dataclass(frozen=True)
class Cell:
    """One training.

    Attributes:
        name: of its row; that of a compact encoder is its size.
        job: what is trained.
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
                compact_name(size_kb),
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


def compact_name(size_kb: int) -> str:
    """Of a row."""
    return f"distilled int8 {size_kb} KB"


def supervised_name(share: float) -> str:
    """Of a training from a share of the labels."""
    return f"{SUPERVISED} {100 * share:g} %"
