"""Many small trainings side by side, each in a worker process of one thread.

Workers end with their parent. Each training is begun once, here or on another machine: a
queue says which is next.
"""

from __future__ import annotations

import multiprocessing
import multiprocessing.queues
import os
import queue
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.context import SpawnContext
from typing import TYPE_CHECKING, Literal, Protocol, TypeAlias, TypeVar

from distill.training.cluster import Hands, on_cluster
from distill.training.effort import Effort, Progress
from ppgnas.errors import NOT_STARTED, RunError
from search_spaces.arch import Arch

Rung = Literal["first rungs", "second rungs"]
Kind = Rung | Literal["finalists"]
KINDS: tuple[Kind, ...] = ("first rungs", "second rungs", "finalists")


class Queue(Protocol):
    """Jobs by their index."""

    def claim(self) -> int | None:
        """A job that nobody has begun, which is ours from now on."""

    def done(self, index: int, result: object) -> None:
        """One of ours has ended, and its files are written."""

    def withdraw(self) -> None:
        """What nobody has begun shall not be begun."""

    def pending(self) -> set[int]:
        """Jobs to wait for; asked every half second at the latest while one of ours is running."""


class Share(Protocol):
    """Trainings of one run that several machines share."""

    def queue(self, kind: Kind, archs: Sequence[Arch], effort: Effort) -> Queue:
        """The trainings of these networks; `effort` is that of a whole one, of any size."""


class OwnQueue:
    """All jobs for this machine, in their order."""

    def __init__(self, count: int) -> None:
        self._left, self._pending = deque(range(count)), set(range(count))

    def claim(self) -> int | None:
        """The next one."""
        return self._left.popleft() if self._left else None

    def done(self, index: int, result: object) -> None:
        """One has ended."""
        self._pending.remove(index)

    def withdraw(self) -> None:
        """None is left to begin."""
        self._pending -= {*self._left}
        self._left.clear()

    def pending(self) -> set[int]:
        """All that have not ended."""
        return self._pending


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


def new_processes() -> SpawnContext | ForkServerContext:
    """How workers begin: on Linux as copies of one process that has imported torch already.

    Where each imports it, that takes seconds of a core and the same memory again. macOS has
    libraries that cannot be copied, Windows copies nothing, and that process listens at a path
    of 107 bytes at most, of which Python takes 33.
    """
    if sys.platform != "linux" or len(os.fsencode(tempfile.gettempdir())) > 70:
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["torch", "scipy.special", "distill.finalist"])
    return context


@contextmanager
def one_quiet_thread() -> Iterator[None]:
    """Processes that start within the block use one OpenMP thread, which never spins.

    The variables act where the library is loaded, so only in the new processes. Those take no
    module from the folder that they happen to begin in.
    """
    wanted = {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE", "PYTHONSAFEPATH": "1"}
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
    """Processes that end with the block, at once when it fails.

    Args:
        initializer: runs in each of them, with `values`; calls `become_worker`.
        killed: what to tell the user when one of them was killed.

    Raises:
        RunError: one of them was.
    """
    executor = ProcessPoolExecutor(
        count, mp_context=new_processes(), initializer=initializer, initargs=values
    )
    started = executor._processes  # the executor forgets it when it breaks
    try:
        with one_quiet_thread():
            yield executor
    except BrokenProcessPool as error:
        for process in started.values():
            while process.exitcode is None:  # the executor's thread may be told of it first
                process.join(0.01)
        failed = any(process.exitcode == 1 for process in started.values())
        raise RunError(NOT_STARTED if failed else killed) from error
    except BaseException:
        for process in list((executor._processes or {}).values()):
            process.terminate()
        raise
    finally:
        executor.shutdown(wait=False, cancel_futures=True)


REPORT_EVERY = 20
_POLL_S = 0.5

Result = TypeVar("Result")
if TYPE_CHECKING:
    from multiprocessing.context import ForkServerContext  # Windows has none

    # Python 3.10 has neither
    from typing import TypeVarTuple, Unpack

    Values = TypeVarTuple("Values")

Reports: TypeAlias = "multiprocessing.queues.Queue[tuple[int, int, int]]"
"""What is done: the call of `run_jobs`, the job, and its steps."""

# A worker's way to its parent: a queue can be inherited by a process, but not sent in a job.
_reports: list[Reports] = []


@dataclass(frozen=True)
class Workers:
    """Processes that take jobs of one call after another; each starts when it is first needed."""

    executor: Executor
    reports: Reports


@contextmanager
def workers(count: int, *, what: str = "networks") -> Iterator[Workers]:
    """So many processes, which end with the block.

    Raises:
        RunError: one of them was killed, as it trained `what`.
    """
    killed = (
        f"a worker that trains {what} was killed, perhaps for want of memory; run the command "
        "again to go on, a search with `resume`"
    )
    reports: Reports = new_processes().Queue()
    with worker_processes(count, _start, reports, killed=killed) as executor:
        yield Workers(executor, reports)


def _start(reports: Reports) -> None:
    become_worker()
    _reports[:] = [reports]


def _work(
    work: Callable[..., Result], call: int, index: int, values: tuple[object, ...]
) -> Result:
    import torch

    torch.set_num_threads(1)

    def progress(done: int, total: int, note: str) -> None:
        if done % REPORT_EVERY == 0 or done == total:
            for reports in _reports:  # none on a cluster
                reports.put((call, index, done))

    return work(*values, progress)


@contextmanager
def _hands(
    processes: int, what: str, dask: str | None, given: Workers | None
) -> Iterator[tuple[Workers, Hands]]:
    """Who does the jobs, and how many at once."""
    if dask is not None:
        with on_cluster(dask, cores=processes, what=what) as (executor, hands):
            yield Workers(executor, new_processes().Queue()), hands
    elif given is not None:
        yield given, lambda: processes
    else:
        with workers(processes, what=what) as own:
            yield own, lambda: processes


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
    shared: Queue | None = None,
    given: Workers | None = None,
) -> None:
    """Run all jobs, calling `on_done(index, result)` here as each one ends.

    Args:
        work: runs as `work(*values, progress)` in a worker; a function of a module.
        steps: of each job, as its progress counts them.
        begun: of these, what is done already.
        what: the jobs in words, for messages.
        processes: how many at once, at most.
        progress: sees steps summed over all jobs.
        enough: whether no further job shall begin, once one has ended.
        dask: the scheduler of a cluster that does the work instead, see
            `distill.training.cluster.client_of`.
        shared: the same jobs, where other machines do some of them; `on_done` is called for ours.
        given: processes that are there already, or None to start some.

    Raises:
        RunError: a worker was killed.
    """
    if not jobs:
        return
    call = time.monotonic_ns()  # a worker may still tell of a job of the call before
    done = [0] * len(jobs) if begun is None else [*begun]
    with _hands(min(processes, len(jobs)), what, dask, given) as (own, hands):
        left = OwnQueue(len(jobs)) if shared is None else shared
        running = dict[Future[Result], int]()
        while pending := left.pending():
            # One a process: what an executor holds ready beyond that cannot be taken back.
            at_once = hands()
            while len(running) < at_once and (claimed := left.claim()) is not None:
                future = own.executor.submit(_work, work, call, claimed, jobs[claimed])
                running[future] = claimed
            if not running:
                time.sleep(_POLL_S)
            finished, _ = wait(running, timeout=_POLL_S, return_when=FIRST_COMPLETED)
            while True:
                try:
                    told, index, step = own.reports.get_nowait()
                except queue.Empty:
                    break
                if told == call:
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
