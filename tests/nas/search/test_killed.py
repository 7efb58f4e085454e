"""A search that is killed, or whose disk is full, goes on."""

from __future__ import annotations

import json
import os
import signal
import time
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import pytest

from distill.training.jobs import new_processes
from nas.run.folder import RunDir
from tests.nas.search.runs import config_for, go


class Calls(list[str]):
    """Notes each call in a file, whatever becomes of this process."""

    def __init__(self, log: Path) -> None:
        self.log = log

    def append(self, call: str) -> None:
        with self.log.open("a") as stream:
            stream.write(f"{call}\n")


def rows_of(run: RunDir) -> int:
    """Trials of all studies that the journal holds."""
    if not run.study.exists():
        return 0
    return sum(b'"op_code":4' in line for line in run.study.read_bytes().splitlines())


def test_killed_again_and_again_it_ends_where_an_unharmed_run_ends(
    finished: RunDir, people: Path, tmp_path: Path
) -> None:
    run, log = RunDir(tmp_path / "run"), tmp_path / "calls"

    def start(delay_s: float) -> BaseProcess:
        given = {"config": config_for(people), "path": run.path, "calls": Calls(log)}
        process = new_processes().Process(target=go, kwargs={**given, "delay_s": delay_s})
        process.start()
        return process

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
            assert process.exitcode is None
            assert time.monotonic() < deadline_s
            time.sleep(0.01)
        process.kill()
        process.join()
        assert process.exitcode == -signal.SIGKILL
        # Nothing that was recorded is lost.
        assert rows_of(run) >= kept
        kept = rows_of(run)
        assert not run.finished
    process = start(0.0)
    process.join()
    assert process.exitcode == 0 and run.finished
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
