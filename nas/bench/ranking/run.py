"""The bench from recordings to records: what is measured already is not measured again."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache, partial

from distill.teachers.names import files_of
from nas.bench.ranking.networks import PAIRED, NetworkRecord, Pair, bench_networks, file_of
from nas.explore.problem import probe
from nas.run.claim import claim, differences, told
from nas.run.config import ConfigError, SearchConfig
from nas.run.documents import read_kept
from nas.run.folder import RunDir
from nas.run.job.progress import Progress
from nas.run.people import fitting_space, gather
from nas.run.run_toml import RunDocument
from nas.run.target import load_target
from ppgnas.errors import RunError
from search_spaces.arch import Arch
from search_spaces.space import load_space

FEWEST = 2 * len(PAIRED) + 4


@dataclass(frozen=True)
class Ranking:
    """A finished bench.

    Attributes:
        document: what was asked, with whose recordings, and how long it took.
        records: one a network, each trained with every seed.
        pairs: see `networks.bench_networks`.
    """

    document: RunDocument
    records: list[NetworkRecord]
    pairs: list[Pair]


def bench_ranking(
    config: SearchConfig, run: RunDir, *, networks: int, command: str, progress: Progress
) -> Ranking:
    """Measure what the folder does not hold yet.

    Args:
        config: people, space, budgets, effort and teacher; networks are judged alone.
        run: `run.toml`, one JSON file a network, and a cache.

    Raises:
        PpgnasError: as a search; too few networks, or the folder was measured otherwise.
    """
    if networks < FEWEST:
        raise ConfigError(f"`networks` is {networks}; allowed: {FEWEST} or more, 48 say something")
    files_of(config.teacher)
    if run.exists:
        _check_same(config, run)
    target, space = load_target(config.board, config.engine), load_space(config.space)
    cost_of = lru_cache(maxsize=1 << 16)(target.costs)
    probed_in = partial(
        probe,
        cost_of=cost_of,
        budgets=config.budgets,
        objectives=config.objectives,
        board=target.board,
    )
    probed_in(space)  # before minutes of reading
    people = gather(config, space)
    for note in people.notes:
        progress.say(note)
    space = fitting_space(space, people)
    problem = probed_in(space).problem

    def accept(arch: Arch) -> bool:
        return problem.fits(arch, cost_of(arch))

    archs, pairs = bench_networks(space, accept, count=networks, seed=config.seed)
    run.path.mkdir(parents=True, exist_ok=True)
    with run.lock():
        claim(run, config, space, people, command=command)
        found = [read_kept(file_of(run.path, a), NetworkRecord, arch=a) for a in archs]
        records = [record for record in found if record is not None and record.complete]
        if len(records) < len(archs):
            from nas.bench.ranking.measure import measure  # brings torch

            records = measure(
                archs,
                run,
                config=config,
                space=space,
                people=people,
                cost_of=cost_of,
                accept=accept,
                progress=progress,
            )
            run.finish()
        return Ranking(run.document(), records, pairs)


def _check_same(config: SearchConfig, run: RunDir) -> None:
    if run.study.exists():
        raise RunError(f"`out` {run.path} holds a search, which stays as it is; choose another")
    different = differences(config, run.document().config)
    if different:
        raise RunError(
            f"`out` {run.path} holds networks that were measured otherwise ({told(different)}). "
            "Ask for the same to go on with them, or choose another `out`"
        )
