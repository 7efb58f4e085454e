"""Running an int8 network over recordings with the integer reference."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deploy.integers import reference
from deploy.integers.quantized import QuantizedNet
from deploy.integers.streaming import long_pass
from ppg.people.metrics import ActivityErrors, Summary, by_activity, summary
from ppg.readout.decode import Decoded
from ppg.readout.smoothing import Smoothing, read_series
from ppg.readout.transitions import Transitions
from ppg.windows import WindowSet
from search_spaces.arch import Arch


@dataclass(frozen=True)
class Predictions:
    """Heart rate of every usable window.

    Attributes:
        windows: what was read, with its reference.
        raw: read from each window alone.
        smoothed: after causal smoothing.
    """

    windows: WindowSet
    raw: Decoded
    smoothed: Decoded

    def summary(self) -> Summary:
        """The errors: `ppg.people.metrics.summary`."""
        return summary(self.windows, self.raw.bpm, self.smoothed.bpm)

    def by_activity(self) -> dict[str, ActivityErrors]:
        """The errors within each activity: `ppg.people.metrics.by_activity`."""
        return by_activity(self.windows, self.raw.bpm, self.smoothed.bpm)


@dataclass(frozen=True)
class Retrained:
    """A network in integers, its int8 MAE on search people, and the arch that it is."""

    net: QuantizedNet
    search_mae_bpm: float
    arch: Arch


def predict_windows(
    net: QuantizedNet,
    windows: WindowSet,
    *,
    smoothing: Smoothing = "hmm",
    transitions: Transitions | None = None,
    rule: reference.Rule = "tflm",
    measured: NDArray[np.bool_] | None = None,
) -> Predictions:
    """Integer inference, decoding and causal smoothing.

    Args:
        net, windows: the network, and windows as it reads them.
        smoothing, transitions, measured: see `ppg.readout.smoothing.read_series`.
        rule: the arithmetic, of `deploy.integers.reference`.
    """
    raw, smoothed = read_series(
        _logits(net, windows, rule),
        windows.recording,
        windows.start_s,
        smoothing=smoothing,
        transitions=transitions,
        measured=measured,
        task=windows.task,
    )
    return Predictions(windows, raw, smoothed)


def _logits(net: QuantizedNet, windows: WindowSet, rule: reference.Rule) -> NDArray[np.float32]:
    """`(windows, classes)`, of windows or of passes over whole signals."""
    if windows.passes is None:
        return net.dequantize_output(reference.run(net, net.quantize_input(windows.x), rule=rule))

    def read(x: NDArray[np.float32]) -> NDArray[np.float32]:
        return net.dequantize_output(long_pass(net, net.quantize_signal(x), rule=rule))

    return windows.passes.read(read)
