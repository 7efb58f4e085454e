"""Protocols of the literature, run fold by fold and seed by seed: `ppgnas bench records`.

One job trains one network on one fold with one seed (or runs a baseline, which needs no training)
and writes one JSON file, atomically, so that a run that was killed goes on with the jobs whose
file is missing. Jobs run in processes of their own. `nas.records_table` makes tables of the files.

A network is trained as by `ppgnas train`: from random weights, with quantisation-aware training;
errors are those of the integers. Report people of a fold see a finished network, once.
"""

from __future__ import annotations

import json
import multiprocessing
import shutil
import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from nas.decoding import calibrate
from nas.models import ModelError, find_model
from nas.people import read_source
from nas.progress import Tick
from nas.versions import versions
from ppg.baselines.registry import BASELINES, RATE_HZ, baseline
from ppg.folds import Fold, Protocol, protocol
from ppg.metrics import by_activity, mae_by_person
from ppg.npz import fingerprint
from ppg.protocol import PARTS
from ppg.recording import Recording
from ppg.smoothing import clip
from ppg.transitions import fit_transitions
from ppg.windows import WindowSet, windows_of
from ppgnas.errors import DataError, RunError
from ppgnas.files import write_json_atomic
from search_spaces.arch import Arch
from search_spaces.published import PUBLISHED, PUBLISHED_PREFIX

BASELINE_PREFIX = "baseline:"
FORMAT = "ppgnas-record"
CLOCKS = ("corrected", "published")


@dataclass(frozen=True)
class RecordsConfig:
    """What to run.

    Attributes:
        protocol: one of `ppg.folds.PROTOCOLS`.
        data: folder of recordings, or synthetic.
        network: `published:NAME` or its NAME, RUN:ID, an arch.json, or `baseline:NAME`.
        dataset, folds: of the protocols that have them.
        clock: `corrected` takes window starts with the lag of the labels, `published` without.
        seeds: one training each.
        effort, teacher: see `ppgnas train`.
    """

    protocol: str
    data: str
    network: str
    dataset: str | None = None
    folds: int = 5
    clock: str = "corrected"
    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)
    effort: str = "standard"
    teacher: str = "none"

    def __post_init__(self) -> None:
        from distill.effort import effort_by_name
        from nas.training import check_teacher

        if self.clock not in CLOCKS:
            raise DataError(f"--label-clock is {self.clock!r}; allowed: {', '.join(CLOCKS)}")
        if not self.seeds or min(self.seeds) < 0 or len(set(self.seeds)) != len(self.seeds):
            raise DataError(f"seeds are {self.seeds}; allowed: different numbers of 0 or more")
        protocol(self.protocol, dataset=self.dataset, folds=self.folds)
        effort_by_name(self.effort)
        check_teacher(self.teacher)

    @property
    def rules(self) -> Protocol:
        """The protocol."""
        return protocol(self.protocol, dataset=self.dataset, folds=self.folds)


@dataclass(frozen=True)
class Job:
    """One file to be made, as plain values that a process can take.

    Attributes:
        config: what is run.
        arch: the network; None for a baseline.
        fold: number of the fold.
        seed: of the training.
        identity: what must be equal for a file to be taken as done.
        out: the file.
    """

    config: RecordsConfig
    arch: Arch | None
    fold: int
    seed: int
    identity: dict[str, Any]
    out: Path


Run = Callable[[Job], None]


def network_of(name: str) -> Arch | None:
    """The architecture that a name means; None for a baseline.

    Raises:
        ModelError, DataError, SpaceError: there is none.
    """
    if name.startswith(BASELINE_PREFIX):
        baseline(name.removeprefix(BASELINE_PREFIX))
        return None
    if name in PUBLISHED:
        name = PUBLISHED_PREFIX + name
    arch = find_model(name).arch
    if arch is None:
        raise ModelError(
            f"{name} has no architecture to train; allowed: {', '.join(PUBLISHED)}, an arch.json, "
            f"RUN:ID, or {BASELINE_PREFIX} and one of {', '.join(BASELINES)}"
        )
    return arch


def read_for(config: RecordsConfig, arch: Arch | None) -> list[Recording]:
    """The recordings of the protocol on the clock that is asked for.

    Raises:
        DataError: none of them is there.
    """
    recordings = read_source(config.data, seed=0)
    if config.clock == "published":
        recordings = [recording.on_published_clock() for recording in recordings]
    recordings = config.rules.select(recordings)
    if arch is None or arch.acceleration:
        having = [recording for recording in recordings if recording.acc is not None]
        if not having:
            raise DataError(
                f"{config.data}: no recording has acceleration, and {config.network} reads it"
            )
        recordings = having
    return recordings


def plan_jobs(config: RecordsConfig, out: Path) -> list[Job]:
    """Every job of a configuration, done or not.

    Args:
        config: what is run.
        out: folder of the results; each configuration has a folder of its own in it.

    Raises:
        PpgnasError: the network, the data or the protocol cannot be used.
    """
    arch = network_of(config.network)
    recordings = read_for(config, arch)
    print_of_data = fingerprint(recordings)
    name = config.network.removeprefix(PUBLISHED_PREFIX).replace(":", "-").replace("/", "_")
    how = "baseline" if arch is None else f"{config.effort}-{Path(config.teacher).stem}"
    folder = out / f"{config.rules.name}-{config.clock}" / f"{name}-{how}"
    seeds = config.seeds if arch is not None else config.seeds[:1]
    jobs = []
    for seed in seeds:
        for number, fold in enumerate(config.rules.folds(recordings, seed)):
            identity = {
                "protocol": config.rules.name,
                "clock": config.clock,
                "network": config.network,
                "id": None if arch is None else arch.id,
                "effort": None if arch is None else config.effort,
                "teacher": None if arch is None else config.teacher,
                "fold": fold.name,
                "seed": seed,
                "fingerprint": print_of_data,
            }
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
    document = read_record(job.out)
    different = [
        key for key, value in job.identity.items() if document["identity"].get(key) != value
    ]
    if different:
        raise RunError(
            f"{job.out} was made with another {', '.join(different)}; choose another --out, or "
            "remove it"
        )
    return True


def read_record(path: Path) -> dict[str, Any]:
    """One job's file.

    Raises:
        RunError: it cannot be read.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise RunError(f"{path} cannot be read ({error}); remove it to make it again") from error
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise RunError(f"{path} is no file of `ppgnas bench records`; choose another --out")
    return document


def run_job(job: Job) -> None:
    """Train and test one fold with one seed, and write its file."""
    started_s = time.monotonic()
    recordings = read_for(job.config, job.arch)
    fold = job.config.rules.folds(recordings, job.seed)[job.fold]
    if job.arch is None:
        measured = _baseline(job.config.network, fold, recordings)
    else:
        measured = _network(job, job.arch, fold, recordings)
    write_json_atomic(
        job.out,
        {
            "format": FORMAT,
            "version": 1,
            "identity": job.identity,
            **measured,
            "people_of": {part: len(getattr(fold.split, part)) for part in PARTS},
            "synthetic": any(recording.synthetic for recording in recordings),
            "time_s": round(time.monotonic() - started_s, 1),
            "versions": versions(),
        },
    )


def _baseline(name: str, fold: Fold, recordings: Sequence[Recording]) -> dict[str, Any]:
    windows = windows_of(
        fold.split.select(recordings, "report"), rate_hz=RATE_HZ, acceleration=True
    )
    bpm = baseline(name.removeprefix(BASELINE_PREFIX))(windows, RATE_HZ)
    clipped = clip(bpm, windows.recording, windows.start_s)
    return {"people": _people(windows, {"raw": bpm, "clip": clipped})}


def _network(job: Job, arch: Arch, fold: Fold, recordings: Sequence[Recording]) -> dict[str, Any]:
    from distill.evaluation import logits_of
    from distill.fixed import train_fixed
    from distill.progress import silent
    from distill.teacher import check_unseen
    from nas.config import TEACHERS
    from ppg.smoothing import read_series

    config = job.config
    parts = {part: fold.split.select(recordings, part) for part in PARTS}
    if config.teacher not in TEACHERS:
        check_unseen(Path(config.teacher), [*fold.split.search, *fold.split.report])
    cache = job.out.with_name(f".{job.out.stem}.cache")
    result = train_fixed(
        arch,
        train=parts["train"],
        search=parts["search"],
        effort=config.effort,
        seed=job.seed,
        teacher=config.teacher,
        cache=cache,
        progress=silent,
    )
    decoding = calibrate(
        result.net,
        parts["search"],
        rate_hz=arch.rate_hz,
        acceleration=arch.acceleration,
        transitions=fit_transitions(parts["train"]),
    )
    windows = windows_of(parts["report"], rate_hz=arch.rate_hz, acceleration=arch.acceleration)
    raw, smoothed = read_series(
        logits_of(result.net, windows.x),
        windows.recording,
        windows.start_s,
        transitions=decoding.transitions,
    )
    clipped = clip(raw.bpm, windows.recording, windows.start_s)
    shutil.rmtree(cache, ignore_errors=True)
    return {
        "people": _people(windows, {"raw": raw.bpm, "clip": clipped, "hmm": smoothed.bpm}),
        "search_mae_bpm": float(result.search_mae_bpm),
        "costs": _costs(arch),
        **decoding.to_json(),
    }


def _costs(arch: Arch) -> dict[str, Any]:
    """What the network takes on the default board and engine, without layers."""
    from nas.search import load_target

    target = load_target("stm32h743", "tflm-cmsis-nn")
    costs = target.costs(arch)
    return {
        "board": target.board.name,
        "engine": target.engine.name,
        "weight_bytes": costs.weight_bytes,
        "macs": costs.macs,
        "latency_ms": costs.latency_ms,
        "flash_bytes": costs.flash_bytes,
        "sram_bytes": costs.sram_bytes,
    }


def _people(windows: WindowSet, read: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Per report person the windows, the error of each column, and the same per activity."""
    found: dict[str, dict[str, Any]] = {}
    errors = {
        column: mae_by_person(windows.hr_bpm, bpm, windows.person, windows.people)
        for column, bpm in read.items()
    }
    for number, person in enumerate(windows.people):
        own = windows.person == number
        if not own.any():
            continue
        none = np.zeros(int(own.sum()), dtype=np.int64)
        found[person] = {
            "windows": int(own.sum()),
            "mae_bpm": {column: errors[column][person] for column in read},
            "activities": {},
        }
        for column, bpm in read.items():
            table = by_activity(
                windows.hr_bpm[own],
                bpm[own],
                bpm[own],
                none,
                (person,),
                windows.activity[own],
                windows.activity_names,
            )
            for name, row in table.items():
                entry = found[person]["activities"].setdefault(
                    name, {"windows": row["windows"], "mae_bpm": {}}
                )
                entry["mae_bpm"][column] = row["mae_bpm"]
    return found


def run_jobs(
    jobs: Sequence[Job], *, parallel: int, threads: int, progress: Tick, run: Run = run_job
) -> None:
    """Run what is not done yet.

    Args:
        jobs: from `plan_jobs`.
        parallel: processes; 1 runs in this one.
        threads: cores to share among them.
        progress: sees how many are done.
        run: the work; `run_job` unless told otherwise.

    Raises:
        RunError: a worker was killed; what is written stays.
    """
    missing = [job for job in jobs if not is_done(job)]
    done = len(jobs) - len(missing)
    progress(done, len(jobs), f"{done} done before")
    if parallel <= 1 or len(missing) <= 1:
        for job in missing:
            run(job)
            done += 1
            progress(done, len(jobs), _note(job))
        return
    from distill.workers import become_worker

    executor = ProcessPoolExecutor(
        min(parallel, len(missing)),
        mp_context=multiprocessing.get_context("spawn"),
        initializer=become_worker,
        initargs=(max(1, threads // parallel),),
    )
    try:
        waiting: dict[Future[None], Job] = {executor.submit(run, job): job for job in missing}
        while waiting:
            finished, _ = wait(waiting, return_when=FIRST_COMPLETED)
            for future in finished:
                job = waiting.pop(future)
                future.result()
                done += 1
                progress(done, len(jobs), _note(job))
    except BrokenProcessPool as error:
        raise RunError(
            "a process of a fold was killed, perhaps for want of memory; run the command again "
            "to go on"
        ) from error
    except BaseException:
        for process in list((executor._processes or {}).values()):
            process.terminate()
        raise
    finally:
        executor.shutdown(wait=False, cancel_futures=True)


def _note(job: Job) -> str:
    return f"fold {job.identity['fold']}, seed {job.seed}"
