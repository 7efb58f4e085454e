"""Pareto fronts and hypervolume, in numpy.

Convention: every objective is minimised. `values` is `(points, objectives)`; `reference` is
`(objectives,)`, a point that everything of interest beats in every objective. The hypervolume is
the volume of `{q : some point <= q <= reference}`; a point outside the reference box adds nothing.

References: While, Bradstreet, Barone (2012), "A fast way of calculating exact hypervolumes", IEEE
TEC 16(1), for the limited sets; Knowles (2006) and While et al. (2006) for slicing by one
objective, which here turns each limited set into a problem of one dimension less.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
_MARGIN = 0.1  # of the front's range, so that its extreme points still have volume


def _matrix(values: ArrayLike) -> Floats:
    matrix = np.asarray(values, dtype=np.float64)
    if matrix.ndim != 2:
        raise ValueError(f"values have shape {matrix.shape}; expected (points, objectives)")
    if np.isnan(matrix).any():
        raise ValueError("values hold NaN; leave unevaluated points out")
    return matrix


def _checked(values: ArrayLike, reference: ArrayLike) -> tuple[Floats, Floats]:
    matrix, corner = _matrix(values), np.asarray(reference, dtype=np.float64)
    if corner.shape != matrix.shape[1:]:
        raise ValueError(
            f"reference has shape {corner.shape}; values of shape {matrix.shape} need "
            f"({matrix.shape[1]},)"
        )
    if not np.isfinite(corner).all():
        raise ValueError(f"reference is {corner.tolist()}; every entry must be finite")
    return matrix, corner


def nondominated(values: ArrayLike) -> NDArray[np.bool_]:
    """Mark the points that no other point dominates.

    A point dominates another when it is at most equal in every objective and lower in one; equal
    points therefore do not dominate each other and are all marked.

    Args:
        values: `(points, objectives)`, minimised.

    Returns:
        `(points,)` mask.

    Raises:
        ValueError: another shape, or NaN.
    """
    matrix = _matrix(values)
    mask = np.ones(len(matrix), dtype=bool)
    # In lexicographic order a point can be dominated only by an earlier one.
    order = np.lexsort(matrix.T[::-1])
    front = np.empty_like(matrix)
    size = 0
    for index in order:
        point = matrix[index]
        kept = front[:size]
        if ((kept <= point).all(axis=1) & (kept < point).any(axis=1)).any():
            mask[index] = False
        else:
            front[size] = point
            size += 1
    return mask


def _volume(points: Floats, corner: Floats) -> float:
    """Hypervolume of points that all lie strictly inside `corner`."""
    count, objectives = points.shape
    if count == 0:
        return 0.0
    if count == 1:
        return float(np.prod(corner - points[0]))
    if objectives == 1:
        return float(corner[0] - points.min())
    if objectives == 2:
        points = points[np.argsort(points[:, 0], kind="stable")]
        widths = np.diff(points[:, 0], append=corner[0])
        return float(widths @ (corner[1] - np.minimum.accumulate(points[:, 1])))
    # Worst first in the last objective: what a point adds to those after it is a prism, because
    # each of them, limited to the point's box, has the point's own last coordinate.
    points = points[np.argsort(-points[:, -1], kind="stable")]
    total = 0.0
    for index, point in enumerate(points):
        base = _exclusive(point[:-1], points[index + 1 :, :-1], corner[:-1])
        total += base * float(corner[-1] - point[-1])
    return total


def _exclusive(point: Floats, others: Floats, corner: Floats) -> float:
    """Volume that `point` covers and `others` do not."""
    limited = np.maximum(others, point)
    inside = limited[(limited < corner).all(axis=1)]
    if len(inside) and (inside == point).all(axis=1).any():
        return 0.0
    if len(inside) > 2 and inside.shape[1] > 2:  # smaller sets pay for the filter
        inside = np.unique(inside[nondominated(inside)], axis=0)
    return float(np.prod(corner - point)) - _volume(inside, corner)


def hypervolume(values: ArrayLike, reference: ArrayLike) -> float:
    """Exact hypervolume; meant for up to five objectives and a few hundred points.

    Args:
        values: `(points, objectives)`, minimised; dominated points change nothing.
        reference: `(objectives,)`, finite.

    Returns:
        Volume in the product of the objectives' units; 0 without points.

    Raises:
        ValueError: shapes that do not match, or NaN.
    """
    matrix, corner = _checked(values, reference)
    inside = matrix[(matrix < corner).all(axis=1)]
    return _volume(np.unique(inside[nondominated(inside)], axis=0), corner)


def gain(point: Sequence[float], front: ArrayLike, reference: ArrayLike) -> float:
    """Hypervolume that a further point adds, as a share of the box from zero to `reference`.

    Args:
        point: `(objectives,)`, minimised.
        front: `(points, objectives)`.
        reference: `(objectives,)`, above zero.
    """
    matrix, corner = _checked(front, reference)
    scaled = np.asarray(point, np.float64) / corner
    if not (scaled < 1).all():
        return 0.0
    return _exclusive(scaled, matrix / corner, np.ones_like(corner))


def hypervolume_share(values: ArrayLike, reference: ArrayLike) -> float:
    """Hypervolume as a share of the box from zero to `reference`, for objectives >= 0.

    Returns:
        0 (nothing inside the box) to 1 (a point at zero).

    Raises:
        ValueError: as `hypervolume`, or a negative value, or a reference that is not above zero.
    """
    matrix, corner = _checked(values, reference)
    if (matrix < 0).any() or (corner <= 0).any():
        raise ValueError("a share needs objectives of at least 0 and a reference above 0")
    if len(matrix) == 0:
        return 0.0
    # Scaled first, so that bytes times milliseconds do not lose digits.
    return hypervolume(matrix / corner, np.ones_like(corner))


def pick_spread(
    values: ArrayLike, reference: ArrayLike, count: int, *, include: Sequence[int] = ()
) -> list[int]:
    """Choose up to `count` points that stand for the whole front.

    Greedy: each pick adds the most hypervolume to those already picked, which is within
    1 - 1/e = 63 % of the best subset (Nemhauser 1978). Objectives are first normalised by their
    ranges over the front, and the reference is drawn in to `worst of the front + 10 % of the
    range` wherever that is nearer than `reference`: a far reference would make the extreme points
    win by the empty space behind them, and the scales of milliseconds and bytes play no role.

    Args:
        values: `(points, objectives)`, minimised.
        reference: `(objectives,)`; points outside of it are never picked (save by `include`).
        count: how many to pick at most.
        include: points to take first, in this order (for example the most accurate one).

    Returns:
        Indices in the order of picking; fewer than `count` when no other point adds volume.

    Raises:
        ValueError: as `hypervolume`.
    """
    matrix, corner = _checked(values, reference)
    picked = list(dict.fromkeys(include))[: max(0, count)]
    inside = (matrix < corner).all(axis=1)
    pool = np.flatnonzero(inside)[nondominated(matrix[inside])]
    if len(pool) == 0:
        return picked
    best, worst = matrix[pool].min(axis=0), matrix[pool].max(axis=0)
    span = np.where(worst > best, worst - best, np.maximum(np.abs(best), 1.0))
    scaled = (matrix - best) / span
    near = np.minimum((corner - best) / span, (worst - best) / span + _MARGIN)
    while len(picked) < count:
        rest = [int(index) for index in pool if index not in picked]
        gains = [_exclusive(scaled[index], scaled[picked], near) for index in rest]
        # The margin keeps rounding of a repeated point from counting as volume.
        if not gains or max(gains) <= 1e-12:
            break
        picked.append(rest[int(np.argmax(gains))])
    return picked
