"""The baselines by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from ppg.baselines.spectral_motion import spectral_motion
from ppg.baselines.spectral_peak import spectral_peak
from ppg.baselines.wiener import wiener
from ppg.windows import WindowSet
from ppgnas.errors import DataError

RATE_HZ = 32

Baseline = Callable[[WindowSet, int], NDArray[np.float64]]
BASELINES: Mapping[str, Baseline] = MappingProxyType(
    {"spectral-peak": spectral_peak, "spectral-motion": spectral_motion, "wiener": wiener}
)


def baseline(name: str) -> Baseline:
    """A baseline: `(windows, rate_hz) -> (windows,)` heart rates.

    It takes windows of the wave, `windows_of(..., acceleration=True, slope=False)`.

    Raises:
        DataError: there is none of this name.
    """
    if name not in BASELINES:
        raise DataError(f"baseline {name!r} is unknown; allowed: {', '.join(BASELINES)}.")
    return BASELINES[name]
