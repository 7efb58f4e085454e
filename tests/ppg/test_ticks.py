"""Rates told from the ticks of a coarse clock, whatever is lost between them."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from ppg.row_times import row_times
from ppg.ticks import rate_by_ticks

Times = NDArray[np.float64]
WINDOWS_S = 1 / 64  # what a timer of Windows ticks unless asked


def _kept(count: int, rows: int, share: float) -> NDArray[np.bool_]:
    """Without a share of the packets of some rows."""
    packet = np.arange(count) // rows
    return np.asarray(np.random.default_rng(rows).random(packet[-1] + 1) >= share)[packet]


@pytest.mark.parametrize("hz", [25, 32, 40, 50, 60, 70, 100])
@pytest.mark.parametrize("tick_s", [WINDOWS_S, 0.0156, 0.01])
@pytest.mark.parametrize(("rows", "lost"), [(1, 0.0), (1, 0.02), (8, 0.05)])
def test_a_timer_of_10_or_16_ms(hz: float, tick_s: float, rows: int, lost: float) -> None:
    true_s = 0.003 + np.arange(300 * hz) / hz
    kept = _kept(len(true_s), rows, lost)
    found = row_times(np.floor(true_s[kept] / tick_s) * tick_s)
    assert found.rate_hz == pytest.approx(hz, rel=1e-3)
    off_s = np.abs(found.time_s - true_s[kept] - np.median(found.time_s - true_s[kept]))
    assert np.quantile(off_s, 0.95) < 1.2 * tick_s


@pytest.mark.parametrize(("hz", "tick_s"), [(128, WINDOWS_S), (64, 0.016), (200, 0.01)])
@pytest.mark.parametrize("rows", [1, 8])
def test_rates_near_those_of_the_ticks(hz: float, tick_s: float, rows: int) -> None:
    true_s = (0.003 + np.arange(300 * hz) / hz)[_kept(300 * int(hz), rows, 0.03)]
    found = row_times(np.floor(true_s / tick_s) * tick_s)
    assert found.rate_hz == pytest.approx(hz, rel=2e-3)


def test_ticks_written_in_ms() -> None:
    for hz in (50, 60):
        for lost in (0.0, 0.05):
            true_s = (np.arange(300 * hz) / hz)[_kept(300 * hz, 10, lost)]
            found = row_times(np.round(np.floor(true_s / WINDOWS_S) * WINDOWS_S, 3))
            assert found.rate_hz == pytest.approx(hz, rel=1e-4)
            assert lost or " lost" not in found.packets


@pytest.mark.parametrize("hz", [25, 25.6, 50, 64, 100])
@pytest.mark.parametrize(("every_s", "lasts_s"), [(20, 0.3), (30, 1.0), (60, 2.5), (120, 5.0)])
def test_whole_seconds_that_lost_runs_of_packets(
    hz: float, every_s: float, lasts_s: float
) -> None:
    true_s = 1.7e9 + 0.37 + np.arange(int(600 * hz)) / hz
    kept = np.ones(len(true_s), np.bool_)
    rng = np.random.default_rng(int(hz))
    for at_s in true_s[0] + rng.exponential(every_s, 60).cumsum():
        kept &= (true_s < at_s) | (true_s >= at_s + lasts_s * rng.uniform(0.5, 1.5))
    found = row_times(np.floor(true_s[kept]))
    assert found.rate_hz == pytest.approx(hz, rel=1e-3)
    assert " lost" in found.packets or found.gaps


def test_clocks_that_tell_nothing() -> None:
    grid_s = np.arange(3000) / 50
    for stamp_s in (grid_s, np.round(grid_s, 3), grid_s[grid_s % 20 < 12]):
        assert rate_by_ticks(stamp_s, 0.02) is None  # a tick a row
    assert rate_by_ticks(np.floor(grid_s[:200]), 0.02) is None  # too short
    late_s = np.random.default_rng(0).exponential(0.3, len(grid_s))
    assert rate_by_ticks(np.floor(np.maximum.accumulate(grid_s + late_s)), 0.02) is None
