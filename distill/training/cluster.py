"""Trainings on a cluster of dask.distributed, one a worker thread.

Jobs name files, so the machines share the folder of the run under the same path. What a lost
worker was doing is begun again by another, from the checkpoint that it left; nothing is done twice
that was reported. Jobs are pickled by dask, so scheduler and workers are to be trusted, as in any
dask cluster.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING, TypeVar
from uuid import uuid4

from distill.training.progress import Progress
from ppgnas.errors import DependencyError, RunError
from ppgnas.extras import install_line

if TYPE_CHECKING:
    from distributed import Client, Future

LOCAL = "local"
_CONNECT_S = 20.0
_POLL_S = 0.5

Result = TypeVar("Result")


@contextmanager
def client_of(address: str, *, cores: int) -> Iterator[Client]:
    """A client of the scheduler at an address, or of one with a process a core on this machine.

    Args:
        address: for example `tcp://10.0.0.5:8786`, or `local`.
        cores: of a local cluster.

    Raises:
        DependencyError: dask.distributed is not installed.
        RunError: nobody answers, or there is no worker.
    """
    try:
        from distributed import Client, LocalCluster
    except ImportError as error:
        raise DependencyError(
            f"`dask` needs dask.distributed: {install_line('cluster')}"
        ) from error
    if address == LOCAL:
        with (
            LocalCluster(
                n_workers=cores, threads_per_worker=1, processes=True, dashboard_address=":0"
            ) as cluster,
            Client(cluster) as client,
        ):
            yield client
        return
    try:
        client = Client(address, timeout=_CONNECT_S)
    except (OSError, TimeoutError, ValueError) as error:
        raise RunError(
            f"`dask` is {address!r}, and no scheduler answers there ({error}); start one with "
            "`dask scheduler`, or pass local"
        ) from error
    with client:
        if not client.nthreads():
            raise RunError(
                f"the scheduler at {address} has no workers; start some with "
                f"`dask worker {address} --nthreads 1`"
            )
        yield client


def check_cluster(address: str) -> None:
    """Refuse a cluster that could not work, before anything is trained for it.

    Raises:
        DependencyError, RunError: as `client_of`.
    """
    if address != LOCAL:
        with client_of(address, cores=1):
            return
    if find_spec("distributed") is None:
        raise DependencyError(f"`dask` needs dask.distributed: {install_line('cluster')}")


def run_on_cluster(
    client: Client,
    work: Callable[..., Result],
    jobs: Sequence[tuple[object, ...]],
    *,
    steps: Sequence[int],
    what: str,
    progress: Progress,
    on_done: Callable[[int, Result], None],
    enough: Callable[[], bool],
) -> None:
    """`distill.training.jobs.run_jobs` on a cluster; arguments as there.

    Raises:
        RunError: every worker that took a job was lost.
    """
    from distributed import KilledWorker, wait

    left = deque(enumerate(jobs))
    ours = uuid4().hex  # other searches may share the scheduler, which gives one key one result
    running: dict[Future, int] = {}
    done = [0] * len(jobs)
    while left or running:
        # No more than there are hands: what a cluster holds beyond that cannot be taken back.
        while left and len(running) < max(1, sum(client.nthreads().values())):
            index, values = left.popleft()
            key = f"ppgnas-{what}-{index}-{ours}"
            running[client.submit(_work, work, values, key=key, pure=False)] = index
        try:
            finished = wait([*running], timeout=_POLL_S, return_when="FIRST_COMPLETED").done
        except TimeoutError:
            continue
        for future in finished:
            index = running.pop(future)
            try:
                result = future.result()
            except KilledWorker as error:
                raise RunError(
                    f"workers that train {what} were lost again and again, perhaps for want of "
                    "memory; continue with `resume`"
                ) from error
            done[index] = steps[index]
            on_done(index, result)
        if len(left) + len(running) < len(jobs) and enough():
            left.clear()
        count = sum(step == total for step, total in zip(done, steps, strict=True))
        progress(sum(done), sum(steps), f"{count} of {len(jobs)} {what} done")


def _work(work: Callable[..., Result], values: tuple[object, ...]) -> Result:
    import torch

    torch.set_num_threads(1)
    return work(*values, lambda done, total, note: None)
