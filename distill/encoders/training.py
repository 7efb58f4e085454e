"""One pre-training, from random weights to a file; it goes on where it was stopped."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from distill.encoders.job import INTEGER_SHARE, Job, Pretrained, Supervised
from distill.encoders.objectives import Aligned, Contrast, too_near
from distill.encoders.transformer import TransformerEncoder
from distill.qat import QatNetwork
from distill.training.checkpoint import Checkpoint, digest_of, load_checkpoint, read_facts
from distill.training.device import CPU, mixed_precision, moved, placed
from distill.training.effort import Progress
from distill.training.fit import ALONE, Schedule, fit, make_optimiser, settle_norms
from distill.training.team import Team
from ppg.frontend import FRONT_END
from ppg.segments.draw import Changes, Pairs, SegmentBank
from ppg.segments.shards import Shards, open_shards
from search_spaces.network import Network

CHECKPOINT_EVERY = 100
INTEGER_RATE = 1e-3
OBSERVED_BATCHES = 8


@dataclass(frozen=True, eq=False)
class Ground:
    """What a pre-training stands on; it can be sent to a process.

    Attributes:
        people, held_out: who trains, and who is kept away from every training.
        teacher: what teaches an aligned student.
    """

    folder: Path
    rows: NDArray[np.int64]
    people: tuple[str, ...]
    held_out: tuple[str, ...]
    teacher: TransformerEncoder | None = None

    def __post_init__(self) -> None:
        assert not set(self.people) & set(self.held_out)

    def identity(self, job: Job, shards: Shards) -> dict[str, Any]:
        """What tells a training from every other, and what a file says of itself; JSON values."""
        teacher = self.teacher
        return {
            **job.to_json(),
            "people": list(self.people),
            "held_out": list(self.held_out),
            "also_in": sorted({name for each in shards.sittings for name in each.also_in}),
            "fingerprint": shards.fingerprint,
            "front_end": FRONT_END,
            "teacher": None if teacher is None else digest_of(teacher.state_dict()),
            "teacher_shape": None if teacher is None else asdict(teacher.shape),
        }


def pretrain(
    job: Job,
    ground: Ground,
    path: Path,
    *,
    progress: Progress,
    device: torch.device = CPU,
    launched: Team | None = None,
) -> Pretrained:
    """Train, and keep the result in `path`; a finished file of the same training is taken.

    Args:
        launched: the processes of `torchrun`, which all call this; only the first writes. Each
            shard of a batch is then contrasted within itself, which is another training.

    Raises:
        RunError: the file is damaged, or a process was killed.
    """
    torch.set_num_threads(1)
    torch.manual_seed(job.seed)
    module = placed(job.module(ground.teacher), device)
    shards = open_shards(ground.folder)
    first = ALONE if launched is None else launched
    # Called as the encoder, and not as the hidden file that it grows in.
    name = path.name.removeprefix(".").removesuffix(".part").removesuffix(".safetensors")
    checkpoint = Checkpoint(
        path,
        {**ground.identity(job, shards), "shards": first.shards},
        log=path.with_name("metrics") / f"{name}.csv",
    )
    if first.share(lambda: checkpoint.steps() == job.steps):
        load_checkpoint(path, module)
        return module.eval()
    spent_s = float(read_facts(path).get("train_s", 0)) if checkpoint.steps() else 0.0
    began_s = time.monotonic() - spent_s

    def timed(done: int, total: int, note: str) -> None:
        checkpoint.facts["train_s"] = time.monotonic() - began_s
        progress(done, total, note)

    _fit(first, job, module, ground, checkpoint, timed)
    if job.arch is not None:
        settle_norms(module.encoder, _batches(job, SegmentBank(shards, ground.rows), device))
    if first.rank == 0:
        checkpoint.save(module, job.steps)
    first.share(lambda: True)  # nobody reads it before it is there
    return module.eval()


def to_integers(
    job: Job, module: Aligned, ground: Ground, path: Path, *, progress: Progress
) -> QatNetwork:
    """Train a compact student on with simulated int8 arithmetic.

    Args:
        module: as `pretrain` left it; its encoder becomes the one that simulates integers.
    """
    module = module.cpu()
    shards = open_shards(ground.folder)
    steps = max(1, round(INTEGER_SHARE * job.steps))
    network = module.encoder.eval()
    assert isinstance(network, Network)
    qat = QatNetwork(network)
    qat.observe(_batches(job, SegmentBank(shards, ground.rows), CPU))
    module.encoder = qat
    checkpoint = Checkpoint(
        path,
        {**ground.identity(job, shards), "int8": steps},
        log=path.with_name("metrics") / f"{path.stem}-int8.csv",
    )
    _fit(ALONE, job, module, ground, checkpoint, progress, steps=steps)
    qat.observing = False
    return qat


def _fit(
    own: Team,
    job: Job,
    module: Pretrained,
    ground: Ground,
    checkpoint: Checkpoint,
    progress: Progress,
    *,
    steps: int | None = None,
) -> None:
    """The float training, or with `steps` the one that simulates integers."""
    device = next(module.parameters()).device
    bank = SegmentBank(open_shards(ground.folder), ground.rows)
    phase, count, rate = 31, job.steps, job.peak_rate
    if steps is not None:
        phase, count, rate = 32, steps, INTEGER_RATE

    def losses(step: int, shard: int) -> Iterator[Tensor]:
        if isinstance(module.encoder, QatNetwork):
            module.encoder.observing = step < count // 2
        rng = np.random.default_rng((job.seed, phase, step, shard))
        given = _draw(job, module, bank, rng, job.batch // own.shards)
        yield mixed_precision(device, module.loss, *(moved(each, device) for each in given))

    fit(
        module,
        losses,
        optimiser=make_optimiser(module),
        schedule=Schedule(count, rate, CHECKPOINT_EVERY),
        checkpoint=checkpoint,
        progress=progress,
        team=own,
    )


def _draw(
    job: Job, module: Pretrained, bank: SegmentBank, rng: np.random.Generator, count: int
) -> tuple[Tensor, ...]:
    """What `module.loss` takes, of a shard."""
    if isinstance(module, Contrast):
        first, second = bank.draw_views(rng, count, Changes(), together=job.together)
        return (*(_own(job, pairs) for pairs in (first, second)), _excluded(first))
    together = job.together if isinstance(module, Aligned) else 1
    pairs = bank.draw(rng, count, Changes(), together=together)
    if isinstance(module, Aligned):
        return _own(job, pairs), torch.from_numpy(pairs.ppg), _excluded(pairs)
    if isinstance(module, Supervised):
        return _own(job, pairs), torch.from_numpy(pairs.hr_bpm)
    order = rng.random((count, module.encoder.shape.tokens)).argsort(axis=1)
    return _own(job, pairs), torch.from_numpy(order)


def _own(job: Job, pairs: Pairs) -> Tensor:
    return torch.from_numpy(pairs.ppg if job.sensor == "ppg" else pairs.acc)


def _excluded(pairs: Pairs) -> Tensor:
    return too_near(torch.from_numpy(pairs.sitting), torch.from_numpy(pairs.start_s))


def _batches(job: Job, bank: SegmentBank, device: torch.device) -> Iterator[Tensor]:
    """Batches of no training, for statistics and ranges."""
    for index in range(OBSERVED_BATCHES):
        rng = np.random.default_rng((job.seed, 33, index))
        yield _own(job, bank.draw(rng, job.batch, Changes())).to(device)
