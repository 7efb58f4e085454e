"""A request to stop ends a job even where Python drops its exception."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import typer

from nas.cli.common import verb
from nas.run.job import interrupt
from nas.run.job.progress import Bars, Lines, Progress

ROOT = Path(__file__).parents[4]

LOST = """
import signal
import sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job ignores it
import nas.search
from nas.cli.main import main

class Loses:
    def __del__(self):
        signal.raise_signal(signal.SIGINT)
        for _ in range(1000):
            pass

def search(config, run, *, progress, **_):
    with progress.phase("search") as tick:
        tick(0, 1, "")
        lost = Loses()
        del lost
        print("lost", file=sys.stderr)
        tick(1, 1, "")
        print("finished", file=sys.stderr)

nas.search.search = search
main(["search", "--budget", "80KB", "--data", "synthetic", "--out", sys.argv[1]])
"""


class Loses:
    """Is interrupted while it is destroyed."""

    def __del__(self) -> None:
        signal.raise_signal(signal.SIGTERM)
        for _ in range(1000):  # so that the handler runs here
            time.sleep(0)


@pytest.fixture
def listening() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job ignores it
    interrupt.listen()
    yield
    interrupt.listen()  # forgets what was asked for
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.usefixtures("listening")
@pytest.mark.parametrize("progress", [Lines(), Bars()], ids=["lines", "bars"])
def test_a_dropped_interrupt_ends_the_job_at_its_next_step(
    progress: Progress, monkeypatch: pytest.MonkeyPatch
) -> None:
    dropped: list[object] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda args: dropped.append(args.exc_type))
    with pytest.raises(KeyboardInterrupt), progress.phase("a job") as tick:
        tick(0, 2, "")
        lost = Loses()
        del lost
        assert dropped == [KeyboardInterrupt]
        tick(1, 2, "")
        pytest.fail("the job goes on")


@pytest.mark.usefixtures("listening")
def test_a_second_interrupt_does_not_break_the_message(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    @verb
    def job() -> None:
        monkeypatch.setattr("nas.cli.common.printable", second)
        signal.raise_signal(signal.SIGINT)

    def second(text: str) -> str:
        signal.raise_signal(signal.SIGINT)
        return text

    with pytest.raises(typer.Exit) as left:
        job()
    assert left.value.exit_code == 130
    assert capsys.readouterr().err == "ppgnas: Stopped.\n"


@pytest.mark.usefixtures("listening")
def test_an_interrupted_import_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    @verb
    def job(signalled: bool) -> None:
        if signalled:
            with suppress(KeyboardInterrupt):  # as compiled code does
                signal.raise_signal(signal.SIGTERM)
        raise ImportError("initialization failed")

    with pytest.raises(ImportError):
        job(signalled=False)
    with pytest.raises(typer.Exit) as left:
        job(signalled=True)
    assert left.value.exit_code == 130
    assert capsys.readouterr().err == "ppgnas: Stopped.\n"


@pytest.mark.usefixtures("listening")
def test_an_ignored_interrupt_stays_ignored() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    interrupt.listen()
    signal.raise_signal(signal.SIGINT)
    interrupt.check()


def test_a_dropped_interrupt_ends_a_verb(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", LOST, str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 130, done.stderr
    assert "Exception ignored" in done.stderr
    assert "lost" in done.stderr
    assert "Stopped." in done.stderr
    assert "finished" not in done.stderr
