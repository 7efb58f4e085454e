"""A pool of augmented windows, drawn and labelled by the teacher once, read many times.

For students that stream each window lies there with the past before it; the teacher is asked
about the window alone. Another network may label the same windows anew.

Drawing and asking the teacher would otherwise cost as much as training a small student. The pool
lies in `.npy` files that worker processes map into memory, so it is held once however many read.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from itertools import chain
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from distill.inputs import inputs_of
from distill.losses.batch import Batch, View, Viewed
from distill.losses.features import MOST_STEPS, shortened
from distill.training.checkpoint import digest_of
from distill.training.device import CPU, moved
from distill.training.effort import Progress
from distill.unlabelled import LeftOut, draw, surest
from ppg.augment.bank import TrainingBank
from ppg.augment.unlabelled import UnlabelledBank
from ppg.readout.classes import soft_labels
from ppgnas.errors import MixError
from ppgnas.files import is_sealed, seal, write_json_atomic
from ppgnas.task import TASK, Task
from search_spaces.arch import Arch
from search_spaces.network import Network

Made = TypeVar("Made")


@dataclass(frozen=True)
class Pool:
    """Windows in random order.

    Attributes:
        x: `(windows, channels, time)` float16.
        hr_bpm: `(windows,)` float32, NaN where only the teacher knows.
        teacher: `(windows, classes)` float16 logits, or None without a teacher.
        features: `(windows, channels, steps)` float16 of the teacher, or None where no student
            learns from them.
        left_out: of windows that only the teacher labels; None where there are none.
        past_s: of the signal before each window; students that stream read it.
        task: what windows and classes are; students may read the middle of windows.
    """

    x: NDArray[np.float16]
    hr_bpm: NDArray[np.float32]
    teacher: NDArray[np.float16] | None
    features: NDArray[np.float16] | None
    batch: int
    device: torch.device = CPU
    left_out: LeftOut | None = None
    past_s: float = 0.0
    task: Task = TASK

    @property
    def batches(self) -> int:
        """Batches in one pass."""
        return len(self.hr_bpm) // self.batch

    def batch_at(self, step: int, *, seed: int, rows: slice = slice(None)) -> Batch:
        """The windows of a step; every pass has its own order.

        `rows` are those of the batch that are wanted.
        """
        epoch, index = divmod(step, self.batches)
        order = np.random.default_rng((seed, 3, epoch)).permutation(self.batches)
        first, last, _ = rows.indices(self.batch)
        start = int(order[index]) * self.batch
        part = slice(start + first, start + last)
        hr_bpm = self.hr_bpm[part]
        return Batch(
            self._floats(self.x[part]),
            moved(
                torch.from_numpy(hr_bpm - (self.task.lowest_bpm - TASK.lowest_bpm)), self.device
            ),
            moved(torch.from_numpy(soft_labels(hr_bpm, self.task)), self.device),
            torch.from_numpy(np.isfinite(hr_bpm)),
            self._view(part),
        )

    def _view(self, part: slice) -> View | None:
        if self.teacher is None:
            return None
        features = None if self.features is None else self._floats(self.features[part])
        return View(self._floats(self.teacher[part]), features)

    def inputs(self, batches: int | None = None) -> Iterator[Tensor]:
        """The windows of the first `batches`, all of them if None, in stored order."""
        for start in range(0, len(self.x), self.batch)[:batches]:
            yield self._floats(self.x[start : start + self.batch])

    def of(self, x: Tensor, arch: Arch) -> Tensor:
        """What a network reads of windows of the pool."""
        return inputs_of(x, arch, past_s=self.past_s, window_s=self.task.window_s)

    def _floats(self, values: NDArray[np.float16]) -> Tensor:
        """In float32; torch converts twenty times faster than numpy, warns of read-only memory."""
        return moved(torch.from_numpy(np.array(values)), self.device).float()


FACTS = "pool.json"
ANSWERS = ("teacher.npy", "features.npy")  # files of the teacher: its logits, its features


def open_pool(folder: Path, *, device: torch.device = CPU) -> Pool:
    """Map a finished pool into memory."""
    facts = json.loads((folder / FACTS).read_text())
    teacher, features = (
        np.load(file, mmap_mode="r") if file.exists() else None
        for file in (folder / name for name in ANSWERS)
    )
    return Pool(
        x=np.load(folder / "x.npy", mmap_mode="r"),
        hr_bpm=np.load(folder / "hr_bpm.npy"),
        teacher=teacher,
        features=features,
        batch=facts["batch"],
        device=device,
        left_out=LeftOut(**facts["left_out"]) if "left_out" in facts else None,
        past_s=facts.get("past_s", 0.0),
        task=Task(**facts.get("task", {})),
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
    unlabelled: UnlabelledBank | None = None,
    features: bool = False,
    past_s: float = 0.0,
    threads: int = 1,
) -> Pool:
    """Draw the pool, or open it if `folder` has it finished, undamaged, of the same settings.

    The teacher is one of these, by its weights.

    Args:
        teacher: that labels them, or None.
        unlabelled: windows that only the teacher labels, for every second place of a batch.
        features: whether those of the teacher are kept, too.
        past_s: of the signal before each window, for students that stream.
        threads: that draw and ask side by side; the pool is the same with any number.

    Raises:
        MixError: a teacher without features is asked for them.
    """
    identity: dict[str, object] = {
        "batches": batches,
        "batch": batch,
        "rate_hz": rate_hz,
        "seed": seed,
    }
    if teacher is not None:  # its file may have become another one
        identity["teacher"] = digest_of(teacher.state_dict())
    if features:
        identity["features"] = MOST_STEPS
    if unlabelled is not None:
        identity["unlabelled"] = len(unlabelled)
    if past_s:
        identity["past_s"] = past_s
    if bank.task.changed:
        identity["task"] = bank.task.changed
    done = folder / FACTS
    answers = [folder / name for name in ANSWERS[: 0 if teacher is None else 1 + features]]
    arrays = [folder / "x.npy", folder / "hr_bpm.npy", *answers]
    if all(map(is_sealed, (done, *arrays))):
        found = json.loads(done.read_text())
        if {key: value for key, value in found.items() if key != "left_out"} == identity:
            return open_pool(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for stale in (done, *(folder / name for name in ANSWERS)):
        stale.unlink(missing_ok=True)
    count, channels = batches * batch, 4 if bank.acceleration else 1
    samples = round((bank.task.window_s + past_s) * rate_hz)
    x = _new_array(folder / "x.npy", (count, channels, samples))
    hr = np.empty(count, np.float32)
    left_out = LeftOut()
    stored: list[np.memmap[Any, np.dtype[np.float16]]] = []

    def drawn_at(index: int) -> tuple[NDArray[np.float32], NDArray[np.float64], list[Tensor]]:
        rng = np.random.default_rng((seed, 2, index))
        drawn, shown, hr_bpm = draw(bank, unlabelled, rng, batch, rate_hz=rate_hz, past_s=past_s)
        asked = torch.from_numpy(shown)
        said = [] if teacher is None else answer(teacher, asked, features=features)
        return drawn, hr_bpm, said

    for index, (drawn, hr_bpm, said) in enumerate(_in_order(drawn_at, batches, threads)):
        part = slice(index * batch, (index + 1) * batch)
        if said and unlabelled is not None:
            rows, left_out = surest(said[0].numpy(), hr_bpm, batch, left_out, task=bank.task)
            drawn, hr_bpm, said = drawn[rows], hr_bpm[rows], [a[rows] for a in said]
        if said and not stored:
            shapes = [(count, *each.shape[1:]) for each in said]
            stored = [_new_array(*each) for each in zip(answers, shapes, strict=True)]
        for array, each in zip(stored, said, strict=True):
            array[part] = each.numpy()
        x[part], hr[part] = drawn, hr_bpm
        progress(index + 1, batches, "augmenting" if teacher is None else "asking the teacher")
    for array in (x, *stored):
        array.flush()
    np.save(folder / "hr_bpm.npy", hr)
    if unlabelled is not None:
        identity["left_out"] = asdict(left_out)
    write_json_atomic(done, identity)
    for path in (*arrays, done):
        seal(path)
    return open_pool(folder)


def _in_order(work: Callable[[int], Made], count: int, threads: int) -> Iterator[Made]:
    """What so many threads make of 0 to `count`, of torch with one thread each."""
    if threads == 1:
        yield from map(work, range(count))
        return
    with ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,)) as team:
        yield from team.map(work, range(count))


@torch.no_grad()
def answer(teacher: nn.Module, x: Tensor, *, features: bool) -> list[Tensor]:
    """Logits, and the features if they are wanted, on the CPU."""
    own = chain(teacher.parameters(), teacher.buffers())  # a whole ONNX file has no parameters
    x = moved(x, next(own).device)
    if not features:
        return [teacher(x).cpu()]
    if not isinstance(teacher, Viewed):
        raise MixError(
            f"`distill` names a term that reads features, and the teacher "
            f"({type(teacher).__name__}) shows none; leave out feature, attention and relation, "
            "or name another `teacher`"
        )
    logits, seen = teacher.view(x)
    return [logits.cpu(), shortened(seen).cpu()]


def label(pool: Path, network: Network, folder: Path) -> None:
    """Make a pool of the same windows with the answers of a network, unless `folder` has it.

    Args:
        pool: folder of the pool; all but its teacher's answers is shared with it.
        network: who labels, in evaluation mode; features are kept where they were of the teacher.
    """
    windows = open_pool(pool, device=next(network.parameters()).device)
    features = windows.features is not None
    facts = folder / FACTS
    answers = [folder / name for name in ANSWERS[: 1 + features]]
    identity = {
        **json.loads((pool / FACTS).read_text(encoding="utf-8")),
        "labelled_by": digest_of(network.state_dict()),
    }
    if all(map(is_sealed, (facts, *answers))) and json.loads(facts.read_text()) == identity:
        return
    folder.mkdir(parents=True, exist_ok=True)
    for path in pool.glob("*.npy"):
        shared = folder / path.name
        if path.name not in ANSWERS:
            shared.unlink(missing_ok=True)  # of a pool that was made again since
            os.link(path, shared)
    said = (
        answer(network, windows.of(x, network.arch), features=features) for x in windows.inputs()
    )
    batches = [[part.half() for part in parts] for parts in said]
    for path, parts in zip(answers, zip(*batches, strict=True), strict=True):
        np.save(path, torch.cat(parts).numpy())
    write_json_atomic(facts, identity)
    for path in (*answers, facts):
        seal(path)
