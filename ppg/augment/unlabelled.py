"""Windows of recordings that have no reference, drawn at random for a teacher to label.

As those of `ppg.augment.bank`, but for what a label is needed for: no heart rate is balanced or
scaled, nothing is composed of a pulse and a rest, no clock of labels is moved. The teacher reads
each window as it is drawn, so a stretch needs no label to follow it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ppg.augment.streams import Augmentation, Drawn, Streams, gather, person_weights, pick, speeds
from ppg.frontend import normalise_ppg
from ppg.recording import Recording
from ppg.windows import every_window
from ppgnas.task import TASK, Task


class UnlabelledBank:
    """Every window of every recording, at any time that the signal was measured.

    Args:
        recordings: of any people but those who judge; a reference they may have is not used. Each
            must have acceleration where `acceleration` is set.
        acceleration: whether batches have the three axes, see `ppg.augment.bank.TrainingBank`.

    Raises:
        DataError: there is no window.
    """

    def __init__(
        self, recordings: Sequence[Recording], *, acceleration: bool, task: Task = TASK
    ) -> None:
        every = (every_window(each, task) for each in recordings)
        whole = [each for each in every if each.usable.any()]
        self._streams = Streams.of(whole, acceleration=acceleration)
        weights = person_weights(whole, whole)
        self._cumulative = np.cumsum(weights / weights.sum())

    def __len__(self) -> int:
        return len(self._cumulative)

    def drawn(
        self,
        rng: np.random.Generator,
        count: int,
        *,
        rate_hz: int,
        augmentation: Augmentation | None = None,
        past_s: float = 0.0,
    ) -> Drawn:
        """Draw a batch before it is normalised, see `ppg.augment.bank.TrainingBank.drawn`."""
        how = Augmentation() if augmentation is None else augmentation
        chosen = pick(rng, self._cumulative, count)
        position, _, _ = self._streams.place(
            chosen,
            speeds(rng, how.stretch, count),
            rng.uniform(-how.shift_s, how.shift_s, count),
            rate_hz=rate_hz,
            past_s=past_s,
        )
        weights = self._streams.mixtures(rng, count, mix=how.mix_channels)
        trace = normalise_ppg(gather(self._streams.ppg, position), weights)
        return self._streams.disturbed(rng, trace, position, how, rate_hz=rate_hz)
