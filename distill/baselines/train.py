"""Training of a baseline: the pool, the mix, the schedule and the steps of a student."""

from __future__ import annotations

from dataclasses import replace

from distill.baselines.networks import Baseline
from distill.finalist import OBSERVED_BATCHES, FinalistJob, fit_finalist
from distill.pool import open_pool
from distill.training.fit import ALONE
from distill.training.norms import settle_norms
from distill.training.progress import Progress


def train_baseline(network: Baseline, job: FinalistJob, progress: Progress) -> Baseline:
    """Train one in float.

    Args:
        network: with random weights.
        job: of the student that it is compared with; terms of its mix that read features are left
            out.
        progress: sees every step.

    Returns:
        The network in evaluation mode.

    Raises:
        RunError: the checkpoint is damaged or of another network.
    """
    pool = open_pool(job.pool)
    mix = job.mix(pool).without_features()
    fit_finalist(replace(job, distill=mix.text), network, ALONE, progress)
    settle_norms(network, (pool.of(x, job.arch) for x in pool.inputs(OBSERVED_BATCHES)))
    return network
