"""How far heart rate moves from one window to the next: the transition of the causal smoother.

The change over one stride of 2 s is a mixture of two centred Gaussians, a narrow one (rest, steady
exercise) and a wide one (onset of exercise, recovery). A small uniform part on top is no property
of hearts: it lets the smoother leave a mode on which the network was wrong.

Widths and the share of the wide part are fitted to reference heart rates of training people by
maximum likelihood (expectation maximisation; Dempster, Laird, Rubin 1977), every person weighing
the same. A tracker that moves exactly like hearts do lags behind a network whose errors last for
several windows, so both widths are multiplied by `widening`, which search people choose (see
`ppg.smoothing.choose_widening`). Unfitted, the transition is one Gaussian of 5 BPM: wider than
heart rates move, so that the estimate does not lag.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ppg.recording import STRIDE_S, Recording
from ppg.targets import CLASSES, bin_centres_bpm
from ppgnas.errors import DataError

SMALLEST_WIDTH_BPM = 0.5  # half a class; a narrower Gaussian would not reach the neighbours
LARGEST_WIDTH_BPM = 60.0
FEWEST_CHANGES = 100
STEPS = 200


@dataclass(frozen=True)
class Transitions:
    """Change of heart rate over 2 s.

    Attributes:
        narrow_bpm, wide_bpm: standard deviations of the two Gaussians.
        wide_share: probability of the wide one.
        widening: factor on both widths.
        leave: probability of the uniform part.
        evidence: exponent on a window's class probabilities, below 1 where successive windows
            are not independent evidence.
        floor: added to each class probability before: how far a sure network is trusted.
    """

    narrow_bpm: float = 5.0
    wide_bpm: float = 5.0
    wide_share: float = 0.0
    widening: float = 1.0
    leave: float = 1e-6
    evidence: float = 1.0
    floor: float = 2e-3

    def __post_init__(self) -> None:
        low, high = SMALLEST_WIDTH_BPM, LARGEST_WIDTH_BPM
        for name in ("narrow_bpm", "wide_bpm"):
            value = getattr(self, name)
            if not low <= value <= high:
                raise DataError(f"transitions: {name} is {value}; allowed: {low} to {high} BPM.")
        if not 0.1 <= self.widening <= 10:
            raise DataError(f"transitions: widening is {self.widening}; allowed: 0.1 to 10.")
        for name, most in (("wide_share", 1.0), ("leave", 1.0), ("evidence", 2.0), ("floor", 1.0)):
            value = getattr(self, name)
            if not 0 <= value <= most:
                raise DataError(f"transitions: {name} is {value}; allowed: 0 to {most:g}.")

    def matrix(self) -> NDArray[np.float64]:
        """`(classes, classes)`, column-stochastic: `next = matrix @ now`."""
        distance = np.abs(np.subtract.outer(bin_centres_bpm(), bin_centres_bpm()))
        step = (1 - self.wide_share) * _gaussian(distance, self.narrow_bpm * self.widening)
        if self.wide_share:
            step += self.wide_share * _gaussian(distance, self.wide_bpm * self.widening)
        return (1 - self.leave) * step + self.leave / CLASSES

    def to_json(self) -> dict[str, float]:
        """Plain values; `from_json` gives the same back."""
        return {key: float(value) for key, value in asdict(self).items()}

    @staticmethod
    def from_json(document: Mapping[str, Any]) -> Transitions:
        """Read `to_json`'s document.

        Raises:
            DataError: a key is unknown, or a value is none that is allowed.
        """
        try:
            return Transitions(**{key: float(value) for key, value in document.items()})
        except TypeError as error:
            raise DataError(
                f"transitions: {error}; allowed: {', '.join(asdict(Transitions()))}."
            ) from error


def _gaussian(distance: NDArray[np.float64], width_bpm: float) -> NDArray[np.float64]:
    weight = np.exp(-0.5 * (distance / width_bpm) ** 2)
    return np.asarray(weight / weight.sum(axis=0, keepdims=True))


def changes_of(
    recordings: Iterable[Recording],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Changes of the reference between usable windows one stride apart.

    Returns:
        `(changes,)` in BPM, and their weights, which sum to the number of people.
    """
    by_person: dict[str, list[NDArray[np.float64]]] = {}
    for recording in recordings:
        usable = recording.usable
        apart = np.diff(recording.window_start_s)
        follows = usable[1:] & usable[:-1] & (np.abs(apart - STRIDE_S) < 0.1)
        found = np.diff(recording.hr_bpm)[follows]
        if len(found):
            by_person.setdefault(recording.person, []).append(found)
    if not by_person:
        return np.empty(0), np.empty(0)
    people = [np.concatenate(parts) for parts in by_person.values()]
    weights = [np.full(len(row), 1 / len(row)) for row in people]
    return np.concatenate(people), np.concatenate(weights)


def fit_transitions(recordings: Iterable[Recording]) -> Transitions:
    """Widths and share of the mixture that make the reference's changes most likely.

    Args:
        recordings: of training people.

    Returns:
        The default where there are fewer than 100 changes to learn from.
    """
    changes, weights = changes_of(recordings)
    if len(changes) < FEWEST_CHANGES:
        return Transitions()
    weights = weights / weights.sum()
    squares = changes**2
    spread = max(float(np.sqrt(weights @ squares)), SMALLEST_WIDTH_BPM)
    narrow, wide, share = 0.5 * spread, 2 * spread, 0.3
    for _ in range(STEPS):
        log_wide = np.log(share / wide) - 0.5 * squares / wide**2
        log_narrow = np.log((1 - share) / narrow) - 0.5 * squares / narrow**2
        of_wide = 1 / (1 + np.exp(np.clip(log_narrow - log_wide, -500, 500)))
        share = float(np.clip(weights @ of_wide, 1e-6, 1 - 1e-6))
        wide = _width(weights * of_wide, squares)
        narrow = _width(weights * (1 - of_wide), squares)
    if narrow > wide:
        narrow, wide, share = wide, narrow, 1 - share
    return Transitions(round(narrow, 3), round(wide, 3), round(share, 4))


def _width(weights: NDArray[np.float64], squares: NDArray[np.float64]) -> float:
    total = float(weights.sum())
    width = np.sqrt(float(weights @ squares) / total) if total > 0 else SMALLEST_WIDTH_BPM
    return float(np.clip(width, SMALLEST_WIDTH_BPM, LARGEST_WIDTH_BPM))
