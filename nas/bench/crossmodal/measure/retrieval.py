"""How often a segment of one sensor finds its own moment among those of the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

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
