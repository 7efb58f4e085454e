"""A figure of a bench with its 90 % interval."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ppg.people.metrics import LEVEL

DRAWS = 2000


def drawn_anew(count: int, draws: int = DRAWS) -> NDArray[np.int64]:
    """Places `(1 + draws, count)` of people, seeds or networks; the first row is all as they are.

    The same for every figure of as many, so that those are paired.
    """
    rng = np.random.default_rng(0)
    return np.vstack([np.arange(count), rng.integers(0, count, (draws, count))])


@dataclass(frozen=True)
class Interval:
    """A figure, and where it lies in 90 of 100 draws."""

    value: float
    low: float
    high: float

    def __format__(self, spec: str) -> str:
        """`{found:+.1f}` is `-3.2 (-5.0 to -1.1)`; two decimals unless told."""
        value, low, high = (format(n, spec or ".2f") for n in (self.value, self.low, self.high))
        return f"{value} ({low} to {high})"

    def __str__(self) -> str:
        return f"{self}"

    @staticmethod
    def of(drawn: NDArray[np.float64]) -> Interval:
        """From the figure `drawn[0]` and what it is in each further draw."""
        low, high = np.quantile(drawn[1:], [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
        return Interval(float(drawn[0]), float(low), float(high))
