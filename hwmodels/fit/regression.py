"""Linear laws of non-negative coefficients, their held-out errors, and intervals from them.

Convention: a residual is `log(measured / predicted)`, so errors are relative and symmetric: being
half and being double are equally wrong. A law is fitted by least squares of the relative error.

Intervals are conformal. Every point is predicted by a law fitted without its group (all layers of
one shape, all measurements of one network); the sizes of these held-out residuals are sorted, and
the interval of a new point reaches as far as the `ceil(0.9 (n + 1))`-th of `n` (the largest, where
that is more than n). References: Vovk et al., Algorithmic Learning in a Random World, 2005;
Barber et al., Predictive inference with the jackknife+, arXiv:1905.02928.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls

Array = NDArray[np.float64]
LEVEL = 0.9


def solve(
    features: Array,
    measured: Array,
    fixed: Array | None = None,
    *,
    weights: Array | float = 1.0,
) -> Array:
    """Non-negative coefficients of least squared relative error.

    Args:
        features: `(points, features)`.
        measured: `(points,)`, above 0.
        fixed: `(points,)` what is known and not fitted; 0 if None.
        weights: `(points,)` of the relative errors.

    Returns:
        `(features,)`.
    """
    target = np.ones(len(measured)) if fixed is None else 1 - fixed / measured
    relative = features * (weights / measured)[:, None]
    coefficients, _ = nnls(relative, target * weights, maxiter=50 * features.shape[1])
    return np.asarray(coefficients, dtype=np.float64)


@dataclass(frozen=True)
class HeldOut:
    """Predictions of points by laws that did not see their group.

    Attributes:
        measured, predicted: `(points,)`.
        groups: `(points,)` keys; points of one group were left out together.
    """

    measured: Array
    predicted: Array
    groups: tuple[Hashable, ...]

    @property
    def errors(self) -> Array:
        """Relative errors `predicted / measured - 1`, `(points,)`."""
        return np.asarray(self.predicted / self.measured - 1, dtype=np.float64)

    @property
    def residuals(self) -> Array:
        """`log(measured / predicted)`, `(points,)`."""
        return np.asarray(np.log(self.measured / self.predicted), dtype=np.float64)

    @property
    def mape(self) -> float:
        """Mean absolute relative error; 0.01 is 1 %."""
        return float(np.mean(np.abs(self.errors)))


def leave_groups_out(
    groups: Sequence[Hashable],
    measured: Array,
    predict: Callable[[NDArray[np.int64], NDArray[np.int64]], Array],
) -> HeldOut:
    """Predict every group by a law that was fitted on the others.

    Args:
        groups: `(points,)` keys.
        measured: `(points,)`.
        predict: from the indices to fit on and the indices left out to the predictions of these.
    """
    predicted = np.empty(len(measured))
    indices: dict[Hashable, list[int]] = {}
    for index, key in enumerate(groups):
        indices.setdefault(key, []).append(index)
    everything = np.arange(len(measured))
    for members in indices.values():
        left_out = np.array(members, dtype=np.int64)
        predicted[left_out] = predict(np.delete(everything, left_out), left_out)
    return HeldOut(measured, predicted, tuple(groups))


def leave_groups_out_linear(
    features: Array, measured: Array, groups: Sequence[Hashable]
) -> HeldOut:
    """`leave_groups_out` of one linear law `(points, features)`."""

    def predict(seen: NDArray[np.int64], left_out: NDArray[np.int64]) -> Array:
        return features[left_out] @ solve(features[seen], measured[seen])

    return leave_groups_out(groups, measured, predict)


def half_width(residuals: Array) -> float:
    """Half width of the conformal interval, in logs, from the residuals of held-out points."""
    sizes = np.sort(np.abs(residuals))
    rank = math.ceil(LEVEL * (len(sizes) + 1))
    return float(sizes[min(rank, len(sizes)) - 1])


def pair_width(residuals: Array, together: Sequence[Hashable] | None = None) -> float:
    """Half width in logs of a point once another one is known, from pairs of residuals.

    Args:
        residuals: `(points,)`.
        together: `(points,)` keys; only points of one key make a pair. All do if None.
    """
    first, second = np.triu_indices(len(residuals), 1)
    if together is not None:
        keys = list(together)
        same = [keys[int(i)] == keys[int(j)] for i, j in zip(first, second, strict=True)]
        first, second = first[same], second[same]
    return half_width(residuals[first] - residuals[second])


def share_inside(held_out: HeldOut) -> float:
    """Share of points inside the interval that the *other* groups' residuals give.

    The interval of a point never knows the residual of its own group, so this is what a user of
    the law meets, not a property of the quantile.
    """
    return share_within_others(held_out.residuals, held_out.groups)


def share_within_others(residuals: Array, groups: Sequence[Hashable]) -> float:
    """`share_inside` of residuals in any unit, `(points,)`."""
    sizes = np.abs(residuals)
    numbers = {group: number for number, group in enumerate(dict.fromkeys(groups))}
    keys = np.array([numbers[group] for group in groups])
    inside = 0
    for key in range(len(numbers)):
        own = keys == key
        reach = half_width(sizes[~own]) * (1 + 1e-9) + 1e-12
        inside += int(np.sum(sizes[own] <= reach))
    return inside / len(sizes)
