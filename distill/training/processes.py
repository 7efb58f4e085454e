"""Worker processes, one quiet thread each, that end with their parent."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager

from ppgnas.errors import RunError

NOT_STARTED = (
    "a worker process ended as it started: it runs the script that started it once more. A script "
    "that searches or trains must do so below `if __name__ == '__main__':`"
)


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
def one_quiet_thread() -> Iterator[None]:
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
        initializer: runs in each of them, with `values`; calls `become_worker`.
        killed: what to tell the user when one of them was killed.

    Raises:
        RunError: one of them was.
    """
    context = multiprocessing.get_context("spawn")
    executor = ProcessPoolExecutor(
        count, mp_context=context, initializer=initializer, initargs=values
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
