"""A first rung: the first fifth of a finalist's float steps, and what the weights say after it.

A finalist goes on from there, so that no step is thrown away. The weights are read as they are,
near the highest rate, with the statistics of normalisation settled. They are scored by the error
of their readings and the expected error under their distribution together, and by the readings of
some training people: few search people alone say less (docs/ranking.md).
"""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter

from distill.evaluation import float_logits, raw_mae_bpm
from distill.finalist import OBSERVED_BATCHES, FinalistJob, fit_finalist
from distill.pool import open_pool
from distill.training.checkpoint import load_checkpoint, read_facts, save_checkpoint
from distill.training.device import placed
from distill.training.effort import Progress, first_score, rung_score
from distill.training.fit import ALONE, settle_norms
from distill.training.metrics import note_search
from ppg.people.metrics import mean_over_people
from ppg.readout.classes import bin_centres_bpm
from ppg.readout.decode import probabilities
from ppg.windows import WindowSet
from ppgnas.task import TASK, Task
from search_spaces.network import Network


@dataclass(frozen=True)
class Begun:
    """What a network says after its first rung, in BPM, in floating point.

    Attributes:
        expected_bpm: mean over search people of the expected absolute error of a window.
        mae_bpm: mean over search people of the error of the decoded reading.
        train_mae_bpm: the same on some training people, from their recordings as they are.
        step_s: seconds that a step of it took, of its core.
    """

    expected_bpm: float
    mae_bpm: float
    train_mae_bpm: float
    step_s: float

    @property
    def score_bpm(self) -> float:
        """What networks are ordered by half way."""
        return rung_score(self.expected_bpm, self.mae_bpm)

    @property
    def first_score_bpm(self) -> float:
        """The same after a first rung, when hardly any window was seen twice."""
        return first_score(self.score_bpm, self.train_mae_bpm)


def begin(
    job: FinalistJob, search: WindowSet, train: WindowSet, kept: Path, progress: Progress
) -> Begun:
    """Train up to `job.pause`, keep the weights and what they say in `kept`.

    Args:
        search, train: windows of search and of training people at the rate of the arch.
    """
    pool = open_pool(job.pool, device=job.device)
    network = placed(Network(job.arch), job.device)
    load_checkpoint(job.weights, network)
    steps = job.float_steps - job.float_steps_done
    start_s = time.perf_counter()
    fit_finalist(job, network, ALONE, progress)
    step_s = (time.perf_counter() - start_s) / max(1, steps)
    batches = [pool.of(x, job.arch) for x in pool.inputs(OBSERVED_BATCHES)]
    settle_norms(network, batches)
    logits = float_logits(network, search)
    begun = Begun(
        mean_over_people(expected_error(logits, search.hr_bpm, search.task), search.person),
        raw_mae_bpm(logits, search),
        raw_mae_bpm(float_logits(network, train), train),
        step_s,
    )
    note_search(job.log, job.float_steps, arithmetic="float", mae_bpm=begun.mae_bpm)
    save_checkpoint(kept, network, begun=asdict(begun))
    return begun


def expected_error(
    logits: NDArray[np.float32], hr_bpm: NDArray[np.floating], task: Task = TASK
) -> NDArray[np.float64]:
    """`sum_k p_k |c_k - hr|` of each window, in BPM.

    Args:
        logits: `(windows, classes)`.
        hr_bpm: `(windows,)`.
    """
    distance = np.abs(bin_centres_bpm(task) - np.asarray(hr_bpm, np.float64)[:, None])
    found: NDArray[np.float64] = (probabilities(logits) * distance).sum(axis=1)
    return found


def read_begun(kept: Path) -> Begun:
    """What `begin` kept in a file.

    Raises:
        RunError: the file is damaged.
    """
    return _BEGUN.validate_python(read_facts(kept)["begun"])


_BEGUN = TypeAdapter(Begun)
