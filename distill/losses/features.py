"""Learning what a teacher sees before it pools over time, and how windows lie to each other there.

Student and teacher halve time differently, so both are averaged over equal parts of the window to
the shorter length.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

VARIANCE_FLOOR = 1e-6


MOST_STEPS = 16  # of features that are kept and compared: a step is half a second at least


def shortened(features: Tensor) -> Tensor:
    """`(batch, channels, steps)` averaged over equal parts of time, to `MOST_STEPS` at most."""
    steps = min(features.shape[2], MOST_STEPS)
    if features.shape[2] % steps:
        return F.adaptive_avg_pool1d(features, steps)
    parts = features.reshape(*features.shape[:2], steps, -1)
    return parts.mean(dim=3)  # takes less time than pooling


def feature(adapted: Tensor, teacher: Tensor) -> Tensor:
    """Mean squared difference to the teacher's features, each channel of mean 0 and deviation 1.

    So 1 is what a student reaches that gives each channel's mean, whatever the teacher. Romero et
    al. 2015 (arXiv 1412.6550, FitNets).

    Args:
        adapted: `(batch, channels, steps)` of the student, in the teacher's channels.
        teacher: `(batch, channels, steps)`; its mean and deviation are the batch's.
    """
    guess, target = _of_one_length(adapted, teacher)
    # What batch normalisation does, by its own formula: mean and variance of the batch.
    target = F.batch_norm(target, None, None, training=True, eps=VARIANCE_FLOOR)
    return F.mse_loss(guess, target)


def attention(student: Tensor, teacher: Tensor) -> Tensor:
    """Mean squared difference of where in time the energy lies, `mean_c f^2` of norm 1.

    Zagoruyko and Komodakis 2017 (arXiv 1612.03928), with a weight of about 1000. Features
    `(batch, channels, steps)`; the channels may differ.
    """
    energies = (f.square().mean(dim=1, keepdim=True) for f in (student, teacher))
    guess, target = (F.normalize(each[:, 0], dim=1) for each in _of_one_length(*energies))
    return F.mse_loss(guess, target)


def _of_one_length(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    steps = min(a.shape[2], b.shape[2])
    return F.adaptive_avg_pool1d(a, steps), F.adaptive_avg_pool1d(b, steps)


SMALLEST = 1e-8


def relation(
    student: Tensor, teacher: Tensor, *, distances: float = 25.0, angles: float = 50.0
) -> Tensor:
    """Smooth L1 of distances over their mean, and of the angles at each corner of each triplet.

    Park et al. 2019 (arXiv 1904.05068, RKD) on features `(batch, channels, steps)` averaged over
    time; the channels may differ. Takes memory with the cube of the batch.
    """
    s, t = student.mean(dim=2), teacher.mean(dim=2)
    far = F.smooth_l1_loss(_distances(s), _distances(t))
    return distances * far + angles * F.smooth_l1_loss(_angles(s), _angles(t))


def _distances(points: Tensor) -> Tensor:
    """`(pairs,)` over their mean."""
    found = F.pdist(points)
    return found / found.mean().clamp(min=SMALLEST)


def _angles(points: Tensor) -> Tensor:
    """`(batch, batch, batch)` cosine at the first of three."""
    ways = F.normalize(points[None] - points[:, None], dim=2)
    return ways @ ways.transpose(1, 2)


class Adaptor(nn.Module):
    """A student's features in the channels of its teacher: a convolution of one tap.

    It belongs to a training, in its optimiser and its checkpoints, and never to a network.

    Args:
        student, teacher: channels of their features.
    """

    def __init__(self, student: int, teacher: int, *, seed: int) -> None:
        super().__init__()
        rng = torch.Generator().manual_seed(seed)
        start = torch.randn(teacher, student, generator=rng) / student**0.5
        self.weight = nn.Parameter(start)
        self.bias = nn.Parameter(torch.zeros(teacher))

    def forward(self, features: Tensor) -> Tensor:
        """`(batch, student, steps)` to `(batch, teacher, steps)`."""
        return self.weight @ features + self.bias[:, None]


def beside(module: nn.Module, adaptor: Adaptor | None) -> nn.Module:
    """What is trained: the module, with the adaptor if there is one."""
    return module if adaptor is None else nn.ModuleList([module, adaptor])
