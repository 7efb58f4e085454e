"""Many small trainings side by side, each in a worker process of one thread."""

from __future__ import annotations

import multiprocessing
import queue
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from contextlib import contextmanager
from multiprocessing.queues import Queue
from typing import TypeVar, TypeVarTuple, Unpack

from distill.training.cluster import Hands, on_cluster
from distill.training.processes import become_worker, worker_processes
from distill.training.progress import Progress
from distill.training.queues import OwnQueue
from distill.training.queues import Queue as JobQueue

REPORT_EVERY = 20
_POLL_S = 0.5

Result = TypeVar("Result")
Values = TypeVarTuple("Values")

# A worker's way to its parent: a queue can be inherited by a process, but not sent in a job.
_reports: list[Queue[tuple[int, int]]] = []


def _start(reports: Queue[tuple[int, int]]) -> None:
    become_worker()
    _reports[:] = [reports]


def _work(work: Callable[..., Result], index: int, values: tuple[object, ...]) -> Result:
    import torch

    torch.set_num_threads(1)

    def progress(done: int, total: int, note: str) -> None:
        if done % REPORT_EVERY == 0 or done == total:
            for reports in _reports:  # none on a cluster
                reports.put((index, done))

    return work(*values, progress)


@contextmanager
def _executor(
    processes: int, what: str, dask: str | None, reports: Queue[tuple[int, int]]
) -> Iterator[tuple[Executor, Hands]]:
    """Who does the jobs, and how many at once."""
    if dask is not None:
        with on_cluster(dask, cores=processes, what=what) as found:
            yield found
        return
    killed = (
        f"a worker that trains {what} was killed, perhaps for want of memory; run the command "
        "again to go on, a search with `resume`"
    )
    with worker_processes(processes, _start, reports, killed=killed) as executor:
        yield executor, lambda: processes


def run_jobs(
    work: Callable[[Unpack[Values], Progress], Result],
    jobs: Sequence[tuple[Unpack[Values]]],
    *,
    steps: Sequence[int],
    begun: Sequence[int] | None = None,
    what: str,
    processes: int,
    progress: Progress,
    on_done: Callable[[int, Result], None],
    enough: Callable[[], bool] = lambda: False,
    dask: str | None = None,
    shared: JobQueue | None = None,
) -> None:
    """Run all jobs, calling `on_done(index, result)` here as each one ends.

    Args:
        work: runs as `work(*values, progress)` in a worker; a function of a module.
        jobs: the values of each, as they can be sent.
        steps: of each job, as its progress counts them.
        begun: of these, what is done already.
        what: the jobs in words, for messages.
        processes: how many at once, at most.
        progress: sees steps summed over all jobs.
        on_done: called in this process.
        enough: whether no further job shall begin, once one has ended.
        dask: the scheduler of a cluster that does the work instead, see
            `distill.training.cluster.client_of`.
        shared: the same jobs, where other machines do some of them; `on_done` is called for ours.

    Raises:
        RunError: a worker was killed.
    """
    if not jobs:
        return
    context = multiprocessing.get_context("spawn")
    reports: Queue[tuple[int, int]] = context.Queue()
    done = [0] * len(jobs) if begun is None else [*begun]
    with _executor(min(processes, len(jobs)), what, dask, reports) as (executor, hands):
        left = OwnQueue(len(jobs)) if shared is None else shared
        running = dict[Future[Result], int]()
        while pending := left.pending():
            # One a process: what an executor holds ready beyond that cannot be taken back.
            at_once = hands()
            while len(running) < at_once and (claimed := left.claim()) is not None:
                running[executor.submit(_work, work, claimed, jobs[claimed])] = claimed
            if not running:
                time.sleep(_POLL_S)
            finished, _ = wait(running, timeout=_POLL_S, return_when=FIRST_COMPLETED)
            while True:
                try:
                    index, step = reports.get_nowait()
                except queue.Empty:
                    break
                done[index] = step
            for future in finished:
                index = running.pop(future)
                result = future.result()
                on_done(index, result)
                left.done(index, result)
            pending = left.pending()
            for index in set(range(len(jobs))) - pending:
                done[index] = steps[index]
            if len(pending) < len(jobs) and enough():
                left.withdraw()
            count = sum(step == total for step, total in zip(done, steps, strict=True))
            progress(sum(done), sum(steps), f"{count} of {len(jobs)} {what} done")
