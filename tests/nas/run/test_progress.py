from __future__ import annotations

import io

from nas.run.progress import Bars, Lines, Silent, remaining_s


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


def test_remaining() -> None:
    assert remaining_s(0, 10, 5.0) is None
    assert remaining_s(5, 10, 5.0) == 5.0
    assert remaining_s(12, 10, 5.0) == 0.0


def test_bars_and_silence_accept_the_same_calls() -> None:
    for progress in (Bars(), Silent()):
        progress.say("hello")
        with progress.phase("training") as tick:
            tick(1, 2, "a")
            tick(2, 2, "b")
