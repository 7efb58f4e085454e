"""What the bench is asked, and its presets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from nas.run.config import check_choice
from ppg.segments.held_out import FEWEST_HOURS

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
        data: folders of recordings, or `synthetic`.
        preset: of `PRESETS`.
        method: of the PPG encoder.
        seed: of trainings, draws, and of who is held out.
        held_out_hours: that whole people must last who are held out.
        device: that trains.
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
