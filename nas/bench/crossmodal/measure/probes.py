"""Linear probes: what can be read from embeddings by a straight line.

Features are standardised on the rows that train. The penalty is chosen by cross-validation over
people among those who train, so that held-out people choose nothing.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy import optimize
from scipy.special import logsumexp

Floats = NDArray[np.float64]
PENALTIES = (1e-3, 1e-2, 1e-1, 1.0, 10.0)
"""Of ridge regression; per row, on standardised features."""
FOLDS = 5
LOGISTIC_STEPS = 60
LOGISTIC_PENALTIES = (1e-4, 1e-2)


def ridge(x: Floats, y: Floats, penalty: float) -> tuple[Floats, float]:
    """Weights `(features,)` and offset of least squares with an L2 penalty.

    Args:
        x: `(rows, features)`, standardised.
        y: `(rows,)`.
        penalty: per row, see `PENALTIES`.
    """
    offset = float(y.mean())
    gram = x.T @ x + penalty * len(x) * np.eye(x.shape[1])
    return np.asarray(np.linalg.solve(gram, x.T @ (y - offset)), np.float64), offset


def logistic(x: Floats, y: NDArray[np.int64], classes: int, penalty: float) -> Floats:
    """Weights `(features + 1, classes)` of multinomial logistic regression with an L2 penalty."""
    own = np.concatenate([x, np.ones((len(x), 1))], axis=1)
    wanted = np.eye(classes)[y]
    shape = (own.shape[1], classes)

    def loss(flat: Floats) -> tuple[float, Floats]:
        weights = flat.reshape(shape)
        scores = own @ weights
        log_total = logsumexp(scores, axis=1, keepdims=True)
        slope = own.T @ (np.exp(scores - log_total) - wanted) / len(own)
        pulled = weights.copy()
        pulled[-1] = 0  # the offset is free
        value = float((log_total[:, 0] - (scores * wanted).sum(axis=1)).mean())
        value += 0.5 * penalty * float((pulled**2).sum())
        return value, (slope + penalty * pulled).ravel()

    start = np.zeros(shape).ravel()
    found = optimize.minimize(
        loss, start, jac=True, method="L-BFGS-B", options={"maxiter": LOGISTIC_STEPS}
    )
    return np.asarray(found.x).reshape(shape)


def read_number(x: Floats, y: Floats, person: NDArray[np.int64], to: Floats) -> Floats:
    """Fit a ridge probe and read further rows, within the range of `y`.

    Args:
        x, y, person: `(rows, features)`, `(rows,)` and `(rows,)` of those who train.
        to: `(others, features)`.
    """
    x, to = _standardised(x, to)

    def error(penalty: float, train: NDArray[np.bool_]) -> float:
        weights, offset = ridge(x[train], y[train], penalty)
        return float(np.abs(x[~train] @ weights + offset - y[~train]).sum())

    weights, offset = ridge(x, y, _chosen(error, person))
    return np.clip(to @ weights + offset, y.min(), y.max())


def read_class(
    x: Floats, y: NDArray[np.int64], person: NDArray[np.int64], to: Floats, *, classes: int
) -> NDArray[np.int64]:
    """Fit a logistic probe and read further rows; arguments as `read_number`."""
    x, to = _standardised(x, to)

    def scores(weights: Floats, rows: Floats) -> Floats:
        return np.asarray(rows @ weights[:-1] + weights[-1])

    def error(penalty: float, train: NDArray[np.bool_]) -> float:
        weights = logistic(x[train], y[train], classes, penalty)
        return float((scores(weights, x[~train]).argmax(axis=1) != y[~train]).sum())

    weights = logistic(x, y, classes, _chosen(error, person, LOGISTIC_PENALTIES))
    return np.asarray(scores(weights, to).argmax(axis=1))


def _standardised(x: Floats, to: Floats) -> tuple[Floats, Floats]:
    mean, spread = x.mean(axis=0), x.std(axis=0)
    spread = np.where(spread > 1e-9, spread, 1.0)
    return (x - mean) / spread, (to - mean) / spread


def _chosen(
    error: Callable[[float, NDArray[np.bool_]], float],
    person: NDArray[np.int64],
    penalties: tuple[float, ...] = PENALTIES,
) -> float:
    """The penalty of least error over folds of people; the middle one for a single person."""
    people = np.unique(person)
    if len(people) < 2:
        return penalties[len(penalties) // 2]
    fold_of = {one: index % min(FOLDS, len(people)) for index, one in enumerate(people)}
    fold = np.array([fold_of[one] for one in person])
    totals = [
        sum(error(penalty, fold != left) for left in np.unique(fold)) for penalty in penalties
    ]
    return penalties[int(np.argmin(totals))]
