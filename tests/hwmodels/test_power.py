"""The best clock, on a board that can be counted on paper."""

from dataclasses import replace

import pytest

from hwmodels.boards import Board, ClockSetting, load_board
from hwmodels.estimate import Estimate
from hwmodels.power import best_clock, clock_choices

CYCLES = Estimate(1e6, 0.9e6, 1.2e6)


def board(*clocks: tuple[float, float]) -> Board:
    """100 MHz at 50 mW, asleep at 1 mW, and lower clocks in MHz and mW."""
    return replace(
        load_board("stm32h743"),
        clock_hz=100e6,
        active_mw=Estimate.exact(50.0),
        sleep_mw=Estimate.exact(1.0),
        clocks=tuple(ClockSetting(mhz * 1e6, Estimate.exact(mw)) for mhz, mw in clocks),
    )


def test_averages_on_paper() -> None:
    """10 ms of 1 s at 50 mW: 1.49 mW; 20 ms at 20 mW: 1.38 mW."""
    fast, slow = clock_choices(board((50, 20)), CYCLES, period_s=1.0)
    assert fast.latency_ms.value == pytest.approx(10.0)
    assert fast.latency_ms.high == pytest.approx(12.0)
    assert fast.power_mw.value == pytest.approx(1.49)
    assert slow.power_mw.value == pytest.approx(1.38)


def test_lower_clock_where_power_falls_faster() -> None:
    chosen = best_clock(board((50, 20)), CYCLES, period_s=1.0)
    assert chosen is not None
    assert chosen.clock_hz == 50e6


def test_full_clock_where_power_has_a_floor() -> None:
    """At half the clock 40 mW: 20 ms of it cost more than 10 ms at 50 mW."""
    chosen = best_clock(board((50, 40)), CYCLES, period_s=1.0)
    assert chosen is not None
    assert chosen.clock_hz == 100e6


def test_budget_rules_slow_clocks_out() -> None:
    chosen = best_clock(board((50, 20)), CYCLES, period_s=1.0, budget_ms=15.0)
    assert chosen is not None
    assert chosen.clock_hz == 100e6
    assert best_clock(board((50, 20)), CYCLES, period_s=1.0, budget_ms=5.0) is None


def test_measured_part() -> None:
    """STM32H7A3 needs less energy a cycle at 40 MHz (0.42 nJ) than at 280 MHz (0.45 nJ)."""
    chosen = best_clock(load_board("stm32h7a3"), CYCLES, period_s=2.0, budget_ms=50.0)
    assert chosen is not None
    assert chosen.clock_hz == 40e6
