"""An estimate: a value with a low and a high.

Convention: `low <= value <= high`; the interval is meant to hold the measured value of nine boards
in ten. Errors of one board are assumed to go together (one clock, one build, one core ratio), so
intervals add end to end and never shrink by averaging.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Estimate:
    """A value with bounds, in the unit of the field that holds it.

    Raises:
        ValueError: the numbers are not finite or not ordered `low <= value <= high`.
    """

    value: float
    low: float
    high: float

    def __post_init__(self) -> None:
        if not (math.isfinite(self.low) and math.isfinite(self.high)):
            raise ValueError(f"estimate: the bounds {self.low} and {self.high} must be finite")
        if not self.low <= self.value <= self.high:
            raise ValueError(
                f"estimate: {self.value} does not lie between low {self.low} and high {self.high}"
            )

    @staticmethod
    def exact(value: float) -> Estimate:
        """A figure without error."""
        return Estimate(value, value, value)

    def widened(self, half_width: float) -> Estimate:
        """The same with bounds further out by a half width in logarithms."""
        spread = math.exp(half_width)
        return Estimate(self.value, self.low / spread, self.high * spread)

    def __add__(self, other: Estimate) -> Estimate:
        """Sum of two estimates whose errors go together."""
        return Estimate(self.value + other.value, self.low + other.low, self.high + other.high)

    def times(self, factor: Estimate | float) -> Estimate:
        """Product with a factor of at least 0."""
        if not isinstance(factor, Estimate):
            factor = Estimate.exact(factor)
        if min(self.low, factor.low) < 0:
            raise ValueError("estimate: products are defined for figures of at least 0")
        return Estimate(self.value * factor.value, self.low * factor.low, self.high * factor.high)

    def to_json(self) -> dict[str, float]:
        """`{"value", "low", "high"}`."""
        return {"value": self.value, "low": self.low, "high": self.high}


def total(estimates: Iterable[Estimate]) -> Estimate:
    """Sum of estimates whose errors go together; 0 of none."""
    value = low = high = 0.0
    for item in estimates:
        value += item.value
        low += item.low
        high += item.high
    return Estimate(value, low, high)
