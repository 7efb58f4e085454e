"""The front end: band, causality, normalisation."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ppg.frontend import band_pass, interpolate, normalise_acc, normalise_ppg, stream
from ppg.synthetic.recordings import synthesize
from ppgnas.errors import DataError


def _tone(hz: float, rate_hz: float, seconds: float = 60) -> np.ndarray:
    return np.sin(2 * np.pi * hz * np.arange(int(seconds * rate_hz)) / rate_hz)[:, None]


@pytest.mark.parametrize("rate_hz", [25.0, 50.0, 64.0, 125.0])
def test_the_band_keeps_heart_rates_and_drops_the_rest(rate_hz: float) -> None:
    def gain(hz: float) -> float:
        late = band_pass(_tone(hz, rate_hz), rate_hz)[int(30 * rate_hz) :]
        return float(late.std() * np.sqrt(2))

    for bpm in (40, 80, 160, 200):
        assert 0.85 < gain(bpm / 60) < 1.01, bpm
    assert gain(0.05) < 0.05
    if rate_hz > 30:
        assert gain(12.0) < 0.2


@pytest.mark.parametrize("rate_hz", [25.0, 50.0, 64.0, 125.0])
def test_the_slope_rises_with_frequency_within_the_band(rate_hz: float) -> None:
    late = slice(int(30 * rate_hz), None)

    def gain(hz: float, *, slope: bool) -> float:
        filtered = band_pass(_tone(hz, rate_hz), rate_hz, slope=slope)
        return float(filtered[late].std() * np.sqrt(2))

    plain, slope = (np.array([gain(f, slope=s) for f in (1.0, 2.0, 4.0)]) for s in (False, True))
    # tan(pi f / rate) is what a differentiating zero does in a bilinear transform
    angle = np.pi * np.array([1.0, 2.0, 4.0]) / rate_hz
    np.testing.assert_allclose(slope / plain, np.tan(angle) / np.tan(angle[0] * 5), rtol=0.02)
    assert gain(0.05, slope=True) < 0.005
    if rate_hz > 30:
        assert gain(12.0, slope=True) < 0.4


@pytest.mark.parametrize("slope", [False, True])
def test_a_constant_offset_leaves_no_transient(slope: bool) -> None:
    assert np.abs(band_pass(np.full((500, 2), 1e6), 50.0, slope=slope)).max() < 1e-3


def test_filtering_is_causal() -> None:
    signal = np.random.default_rng(0).standard_normal((400, 1))
    later = signal.copy()
    later[200:] += 5
    np.testing.assert_array_equal(band_pass(signal, 50.0)[:200], band_pass(later, 50.0)[:200])


def test_a_rate_below_the_band_is_refused() -> None:
    with pytest.raises(DataError, match=r"a sample rate of 8 Hz is too low; .* more than 10 Hz"):
        band_pass(np.zeros((80, 1)), 8.0)


def test_interpolation_of_a_line_is_exact_and_clamped() -> None:
    line = np.arange(100.0)[:, None]
    np.testing.assert_allclose(
        interpolate(line, 50.0, np.array([0.01, 1.0, 99.0]))[:, 0], [0.5, 50.0, 99.0]
    )


def test_ppg_is_normalised_whatever_the_gain_and_offset() -> None:
    rng = np.random.default_rng(1)
    windows = rng.standard_normal((5, 256, 2)).astype(np.float32)
    plain = normalise_ppg(windows)
    np.testing.assert_allclose(normalise_ppg(windows * 1e4 + 7e4), plain, atol=5e-2)
    np.testing.assert_allclose(plain.std(axis=1), 1, atol=0.02)
    assert np.abs(plain).max() <= 5
    only = normalise_ppg(windows, np.tile(np.array([1, 0], np.float32), (5, 1)))
    expected = windows[:, :, 0] - windows[:, :, 0].mean(axis=1, keepdims=True)
    expected /= expected.std(axis=1, keepdims=True)
    np.testing.assert_allclose(only, np.clip(expected, -5, 5), atol=1e-4)


@pytest.mark.parametrize("level", [0.0, 1.0, 65_535.0, -3.7e-3])
def test_a_dead_channel_changes_nothing(level: float) -> None:
    recording = synthesize(people=1, minutes=1, seed=3)[0]
    live = recording.ppg[:, :1]
    beside = replace(recording, ppg=np.hstack([live, np.full_like(live, level)]))
    both, alone = (stream(r, hz=64.0).ppg for r in (beside, replace(recording, ppg=live)))
    assert not both[:, 1].any()
    windows = [s[: 7 * 512].reshape(7, 512, -1) for s in (both, alone)]
    np.testing.assert_allclose(normalise_ppg(windows[0]), normalise_ppg(windows[1]), atol=1e-5)


def test_a_channel_that_dies_is_left_out_once_the_filter_has_settled() -> None:
    recording = synthesize(people=1, minutes=1, seed=3)[0]
    ppg = np.hstack([recording.ppg[:, :1]] * 2)
    ppg[len(ppg) // 2 :, 1] = ppg[len(ppg) // 2, 1]
    late = stream(replace(recording, ppg=ppg), hz=64.0).ppg[-512:][None]
    np.testing.assert_allclose(normalise_ppg(late), normalise_ppg(late[:, :, :1]), atol=1e-5)


def test_only_dead_channels_give_zeros() -> None:
    recording = synthesize(people=1, minutes=1, seed=3)[0]
    flat = stream(replace(recording, ppg=np.full_like(recording.ppg, 12.5)), hz=64.0).ppg
    trace = normalise_ppg(flat[None, :512])
    assert trace.shape == (1, 512) and not trace.any()


def test_acceleration_keeps_its_order_of_strength() -> None:
    rng = np.random.default_rng(2)
    shape = rng.standard_normal((1, 256, 3)).astype(np.float32)
    spread = [normalise_acc(shape * g).std() for g in (0.001, 0.02, 0.1, 0.5, 1.0)]
    assert spread == sorted(spread) and spread[0] < 0.1 * spread[-1]
    assert spread[-1] < 3 * spread[2]  # ten times the movement, less than three times the value
    still = normalise_acc(np.zeros((1, 256, 3), np.float32))
    assert np.isfinite(still).all() and not still.any()


def test_stream_puts_both_sensors_on_one_clock() -> None:
    recording = synthesize(people=1, minutes=1, seed=0)[0]
    signals = stream(recording, hz=64.0)
    assert signals.acc is not None
    assert len(signals.ppg) == len(signals.acc) == int(recording.duration_s * 64)
    np.testing.assert_allclose(signals.ppg.std(axis=0), 1, rtol=1e-3)
    bare = stream(replace(recording, acc=None, acc_hz=None), hz=64.0)
    assert bare.acc is None
