"""Networks that stand for a whole space."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from search_spaces.arch import Arch
from search_spaces.figures import figures_matrix


def spread(archs: Sequence[Arch], count: int, *, beside: Sequence[Arch] = ()) -> list[Arch]:
    """`count` of `archs`: one of each class of multiply-accumulates, far apart in all else.

    They are far from those `beside` them as well.
    """
    x = figures_matrix([*archs, *beside])
    x = (x - x.mean(axis=0)) / np.maximum(x.std(axis=0), 1e-9)
    low, high = np.percentile(x[:, 0], [0.5, 99.5])
    place = np.clip(((x[:, 0] - low) / max(high - low, 1e-9) * count).astype(int), 0, count - 1)
    picked = list(range(len(archs), len(x)))
    for number in range(count):
        inside = np.flatnonzero(place[: len(archs)] == number)
        if len(inside) == 0:
            continue
        if picked:
            distance = np.linalg.norm(x[inside, None, 1:] - x[None, picked, 1:], axis=2).min(
                axis=1
            )
        else:
            distance = -np.linalg.norm(x[inside, 1:], axis=1)
        picked.append(int(inside[distance.argmax()]))
    return [archs[index] for index in picked[len(beside) :]]


def evenly(count: int, most: int) -> NDArray[np.int64]:
    """Indices of at most `most` of `count` things, evenly spaced."""
    return np.linspace(0, count - 1, min(count, most)).astype(np.int64)
