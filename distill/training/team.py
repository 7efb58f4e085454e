"""One training over several processes of one thread each.

Threads of one process wait for each other by spinning: beside one busy neighbour that makes a step
3 to 30 times slower. Processes that meet once a step wait asleep, and on idle cores they are
faster, too (`ppgnas bench training`).

The batch of a step has a fixed number of shards. A process works out the gradients of its own
shards, each alone; all are exchanged, and every process adds them up in the same order and takes
the same step. So the result is the same to the last bit on one core and on several. Statistics of
batch normalisation are those of a shard.
"""

from __future__ import annotations

import os
import secrets
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn

from distill.training.jobs import become_worker, new_processes, one_quiet_thread
from ppgnas.errors import NOT_STARTED, RunError

Value = TypeVar("Value")

SHARDS = 2
"""Of a batch of 128 windows. Measured on one core, a step of many small layers takes 1.1 times
as long in two shards as in one, 1.4 in four, 2.0 in eight."""


@dataclass(frozen=True)
class Team:
    """The processes that share a training, as one of them sees them.

    Attributes:
        rank, size: which process this is, of how many; `size` divides `shards`.
    """

    shards: int = 1
    rank: int = 0
    size: int = 1

    @property
    def own(self) -> range:
        """The shards of this process."""
        each = self.shards // self.size
        return range(self.rank * each, (self.rank + 1) * each)

    def rows(self, shard: int, batch: int) -> slice:
        """The rows of a batch that are a shard."""
        return slice(shard * batch // self.shards, (shard + 1) * batch // self.shards)

    def share(self, make: Callable[[], Value]) -> Value:
        """What the first process makes, for all of them."""
        if self.size == 1:
            return make()
        found: list[Value | None] = [make() if self.rank == 0 else None]
        with _told():
            dist.broadcast_object_list(found, src=0)
        value = found[0]
        assert value is not None
        return value

    def average(self, module: nn.Module, gradients: Sequence[Sequence[Tensor]]) -> None:
        """Put the mean over all shards where the optimiser looks for gradients.

        Args:
            module: its parameters with a gradient are those that take part.
            gradients: of each own shard, one tensor a parameter.
        """
        flat = [torch.cat([part.reshape(-1) for part in shard]) for shard in gradients]
        if self.size > 1:
            mine = torch.stack(flat)
            found = [torch.empty_like(mine) for _ in range(self.size)]
            with _told():
                dist.all_gather(found, mine)
            flat = [shard for part in found for shard in part]
        total = flat[0]
        for other in flat[1:]:
            total = total + other
        total = total / self.shards
        taking_part = [p for p in module.parameters() if p.grad is not None]
        sizes = [p.numel() for p in taking_part]
        for parameter, part in zip(taking_part, torch.split(total, sizes), strict=True):
            parameter.grad = part.view_as(parameter)


@contextmanager
def _told() -> Iterator[None]:
    """A process that went away is told, not traced back."""
    try:
        yield
    except RuntimeError as error:
        raise RunError(
            f"a process of the training was killed, perhaps for want of memory ({error}); "
            "continue with `resume`"
        ) from error


@contextmanager
def team(
    processes: int, work: Callable[..., None], *values: object, shards: int = SHARDS
) -> Iterator[Team]:
    """Processes for one training; this one is the first.

    Args:
        processes: how many there may be; the largest divisor of `shards` is taken.
        work: runs as `work(team, *values)` in every process but this one; a function of a module.
        values: what it needs, as it can be sent.
    """
    torch.set_num_threads(1)
    size = max(n for n in range(1, min(max(processes, 1), shards) + 1) if shards % n == 0)
    if size == 1:
        yield Team(shards)
        return
    context = new_processes()
    # It is there while they meet and no longer: a killed process leaves what is there.
    folder = Path(tempfile.gettempdir()) / f"ppgnas-team-{secrets.token_hex(8)}"
    arrivals, here = context.Pipe(duplex=False)
    others = [
        context.Process(
            target=_join,
            args=(Team(shards, rank, size), here, folder, work, values),
            daemon=True,
        )
        for rank in range(1, size)
    ]
    try:
        with one_quiet_thread():
            for process in others:
                process.start()
        for _ in others:  # one that ends before it arrives would be waited for in vain
            wait([arrivals, *(process.sentinel for process in others)])
            if not arrivals.poll():
                raise RunError(NOT_STARTED)
            arrivals.recv_bytes()
        _forget_failed_meetings()
        folder.mkdir(mode=0o700)
        with _told():
            _meet(folder, rank=0, size=size)
        shutil.rmtree(folder)
        yield Team(shards, 0, size)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        if dist.is_initialized():
            dist.destroy_process_group()
        for process in others:
            if sys.exc_info()[0] is not None:
                process.terminate()
            process.join()


@contextmanager
def launched(device: torch.device) -> Iterator[Team | None]:
    """The processes that `torchrun` started, of which this is one; None where it did not.

    A batch has `SHARDS` shards where that many processes can share them, and else one a process,
    which is another training.

    Args:
        device: of this process; each has a GPU of its own.
    """
    if "RANK" not in os.environ or "WORLD_SIZE" not in os.environ:
        yield None
        return
    rank, size = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
    torch.set_num_threads(1)
    if device.type == "cuda":
        torch.cuda.set_device(device)
    with _told():
        dist.init_process_group("cpu:gloo,cuda:nccl" if device.type == "cuda" else "gloo")
    try:
        yield Team(size if SHARDS % size else SHARDS, rank, size)
    finally:
        dist.destroy_process_group()


def _forget_failed_meetings() -> None:
    """Bring torch's count of groups back to 0.

    The count is a part of the name under which processes meet. One that failed to meet, as the
    other was killed, was counted, and a new process begins with 0: both would wait in vain.
    """
    dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)
    dist.destroy_process_group()


def _meet(folder: Path, *, rank: int, size: int) -> None:
    while not folder.exists():
        time.sleep(0.01)
    meeting = (folder / "meeting").as_uri()
    dist.init_process_group("gloo", init_method=meeting, rank=rank, world_size=size)
    dist.barrier()  # until then it is read


def _join(
    own: Team,
    here: Connection,
    folder: Path,
    work: Callable[..., None],
    values: tuple[object, ...],
) -> None:
    become_worker()
    here.send_bytes(b"here")
    _meet(folder, rank=own.rank, size=own.size)
    work(own, *values)
    dist.destroy_process_group()
