"""A search that is killed, or whose disk is full, goes on."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from nas.run.folder import RunDir
from tests.nas.search.runs import TRIALS, config_for, go

ROOT = Path(__file__).parents[3]
SCRIPT = """
import sys
from functools import partial
from pathlib import Path
from nas.run.card import FileFacts
from nas.run.resolve import resolve
from nas.run.job.progress import Silent
from nas.run.folder import RunDir
from nas.search import search
from tests.nas.fakes import FakeTrainer, few_drawn

class Calls(list):
    def append(self, call):
        with open(sys.argv[3], "a") as stream:
            stream.write(call + "\\n")

config = resolve({"budget": "80KB", "data": sys.argv[1], "space": "tiny",
                  "trials": %d, "finalists": 3})
with few_drawn(page=False):
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
        lambda: len(list(run.path.glob("first rungs-*.done"))) >= 5,
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
    assert calls.count("teacher") == 1


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
