"""Whole trainings from random weights, one after the other while time is left, for the bench.

Each is trained as a finalist of a search is.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass

from distill.compression.retrain import retrain
from distill.evaluation import predict_windows
from distill.finalist import FinalistJob
from distill.trainer import Trainer
from distill.training.effort import Progress
from distill.training.jobs import become_worker, worker_processes
from ppg.readout.transitions import Transitions
from ppg.recording import Recording
from ppg.windows import WindowSet, windows_of
from search_spaces.arch import Arch


@dataclass(frozen=True)
class Trained:
    """What became of a network, in int8; errors are MAE in BPM.

    Attributes:
        seconds: of one core for the training; after a kill, from where it went on.
        search_bpm: mean over search people, of raw readings.
    """

    seconds: float
    search_bpm: float
    report_bpm: dict[str, float]
    report_smoothed_bpm: dict[str, float]


@dataclass(frozen=True, eq=False)
class ScratchTrainer:
    """Trains networks of one pool and reads report people with them.

    Attributes:
        report: recordings of report people, which each network reads once, after its training.
    """

    trainer: Trainer
    report: Sequence[Recording]
    transitions: Transitions

    def prepare_teacher(self, progress: Progress) -> None:
        """As `Trainer.prepare_teacher`."""
        self.trainer.prepare_teacher(progress)

    def train(
        self,
        archs: Iterator[Arch],
        *,
        go_on: Callable[[float], bool],
        beat: Callable[[float], None],
        on_done: Callable[[Arch, Trained], None],
    ) -> None:
        """Train as many as `go_on` allows, in one worker process a core.

        Args:
            go_on: whether to begin one more; is told the seconds of those in training, summed.
            beat: called twice a second, with the same.

        Raises:
            RunError: a worker was killed.
        """
        count = self.trainer.site.side_by_side
        running: dict[Future[Trained], tuple[Arch, float]] = {}

        def running_s() -> float:
            now_s = time.perf_counter()
            return sum(now_s - began_s for _, began_s in running.values())

        with worker_processes(
            count,
            become_worker,
            killed="a worker that trains networks was killed, perhaps for want of memory; "
            "the same command goes on",
        ) as executor:
            while True:
                while len(running) < count and go_on(running_s()):
                    arch = next(archs, None)
                    if arch is None:
                        break
                    future = executor.submit(
                        _train_and_read,
                        self.trainer.from_nothing(arch),
                        windows_of(self.trainer.search, arch),
                        windows_of(self.report, arch),
                        self.transitions,
                    )
                    running[future] = arch, time.perf_counter()
                if not running:
                    return
                finished, _ = wait(running, timeout=0.5, return_when=FIRST_COMPLETED)
                beat(running_s())
                for future in finished:
                    arch, _ = running.pop(future)
                    on_done(arch, future.result())


def _train_and_read(
    job: FinalistJob, search: WindowSet, report: WindowSet, transitions: Transitions
) -> Trained:
    """In a worker, so that reading takes no core from the trainings beside it."""
    start_s = time.process_time()  # what else runs on the core must not count
    result = retrain(job, search, lambda *_: None)
    seconds = time.process_time() - start_s
    read = predict_windows(result.net, report, transitions=transitions, rule=job.rule)
    return Trained(seconds, result.search_mae_bpm, *read.by_person())
