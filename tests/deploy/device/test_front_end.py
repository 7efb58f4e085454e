"""The integer front end against `ppg.frontend`, and its corners."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from numpy.typing import NDArray

from deploy.device.filtering import LARGEST_SAMPLE, PPG_FRACTION_BITS, BandPass, band_pass
from deploy.device.integers import Ints
from deploy.device.normalising import EXPONENT_BITS, normaliser
from deploy.device.rule import (
    Windows,
    filter_lanes,
    normalise,
    pack,
    resample,
    stream_windows,
)
from deploy.device.settings import DEAD_SHARE, FrontEnd, exact_hz
from ppg import frontend
from ppg.recording import Recording
from ppg.synthetic.recordings import synthesize
from ppg.windows import InputSpec, windows_of
from ppgnas.errors import ExportError
from tests.deploy.device.recordings import (
    acc_counts,
    network_inputs,
    ppg_counts,
    sample_at,
    sensor_counts_per_g,
    window_starts,
)

SCALE, ZERO_POINT = float(np.float32(5 / 127)), -4


def settings(rate_hz: int, channels: int, *, acceleration: bool = True) -> FrontEnd:
    return FrontEnd(Fraction(50), Fraction(50) if acceleration else None, rate_hz, channels)


def float_path(windows: NDArray[np.float32]) -> NDArray[np.int8]:
    """`(windows, channels, time)` to int8 `(windows, time, channels)` as `quantize_input` does."""
    stored = np.rint(windows.transpose(0, 2, 1) / np.float32(SCALE)) + ZERO_POINT
    return np.clip(stored, -128, 127).astype(np.int8)


def integer_path(
    recordings: list[Recording], rate_hz: int, *, acceleration: bool = True
) -> NDArray[np.int8]:
    return network_inputs(
        recordings,
        rate_hz=rate_hz,
        acceleration=acceleration,
        scale=SCALE,
        zero_point=ZERO_POINT,
    )[:, 0]


def filtered(raw: NDArray[np.int64], by: BandPass) -> NDArray[np.float64]:
    """In counts."""
    return np.ldexp(filter_lanes(raw, by), -by.fraction_bits)


@pytest.mark.parametrize("slope", [False, True])
@pytest.mark.parametrize("hz", ["25", "31.25", "64", "125", "1000"])
def test_the_filter_equals_the_float_one(hz: str, slope: bool) -> None:
    rate = Fraction(hz)
    rng = np.random.default_rng(0)
    walk = np.cumsum(rng.normal(size=(int(8 * rate), 2)), axis=0) * 50 + [[3_000_000, -77]]
    raw = np.rint(walk).astype(np.int64)
    exact = frontend.band_pass(raw.astype(np.float64), float(rate), slope=slope)
    # Rounding at 1/32 count of the PPG, 1/4096 of the acceleration, and poles to 30 bits.
    off = max(0.1 if slope else 1e-2, float(np.abs(exact).max()) * 1e-4)
    np.testing.assert_allclose(filtered(raw, band_pass(rate, slope=slope)), exact, atol=off)


@pytest.mark.parametrize("slope", [False, True])
def test_a_constant_of_any_size_filters_to_zero(slope: bool) -> None:
    raw = np.tile(np.array([[-(2**31), 2**31 - 1, 0, 1234567]]), (500, 1))
    assert not filter_lanes(raw, band_pass(Fraction(125), slope=slope)).any()


@pytest.mark.parametrize("slope", [False, True])
def test_the_largest_square_wave_stays_in_range(slope: bool) -> None:
    # Worst case of the filter: the input follows the sign of its reversed impulse response.
    for hz in (Fraction(12), Fraction(50), Fraction(2000)):
        by = band_pass(hz, slope=slope)
        response = filter_lanes(np.r_[0, 2**12, np.zeros(int(4 * hz), np.int64)][:, None], by)
        for high in (2**31 - 1, by.limit // 8):
            worst = np.where(response[::-1] >= 0, high, -high)
            raw = np.r_[[[-high]], worst]
            out = filter_lanes(raw, by)
            assert np.abs(out).max() < 2**30
            assert np.abs(unpack(pack(out)) - out).max() <= np.abs(out).max() / 2**10
        exact = frontend.band_pass(raw.astype(np.float64), float(hz), slope=slope)
        np.testing.assert_allclose(filtered(raw, by), exact, rtol=1e-3, atol=high / 1000)


def test_a_filter_comes_to_rest_after_a_blow() -> None:
    """No error of rounding goes round for ever: a channel that falls flat is soon dead."""
    for hz in (Fraction(12), Fraction(64), Fraction(1000)):
        rng = np.random.default_rng(0)
        loud = rng.integers(-LARGEST_SAMPLE, LARGEST_SAMPLE, (int(2 * hz), 20))
        raw = np.r_[loud, np.zeros((int(28 * hz), 20), np.int64)]
        rest = filter_lanes(raw, band_pass(hz, slope=True))[int(20 * hz) :]
        assert rest.std(axis=0).max() < 2**PPG_FRACTION_BITS / DEAD_SHARE, hz


def test_interpolation_is_exact_on_a_line_for_days() -> None:
    line = (np.arange(5000) * 125 << 10)[:, None]
    ours = resample(line, Fraction(125), Fraction(64))[:, 0] / 2.0**10
    np.testing.assert_allclose(ours, np.arange(len(ours)) * 125 * 125 / 64, atol=1e-3)
    assert len(ours) == 4999 * 64 // 125 + 1
    at = sample_at(line, Fraction(125), Fraction(3, 7), every_s=Fraction(1, 25), count=50)
    exact = (3 / 7 + np.arange(50) / 25) * 125 * 125
    np.testing.assert_allclose(at[:, 0] / 2.0**10, exact, atol=1e-3)


def test_subsampling_the_stream_is_interpolating_at_once() -> None:
    x = np.random.default_rng(1).integers(-(2**30) + 1, 2**30, (4000, 2))
    for hz in (Fraction(50), Fraction(125), Fraction(125, 4)):
        direct = resample(x, hz, Fraction(32))
        over = resample(x, hz, Fraction(64))[::2]
        np.testing.assert_array_equal(direct, over[: len(direct)])


def unpack(words: NDArray[np.int16]) -> Ints:
    """Values of packed words."""
    wide = words.astype(np.int64)
    return np.asarray((wide >> EXPONENT_BITS) << (wide & (2**EXPONENT_BITS - 1)), np.int64)


def test_words_keep_ten_bits_whatever_the_gain() -> None:
    rng = np.random.default_rng(2)
    y = np.concatenate([rng.integers(-(2**n), 2**n, 200) for n in range(1, 31)])
    words = pack(y)
    assert words.dtype == np.int16
    assert (np.abs(unpack(words) - y) <= np.maximum(np.abs(y) >> 10, 0)).all()
    edges = np.array([0, 1023, 1024, 2047, -1024, -1025, 2**30 - 1, -(2**30)])
    assert unpack(pack(edges)).tolist() == [
        0, 1023, 1024, 2046, -1024, -1024, 1023 << 20, -(2**30)
    ]  # fmt: skip


def test_acceleration_keeps_its_strength() -> None:
    """A sine of any size and any sensor is scaled as `ppg.frontend` says."""
    t = np.arange(256) / 32
    for counts_per_g in (64, 1000, 16384):
        end = FrontEnd(Fraction(32), Fraction(32), 32, counts_per_g=counts_per_g)
        by = normaliser(end, scale=SCALE, zero_point=ZERO_POINT)
        for size_g in (0.001, 0.02, 0.05, 1.0, 1.9):
            acc_g = size_g * np.sin(2 * np.pi * t[:, None] * np.array([1.0, 2.0, 0.5]))
            words = pack(np.rint(acc_g * counts_per_g * 4096).astype(np.int64))
            silent = np.zeros((256, 1), np.int16)
            found = normalise(Windows(np.hstack([silent, words])[None]), by, ppg_channels=1)
            exact = frontend.normalise_acc(acc_g[None].astype(np.float32)) / SCALE + ZERO_POINT
            assert np.abs(found[0, :, 1:] - exact[0]).max() <= 0.7, (counts_per_g, size_g)


def test_a_dead_channel_changes_nothing() -> None:
    recording = synthesize(people=1, minutes=1, seed=5)[0]
    live = ppg_counts(replace(recording, ppg=recording.ppg[:, :1]))
    beside = np.hstack([live, np.full_like(live, -(2**31))])
    acc = acc_counts(recording, counts_per_g=4096)
    hz, acc_hz = exact_hz(recording.ppg_hz), exact_hz(float(recording.acc_hz or 0))
    results = []
    for ppg in (live, beside):
        end = FrontEnd(hz, acc_hz, 32, ppg.shape[1])
        by = normaliser(end, scale=SCALE, zero_point=ZERO_POINT)
        results.append(normalise(stream_windows(end, ppg, acc), by, ppg_channels=ppg.shape[1]))
    assert len(results[0]) == 27
    off = np.abs(results[0].astype(int) - results[1])
    assert off.max() <= 1 and (off > 0).mean() < 0.005  # alone, or brought to one deviation first
    dead = normaliser(settings(32, 2, acceleration=False), scale=SCALE, zero_point=ZERO_POINT)
    flat = normalise(Windows(np.full((1, 256, 2), 1000, np.int16)), dead, ppg_channels=2)
    assert (flat == ZERO_POINT).all()
    opposite = np.random.default_rng(0).integers(-999, 999, (1, 256, 1))
    cancelling = Windows(pack(np.concatenate([opposite, -opposite], axis=2)))
    both = normalise(cancelling, dead, ppg_channels=2)
    assert np.abs(both.astype(int) - ZERO_POINT).max() <= 1


@pytest.mark.parametrize("rate_hz", [16, 25, 64])
def test_synthetic_windows_are_within_one_lsb_of_the_float_path(rate_hz: int) -> None:
    recordings = synthesize(people=3, minutes=2, seed=7)
    floats = windows_of(recordings, InputSpec(rate_hz, True))
    ours = integer_path(recordings, rate_hz)
    difference = np.abs(ours.astype(int) - float_path(floats.x))
    assert difference.max() <= 1
    assert (difference == 0).mean() > 0.995
    alone = integer_path(recordings, rate_hz, acceleration=False)
    np.testing.assert_array_equal(alone, ours[:, :, :1])


@pytest.mark.parametrize("dataset", ["bami2", "ieee_spc2015"])
@pytest.mark.parametrize("rate_hz", [25, 32])
def test_real_windows_are_within_one_lsb_of_the_float_path(
    real_recordings: Callable[[str], list[Recording]], dataset: str, rate_hz: int
) -> None:
    recordings = real_recordings(dataset)[:2]
    floats = windows_of(recordings, InputSpec(rate_hz, True))
    ours = integer_path(recordings, rate_hz)
    difference = np.abs(ours.astype(int) - float_path(floats.x))
    assert difference.max() <= 1
    assert (difference == 0).mean() > 0.99


def test_windows_of_a_recording_start_where_its_labels_say() -> None:
    recording = synthesize(people=1, minutes=1, seed=1)[0]
    late = replace(recording, window_start_s=recording.window_start_s + 0.37)
    starts = window_starts(late)
    assert starts[1] - starts[0] == 2 and starts[0] == Fraction(37, 100)
    floats = windows_of([late], InputSpec(32, True))
    difference = np.abs(integer_path([late], 32).astype(int) - float_path(floats.x))
    assert difference.max() <= 1


def test_counts_of_a_recording() -> None:
    recording = synthesize(people=1, minutes=1, seed=1)[0]
    counts = ppg_counts(recording)
    assert 2**22 <= np.abs(counts).max() <= 2**23
    np.testing.assert_allclose(
        counts / counts.max(), recording.ppg / recording.ppg.max(), atol=1e-6
    )
    assert not ppg_counts(replace(recording, ppg=np.zeros_like(recording.ppg))).any()
    for g, expected in ((3.9, 8192), (4.1, 4096), (8.1, 2048), (0.1, 8192), (0.0, 4096)):
        held = replace(recording, acc=np.full_like(recording.ppg[:, [0, 0, 0]], g))
        assert sensor_counts_per_g(held) == expected
        assert np.abs(acc_counts(held, counts_per_g=expected).astype(int)).max() < 32767
    hard = replace(recording, acc=np.full_like(recording.ppg[:, [0, 0, 0]], 100.0))
    assert (acc_counts(hard, counts_per_g=4096) == 32767).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"ppg_hz": Fraction(10)}, r"`ppg_hz` is 10; allowed: more than 10 and up to 2000 Hz"),
        ({"acc_hz": Fraction(2001)}, r"`acc_hz` is 2001; allowed: more than 10"),
        ({"rate_hz": 129}, r"rate_hz is 129; allowed: 1 to 128"),
        ({"ppg_channels": 4}, r"`ppg_channels` is 4; allowed: 1 to 3"),
        ({"counts_per_g": 0}, r"`counts_per_g` is 0; allowed: 1 to 32767"),
        ({"slack_s": Fraction(9)}, r"slack_s is 9; allowed: 0 to 8"),
    ],
)
def test_impossible_settings_are_refused(change: dict[str, Fraction], message: str) -> None:
    with pytest.raises(ExportError, match=message):
        replace(settings(32, 1), **change)  # type: ignore[arg-type]


@pytest.mark.parametrize("hz", [math.nan, math.inf, -math.inf])
def test_a_rate_that_is_no_number_is_refused(hz: float) -> None:
    with pytest.raises(
        ExportError, match=rf"`rate_hz` is {hz}; allowed: more than 10 and up to 2000"
    ):
        exact_hz(hz)


def test_an_input_scale_out_of_reach_is_refused() -> None:
    with pytest.raises(ExportError, match=r"input has scale 1e-05; the integer front end takes"):
        normaliser(settings(32, 1), scale=1e-5, zero_point=0)
