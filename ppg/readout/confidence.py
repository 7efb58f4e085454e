"""What a reading's spread says about its error, in BPM.

The class probabilities of a window have a standard deviation, its spread; that of a smoothed
reading also counts how far raw readings lie from smoothed ones (`ppg.readout.smoothing`).
Networks are sure of themselves in their own way, so the spread is not an error: a monotone
piecewise-linear map, fitted on people that the network was not trained on, says what mean absolute
error readings of that spread had. A dozen knots are enough, and fit on a chip.

Fit: windows sorted by spread are cut at fixed quantiles, finer where the spread is large and
errors are rare but heavy; the mean error of each part is made monotone by pooling adjacent
violators (Ayer et al., Ann. Math. Stat. 26, 1955). Each person weighs the same.

People differ more than networks: a person's mean error is anything from 1 to 20 BPM, so that two
people who happen to be easy make a table that is too sure by a factor of three. `PRIOR_PEOPLE`
people of a typical table (`ppg.readout.typical`) are therefore counted with them. On a dozen other
people the mean expected error was then 0.7 to 1.4 times the true one in 88 of 100 draws of 2 to 8
search people for raw readings, and in 94 for smoothed ones, whose table was for this that of the
networks of the other people; 88 and 82 with 6 of them and a spread of beliefs alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy
from numpy.typing import ArrayLike, NDArray

from ppg.people.metrics import person_weights
from ppgnas.errors import DataError

QUANTILES = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.88, 0.94, 0.98, 1.0)

DECIMALS = 4

PRIOR_PEOPLE = 12
DRAWS = 500  # of people, for an interval
HOLDS = (0.7, 1.4)  # mean expected over mean true error where a table holds

Series = NDArray[np.float64]


@dataclass(frozen=True)
class Confidence:
    """The map from spread to expected absolute error; flat beyond its ends.

    Attributes:
        spread_bpm: knots, rising.
        error_bpm: mean absolute error at each knot, never falling.
    """

    spread_bpm: tuple[float, ...]
    error_bpm: tuple[float, ...]

    def __post_init__(self) -> None:
        spread, error = np.array(self.spread_bpm), np.array(self.error_bpm)
        if spread.ndim != 1 or spread.shape != error.shape or not len(spread):
            raise DataError(
                f"confidence: {len(self.spread_bpm)} spreads and {len(self.error_bpm)} errors; "
                "allowed: one error a spread, at least one."
            )
        if not (np.isfinite(spread).all() and np.isfinite(error).all()) or (
            (np.diff(spread) <= 0).any() or (np.diff(error) < 0).any() or (error < 0).any()
        ):
            raise DataError(
                f"confidence: the knots are {self.spread_bpm} to {self.error_bpm}; allowed: "
                "spreads that rise, errors of 0 or more that do not fall."
            )

    def expected_error_bpm(self, spread_bpm: ArrayLike) -> Series:
        """Expected absolute error of readings of these spreads, `(windows,)`."""
        values = np.interp(np.asarray(spread_bpm, np.float64), self.spread_bpm, self.error_bpm)
        return np.asarray(values, dtype=np.float64)

    def to_json(self) -> dict[str, list[float]]:
        """Plain values."""
        return {"spread_bpm": list(self.spread_bpm), "error_bpm": list(self.error_bpm)}


def fit_confidence(
    spread_bpm: ArrayLike,
    error_bpm: ArrayLike,
    person: ArrayLike,
    *,
    prior: Confidence | None = None,
) -> Confidence:
    """Fit the map.

    Args:
        spread_bpm: `(windows,)` spread of each reading.
        error_bpm: `(windows,)` its error, signed or not.
        person: `(windows,)` whose it is.
        prior: a table with a knot for each part of `QUANTILES`, which counts as `PRIOR_PEOPLE`
            further people.

    Raises:
        DataError: no window, and no prior.
    """
    spread = np.asarray(spread_bpm, dtype=np.float64)
    error = np.abs(np.asarray(error_bpm, dtype=np.float64))
    weight = person_weights(person)
    if prior is not None:
        spread, error = np.append(spread, prior.spread_bpm), np.append(error, prior.error_bpm)
        shares = PRIOR_PEOPLE * np.diff(QUANTILES)
        weight = np.append(len(np.unique(person)) * weight, shares)
        weight /= weight.sum()
    if not len(spread):
        raise DataError("confidence: there is no window to learn from; give search people.")
    order = np.argsort(spread, kind="stable")
    spread, error, weight = spread[order], error[order], weight[order]
    done = np.cumsum(weight) - weight / 2
    part = np.clip(np.searchsorted(QUANTILES, done, side="right") - 1, 0, len(QUANTILES) - 2)
    knots: list[tuple[float, float, float]] = []  # spread, error, weight
    for number in np.unique(part):
        inside = part == number
        total = float(weight[inside].sum())
        place = round(float(weight[inside] @ spread[inside]) / total, DECIMALS)
        mean = float(weight[inside] @ error[inside]) / total
        if knots and place <= knots[-1][0]:  # equal spreads: one knot
            before = knots.pop()
            mean = (mean * total + before[1] * before[2]) / (total + before[2])
            place, total = before[0], total + before[2]
        knots.append((place, mean, total))
    errors = scipy.optimize.isotonic_regression(
        [k[1] for k in knots], weights=[k[2] for k in knots]
    ).x
    return Confidence(tuple(k[0] for k in knots), tuple(round(float(e), DECIMALS) for e in errors))


@dataclass(frozen=True)
class HeldOut:
    """How a table holds on people who are left out of it one at a time.

    Attributes:
        expected_bpm: mean over people of what the table of the others expects.
        error_bpm: mean over people of their mean absolute error.
        ratio_low, ratio_high: ends of the 90 % interval of the first by the second, people
            resampled; None in a card of an older version.
    """

    people: int
    expected_bpm: float
    error_bpm: float
    ratio_low: float | None = None
    ratio_high: float | None = None

    @property
    def holds(self) -> bool:
        """Whether expected and true error agree within `HOLDS`."""
        low, high = HOLDS
        return low * self.error_bpm <= self.expected_bpm <= high * self.error_bpm

    @property
    def known(self) -> bool:
        """Whether other people would have said so, too: the interval lies within `HOLDS`."""
        if self.ratio_low is None or self.ratio_high is None:
            return True
        return HOLDS[0] <= self.ratio_low and self.ratio_high <= HOLDS[1]


def leave_one_out(
    spread_bpm: ArrayLike, error_bpm: ArrayLike, person: ArrayLike, *, prior: Confidence
) -> HeldOut:
    """Fit the map without each person in turn, and ask it about that person.

    Args:
        spread_bpm, error_bpm, person, prior: see `fit_confidence`.
    """
    spread = np.asarray(spread_bpm, dtype=np.float64)
    error, who = np.abs(np.asarray(error_bpm, dtype=np.float64)), np.asarray(person)
    expected = np.zeros(len(spread))
    people = np.unique(who)
    for one in people:
        own = who == one
        others = fit_confidence(spread[~own], error[~own], who[~own], prior=prior)
        expected[own] = others.expected_error_bpm(spread[own])
    means = np.array([[row[who == one].mean() for one in people] for row in (expected, error)])
    drawn = np.random.default_rng(0).integers(len(people), size=(DRAWS, len(people)))
    of_draws = means[:, drawn].mean(axis=2)  # (2, draws)
    ratio = of_draws[0] / np.maximum(of_draws[1], 10**-DECIMALS)
    whole = [*means.mean(axis=1), *np.quantile(ratio, (0.05, 0.95))]
    return HeldOut(len(people), *(round(float(value), DECIMALS) for value in whole))


def _tie_blocks(
    expected_bpm: ArrayLike, error_bpm: ArrayLike, person: ArrayLike
) -> tuple[Series, Series, Series]:
    """Readings of one expected error, as nothing tells which of them is surer.

    Returns:
        `(blocks,)` expected errors, rising; the weight of each block's readings, all together 1;
        and their weighted sum of absolute errors.
    """
    error = np.abs(np.asarray(error_bpm, dtype=np.float64))
    weight = person_weights(person)
    expected, block = np.unique(np.asarray(expected_bpm, np.float64), return_inverse=True)
    mass, loss = (
        np.asarray(np.bincount(block, weights=part), dtype=np.float64)
        for part in (weight, weight * error)
    )
    return expected, mass, loss


def risk_coverage(
    expected_bpm: ArrayLike, error_bpm: ArrayLike, person: ArrayLike, coverage: ArrayLike
) -> Series:
    """Mean absolute error of the surest readings, for each share of readings that are kept.

    Readings of equal expected error are one block. Where a share ends inside a block, the fraction
    of it that is kept has the block's mean error, the expected one of a random order: the curve
    does not depend on the order of the readings.

    Args:
        expected_bpm: `(windows,)`; the readings with the smallest are kept first.
        error_bpm: `(windows,)` errors, signed or not.
        person: `(windows,)`; each person weighs the same at full coverage.
        coverage: `(points,)` shares above 0, at most 1.

    Returns:
        `(points,)` in BPM; at 1 it is the mean over people of each person's MAE.
    """
    _, mass, loss = _tie_blocks(expected_bpm, error_bpm, person)
    kept, risk = (np.concatenate([[0.0], np.cumsum(part)]) for part in (mass, loss))
    share = np.asarray(coverage, dtype=np.float64) * kept[-1]
    return np.asarray(np.interp(share, kept, risk) / share)


def reliability(
    expected_bpm: ArrayLike, error_bpm: ArrayLike, person: ArrayLike, *, parts: int = 10
) -> list[dict[str, float]]:
    """Expected and true mean absolute error of equal parts of the readings, surest first.

    Readings of equal expected error fall in one part, the one that their middle lies in: parts
    may then be unequal, and fewer than `parts`.

    Returns:
        `expected_bpm`, `error_bpm` and `share` of each part.
    """
    expected, mass, loss = _tie_blocks(expected_bpm, error_bpm, person)
    number = np.minimum(((np.cumsum(mass) - mass / 2) * parts).astype(np.int64), parts - 1)
    rows = []
    for part in np.unique(number):
        inside = number == part
        total = float(mass[inside].sum())
        rows.append(
            {
                "expected_bpm": float(mass[inside] @ expected[inside]) / total,
                "error_bpm": float(loss[inside].sum()) / total,
                "share": total,
            }
        )
    return rows
