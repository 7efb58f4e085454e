"""The field's clipping in integers: a reading stays within 10 % of the mean of the last ten.

As published wrist networks are reported (TimePPG, arXiv 2203.16339; KD-PULSE, zenodo 15837349).
With s the sum of the last ten readings that were given out, in 1/256 BPM, and [] the floor:

    bpm = min(max(bpm, [9 s / 100]), [11 s / 100])

The first ten after a start, or after a gap of more than ten strides, pass as they are.
"""

from __future__ import annotations

from collections import deque

import numpy as np
from numpy.typing import NDArray

from deploy.device.integers import Ints

READINGS = 10
PERCENT = 10
LONGEST_GAP_STEPS = 10


def clip(bpm_q8: Ints, steps: NDArray[np.integer]) -> Ints:
    """Clipped readings in order of time.

    Args:
        bpm_q8: `(windows,)` raw readings.
        steps: `(windows,)` strides since the window before; 0 starts anew.
    """
    last: deque[int] = deque(maxlen=READINGS)
    out = []
    for value, step in zip(bpm_q8.tolist(), np.asarray(steps).tolist(), strict=True):
        if not 0 < step <= LONGEST_GAP_STEPS:
            last.clear()
        if len(last) == READINGS:
            low = sum(last) * (100 - PERCENT) // (100 * READINGS)
            high = sum(last) * (100 + PERCENT) // (100 * READINGS)
            value = min(max(value, low), high)
        last.append(value)
        out.append(value)
    return np.array(out, np.int64)
