"""A head apart from its trunk is the network."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from deploy.integers import reference
from deploy.integers.quantized import QuantizedNet
from deploy.personal.head import head_of, trunk_of, with_head
from ppg.readout.decode import probabilities
from ppgnas.errors import ExportError
from tests.deploy.personal.shared import BOTH, SPACED, random_net


@pytest.mark.parametrize("arch", BOTH.values(), ids=BOTH)
@pytest.mark.parametrize("other", [False, True])
def test_trunk_and_head_are_the_network(arch: object, other: bool) -> None:
    net = random_net(arch)  # type: ignore[arg-type]
    head = head_of(net)
    rng = np.random.default_rng(1)
    shape = net.graph.shape(net.graph.input)[1:]
    x = rng.integers(-128, 128, (40, *shape)).astype(np.int8)
    weights, biases = head.weights, head.biases
    if other:
        weights = np.clip(weights + rng.integers(-9, 9, weights.shape), -127, 127)
        biases = biases + rng.integers(-900, 900, biases.shape)
    features = reference.run(trunk_of(net), x, rule="c").reshape(len(x), -1)
    seen = head.logits(features.astype(np.int64) - head.feature_zero, weights, biases)
    expected = reference.run(with_head(net, weights, biases), x, rule="c")
    np.testing.assert_array_equal(seen, expected.reshape(seen.shape))
    assert len(np.unique(seen)) > 15


@pytest.mark.parametrize("arch", BOTH.values(), ids=BOTH)
def test_the_way_back_is_the_gradient(arch: object) -> None:
    """Against differences of the float head, whose integers are rounded."""
    head = head_of(random_net(arch))  # type: ignore[arg-type]
    rng = np.random.default_rng(0)
    by_class = rng.normal(size=head.task.classes)

    def fine(coarse: np.ndarray) -> np.ndarray:
        if head.spread is None:
            return coarse
        padded = np.pad(coarse, 1)
        near = np.stack([padded[:-2], padded[1:-1], padded[2:]], axis=1)
        return np.asarray(near @ (head.spread.back / 2**12).T).ravel()

    at = rng.normal(size=head.outputs)
    expected = [
        float(by_class @ (fine(at + step) - fine(at - step))) / 2 for step in np.eye(head.outputs)
    ]
    seen = head.back(np.rint(by_class * 2**15).astype(np.int64)) / 2**15
    np.testing.assert_allclose(seen, expected, atol=2e-3)


def test_probabilities_of_the_head_spread() -> None:
    head = head_of(random_net(SPACED))
    logits = head.logits(np.zeros((1, head.features), np.int64), head.weights, head.biases)
    p = probabilities((logits.astype(float) - head.logit_zero) * head.logit_scale)
    assert 1e-6 < p.min() < p.max() < 0.5


def test_other_heads_are_refused() -> None:
    net = random_net(SPACED)
    scales = net.weight_scales["head"].copy()
    scales[0] *= 2
    several = replace(net, weight_scales={**net.weight_scales, "head": scales})
    with pytest.raises(ExportError, match="the weights of 'head' have several scales"):
        head_of(several)
    trunk: QuantizedNet = trunk_of(net)
    with pytest.raises(ExportError, match="no dense layer, or not 180 outputs"):
        head_of(trunk)
