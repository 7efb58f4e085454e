"""Windows without a reference in the batches that a student learns from.

Every second window of a batch is one that only the teacher labels. Where it does not know itself
it teaches little but its doubt: more windows are drawn than are needed, and those with the widest
spread of the teacher's own distribution, a tenth, are left out.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from distill.losses.mix import Mix
from ppg.augment.bank import TrainingBank
from ppg.augment.unlabelled import UnlabelledBank
from ppg.readout.decode import decode
from ppg.recording import Recording
from ppg.windows import InputLike
from ppgnas.errors import MixError
from ppgnas.task import Task

SHARE = 0.5  # of a batch
KEPT = 0.9  # of the windows that are drawn


def unlabelled_bank(
    recordings: Sequence[Recording], inputs: InputLike, mix: Mix
) -> UnlabelledBank | None:
    """The windows that `mix` can learn from without a label; None where there are no recordings.

    Raises:
        MixError: no term of the mix learns from a teacher alone.
    """
    if not recordings:
        return None
    if not any(part.term.teacher and not part.term.labels for part in mix.parts):
        raise MixError(
            f"`unlabelled` has nothing to teach by `distill` {mix.text!r}: without a reference, "
            "a teacher's labels are all there is to learn from. Name a `teacher` and a term such "
            "as soft:1, or leave `unlabelled` out"
        )
    return UnlabelledBank(recordings, acceleration=inputs.acceleration, task=inputs.task)


def draw(
    bank: TrainingBank,
    unlabelled: UnlabelledBank | None,
    rng: np.random.Generator,
    batch: int,
    *,
    rate_hz: int,
    past_s: float = 0.0,
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float64]]:
    """Windows for a batch, more than it takes where there are unlabelled ones: see `surest`.

    Args:
        past_s: what students that stream are shown before each window.

    Returns:
        What students are shown and what a teacher is, `(windows, channels, time)`: the same
        without past; and `hr_bpm (windows,)`, NaN where only a teacher knows.
    """
    count = 0 if unlabelled is None else math.floor(SHARE * batch)
    labelled, hr_bpm = bank.drawn(rng, batch - count, rate_hz=rate_hz, past_s=past_s)
    parts = [labelled]
    if unlabelled is not None:
        more = math.ceil(count / KEPT)
        parts.append(unlabelled.drawn(rng, more, rate_hz=rate_hz, past_s=past_s))
        hr_bpm = np.concatenate([hr_bpm, np.full(more, np.nan)])
    windows = np.concatenate([part.windows for part in parts])
    if not past_s:
        return windows, windows, hr_bpm
    return np.concatenate([part.stretches for part in parts]), windows, hr_bpm


@dataclass(frozen=True)
class LeftOut:
    """Windows that the teacher was least sure of, over the batches so far.

    Attributes:
        windows, drawn: how many were left out, of how many.
        spread_bpm: the widest spread that was kept in a batch; mean of the batches.
    """

    batches: int = 0
    windows: int = 0
    drawn: int = 0
    spread_bpm: float = 0.0

    @property
    def sentence(self) -> str:
        """The same for people."""
        return (
            f"{self.windows} of {self.drawn} windows without a reference are left out: the "
            f"teacher's spread there is above {self.spread_bpm:.1f} BPM."
        )

    def after(self, spread_bpm: NDArray[np.float64], kept: NDArray[np.int64]) -> LeftOut:
        """With another batch: spreads `(drawn,)` of its windows, and which of them are kept."""
        mean = self.batches * self.spread_bpm + float(spread_bpm[kept].max())
        return LeftOut(
            self.batches + 1,
            self.windows + len(spread_bpm) - len(kept),
            self.drawn + len(spread_bpm),
            mean / (self.batches + 1),
        )


def surest(
    logits: NDArray[np.float32],
    hr_bpm: NDArray[np.float64],
    batch: int,
    before: LeftOut,
    *,
    task: Task,
) -> tuple[NDArray[np.int64], LeftOut]:
    """The windows of `draw` that make a batch.

    Args:
        logits: `(windows, classes)` of the teacher.
        hr_bpm: `(windows,)` of `draw`.
        before: what other batches left out.

    Returns:
        `(batch,)` rows: all labelled ones, the others of smallest spread evenly between them, so
        that shards of a batch have a share of both; and what is left out with this batch.
    """
    labelled, others = np.flatnonzero(np.isfinite(hr_bpm)), np.flatnonzero(np.isnan(hr_bpm))
    spread_bpm = decode(logits[others], task).spread_bpm
    kept = np.sort(np.argsort(spread_bpm, kind="stable")[: batch - len(labelled)])
    rows = np.concatenate([labelled, others[kept]])
    place = np.concatenate([(np.arange(len(p)) + 0.5) / len(p) for p in (labelled, kept)])
    return rows[np.argsort(place, kind="stable")], before.after(spread_bpm, kept)
