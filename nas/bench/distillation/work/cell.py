"""One training, and the pace of it."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from itertools import accumulate
from pathlib import Path

import numpy as np
import torch

from distill.baselines import Baseline, baseline
from distill.compression.retrain import float_network, parts_of, retrain
from distill.evaluation import predict_windows
from distill.finalist import OBSERVED_BATCHES, FinalistJob, fit_finalist
from distill.pool import open_pool
from distill.training.checkpoint import save_checkpoint
from distill.training.effort import Effort
from distill.training.fit import ALONE, settle_norms
from distill.training.recipe import load_recipe
from nas.bench.distillation.cells import RecipePace, Steps, plain_kind
from nas.bench.distillation.records import CellJob, CellRecord
from nas.bench.distillation.spent import Spent
from nas.bench.distillation.work.readings import errors_of, judged
from nas.run.job.progress import Tick
from ppg.windows import windows_of
from search_spaces.arch import Arch
from search_spaces.lower import lower
from search_spaces.network import Network

PACE_STEPS, PACE_WARMUP = 60, 5


def measure_pace(job: CellJob, progress: Tick) -> RecipePace:
    """A few steps of all stages; what the network learns is thrown away."""
    if plain_kind(job.cell.recipe.student) is not None:
        return _plain_pace(job)
    torch.manual_seed(0)
    with tempfile.TemporaryDirectory() as folder:
        weights = Path(folder) / "initial.safetensors"
        save_checkpoint(weights, Network(job.arch))
        few = replace(job.effort, finetune_steps=PACE_STEPS, qat_steps=PACE_STEPS)
        own = replace(_finalist(job), weights=weights, effort=few)
        parts = [part.steps for part in parts_of(own)]
        windows = windows_of(job.judges.search[:1], job.arch)
        at_s: list[float] = []
        retrain(own, windows, lambda *_: at_s.append(time.process_time()))
    ends = [*accumulate(parts)]
    pace_s = [_middle(at_s[end - part : end]) for part, end in zip(parts, ends, strict=True)]
    float_s = sum(s * part for s, part in zip(pace_s[:-1], parts[:-1], strict=True))
    return RecipePace(float_s / PACE_STEPS, pace_s[-1])


def _plain_pace(job: CellJob) -> RecipePace:
    at_s: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        own = replace(job, steps=Steps(PACE_STEPS, 0), folder=Path(folder))
        _train_plain(own, lambda *_: at_s.append(time.process_time()))
    return RecipePace(_middle(at_s), 0.0)


def _middle(at_s: Sequence[float]) -> float:
    """Seconds between two steps, the first ones of a few left out."""
    seconds = np.diff(at_s[min(PACE_WARMUP, len(at_s) // 2) :])
    return float(np.median(seconds)) if len(seconds) else 0.0


def train_cell(job: CellJob, progress: Tick) -> CellRecord:
    """Train, then read report people once."""
    spent = Spent(job.folder / "seconds.json")
    watched = spent.watching(progress)
    search, report = (windows_of(r, job.arch) for r in (job.judges.search, job.judges.report))
    arch: Arch | None = None
    if plain_kind(job.cell.recipe.student) is not None:
        network = _train_plain(job, watched)
        parameters, seconds = network.parameters_folded, spent.seconds
        search_bpm, errors = judged(network, search, report, job.judges)
    else:
        finalist = _finalist(job)
        if not finalist.weights.exists():
            torch.manual_seed(job.cell.seed)
            save_checkpoint(finalist.weights, Network(job.arch))
        result = retrain(finalist, search, watched)
        spent.keep()  # for a cell of the same training
        arch, seconds = result.arch, spent.seconds
        parameters = lower(arch).total_parameters
        if job.cell.recipe.quantisation == "float":
            search_bpm, errors = judged(float_network(finalist), search, report, job.judges)
        else:
            search_bpm = result.search_mae_bpm
            found = predict_windows(
                result.net, report, transitions=job.judges.transitions, rule=job.judges.rule
            )
            errors = errors_of(found)
    return CellRecord(
        cell=job.cell,
        arch=arch,
        parameters=parameters,
        costs=None if arch is None else job.target.costs(arch),
        steps=job.steps,
        seconds=seconds,
        search_bpm=search_bpm,
        errors=errors,
    )


def _train_plain(job: CellJob, progress: Tick) -> Baseline:
    """In float, from what a student learns from but features."""
    kind = plain_kind(job.cell.recipe.student) or ""
    parameters = lower(job.arch).total_parameters
    torch.manual_seed(job.cell.seed)
    network = baseline(kind, parameters, acceleration=job.arch.acceleration)
    job.folder.mkdir(parents=True, exist_ok=True)
    pool, own = open_pool(job.pool), _finalist(job)
    own = replace(own, distill=own.mix(pool).without_features().text)
    fit_finalist(own, network, ALONE, progress)
    settle_norms(network, (pool.of(x, job.arch) for x in pool.inputs(OBSERVED_BATCHES)))
    return network


def _finalist(job: CellJob) -> FinalistJob:
    weights = job.folder / "initial.safetensors"
    return FinalistJob(
        job.arch,
        weights,
        job.pool,
        _effort(job),
        job.cell.seed,
        rule=job.judges.rule,
        distill=job.cell.recipe.mix,
        recipe=load_recipe(job.cell.recipe.stages),
    )


def _effort(job: CellJob) -> Effort:
    steps = job.steps
    return replace(job.effort, finetune_steps=steps.float_steps, qat_steps=steps.int8_steps)
