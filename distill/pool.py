"""A pool of augmented windows, drawn and labelled by the teacher once, read many times.

Drawing and asking the teacher would otherwise cost as much as training a small student. The pool
lies in `.npy` files that worker processes map into memory, so it is held once however many read.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from distill.training.device import CPU, moved
from distill.training.progress import Progress
from ppg.augment.bank import TrainingBank
from ppg.readout.classes import soft_labels
from ppgnas.files import is_sealed, seal, write_json_atomic
from ppgnas.task import CLASSES


@dataclass(frozen=True)
class Pool:
    """Windows in random order.

    Attributes:
        x: `(windows, channels, time)` float16.
        hr_bpm: `(windows,)` float32.
        teacher: `(windows, classes)` float16 logits, or None without a teacher.
        batch: windows a step.
        device: where batches are handed out.
    """

    x: NDArray[np.float16]
    hr_bpm: NDArray[np.float32]
    teacher: NDArray[np.float16] | None
    batch: int
    device: torch.device = CPU

    @property
    def batches(self) -> int:
        """Batches in one pass."""
        return len(self.hr_bpm) // self.batch

    def batch_at(
        self, step: int, *, seed: int, rows: slice = slice(None)
    ) -> tuple[Tensor, Tensor, Tensor | None]:
        """Windows, soft labels and teacher logits of a step; every pass has its own order.

        `rows` are those of the batch that are wanted.
        """
        epoch, index = divmod(step, self.batches)
        order = np.random.default_rng((seed, 3, epoch)).permutation(self.batches)
        first, last, _ = rows.indices(self.batch)
        start = int(order[index]) * self.batch
        part = slice(start + first, start + last)
        x = self._floats(self.x[part])
        labels = moved(torch.from_numpy(soft_labels(self.hr_bpm[part])), self.device)
        teacher = None if self.teacher is None else self._floats(self.teacher[part])
        return x, labels, teacher

    def inputs(self, batches: int | None = None) -> Iterator[Tensor]:
        """The windows of the first `batches`, all of them if None, in stored order."""
        for start in range(0, len(self.x), self.batch)[:batches]:
            yield self._floats(self.x[start : start + self.batch])

    def _floats(self, values: NDArray[np.float16]) -> Tensor:
        """In float32; torch converts twenty times faster than numpy, warns of read-only memory."""
        return moved(torch.from_numpy(np.array(values)), self.device).float()


FACTS = "pool.json"


def open_pool(folder: Path, *, device: torch.device = CPU) -> Pool:
    """Map a finished pool into memory.

    Args:
        folder: of the pool.
        device: where batches are handed out.
    """
    facts = json.loads((folder / FACTS).read_text())
    teacher = folder / "teacher.npy"
    return Pool(
        x=np.load(folder / "x.npy", mmap_mode="r"),
        hr_bpm=np.load(folder / "hr_bpm.npy"),
        teacher=np.load(teacher, mmap_mode="r") if teacher.exists() else None,
        batch=facts["batch"],
        device=device,
    )


def _new_array(path: Path, shape: tuple[int, ...]) -> np.memmap[Any, np.dtype[np.float16]]:
    """An array in a mapped file whose bytes are the file's own already.

    Writing to a mapped page that a full disk has no room for kills the process.

    Raises:
        OSError: there is no room.
    """
    array = np.lib.format.open_memmap(path, "w+", dtype=np.float16, shape=shape)
    if hasattr(os, "posix_fallocate"):
        with path.open("r+b") as file:
            os.posix_fallocate(file.fileno(), 0, path.stat().st_size)
    return array


def make_pool(
    bank: TrainingBank,
    teacher: nn.Module | None,
    *,
    folder: Path,
    batches: int,
    batch: int,
    rate_hz: int,
    seed: int,
    progress: Progress,
) -> Pool:
    """Draw the pool, or open it if `folder` has it finished with the same settings, undamaged."""
    identity = {"batches": batches, "batch": batch, "rate_hz": rate_hz, "seed": seed}
    done = folder / FACTS
    arrays = [folder / "x.npy", folder / "hr_bpm.npy"]
    if teacher is not None:
        arrays.append(folder / "teacher.npy")
    if all(map(is_sealed, (done, *arrays))) and json.loads(done.read_text()) == identity:
        return open_pool(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for stale in (done, folder / "teacher.npy"):
        stale.unlink(missing_ok=True)
    count, channels = batches * batch, 4 if bank.acceleration else 1
    x = _new_array(folder / "x.npy", (count, channels, 8 * rate_hz))
    hr = np.empty(count, np.float32)
    logits = None
    if teacher is not None:
        logits = _new_array(folder / "teacher.npy", (count, CLASSES))
    for index in range(batches):
        part = slice(index * batch, (index + 1) * batch)
        drawn, hr[part] = bank.draw(
            np.random.default_rng((seed, 2, index)), batch, rate_hz=rate_hz
        )
        x[part] = drawn
        if teacher is not None and logits is not None:
            with torch.no_grad():
                own = moved(torch.from_numpy(drawn), next(teacher.parameters()).device)
                logits[part] = teacher(own).cpu().numpy()
        progress(index + 1, batches, "augmenting" if teacher is None else "asking the teacher")
    x.flush()
    if logits is not None:
        logits.flush()
    np.save(folder / "hr_bpm.npy", hr)
    write_json_atomic(done, identity)
    for path in (*arrays, done):
        seal(path)
    return open_pool(folder)
