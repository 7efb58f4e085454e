"""The head of a network apart from its trunk: what stands after the pooled features.

A head is the dense layer and, where the network has a spaced one, the convolution of three taps
that writes the classes between. Both are computed by the rule of the generated C:

    acc[o]   = b[o] + sum_c W[o,c] f[c]                     f centred features
    coarse   = clamp(((acc << left) m + 2^31) >> 32)        centred
    logits   = the same of three neighbours of `coarse`, S outputs a place

Weights and biases of the dense layer are arguments, as these are what is adapted.

Softmax weights finer than those of a reading: a gradient is small where the network is right.

As `deploy.device.weights`, but `E = floor(2^40 2^-x)` with x in units of 2^-24, from a table of 64
steps, linear between two:

    exp2(x) = 2^-x * 2^31 = (T[i] - floor((T[i] - T[i+1]) f / 2^18)) >> (x >> 24)
    i = (x >> 18) mod 64, f = x mod 2^18, T[j] = round(2^31 2^(-j/64))       2e-5 off at most
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from math import prod

import numpy as np
from numpy.typing import NDArray

from deploy.device.weights import exponent_of
from deploy.integers import fixed_point, single_rounding
from deploy.integers.quantized import QuantizedNet
from deploy.integers.single_rounding import Factors
from hwmodels.graph import Graph, Layer
from ppgnas.errors import ExportError
from ppgnas.task import Task

Ints = NDArray[np.int64]
TAPS = 3
TAP_BITS = 12
WEIGHT_BITS = 40
EXPONENT_BITS = 24
_STEPS = 64
EXP2 = tuple(round(2.0 ** (31 - j / _STEPS)) for j in range(_STEPS + 1))
BIAS_ROOM = 2**20
"""How far adapted biases may lie from those of the factory, in units of the accumulator."""


@dataclass(frozen=True)
class Ending:
    """From accumulators to centred outputs: rescaling, and limits of the centred value."""

    by: Factors
    low: int
    high: int

    def __call__(self, accumulators: Ints) -> Ints:
        return np.clip(single_rounding.rescale(accumulators, self.by), self.low, self.high)


@dataclass(frozen=True)
class Spread:
    """The convolution from the outputs of the dense layer to the classes.

    Attributes:
        weights: `(S, 3)` of the previous, the same and the next place.
        biases: `(S,)`.
        back: `(S, 3)` real taps in units of 2^-12, for the way back.
    """

    weights: Ints
    biases: Ints
    ending: Ending
    back: Ints


@dataclass(frozen=True)
class Head:
    """A head as it was trained.

    Attributes:
        weights: `(outputs, features)`, in [-127, 127].
        biases: `(outputs,)`.
        spread: None where the dense layer has an output a class.
        weight_scale: one for all weights.
    """

    layer: str
    weights: Ints
    biases: Ints
    ending: Ending
    spread: Spread | None
    feature_scale: float
    feature_zero: int
    weight_scale: float
    logit_scale: float
    logit_zero: int
    task: Task

    @property
    def outputs(self) -> int:
        """Of the dense layer."""
        return len(self.weights)

    @property
    def features(self) -> int:
        """That enter the dense layer."""
        return int(self.weights.shape[1])

    @cached_property
    def exponent(self) -> int:
        """c of `deploy.personal.fit`."""
        return exponent_of(self.logit_scale, bits=EXPONENT_BITS)

    def logits(self, features: Ints, weights: Ints, biases: Ints) -> NDArray[np.int8]:
        """Stored logits `(windows, classes)` of centred features `(windows, features)`."""
        coarse = self.ending(features @ weights.T + biases)
        if self.spread is None:
            return (coarse + self.logit_zero).astype(np.int8)
        padded = np.pad(coarse, ((0, 0), (1, 1)))
        near = np.stack([padded[:, tap : tap + self.outputs] for tap in range(TAPS)], axis=2)
        # (windows, outputs, taps)
        fine = self.spread.ending(near @ self.spread.weights.T + self.spread.biases)
        return (fine.reshape(len(features), -1) + self.logit_zero).astype(np.int8)

    def back(self, by_class: Ints) -> Ints:
        """`(classes,)` derivatives by the logits to `(outputs,)` by the dense layer's outputs."""
        if self.spread is None:
            return by_class
        places = by_class.reshape(self.outputs, -1)
        near = places @ self.spread.back
        # (outputs, taps): what place o says of place o + tap - 1
        total = near[:, 1].copy()
        total[:-1] += near[1:, 0]
        total[1:] += near[:-1, 2]
        return total >> TAP_BITS


def head_of(net: QuantizedNet) -> Head:
    """The head of a network.

    Raises:
        ExportError: the network does not end in pooled features, a dense layer and, at most, a
            convolution of three taps over its outputs; or its integers leave no room.
    """
    graph, layers = net.graph, list(net.graph.layers)
    names = [layer.name for layer in layers if layer.op == "fully_connected"]
    if not names or prod(graph.shape(graph.output)) != graph.task.classes:
        raise _no_head(f"it has no dense layer, or not {graph.task.classes} outputs")
    at = next(index for index, layer in enumerate(layers) if layer.name == names[-1])
    dense, after = layers[at], [layer for layer in layers[at + 1 :] if layer.op != "reshape"]
    if len(after) > 1 or dense.activation != "none":
        raise _no_head(f"{len(after)} layers come after the dense layer {dense.name!r}")
    scales = net.weight_scales[dense.name]
    if not (scales == scales[0]).all() or scales[0] == 0:
        raise _no_head(f"the weights of {dense.name!r} have several scales")
    weights, biases = (part[dense.name].astype(np.int64) for part in (net.weights, net.biases))
    ending = _ending(net, dense)
    room = 127 * 255 * weights.shape[1] + int(np.abs(biases).max()) + BIAS_ROOM
    if room << ending.by.left > fixed_point.INT32_MAX or np.abs(biases).max() >= 2**22:
        raise _no_head(f"biases or accumulators of {dense.name!r} are too large")
    feature_scale, feature_zero = net.activations[dense.inputs[0]]
    logit_scale, logit_zero = net.activations[graph.output]
    return Head(
        dense.name,
        weights,
        biases,
        ending,
        _spread(net, after[0], len(weights)) if after else None,
        feature_scale,
        feature_zero,
        float(scales[0]),
        logit_scale,
        logit_zero,
        graph.task,
    )


def _ending(net: QuantizedNet, layer: Layer) -> Ending:
    scale, zero = net.activations[layer.output]
    low, high = fixed_point.activation_range(layer.activation, scale, zero)
    return Ending(single_rounding.weighted_factors(net, layer), low - zero, high - zero)


def _spread(net: QuantizedNet, layer: Layer, places: int) -> Spread:
    weights = net.weights.get(layer.name, np.empty(0))
    outputs = net.graph.task.classes // places
    if layer.op != "conv" or weights.shape != (outputs, 1, TAPS, 1) or layer.padding != "same":
        raise _no_head(f"layer {layer.name!r} after the dense one is no convolution of three taps")
    taps = weights[:, 0, :, 0].astype(np.int64)
    real = taps * net.weight_scales[layer.name][:, None]
    back = np.rint(real * 2**TAP_BITS).astype(np.int64)
    if np.abs(back).max() >= 2**15:
        raise _no_head(f"a tap of {layer.name!r} is {np.abs(real).max():.3g}; allowed: below 8")
    biases = net.biases[layer.name].astype(np.int64)
    return Spread(taps, biases, _ending(net, layer), back)


def _no_head(why: str) -> ExportError:
    return ExportError(
        f"the network's head cannot be adapted: {why}. Networks of `ppgnas search` and `train` can"
    )


def trunk_of(net: QuantizedNet) -> QuantizedNet:
    """The network up to the features that enter its head."""
    graph, head = net.graph, head_of(net).layer
    at = [layer.name for layer in graph.layers].index(head)
    layers, end = graph.layers[:at], graph.layers[at].inputs[0]
    names = {graph.input, *(name for layer in layers for name in (*layer.inputs, layer.output))}
    tensors = tuple(tensor for tensor in graph.tensors if tensor.name in names)
    return replace(net, graph=Graph(layers, tensors, graph.input, end, task=graph.task))


def with_head(net: QuantizedNet, weights: Ints, biases: Ints) -> QuantizedNet:
    """The network with other weights and biases of its dense layer; scales stay."""
    name = head_of(net).layer
    return replace(
        net,
        weights={**net.weights, name: weights.astype(np.int8)},
        biases={**net.biases, name: biases.astype(np.int32)},
    )


def exp2(x: Ints, *, up: int = 0) -> Ints:
    """`2^-x * 2^(31 + up)` of `x >= 0` in units of 2^-24."""
    table = np.array(EXP2, np.int64)
    step, between = (x >> 18) & (_STEPS - 1), x & (2**18 - 1)
    value = table[step] - (((table[step] - table[step + 1]) * between) >> 18)
    result: Ints = (value << up) >> np.minimum(x >> 24, 62)
    return result


def weights(logits: NDArray[np.int8], exponent: int) -> Ints:
    """E of each class, `(windows, classes)`; the largest is 2^40."""
    wide = logits.astype(np.int64)
    below = wide.max(axis=1, keepdims=True) - wide
    return exp2(below * exponent, up=WEIGHT_BITS - 31)
