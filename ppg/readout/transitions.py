"""How far heart rate moves from one window to the next: the transition of the causal smoother.

The change over one stride, of 2 s unless a task differs, is a centred Gaussian. Its width is
`WIDENING` times the root-mean-square change of the reference heart rates of training people, every
person weighing the same: a tracker that moves exactly like hearts do loses a mode at the onset of
exercise. A small
uniform part on top is no property of hearts: it lets the smoother leave a mode on which the
network was wrong.

A mixture of a narrow and a wide Gaussian, fitted by maximum likelihood, and a widening chosen for
each network on search people were both worse on people who were not asked: reference rates are
rounded and held, which a narrow Gaussian takes for rest, and eight people choose too narrow or too
wide a step by chance. Unfitted, the width is 3 BPM over 2 s, and grows with the root of the
stride as that of a random walk does.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ppg.readout.classes import bin_centres_bpm
from ppg.recording import Recording
from ppg.references import at_task
from ppgnas.errors import DataError
from ppgnas.task import TASK, Task

SMALLEST_WIDTH_BPM = 0.5  # half a class; a narrower Gaussian would not reach the neighbours
LARGEST_WIDTH_BPM = 60.0
WIDENING = 1.3
FEWEST_CHANGES = 100


@dataclass(frozen=True)
class Transitions:
    """Change of heart rate over a stride.

    Attributes:
        width_bpm: standard deviation of the Gaussian.
        leave: probability of the uniform part.
        evidence: exponent on a window's class probabilities, below 1 where successive windows
            are not independent evidence.
        floor: added to each class probability before: how far a sure network is trusted.
    """

    width_bpm: float = 3.0
    leave: float = 1e-6
    evidence: float = 1.0
    floor: float = 2e-3

    def __post_init__(self) -> None:
        low, high = SMALLEST_WIDTH_BPM, LARGEST_WIDTH_BPM
        if not low <= self.width_bpm <= high:
            raise DataError(
                f"transitions: width_bpm is {self.width_bpm}; allowed: {low} to {high} BPM."
            )
        for name, most in (("leave", 1.0), ("evidence", 2.0), ("floor", 1.0)):
            value = getattr(self, name)
            if not 0 <= value <= most:
                raise DataError(f"transitions: {name} is {value}; allowed: 0 to {most:g}.")

    def matrix(self, task: Task = TASK) -> NDArray[np.float64]:
        """`(classes, classes)`, column-stochastic: `next = matrix @ now`."""
        distance = np.abs(np.subtract.outer(bin_centres_bpm(task), bin_centres_bpm(task)))
        weight = np.exp(-0.5 * (distance / self.width_bpm) ** 2)
        step = weight / weight.sum(axis=0, keepdims=True)
        return np.asarray((1 - self.leave) * step + self.leave / task.classes)

    def to_json(self) -> dict[str, float]:
        """Plain values."""
        return {key: float(value) for key, value in asdict(self).items()}


def usual_transitions(task: Task = TASK) -> Transitions:
    """What holds where nothing was fitted."""
    usual = Transitions()
    width_bpm = usual.width_bpm * (task.stride_s / TASK.stride_s) ** 0.5
    return replace(usual, width_bpm=round(width_bpm, 3))


def changes_of(recordings: Iterable[Recording]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Changes of the reference between usable windows one stride apart.

    Returns:
        `(changes,)` in BPM, and their weights, which sum to the number of people.
    """
    by_person: dict[str, list[NDArray[np.float64]]] = {}
    for recording in recordings:
        usable = recording.usable
        apart = np.diff(recording.window_start_s)
        follows = usable[1:] & usable[:-1] & (np.abs(apart - recording.task.stride_s) < 0.1)
        found = np.diff(recording.hr_bpm)[follows]
        if len(found):
            by_person.setdefault(recording.person, []).append(found)
    if not by_person:
        return np.empty(0), np.empty(0)
    people = [np.concatenate(parts) for parts in by_person.values()]
    weights = [np.full(len(row), 1 / len(row)) for row in people]
    return np.concatenate(people), np.concatenate(weights)


def fit_transitions(recordings: Iterable[Recording], task: Task = TASK) -> Transitions:
    """The transition that training people's references ask for.

    Returns:
        The default where there are fewer than 100 changes to learn from.
    """
    changes, weights = changes_of(at_task(each, task) for each in recordings)
    if len(changes) < FEWEST_CHANGES:
        return usual_transitions(task)
    width = WIDENING * float(np.sqrt(np.average(changes**2, weights=weights)))
    return Transitions(round(float(np.clip(width, SMALLEST_WIDTH_BPM, LARGEST_WIDTH_BPM)), 3))
