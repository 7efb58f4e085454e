"""Protocols fold by fold: resumption, and the tables."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nas.bench.records.jobs import (
    Job,
    RecordsConfig,
    is_done,
    network_of,
    plan_jobs,
    read_for,
)
from nas.bench.records.record import Errors, Identity, PersonErrors, Record
from nas.bench.records.run import run_job, run_jobs
from nas.bench.records.table import gather_records, markdown, summarise, whole_seeds
from nas.models.names import ModelError
from nas.run.config import ConfigError
from nas.run.job import interrupt
from ppg.npz.folder import read_folder, read_recording, write_recording
from ppgnas.errors import DataError, RunError
from ppgnas.files import write_json_atomic
from search_spaces.published import published
from tests.nas.fakes import silent, write_one_person_twice, write_people


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(write_people(tmp_path_factory.mktemp("records"), people=4))


def config(data: str, **changes: Any) -> RecordsConfig:
    base = RecordsConfig(
        protocol="kfold", data=data, network="small", folds=2, seeds=(0, 1), effort="smoke"
    )
    return replace(base, **changes)


def test_networks_by_name(tmp_path: Path) -> None:
    assert network_of("small") == network_of("published:small") == published("small")
    assert network_of("baseline:wiener") is None
    with pytest.raises(DataError, match="baseline 'x' is unknown"):
        network_of("baseline:x")
    with pytest.raises(ModelError, match="'lagre' is neither a name nor a file; allowed: timeppg"):
        network_of("lagre")
    (tmp_path / "a.json").write_text(published("medium").dumps())
    assert network_of(str(tmp_path / "a.json")) == published("medium")


def test_every_fold_and_seed_is_a_job(data: str, tmp_path: Path) -> None:
    jobs = plan_jobs(config(data), tmp_path)
    assert [(job.fold, job.seed) for job in jobs] == [(0, 0), (1, 0), (0, 1), (1, 1)]
    assert len({job.out for job in jobs}) == 4
    assert len(plan_jobs(config(data, network="baseline:wiener"), tmp_path)) == 2  # no seeds


def test_one_person_under_two_names_is_in_one_fold(tmp_path: Path) -> None:
    name, other = write_one_person_twice(tmp_path)
    told: list[str] = []
    loso = config(str(tmp_path), protocol="loso")
    jobs = plan_jobs(loso, tmp_path / "out", told.append)
    assert {job.identity.fold for job in jobs} == {
        person.replace("/", "_") for person in (*(f"synthetic/s3p0{n}" for n in range(4)), name)
    }
    assert len(told) == 1 and told[0].startswith(f"{name} and {other} are one person")
    for fold in loso.rules.folds(read_for(loso, jobs[0].arch), 0):
        assert other not in (*fold.split.train, *fold.split.search, *fold.split.report)


def test_what_is_done_is_not_done_again(data: str, tmp_path: Path) -> None:
    jobs = plan_jobs(config(data), tmp_path)
    ran: list[str] = []

    def run(job: Job) -> None:
        if len(ran) == 3:
            raise KeyboardInterrupt
        ran.append(job.out.name)
        write_json_atomic(job.out, replace(record(job.seed), identity=job.identity).to_json())

    with pytest.raises(KeyboardInterrupt):
        run_jobs(jobs, parallel=1, progress=silent, run=run)
    assert [is_done(job) for job in jobs] == [True, True, True, False]
    ran.clear()
    run_jobs(jobs, parallel=1, progress=silent, run=run)
    assert ran == [jobs[3].out.name]

    other = json.loads(jobs[0].out.read_text())
    other["identity"]["fingerprint"] = "0"
    jobs[0].out.write_text(json.dumps(other))
    with pytest.raises(RunError, match="was made with another `fingerprint`"):
        run_jobs(jobs, parallel=1, progress=silent, run=run)
    jobs[0].out.write_text(json.dumps({**other, "version": 1}))
    with pytest.raises(RunError, match="is of version 1; this ppgnas reads 2"):
        is_done(jobs[0])
    jobs[0].out.write_text("{}")
    with pytest.raises(RunError, match="is no file of `ppgnas bench records`"):
        is_done(jobs[0])


def test_a_baseline_and_a_network_on_people(data: str, tmp_path: Path) -> None:
    """The real thing at its smallest: one fold of training, two of a baseline."""
    (job, *_) = plan_jobs(config(data, seeds=(0,)), tmp_path)
    run_job(job)
    for other in plan_jobs(config(data, network="baseline:spectral-peak"), tmp_path):
        run_job(other)
    entries = summarise(gather_records(tmp_path))
    assert [entry.setting.network for entry in entries] == ["baseline:spectral-peak", "small"]
    assert set(entries[0].figures) == {"raw", "clip"}
    assert set(entries[1].figures) == {"raw", "clip", "hmm"}
    assert (len(entries[0].people), len(entries[1].people)) == (4, 2)
    assert entries[1].costs is not None and entries[1].costs.macs == 194_604
    assert not [path for path in tmp_path.rglob("*.cache")]
    page = markdown(entries, data="people")
    assert "SYNTHETIC" in page and "| small | synthetic | 4," in page
    how = "ppgnas bench records kfold --folds 2 --data people --network"
    assert f"    {how} small --seeds 1 --effort smoke\n" in page
    assert f"    {how} baseline:spectral-peak\n" in page


def test_folds_side_by_side_give_what_they_give_alone(data: str, tmp_path: Path) -> None:
    asked = config(data, network="baseline:spectral-peak")
    alone, both = (plan_jobs(asked, tmp_path / name) for name in ("alone", "both"))
    run_jobs(alone, parallel=1, progress=silent)
    seen: list[tuple[int, int]] = []
    run_jobs(both, parallel=2, progress=lambda done, total, _: seen.append((done, total)))
    assert seen[0] == (0, 2) and seen[-1] == (2, 2)
    for one, other in zip(alone, both, strict=True):
        left, right = (json.loads(job.out.read_text()) for job in (one, other))
        assert left["people"] == right["people"]


def asked_to_stop() -> None:
    raise KeyboardInterrupt


def test_a_dropped_interrupt_ends_a_fold(
    data: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Within its training here, and within a second where processes of their own train."""
    monkeypatch.setattr(interrupt, "check", asked_to_stop)
    jobs = plan_jobs(config(data, seeds=(0,)), tmp_path)
    with pytest.raises(KeyboardInterrupt):
        run_jobs(jobs[:1], parallel=1, progress=silent)
    with pytest.raises(KeyboardInterrupt):
        run_jobs(jobs, parallel=2, progress=silent, run=sleep)
    assert not any(map(is_done, jobs))


def sleep(job: Job) -> None:
    time.sleep(60)


def die(job: Job) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_killed_process_is_told_and_the_others_end(data: str, tmp_path: Path) -> None:
    jobs = plan_jobs(config(data, network="baseline:spectral-peak"), tmp_path)
    with pytest.raises(RunError, match="perhaps for want of memory; run the command again"):
        run_jobs(jobs, parallel=2, progress=silent, run=die)
    # The pool's own thread takes their exit status: asked at that moment, a child seems alive.
    deadline = time.monotonic() + 600
    while multiprocessing.active_children() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert multiprocessing.active_children() == []


def record(seed: int, **people: tuple[float, float]) -> Record:
    """Raw and smoothed error of each person, all of it in one activity."""
    found = {}
    for name, (raw, hmm) in people.items():
        errors = Errors(10, {"raw": raw, "clip": raw, "hmm": hmm})
        found[f"d/{name}"] = PersonErrors(**vars(errors), activities={"run": errors})
    keys = ("protocol", "clock", "network", "id", "effort", "teacher", "teacher_sha256", "recipe")
    return Record(
        found,
        identity=Identity(**dict.fromkeys(keys, "x"), seed=seed, fold="1"),
        folds=2,
        people_of={},
        synthetic=False,
        time_s=1.0,
        versions={},
    )


def test_mean_over_people_deviation_over_seeds() -> None:
    """Seed 0: people 1 and 3, mean 2; seed 1: people 3 and 5, mean 4."""
    records = [record(0, a=(1.0, 1.0), b=(3.0, 2.0)), record(1, a=(3.0, 1.0), b=(5.0, 2.0))]
    (entry,) = summarise(records)
    raw = entry.figures["raw"]
    assert raw.mae_bpm == pytest.approx(3.0)
    assert raw.deviation_bpm == pytest.approx(2**0.5)  # of 2 and 4, n - 1
    assert raw.median_person_bpm == pytest.approx(3.0)
    assert 2.0 <= raw.low_bpm <= raw.high_bpm <= 4.0
    assert entry.figures["hmm"].deviation_bpm == pytest.approx(0.0)
    assert list(entry.people) == ["d/b", "d/a"]  # worst first
    assert entry.activities["run"] == {"people": 2, "raw": 3.0, "clip": 3.0, "hmm": 1.5}


def test_folds_of_a_seed_make_one_mean() -> None:
    (entry,) = summarise([record(0, a=(1.0, 1.0)), record(0, b=(3.0, 3.0), c=(5.0, 5.0))])
    assert entry.figures["raw"].mae_bpm == pytest.approx(3.0)
    assert entry.figures["raw"].deviation_bpm is None


def test_a_seed_with_missing_folds_is_left_out_and_named() -> None:
    whole = [record(0, a=(1.0, 1.0)), record(0, b=(3.0, 3.0))]
    kept, left_out = whole_seeds([*whole, record(1, a=(9.0, 9.0))])
    assert kept == whole
    assert left_out == ["x, x clock, x, seed 1: 1 of 2 folds"]
    page = markdown(summarise(kept), data="people", left_out=left_out)
    assert "Left out, because folds are missing:\n\n* x, x clock, x, seed 1: 1 of 2 folds" in page
    assert "Left out" not in markdown(summarise(kept), data="people")


def test_tested_data_sets_have_rows_of_their_own() -> None:
    both = record(0, a=(1.0, 1.0), b=(3.0, 2.0))
    both.people["e/a"] = record(0, a=(8.0, 7.0)).people["d/a"]
    first, second = summarise([both])
    assert (first.dataset, list(first.people)) == ("d", ["d/b", "d/a"])
    assert (second.dataset, second.figures["hmm"].mae_bpm) == ("e", 7.0)
    page = markdown([first, second], data="people")
    assert "| x | d | - |" in page and "| 2.00 | 1.50 |" in page  # medians, raw and smoothed
    assert "### x on e (x, teacher x)" in page


def test_mistakes_are_refused(data: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="`clock` is 'x'; allowed: corrected, published"):
        config(data, clock="x")
    with pytest.raises(DataError, match="no recording of bami1 or bami2"):
        plan_jobs(config(data, protocol="bami1-bami2"), tmp_path)
    with pytest.raises(RunError, match="holds no result"):
        gather_records(tmp_path)


def test_a_data_set_that_the_network_cannot_read_is_named(data: str, tmp_path: Path) -> None:
    folder = tmp_path / "people"
    recordings = read_folder(Path(data))
    for number, recording in enumerate(recordings):
        write_recording(folder / f"{number}.npz", replace(recording, dataset="moving"))
    for number, recording in enumerate(recordings[:2]):
        bare = replace(recording, dataset="still", ppg=recording.ppg[::-1], acc=None, acc_hz=None)
        write_recording(folder / f"still{number}.npz", bare)
    asked = config(str(folder), tested=("moving", "still"))
    with pytest.raises(DataError, match="no recording of still has acceleration, and small reads"):
        plan_jobs(asked, tmp_path)
    assert len(plan_jobs(replace(asked, network="small-ppg"), tmp_path)) == 4
    said: list[str] = []
    assert len(plan_jobs(config(str(folder)), tmp_path, said.append)) == 4
    assert said == ["small: 2 recordings without acceleration are left out."]


def test_two_people_of_one_file_are_refused(data: str, tmp_path: Path) -> None:
    folder = tmp_path / "people"
    names = (("own", "2_anna"), ("own_2", "anna"), ("own", "eve"))
    for number, (name, recording) in enumerate(zip(names, read_folder(Path(data)), strict=False)):
        person = replace(recording, dataset=name[0], subject=name[1])
        write_recording(folder / f"{number}.npz", person)
    with pytest.raises(DataError, match="two people would be fold 'own_2_anna'"):
        plan_jobs(config(str(folder), protocol="loso"), tmp_path)


def test_another_teacher_or_name_of_a_network(data: str, tmp_path: Path) -> None:
    """A prefix changes nothing; two teachers of one name are two trainings."""
    first = plan_jobs(config(data), tmp_path)[0]
    same = plan_jobs(config(data, network="published:small"), tmp_path)[0]
    assert (same.out, same.identity) == (first.out, first.identity)
    made = []
    for name in ("a", "b"):
        teacher = tmp_path / name / "teacher.safetensors"
        teacher.parent.mkdir()
        teacher.write_text(name)
        made.append(plan_jobs(config(data, teacher=str(teacher)), tmp_path)[0])
    assert made[0].out != made[1].out
    teacher.write_text("c")
    assert plan_jobs(config(data, teacher=str(teacher)), tmp_path)[0].out != made[1].out


def test_recordings_that_change_meanwhile_are_noticed(tmp_path: Path) -> None:
    data = write_people(tmp_path / "data", people=4)
    job = plan_jobs(config(str(data), network="baseline:wiener"), tmp_path)[0]
    file = next(data.rglob("*.npz"))
    recording = read_recording(file)
    write_recording(file, replace(recording, ppg=recording.ppg * np.float32(2)))
    with pytest.raises(RunError, match="changed; start the command again"):
        run_job(job)


def test_a_stopped_run_says_how_to_go_on(
    data: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from nas.cli.main import main

    monkeypatch.setattr(interrupt, "check", asked_to_stop)
    command = ["bench", "records", "loso", "--data", data, "--network", "baseline:wiener"]
    jobs = ["--out", str(tmp_path), "--jobs", "2"]
    monkeypatch.setattr("sys.argv", ["ppgnas", *command, *jobs])
    with pytest.raises(SystemExit) as left:
        main()
    assert left.value.code == 130
    assert "Stopped. The same command goes on where this one was." in capsys.readouterr().err
