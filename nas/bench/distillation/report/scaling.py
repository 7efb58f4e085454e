"""Laws of error against parameters, with a teacher and from labels alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from distill.teachers.names import NONE
from nas.bench.distillation.report.errors import Errors, errors_of
from nas.bench.distillation.report.laws import LAWS, LawFigures, law_figures
from nas.bench.distillation.run import Finished

ALONE, TAUGHT = "labels alone", "with a teacher"
FEWEST_SIZES = 4
"""A law has three constants, and one size is left out."""


@dataclass(frozen=True)
class Fitted:
    """Laws and the points that they were fitted on, by series."""

    laws: Mapping[str, tuple[LawFigures, ...]]
    points: Mapping[str, tuple[tuple[int, float], ...]]


def fitted_laws(finished: Finished) -> Fitted | None:
    """Fit all laws; None with too few sizes."""
    series: dict[str, dict[int, Errors]] = {ALONE: {}, TAUGHT: {}}
    for row in finished.config.rows:
        recipe = row.recipe
        own = series[ALONE if recipe.teacher == NONE else TAUGHT]
        parameters, errors = errors_of(finished, recipe)
        own[parameters] = errors
    series = {name: sizes for name, sizes in series.items() if len(sizes) > FEWEST_SIZES}
    if not series:
        return None
    laws = {
        name: tuple(law_figures(law, list(sizes), list(sizes.values())) for law in LAWS)
        for name, sizes in series.items()
    }
    points = {
        name: tuple((size, float(np.mean(errors))) for size, errors in sizes.items())
        for name, sizes in series.items()
    }
    return Fitted(laws, points)
