"""Training the networks of the bench, and asking the cheap figures of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

from distill.evaluation import Retrained, predict_windows
from distill.jacobian import jacobian_score
from distill.trainer import Trainer
from nas.bench.ranking.networks import Pair, bench_networks
from nas.bench.ranking.records import FullTraining, NetworkRecord, read_record
from nas.explore.problem import probe
from nas.run.config import SearchConfig
from nas.run.machine import available_cores
from nas.run.people import People, fitting_space, gather
from nas.run.progress import Progress
from nas.run.target import load_target
from ppg.people.metrics import mae_by_person
from ppg.recording import Recording
from ppg.windows import windows_of
from search_spaces.arch import Arch
from search_spaces.space import load_space

SEEDS = (0, 1)


def measure(
    config: SearchConfig, folder: Path, *, count: int, progress: Progress
) -> tuple[list[NetworkRecord], list[Pair]]:
    """Measure what `folder` does not hold yet.

    Args:
        config: people, space, budgets, effort and teacher; networks are judged alone.
        folder: one JSON file a network, and a cache.
        count: networks.
        progress: where to say how far it is.

    Raises:
        PpgnasError: as a search.
    """
    target, space = load_target(config.board, config.engine), load_space(config.space)
    people = gather(config, space)
    space = fitting_space(space, people)
    cost_of = lru_cache(maxsize=1 << 16)(target.costs)
    problem = probe(
        space,
        cost_of,
        budgets=config.budgets,
        objectives=config.objectives,
        board_flash_bytes=target.board.flash_bytes,
        board_sram_bytes=target.board.sram_bytes,
    ).problem

    def accept(arch: Arch) -> bool:
        return max(problem.constraints(cost_of(arch)).values()) <= 0

    archs, pairs = bench_networks(space, accept, count=count, seed=config.seed)
    folder.mkdir(parents=True, exist_ok=True)
    trainer = Trainer(
        space,
        train=people.train,
        search=people.search,
        effort=config.effort,
        seed=config.seed,
        teacher=config.teacher,
        folder=folder,
        threads=available_cores(),
        accept=accept,
    )
    with progress.phase("teacher") as tick:
        trainer.prepare_teacher(tick)
    with progress.phase("supernet") as tick:
        trainer.train_supernet(tick)
    with progress.phase("first rungs") as tick:
        begun = trainer.begin_many(archs, tick)
    batch = next(trainer.batches(1))
    records = []
    for arch, said in zip(archs, begun, strict=True):
        costs = cost_of(arch)
        known = read_record(folder, arch)
        records.append(
            known
            or NetworkRecord(
                arch=arch,
                macs=costs.macs,
                weights=costs.weight_bytes,
                latency_ms=costs.latency_ms,
                inherited_bpm=trainer.search_mae(arch),
                jacobian=jacobian_score(arch, batch, seed=config.seed),
                first_expected_bpm=said.expected_bpm,
                first_mae_bpm=said.mae_bpm,
                first_train_bpm=said.train_bpm,
            )
        )
        records[-1].write(folder)
    for seed in SEEDS:
        _train_alone(records, trainer, people, seed=seed, folder=folder, progress=progress)
    return records, pairs


def _train_alone(
    records: list[NetworkRecord],
    trainer: Trainer,
    people: People,
    *,
    seed: int,
    folder: Path,
    progress: Progress,
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
        records[place].write(folder)

    with progress.phase(f"networks alone, seed {seed}") as tick:
        trainer.train_alone([records[place].arch for place in missing], tick, keep, seed=seed)


def _errors(result: Retrained, arch: Arch, recordings: Sequence[Recording]) -> dict[str, float]:
    windows = windows_of(recordings, arch)
    raw = predict_windows(result.net, windows).raw.bpm
    return mae_by_person(windows.hr_bpm, raw, windows.person, windows.people)
