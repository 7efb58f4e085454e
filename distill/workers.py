"""Finalists side by side: one worker process a core, one thread each.

Small networks gain little from a second thread, so two processes finish nearly twice as much.
"""

from __future__ import annotations

import multiprocessing
import os
import queue
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing.queues import Queue

from distill.finalist import FinalistJob, Retrained, retrain
from distill.training.progress import Progress
from ppg.windows import WindowSet
from ppgnas.errors import RunError

REPORT_EVERY = 20

# A worker's way to its parent: a queue can be inherited by a process, but not sent in a job.
_reports: list[Queue[tuple[int, int]]] = []


def become_worker() -> None:
    """Make this process one that works for its parent, in one thread, and ends with it."""
    import signal
    import threading
    from multiprocessing.connection import wait as wait_for

    import torch

    def end_with_parent() -> None:
        parent = multiprocessing.parent_process()
        if parent is not None:
            wait_for([parent.sentinel])
            os._exit(1)  # nobody is left to take a result

    threading.Thread(target=end_with_parent, daemon=True).start()

    # Ctrl-C reaches the whole process group; the parent alone decides what it means.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    torch.set_num_threads(1)


@contextmanager
def _one_quiet_thread() -> Iterator[None]:
    """Processes that start within the block use one OpenMP thread, which never spins.

    The variables act where the library is loaded, so only in the new processes.
    """
    wanted = {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE"}
    before = {name: os.environ.get(name) for name in wanted}
    os.environ.update(wanted)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


@contextmanager
def worker_processes(
    count: int, initializer: Callable[..., None], *values: object, killed: str
) -> Iterator[ProcessPoolExecutor]:
    """Spawned processes that end with the block, at once when it fails.

    Args:
        count: processes.
        initializer: runs in each of them, with `values`; calls `become_worker`.
        killed: what to tell the user when one of them was killed.

    Raises:
        RunError: one of them was.
    """
    context = multiprocessing.get_context("spawn")
    executor = ProcessPoolExecutor(
        count, mp_context=context, initializer=initializer, initargs=values
    )
    try:
        with _one_quiet_thread():
            yield executor
    except BrokenProcessPool as error:
        raise RunError(killed) from error
    except BaseException:
        for process in list((executor._processes or {}).values()):
            process.terminate()
        raise
    finally:
        executor.shutdown(wait=False, cancel_futures=True)


def _start(reports: Queue[tuple[int, int]]) -> None:
    become_worker()
    _reports[:] = [reports]


def _work(index: int, job: FinalistJob, search: WindowSet) -> Retrained:
    def progress(done: int, total: int, note: str) -> None:
        if done % REPORT_EVERY == 0 or done == total:
            _reports[0].put((index, done))

    return retrain(job, search, progress)


def retrain_all(
    jobs: Sequence[FinalistJob],
    search: Callable[[FinalistJob], WindowSet],
    *,
    processes: int,
    progress: Progress,
    on_done: Callable[[int, Retrained], None],
) -> None:
    """Run all jobs, calling `on_done(index, result)` here as each one ends.

    Args:
        jobs: the finalists.
        search: windows of search people for a job's front end.
        processes: how many at once, at most.
        progress: sees steps summed over all jobs.
        on_done: called in this process.
    """
    if not jobs:
        return
    context = multiprocessing.get_context("spawn")
    reports: Queue[tuple[int, int]] = context.Queue()
    steps = [job.effort.finetune_steps + job.effort.qat_steps for job in jobs]
    done = [0] * len(jobs)
    with worker_processes(
        min(processes, len(jobs)),
        _start,
        reports,
        killed="a worker that retrains a finalist was killed, perhaps for want of memory; "
        "continue with --resume",
    ) as executor:
        waiting: dict[Future[Retrained], int] = {
            executor.submit(_work, index, job, search(job)): index
            for index, job in enumerate(jobs)
        }
        while waiting:
            finished, _ = wait(waiting, timeout=0.5, return_when=FIRST_COMPLETED)
            while True:
                try:
                    index, step = reports.get_nowait()
                except queue.Empty:
                    break
                done[index] = step
            for future in finished:
                index = waiting.pop(future)
                result = future.result()
                done[index] = steps[index]
                on_done(index, result)
            count = sum(step == total for step, total in zip(done, steps, strict=True))
            progress(sum(done), sum(steps), f"{count} of {len(jobs)} finalists done")
