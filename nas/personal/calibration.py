"""One wearer's windows: those of the first minutes teach, those after a gap judge."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from deploy.integers import reference
from deploy.integers.quantized import QuantizedNet
from deploy.integers.streaming import long_pass
from deploy.personal.head import Head, head_of, trunk_of
from nas.models.names import Model
from nas.models.readout import decoding_of
from ppg.readout.smoothing import read_series
from ppg.readout.transitions import Transitions
from ppg.recording import Recording
from ppg.windows import InputSpec, WindowSet, windows_of
from ppgnas.errors import DataError
from ppgnas.parsing import one_of
from ppgnas.task import Mode

PersonalKind = Literal["none", "prior", "bias", "scale-bias", "head", "low-rank"]
PERSONAL_KINDS: tuple[PersonalKind, ...] = get_args(PersonalKind)
AUTO: Literal["auto"] = "auto"
AUTO_KIND: PersonalKind = "low-rank"


def kind_of(name: str) -> PersonalKind:
    """The kind of a name; `auto` is `AUTO_KIND`.

    Raises:
        DataError: it is none of them.
    """
    found = one_of("kind", name, (AUTO, *PERSONAL_KINDS), DataError)
    return AUTO_KIND if found == AUTO else found


def check_minutes(minutes: float) -> None:
    """Refuse minutes that are none.

    Raises:
        DataError: they are not between 0 and a day.
    """
    if not 0 < minutes <= 24 * 60:
        raise DataError(f"`minutes` is {minutes:g}; allowed: above 0, at most {24 * 60}")


GAP_S = 8.0


@dataclass(frozen=True)
class Errors:
    """Mean absolute errors of readings, raw and smoothed, in BPM."""

    windows: int
    mae_bpm: float
    mae_bpm_smoothed: float


@dataclass(frozen=True)
class Wearer:
    """What a network sees of one recording, in the integers of the generated C.

    Attributes:
        features: `(windows, features)` that enter the head.
    """

    head: Head
    windows: WindowSet
    features: NDArray[np.int8]
    transitions: Transitions

    @property
    def bpm_q8(self) -> NDArray[np.int64]:
        """Heart rates of the reference in 1/256 BPM."""
        return np.rint(256 * self.windows.hr_bpm).astype(np.int64)

    def calibration(self, minutes: float) -> NDArray[np.bool_]:
        """Windows that end within the first minutes.

        Raises:
            DataError: the minutes are not above 0.
        """
        check_minutes(minutes)
        start_s = self.windows.start_s
        # A millionth of a second, as starts are sums of rounded numbers.
        result: NDArray[np.bool_] = (
            start_s + self.windows.task.window_s <= start_s[0] + 60 * minutes + 1e-6
        )
        return result

    def rest(self, minutes: float) -> NDArray[np.bool_]:
        """Windows that begin after the gap."""
        start_s = self.windows.start_s
        result: NDArray[np.bool_] = start_s >= start_s[0] + 60 * minutes + GAP_S - 1e-6
        return result

    def errors(
        self, weights: NDArray[np.int64], biases: NDArray[np.int64], chosen: NDArray[np.bool_]
    ) -> Errors:
        """Of a head on chosen windows, which the smoother reads on their own."""
        centred = self.features[chosen].astype(np.int64) - self.head.feature_zero
        stored = self.head.logits(centred, weights, biases)
        logits = (stored.astype(np.float32) - self.head.logit_zero) * self.head.logit_scale
        raw, smoothed = read_series(
            logits,
            self.windows.recording[chosen],
            self.windows.start_s[chosen],
            transitions=self.transitions,
            task=self.windows.task,
        )
        hr_bpm = self.windows.hr_bpm[chosen]
        mae = [float(np.abs(read.bpm - hr_bpm).mean()) for read in (raw, smoothed)]
        return Errors(int(chosen.sum()), *mae)


def wearer_of_model(model: Model, recording: Recording) -> Wearer:
    """A model's wearer, see `wearer_of`; mode and smoother are those of its card.

    Raises:
        ModelError: the model has no weights, or reads no heart rates.
    """
    return wearer_of(
        model.net(),
        recording,
        inputs=model.inputs,
        transitions=decoding_of(model.card()).transitions,
        mode=model.mode,
    )


def wearer_of(
    net: QuantizedNet,
    recording: Recording,
    *,
    inputs: InputSpec,
    transitions: Transitions | None = None,
    mode: Mode = "window",
) -> Wearer:
    """Compute the features of a labelled recording once.

    Where the network streams, they are those of passes over the whole signal.

    Raises:
        DataError: it has no usable reference, or no acceleration that the network reads.
        ExportError: the network's head cannot be adapted.
    """
    head = head_of(net)
    if not recording.usable.any():
        raise DataError(
            f"{recording.dataset}/{recording.name} has no usable reference heart rate; a network "
            "learns its wearer from windows whose rate is known (ppgnas data inspect says what "
            "is there)"
        )
    windows, trunk = windows_of([recording], inputs, mode=mode), trunk_of(net)
    if windows.passes is None:
        features = reference.run(trunk, net.quantize_input(windows.x), rule="c")
    else:
        features = windows.passes.read(lambda x: long_pass(trunk, net.quantize_signal(x)))
    return Wearer(head, windows, features.reshape(len(windows), -1), transitions or Transitions())
