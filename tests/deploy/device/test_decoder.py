"""The integer decoder against `ppg.readout.decode`, and the smoothers against plain float ones."""

from __future__ import annotations

from collections import deque

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from deploy.device import decoding, smoothing
from deploy.device.decoder import Decoder, clip
from deploy.device.decoding import BPM_UNITS, calibration_of, expected_error
from deploy.device.smoothing import smoother
from deploy.device.weights import evidence, evidence_of, exponent_of, weights
from ppg.readout.decode import MODE_HALF_WIDTH, Decoded, decode, expectation, probabilities
from ppgnas.errors import ExportError
from ppgnas.task import CLASSES
from tests.deploy.device.c_device import random_logits

SCALE = 0.17826053500175476
SETTINGS = {
    "as fitted": (4.7, 1e-6, 2e-3, 1.0),
    "narrow": (0.5, 1e-3, 1e-9, 0.7),
    "wide": (60.0, 1e-2, 1e-7, 0.5),
}


def float_smooth(
    p: NDArray[np.float64],
    steps: NDArray[np.integer],
    how: tuple[float, float, float, float],
) -> Decoded:
    """The forward pass, one window after the other."""
    width_bpm, jump, floor, exponent = how
    difference = np.subtract.outer(np.arange(CLASSES), np.arange(CLASSES))
    gaussian = np.exp(-0.5 * (difference / width_bpm) ** 2)
    matrix = (1 - jump) * gaussian / gaussian.sum(axis=0) + jump / CLASSES
    beliefs, seen = np.empty_like(p), (p + floor) ** exponent
    belief = np.empty(0)
    for index in range(len(p)):
        if steps[index] == 0:
            belief = np.full(CLASSES, 1 / CLASSES)
        for _ in range(min(int(steps[index]), smoothing.LONGEST_GAP_STEPS)):
            belief = matrix @ belief
        belief = belief * seen[index]
        belief /= belief.sum()
        beliefs[index] = belief
    return expectation(beliefs, seen)


def test_weights_and_evidence_are_those_of_the_softmax() -> None:
    logits = random_logits(300, seed=0)
    p = probabilities(logits * SCALE)
    e = weights(logits, exponent_of(SCALE))
    np.testing.assert_allclose(e / e.sum(axis=1, keepdims=True), p, rtol=1e-4, atol=1e-9)
    for floor, exponent in ((1e-9, 0.7), (2e-3, 1.0), (1e-6, 2.0)):
        ours = evidence(e, evidence_of(floor, exponent)).astype(np.float64)
        exact = (p + floor) ** exponent
        exact /= exact.max(axis=1, keepdims=True)
        assert ours.max() <= 2**31
        ours /= ours.max(axis=1, keepdims=True)
        np.testing.assert_allclose(ours, exact, rtol=2e-4, atol=1e-6)


@pytest.mark.parametrize("scale", [0.01, 0.05, SCALE, 0.5, 2.0])
def test_readings_are_within_a_fiftieth_bpm_of_the_float_decoder(scale: float) -> None:
    logits = random_logits(2000, seed=1)
    exact = decode(logits * scale)
    reading = decoding.decode(logits, exponent_of(scale))
    np.testing.assert_allclose(reading.bpm_q8 / BPM_UNITS, exact.bpm, atol=0.01)
    np.testing.assert_allclose(reading.spread_q8 / BPM_UNITS, exact.spread_bpm, atol=0.02)
    near = np.abs(np.arange(CLASSES) - logits.argmax(axis=1)[:, None]) <= MODE_HALF_WIDTH
    share = (probabilities(logits * scale) * near).sum(axis=1)
    np.testing.assert_allclose(reading.confidence_q15 / 2**15, share, atol=2e-4)
    np.testing.assert_array_equal(reading.error_q8, reading.spread_q8)


def test_a_blank_window_and_a_sure_one() -> None:
    logits = np.full((3, CLASSES), -128, np.int8)
    logits[1, 0] = logits[2, 179] = 127
    reading = decoding.decode(logits, exponent_of(0.2))
    # Nine classes from the first on, their mean 34; the spread of 180 even classes.
    assert reading.bpm_q8.tolist() == [34 * 256, 30 * 256, 209 * 256]
    assert reading.spread_q8[0] / BPM_UNITS == pytest.approx(np.sqrt((180**2 - 1) / 12), abs=0.01)
    assert reading.confidence_q15.tolist() == [2**15 * 9 // 180, 2**15, 2**15]
    assert reading.spread_q8[1:].max() == 0


@pytest.mark.parametrize("name", SETTINGS)
def test_the_smoother_follows_the_float_one(name: str) -> None:
    how = SETTINGS[name]
    logits = random_logits(1500, seed=2)
    rng = np.random.default_rng(3)
    steps = np.where(rng.random(1500) < 0.02, rng.integers(0, 45, 1500), 1)
    steps[0] = 0
    width_bpm, jump, floor, exponent = how
    by = smoother(width_bpm, jump=jump, floor=floor, exponent=exponent)
    _, ours = Decoder(SCALE, "hmm", by).read(logits, steps)
    exact = float_smooth(probabilities(logits * SCALE), steps, how)
    off = np.abs(ours.bpm_q8 / BPM_UNITS - exact.bpm)
    assert (off <= 0.1).mean() >= 0.999
    assert np.median(off) < 0.003
    raw = decode(logits * SCALE).bpm
    apart, start = np.abs(exact.bpm - raw), np.cumsum(steps == 0)
    means = [apart[start == part] for part in np.unique(start)]
    weights = (15 / 16) ** np.arange(len(logits)) / 16
    doubt = np.concatenate([np.convolve(part, weights)[: len(part)] / 2 for part in means])
    off = np.abs(ours.spread_q8 / BPM_UNITS - exact.spread_bpm - doubt)
    assert (off < 0.1).mean() > 0.99


def test_beliefs_keep_their_sum() -> None:
    by = smoother(3.0, jump=1e-3, floor=1e-9, exponent=0.7)
    belief = np.zeros((3, CLASSES), np.int64)
    belief[0, 0] = belief[1, 90] = belief[2, 179] = 2**31
    for _ in range(30):
        belief = smoothing.advance(belief, by)
    np.testing.assert_allclose(belief.sum(axis=1), 2**31, rtol=1e-5)
    np.testing.assert_array_equal(belief[0], belief[2, ::-1])
    weighed = smoothing.weigh(belief, np.full((3, CLASSES), 7, np.int64), 1)
    np.testing.assert_allclose(weighed, belief, atol=300, rtol=1e-5)


def float_clip(bpm: NDArray[np.float64], steps: NDArray[np.integer]) -> list[float]:
    last: deque[float] = deque(maxlen=10)
    out = []
    for value, step in zip(bpm.tolist(), steps.tolist(), strict=True):
        if not 0 < step <= 10:
            last.clear()
        if len(last) == 10:
            mean = sum(last) / 10
            value = min(max(value, 0.9 * mean), 1.1 * mean)
        last.append(value)
        out.append(value)
    return out


def test_clipping_follows_the_float_one() -> None:
    rng = np.random.default_rng(4)
    bpm_q8 = rng.integers(30 * 256, 209 * 256, 2000)
    steps = np.where(rng.random(2000) < 0.02, rng.integers(0, 15, 2000), 1)
    ours = clip(bpm_q8, steps) / 256
    np.testing.assert_allclose(ours, float_clip(bpm_q8 / 256, steps), atol=0.05)


def test_clipping_by_hand() -> None:
    bpm_q8 = np.array([100] * 10 + [200, 50]) * 256
    steps = np.array([0] + [1] * 11)
    # 110 is allowed; then the mean is 101 and 90.9 the lowest.
    assert clip(bpm_q8, steps)[10:].tolist() == [110 * 256, int(90.9 * 256)]
    steps[10] = 11  # a long gap: nothing to hold on to
    assert clip(bpm_q8, steps)[10:].tolist() == [200 * 256, 50 * 256]


@given(
    st.lists(st.integers(0, 65279), min_size=1, max_size=12, unique=True), st.integers(0, 65535)
)
def test_expected_errors_interpolate_between_knots(knots: list[int], spread: int) -> None:
    x = sorted(knots)
    y = sorted(reversed(knots))
    calibration = decoding.Calibration(tuple(x), tuple(v // 2 for v in y))
    ours = int(expected_error(np.array([spread]), calibration)[0])
    exact = float(np.interp(spread, x, calibration.error_q8))
    assert exact - 1 <= ours <= exact


def test_calibration_from_bpm() -> None:
    calibration = calibration_of([1.0, 2.0, 40.0], [0.5, 0.5, 20.0])
    assert calibration.spread_q8 == (256, 512, 10240)
    assert calibration.error_q8 == (128, 128, 5120)
    for spread, error in (([2.0, 1.0], [1.0, 1.0]), ([1.0], [300.0]), ([], []), ([1.0], [1, 2])):
        with pytest.raises(ExportError, match="1 to 64 knots from 0 to 255 BPM"):
            calibration_of(spread, error)


def test_refusals() -> None:
    with pytest.raises(ExportError, match=r"smoothing is 'mean'; allowed: none, clip, hmm"):
        Decoder(SCALE, "mean")
    with pytest.raises(ExportError, match=r"smoothing 'hmm' needs smoother; give one with hmm"):
        Decoder(SCALE, "hmm")
    with pytest.raises(ExportError, match=r"logits have scale 20; the decoder takes"):
        Decoder(20.0)
    with pytest.raises(ExportError, match=r"a step is 0.1 BPM wide; allowed: 0.3 to 1000"):
        smoother(0.1, jump=1e-3, floor=1e-9, exponent=1.0)
    with pytest.raises(ExportError, match=r"jump's probability is 0.9; allowed"):
        smoother(3.0, jump=0.9, floor=1e-9, exponent=1.0)
    with pytest.raises(ExportError, match=r"the floor is 0.5; allowed: 1e-10 to 0.01"):
        smoother(3.0, jump=0.1, floor=0.5, exponent=1.0)
    with pytest.raises(ExportError, match=r"the exponent is 3; allowed: above 0, at most 2"):
        smoother(3.0, jump=0.1, floor=1e-9, exponent=3)
    with pytest.raises(ExportError, match=r"logits have shape \(2, 3\); expected"):
        decoding.decode(np.zeros((2, 3), np.int8), 1000)
