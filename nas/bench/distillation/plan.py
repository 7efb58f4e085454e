"""Equal minutes: how many steps each row of a bench may train.

Minutes are of one core, as the processor counts them for the process that trains, so that a busy
machine does not cut a training short. A row pays for its ground (training the teacher, drawing the
pool, asking the teacher for its answers) as if it were trained alone, and for its own training.
`minutes` is what is left for the training of the row with the costliest ground; every other row,
labels alone above all, trains as much longer as its ground is cheaper. Grounds and the pace of
each row, in seconds a step of its stages, are measured with the first seed and then stay, so that
a seed repeats a bench. The steps of float and int8 training keep the proportion of the effort.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from nas.bench.distillation.cells import Recipe, Source


@dataclass(frozen=True)
class RecipePace:
    """Seconds of one core for a step of the float training, and of the one for integers."""

    float_s: float
    int8_s: float


@dataclass(frozen=True)
class Steps:
    """Steps of the float training, and of the one for integers."""

    float_steps: int
    int8_steps: int


def planned(
    recipe: Recipe,
    pace: RecipePace,
    ground_s: Mapping[Source, float],
    *,
    minutes: float,
    int8_share: float,
) -> Steps:
    """The steps of a row.

    Args:
        recipe: the row.
        pace: of it.
        ground_s: seconds of all grounds of the bench.
        minutes: see above.
        int8_share: int8 steps to a float step, where the training knows of the integers.
    """
    seconds = 60 * minutes + max(ground_s.values()) - ground_s[recipe.source]
    share = int8_share if recipe.quantisation == "aware" else 0.0
    steps = max(1, int(seconds / (pace.float_s + share * pace.int8_s)))
    return Steps(steps, max(1, round(steps * share)) if share else 0)
