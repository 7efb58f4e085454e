"""Hand-made heads: what each kind changes, and that its gradient is that of a real head."""

from __future__ import annotations

import numpy as np
import pytest

from deploy.integers import single_rounding
from deploy.personal.head import Ending, Head, head_of
from deploy.personal.kinds import KINDS, Bias, Kind, Rate, ScaleBias, Whole, change_of
from ppgnas.task import TASK
from tests.deploy.personal.shared import BOTH, random_net

ENDING = Ending(single_rounding.Factors(np.array([2**29]), 0), -128, 127)
WEIGHTS = np.array([[10, -20], [30, 127], [-127, 4]])
HEAD = Head("head", WEIGHTS, np.array([5, 6, 7]), ENDING, None, 0.05, 0, 0.02, 0.1, 0, TASK)


@pytest.mark.parametrize("arch", BOTH.values(), ids=BOTH)
@pytest.mark.parametrize("kind", KINDS)
def test_nothing_learnt_is_the_factory(arch: object, kind: Kind) -> None:
    head = head_of(random_net(arch))  # type: ignore[arg-type]
    change = change_of(kind, head)
    weights, biases = change.fold([np.zeros(size, np.int64) for size in change.sizes])
    np.testing.assert_array_equal(weights, head.weights)
    np.testing.assert_array_equal(biases, head.biases)


def test_bias() -> None:
    _, biases = Bias(HEAD).fold([np.array([256, 128, -129])])
    assert biases.tolist() == [6, 7, 6]  # 1, half up to 1, -0.504 down to -1


def test_scale_bias_stretches_features_and_saturates() -> None:
    scale = np.array([2**15, 2**16])  # 1.5 and 2 times
    shift = np.array([2 << 16, -(1 << 16)])  # 2 steps and -1 step
    weights, biases = ScaleBias(HEAD).fold([scale, shift])
    assert weights.tolist() == [[15, -40], [45, 127], [-127, 8]]
    assert biases.tolist() == [5 + 20 + 20, 6 + 60 - 127, 7 - 254 - 4]


def test_low_rank_draws_lines_between_rows() -> None:
    change = Whole(HEAD, spacing=2)
    assert change.sizes == (2 * 2, 2)
    weights, biases = change.fold([np.array([4 << 16, 0, -(8 << 16), 0]), np.array([256, 768])])
    assert (weights - WEIGHTS)[:, 0].tolist() == [4, -2, 0]  # the last one saturates at -127
    assert (biases - HEAD.biases).tolist() == [1, 2, 3]
    rows = change.gradients(np.array([10, 20, -30]), np.array([1, -2]))[0]
    assert rows.tolist() == [20, -40, -20, 40]


@pytest.mark.parametrize("kind", KINDS)
def test_a_step_is_that_of_real_weights(kind: Kind) -> None:
    """One step moves the outputs as a step of `rate` on real parameters does."""
    head = head_of(random_net(BOTH["dense"]))
    change, rng = change_of(kind, head), np.random.default_rng(2)
    f, rate = rng.integers(-100, 100, head.features), 0.02
    g = rng.integers(-9000, 9000, head.outputs)
    parts = [
        -by(step) for by, step in zip(change.rates(rate), change.gradients(g, f), strict=True)
    ]
    weights, biases = change.fold(parts)
    unit = head.weight_scale * head.feature_scale
    seen = ((weights - head.weights) @ f + biases - head.biases) * unit
    real_f, real_g, real_w = f * head.feature_scale, g / 2**15, head.weights * head.weight_scale
    if kind == "bias":
        expected = -rate * real_g
    elif kind == "head":
        expected = -rate * real_g * (real_f @ real_f + 1)
    elif kind == "scale-bias":
        t = real_g @ real_w
        expected = -rate * (real_w @ (t * real_f * real_f + t))
    else:
        spacing = 36
        rows = np.arange(0, head.outputs + spacing - 1, spacing)
        lines = np.maximum(0, 1 - np.abs(np.arange(head.outputs)[:, None] - rows) / spacing)
        expected = -rate * (lines @ (lines.T @ real_g)) * (real_f @ real_f + 1)
    # Weights are whole numbers: half a step of each is what rounding costs.
    allowed = 0.5 * unit * (np.abs(f).sum() + 1) if kind != "bias" else unit
    assert np.abs(seen - expected).max() < allowed
    if kind in ("bias", "head"):
        assert np.corrcoef(seen, expected)[0, 1] > 0.9


def test_a_rate_keeps_24_bits_and_falls_on_a_line() -> None:
    rate = Rate.of(3.7e-5)
    assert rate.mantissa / 2.0**rate.shift == pytest.approx(3.7e-5, rel=2e-7)
    assert rate.in_round(9, 10).mantissa == rate.mantissa // 10
    assert Rate(3, 1)(np.array([1, -1, 2])).tolist() == [2, -1, 3]  # 1.5, -1.5, 3: ties up
