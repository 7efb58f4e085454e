from __future__ import annotations

import io
import re
from pathlib import Path

import pytest

from nas.run.job.progress import Bars, Lines, RecentPace, Silent, logged
from ppgnas.errors import RunError


class Clock:
    """Seconds that pass when told."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def test_lines_come_now_and_then_with_the_time_left() -> None:
    clock, stream = Clock(), io.StringIO()
    lines = Lines(stream, every_s=10, clock=clock)
    with lines.phase("training") as tick:
        for step in range(101):
            tick(step, 100, "loss 1.0")
            clock.now_s += 0.5
    assert stream.getvalue().splitlines() == [
        "training: 20 of 100, 40 s left (loss 1.0)",
        "training: 40 of 100, 30 s left (loss 1.0)",
        "training: 60 of 100, 20 s left (loss 1.0)",
        "training: 80 of 100, 10 s left (loss 1.0)",
        "training: 100 of 100, 0 s left (loss 1.0)",
        "training: done in 50 s",
    ]


def test_a_resumed_phase_counts_its_own_pace() -> None:
    clock, stream = Clock(), io.StringIO()
    with Lines(stream, every_s=10, clock=clock).phase("search") as tick:
        tick(90, 100, "")
        clock.now_s = 10
        tick(95, 100, "")
    assert stream.getvalue().splitlines()[0] == "search: 95 of 100, 10 s left"


def test_time_left_is_learnt_from_the_last_minute() -> None:
    pace = RecentPace()
    pace.saw(50, 0.0)  # a resumed job
    assert pace.remaining_s(100) is None
    pace.saw(60, 10.0)
    assert pace.remaining_s(100) == 40.0
    for second in range(20, 200, 10):  # a neighbour came: one in ten seconds
        pace.saw(58 + second // 10, float(second))
    assert pace.remaining_s(100) == (100 - 77) * 10.0
    assert pace.remaining_s(70) == 0.0


def test_bars_and_silence_accept_the_same_calls() -> None:
    for progress in (Bars(), Silent()):
        progress.say("hello")
        with progress.phase("training") as tick:
            tick(1, 2, "a")
            tick(2, 2, "b")


def test_a_log_keeps_what_was_said_and_what_ended_it(tmp_path: Path) -> None:
    seen = io.StringIO()
    with (
        pytest.raises(RunError),
        logged(tmp_path / "log.txt", Lines(seen), before="early\n") as progress,
    ):
        progress.say("reading")
        with progress.phase("teacher") as tick:
            tick(1, 2, "loss 1.00")
        raise RunError("nothing left")
    lines = (tmp_path / "log.txt").read_text().splitlines()
    assert lines[0] == "early"
    assert [line[26:] for line in lines[1:]] == [
        "reading",
        "teacher: done in 0 s",
        "ended by RunError: nothing left",
    ]
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\+00:00 ", lines[1][:26])
    assert seen.getvalue().splitlines() == ["reading", "teacher: done in 0 s"]
