"""Steps a second of the trainings, on idle cores and beside one busy process.

Every way is measured in processes of its own, because how threads wait is decided where the
library is loaded. `threads` is one process whose threads spin, as torch comes; `processes` is what
a search does: one quiet thread each. The fixed networks take one thread, as a finalist does, and
beside them stands the same network in plain torch (`nas.bench.plain`), on the same windows.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

from nas.run.job.machine import available_cores
from ppgnas.errors import RunError
from ppgnas.files import temporary_folder
from ppgnas.task import CLASSES, WINDOW_S

if TYPE_CHECKING:
    from distill.training.effort import Effort, Progress
    from search_spaces.network import Network

How = Literal["threads", "processes", "one core", "plain torch"]
What = Literal["supernet", "finalists", "fixed"]
WAYS: tuple[tuple[What, How], ...] = (
    ("supernet", "threads"),
    ("supernet", "processes"),
    ("finalists", "threads"),
    ("finalists", "processes"),
    ("fixed", "one core"),
    ("fixed", "plain torch"),
)
FIXED = ("tiny", "small", "medium", "large")
BATCH, POOL_BATCHES, RATE_HZ = 128, 4, 32
FIRST_STEPS = 5  # a library loads, memory is taken
NETWORK = "medium"
STEPS_OF_A_NETWORK = 4  # to one of the supernet, which takes as long


@dataclass(frozen=True)
class TrainingSpeed:
    """Steps a second of one kind of training, all processes together.

    Attributes:
        what: `supernet`, `finalists`, or the name of a fixed network.
        how: see the module.
        idle, busy: steps a second, alone and beside a busy process.
    """

    what: str
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
    """Measure each training in each way.

    Args:
        steps: of the supernet in each measurement; a single network takes four times as many.

    Raises:
        RunError: a measurement failed.
    """
    found = []
    for what, how in WAYS:
        idle = _measured(what, how, steps)
        with _busy_neighbour():
            busy = _measured(what, how, steps)
        found += [TrainingSpeed(name, how, idle[name], busy[name]) for name in idle]
    return found


def idle_times(found: list[TrainingSpeed], how: How, other: How) -> dict[str, float]:
    """How many times the steps of another way each network takes on idle cores."""
    idle = {(row.what, row.how): row.idle for row in found}
    return {name: idle[name, how] / idle[name, other] for name, way in idle if way == other}


@contextmanager
def _busy_neighbour() -> Iterator[None]:
    process = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        yield
    finally:
        process.kill()
        process.wait()


def _measured(what: What, how: How, steps: int) -> dict[str, float]:
    """Steps a second, in processes of their own; finalists stand side by side, one a core."""
    plain = {key: value for key, value in os.environ.items() if not key.startswith("OMP_")}
    count = 1
    if how != "threads":
        plain |= {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE"}
        count = available_cores() if what == "finalists" else 1
    command = [sys.executable, "-m", "nas.bench.training", what, how, str(steps)]
    running = [
        subprocess.Popen(
            command, env=plain, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        for _ in range(count)
    ]
    total: dict[str, float] = {}
    for process in running:
        printed, complaint = process.communicate()
        if process.returncode:
            raise RunError(f"bench training: {what} by {how} failed: {complaint.strip()[-300:]}")
        for name, rate in json.loads(printed.splitlines()[-1]).items():
            total[name] = total.get(name, 0.0) + rate
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


def _run(what: What, how: How, steps: int, folder: Path) -> dict[str, float]:
    import torch

    pool = _random_pool(folder / "pool")
    torch.set_num_threads(available_cores() if how == "threads" else 1)
    if what == "supernet":
        return {what: _supernet(how, steps, pool)}
    if what == "finalists":
        return {what: _network(NETWORK, how, steps, pool)}
    return {name: _network(name, how, steps, pool) for name in FIXED}


def _effort(steps: int) -> Effort:
    from distill.training.effort import Effort

    return Effort(
        *("smoke", 0, POOL_BATCHES, steps, 0, BATCH), warmup_steps=0, supernet_steps=steps
    )


def _supernet(how: How, steps: int, pool: Path) -> float:
    from distill.supernet_training import SupernetJob, fit_supernet, train_supernet
    from distill.training.fit import ALONE
    from search_spaces.space import load_space

    clock, path = _Clock(), pool.with_name("supernet.safetensors")
    task = SupernetJob(load_space("default"), pool, _effort(steps), 0, path)
    if how == "threads":
        fit_supernet(task, task.supernet(), ALONE, lambda _: True, clock)
    else:
        train_supernet(task, accept=lambda _: True, processes=available_cores(), progress=clock)
    return clock.per_second


def _network(name: str, how: How, steps: int, pool: Path) -> float:
    from distill.finalist import FinalistJob, fit_finalist
    from distill.training.fit import ALONE
    from search_spaces.network import Network
    from search_spaces.published import published

    clock, arch, steps = _Clock(), published(name), STEPS_OF_A_NETWORK * steps
    if how == "plain torch":
        _fit_plainly(Network(arch), steps, pool, clock)
    else:
        job = FinalistJob(arch, pool.with_name("weights.safetensors"), pool, _effort(steps), 0)
        fit_finalist(job, Network(arch), ALONE, clock)
    return clock.per_second


def _fit_plainly(network: Network, steps: int, pool: Path, progress: Progress) -> None:
    """The steps of `distill.training.fit` without what makes them faster."""
    import torch
    from torch import nn
    from torch.optim import AdamW

    from distill.inputs import inputs_of
    from distill.losses.batch import View
    from distill.losses.mix import chosen_mix
    from distill.pool import open_pool
    from distill.training.effort import AUTO
    from distill.training.fit import GRADIENT_NORM
    from nas.bench.plain import PlainNetwork

    plain, windows = PlainNetwork(network), open_pool(pool)
    mix = chosen_mix(AUTO, effort=_effort(steps), taught=True)
    optimiser = AdamW(plain.parameters())
    for step in range(steps):
        batch = windows.batch_at(step, seed=0)
        optimiser.zero_grad()
        logits = plain(inputs_of(batch.x, network.arch))
        torch.autograd.backward(mix.loss(View(logits), batch))
        nn.utils.clip_grad_norm_(plain.parameters(), GRADIENT_NORM)
        optimiser.step()
        progress(step + 1, steps, "")


def _random_pool(folder: Path) -> Path:
    """A pool of noise: what a step costs does not depend on what is learnt."""
    import numpy as np

    from distill.pool import FACTS

    rng, count = np.random.default_rng(0), BATCH * POOL_BATCHES
    folder.mkdir()
    x = rng.standard_normal((count, 4, WINDOW_S * RATE_HZ)).astype(np.float16)
    np.save(folder / "x.npy", x)
    np.save(folder / "hr_bpm.npy", rng.uniform(50, 180, count).astype(np.float32))
    np.save(folder / "teacher.npy", rng.standard_normal((count, CLASSES)).astype(np.float16))
    (folder / FACTS).write_text(json.dumps({"batch": BATCH}), encoding="utf-8")
    return folder


if __name__ == "__main__":
    with temporary_folder() as place:
        kind, way, number = sys.argv[1:]
        print(json.dumps(_run(cast("What", kind), cast("How", way), int(number), place)))
