"""Running the jobs of `ppgnas bench records`, in processes of their own.

A network is trained as by `ppgnas train`: from random weights, with quantisation-aware training;
errors are those of the integers. Report people of a fold see a finished network, once. A file is
written when its job is done, atomically.
"""

from __future__ import annotations

import multiprocessing
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nas.bench.records.jobs import BASELINE_PREFIX, Job, is_done, read_for
from nas.bench.records.record import Errors, Measured, PersonErrors, Record, RecordCosts
from nas.models.backend import check_judges
from nas.models.readout import RULES, calibrate
from nas.run.job import interrupt
from nas.run.job.machine import available_cores, versions
from nas.run.job.progress import Tick
from nas.run.target import Target, load_target
from ppg.baselines import RATE_HZ, baseline, reads_slope
from ppg.npz.folder import fingerprint
from ppg.people.protocols import Fold
from ppg.people.split import PARTS
from ppg.readout.smoothing import clip
from ppg.readout.transitions import fit_transitions
from ppg.recording import Recording
from ppg.windows import InputSpec, WindowSet, windows_of
from ppgnas.defaults import DEFAULT_BOARD, DEFAULT_ENGINE
from ppgnas.errors import RunError
from ppgnas.files import cache_folder, write_json_atomic
from search_spaces.arch import Arch

Run = Callable[[Job], None]


def run_job(job: Job) -> None:
    """Train and test one fold with one seed, and write its file."""
    started_s = time.monotonic()
    recordings = read_for(job.config, job.arch)
    if fingerprint(recordings) != job.identity.fingerprint:
        raise RunError(f"the recordings in {job.config.data} changed; start the command again")
    folds = job.config.rules.folds(recordings, job.seed)
    fold = folds[job.fold]
    if job.arch is None:
        measured = _baseline(job.config.network, fold, recordings)
    else:
        measured = _network(job, job.arch, fold, recordings)
    record = Record(
        **vars(measured),
        identity=job.identity,
        folds=len(folds),
        people_of={part: len(getattr(fold.split, part)) for part in PARTS},
        synthetic=any(recording.synthetic for recording in recordings),
        time_s=round(time.monotonic() - started_s, 1),
        versions=versions(),
    )
    write_json_atomic(job.out, record.to_json())
    shutil.rmtree(_cache_of(job), ignore_errors=True)


def _cache_of(job: Job) -> Path:
    """Where the pool and the checkpoints of a job are until its file is written."""
    return job.out.with_name(f".{job.out.stem}.cache")


def _baseline(name: str, fold: Fold, recordings: Sequence[Recording]) -> Measured:
    name = name.removeprefix(BASELINE_PREFIX)
    windows = windows_of(
        fold.split.select(recordings, "report"),
        InputSpec(RATE_HZ, acceleration=True),
        slope=reads_slope(name),
    )
    bpm = baseline(name)(windows, RATE_HZ)
    clipped = clip(bpm, windows.recording, windows.start_s)
    return Measured(_people(windows, {"raw": bpm, "clip": clipped}))


def _network(job: Job, arch: Arch, fold: Fold, recordings: Sequence[Recording]) -> Measured:
    from distill.evaluation import predict_windows
    from distill.fixed import train_fixed
    from distill.training.device import Site

    config = job.config
    target = load_target(DEFAULT_BOARD, DEFAULT_ENGINE)
    rule = RULES[target.file]  # errors and costs are those of one file
    parts = {part: fold.split.select(recordings, part) for part in PARTS}
    check_judges(config.teacher, [*parts["search"], *parts["report"]])
    cache = cache_folder(_cache_of(job), asdict(job.identity))
    result = train_fixed(
        arch,
        train=parts["train"],
        search=parts["search"],
        effort=config.effort,
        seed=job.seed,
        teacher=config.teacher,
        cache=cache,
        # Folds side by side are processes that work for this one.
        site=Site(cores=available_cores() if multiprocessing.parent_process() is None else 1),
        progress=lambda done, total, note: interrupt.check(),
        rule=rule,
    )
    transitions = fit_transitions(parts["train"])
    search, windows = (windows_of(parts[part], arch) for part in ("search", "report"))
    ranked, read = (
        predict_windows(result.net, each, transitions=transitions, rule=rule)
        for each in (search, windows)
    )
    decoding = calibrate(ranked, transitions=transitions)
    raw = read.raw.bpm
    clipped = clip(raw, windows.recording, windows.start_s)
    return Measured(
        _people(windows, {"raw": raw, "clip": clipped, "hmm": read.smoothed.bpm}),
        file=target.file,
        search_mae_bpm=float(result.search_mae_bpm),
        costs=_costs(arch, target),
        smoothing=decoding.transitions.to_json(),
        confidence={key: table.to_json() for key, table in decoding.confidence.items()},
    )


def _costs(arch: Arch, target: Target) -> RecordCosts:
    costs = target.costs(arch)
    return RecordCosts(
        board=target.board.name,
        engine=target.engine.name,
        weight_bytes=costs.weight_bytes,
        macs=costs.macs,
        latency_ms=costs.latency_ms,
        flash_bytes=costs.flash_bytes,
        sram_bytes=costs.sram_bytes,
    )


def _people(windows: WindowSet, read: dict[str, NDArray[np.float64]]) -> dict[str, PersonErrors]:
    """Errors of each report person, and in each of their activities."""
    errors = {column: np.abs(bpm - windows.hr_bpm) for column, bpm in read.items()}

    def over(own: NDArray[np.bool_]) -> Errors:
        mae_bpm = {column: float(error[own].mean()) for column, error in errors.items()}
        return Errors(int(own.sum()), mae_bpm)

    names = {-1: "unknown", **dict(enumerate(windows.activity_names))}
    found = {}
    for number, person in enumerate(windows.people):
        own = windows.person == number
        if not own.any():
            continue
        activities = {
            names[activity]: over(own & (windows.activity == activity))
            for activity in np.unique(windows.activity[own]).tolist()
        }
        found[person] = PersonErrors(
            **vars(over(own)), activities=dict(sorted(activities.items()))
        )
    return found


def run_jobs(jobs: Sequence[Job], *, parallel: int, progress: Tick, run: Run = run_job) -> None:
    """Run what is not done yet.

    Args:
        parallel: processes; 1 runs in this one.
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
            progress(done, len(jobs), f"fold {job.identity.fold}, seed {job.seed}")
        return
    from distill.training.jobs import run_jobs as side_by_side

    def told(finished: int, total: int, note: str) -> None:
        interrupt.check()
        progress(done + finished, len(jobs), note)

    side_by_side(
        _work,
        [(run, job) for job in missing],
        steps=[1] * len(missing),
        what="folds",
        processes=parallel,
        progress=told,
        on_done=lambda index, result: None,
    )


def _work(run: Run, job: Job, progress: Tick) -> None:
    """A job in a process of its own, which is one step to the others."""
    run(job)
