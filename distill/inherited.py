"""Accuracy of a subnetwork with inherited weights, on search people."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from distill.inputs import at_rate, inputs_of
from ppg.people.metrics import mean_over_people
from ppg.readout.decode import decode
from ppg.windows import WindowSet
from search_spaces.arch import Arch
from search_spaces.supernet import Supernet


def thin(windows: WindowSet, count: int) -> NDArray[np.int64]:
    """Indices of about `count` windows, spread evenly over every person's time."""
    people = len(windows.people)
    share = max(1, count // people)
    picked = []
    for person in range(people):
        own = np.flatnonzero(windows.person == person)
        if len(own):
            picked.append(own[np.linspace(0, len(own) - 1, min(share, len(own))).astype(np.int64)])
    return np.concatenate(picked)


class InheritedAccuracy:
    """Mean-of-people MAE of architectures, which does not order them.

    Args:
        calibration: batches of training windows at the stored rate, where the supernet lies;
            recalibrate normalisation.
        count: about how many of them are used.
        past_s: before each window of `calibration`.
    """

    def __init__(
        self,
        supernet: Supernet,
        calibration: list[Tensor],
        search: WindowSet,
        *,
        count: int,
        past_s: float = 0.0,
    ) -> None:
        some = search.only(thin(search, count))
        self._supernet = supernet
        self._calibration = calibration
        self._past_s = past_s
        self._device = next(supernet.parameters()).device
        self._task = search.task
        self._x = torch.from_numpy(some.x).to(self._device)
        self._passes = some.passes
        self._hr_bpm = some.hr_bpm
        self._person = some.person

    @torch.no_grad()
    def mae_bpm(self, arch: Arch) -> float:
        """Raw MAE in BPM; the same value for the same architecture, whatever came before."""
        statistics = self._supernet.recalibrate(
            arch, [self._read(batch, arch, self._past_s) for batch in self._calibration]
        )
        have_hz = self._x.shape[2] // self._task.window_s

        def logits(x: Tensor, *, whole: bool) -> NDArray[np.float32]:
            x = x.to(self._device)
            x = at_rate(x, arch, have_hz) if whole else self._read(x, arch)
            found: Tensor = self._supernet(x, arch, statistics=statistics, whole=whole)
            return found.cpu().numpy()

        if self._passes is None:
            read = [logits(part, whole=False) for part in torch.split(self._x, 256)]
            bpm = decode(np.concatenate(read), self._task).bpm
        else:
            read_pass = lambda x: logits(torch.from_numpy(x[None]), whole=True)  # noqa: E731
            bpm = decode(self._passes.read(read_pass), self._task).bpm
        return mean_over_people(np.abs(bpm - self._hr_bpm), self._person)

    def _read(self, x: Tensor, arch: Arch, past_s: float = 0.0) -> Tensor:
        return inputs_of(x, arch, past_s=past_s, window_s=self._task.window_s)
