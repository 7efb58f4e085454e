"""Laws of error against size, fitted with a floor and checked on sizes that were left out.

The published law is `c + a exp(-b log10 N)`. As exp(-b log10 N) = N^(-b / ln 10), it is a power
law with a floor under another name, so the two cannot be told apart by any data. What can be told
apart is fitted here: `power`, c + a N^-b, which is both of them; `exponential`, c + a exp(-b N);
and `no floor`, a N^-b. N are parameters, a and c at least 0.

For each b the best a and c are a least squares problem (`scipy.optimize.nnls`), so that only b is
sought, on a logarithmic scale.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar, nnls

from distill.teachers.names import NONE
from nas.bench.distillation.figures import Errors, cells_of, draws, matrix
from nas.bench.distillation.run import Finished
from nas.bench.interval import Interval

LawName = Literal["power", "exponential", "no floor"]
LAWS: tuple[LawName, ...] = get_args(LawName)
FITS = 300
GRID = 25
Floats = NDArray[np.float64]
_REACH = {"power": (0.02, 5.0), "no floor": (0.001, 5.0), "exponential": (0.01, 50.0)}
"""Of b; in `exponential` for N as a share of the geometric mean of the sizes."""


@dataclass(frozen=True)
class Law:
    """A fitted law.

    Attributes:
        floor_bpm, scale_bpm: c and a.
        rate: b; of `exponential` per share of `size`.
        size: geometric mean of the sizes of the fit, which N is taken as a share of.
    """

    name: LawName
    floor_bpm: float
    scale_bpm: float
    rate: float
    size: float

    def bpm(self, parameters: Floats) -> Floats:
        """The errors that it says."""
        return self.floor_bpm + self.scale_bpm * _falling(
            self.name, parameters / self.size, self.rate
        )


@dataclass(frozen=True)
class LawFigures:
    """A law on a bench.

    Attributes:
        law: fitted on the means.
        floor_bpm: c with its interval; None without a floor.
        rate: b likewise.
        left_out_bpm: mean error of the law on a size that it was not fitted on.
    """

    law: Law
    floor_bpm: Interval | None
    rate: Interval
    left_out_bpm: Interval


def fit_law(name: LawName, parameters: Floats, bpm: Floats) -> Law:
    """The law with the least squared error.

    Args:
        parameters, bpm: `(sizes,)`.
    """
    size = float(np.exp(np.log(parameters).mean()))
    shares = parameters / size

    def solved(log_rate: float) -> tuple[Floats, float]:
        falling = _falling(name, shares, np.exp(log_rate))
        floor = np.zeros_like(shares) if name == "no floor" else np.ones_like(shares)
        found, residual = nnls(np.stack([floor, falling], axis=1), bpm)
        return found, float(residual)

    low, high = np.log(_REACH[name])
    grid = np.linspace(low, high, GRID)
    best = int(np.argmin([solved(each)[1] for each in grid]))
    near = grid[max(0, best - 1)], grid[min(GRID - 1, best + 1)]
    rate = minimize_scalar(lambda each: solved(each)[1], bounds=near, method="bounded").x
    floor_bpm, scale_bpm = solved(rate)[0]
    return Law(name, float(floor_bpm), float(scale_bpm), float(np.exp(rate)), size)


def left_out_bpm(name: LawName, parameters: Floats, bpm: Floats) -> float:
    """Mean absolute error on each size of the law that was fitted on the others."""
    found = []
    for place in range(len(bpm)):
        others = np.arange(len(bpm)) != place
        law = fit_law(name, parameters[others], bpm[others])
        found.append(abs(float(law.bpm(parameters[[place]])[0]) - float(bpm[place])))
    return float(np.mean(found))


def law_figures(name: LawName, parameters: Sequence[int], errors: Sequence[Floats]) -> LawFigures:
    """A law with intervals, from people and seeds that are drawn anew, the same for all sizes.

    Args:
        errors: of each size `(seeds, people)`.
    """
    sizes = np.array(parameters, dtype=np.float64)
    stacked = np.stack(errors)  # (sizes, seeds, people)
    seeds, people = (places[: FITS + 1] for places in draws(*stacked.shape[1:]))
    means = stacked[:, seeds[:, :, None], people[:, None, :]].mean(axis=(2, 3))
    laws = [fit_law(name, sizes, means[:, draw]) for draw in range(means.shape[1])]
    missed = [left_out_bpm(name, sizes, means[:, draw]) for draw in range(0, FITS + 1, 10)]
    floors = np.array([law.floor_bpm for law in laws])
    return LawFigures(
        laws[0],
        None if name == "no floor" else Interval.of(floors),
        Interval.of(np.array([law.rate for law in laws])),
        Interval.of(np.array(missed)),
    )


def _falling(name: LawName, shares: Floats, rate: float) -> Floats:
    return np.exp(-rate * shares) if name == "exponential" else shares**-rate


ALONE, TAUGHT = "labels alone", "with a teacher"
FEWEST_SIZES = 4  # a law has three constants, and one size is left out


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
        cells = cells_of(finished, recipe)
        people = tuple(cells[0].errors.raw)
        own[cells[0].parameters] = matrix([cell.errors for cell in cells], people, "raw")
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
