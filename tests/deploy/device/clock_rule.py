"""Windows of pushed samples by the rule: two clocks, invalid samples, losses.

The same integers as the C, written another way: a walk over the pushes says between which samples
each output step stands, and whole signals are filtered and interpolated afterwards.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from deploy.device.filtering import band_pass, hold_samples
from deploy.device.following import ONE, ONE_BITS, RATE_LIMIT, constants
from deploy.device.integers import Ints
from deploy.device.rule import Windows, between, filter_lanes, pack, ratio
from deploy.device.settings import FrontEnd
from ppg.windows import STREAM_HZ
from tests.deploy.device.c_device import DUE, OK, OUT_OF_STEP

NOTHING = (-1, 0)
"""Where an output step stands that stands in for lost samples."""


@dataclass
class Steps:
    """Where steps of one rate stand between samples of another.

    Attributes:
        rates: `(N, D)`: a step is N / D samples.
        places: `(sample at or before, distance in 2^-24 / D)` of each step.
    """

    rates: tuple[int, int]
    places: list[tuple[int, int]] = field(default_factory=list)
    due: int = 0

    def sample(self, index: int, *, first: bool, pace: int = ONE) -> list[int]:
        """Numbers of the steps up to sample `index`, which may be the first of a signal."""
        step, whole = self.rates[0], self.rates[1] * ONE
        self.due = 0 if first else self.due - whole
        new = []
        while self.due <= 0:
            new.append(len(self.places))
            part = self.due + whole
            self.places.append((index, 0) if part == whole else (index - 1, part))
            self.due += step * pace
        return new

    def values(self, x: Ints, invalid: NDArray[np.bool_]) -> tuple[Ints, NDArray[np.bool_]]:
        """Values `(steps, lanes)` out of samples `(samples, lanes)`, and which are invalid."""
        place = np.array(self.places, np.int64).reshape(-1, 2)
        left, part = place.T
        right = np.where(part > 0, left + 1, left)
        inverse = 2**31 // self.rates[1]
        share = (part >> ONE_BITS) * inverse + ((part & (ONE - 1)) * inverse >> ONE_BITS)
        y = between(x, left, share)
        nothing = left < 0
        return np.where(nothing[:, None], 0, y), invalid[left] | invalid[right] | nothing


@dataclass
class Sensor:
    """Clock of one sensor, and its samples as they came."""

    end: FrontEnd
    hz: Fraction
    slope: bool
    running: bool = False
    lost: bool = False
    valid: list[bool] = field(default_factory=list)
    begins: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        network = Fraction(self.end.rate_hz)
        stream = Fraction(STREAM_HZ) if self.end.two_stages else network
        self.first = Steps(ratio(self.hz, stream))
        self.second = Steps(ratio(stream, network)) if self.end.two_stages else self.first

    @property
    def count(self) -> int:
        """Output steps so far."""
        return len(self.second.places)

    def push(self, valid: bool, pace: int) -> None:
        """One sample."""
        index, begins = len(self.valid), not self.running
        self.valid.append(valid)
        if begins:
            self.begins.append(index)
        for number, stream in enumerate(self.first.sample(index, first=begins, pace=pace)):
            if self.second is not self.first:
                self.second.sample(stream, first=begins and number == 0)
        self.running, self.lost = True, False

    def stand_in(self, count: int) -> None:
        """Steps without samples."""
        self.running, self.lost = False, True
        self.second.places.extend([NOTHING] * count)

    def values(self, raw: NDArray[np.integer]) -> tuple[Ints, NDArray[np.bool_]]:
        """Output steps of samples `(samples, lanes)`, and which are invalid."""
        valid = np.array(self.valid, bool)
        y = np.zeros(raw.shape, np.int64)
        for start, stop in zip(self.begins, [*self.begins[1:], len(valid)], strict=True):
            self._filter(raw[start:stop], valid[start:stop], y[start:stop])
        x, invalid = self.first.values(y, ~valid)
        return (x, invalid) if self.second is self.first else self.second.values(x, invalid)

    def _filter(self, raw: NDArray[np.integer], valid: NDArray[np.bool_], out: Ints) -> None:
        """Each stretch between long gaps by itself; short ones hold the last valid sample."""
        hold, start = hold_samples(self.hz), None
        gap = hold
        last = np.zeros(len(raw), int)
        for index, good in enumerate([*valid, None]):
            gap = 0 if good else gap + 1
            if start is not None and (gap == hold or good is None):
                out[start:index] = filter_lanes(
                    raw[last[start:index]], band_pass(self.hz, slope=self.slope)
                )
                start = None
            if good is None:
                break
            start = index if good and start is None else start
            last[index] = index if good else last[index - 1]


class Clocks:
    """Both sensors, and how the acceleration follows the PPG: `deploy.device.following`."""

    def __init__(self, end: FrontEnd) -> None:
        self.end = end
        self.ppg = Sensor(end, end.ppg_hz, slope=True)
        self.acc = None if end.acc_hz is None else Sensor(end, end.acc_hz, slope=False)
        self.slack = end.slack_steps
        self.by = constants(slack_steps=self.slack, block_steps=end.stride_steps)
        self.reference = self.range = self.widest = self.blocks = self.rate = self.correction = (
            self.last
        ) = 0
        self.following = self.report = False
        self.windows = 0
        self._begin_block()

    def push(self, kind: int) -> int:
        """One push, as `pushing` numbers them; what the C returns."""
        sensor = self.acc if kind % 2 else self.ppg
        assert sensor is not None
        if sensor.lost:
            apart = self._apart()
            sensor.stand_in(max(0, -apart if kind % 2 else apart))
            self._begin_block()
        sensor.push(kind < 2, ONE + self.correction if kind % 2 else ONE)
        counts = [self.ppg.count]
        if self.acc is not None:
            self._follow(self.acc)
            counts = [self.ppg.count, self.acc.count]
        if min(counts) >= self.end.steps + self.windows * self.end.stride_steps:
            self.windows += 1
            return DUE
        result = OUT_OF_STEP if self.report else OK
        self.report = False
        return result

    def _begin_block(self) -> None:
        self.leads: list[int] = []
        self.block_end = self.ppg.count + self.end.stride_steps

    def _lead(self) -> int:
        return 0 if self.acc is None else self.acc.count - self.ppg.count

    def _apart(self) -> int:
        middle = self.reference >> 1
        swing = min(self.widest // 32, self.by["FRONT_SWING_STEPS"])
        low, high = (_limit(middle + by, self.slack) for by in (-swing, swing))
        return self._lead() - max(low, min(high, self._lead()))

    def _lost(self, acc: Sensor, apart: int) -> None:
        lead = self._lead()
        if apart < 0:
            acc.stand_in(max(0, -max(apart, lead)))
        else:
            self.ppg.stand_in(max(0, min(apart, lead)))
        self._begin_block()
        self.last = 0
        self.report = True

    def _follow(self, acc: Sensor) -> None:
        if abs(self._lead()) > self.slack:
            return self._lost(acc, self._apart())
        self.leads.append(self._lead())
        if self.ppg.count < self.block_end:
            return None
        low, high, by = min(self.leads), max(self.leads), self.by
        error = low + high - self.reference
        self._begin_block()
        self.blocks += 1
        if self.blocks <= 2:
            self.reference = low + high if self.blocks == 2 else 0
            self.widest = self.range = 16 * (high - low)
            return None
        usual = min(16 * (high - low), self.range)
        self.range = 16 * (high - low)
        self.widest = max(usual, self.widest - 1)
        if self.range > self.widest + by["FRONT_JUMP"]:
            return None
        sudden = abs(error - self.last) > self.widest // 8 + by["FRONT_JUMP"] // 4
        if abs(error) > 2 * by["FRONT_LOSS_STEPS"] or sudden:
            return self._lost(acc, error >> 1)
        free = max(2, min(self.widest // 16 - 1, by["FRONT_FREE_STEPS"]))
        free = 0 if max(high, -low) > by["FRONT_NEAR_STEPS"] else free
        if not self.following and abs(error) > 2 * free:
            self.following = True
            start = error * by["FRONT_FOLLOW_START"] // (self.blocks - 2)
            self.rate = _limit(start, RATE_LIMIT)
            early = self.rate * 3 * self.end.stride_steps >> ONE_BITS
            self.reference -= early
            error += early
        self.last = error
        if self.following:
            self.rate = _limit(self.rate + error * by["FRONT_FOLLOW_RATE"], RATE_LIMIT)
            ahead = self.rate + error * by["FRONT_FOLLOW_LEAD"]
            self.correction = _limit(ahead, 2 * RATE_LIMIT)
        return None


def _limit(value: int, most: int) -> int:
    return max(-most, min(most, value))


def pushed_windows(
    end: FrontEnd,
    order: NDArray[np.uint8],
    ppg: NDArray[np.integer],
    acc: NDArray[np.integer] | None,
) -> tuple[NDArray[np.int8], Windows]:
    """What each push returns, and the windows; arguments as `pushing.run` takes them."""
    clocks = Clocks(end)
    results = np.array([clocks.push(kind) for kind in order.tolist()], np.int8)
    at = np.arange(clocks.windows)[:, None] * end.stride_steps + np.arange(end.steps)
    y, invalid = clocks.ppg.values(ppg[: len(clocks.ppg.valid)])
    parts, marked = [pack(y)[at]], invalid[at]
    if clocks.acc is not None:
        assert acc is not None
        y, invalid = clocks.acc.values(acc[: len(clocks.acc.valid)])
        parts, marked = [*parts, pack(y)[at]], marked | invalid[at]
    return results, Windows(np.concatenate(parts, axis=2), marked.sum(axis=1))
