"""Stand-ins for training that take no time, and a handful of short recordings."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

from deploy.integers.quantized import QuantizedNet, quantize
from distill.evaluation import Retrained
from distill.first_rung import Begun
from distill.pace import Pace
from distill.teachers.names import TeacherFacts
from distill.training.effort import EFFORTS, Effort
from distill.training.jobs import Rung
from nas.run.job.progress import Tick
from ppg.npz.folder import write_recording
from ppg.recording import Recording
from ppg.synthetic.recordings import synthesize
from search_spaces.arch import Arch
from search_spaces.lower import lower
from search_spaces.space import SearchSpace


def silent(done: int, total: int, note: str) -> None:
    """A tick that nobody watches."""


def fake_mae(arch: Arch) -> float:
    """Larger is better, with some noise of its own: a plain trade-off against every cost."""
    capacity = sum(stage.depth * stage.width * stage.kernel for stage in arch.stages)
    noise = int(arch.id, 16) % 1000 / 1000
    return 1.5 + 800 / (capacity + 80) + 0.2 * noise


def fake_net(arch: Arch, *, spread: float = 0.1) -> QuantizedNet:
    """Random weights, the same for the same architecture; wide ones tell roundings apart."""
    graph = lower(arch)
    rng = np.random.default_rng(int(arch.id, 16) % 2**32)
    weights: dict[str, Any] = {}
    for layer in graph.layers:
        shape = graph.weight_shape(layer)
        if shape:
            channels = graph.shape(layer.output)[-1]
            weights[layer.name] = (
                rng.normal(size=shape) * spread,
                rng.normal(size=channels) * 0.1,
            )
    return quantize(graph, weights, {tensor.name: (0.05, 0) for tensor in graph.tensors})


STEP_S = 0.02
TAUGHT_BY = TeacherFacts(
    name="ensemble:resnet-small,model.onnx",
    parameters=40_000,
    train_s=75.0,
    temperature=1.0,
    search_mae_bpm=1.25,
    ece_before=0.125,
    ece_after=0.0625,
    members=(
        TeacherFacts(
            name="resnet-small",
            parameters=30_000,
            macs=2_000_000,
            train_s=75.0,
            temperature=1.5,
            search_mae_bpm=1.5,
            ece_before=0.125,
            ece_after=0.0625,
        ),
    ),
)


Base: Any = object  # to types a fake may be anything


class FakeTrainer(Base):
    """Counts what it is asked; `folder/*.done` stand for checkpoints.

    Args:
        delay_s: how long one accuracy takes.
        calls: where to note what was asked, in order.
    """

    def __init__(
        self,
        space: SearchSpace,
        *,
        folder: Path,
        effort: Effort = EFFORTS["smoke"],
        calls: list[str] | None = None,
        delay_s: float = 0.0,
        inherit: bool = False,
        **_: object,
    ) -> None:
        self.space = space
        self.folder = folder
        self.effort = effort
        self.calls = calls if calls is not None else []
        self.delay_s = delay_s
        self.inherit = inherit

    def pace(self) -> Pace:
        return Pace(teacher=0.06, pool=0.02, network=0.02)

    def at(self, effort: Effort) -> FakeTrainer:
        return FakeTrainer(
            self.space,
            folder=self.folder,
            effort=effort,
            calls=self.calls,
            delay_s=self.delay_s,
            inherit=self.inherit,
        )

    def _once(self, name: str, progress: Tick) -> None:
        mark = self.folder / f"{name}.done"
        if not mark.exists():
            self.calls.append(name)
            mark.touch()
        progress(1, 1, name)

    def prepare_teacher(self, progress: Tick) -> TeacherFacts:
        self._once("teacher", progress)
        return TAUGHT_BY

    left_out = None

    def train_supernet(self, progress: Tick) -> None:
        self._once("supernet", progress)

    def search_mae(self, arch: Arch) -> float:
        return fake_mae(arch)

    def begin_many(
        self, archs: Sequence[Arch], progress: Tick, kind: Rung = "first rungs"
    ) -> list[Begun]:
        found = []
        for index, arch in enumerate(archs):
            mark = self.folder / f"{kind}-{arch.id}.done"
            if not mark.exists():
                self.calls.append(f"{kind} {arch.id}")
                time.sleep(self.delay_s)
                mark.touch()
            error = fake_mae(arch)
            found.append(Begun(1.5 * error, 1.2 * error, error, STEP_S))
            progress(index + 1, len(archs), "")
        return found

    def begin(self, archs: Sequence[Arch], progress: Tick, kind: Rung = "first rungs") -> None:
        self.begin_many(archs, progress, kind)

    def retrain_many(
        self,
        archs: Sequence[Arch],
        progress: Tick,
        on_done: Callable[[int, Retrained], None],
        *,
        enough: Callable[[], bool] = lambda: False,
    ) -> None:
        for index in reversed(range(len(archs))):  # in another order than asked
            if index < len(archs) - 1 and enough():
                return
            self.calls.append(f"retrain {archs[index].id}")
            time.sleep(self.delay_s)
            on_done(
                index,
                Retrained(fake_net(archs[index]), fake_mae(archs[index]) - 0.5, archs[index]),
            )
            progress(len(archs) - index, len(archs), "")

    def drop_cache(self) -> None:
        self.calls.append("drop_cache")


@contextmanager
def few_drawn(*, page: bool = True) -> Iterator[None]:
    """Searches and benches that draw fewer networks; without `page` no report is drawn."""
    few: dict[str, object] = {
        "nas.explore.evidence.DRAWN": 60,
        "nas.explore.problem._WALK_STEPS": 30,
        "nas.bench.ranking.networks.DRAWN": 100,
    }
    if not page:
        few["nas.report.report.write_report"] = lambda path: None
    with ExitStack() as stack:
        for name, value in few.items():
            stack.enter_context(mock.patch(name, value))
        yield


def write_people(folder: Path, *, people: int = 6, minutes: float = 0.5, seed: int = 3) -> Path:
    """Short synthetic recordings as .npz files."""
    for recording in synthesize(people=people, minutes=minutes, seed=seed):
        write_recording(folder / "synthetic" / f"{recording.subject}.npz", recording)
    return folder


def halves(recording: Recording, *, overlap_s: float = 20.0) -> tuple[Recording, Recording]:
    """The first and the last part of a recording, which overlap, as of two people."""
    middle_s, end_s = recording.duration_s / 2, recording.duration_s
    first = _part(recording, 0.0, middle_s + overlap_s / 2, f"{recording.subject}-first")
    return first, _part(recording, middle_s - overlap_s / 2, end_s, f"zz-{recording.subject}")


def _part(recording: Recording, start_s: float, end_s: float, subject: str) -> Recording:
    assert recording.acc is not None and recording.acc_hz is not None
    ppg, acc = (
        slice(round(start_s * hz), round(end_s * hz))
        for hz in (recording.ppg_hz, recording.acc_hz)
    )
    inside = (recording.window_start_s >= start_s) & (recording.window_start_s + 8 <= end_s)
    return replace(
        recording,
        subject=subject,
        name=subject,
        ppg=recording.ppg[ppg],
        acc=recording.acc[acc],
        window_start_s=recording.window_start_s[inside] - start_s,
        hr_bpm=recording.hr_bpm[inside],
        valid=recording.valid[inside],
        activity=recording.activity[inside],
    )


def write_one_person_twice(folder: Path) -> tuple[str, str]:
    """Four people and a fifth in two overlapping recordings; the two names of the fifth."""
    *others, cut = synthesize(people=5, minutes=1.0, seed=3)
    both = halves(cut)
    for recording in (*others, *both):
        write_recording(folder / "synthetic" / f"{recording.name}.npz", recording)
    return both[0].person, both[1].person
