"""Rates and times of rows from what recorders write beside them."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from ppg.packets import row_times_among
from ppg.row_times import RowTimes, UnclearTimesError, row_times

Times = NDArray[np.float64]


def _grid(hz: float, seconds: float = 300.0) -> Times:
    return np.arange(int(hz * seconds)) / hz


def _packets(
    true_s: Times,
    rows: int,
    *,
    apart_s: float = 0.0,
    late_s: float = 0.0,
    lost: float = 0.0,
    tick_s: float = 0.0,
    stalls: int = 0,
) -> tuple[Times, Times]:
    """True times and stamps of rows that a radio sends when the last of a packet is measured."""
    rng = np.random.default_rng(rows)
    packet, place = np.divmod(np.arange(len(true_s)), rows)
    arrived = np.maximum.reduceat(true_s, np.arange(0, len(true_s), rows))
    arrived = arrived + rng.exponential(late_s, len(arrived)) if late_s else arrived
    if tick_s:
        arrived = np.ceil(arrived / tick_s) * tick_s
    for at in rng.uniform(20, true_s[-1] - 20, stalls):
        held = (arrived >= at) & (arrived < at + 2)
        arrived[held] = at + 2
    kept = (rng.random(len(arrived)) >= lost)[packet]
    stamp = np.maximum.accumulate(np.maximum.accumulate(arrived)[packet] + place * apart_s)
    return true_s[kept], stamp[kept]


def _errors_s(found: RowTimes, true_s: Times) -> Times:
    """How far the times are from the truth; a constant delay belongs to the radio."""
    error = found.time_s - true_s
    return np.asarray(np.abs(error - np.median(error)))


@pytest.mark.parametrize(
    ("hz", "tick_s"), [(50, 1e-3), (64, 1e-3), (128, 1e-2), (400, 1e-3), (25.6, 1e-3), (50, 0.05)]
)
def test_rounded_times(hz: float, tick_s: float) -> None:
    true_s = 1.7e9 + _grid(hz)
    found = row_times(np.round(true_s / tick_s) * tick_s)
    assert found.rate_hz == pytest.approx(hz, rel=1e-5) and found.gaps == ()
    assert np.quantile(_errors_s(found, true_s), 0.95) < 1e-3


@pytest.mark.parametrize("hz", [25, 25.6, 32, 50, 64])
@pytest.mark.parametrize("hole", [False, True])
def test_whole_seconds(hz: float, hole: bool) -> None:
    true_s = _grid(hz) + 0.37
    if hole:
        true_s = true_s[(true_s < 100) | (true_s > 112.5)]
    found = row_times(np.floor(true_s))
    assert found.rate_hz == pytest.approx(hz, rel=0.003)
    assert np.quantile(_errors_s(found, true_s), 0.95) < 0.01
    if hole:  # its ends are known to a second
        begin, end = max(found.gaps, key=lambda gap: gap[1] - gap[0])
        assert begin == pytest.approx(100, abs=1) and end == pytest.approx(112.5, abs=1)


@pytest.mark.parametrize("hole_every_s", [60.0, 150.0])
def test_holes_do_not_slow_the_rate(hole_every_s: float) -> None:
    """Each 12 s: 50 Hz by the mean of all steps would be 40 to 48."""
    true_s = _grid(50)
    true_s = true_s[true_s % hole_every_s < hole_every_s - 12]
    found = row_times(true_s)
    assert found.rate_hz == 50.0 and not found.packets
    assert all(end - begin == pytest.approx(12.02, abs=0.03) for begin, end in found.gaps)
    assert len(found.gaps) == 300 / hole_every_s - 1


@pytest.mark.parametrize(("lost", "every"), [(1, 97), (1, 500), (2, 64)])
def test_rows_lost_at_regular_places(lost: int, every: int) -> None:
    """Without a trace, or with an empty cell; that alone tells 1 in 25 from a sensor of 48 Hz."""
    grid_s = _grid(50)
    kept_s = grid_s[np.arange(len(grid_s)) % every >= lost]
    found = row_times(kept_s)
    assert found.rate_hz == 50 and not found.packets and found.gaps == ()
    kept_s = grid_s[np.arange(len(grid_s)) % 25 > 0]
    others_s = np.sort([*kept_s, *np.arange(300.0) + 0.023])  # of another sensor
    among = [(every_s, np.isin(every_s, kept_s)) for every_s in (grid_s, others_s)]
    assert row_times_among(kept_s, among[0]).rate_hz == 50 != row_times(kept_s).rate_hz
    assert row_times_among(kept_s, among[1]).rate_hz == row_times(kept_s).rate_hz


@pytest.mark.parametrize(
    ("hz", "rows", "how"),
    [
        (25, 8, {"apart_s": 1e-3}),
        (25, 8, {"apart_s": 1e-3, "late_s": 0.02}),
        (25, 8, {"apart_s": 1e-3, "lost": 0.05}),
        (25, 8, {"apart_s": 2e-3, "late_s": 0.03, "lost": 0.15}),
        (25, 8, {"apart_s": 1e-3, "late_s": 0.02, "lost": 0.05, "stalls": 4}),
        (50, 5, {"late_s": 0.005, "lost": 0.1}),
        (50, 10, {"stalls": 8}),
        (64, 16, {"lost": 0.02, "tick_s": 0.03}),
        (100, 20, {"tick_s": 0.015}),
        (100, 7, {"late_s": 0.01}),
        (104, 3, {"tick_s": 0.015}),
        (130, 36, {}),
        (50, 2, {"apart_s": 1e-3, "late_s": 0.005}),
        (50, 1, {"late_s": 0.01}),
        (50, 1, {"lost": 0.2}),
        (50, 100, {}),
        (25, 20, {"apart_s": 1e-3}),  # long packets: most steps are the 1 ms within them
        (64, 12, {"apart_s": 1e-3, "late_s": 0.02}),
        (100, 12, {"apart_s": 2e-3, "late_s": 0.01, "lost": 0.1}),
        (130, 20, {"apart_s": 1e-3, "late_s": 0.01, "lost": 0.05}),
        (55, 10, {"late_s": 0.015, "lost": 0.1}),
        (64, 12, {"apart_s": 0.8 / 64}),  # stamped by a nominal rate, which is not the true one
        (130, 20, {"apart_s": 0.95 / 130, "late_s": 0.005}),
        (50, 5, {"apart_s": 1.05 / 50, "late_s": 0.002}),
    ],
)
def test_packets(hz: float, rows: int, how: dict[str, float]) -> None:
    true_s, stamp_s = _packets(_grid(hz), rows, **how)  # type: ignore[arg-type]
    found = row_times(stamp_s)
    assert found.rate_hz == pytest.approx(hz, rel=1e-4)
    errors_s = _errors_s(found, true_s)
    assert np.median(errors_s) < 0.01 and np.quantile(errors_s, 0.95) < 0.05
    assert (np.diff(found.time_s) >= 0).all()
    lost = round(hz * 300) - len(true_s)
    if lost:
        told = int(found.packets.split(", ")[-1].split()[0].replace(",", ""))
        longest = sum(round((end - begin) * hz) - 1 for begin, end in found.gaps)
        assert told + longest == pytest.approx(lost, abs=0.1 * lost + rows)


@pytest.mark.parametrize(("hz", "rows", "lost"), [(25, 8, 0.03), (50, 5, 0.1), (64, 1, 0.02)])
def test_whole_seconds_in_which_rows_are_missing(hz: float, rows: int, lost: float) -> None:
    """How many is not to be seen, so the rate is asked for; with it the times are found."""
    true_s, stamp_s = _packets(_grid(hz, 900.0), rows, lost=lost)
    with pytest.raises(
        UnclearTimesError, match=r"rows are missing here and there: .* measured more"
    ):
        row_times(np.floor(stamp_s))
    found = row_times(np.floor(stamp_s), rate_hz=hz)
    assert np.quantile(_errors_s(found, true_s), 0.95) < 0.25
    told = int(found.packets.split(", ")[-1].split()[0].replace(",", ""))
    assert told == pytest.approx(900 * hz - len(true_s), rel=0.25)


@pytest.mark.parametrize(("hz", "late_s"), [(64, 0.003), (125, 0.002), (200, 0.003)])
def test_rows_that_jitter(hz: float, late_s: float) -> None:
    true_s = _grid(hz)
    jitter_s = late_s * np.random.default_rng(0).standard_normal(len(true_s))
    found = row_times(np.maximum.accumulate(true_s + jitter_s))
    assert found.rate_hz == pytest.approx(hz, rel=1e-3)
    assert "lost" not in found.packets or ", 1 row lost" in found.packets


@pytest.mark.parametrize("hz", [25, 50, 64, 100])
@pytest.mark.parametrize("nominal", [0.98, 1.02, 1.05])
@pytest.mark.parametrize(("rows", "lost"), [(5, 0.0), (5, 0.05), (10, 0.05), (20, 0.05)])
def test_rows_stamped_by_a_nominal_rate(hz: float, nominal: float, rows: int, lost: float) -> None:
    """From when a packet came, which is late by some ms; a twentieth of them never did."""
    true_s, stamp_s = _packets(_grid(hz), rows, late_s=0.005, lost=lost)
    place = np.rint(true_s * hz).astype(int) % rows
    found = row_times(np.maximum.accumulate(stamp_s + (place - rows + 1) / (nominal * hz)))
    assert found.rate_hz == pytest.approx(hz, rel=1e-3)
    assert np.quantile(_errors_s(found, true_s), 0.95) < 0.03


def test_packets_of_many_sizes() -> None:
    """What a phone hands over when it likes: 1, 4, 2, 6 rows with the time of the last."""
    true_s = _grid(25)
    ends = np.cumsum(np.resize([1, 4, 2, 6], 2400))
    ends = ends[ends <= len(true_s)]
    packet = np.searchsorted(ends, np.arange(ends[-1]), side="right")
    found = row_times(true_s[ends - 1][packet])
    assert found.rate_hz == 25.0 and "packets of 1 to 6 rows" in found.packets
    assert _errors_s(found, true_s[: ends[-1]]).max() < 0.001


def test_a_long_pause_is_a_hole_and_no_reason_to_doubt() -> None:
    true_s, stamp_s = _packets(_grid(25), 8, apart_s=1e-3)
    later = np.where(true_s > 150, 900.0, 0.0)
    found = row_times(stamp_s + later)
    assert found.rate_hz == 25.0
    ((begin, end),) = found.gaps
    assert end - begin == pytest.approx(900, abs=0.1)


def test_times_that_no_rate_explains() -> None:
    half = _packets(_grid(25), 8, apart_s=1e-3)[1], 300 + _packets(_grid(50), 8, apart_s=1e-3)[1]
    with pytest.raises(
        UnclearTimesError, match=r"rows a second came in its halves, 7.* fewer than"
    ):
        row_times(np.concatenate(half))
    with pytest.raises(UnclearTimesError, match="3000 rows come in 3 packets of 1000 rows"):
        row_times(np.repeat([0.0, 20.0, 40.0], 1000))


@pytest.mark.parametrize(("hz", "begin_s"), [(25, 0.0), (64, 17.0), (50, 48.5)])
def test_whole_minutes(hz: float, begin_s: float) -> None:
    """More rows bear one time than any packet has; the file begins somewhere in a minute."""
    true_s = 1.77e9 + begin_s + _grid(hz, 900)
    found = row_times(true_s // 60 * 60)
    assert found.rate_hz == pytest.approx(hz, rel=1e-3) and found.gaps == ()
    assert _errors_s(found, true_s).max() < 0.1


@pytest.mark.parametrize(
    ("hz", "rows", "lost", "late_s"),
    [(100, 25, 0.02, 0.0), (100, 25, 0.02, 0.03), (64, 20, 0.1, 0.03), (25, 8, 0.05, 0.03)],
)
def test_rows_lost_inside_of_packets(hz: float, rows: int, lost: float, late_s: float) -> None:
    """A packet of 25 that lacks two is as long as a whole one: 98 rows a second came of 100."""
    true_s, stamp_s = _packets(_grid(hz), rows, apart_s=1e-3, late_s=late_s)
    kept = np.random.default_rng(1).random(len(true_s)) >= lost
    found = row_times(stamp_s[kept])
    assert found.rate_hz == hz and " lost" in found.packets
    assert np.quantile(_errors_s(found, true_s[kept]), 0.9) < 2.5 / hz + late_s


@pytest.mark.parametrize(("hz", "every_s"), [(98.3, 0.25), (25.4, 0.5), (51.7, 0.2)])
def test_rows_that_a_phone_reads_now_and_then_lack_nothing(hz: float, every_s: float) -> None:
    true_s = _grid(hz)
    rng = np.random.default_rng(2)
    reads_s = np.cumsum(every_s + rng.exponential(0.02, int(320 / every_s)))
    found = row_times(reads_s[np.searchsorted(reads_s, true_s)])
    assert found.rate_hz == pytest.approx(hz, rel=2e-3)


@pytest.mark.parametrize(
    "parts",
    [
        [(50, 300), (25, 300)],
        [(25, 300), (50, 300)],
        [(50, 60), (25, 600)],
        [(100, 300), (25, 300)],
        [(64, 200), (32, 200), (64, 200)],
    ],
)
@pytest.mark.parametrize("tick_s", [0.0, 1e-3])
def test_a_rate_that_was_changed(parts: list[tuple[int, int]], tick_s: float) -> None:
    """Rows are where their times are, and not at one rate with others lost."""
    begins_s = np.cumsum([0, *(seconds for _, seconds in parts)])
    true_s = np.concatenate([b + _grid(*part) for b, part in zip(begins_s, parts, strict=False)])
    stamp_s = np.round(true_s / tick_s) * tick_s if tick_s else true_s
    found = row_times(stamp_s)
    assert found.rate_hz == max(hz for hz, _ in parts) and found.gaps == ()
    told = zip(parts, begins_s.tolist(), strict=False)
    said = ", then ".join(f"{hz} from {begin} s on" for (hz, _), begin in told)
    assert found.packets == f"parts of different rates: {said}"
    np.testing.assert_array_equal(found.time_s, stamp_s)


@pytest.mark.parametrize(("rows", "slower"), [(5, 25), (8, 20), (10, 30)])
def test_packets_whose_rate_was_changed_have_their_own_figures(rows: int, slower: int) -> None:
    packets = 200
    step_s = rows / np.repeat([50.0, slower], packets)
    with pytest.raises(UnclearTimesError) as caught:
        row_times(np.repeat(np.cumsum(step_s), rows))
    assert f"50 and {slower} rows a second came in its halves" in str(caught.value)


@pytest.mark.parametrize("share", [0.2, 0.22, 0.25])
@pytest.mark.parametrize("hz", [25, 50])
def test_jitter_alone_loses_no_rows(hz: int, share: float) -> None:
    for seed in range(8):
        off = np.random.default_rng(seed).normal(0, share, 60 * hz)
        found = row_times(np.sort((np.arange(60 * hz) + off) / hz))
        assert found.rate_hz == hz
