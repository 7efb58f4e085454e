"""Training the networks of the bench, and asking the cheap figures of each.

One of them needs no training at all, as a control: a ranking must beat it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from distill.evaluation import Retrained, predict_windows
from distill.inputs import inputs_of
from distill.trainer import Trainer
from distill.training.effort import effort_by_name
from hwmodels.costs import Costs
from nas.bench.ranking.networks import SEEDS, FullTraining, NetworkRecord, file_of
from nas.models.backend import site_of
from nas.run.config import SearchConfig
from nas.run.documents import read_kept, write_kept
from nas.run.folder import RunDir
from nas.run.job.progress import Progress, Tick
from nas.run.people import People
from ppg.recording import Recording
from ppg.windows import windows_of
from search_spaces.arch import Arch
from search_spaces.network import Network
from search_spaces.space import SearchSpace


def measure(
    archs: Sequence[Arch],
    run: RunDir,
    *,
    config: SearchConfig,
    space: SearchSpace,
    people: People,
    cost_of: Callable[[Arch], Costs],
    accept: Callable[[Arch], bool],
    progress: Progress,
) -> list[NetworkRecord]:
    """Measure what the folder does not hold yet.

    Args:
        run: a claimed folder; one JSON file a network, and a cache.
        people: whom it trains on, and whose errors are measured.
        cost_of, accept: costs of a network, and whether it fits the budgets.

    Raises:
        PpgnasError: as a search.
    """
    folder = run.path

    @contextmanager
    def timed(label: str) -> Iterator[Tick]:
        start_s = time.monotonic()
        try:
            with progress.phase(label) as tick:
                yield tick
        finally:
            run.record_time(label, time.monotonic() - start_s)

    site = site_of(config.device)
    run.record_device(site.name)
    trainer = Trainer(
        space,
        train=people.train,
        search=people.search,
        effort=effort_by_name(config.effort),
        seed=config.seed,
        teacher=config.teacher,
        folder=folder,
        site=site,
        accept=accept,
        distill=config.distill,
    )
    with timed("teacher") as tick:
        trainer.prepare_teacher(tick)
    with timed("supernet") as tick:
        trainer.train_supernet(tick)
    with timed("first rungs") as tick:
        begun = trainer.begin_many(archs, tick)
    batch = next(trainer.batches(1))
    records = []
    for arch, said in zip(archs, begun, strict=True):
        costs = cost_of(arch)
        records.append(
            read_kept(file_of(folder, arch), NetworkRecord, arch=arch)
            or NetworkRecord(
                arch=arch,
                macs=costs.macs,
                weights=costs.weight_bytes,
                latency_ms=costs.latency_ms,
                inherited_bpm=trainer.search_mae(arch),
                jacobian=jacobian_score(arch, batch, seed=config.seed),
                first_expected_bpm=said.expected_bpm,
                first_mae_bpm=said.mae_bpm,
                first_train_mae_bpm=said.train_mae_bpm,
            )
        )
        write_kept(file_of(folder, arch), records[-1])
    for seed in SEEDS:
        with timed(f"networks alone, seed {seed}") as tick:
            _train_alone(records, trainer, people, seed=seed, folder=folder, tick=tick)
    return records


def _train_alone(
    records: list[NetworkRecord],
    trainer: Trainer,
    people: People,
    *,
    seed: int,
    folder: Path,
    tick: Tick,
) -> None:
    """Whole trainings with a seed, of the networks that lack one."""
    missing = [place for place, record in enumerate(records) if seed not in record.full]

    def keep(index: int, result: Retrained) -> None:
        place = missing[index]
        record = records[place]
        found = FullTraining(
            _errors(result, record.arch, people.search),
            _errors(result, record.arch, people.report),
        )
        records[place] = replace(record, full={**record.full, seed: found})
        write_kept(file_of(folder, record.arch), records[place])

    trainer.train_alone([records[place].arch for place in missing], tick, keep, seed=seed)


def _errors(result: Retrained, arch: Arch, recordings: Sequence[Recording]) -> dict[str, float]:
    raw, _ = predict_windows(result.net, windows_of(recordings, arch)).by_person()
    return raw


FLOOR = 1e-5


def jacobian_score(arch: Arch, x: Tensor, *, seed: int) -> float:
    """How differently a network of random weights reacts to different windows.

    Minus the sum over the eigenvalues v of `log(v + k) + 1 / (v + k)`, where the eigenvalues are
    those of the correlation between the windows' input Jacobians and k is `FLOOR` (`jacob_cov`,
    Mellor et al. 2021, arXiv 2006.04647, first version). Higher is better.

    Args:
        x: `(batch, channels, time)` at the stored rate.
    """
    torch.manual_seed(seed)
    network = Network(arch).train()
    own = inputs_of(x, arch).clone().requires_grad_(True)
    (gradient,) = torch.autograd.grad(network(own).sum(), own)
    correlation = np.corrcoef(gradient.flatten(1).numpy().astype(np.float64))
    values = np.linalg.eigvalsh(np.nan_to_num(correlation))
    return float(-np.sum(np.log(values + FLOOR) + 1 / (values + FLOOR)))
