from __future__ import annotations

import csv
import io
import json
import math
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nas.cli.search import as_text
from nas.explore.room import room_words
from nas.models.evaluate import evaluate
from nas.models.names import find_model
from nas.run.card import FileFacts
from nas.run.config import Budgets, ConfigError, SearchConfig, resolve
from nas.run.folder import RunDir, choose
from nas.run.people import fitting_space, gather
from nas.run.progress import Lines, Progress, Silent
from nas.run.target import load_target
from nas.search import search
from ppg.npz.folder import read_folder, write_recording
from ppg.people.split import PARTS
from ppgnas.errors import (
    BoardError,
    BudgetError,
    DataError,
    NothingFitsError,
    PpgnasError,
    RunError,
    TaskError,
)
from ppgnas.task import TASK, Task
from search_spaces.space import load_space
from search_spaces.streaming import streamable
from tests.nas.fakes import TAUGHT_BY, FakeTrainer, write_one_person_twice, write_people

ROOT = Path(__file__).parents[2]
TRIALS = 70


def config_for(data: Path, **given: Any) -> SearchConfig:
    options = {
        "device": "cpu",
        "budget": "80KB",
        "data": str(data),
        "space": "tiny",
        "trials": TRIALS,
        "finalists": 3,
        **given,
    }
    return resolve(options)


def go(
    config: SearchConfig,
    path: Path,
    calls: list[str] | None = None,
    *,
    progress: Progress | None = None,
) -> RunDir:
    run = RunDir(path)
    search(
        config,
        run,
        command="ppgnas search",
        progress=progress or Silent(),
        make_trainer=partial(FakeTrainer, calls=calls),
    )
    return run


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_people(tmp_path_factory.mktemp("people"))


@pytest.fixture(scope="module")
def finished(people: Path, tmp_path_factory: pytest.TempPathFactory) -> RunDir:
    return go(config_for(people), tmp_path_factory.mktemp("runs") / "run")


def test_the_run_directory_is_complete(finished: RunDir) -> None:
    names = {path.name for path in finished.path.iterdir() if not path.name.startswith(".")}
    assert names >= {
        "run.toml",
        "study.journal",
        "baselines.json",
        "candidates.json",
        "candidates.csv",
        "front",
        "report.html",
        "log.txt",
    }
    log = finished.log.read_text()
    assert "Reading the recordings" in log and "retraining finalists: done in" in log
    assert not finished.retrained.exists()
    assert finished.finished
    for number in finished.finalists():
        assert {path.name for path in finished.finalist(number).iterdir()} == {
            "arch.json",
            "graph.json",
            "weights.safetensors",
            "model.tflite",
            "model.onnx",
            "model.c",
            "model.h",
            "card.json",
            "predictions.csv",
            "stretches.json",
        }


def test_a_search_for_several_boards_keeps_budgets_on_each(people: Path, tmp_path: Path) -> None:
    boards = {"board": "stm32h743,nrf5340", "latency": "3ms", "trials": 30, "finalists": 2}
    run = go(config_for(people, **boards), tmp_path / "run")
    config, candidates = run.document().config, run.candidates()
    assert candidates.board == "stm32h743" and config.also == ("nrf5340",)
    here, there = (
        load_target(name, config.engine, around=config.around) for name in ("stm32h743", "nrf5340")
    )
    for each in candidates.candidates:
        assert each.costs.latency_ms == pytest.approx(here.costs(each.arch).latency_ms)
        assert not each.feasible or there.costs(each.arch).latency_ms <= 3.0
    refused = [c for c in candidates.candidates if not c.feasible]
    assert any(each.costs.latency_ms <= 3.0 for each in refused)  # for the other board alone
    text, page = as_text(run), run.report.read_text()
    assert "| finalist | MAE search | MAE report | stm32h743 | nrf5340 |" in text
    assert "Best over all boards: finalist" in text and "Best over all boards: finalist" in page
    assert "All boards" in page


def test_a_search_in_streaming_takes_what_can_stream(people: Path, tmp_path: Path) -> None:
    few = {"trials": 12, "finalists": 1}
    asked = config_for(people, mode="streaming", space="default", **few)
    run = go(asked, tmp_path / "run")
    document, candidates = run.document(), run.candidates()
    assert document.config == asked and document.config.mode == "streaming"
    assert candidates.mode == "streaming"
    assert {streamable(candidate.arch) for candidate in candidates.candidates} == {None}
    first = candidates.candidates[0]
    target = load_target("stm32h743", "ppgnas-c", mode="streaming", around=asked.around)
    assert first.costs.latency_ms == pytest.approx(target.costs(first.arch).latency_ms)
    assert [run.card(number).mode for number in run.finalists()] == ["streaming"]
    assert "mode" not in config_for(people).to_tables()["search"]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"mode": "stream"}, "`mode` is 'stream'; allowed: window, streaming"),
        ({"mode": "streaming", "rate": "4s"}, r"gives a reading every 2 s; leave `rate` out"),
    ],
)
def test_modes_that_are_none_are_refused(given: dict[str, str], message: str) -> None:
    with pytest.raises((TaskError, BudgetError), match=message):
        config_for(Path("data"), **given)


def test_costs_of_a_stream_have_its_period() -> None:
    with pytest.raises(BudgetError, match=r"`rate` is 5 s, and a network that streams gives a"):
        load_target("stm32h743", "ppgnas-c", mode="streaming", period_s=5.0)


def test_an_engine_of_windows_does_not_stream(people: Path, tmp_path: Path) -> None:
    asked = config_for(people, mode="streaming", engine="tflm-cmsis-nn")
    with pytest.raises(BoardError, match="engine 'tflm-cmsis-nn' has no streaming"):
        go(asked, tmp_path / "run")


def test_run_toml_says_what_was_done(finished: RunDir, people: Path) -> None:
    document = finished.document()
    assert document.command == "ppgnas search"
    assert document.config.budgets == Budgets(flash_bytes=81920)
    assert document.config.board == "stm32h743"
    assert document.synthetic is True
    assert document.people == 6
    everybody = [person for part in document.split.to_json().values() for person in part]
    assert sorted(everybody) == sorted({r.person for r in read_folder(people)})
    assert len(set(everybody)) == 6
    times = document.time_s
    assert set(times) == {"teacher", "supernet", "search", "finalists", "total"}
    assert times["total"] >= times["search"]
    assert {"torch", "optuna", "python", "ppgnas"} <= set(document.versions)
    assert document.devices == ("cpu",)
    assert document.taught_by == TAUGHT_BY
    page = finished.report.read_text(encoding="utf-8")
    for told in (TAUGHT_BY.name, "2,000,000", "1 min 15 s", "1.25", "0.125", "0.062"):
        assert told in page


def test_few_search_people_are_said(finished: RunDir) -> None:
    words = "One search person chose the order of the finalists: it says nothing of others."
    page = finished.report.read_text(encoding="utf-8")
    assert words in as_text(finished) and words in page
    assert "Expected errors rest on 1 search person" in page


def test_a_budget_that_never_acts_is_said(finished: RunDir) -> None:
    candidates = finished.candidates()
    assert all(c.feasible for c in candidates.candidates)
    words = (
        "The budget of flash never acted: the largest of 70 networks keeps it (room left: flash "
    )
    assert words in room_words(candidates) and words in as_text(finished)
    assert words in finished.report.read_text(encoding="utf-8")


def test_candidates_are_marked(finished: RunDir) -> None:
    document = finished.candidates()
    rows = document.candidates
    assert (document.considered, len(rows)) == (TRIALS, TRIALS)
    assert document.evaluated == sum(row.mae_bpm is not None for row in rows)
    assert document.synthetic is True
    assert document.reference_point["mae_bpm"] == 30.0
    picked = [row for row in rows if row.finalist is not None]
    chosen = {row.finalist: row.arch.id for row in picked}
    assert chosen == {n: finished.card(n).id for n in finished.finalists()}
    # The others are larger networks, see `nas.explore.finalists.larger`.
    assert sum(row.on_front for row in picked) >= math.ceil(len(picked) / 4)
    best = min((row for row in rows if row.on_front), key=lambda row: row.mae_bpm or 0.0)
    assert best.finalist is not None
    with finished.candidates_csv.open(newline="") as stream:
        table = list(csv.DictReader(stream))
    assert [row["id"] for row in table] == [row.arch.id for row in rows]


def test_finalists_stand_in_the_order_of_search_people(finished: RunDir) -> None:
    cards = [finished.card(number) for number in finished.finalists()]
    assert [card.finalist for card in cards] == [1, 2, 3]
    errors = [card.search_mae_bpm.retrained_int8 for card in cards]
    assert errors == sorted(errors)


def test_a_card_agrees_with_the_files_beside_it(finished: RunDir) -> None:
    import hashlib

    card, folder = finished.card(1), finished.finalist(1)
    assert card.parity.tflite_rule_max_lsb == 0
    assert card.parity.windows > 0
    for name, facts in card.files.items():
        content = (folder / name).read_bytes()
        assert facts == FileFacts(len(content), hashlib.sha256(content).hexdigest())
    with (folder / "predictions.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == card.report.windows
    assert {row["person"] for row in rows} == set(finished.document().split.report)
    error = np.mean([abs(float(row["bpm"]) - float(row["reference_bpm"])) for row in rows])
    assert error == pytest.approx(card.report.mae_bpm, abs=0.01)


def test_a_finished_run_is_left_alone(finished: RunDir, people: Path) -> None:
    calls: list[str] = []
    before = finished.report.stat().st_mtime_ns
    go(config_for(people), finished.path, calls)
    assert calls == []
    assert finished.report.stat().st_mtime_ns == before
    with pytest.raises(RunError, match=r"another configuration \(run\.seed: 0 in the run, 1"):
        go(config_for(people, seed=1), finished.path)


def test_the_seed_repeats_a_run(finished: RunDir, people: Path, tmp_path: Path) -> None:
    again = go(config_for(people), tmp_path / "run")
    assert again.candidates() == finished.candidates()
    for number in again.finalists():
        assert again.card(number) == finished.card(number)


def test_nothing_is_written_when_nothing_fits(people: Path, tmp_path: Path) -> None:
    calls: list[str] = []
    with pytest.raises(NothingFitsError, match="`budget` stops it"):
        go(config_for(people, budget="6KB"), tmp_path / "run", calls)
    assert calls == []
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("latency", ["5ms", "0.1494ms"])  # all fit; the smallest alone does
def test_a_search_with_a_time(people: Path, tmp_path: Path, latency: str) -> None:
    config = config_for(people, time="60s", latency=latency, budget_scope="network")
    calls: list[str] = []
    said = io.StringIO()
    run = go(config, tmp_path / "run", calls, progress=Lines(said))
    found = len(run.finalists())
    assert run.finished and found and calls.count("supernet") == 1
    assert (f"{found} finalists of 3 asked for: the others" in said.getvalue()) is (found < 3)
    assert found == 1 or latency == "5ms"
    document = run.document()
    assert document.config == config and "finalists" in document.time_s
    decided = json.loads((run.path / "effort.json").read_text())
    assert list(decided) == ["all", "first rungs", "finalists"]
    steps = [effort["supernet_steps"] for effort in decided.values()]
    assert len(set(steps)) == 1


def test_changed_recordings_are_noticed(people: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    shutil.copytree(people, data)
    run = tmp_path / "run"

    class StopError(Exception):
        pass

    def stop(*_: object, **__: object) -> Any:
        raise StopError

    with pytest.raises(StopError):
        search(config_for(data), RunDir(run), command="", progress=Silent(), make_trainer=stop)
    write_people(data, people=7)
    with pytest.raises(RunError, match=r"the recordings changed since .* was started"):
        go(config_for(data), run)


def test_a_changed_split_is_noticed(people: Path, tmp_path: Path) -> None:
    names = sorted({recording.person for recording in read_folder(people)})
    file = tmp_path / "split.json"
    file.write_text(json.dumps({"train": names[:2], "search": names[2:3], "report": names[3:]}))
    run = tmp_path / "run"

    def stop(*_: object, **__: object) -> Any:
        raise KeyboardInterrupt

    config = config_for(people, split=str(file))
    with pytest.raises(KeyboardInterrupt):
        search(config, RunDir(run), command="", progress=Silent(), make_trainer=stop)
    file.write_text(json.dumps({"train": names[3:], "search": names[2:3], "report": names[:2]}))
    with pytest.raises(RunError, match="the split of people is not the one"):
        go(config, run)


@pytest.mark.parametrize("seed", range(4))
def test_one_person_under_two_names_is_on_one_side(tmp_path: Path, seed: int) -> None:
    name, other = write_one_person_twice(tmp_path / "data")
    config = config_for(tmp_path / "data", seed=seed, trials=3, finalists=1)
    people = gather(config, load_space("tiny"))
    assert people.one_person == {name: (other,)}
    (note,) = (note for note in people.notes if name in note)
    assert note == (
        f"{name} and {other} are one person (s3p04-first and zz-s3p04 have the same PPG samples "
        f"for 4 s or more): they count as {name} and stay in one part."
    )
    split = people.split
    assert other not in (*split.train, *split.search, *split.report)
    (part,) = (part for part in PARTS if name in getattr(split, part))
    assert {"s3p04-first", "zz-s3p04"} <= {r.name for r in split.select(people.recordings, part)}


def test_a_run_says_who_is_one_person(tmp_path: Path) -> None:
    name, other = write_one_person_twice(tmp_path / "data")
    run = go(config_for(tmp_path / "data", trials=3, finalists=1), tmp_path / "run")
    assert run.document().one_person == {name: (other,)}
    page = run.report.read_text(encoding="utf-8")
    assert "No person is in two parts, by names, PPG samples, heart rates and notes." in page
    assert f"{name} is also called {other}." in re.sub("<[^>]*>", "", page)
    # Whichever name comes along later, the role is known.
    model = find_model(f"{run.path}:1")
    both = [r for r in read_folder(tmp_path / "data") if r.person in (name, other)]
    (role,) = {p.role for p in evaluate(model, both).people.values()}
    assert role in PARTS
    for half in both:
        found = evaluate(model, [half])
        assert found.people[half.person].role == role and found.one_person == {}
    merged = evaluate(model, both)
    assert list(merged.people) == [name] and merged.one_person == {name: (other,)}
    assert f"{name} and {other} are one person by their recordings" in " ".join(merged.notes)


def test_a_split_file_with_one_person_on_two_sides(tmp_path: Path) -> None:
    name, other = write_one_person_twice(tmp_path / "data")
    file = tmp_path / "split.json"
    three = [f"synthetic/s3p0{n}" for n in range(3)]
    sides = {"train": [name, three[0]], "search": [three[1]], "report": [three[2], other]}
    file.write_text(json.dumps(sides))
    with pytest.raises(DataError) as caught:
        go(config_for(tmp_path / "data", split=str(file)), tmp_path / "run")
    assert str(caught.value).startswith(f"{file}: split: {name!r} is in train and {other!r} in ")
    assert "in report, and their recordings show that they are one person" in str(caught.value)
    sides = {"train": [other, name], "search": [three[1]], "report": [three[2]]}
    file.write_text(json.dumps(sides))
    people = gather(config_for(tmp_path / "data", split=str(file)), load_space("tiny"))
    assert people.split.train == (name,) and len(people.train) == 2


def test_a_run_of_other_training_windows_does_not_go_on(
    people: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = tmp_path / "run"

    def stop(*_: object, **__: object) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr("nas.run.claim.PREPARATION", {"front_end": "slope-1"})
    with pytest.raises(KeyboardInterrupt):
        search(config_for(people), RunDir(run), command="", progress=Silent(), make_trainer=stop)
    monkeypatch.undo()
    with pytest.raises(
        RunError, match=r"in another way \(front_end slope-1, recipe unnamed; here"
    ):
        go(config_for(people), run)


def test_recordings_without_acceleration(people: Path, tmp_path: Path) -> None:
    from dataclasses import replace

    for recording in read_folder(people):
        bare = replace(recording, acc=None, acc_hz=None)
        write_recording(tmp_path / "data" / "bare" / f"{recording.subject}.npz", bare)
    with pytest.raises(DataError, match=r"6 recordings have no acceleration \(the first is "):
        go(config_for(tmp_path / "data"), tmp_path / "run")
    run = go(config_for(tmp_path / "data", space="default", trials=30), tmp_path / "run")
    assert {row.arch.acceleration for row in run.candidates().candidates} == {False}


def test_the_few_without_acceleration_are_left_out(people: Path, tmp_path: Path) -> None:
    from dataclasses import replace

    for number, recording in enumerate(read_folder(people)):
        kept = replace(recording, acc=None, acc_hz=None) if number < 2 else recording
        write_recording(tmp_path / "data" / "mixed" / f"{recording.subject}.npz", kept)
    config = config_for(tmp_path / "data", space="default")
    gathered = gather(config, load_space("default"))
    assert gathered.notes[0].startswith("2 recordings have no acceleration and are left out")
    assert all(recording.acc is not None for recording in gathered.recordings)
    assert fitting_space(load_space("default"), gathered) == load_space("default")


def test_networks_of_ppg_alone_are_searched_with_a_teacher_that_reads_more(
    people: Path, tmp_path: Path
) -> None:
    asked = {"space": "default", "trials": 30, "finalists": 1}
    inputs = {"student_inputs": "ppg", "teacher_inputs": "ppg+acc"}
    told: list[dict[str, Any]] = []

    def make(*space: Any, **options: Any) -> FakeTrainer:
        told.append(options)
        return FakeTrainer(*space, **options)

    run, config = RunDir(tmp_path / "run"), config_for(people, **asked, **inputs)
    search(config, run, command="", progress=Silent(), make_trainer=make)
    assert {row.arch.acceleration for row in run.candidates().candidates} == {False}
    assert told[0]["taught_with_acceleration"] and told[0]["teacher"] == "spectral"
    assert run.document().config == config
    model = find_model(f"{run.path}:1")
    assert evaluate(model, read_folder(people)).windows > 0
    with pytest.raises(RunError, match=r"teacher_inputs: 'ppg.acc' in the run, 'ppg' asked"):
        go(config_for(people, **asked, student_inputs="ppg", teacher_inputs="ppg"), run.path)
    with pytest.raises(ConfigError, match="no network of the space 'tiny' reads PPG alone; choo"):
        go(config_for(people, **inputs), tmp_path / "tiny")


def test_an_accelerometer_counts_where_networks_read_it(people: Path, tmp_path: Path) -> None:
    asked = {"space": "default", "trials": 30, "finalists": 1, "power": "4mW"}
    dear = config_for(people, **asked, accelerometer="5mW")
    run = go(dear, tmp_path / "dear")
    fitting = [row for row in run.candidates().candidates if row.mae_bpm is not None]
    assert fitting and not any(row.arch.acceleration for row in fitting)
    with pytest.raises(NothingFitsError):
        go(config_for(people, **asked, accelerometer="5mW", student_inputs="ppg+acc"), tmp_path)


# ---- killed -----------------------------------------------------------------------------------

SCRIPT = """
import sys
from functools import partial
from pathlib import Path
from nas.run.card import FileFacts
from nas.run.config import resolve
from nas.run.progress import Silent
from nas.run.folder import RunDir
from nas.search import search
from tests.nas.fakes import FakeTrainer

class Calls(list):
    def append(self, call):
        with open(sys.argv[3], "a") as stream:
            stream.write(call + "\\n")

config = resolve({"budget": "80KB", "data": sys.argv[1], "space": "tiny",
                  "trials": %d, "finalists": 3})
search(config, RunDir(Path(sys.argv[2])), command="ppgnas search", progress=Silent(),
       make_trainer=partial(FakeTrainer, calls=Calls(), delay_s=float(sys.argv[4])))
"""


def rows_of(run: RunDir) -> int:
    """Trials of all studies that the journal holds."""
    if not run.study.exists():
        return 0
    return sum(b'"op_code":4' in line for line in run.study.read_bytes().splitlines())


def test_killed_again_and_again_it_ends_where_an_unharmed_run_ends(
    finished: RunDir, people: Path, tmp_path: Path
) -> None:
    run, log = RunDir(tmp_path / "run"), tmp_path / "calls"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}

    def start(delay_s: float) -> subprocess.Popen[bytes]:
        arguments = [str(people), str(run.path), str(log), str(delay_s)]
        return subprocess.Popen(
            [sys.executable, "-c", SCRIPT % TRIALS, *arguments], env=environment, cwd=tmp_path
        )

    moments: list[Any] = [
        lambda: len(list(run.path.glob("begun-*.done"))) >= 5,
        lambda: rows_of(run) >= 30,
        lambda: any(run.retrained.glob("*/result.json")),
    ]
    kept = 0
    for reached in moments:
        process = start(0.05)
        deadline_s = time.monotonic() + 600
        while not reached():
            assert process.poll() is None
            assert time.monotonic() < deadline_s
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        process.wait()
        # Nothing that was recorded is lost.
        assert rows_of(run) >= kept
        kept = rows_of(run)
        assert not run.finished
    assert start(0.0).wait() == 0
    assert run.finished
    assert run.candidates() == finished.candidates()
    assert run.finalists() == finished.finalists()
    for number in run.finalists():
        assert run.card(number) == finished.card(number)
    calls = log.read_text().splitlines()
    repeated = [call for call in set(calls) if calls.count(call) > 1]
    # Each kill may cost the one call that was running.
    assert len(repeated) <= len(moments)
    assert calls.count("teacher") == calls.count("supernet") == 1


def test_a_full_disk_ends_with_whole_files_and_can_be_resumed(
    people: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import errno

    run = RunDir(tmp_path / "run")
    real, room = os.fsync, [30]

    def fsync(descriptor: int) -> None:
        room[0] -= 1
        if room[0] < 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        real(descriptor)

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fsync)
        with pytest.raises(OSError, match="No space left"):
            go(config_for(people), run.path)
    assert not run.finished
    for path in run.path.rglob("*.json"):
        json.loads(path.read_text())
    assert not [path for path in run.path.rglob(".*") if path.name != ".lock"]
    go(config_for(people), run.path)
    assert run.finished


def test_choose_and_search_agree_on_what_is_claimed(finished: RunDir) -> None:
    with pytest.raises(RunError, match="holds a finished run"):
        choose(finished.path, resume=False)


def test_a_search_chooses_among_windows(people: Path, tmp_path: Path) -> None:
    few = {"trials": 12, "finalists": 1}
    asked = config_for(people, window="4s,6s", stride="1s", bpm="40-199", **few)
    assert asked.period_s == 1.0
    run = go(asked, tmp_path / "run")
    document, candidates = run.document(), run.candidates()
    assert document.config == asked
    tasks = {candidate.arch.task for candidate in candidates.candidates}
    assert tasks == {Task(4, 1, 40, 199), Task(6, 1, 40, 199)}
    assert all(run.card(n).arch.task in tasks for n in run.finalists())
    rows = list(csv.DictReader((run.path / "candidates.csv").read_text().splitlines()))
    assert {row["window_s"] for row in rows} == {"4", "6"} and rows[0]["lowest_bpm"] == "40"
    page = (run.path / "report.html").read_text()
    assert "4 s every 1 s, 40-199 BPM or 6 s every 1 s, 40-199 BPM" in page
    assert "window<br>(s)" in page or "window\\u003cbr\\u003e(s)" in page
    again = resolve({"config": None, "window": "8s"}, asked)  # what is not asked stays
    assert again.windows.tasks((TASK,)) == (Task(8, 1, 40, 199),)


def test_the_usual_windows_are_told_nowhere(finished: RunDir) -> None:
    files = ("run.toml", "candidates.csv")
    text = "".join((finished.path / name).read_text() for name in files)
    assert not any(name in text for name in ("window_s", "stride_s", "bpm = [", "lowest_bpm"))


def test_windows_that_cannot_be_searched_are_refused(people: Path, tmp_path: Path) -> None:
    for asked, message in (
        ({"window": "6s,7s"}, "`window` is 7 s and `stride` 2 s; allowed: a window of whole"),
        ({"window": "6s", "mode": "streaming"}, "streaming pools over 4 strides"),
        ({"stride": "1s", "mode": "streaming", "window": "4s", "rate": "2s"}, "every 1 s; leave"),
        ({"bpm": "40-200"}, "161 classes of 1 BPM; allowed: an even number"),
    ):
        with pytest.raises(PpgnasError, match=message):
            go(config_for(people, **asked), tmp_path / "run")
    assert not (tmp_path / "run").exists()
