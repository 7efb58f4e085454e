"""Running an int8 network over recordings with the integer reference."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deploy.integers import reference
from deploy.integers.quantized import QuantizedNet
from ppg.readout.smoothing import read_series
from ppg.readout.transitions import Transitions
from ppg.recording import Recording
from ppg.windows import WindowSet, windows_of
from search_spaces.arch import Arch


@dataclass(frozen=True)
class Predictions:
    """Heart rate of every usable window; arrays are `(windows,)`, see `WindowSet`."""

    reference_bpm: NDArray[np.float64]
    bpm: NDArray[np.float64]
    bpm_smoothed: NDArray[np.float64]
    spread_bpm: NDArray[np.float64]
    spread_smoothed_bpm: NDArray[np.float64]
    person: NDArray[np.int64]
    people: tuple[str, ...]
    recording: NDArray[np.int64]
    recordings: tuple[str, ...]
    start_s: NDArray[np.float64]
    activity: NDArray[np.int64]
    activity_names: tuple[str, ...]


def logits_of(
    net: QuantizedNet, x: NDArray[np.float32], *, rule: str = "tflm"
) -> NDArray[np.float32]:
    """Logits `(windows, classes)` of inputs `(windows, channels, time)`, in integer arithmetic.

    The arithmetic is a rule of `deploy.integers.reference`.
    """
    return net.dequantize_output(reference.run(net, net.quantize_input(x), rule=rule))


def predictions_of(
    logits: NDArray[np.floating],
    windows: WindowSet,
    *,
    smoothing: str = "hmm",
    transitions: Transitions | None = None,
) -> Predictions:
    """Decoding and causal smoothing, see `ppg.readout.smoothing.read_series`."""
    raw, smoothed = read_series(
        logits,
        windows.recording,
        windows.start_s,
        smoothing=smoothing,
        transitions=transitions,
    )
    return Predictions(
        windows.hr_bpm,
        raw.bpm,
        smoothed.bpm,
        raw.spread_bpm,
        smoothed.spread_bpm,
        windows.person,
        windows.people,
        windows.recording,
        windows.recordings,
        windows.start_s,
        windows.activity,
        windows.activity_names,
    )


def predict_windows(
    net: QuantizedNet,
    windows: WindowSet,
    *,
    smoothing: str = "hmm",
    transitions: Transitions | None = None,
    rule: str = "tflm",
) -> Predictions:
    """Integer inference, decoding and causal smoothing."""
    logits = logits_of(net, windows.x, rule=rule)
    return predictions_of(logits, windows, smoothing=smoothing, transitions=transitions)


def predict(
    net: QuantizedNet,
    arch: Arch,
    recordings: Sequence[Recording],
    *,
    smoothing: str = "hmm",
    transitions: Transitions | None = None,
    rule: str = "tflm",
) -> Predictions:
    """`predict_windows` on the windows that `arch` reads."""
    windows = windows_of(recordings, rate_hz=arch.rate_hz, acceleration=arch.acceleration)
    return predict_windows(net, windows, smoothing=smoothing, transitions=transitions, rule=rule)


def input_windows(arch: Arch, recordings: Sequence[Recording], limit: int) -> NDArray[np.float32]:
    """Up to `limit` windows `(windows, channels, time)`, spread over the recordings."""
    x = windows_of(recordings, rate_hz=arch.rate_hz, acceleration=arch.acceleration).x
    return x[np.linspace(0, len(x) - 1, min(limit, len(x))).astype(np.int64)]
