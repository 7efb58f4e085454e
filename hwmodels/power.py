"""Energy and average power of a network that is run once per period.

`P = P_active * duty + P_sleep * (1 - duty)`, `duty = latency / period`. A network slower than its
period keeps the core awake: duty 1. At one reading in two seconds sleep sets most of the average.

A lower clock stretches the same cycles over more time; it saves where power falls faster than the
clock, or where the active power has a floor that a shorter run would not pay. Flash wait states
fall with the clock too; that gain is not counted.
"""

from __future__ import annotations

from dataclasses import dataclass

from hwmodels.boards import Board, ClockSetting
from hwmodels.estimate import Estimate

PERIOD_S = 2.0


def energy_mj(board: Board, latency_ms: Estimate) -> Estimate:
    """Energy of computing so long, sleep not counted."""
    return latency_ms.times(board.active_mw).times(1e-3)


def average_power_mw(board: Board, latency_ms: Estimate, *, period_s: float) -> Estimate:
    """Average power at one inference per `period_s` seconds.

    Raises:
        ValueError: the period is not above 0.
    """
    if not period_s > 0:
        raise ValueError(f"power: the period is {period_s} s; it must be above 0")
    return _average(board.active_mw, board.sleep_mw, latency_ms, period_s)


def _average(active: Estimate, sleep: Estimate, latency_ms: Estimate, period_s: float) -> Estimate:
    return Estimate(
        average(active.value, sleep.value, latency_ms.value, period_s),
        average(active.low, sleep.low, latency_ms.low, period_s),
        average(active.high, sleep.high, latency_ms.high, period_s),
    )


def average(active_mw: float, sleep_mw: float, latency_ms: float, period_s: float) -> float:
    """Average of two power states, weighted by the duty cycle."""
    duty = min(1.0, latency_ms / (1e3 * period_s))
    return active_mw * duty + sleep_mw * (1.0 - duty)


@dataclass(frozen=True)
class ClockChoice:
    """What a network costs at one clock.

    Attributes:
        latency_ms, power_mw: at it; power on average.
        meets: the latency's value is within the budget.
    """

    clock_hz: float
    latency_ms: Estimate
    power_mw: Estimate
    meets: bool


def clock_choices(
    board: Board, cycles: Estimate, *, period_s: float, budget_ms: float | None = None
) -> tuple[ClockChoice, ...]:
    """Latency and average power at every clock of a board, the fastest first.

    Args:
        cycles: of one inference on the board's core.
        budget_ms: the longest latency allowed; the period if None.
    """
    budget_ms = 1e3 * period_s if budget_ms is None else budget_ms
    choices = []
    for setting in (ClockSetting(board.clock_hz, board.active_mw), *board.clocks):
        latency = cycles.times(1e3 / setting.clock_hz)
        power = _average(setting.active_mw, board.sleep_mw, latency, period_s)
        choices.append(ClockChoice(setting.clock_hz, latency, power, latency.value <= budget_ms))
    return tuple(choices)


def best_clock(
    board: Board, cycles: Estimate, *, period_s: float, budget_ms: float | None = None
) -> ClockChoice | None:
    """The clock of least average power that meets the latency; None where none does.

    Of clocks within 1 % of the least, the fastest: figures are not that exact, and speed is free.
    """
    choices = clock_choices(board, cycles, period_s=period_s, budget_ms=budget_ms)
    fitting = [choice for choice in choices if choice.meets]
    if not fitting:
        return None
    least = min(choice.power_mw.value for choice in fitting)
    return next(choice for choice in fitting if choice.power_mw.value <= 1.01 * least)
