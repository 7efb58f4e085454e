"""The order of a search, as it would have ordered the networks of the bench."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from nas.bench.ranking.records import NetworkRecord
from nas.explore.forecast import Forecaster

NOT_TRAINED = "the search's order, not trained"
AFTER_A_FIFTH = "the search's order, after a fifth"


def search_orders(records: Sequence[NetworkRecord]) -> dict[str, NDArray[np.float64]]:
    """Foretold errors in BPM, by name.

    Each network is foretold from the first rungs of all others alone, and from its own, too; no
    whole training is known. Where there are fewer than three networks there is no order.
    """
    if len(records) < 3:
        return {}
    archs = [record.arch for record in records]
    begun = {record.arch: record.first_score_bpm for record in records}
    alone = []
    for arch in archs:
        others = {other: error for other, error in begun.items() if other != arch}
        alone.append(float(Forecaster(others, {}, archs).forecast([arch]).bpm[0]))
    return {
        NOT_TRAINED: np.array(alone),
        AFTER_A_FIFTH: Forecaster(begun, {}, archs).forecast(archs).bpm,
    }
