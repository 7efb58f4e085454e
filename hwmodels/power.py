"""Energy and average power of a network that is run once per period.

`P = P_active * duty + P_sleep * (1 - duty)`, `duty = latency / period`. A network slower than its
period keeps the core awake: duty 1. At one reading in two seconds sleep sets most of the average.
"""

from __future__ import annotations

from hwmodels.boards import Board
from hwmodels.estimate import Estimate


def inference_energy_mj(board: Board, latency_ms: Estimate) -> Estimate:
    """Energy of one inference, sleep not counted."""
    return latency_ms.times(board.active_mw).times(1e-3)


def average_power_mw(board: Board, latency_ms: Estimate, *, period_s: float) -> Estimate:
    """Average power at one inference per `period_s` seconds.

    Raises:
        ValueError: the period is not above 0.
    """
    if not period_s > 0:
        raise ValueError(f"power: the period is {period_s} s; it must be above 0")
    active, sleep = board.active_mw, board.sleep_mw
    return Estimate(
        average(active.value, sleep.value, latency_ms.value, period_s),
        average(active.low, sleep.low, latency_ms.low, period_s),
        average(active.high, sleep.high, latency_ms.high, period_s),
    )


def average(active_mw: float, sleep_mw: float, latency_ms: float, period_s: float) -> float:
    """Average of two power states, weighted by the duty cycle."""
    duty = min(1.0, latency_ms / (1e3 * period_s))
    return active_mw * duty + sleep_mw * (1.0 - duty)
