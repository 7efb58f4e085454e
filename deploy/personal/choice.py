"""Which head is read of a window: the adapted one where it comes nearer to what the wearer had.

With [low, high] the heart rates of the calibration, and m the most probable heart rate by a head
(the lowest of several), the head lies outside by max(low - m, m - high, 0). The adapted head is
read where it lies less far outside than that of the factory.

A head that learnt five minutes repairs readings that leave what the wearer has had. Where the
factory's reading lies among those heart rates, another one is wrong more often than right: that is
what made people worse. No reading is drawn into the range: both heads may say that the wearer runs
faster than ever.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from deploy.personal.head import Ints
from ppg.readout.classes import FIRST_BPM

Logits = NDArray[np.int8]


def choose(factory: Logits, adapted: Logits, taught_q8: Ints) -> Logits:
    """Logits `(windows, classes)` of the head that is read, as `ppg_adapt_logits` gives them.

    Args:
        factory, adapted: of both heads.
        taught_q8: heart rates of the calibration in 1/256 BPM.
    """
    nearer = _outside(adapted, taught_q8) < _outside(factory, taught_q8)
    return np.where(nearer[:, None], adapted, factory)


def _outside(logits: Logits, taught_q8: Ints) -> Ints:
    mode = 256 * (int(FIRST_BPM) + logits.argmax(axis=1).astype(np.int64))
    outside: Ints = np.maximum(np.maximum(taught_q8.min() - mode, mode - taught_q8.max()), 0)
    return outside
