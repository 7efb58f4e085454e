"""What is measured of embeddings: linear probes, retrieval, a picture, and features made by hand.

Probes read by a straight line. Features are standardised on the rows that train. The penalty is
chosen by cross-validation over people among those who train, so that held-out people choose
nothing.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy import optimize
from scipy.special import logsumexp

from ppg.segments.cut import HZ, SAMPLES
from ppg.segments.draw import Pairs
from ppg.segments.shards import Shards

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


TOPS = (1, 5)


@dataclass(frozen=True)
class Retrieval:
    """Shares of queries whose own segment is among the first 1 and 5, in percent.

    Attributes:
        acc_to_ppg, ppg_to_acc: by `TOPS`.
        chance: of the same by guessing.
        candidates: that each query chooses from, in the mean.
    """

    acc_to_ppg: tuple[float, ...]
    ppg_to_acc: tuple[float, ...]
    chance: tuple[float, ...]
    candidates: float
    queries: int

    @property
    def times_chance(self) -> float:
        """Top-1 of the worse direction over chance."""
        return min(self.acc_to_ppg[0], self.ppg_to_acc[0]) / self.chance[0]


def retrieval(
    acc: NDArray[np.floating], ppg: NDArray[np.floating], groups: Sequence[NDArray[np.int64]]
) -> Retrieval:
    """Retrieve within groups of segments.

    Args:
        acc, ppg: `(segments, dimensions)` unit vectors; row i of both is one moment.
        groups: rows of each group; a group of one is left out. All rows in one is over all.
    """
    ranks: list[list[NDArray[np.int64]]] = [[], []]
    sizes: list[NDArray[np.int64]] = []
    for rows in groups:
        if len(rows) < 2:
            continue
        similar = acc[rows] @ ppg[rows].T
        own = np.diag(similar)
        # Ties count against: a constant embedding finds nothing.
        ranks[0].append((similar >= own[:, None]).sum(axis=1) - 1)
        ranks[1].append((similar >= own[None]).sum(axis=0) - 1)
        sizes.append(np.full(len(rows), len(rows)))
    if not sizes:
        raise ValueError("no group of two segments")
    size = np.concatenate(sizes)

    def shares(found: list[NDArray[np.int64]]) -> tuple[float, ...]:
        rank = np.concatenate(found)
        return tuple(100 * float((rank < top).mean()) for top in TOPS)

    return Retrieval(
        shares(ranks[0]),
        shares(ranks[1]),
        tuple(100 * float(np.minimum(1, top / size).mean()) for top in TOPS),
        float(size.mean()),
        len(size),
    )


BANDS_HZ = (0.4, 0.8, 1.2, 1.6, 2.0, 2.5, 3.0, 4.0, 5.0)
FLOOR_G = 1e-4
PROFILE_S = 2


def hand_features(shards: Shards, rows: NDArray[np.int64]) -> NDArray[np.float64]:
    """`(segments, features)`: log strength overall, by axis and by band, its change, the peak."""
    return np.array([_of(_acc(shards, int(row))) for row in rows])


def profiles(pairs: Pairs) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Unit vectors of acceleration and of PPG: the log strength of each `PROFILE_S`.

    A moved wrist disturbs the PPG, so the two rise and fall together: what a retrieval without any
    training goes by.
    """
    found = []
    for signal in (pairs.acc, pairs.ppg):
        parts = signal.reshape(*signal.shape[:2], -1, PROFILE_S * HZ).astype(np.float64)
        strength = np.log((parts**2).mean(axis=(1, 3)) + FLOOR_G)
        strength -= strength.mean(axis=1, keepdims=True)
        found.append(strength / np.maximum(np.linalg.norm(strength, axis=1, keepdims=True), 1e-9))
    return found[0], found[1]


def _acc(shards: Shards, row: int) -> NDArray[np.float64]:
    first = int(shards.start[row])
    signals = shards.signals(int(shards.sitting[row]))
    return signals[first : first + SAMPLES, -3:].astype(np.float64)


def _of(acc: NDArray[np.float64]) -> NDArray[np.float64]:
    centred = acc - acc.mean(axis=0)
    axes = np.sort(np.log(centred.std(axis=0) + FLOOR_G))
    power = (np.abs(np.fft.rfft(centred * np.hanning(SAMPLES)[:, None], axis=0)) ** 2).sum(axis=1)
    hz = np.fft.rfftfreq(SAMPLES, 1 / HZ)
    total = power.sum() + 1e-12
    bands = [
        np.log(power[(hz >= low) & (hz < high)].sum() / total + 1e-4)
        for low, high in pairwise(BANDS_HZ)
    ]
    inside = (hz >= BANDS_HZ[0]) & (hz <= BANDS_HZ[-1])
    peak = float(hz[inside][power[inside].argmax()])
    second = centred.reshape(-1, HZ, 3).std(axis=1).mean(axis=1)  # of each second
    return np.array(
        [
            *axes,
            np.log(np.sqrt((centred**2).sum(axis=1).mean()) + FLOOR_G),
            np.log(np.abs(np.diff(centred, axis=0)).mean() + FLOOR_G),
            np.log(second.std() + FLOOR_G),
            *bands,
            peak,
            float(power[inside].max() / total),
        ]
    )


def flat(x: Floats, *, seed: int) -> tuple[Floats, str]:
    """`(rows, 2)` by t-SNE where scikit-learn is installed, else by principal components.

    Args:
        x: `(rows, dimensions)`.

    Returns:
        The places, and which of the two it is.
    """
    centred = x - x.mean(axis=0)
    _, _, axes = np.linalg.svd(centred, full_matrices=False)
    plane = centred @ axes[:2].T
    try:
        from sklearn.manifold import TSNE
    except ImportError:
        return plane, "principal components (scikit-learn is not installed)"
    start = plane / max(float(plane.std()), 1e-9) * 1e-4
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of threads that it cannot count
        made = TSNE(
            n_components=2,
            perplexity=min(30, (len(x) - 1) / 3),
            init=start.astype(np.float32),
            random_state=seed,
            n_jobs=1,
        ).fit_transform(x.astype(np.float32))
    return np.asarray(made, dtype=np.float64), "t-SNE"
