"""Everything that a search asks of torch, in the order in which it asks."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import KW_ONLY, dataclass, field, replace
from functools import cached_property
from itertools import islice
from pathlib import Path

import torch
from torch import Tensor

from deploy.integers.reference import Rule
from distill.compression.retrain import FOLDER_NAME, parts_of, retrain
from distill.evaluation import Retrained
from distill.finalist import CHECKPOINT_NAME, FinalistJob
from distill.first_rung import Begun, begin, read_begun
from distill.inputs import stored_rate_hz
from distill.losses.mix import chosen_mix
from distill.pace import Pace, measure_pace
from distill.pool import Pool, make_pool, open_pool
from distill.supernet_training import (
    TRIES,
    Accept,
    InheritedAccuracy,
    SupernetJob,
    thin,
    train_supernet,
)
from distill.teachers.choice import teacher_of
from distill.teachers.names import TEACHER_HZ, TeacherFacts
from distill.training.checkpoint import load_checkpoint, save_checkpoint
from distill.training.device import Site
from distill.training.effort import AUTO, Effort, Progress
from distill.training.jobs import Kind, Queue, Rung, run_jobs
from distill.training.recipe import Recipe, direct
from distill.unlabelled import LeftOut, unlabelled_bank
from ppg.augment.bank import TrainingBank
from ppg.recording import Recording
from ppg.windows import InputSpec, WindowSet, windows_of
from ppgnas.task import Mode
from search_spaces.arch import Arch
from search_spaces.network import Network
from search_spaces.plan import plan
from search_spaces.space import SearchSpace
from search_spaces.streaming import most_past_s
from search_spaces.supernet import Supernet

RUNG_NAME: dict[Rung, str] = {"first rungs": "begun", "second rungs": "half-way"}
INITIAL_NAME, INHERITED_NAME = "initial", "inherited"
CALIBRATION_BATCHES = 2
HEARD = 10
"""Training people whose readings say how good a network is after a rung (docs/ranking.md)."""
PACED = 5


@dataclass(frozen=True, eq=False)
class Trainer:
    """Teacher, first rungs and whole trainings of one run.

    Attributes:
        unlabelled: recordings that the teacher alone labels.
        teacher: its name, see `distill.teachers.names.files_of`.
        folder: the run directory; `cache/` in it holds what can be made again.
        accept: whether an architecture fits the budgets.
        rule: the arithmetic of retrained networks' errors, see `distill.evaluation`.
        distill: the mix of losses, see `distill.losses.mix.chosen_mix`.
        taught_with_acceleration: whether the teacher reads it where no network of the space does.
        inherit: whether networks begin with the weights of a supernet, or random ones.
    """

    space: SearchSpace
    _: KW_ONLY
    train: Sequence[Recording]
    search: Sequence[Recording]
    unlabelled: Sequence[Recording] = ()
    effort: Effort
    seed: int
    teacher: str
    folder: Path
    site: Site
    accept: Accept
    rule: Rule = "tflm"
    distill: str = AUTO
    recipe: Recipe = field(default_factory=direct)
    taught_with_acceleration: bool = False
    inherit: bool = False

    @property
    def mode(self) -> Mode:
        """Whether networks read windows, or stream."""
        return "streaming" if self.space.streams else "window"

    @property
    def _past_s(self) -> float:
        """What the pool has before each window."""
        return float(most_past_s(self._inputs.task)) if self.space.streams else 0.0

    @property
    def _cache(self) -> Path:
        return self.folder / "cache"

    @cached_property
    def _inputs(self) -> InputSpec:
        rates_hz = {*self.space.rate_hz, *self.recipe.rates_hz}
        acceleration = True in self.space.acceleration or self.taught_with_acceleration
        return InputSpec(stored_rate_hz(tuple(rates_hz)), acceleration, self.space.task)

    @cached_property
    def _bank(self) -> TrainingBank:
        return TrainingBank(
            self.train, acceleration=self._inputs.acceleration, task=self._inputs.task
        )

    def at(self, effort: Effort) -> Trainer:
        """The same trainer with other numbers of steps."""
        other = replace(self, effort=effort)
        vars(other).update({n: made for n, made in vars(self).items() if n == "_bank"})
        return other

    def pace(self) -> Pace:
        """Seconds that a step of each training takes here and now."""
        rng = random.Random(self.seed)
        drawn = (self.space.sample(rng) for _ in range(TRIES))
        # where hardly anything fits, the smallest network is nearest to what does
        archs = [*islice(filter(self.accept, drawn), PACED)] or [self.space.smallest()]
        return measure_pace(
            self._bank,
            archs=archs,
            rate_hz=self._inputs.rate_hz,
            batch=self.effort.batch,
            device=self.site.device,
            teacher=self.teacher,
            effort=self.effort,
            past_s=self._past_s,
        )

    def prepare_teacher(self, progress: Progress) -> TeacherFacts | None:
        """Train or load the teacher, and let it label the pool.

        Returns:
            What is known of it; None without one, or of a file that says nothing.
        """
        taught = self.teacher != "none"
        mix = chosen_mix(self.distill, effort=self.effort, taught=taught)
        further = unlabelled_bank(self.unlabelled, self._inputs, mix)
        teacher = teacher_of(
            self.teacher,
            self._bank,
            self.search,
            rate_hz=min(self._inputs.rate_hz, TEACHER_HZ),
            effort=self.effort,
            seed=self.seed,
            path=self._cache / "teacher.safetensors",
            processes=self.site.processes,
            progress=progress,
            device=self.site.device,
        )
        make_pool(
            self._bank,
            teacher,
            unlabelled=further,
            folder=self._cache / "pool",
            batches=self.effort.pool_batches,
            batch=self.effort.batch,
            rate_hz=self._inputs.rate_hz,
            seed=self.seed,
            progress=progress,
            features=mix.features,
            past_s=self._past_s,
            threads=self.site.processes,
        )
        return None if teacher is None else teacher.facts

    @property
    def left_out(self) -> LeftOut | None:
        """Windows of unlabelled recordings that the teacher is least sure of, once it labelled."""
        return self._pool.left_out

    @cached_property
    def _pool(self) -> Pool:
        return open_pool(self._cache / "pool", device=self.site.device)

    def batches(self, count: int) -> Iterator[Tensor]:
        """The first training windows of the pool, `(batch, channels, time)` at the stored rate."""
        return (x.cpu() for x in self._pool.inputs(count))

    @property
    def _supernet_job(self) -> SupernetJob:
        pool, path = self._cache / "pool", self.folder / "supernet.safetensors"
        return SupernetJob(
            self.space, pool, self.effort, self.seed, path, self.site.device, self.distill
        )

    def train_supernet(self, progress: Progress) -> None:
        """Train the supernet, or return at once when it is there."""
        train_supernet(
            self._supernet_job,
            accept=self.accept,
            processes=self.site.processes,
            progress=progress,
        )

    @cached_property
    def _supernet(self) -> Supernet:
        job = self._supernet_job
        supernet = job.supernet()
        load_checkpoint(job.path, supernet)
        return supernet

    @cached_property
    def _inherited(self) -> InheritedAccuracy:
        return InheritedAccuracy(
            self._supernet,
            list(self._pool.inputs(CALIBRATION_BATCHES)),
            windows_of(self.search, self._inputs, mode=self.mode),
            count=self.effort.search_windows,
            past_s=self._pool.past_s,
        )

    def search_mae(self, arch: Arch) -> float:
        """Inherited raw MAE in BPM on search people, once there is a supernet."""
        return self._inherited.mae_bpm(arch)

    def _from_supernet(self, arch: Arch) -> FinalistJob:
        """The whole training from inherited weights, which are written where missing."""
        weights = self._cache / f"{INHERITED_NAME}-{arch.id}.safetensors"
        if not weights.exists():
            pool = self._pool
            calibration = [pool.of(x, arch) for x in pool.inputs(CALIBRATION_BATCHES)]
            statistics = self._supernet.recalibrate(arch, calibration)
            save_checkpoint(weights, self._supernet.extract(arch, statistics))
        return self.job(arch, weights, self.effort.of_finalist(plan(arch).values))

    def job(self, arch: Arch, weights: Path, effort: Effort) -> FinalistJob:
        """A training that starts from weights, on the pool of this run."""
        return FinalistJob(
            arch,
            weights,
            self._cache / "pool",
            effort,
            self.seed,
            rule=self.rule,
            device=self.site.device,
            distill=self.distill,
            recipe=self.recipe,
        )

    def from_nothing(self, arch: Arch) -> FinalistJob:
        """The whole training from random weights, which are written where missing."""
        weights = self._cache / f"{INITIAL_NAME}-{arch.id}.safetensors"
        if not weights.exists():
            torch.manual_seed(self.seed)
            save_checkpoint(weights, Network(arch))
        return self.job(arch, weights, self.effort.of_finalist(plan(arch).values))

    def _begun_file(self, arch: Arch, kind: Rung) -> Path:
        return self._cache / f"{RUNG_NAME[kind]}-{arch.id}.safetensors"

    def begin_many(
        self, archs: Sequence[Arch], progress: Progress, kind: Rung = "first rungs"
    ) -> list[Begun]:
        """Train each up to a rung, in worker processes; what is there is taken."""
        self.begin(archs, progress, kind)
        return [read_begun(self._begun_file(arch, kind)) for arch in archs]

    def begin(self, archs: Sequence[Arch], progress: Progress, kind: Rung = "first rungs") -> None:
        """The same for those that nobody else has begun, without asking what they say."""
        missing = [arch for arch in archs if not self._begun_file(arch, kind).exists()]
        missing.sort(key=lambda arch: -plan(arch).values)  # the longest first: nobody waits for it
        jobs = [
            (self._rung(job, kind), *self._judges(job.arch), self._begun_file(job.arch, kind))
            for job in map(self._whole, missing)
        ]
        run_jobs(
            begin,
            jobs,
            steps=[job.float_steps for job, *_ in jobs],
            begun=[job.float_steps_done for job, *_ in jobs],
            what="networks",
            processes=self.site.side_by_side,
            progress=progress,
            on_done=lambda *_: None,
            dask=self.site.dask,
            shared=self._shared(kind, missing),
            given=self.site.workers,
        )

    def _judges(self, arch: Arch) -> tuple[WindowSet, WindowSet]:
        """Windows of search people, and of some training people, a recording each."""
        inputs = InputSpec(arch.rate_hz, arch.acceleration, arch.task)
        if inputs not in self._judged_on:
            first = {each.person: each for each in reversed(self.train)}
            rng = random.Random(f"{self.seed} heard")
            drawn = rng.sample(sorted(first), min(HEARD, len(first)))
            heard = windows_of([first[who] for who in drawn], inputs, mode=self.mode)
            self._judged_on[inputs] = (
                windows_of(self.search, inputs, mode=self.mode),
                heard.only(thin(heard, self.effort.search_windows)),
            )
        return self._judged_on[inputs]

    @cached_property
    def _judged_on(self) -> dict[InputSpec, tuple[WindowSet, WindowSet]]:
        return {}

    def _rung(self, job: FinalistJob, kind: Rung) -> FinalistJob:
        """The job with a pause; it trains the network as the first stage of its recipe does."""
        first = next(parts_of(job))
        steps = first.steps if first.stage.do == "train" else job.effort.finetune_steps
        effort = replace(job.effort, finetune_steps=steps)
        pause = effort.half_way if kind == "second rungs" else job.effort.first_rung
        return replace(job, effort=effort, pause=pause, course=first.course)

    def retrain_many(
        self,
        archs: Sequence[Arch],
        progress: Progress,
        on_done: Callable[[int, Retrained], None],
        *,
        enough: Callable[[], bool],
    ) -> None:
        """Train finalists on from their first rungs and quantise them, in workers.

        Where it is `enough`, no further one begins once one has ended.
        """
        jobs = [self._whole(arch) for arch in archs]
        self._retrain(jobs, progress, on_done, enough, self._shared("finalists", archs))

    def _whole(self, arch: Arch) -> FinalistJob:
        job = self._from_supernet(arch) if self.inherit else self.from_nothing(arch)
        return replace(job, log=self.folder / "metrics" / f"network-{arch.id}")

    def _shared(self, kind: Kind, archs: Sequence[Arch]) -> Queue | None:
        share = self.site.share
        return share.queue(kind, archs, self.effort) if share and archs else None

    def _retrain(
        self,
        jobs: Sequence[FinalistJob],
        progress: Progress,
        on_done: Callable[[int, Retrained], None],
        enough: Callable[[], bool] = lambda: False,
        shared: Queue | None = None,
    ) -> None:
        run_jobs(
            retrain,
            [(job, self._judges(job.arch)[0]) for job in jobs],
            steps=[sum(part.steps for part in parts_of(job)) for job in jobs],
            begun=[job.float_steps_done for job in jobs],
            what="finalists",
            processes=self.site.side_by_side,
            progress=progress,
            on_done=on_done,
            enough=enough,
            dask=self.site.dask,
            shared=shared,
            given=self.site.workers,
        )

    def train_alone(
        self,
        archs: Sequence[Arch],
        progress: Progress,
        on_done: Callable[[int, Retrained], None],
        *,
        seed: int,
    ) -> None:
        """Whole trainings with a seed of their own, for the bench."""
        folder = self._cache / f"seed-{seed}"
        folder.mkdir(parents=True, exist_ok=True)
        jobs = []
        for job in map(self.from_nothing, archs):
            own = folder / job.weights.name
            shutil.copyfile(job.weights, own)
            jobs.append(replace(job, weights=own, seed=seed))
        self._retrain(jobs, progress, on_done)

    def drop_cache(self) -> None:
        """Remove what only an unfinished run needs; the teacher stays."""
        shutil.rmtree(self._cache / "pool", ignore_errors=True)
        for name in (INITIAL_NAME, INHERITED_NAME, *RUNG_NAME.values(), CHECKPOINT_NAME):
            for weights in self._cache.glob(f"{name}-*.safetensors"):
                weights.unlink()
        for folder in self._cache.glob(f"{FOLDER_NAME}-*"):
            shutil.rmtree(folder)
