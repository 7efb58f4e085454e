"""Movement as another strap and another place on the arm would have shown it.

Works on acceleration windows `(windows, time, 3)` in g.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ppg.frontend import PPG_FLOOR

ARTEFACT_TAPS = 5


def artefacts(rng: np.random.Generator, acc: NDArray[np.float32]) -> NDArray[np.float32]:
    """What movement might do to a sensor: `(windows, time)` traces of unit spread.

    A random direction of the acceleration, through a random short causal filter, bent by a random
    share of its square (tissue and contact are not linear, which gives harmonics).
    """
    count, samples, _ = acc.shape
    direction = rng.standard_normal((count, 3)).astype(np.float32)
    along = np.einsum("wtc,wc->wt", acc, direction)
    along /= np.maximum(along.std(axis=1, keepdims=True), PPG_FLOOR)
    bend = rng.uniform(-0.5, 0.5, (count, 1)).astype(np.float32)
    along = along + bend * along**2
    along -= along.mean(axis=1, keepdims=True)  # where nothing moves, nothing is disturbed
    taps = rng.standard_normal((count, ARTEFACT_TAPS)).astype(np.float32)
    out = np.zeros_like(along)
    for tap in range(ARTEFACT_TAPS):
        delay = 2 * tap
        out[:, delay:] += taps[:, tap : tap + 1] * along[:, : samples - delay]
    out -= out.mean(axis=1, keepdims=True)
    return np.asarray(out / np.maximum(out.std(axis=1, keepdims=True), PPG_FLOOR))


def rotations(rng: np.random.Generator, count: int) -> NDArray[np.float32]:
    """`(count, 3, 3)` rotations, uniform over all of them (unit quaternions)."""
    q = rng.standard_normal((count, 4))
    w, x, y, z = (q / np.linalg.norm(q, axis=1, keepdims=True)).T
    rows = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
        [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
        [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
    ]
    return np.array(rows).transpose(2, 0, 1).astype(np.float32)
