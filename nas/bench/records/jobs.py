"""What `ppgnas bench records` has to run: a protocol, fold by fold and seed by seed, as jobs.

One job is one network on one fold with one seed, or a baseline, and one JSON file, so that a run
that was killed goes on with the jobs whose file is missing. `nas.bench.records.run` runs them,
`nas.bench.records.table` makes tables of the files.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from distill.teachers.names import NONE, files_of, members_of
from nas.bench.records.record import Identity, read_record
from nas.models.names import ModelError, find_model
from nas.run.config import EFFORT_TRIALS, SYNTHETIC, check_choice
from nas.run.people import read_labelled
from nas.run.unlabelled import LEFT_OUT
from ppg.augment.bank import PREPARATION
from ppg.baselines import BASELINES, baseline
from ppg.identity import united
from ppg.inspection.notes import faults
from ppg.npz.folder import fingerprint
from ppg.people.protocols import FOLDS, Protocol, protocol
from ppg.recording import Recording
from ppgnas.errors import DataError, RunError
from ppgnas.tables import counted
from search_spaces.arch import Arch
from search_spaces.published import PUBLISHED, PUBLISHED_PREFIX

BASELINE_PREFIX = "baseline:"
CLOCKS = ("corrected", "published")
Say = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class RecordsConfig:
    """What to run.

    Attributes:
        data, effort, teacher: as of `nas.run.config.TrainConfig`.
        network: `published:NAME` or its NAME, RUN:ID, an arch.json, or `baseline:NAME`.
        tested, folds, train: data sets and groups of the protocols that have them.
        clock: `corrected` takes window starts with the lag of the labels, `published` without.
    """

    protocol: str
    network: str
    data: str = SYNTHETIC
    effort: str = "standard"
    teacher: str = NONE
    tested: tuple[str, ...] = ()
    folds: int = FOLDS
    clock: str = "corrected"
    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)
    train: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        check_choice("effort", self.effort, tuple(EFFORT_TRIALS))
        check_choice("clock", self.clock, CLOCKS)
        _ = self.rules
        files_of(self.teacher)

    @property
    def rules(self) -> Protocol:
        """The protocol."""
        return protocol(self.protocol, tested=self.tested, folds=self.folds, train=self.train)


@dataclass(frozen=True)
class Job:
    """One file to be made, as plain values that a process can take.

    Attributes:
        arch: the network; None for a baseline.
        identity: what must be equal for a file to be taken as done.
    """

    config: RecordsConfig
    arch: Arch | None
    fold: int
    seed: int
    identity: Identity
    out: Path


def network_of(name: str) -> Arch | None:
    """The architecture that a name means; None for a baseline.

    Raises:
        ModelError, DataError, SpaceError: there is none.
    """
    if name.startswith(BASELINE_PREFIX):
        baseline(name.removeprefix(BASELINE_PREFIX))
        return None
    allowed = (
        f"allowed: {', '.join(PUBLISHED)}, an arch.json, RUN:ID, or {BASELINE_PREFIX} and one of "
        f"{', '.join(BASELINES)}"
    )
    if name in PUBLISHED:
        name = PUBLISHED_PREFIX + name
    elif ":" not in name and not Path(name).exists():
        raise ModelError(f"network {name!r} is neither a name nor a file; {allowed}")
    arch = find_model(name).arch
    if arch is None:
        raise ModelError(f"{name} has no architecture to train; {allowed}")
    return arch


def read_for(
    config: RecordsConfig, arch: Arch | None, say: Say = lambda _: None
) -> list[Recording]:
    """The recordings of the protocol on the clock that is asked for.

    One person under several names is one. Where the network reads acceleration and the protocol
    takes all data sets, recordings without it are left out. `say` is told of both.

    Raises:
        DataError: none of them is there, or a data set that was named lacks acceleration.
    """
    recordings, unlabelled = read_labelled(config.data, seed=0)
    if unlabelled:
        say(unlabelled)
    if config.clock == "published":
        recordings = [recording.with_lag(0.0) for recording in recordings]
    recordings, groups = united(config.rules.select(recordings))
    for group in groups:
        say(group.note)
    if arch is None or arch.acceleration:
        having = [recording for recording in recordings if recording.acc is not None]
        lost = {r.dataset for r in recordings} - {r.dataset for r in having}
        if not having or lost & set(config.rules.dataset):
            raise DataError(
                f"{config.data}: no recording of {', '.join(sorted(lost))} has acceleration, and "
                f"{config.network} reads it; leave the data set out, or take a network whose name "
                "ends in -ppg"
            )
        if len(having) < len(recordings):
            count = len(recordings) - len(having)
            say(f"{config.network}: {counted(count, *LEFT_OUT)}")
        recordings = having
    return recordings


def plan_jobs(config: RecordsConfig, out: Path, say: Say = lambda _: None) -> list[Job]:
    """Every job of a configuration, done or not.

    Args:
        out: folder of the results; each configuration has a folder of its own in it.

    Raises:
        PpgnasError: the network, the data or the protocol cannot be used.
    """
    arch = network_of(config.network)
    recordings = read_for(config, arch, say)
    for note in faults(recordings):
        say(note)
    print_of_data = fingerprint(recordings)
    network = config.network.removeprefix(PUBLISHED_PREFIX)
    taught = ""
    if files := files_of(config.teacher):
        taught = hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()
    stems = "+".join(Path(member).stem for member in members_of(config.teacher)) or NONE
    how = f"{config.effort}-{stems}" + (f"-{taught[:8]}" if taught else "")
    name = network.replace(":", "-").replace("/", "_")
    name += "-baseline" if arch is None else f"-{how}"
    folder = out / f"{config.rules.name}-{config.clock}" / name
    seeds = config.seeds if arch is not None else config.seeds[:1]
    jobs = []
    for seed in seeds:
        folds = config.rules.folds(recordings, seed)
        names = [fold.name for fold in folds]
        doubled = [name for name in names if names.count(name) > 1]
        if doubled:
            raise DataError(
                f"two people would be fold {doubled[0]!r}: their data set and subject differ in "
                "_ and / alone; rename one of them"
            )
        for number, fold in enumerate(folds):
            identity = Identity(
                protocol=config.rules.name,
                clock=config.clock,
                network=network,
                id=None if arch is None else arch.id,
                effort=None if arch is None else config.effort,
                teacher=None if arch is None else config.teacher,
                teacher_sha256=None if arch is None else taught,
                **PREPARATION,
                fold=fold.name,
                seed=seed,
                fingerprint=print_of_data,
            )
            file = folder / f"fold-{fold.name}-seed{seed}.json"
            jobs.append(Job(config, arch, number, seed, identity, file))
    return jobs


def is_done(job: Job) -> bool:
    """Whether a job's file is there.

    Raises:
        RunError: it is of another configuration, or damaged.
    """
    if not job.out.exists():
        return False
    found = asdict(read_record(job.out).identity)
    different = [f"`{key}`" for key, value in asdict(job.identity).items() if found[key] != value]
    if different:
        raise RunError(
            f"{job.out} was made with another {', '.join(different)}; choose another `out`, or "
            "remove it"
        )
    return True
