"""Steps a second of the trainings, on idle cores and beside one busy process.

Every figure is measured in a process of its own, because how threads wait is decided where the
library is loaded. `threads` is one process whose threads spin, as torch comes; `processes` is what
a search does: one quiet thread each.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from nas.run.machine import available_cores
from ppgnas.errors import RunError
from ppgnas.task import WINDOW_S

How = Literal["threads", "processes"]
What = Literal["supernet", "finalists"]
WHATS: tuple[What, ...] = ("supernet", "finalists")
HOWS: tuple[How, ...] = ("threads", "processes")
BATCH, POOL_BATCHES, RATE_HZ = 128, 4, 32
FIRST_STEPS = 5  # a library loads, memory is taken
NETWORK = "medium"


@dataclass(frozen=True)
class TrainingSpeed:
    """Steps a second of one kind of training, all processes together."""

    what: What
    how: How
    idle: float
    busy: float

    @property
    def kept(self) -> float:
        """Share of the idle speed that is left beside a busy process."""
        return self.busy / self.idle

    def to_json(self) -> dict[str, Any]:
        """The row of `bench training --json`."""
        return {**asdict(self), "kept": self.kept}


def bench_training(*, steps: int) -> list[TrainingSpeed]:
    """Measure both trainings both ways.

    Args:
        steps: of each measurement.

    Raises:
        RunError: a measurement failed.
    """
    found = []
    for what in WHATS:
        for how in HOWS:
            idle = _measured(what, how, steps)
            with _busy_neighbour():
                busy = _measured(what, how, steps)
            found.append(TrainingSpeed(what, how, idle, busy))
    return found


@contextmanager
def _busy_neighbour() -> Iterator[None]:
    process = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        yield
    finally:
        process.kill()
        process.wait()


def _measured(what: What, how: How, steps: int) -> float:
    """Steps a second, in processes of their own; finalists stand side by side, one a core."""
    plain = {key: value for key, value in os.environ.items() if not key.startswith("OMP_")}
    count = 1
    if how == "processes":
        plain |= {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE"}
        count = available_cores() if what == "finalists" else 1
    command = [sys.executable, "-m", "nas.bench.training", what, how, str(steps)]
    running = [
        subprocess.Popen(
            command, env=plain, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        for _ in range(count)
    ]
    total = 0.0
    for process in running:
        printed, complaint = process.communicate()
        if process.returncode:
            raise RunError(f"bench training: {what} by {how} failed: {complaint.strip()[-300:]}")
        total += float(printed.splitlines()[-1])
    return total


class _Clock:
    """Sees the progress of a training; what comes before `FIRST_STEPS` does not count."""

    def __init__(self) -> None:
        self.marks: list[tuple[int, float]] = []

    def __call__(self, done: int, total: int, note: str) -> None:
        if done >= FIRST_STEPS:
            self.marks.append((done, time.perf_counter()))

    @property
    def per_second(self) -> float:
        (first, start_s), (last, stop_s) = self.marks[0], self.marks[-1]
        return (last - first) / (stop_s - start_s)


def _run(what: What, how: How, steps: int, folder: Path) -> float:
    import torch

    from distill.finalist import FinalistJob, fit_finalist
    from distill.supernet_training import SupernetJob, fit_supernet, train_supernet
    from distill.training.effort import Effort
    from distill.training.fit import ALONE
    from search_spaces.network import Network
    from search_spaces.published import published
    from search_spaces.space import load_space

    cores, clock, pool = available_cores(), _Clock(), _random_pool(folder / "pool")
    effort = Effort("smoke", 0, POOL_BATCHES, 0, steps, steps, 0, 0, BATCH)
    torch.set_num_threads(cores if how == "threads" else 1)
    if what == "finalists":
        arch = published(NETWORK)
        job = FinalistJob(arch, folder / "weights.safetensors", pool, effort, 0)
        fit_finalist(job, Network(arch), ALONE, clock)
        return clock.per_second
    task = SupernetJob(load_space("default"), pool, effort, 0, folder / "supernet.safetensors")
    supernet = task.supernet()
    if how == "threads":
        fit_supernet(task, supernet, ALONE, lambda _: True, clock)
    else:
        train_supernet(task, supernet, accept=lambda _: True, processes=cores, progress=clock)
    return clock.per_second


def _random_pool(folder: Path) -> Path:
    """A pool of noise: what a step costs does not depend on what is learnt."""
    import numpy as np

    from distill.pool import FACTS

    rng, count = np.random.default_rng(0), BATCH * POOL_BATCHES
    folder.mkdir()
    x = rng.standard_normal((count, 4, WINDOW_S * RATE_HZ)).astype(np.float16)
    np.save(folder / "x.npy", x)
    np.save(folder / "hr_bpm.npy", rng.uniform(50, 180, count).astype(np.float32))
    (folder / FACTS).write_text(json.dumps({"batch": BATCH}), encoding="utf-8")
    return folder


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="ppgnas-bench-") as place:
        kind, way, number = sys.argv[1:]
        assert kind in WHATS and way in HOWS
        print(_run(kind, way, int(number), Path(place)))
