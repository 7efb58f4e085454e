"""Everything that a search asks of torch, in the order in which it asks."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import KW_ONLY, dataclass
from functools import cached_property
from pathlib import Path

from deploy.integers.reference import Rule
from distill.evaluation import Retrained
from distill.finalist import CHECKPOINT_NAME, FinalistJob, retrain_all
from distill.inherited import InheritedAccuracy
from distill.inputs import inputs_of, stored_rate_hz
from distill.pool import Pool, make_pool, open_pool
from distill.supernet_training import Accept, SupernetJob, largest_logits, train_supernet
from distill.teacher import TEACHER_HZ, teacher_of
from distill.training.checkpoint import save_checkpoint
from distill.training.effort import Effort, effort_by_name
from distill.training.progress import Progress
from ppg.augment.bank import TrainingBank
from ppg.recording import Recording
from ppg.windows import InputSpec, WindowSet, windows_of
from search_spaces.arch import Arch
from search_spaces.lower import lower
from search_spaces.space import SearchSpace
from search_spaces.supernet import Supernet

CALIBRATION_BATCHES = 2


@dataclass(frozen=True, eq=False)
class Trainer:
    """Teacher, supernet, ranking and retraining of one run.

    Attributes:
        space: the search space.
        train, search: recordings of training and of search people.
        effort: name of an `Effort`.
        seed: decides everything that is drawn.
        teacher: `resnet-small`, `none`, or the path of a teacher's file.
        folder: the run directory; `cache/` in it holds what can be made again.
        threads: cores to use.
        accept: whether an architecture fits the budgets.
        rule: the arithmetic of retrained networks' errors, see `distill.evaluation`.
    """

    space: SearchSpace
    _: KW_ONLY
    train: Sequence[Recording]
    search: Sequence[Recording]
    effort: str
    seed: int
    teacher: str
    folder: Path
    threads: int
    accept: Accept
    rule: Rule = "tflm"

    @property
    def _cache(self) -> Path:
        return self.folder / "cache"

    @cached_property
    def _effort(self) -> Effort:
        return effort_by_name(self.effort)

    @cached_property
    def _inputs(self) -> InputSpec:
        return InputSpec(stored_rate_hz(self.space.rate_hz), True in self.space.acceleration)

    @property
    def _supernet_job(self) -> SupernetJob:
        pool, path = self._cache / "pool", self.folder / "supernet.safetensors"
        return SupernetJob(self.space, pool, self._effort, self.seed, path)

    @cached_property
    def _supernet(self) -> Supernet:
        return self._supernet_job.supernet()

    @cached_property
    def _bank(self) -> TrainingBank:
        return TrainingBank(self.train, acceleration=self._inputs.acceleration)

    def prepare_teacher(self, progress: Progress) -> None:
        """Train or load the teacher, and let it label the pool."""
        teacher = teacher_of(
            self.teacher,
            self._bank,
            self.search,
            rate_hz=min(self._inputs.rate_hz, TEACHER_HZ),
            effort=self._effort,
            seed=self.seed,
            path=self._cache / "teacher.safetensors",
            processes=self.threads,
            progress=progress,
        )
        make_pool(
            self._bank,
            teacher,
            folder=self._cache / "pool",
            batches=self._effort.pool_batches,
            batch=self._effort.batch,
            rate_hz=self._inputs.rate_hz,
            seed=self.seed,
            progress=progress,
        )

    @cached_property
    def _pool(self) -> Pool:
        return open_pool(self._cache / "pool")

    def train_supernet(self, progress: Progress) -> None:
        """Train the supernet, or load it when it is finished."""
        train_supernet(
            self._supernet_job,
            self._supernet,
            accept=self.accept,
            processes=self.threads,
            progress=progress,
        )

    @cached_property
    def _inherited(self) -> InheritedAccuracy:
        return InheritedAccuracy(
            self._supernet,
            list(self._pool.inputs(CALIBRATION_BATCHES)),
            windows_of(self.search, self._inputs),
            count=self._effort.search_windows,
        )

    def search_mae(self, arch: Arch) -> float:
        """Inherited raw MAE in BPM on search people."""
        return self._inherited.mae_bpm(arch)

    def retrain_many(
        self, archs: Sequence[Arch], progress: Progress, on_done: Callable[[int, Retrained], None]
    ) -> None:
        """Retrain and quantise finalists in worker processes."""
        pool = self._cache / "pool"
        if not (pool / "blend.npy").exists():
            self._pool.blended(pool, largest_logits(self._supernet, self._pool, progress=progress))
        jobs = []
        for arch in archs:
            weights = self._cache / f"inherited-{arch.id}.safetensors"
            calibration = [inputs_of(x, arch) for x in self._pool.inputs(CALIBRATION_BATCHES)]
            network = self._supernet.extract(arch, self._supernet.recalibrate(arch, calibration))
            save_checkpoint(weights, network)
            effort = self._effort.of_finalist(lower(arch).total_macs)
            jobs.append(FinalistJob(arch, weights, pool, effort, self.seed, rule=self.rule))

        def search(job: FinalistJob) -> WindowSet:
            return windows_of(self.search, job.arch)

        retrain_all(jobs, search, processes=self.threads, progress=progress, on_done=on_done)

    def drop_cache(self) -> None:
        """Remove what only an unfinished run needs; the teacher stays."""
        shutil.rmtree(self._cache / "pool", ignore_errors=True)
        for name in ("inherited", CHECKPOINT_NAME):
            for weights in self._cache.glob(f"{name}-*.safetensors"):
                weights.unlink()
