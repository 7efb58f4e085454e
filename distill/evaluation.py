"""Networks over recordings: int8 ones with the integer reference, float ones as they are."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from deploy.integers import reference
from deploy.integers.quantized import QuantizedNet
from deploy.integers.streaming import long_pass
from hwmodels.signals import classes_of
from ppg.people.metrics import (
    ActivityErrors,
    Summary,
    by_activity,
    mae_by_person,
    mean_over_people,
    summary,
)
from ppg.readout.decode import Decoded, decode
from ppg.readout.smoothing import Smoothing, read_series, smoothing_of
from ppg.readout.transitions import Transitions
from ppg.windows import WindowSet
from search_spaces.arch import Arch
from search_spaces.network import Network

READ_AT_ONCE = 256


@dataclass(frozen=True)
class Predictions:
    """Heart rate of every usable window.

    Attributes:
        raw: read from each window alone.
        smoothed: after causal smoothing.
    """

    windows: WindowSet
    raw: Decoded
    smoothed: Decoded

    def by_person(self) -> tuple[dict[str, float], dict[str, float]]:
        """MAE of each person in BPM, raw and smoothed."""
        windows = self.windows
        raw, smoothed = (
            mae_by_person(windows.hr_bpm, read.bpm, windows.person, windows.people)
            for read in (self.raw, self.smoothed)
        )
        return raw, smoothed

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
        smoothing, transitions, measured: see `ppg.readout.smoothing.read_series`.
        rule: the arithmetic, of `deploy.integers.reference`.
    """
    smoothing = smoothing_of(smoothing)  # before inference, which takes long
    return decoded(
        _logits(net, windows, rule),
        windows,
        smoothing=smoothing,
        transitions=transitions,
        measured=measured,
    )


def decoded(
    logits: NDArray[np.float32],
    windows: WindowSet,
    *,
    smoothing: Smoothing = "hmm",
    transitions: Transitions | None = None,
    measured: NDArray[np.bool_] | None = None,
) -> Predictions:
    """What `(windows, classes)` logits read, raw and smoothed: see `read_series`."""
    raw, smoothed = read_series(
        logits,
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
        return _real(net, reference.run(net, net.quantize_input(windows.x), rule=rule))

    def read(x: NDArray[np.float32]) -> NDArray[np.float32]:
        return _real(net, long_pass(net, net.quantize_signal(x), rule=rule))

    return windows.passes.read(read)


def _real(net: QuantizedNet, y: NDArray[np.int8]) -> NDArray[np.float32]:
    """Logits of int8 outputs; of a softmax at the end, which networks of others have, the
    logarithms of its probabilities, where 0 is less than half a step."""
    real = net.dequantize_output(y).reshape(len(y), -1)  # (windows, classes)
    writers = {layer.output: layer for layer in net.graph.layers}
    name = classes_of(net.graph)
    last = writers.get(name)
    while last is not None and last.op == "reshape":
        last = writers.get(last.inputs[0])
    if last is None or last.op != "softmax":
        return real
    step, _ = net.activations[name]
    return np.log(np.maximum(real, np.float32(step / 2)))


@torch.no_grad()
def float_logits(network: nn.Module, windows: WindowSet) -> NDArray[np.float32]:
    """`(windows, classes)` in floating point, of windows or of passes over whole signals."""
    device = next(chain(network.parameters(), network.buffers())).device
    if windows.passes is None:
        parts = torch.split(torch.from_numpy(windows.x), READ_AT_ONCE)
        return torch.cat([network(x.to(device)).float().cpu() for x in parts]).numpy()
    assert isinstance(network, Network)
    read = network.read
    return windows.passes.read(lambda x: read(torch.from_numpy(x).to(device)).cpu().numpy())


def raw_mae_bpm(logits: NDArray[np.float32], windows: WindowSet) -> float:
    """Raw MAE of readings from `(windows, classes)` logits, mean over people."""
    error = np.abs(decode(logits, windows.task).bpm - windows.hr_bpm)
    return mean_over_people(error, windows.person)
