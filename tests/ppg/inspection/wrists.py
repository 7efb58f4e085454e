"""Wrists whose heart rate is known, for inspection to look at."""

from __future__ import annotations

import numpy as np

from ppg.recording import Recording


def wandering(
    *, seed: int = 0, seconds: float = 600.0, hz: float = 50.0, acc: bool = True
) -> Recording:
    """A still wrist whose heart rate wanders between 70 and 110 BPM."""
    rng = np.random.default_rng(seed)
    time_s = np.arange(round(seconds * hz)) / hz
    rate = 90 + 20 * np.sin(2 * np.pi * time_s / 97 + seed) * np.cos(time_s / 53)
    phase = np.cumsum(rate / 60 / hz)
    ppg = np.cos(2 * np.pi * phase) + 0.3 * rng.standard_normal(len(time_s))
    start_s = np.arange(0, seconds - 7.9, 2.0)
    mean = np.array([rate[(time_s >= s) & (time_s < s + 8)].mean() for s in start_s])
    axes = rng.normal(0, 0.01, (len(time_s), 3)) + np.array([0, 0, 1])
    return Recording(
        subject=f"p{seed}",
        dataset="lab",
        name=f"r{seed}",
        ppg=ppg[:, None].astype(np.float32),
        ppg_hz=hz,
        acc=axes.astype(np.float32) if acc else None,
        acc_hz=hz if acc else None,
        window_start_s=start_s,
        hr_bpm=mean,
        valid=np.ones(len(start_s), np.bool_),
        activity=np.full(len(start_s), -1),
    )
