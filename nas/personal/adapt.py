"""Adapting a network to one wearer, and what it does on the rest of the recording."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deploy.personal.cycles import Effort, effort_of
from deploy.personal.fit import Guard, adapted, fitted, folds
from deploy.personal.kinds import change_of
from deploy.personal.memory import Memory, check_memory, memory_of
from deploy.personal.prior import class_prior, prior_biases
from nas.personal.calibration import Errors, PersonalKind, Wearer

Ints = NDArray[np.int64]
ADAPTING = "all-windows-1"  # another name whenever the same minutes lead to another head


@dataclass(frozen=True)
class Adaptation:
    """What came of a calibration.

    Attributes:
        windows, taught_bpm: that taught, and the lowest and highest heart rate of them.
        guard: what they say of heads that had not learnt from them; None for `none`.
        memory, effort: of learning on the device; None where nothing is learnt there.
        before, after: errors on the rest of the recording with the factory head, and with the
            head that the guard leaves; None where nothing is left.
        unguarded: errors as if the guard had always said yes; None likewise.
        beyond: how many windows of the rest have a heart rate that did not teach.
        weights, biases: of the dense layer that the guard leaves.
    """

    kind: PersonalKind
    minutes: float
    windows: int
    taught_bpm: tuple[float, float]
    guard: Guard | None
    memory: Memory | None
    effort: Effort | None
    before: Errors | None
    after: Errors | None
    unguarded: Errors | None
    beyond: int
    weights: Ints = field(repr=False)
    biases: Ints = field(repr=False)

    @property
    def kept(self) -> bool:
        """Whether the head is another one than the factory's."""
        return self.guard is not None and self.guard.kept

    def to_json(self) -> dict[str, Any]:
        """Plain values, without the head."""
        told = {key: value for key, value in asdict(self).items() if key not in _HEAD}
        memory = None if self.memory is None else {**told["memory"], "total": self.memory.total}
        return {**told, "memory": memory}


_HEAD = ("weights", "biases")


def adapt(wearer: Wearer, *, minutes: float, kind: PersonalKind) -> Adaptation:
    """Adapt the head to the first minutes; the windows after a gap judge.

    Raises:
        DataError: too few windows in these minutes.
        ExportError: the kind takes more memory than allowed.
    """
    head, chosen = wearer.head, wearer.calibration(minutes)
    count = int(chosen.sum())
    folds(count, head.task)  # refuses too few
    features, labels = wearer.features[chosen], wearer.bpm_q8[chosen]
    memory: Memory | None = None
    effort: Effort | None = None
    guard: Guard | None = None
    weights, biases = head.weights, head.biases
    if kind == "prior":

        def make(taught: Ints) -> tuple[Ints, Ints]:
            return head.weights, prior_biases(head, class_prior(labels[taught] / 256, head.task))

        weights, biases, guard = adapted(head, make, features, labels)
    elif kind != "none":
        memory = memory_of(head, change_of(kind, head), windows=count)
        check_memory(memory, kind=kind)
        effort = effort_of(head, kind, windows=count)
        weights, biases, guard = fitted(head, kind, features, labels)
    rest, hr_bpm = wearer.rest(minutes), wearer.windows.hr_bpm
    low, high = float(hr_bpm[chosen].min()), float(hr_bpm[chosen].max())
    beyond = int(((hr_bpm[rest] < low) | (hr_bpm[rest] > high)).sum())
    before = after = unguarded = None
    if rest.any():
        before = wearer.errors(head.weights, head.biases, rest)
        unguarded = wearer.errors(weights, biases, rest)
        after = unguarded if guard is not None and guard.kept else before
    if guard is None or not guard.kept:
        weights, biases = head.weights, head.biases
    return Adaptation(
        kind,
        minutes,
        count,
        (low, high),
        guard,
        memory,
        effort,
        before,
        after,
        unguarded,
        beyond,
        weights,
        biases,
    )
