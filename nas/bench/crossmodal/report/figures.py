"""Means over people with intervals, and what the distilled encoders gain."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from nas.bench.crossmodal.cells import ALONE, DISTILLED
from nas.bench.crossmodal.records import EncoderRecord
from nas.bench.interval import Interval, drawn_anew
from ppg.people.metrics import DRAWS

TARGETS: Mapping[str, str] = {
    "hr": "heart rate, BPM",
    "sdnn": "SDNN, ms",
    "rmssd": "RMSSD, ms",
    "activity": "activity, % wrong",
}
GOAL_PERCENT, GOAL_TIMES = 20.0, 20.0


@dataclass(frozen=True)
class Gain:
    """How much less an encoder errs than another one, in percent, with all labels.

    Attributes:
        name, against: rows.
        percent: of the other's error; above 0 is better. The interval is over held-out people.
    """

    name: str
    against: str
    percent: Interval


def errors_of(record: EncoderRecord, target: str, share: float) -> dict[str, float]:
    """Error of each held-out person, mean of the draws; empty where nothing was read."""
    found: dict[str, list[float]] = {}
    for probe in record.probes:
        if (probe.target, probe.share) == (target, share):
            for person, error in probe.by_person.items():
                found.setdefault(person, []).append(error)
    return {person: float(np.mean(errors)) for person, errors in found.items()}


def mean_of(record: EncoderRecord, target: str, share: float) -> float | None:
    """Mean over people; None where nothing was read."""
    errors = errors_of(record, target, share)
    return float(np.mean(list(errors.values()))) if errors else None


def gain(left: EncoderRecord, right: EncoderRecord, target: str) -> Gain:
    """Of `left` over `right` on the same people, drawn anew together."""
    own, other = (errors_of(record, target, 1.0) for record in (left, right))
    pairs = np.array([[own[person], other[person]] for person in sorted(own)])
    means = pairs[drawn_anew(len(pairs), DRAWS)].mean(axis=1)
    return Gain(left.name, right.name, Interval.of(100 * (1 - means[:, 0] / means[:, 1])))


def best_alone(records: Mapping[str, EncoderRecord], target: str) -> EncoderRecord:
    """The encoder of acceleration alone that errs least; held-out people choose it, against us."""
    alone = [records[name] for name in ALONE]
    return min(alone, key=lambda record: mean_of(record, target, 1.0) or np.inf)


def gains(records: Mapping[str, EncoderRecord], target: str) -> list[Gain]:
    """Of every distilled encoder over the best one of acceleration alone."""
    best = best_alone(records, target)
    return [
        gain(record, best, target)
        for name, record in records.items()
        if name.startswith(DISTILLED) and errors_of(record, target, 1.0)
    ]
