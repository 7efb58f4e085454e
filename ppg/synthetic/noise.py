"""Random processes in time that the synthetic recordings are built from."""

from __future__ import annotations

import numpy as np
import scipy
from numpy.typing import NDArray

PPG_HZ = 64.0  # of the light; the accelerometer has a rate of its own

Series = NDArray[np.float64]


def wander(
    rng: np.random.Generator,
    samples: int,
    *,
    time_constant_s: float,
    sd: float,
    rate_hz: float = PPG_HZ,
) -> Series:
    """Stationary Ornstein-Uhlenbeck process (exponential autocorrelation), mean 0.

    Returns:
        `(samples,)` with standard deviation `sd` over many draws.
    """
    decay = float(np.exp(-1 / (rate_hz * time_constant_s)))
    gain = float(np.sqrt(1 - decay**2))
    white = rng.standard_normal(samples)
    white[0] /= gain  # the first sample already has the stationary spread
    return np.asarray(scipy.signal.lfilter([gain], [1, -decay], white) * sd, dtype=np.float64)


def follow(target: Series, *, time_constant_s: float, rate_hz: float = PPG_HZ) -> Series:
    """First-order lag of `target` `(samples,)`, started in equilibrium."""
    decay = float(np.exp(-1 / (rate_hz * time_constant_s)))
    state = [decay * target[0]]
    lagged, _ = scipy.signal.lfilter([1 - decay], [1, -decay], target, zi=state)
    return np.asarray(lagged, dtype=np.float64)


def episodes(
    rng: np.random.Generator,
    duration_s: float,
    *,
    per_minute: float,
    shortest_s: float,
    longest_s: float,
) -> list[tuple[float, float]]:
    """Poisson events as (start, end) in seconds, lengths drawn uniformly; they may overlap."""
    count = int(rng.poisson(per_minute * duration_s / 60))
    starts = np.sort(rng.uniform(0, duration_s, count))
    ends = starts + rng.uniform(shortest_s, longest_s, count)
    return list(zip(starts.tolist(), ends.tolist(), strict=True))


def bump(time_s: Series, start_s: float, end_s: float, *, edge_s: float) -> Series:
    """`(samples,)` 0 outside and 1 inside an episode, with edges of `edge_s` seconds."""
    rise = np.clip((time_s - start_s) / edge_s, 0, 1)
    fall = np.clip((end_s - time_s) / edge_s, 0, 1)
    return np.asarray(np.minimum(rise, fall), dtype=np.float64)
