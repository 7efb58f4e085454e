"""The sensors and the network that a front end stands between."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

from ppg.frontend import BAND_HZ
from ppg.readout.smoothing import most_missing
from ppg.windows import STREAM_HZ
from ppgnas.errors import OptionError
from ppgnas.task import TASK, Mode, Task

MAX_RATE_HZ = 2000
MAX_STEPS = 1024
MAX_PPG_CHANNELS = 3
FIFO_S = 0.375  # what a slack of a second takes of bursts of both sensors
LONGEST_FIFO_S = 3.0
DEAD_SHARE = 4
"""A PPG channel that deviates by less than 1/4 of a count after filtering carries nothing."""


_RATES = (
    f"allowed: more than {2 * BAND_HZ[1]:g} and up to {MAX_RATE_HZ} Hz, a fraction with a "
    "denominator of at most 1000"
)


@dataclass(frozen=True)
class FrontEnd:
    """Rates and channels, checked once.

    Attributes:
        ppg_hz: rate of the PPG sensor, exact; its clock is the one that counts.
        acc_hz: rate of the acceleration; None for a network that reads PPG alone.
        ppg_channels: 1 to 3; they are averaged into one.
        counts_per_g: of the acceleration sensor; a macro that a build can override.
        mode: whether the network reads windows, or blocks of a stride; see `deploy.device.blocks`.
        slack_s: how far one sensor's samples may run ahead of the other's, and how long a due
            window may wait.
    """

    ppg_hz: Fraction
    acc_hz: Fraction | None
    rate_hz: int
    ppg_channels: int = 1
    counts_per_g: int = 4096
    slack_s: Fraction = Fraction(1)
    mode: Mode = "window"
    task: Task = TASK

    def __post_init__(self) -> None:
        for name, hz in (("ppg_hz", self.ppg_hz), ("acc_hz", self.acc_hz)):
            if hz is None:
                continue
            if not 2 * BAND_HZ[1] < hz <= MAX_RATE_HZ or hz.denominator > 1000:
                raise OptionError(f"`{name}` is {hz}; {_RATES}")
        if self.rate_hz < 1 or self.window_steps > MAX_STEPS:
            raise OptionError(
                f"front end: rate_hz is {self.rate_hz}; allowed: 1 to "
                f"{MAX_STEPS // self.task.window_s}"
            )
        if not 1 <= self.ppg_channels <= MAX_PPG_CHANNELS:
            raise OptionError(
                f"`ppg_channels` is {self.ppg_channels}; allowed: 1 to {MAX_PPG_CHANNELS}"
            )
        if not 1 <= self.counts_per_g <= 32767:
            raise OptionError(f"`counts_per_g` is {self.counts_per_g}; allowed: 1 to 32767")
        if not 0 <= self.slack_s <= self.task.window_s:
            raise OptionError(
                f"front end: slack_s is {self.slack_s}; allowed: 0 to {self.task.window_s}"
            )

    @property
    def window_steps(self) -> int:
        """Samples of a window at the network's rate."""
        return self.task.window_s * self.rate_hz

    @property
    def steps(self) -> int:
        """Samples that are handed over at once: of a window, or of a block."""
        return self.window_steps if self.mode == "window" else self.stride_steps

    @property
    def stride_steps(self) -> int:
        """Samples from one window to the next."""
        return self.task.stride_s * self.rate_hz

    @property
    def slack_steps(self) -> int:
        """`slack_s` in samples at the network's rate."""
        return max(1, int(self.slack_s * self.rate_hz))

    @property
    def ring_steps(self) -> int:
        """Samples that are kept: of `steps`, the slack, and what one push can bring beyond it."""
        slowest = self.ppg_hz if self.acc_hz is None else min(self.ppg_hz, self.acc_hz)
        at_once = math.ceil(Fraction(9, 8) * self.rate_hz / slowest)
        return self.steps + self.slack_steps + at_once - 1

    @property
    def heard_steps(self) -> int:
        """With more invalid steps, half a second, a window says nothing to the smoother."""
        return most_missing(self.rate_hz)

    @property
    def broken_steps(self) -> int:
        """With so many invalid steps, 1/4 s, a block ends a stream, whose filters began anew."""
        return max(1, self.rate_hz // 4)

    @property
    def acceleration(self) -> bool:
        """Whether the network reads acceleration."""
        return self.acc_hz is not None

    @property
    def channels(self) -> int:
        """Channels of a window: PPG as recorded, then three axes."""
        return self.ppg_channels + (3 if self.acceleration else 0)

    @property
    def window_words(self) -> int:
        """int16 words of a window: samples, invalid steps."""
        return self.steps * self.channels + 1

    @property
    def two_stages(self) -> bool:
        """Whether samples go over the rate that training streams have.

        Networks are trained on windows cut from a stream of `STREAM_HZ`. Where the network's rate
        divides it, interpolating once at that rate gives the very same samples; elsewhere the
        device interpolates twice as well.
        """
        return int(STREAM_HZ) % self.rate_hz != 0


def exact_hz(hz: float, name: str = "rate_hz") -> Fraction:
    """A rate read from a file as a fraction: 31.25 is 125/4.

    Raises:
        OptionError: it is no finite number.
    """
    if not math.isfinite(hz):
        raise OptionError(f"`{name}` is {hz}; {_RATES}")
    return Fraction(hz).limit_denominator(1000)


def slack_of_fifo(fifo_s: float) -> Fraction:
    """The slack for sensors that hand out up to `fifo_s` seconds of samples at a time.

    Raises:
        OptionError: they are longer than a ring can be.
    """
    if not 0 <= fifo_s <= LONGEST_FIFO_S:
        raise OptionError(
            f"`fifo_s` is {fifo_s:g}; allowed: 0 to {LONGEST_FIFO_S:g} s. Empty longer "
            "FIFOs together, and push their samples in order of time"
        )
    return max(Fraction(1), Fraction(fifo_s).limit_denominator(1000) / Fraction(FIFO_S))
