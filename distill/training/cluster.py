"""Trainings on a cluster of dask.distributed, one a worker thread.

Jobs name files, so the machines share the folder of the run under the same path. What a lost
worker was doing is begun again by another, from the checkpoint that it left; nothing is done twice
that was reported. Jobs are pickled by dask, so scheduler and workers are to be trusted, as in any
dask cluster.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING

from ppgnas.errors import DependencyError, RunError, install_line

if TYPE_CHECKING:
    from distributed import Client

LOCAL = "local"
_CONNECT_S = 20.0

Hands = Callable[[], int]  # how many jobs an executor does at once, now


@contextmanager
def client_of(address: str, *, cores: int) -> Iterator[Client]:
    """A client of the scheduler at an address, or of one with a process a core on this machine.

    Args:
        address: for example `tcp://10.0.0.5:8786`, or `local`.

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


@contextmanager
def on_cluster(address: str, *, cores: int, what: str) -> Iterator[tuple[Executor, Hands]]:
    """What `distill.training.jobs.run_jobs` gives its jobs to.

    Args:
        address, cores: as `client_of`.
        what: the jobs in words, for messages.

    Raises:
        DependencyError, RunError: as `client_of`, or every worker that took a job was lost.
    """
    with client_of(address, cores=cores) as client:
        from distributed import KilledWorker

        try:
            # Not pure: others may share the scheduler, which gives one key one result.
            yield client.get_executor(pure=False), lambda: sum(client.nthreads().values()) or 1
        except KilledWorker as error:
            raise RunError(
                f"workers that train {what} were lost again and again, perhaps for want of "
                "memory; continue with `resume`"
            ) from error
