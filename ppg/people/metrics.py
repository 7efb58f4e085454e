"""How well heart rates were read: errors per person, and means over people.

Every mean weighs each person the same, however many windows they have: MAE is the mean over
people of each person's MAE, and so are the share within 5 BPM, the bias and its limits.
Intervals come from resampling people, never windows, which overlap.

Arguments named `reference_bpm` and `bpm` are `(windows,)`; `person` `(windows,)` indexes into
`people`. People without a window are left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ppg.recording import data_set_of
from ppg.windows import WindowSet
from ppgnas.errors import DataError

Series = NDArray[np.float64]
LEVEL, DRAWS = 0.9, 4000  # of an interval


def person_weights(person: ArrayLike) -> Series:
    """`(windows,)` weights that sum to 1 and give each person the same."""
    _, position, counts = np.unique(np.asarray(person), return_inverse=True, return_counts=True)
    return np.asarray(1 / (len(counts) * counts[position]), dtype=np.float64)


def mean_over_people(values: ArrayLike, person: ArrayLike) -> float:
    """Mean over people of each person's mean of `values`; both `(windows,)`."""
    row, who = np.asarray(values), np.asarray(person)
    return float(np.mean([row[who == number].mean() for number in np.unique(who)]))


def mae_by_person(
    reference_bpm: ArrayLike, bpm: ArrayLike, person: ArrayLike, people: Sequence[str]
) -> dict[str, float]:
    """Mean absolute error of each person in BPM, in the order of `people`.

    Raises:
        DataError: no window, unequal lengths, values that are not finite, or an index outside
            `people`.
    """
    error, index = _errors(reference_bpm, bpm, person, people)
    return {
        people[number]: float(np.abs(error[index == number]).mean()) for number in np.unique(index)
    }


def mean_mae(by_person: dict[str, float]) -> float:
    """Mean over people of each person's MAE in BPM."""
    return float(np.mean(list(by_person.values())))


def bootstrap_mean(values: ArrayLike) -> tuple[float, float]:
    """90 % percentile interval of the mean of `values` `(people,)` when people are drawn anew.

    One person gives an interval of no width: nothing is known about other people then.

    Raises:
        DataError: no person, or a value that is not finite.
    """
    row = _finite("values", values)
    drawn = np.random.default_rng(0).integers(0, len(row), (DRAWS, len(row)))
    low, high = np.quantile(row[drawn].mean(axis=1), [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


@dataclass(frozen=True)
class _Errors:
    mae_bpm: float
    mae_bpm_smoothed: float


@dataclass(frozen=True)
class PersonErrors(_Errors):
    """Mean absolute errors on one person in BPM."""

    windows: int


@dataclass(frozen=True)
class DataSetErrors(_Errors):
    """Mean absolute errors in BPM, mean over the people of a data set."""

    people: int


@dataclass(frozen=True)
class ActivityErrors(PersonErrors):
    """Mean absolute errors within an activity in BPM, mean over the people who did it."""

    people: int


@dataclass(frozen=True)
class Summary:
    """The figures of a report, mean over people each; from readings without smoothing if not said.

    Attributes:
        mae_bpm_low, mae_bpm_high: 90 % interval of `mae_bpm`.
        mape_percent: mean absolute error in percent of the reference; CTA-2065 asks for 10.
        within_5_bpm: share of windows that err by at most 5 BPM, 0 to 1.
        bias_bpm, limits_bpm: mean error and 95 % limits of agreement, bias +- 1.96 SD, SD over
            windows with weights w that sum to 1: `sum(w (e - bias)^2) / (1 - sum(w^2))`.
    """

    windows: int
    mae_bpm: float
    mae_bpm_smoothed: float
    mae_bpm_low: float
    mae_bpm_high: float
    median_person_mae_bpm: float
    rmse_bpm: float
    mape_percent: float
    within_5_bpm: float
    bias_bpm: float
    limits_bpm: tuple[float, float]
    people: dict[str, PersonErrors]
    datasets: dict[str, DataSetErrors]

    @property
    def worst_person_mae_bpm(self) -> float:
        """The highest error of a person."""
        return max(person.mae_bpm for person in self.people.values())


def by_activity(
    windows: WindowSet, bpm: ArrayLike, bpm_smoothed: ArrayLike
) -> dict[str, ActivityErrors]:
    """Errors within each activity, mean over the people who did it.

    Args:
        windows, bpm, bpm_smoothed: as `summary`.

    Returns:
        By activity; unknown windows stand under `unknown`, and activities without a window are
        left out.
    """
    series = [np.asarray(row) for row in (windows.hr_bpm, bpm, bpm_smoothed, windows.person)]
    found = {}
    for number in np.unique(windows.activity):
        reference, raw, smooth, who = (row[windows.activity == number] for row in series)
        by_person = mae_by_person(reference, raw, who, windows.people)
        found["unknown" if number < 0 else windows.activity_names[number]] = ActivityErrors(
            mean_mae(by_person),
            mean_mae(mae_by_person(reference, smooth, who, windows.people)),
            len(reference),
            len(by_person),
        )
    return dict(sorted(found.items()))


def summary(windows: WindowSet, bpm: ArrayLike, bpm_smoothed: ArrayLike) -> Summary:
    """All figures.

    Args:
        bpm: `(windows,)` read from each window alone.
        bpm_smoothed: `(windows,)` after causal smoothing; only for `mae_bpm_smoothed`.

    Raises:
        DataError: as `mae_by_person`, or a reference of 0 or below.
    """
    reference, person, people = windows.hr_bpm, windows.person, windows.people
    error, index = _errors(reference, bpm, person, people)
    weights = person_weights(person)
    if (reference <= 0).any():
        raise DataError(
            f"metrics: a reference heart rate is {reference.min():g}; allowed: above 0."
        )
    raw = mae_by_person(reference, bpm, person, people)
    smooth = mae_by_person(reference, bpm_smoothed, person, people)
    low, high = bootstrap_mean(list(raw.values()))
    bias = float(np.sum(weights * error))
    # Bland and Altman, J Biopharm Stat 17, 2007: the sample variance where weights are equal.
    freedom = 1 - float(np.sum(weights**2))
    spread = float(np.sum(weights * (error - bias) ** 2))
    reach = float(1.96 * np.sqrt(spread / freedom)) if freedom > 1e-12 else 0.0
    counts = np.bincount(index, minlength=len(people))
    members: dict[str, list[str]] = {}
    for name in raw:
        members.setdefault(data_set_of(name), []).append(name)
    return Summary(
        windows=int(counts.sum()),
        mae_bpm=mean_mae(raw),
        mae_bpm_smoothed=mean_mae(smooth),
        mae_bpm_low=low,
        mae_bpm_high=high,
        median_person_mae_bpm=float(np.median(list(raw.values()))),
        rmse_bpm=float(np.sqrt(np.sum(weights * error**2))),
        mape_percent=float(np.sum(weights * np.abs(error) / reference) * 100),
        within_5_bpm=float(np.sum(weights * (np.abs(error) <= 5))),
        bias_bpm=bias,
        limits_bpm=(bias - reach, bias + reach),
        people={
            name: PersonErrors(raw[name], smooth[name], count)
            for name, count in zip(people, counts.tolist(), strict=True)
            if count
        },
        datasets={
            name: DataSetErrors(
                float(np.mean([raw[who] for who in of])),
                float(np.mean([smooth[who] for who in of])),
                len(of),
            )
            for name, of in sorted(members.items())
        },
    )


def _finite(name: str, values: ArrayLike) -> Series:
    row = np.asarray(values, dtype=np.float64)
    if row.ndim != 1 or not len(row):
        raise DataError(f"metrics: {name} has the shape {row.shape}; allowed: (n,), n above 0.")
    if not np.isfinite(row).all():
        index = int(np.argmin(np.isfinite(row)))
        raise DataError(f"metrics: {name} is {row[index]} at {index}; allowed: finite numbers.")
    return row


def _errors(
    reference_bpm: ArrayLike, bpm: ArrayLike, person: ArrayLike, people: Sequence[str]
) -> tuple[Series, NDArray[np.int64]]:
    """`bpm - reference_bpm` `(windows,)`, and the person of each window."""
    reference, read = _finite("reference_bpm", reference_bpm), _finite("bpm", bpm)
    index = np.asarray(person, dtype=np.int64)
    if not len(reference) == len(read) == len(index):
        raise DataError(
            f"metrics: {len(reference)} references, {len(read)} readings and {len(index)} "
            f"persons; allowed: one of each per window."
        )
    if not (0 <= index.min() and index.max() < len(people)):
        raise DataError(
            f"metrics: a person is {index.min()} or {index.max()}; allowed: 0 to "
            f"{len(people) - 1}, the index of a name in people."
        )
    if len(set(people)) != len(people):
        raise DataError(f"metrics: a name stands twice in people: {sorted(people)}.")
    return read - reference, index
