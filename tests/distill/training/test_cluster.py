"""Jobs on a real scheduler with worker processes, one of which is killed."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from importlib.util import find_spec
from multiprocessing import forkserver
from pathlib import Path
from typing import Any

import pytest

from distill.training.cluster import client_of
from distill.training.effort import Progress
from distill.training.jobs import new_processes, run_jobs
from nas.models.backend import site_of
from ppgnas.errors import RunError

# Importing it takes two seconds, so the tests do.
pytestmark = pytest.mark.skipif(find_spec("distributed") is None, reason="needs the extra cluster")
WORKERS, JOB_S = 4, 0.3
LAST = 15  # runs until a worker is killed, so that there is one to kill on any machine


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    import dask
    from distributed import LocalCluster

    new_processes()  # says of what workers are copies
    forkserver.ensure_running()
    with (
        dask.config.set({"distributed.worker.multiprocessing-method": "forkserver"}),
        LocalCluster(
            n_workers=WORKERS, threads_per_worker=1, processes=True, dashboard_address=":0"
        ) as made,
    ):
        yield made


def evaluate(number: int, folder: Path, progress: Progress) -> int:
    """What a candidate takes; tells the worker that does it, and who did it to the end."""
    (folder / f"{number}.begun").write_text(str(os.getpid()))
    time.sleep(JOB_S)
    while number == LAST and (folder / "wait").exists():
        time.sleep(0.01)
    while (folder / "together").exists() and len(who(folder, "begun")) < WORKERS:
        time.sleep(0.01)
    with (folder / f"{number}.done").open("a") as file:
        file.write(f"{os.getpid()}\n")
    progress(1, 1, "")
    return number * number


def who(folder: Path, what: str) -> set[str]:
    return {path.read_text().strip() for path in folder.glob(f"*.{what}")} - {""}


def run(address: str, count: int, folder: Path) -> list[Any]:
    seen: list[Any] = []

    def on_done(index: int, result: int) -> None:
        seen.append((index, result))
        running = [p for p in folder.glob("*.begun") if not p.with_suffix(".done").exists()]
        if len(seen) >= WORKERS and running and (folder / "wait").exists():
            os.kill(int(running[0].read_text()), signal.SIGKILL)
            (folder / "wait").unlink()

    run_jobs(
        evaluate,
        [(number, folder) for number in range(count)],
        steps=[1] * count,
        what="candidates",
        processes=2,
        progress=lambda *_: None,
        on_done=on_done,
        dask=address,
    )
    return seen


def test_a_killed_worker_loses_nothing_and_nothing_is_told_twice(
    cluster: Any, tmp_path: Path
) -> None:
    (tmp_path / "wait").touch()
    seen = run(cluster.scheduler_address, LAST + 1, tmp_path)
    assert not (tmp_path / "wait").exists()
    assert sorted(seen) == [(number, number**2) for number in range(16)]
    done = [len(path.read_text().splitlines()) for path in tmp_path.glob("*.done")]
    # one that had ended on the lost worker, and was not fetched yet, is done again
    assert len(done) == 16 and sum(done) <= 17


def test_four_workers_do_four_at_a_time(cluster: Any, tmp_path: Path) -> None:
    (tmp_path / "together").touch()  # no job ends before four workers have begun one
    seen = run(cluster.scheduler_address, 12, tmp_path)
    assert len(seen) == 12 and len(who(tmp_path, "done")) == WORKERS


def test_where_it_is_enough_no_further_job_begins(cluster: Any, tmp_path: Path) -> None:
    ended: list[int] = []
    run_jobs(
        evaluate,
        [(number, tmp_path) for number in range(3 * WORKERS)],
        steps=[1] * 3 * WORKERS,
        what="candidates",
        processes=2,
        progress=lambda *_: None,
        on_done=lambda index, _: ended.append(index),
        enough=lambda: True,
        dask=cluster.scheduler_address,
    )
    assert len(ended) <= WORKERS


def test_who_does_not_answer_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("distill.training.cluster._CONNECT_S", 0.5)
    with (
        pytest.raises(RunError, match=r"`dask` is 'tcp://127\.0\.0\.1:9', and no scheduler"),
        client_of("tcp://127.0.0.1:9", cores=1),
    ):
        pass
    with pytest.raises(RunError, match=r"`dask` is 'tcp://127\.0\.0\.1:9', and no scheduler"):
        site_of("cpu", dask="tcp://127.0.0.1:9")  # before a teacher is trained
    with (
        pytest.raises(RunError, match=r"`dask` is 'here', and no scheduler answers"),
        client_of("here", cores=1),
    ):
        pass


def test_a_scheduler_without_workers_is_named(cluster: Any) -> None:
    """The last test of this cluster: a second one within this process leaves an event loop."""
    from distributed import Client

    cluster.scale(0)
    with Client(cluster) as client:
        while client.nthreads():
            time.sleep(0.05)
    with (
        pytest.raises(RunError, match="has no workers; start some with `dask worker"),
        client_of(cluster.scheduler_address, cores=1),
    ):
        pass
