"""Bursts of two sensors that run freely."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from deploy.device.settings import FrontEnd
from tests.deploy.device.c_device import (
    FrontEndC,
)
from tests.deploy.device.pushing import Run, bursts, in_time, run

Make = Callable[..., FrontEndC]
END = FrontEnd(Fraction(64), Fraction(32), 32)
SENSORS = {
    "64 and 32 Hz": END,
    "25 Hz network over the stream": FrontEnd(Fraction(125), Fraction(26), 25, 2, 2048),
    "several steps a sample": FrontEnd(Fraction(100, 3), Fraction(104), 64, 1, 16384),
    "PPG alone": FrontEnd(Fraction(250), None, 25, 2),
    "three colours": FrontEnd(Fraction(25), Fraction(26), 16, 3),
}
TONE_HZ = 0.7


def times(hz: float, seconds: float) -> NDArray[np.float64]:
    """When samples are taken."""
    return np.arange(int(seconds * hz)) / hz


def motion(at_s: NDArray[np.float64]) -> NDArray[np.int16]:
    """`(samples, 3)` counts; the phase of the first axis tells the time."""
    rates = np.array([TONE_HZ, 1.1, 2.3])
    waves = np.sin(2 * np.pi * np.outer(at_s, rates) + np.arange(3))
    return np.rint(waves * [2000, 1000, 500]).astype(np.int16)


def light(at_s: NDArray[np.float64]) -> NDArray[np.int32]:
    """`(samples, 1)` counts."""
    return np.rint(100_000 + 3000 * np.sin(2 * np.pi * 1.3 * at_s))[:, None].astype(np.int32)


def late_ms(
    seen: NDArray[np.int16], exact: NDArray[np.int16], end: FrontEnd
) -> NDArray[np.float64]:
    """How late the acceleration of windows `(windows, words)` is, from the tone's phase."""

    def tone(words: NDArray[np.int16]) -> NDArray[np.complex128]:
        samples = words[:, : end.steps * end.channels].reshape(len(words), end.steps, end.channels)
        turning = np.exp(-2j * np.pi * TONE_HZ * np.arange(end.steps) / end.rate_hz)
        return np.asarray(samples[:, :, end.ppg_channels] @ (turning * np.hanning(end.steps)))

    turned = np.angle(tone(seen) * np.conj(tone(exact)))
    return np.asarray(1000 * turned / (2 * np.pi * TONE_HZ))


def pushed(
    device: FrontEndC, seconds: float, *, drift: float = 0.0, fifos: tuple[int, int] = (1, 1)
) -> Run:
    """A run with an acceleration sensor that is too fast by `drift`."""
    end = device.settings
    ppg_s = times(float(end.ppg_hz), seconds)
    acc_s = times(float(end.acc_hz or 0) * (1 + drift), seconds)
    order = in_time(bursts(ppg_s, fifos[0]), bursts(acc_s, fifos[1]))
    device.reset()
    return run(device, order, light(ppg_s), motion(acc_s))


def without(times_s: NDArray[np.float64], start_s: float, stop_s: float) -> NDArray[np.float64]:
    return times_s[(times_s < start_s) | (times_s >= stop_s)]
