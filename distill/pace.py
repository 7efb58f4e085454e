"""Seconds that a step of each training takes here and now."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch import Tensor, nn

from distill.finalist import STEPS_A_BATCH
from distill.inputs import inputs_of
from distill.losses.distributions import label_loss
from distill.teachers.choice import steps_and_networks
from distill.teachers.names import TEACHER_HZ
from distill.training.device import CPU, placed
from distill.training.effort import Effort, share_of
from distill.training.fit import make_optimiser
from distill.unlabelled import draw
from ppg.augment.bank import TrainingBank
from ppg.readout.classes import soft_labels
from search_spaces.arch import Arch
from search_spaces.network import Network
from search_spaces.plan import plan

STEPS = 3


@dataclass(frozen=True)
class Pace:
    """Seconds of one core.

    Attributes:
        teacher: of one of `Effort.teacher_steps`, of all members of an ensemble together.
        pool: of a batch of the pool, with the teacher's answer.
        network: of a float step of an effort, as a network of middle size gets them: see
            `Effort.of_finalist`.
    """

    teacher: float
    pool: float
    network: float


def measure_pace(
    bank: TrainingBank,
    *,
    archs: Sequence[Arch],
    rate_hz: int,
    batch: int,
    teacher: str,
    effort: Effort,
    device: torch.device = CPU,
    past_s: float = 0.0,
) -> Pace:
    """Take a few steps of each training; takes seconds itself.

    Args:
        effort: that says what `auto` is.
        past_s: before each window of the pool.
    """
    torch.set_num_threads(1)
    rng = np.random.default_rng(0)
    drawn = partial(draw, bank, None, rng, batch, rate_hz=rate_hz, past_s=past_s)
    drawing = _seconds(drawn)
    *both, hr_bpm = drawn()
    x, shown, labels = (
        torch.from_numpy(a).to(device) for a in (*both, soft_labels(hr_bpm, bank.task))
    )
    own_hz = min(rate_hz, TEACHER_HZ)
    teachers = steps_and_networks(
        teacher, acceleration=bank.acceleration, rate_hz=own_hz, effort=effort, task=bank.task
    )
    read = partial(inputs_of, past_s=past_s, window_s=bank.task.window_s)

    def alone(network: Network) -> float:
        part, own = (t[: batch // STEPS_A_BATCH] for t in (x, labels))
        return _step(network, own, lambda: network(read(part, network.arch)))

    teaching = asking = 0.0
    for steps, network in teachers:
        placed(network, device)
        if steps:
            teaching += steps * (drawing + _step(network, labels, partial(network, shown)))
        with torch.no_grad():
            asking += _seconds(lambda: network.eval()(shown).cpu())  # noqa: B023
    each = [share_of(plan(arch).values) * alone(placed(Network(arch), device)) for arch in archs]
    return Pace(teaching or drawing, drawing + asking, float(np.median(each)))


def _step(module: nn.Module, labels: Tensor, forward: Callable[[], Tensor]) -> float:
    optimiser = make_optimiser(module)

    def step() -> None:
        optimiser.zero_grad()
        torch.autograd.backward(label_loss(forward(), labels))
        optimiser.step()
        if labels.is_cuda:
            torch.cuda.synchronize()  # what was launched is not done yet

    return _seconds(step)


def _seconds(work: Callable[[], object]) -> float:
    """The middle one of `STEPS`, after one that loads what is needed."""
    work()
    found = []
    for _ in range(STEPS):
        start_s = time.perf_counter()
        work()
        found.append(time.perf_counter() - start_s)
    return sorted(found)[STEPS // 2]
