"""The baselines by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from ppg.baselines.peaks import peaks
from ppg.baselines.spectral import spectral_motion, spectral_peak
from ppg.baselines.wiener import wiener
from ppg.windows import WindowSet
from ppgnas.errors import DataError

RATE_HZ = 32
SLOPE = "-slope"

Baseline = Callable[[WindowSet, int], NDArray[np.float64]]
_METHODS = {"spectral-peak": spectral_peak, "spectral-motion": spectral_motion, "wiener": wiener}
BASELINES: Mapping[str, Baseline] = MappingProxyType(
    {name + end: method for end in ("", SLOPE) for name, method in _METHODS.items()}
    | {"peaks": peaks}
)


def reads_slope(name: str) -> bool:
    """Whether a baseline reads the slope of the PPG, as networks do, or its wave.

    Which is better depends on the sensor: the slope takes away slow swings that are stronger than
    the pulse, and raises the second harmonic.
    """
    return name.endswith(SLOPE)


def baseline(name: str) -> Baseline:
    """A baseline: `(windows, rate_hz) -> (windows,)` heart rates.

    It takes `windows_of(..., InputSpec(RATE_HZ, True), slope=reads_slope(name))`.

    Raises:
        DataError: there is none of this name.
    """
    if name not in BASELINES:
        raise DataError(f"baseline {name!r} is unknown; allowed: {', '.join(BASELINES)}.")
    return BASELINES[name]
