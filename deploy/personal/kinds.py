"""What may change of a head: the parameters of each kind, and what they make of the head.

Parameters are int32 and 0 in the factory, so that a pull to the factory head is a pull to 0. With
W, b the factory's weights and biases, f centred features, g the derivative of the loss by the
outputs of the dense layer and t[c] = sum_o g[o] W[o,c]:

    bias         b'[o] = b[o] + B[o]                               dB = g
    scale-bias   W'[o,c] = W[o,c] (1 + A[c])                       dA[c] = t[c] f[c]
                 b'[o] = b[o] + sum_c W[o,c] H[c]                  dH[c] = t[c]
    head         W'[o,c] = W[o,c] + D[o,c], b' as in bias          dD[o,c] = g[o] f[c]

    low-rank     as head, D and B with a row for every 36 classes and lines between them

`scale-bias` stretches and shifts every feature: 2 parameters a feature. In `low-rank` neighbouring
classes change together, so that heart rates which were not met while learning change with those
that were; the change has a rank of 6.

A is in units of 2^-16, H in 2^-16 steps of a feature, D in 2^-16 steps of a weight, B in 2^-8
steps of the accumulator. Every product is rounded once, ties up.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, Protocol, get_args

import numpy as np

from deploy.personal.head import BIAS_ROOM, Head, Ints

Kind = Literal["bias", "scale-bias", "head", "low-rank"]
KINDS: tuple[Kind, ...] = get_args(Kind)
ROW_CLASSES = 36
GRADIENT_BITS = 15
PARAMETER_BITS = 16
BIAS_BITS = 8
_MANTISSA_BITS = 24
_WEIGHT_MAX = 127


@dataclass(frozen=True)
class Rate:
    """A learning rate in stored units: `mantissa * 2^-shift`, mantissa below 2^24."""

    mantissa: int
    shift: int

    @staticmethod
    def of(value: float) -> Rate:
        """The nearest one."""
        fraction, exponent = np.frexp(value)
        shift = _MANTISSA_BITS - int(exponent)
        mantissa = int(np.floor(fraction * 2.0**_MANTISSA_BITS))
        while shift > 60:
            mantissa, shift = mantissa >> 1, shift - 1
        return Rate(mantissa, max(shift, 1))

    def in_round(self, number: int, rounds: int) -> Rate:
        """The rate falls on a line to nothing after the last round."""
        return Rate(self.mantissa * (rounds - number) // rounds, self.shift)

    def __call__(self, x: Ints) -> Ints:
        return (x * self.mantissa + (1 << (self.shift - 1))) >> self.shift


def rounded(x: Ints, bits: int) -> Ints:
    """`x / 2^bits`, ties up."""
    return (x + (1 << bits >> 1)) >> bits


class Change(Protocol):
    """Parameters of one kind for one head."""

    @property
    def sizes(self) -> tuple[int, ...]:
        """How many parameters each part has."""

    @property
    def limits(self) -> tuple[int, ...]:
        """How far those of each part may move from 0."""

    def rates(self, rate: float) -> tuple[Rate, ...]:
        """Of each part, from the rate on real weights."""

    def gradients(self, g: Ints, f: Ints) -> Sequence[Ints]:
        """Of each part, for one window."""

    def fold(self, parts: Sequence[Ints]) -> tuple[Ints, Ints]:
        """Weights and biases of the dense layer."""


@dataclass(frozen=True)
class _OfHead:
    head: Head

    def _bias_rate(self, rate: float) -> Rate:
        unit = self.head.feature_scale * self.head.weight_scale
        return Rate.of(rate / unit * 2.0 ** (BIAS_BITS - GRADIENT_BITS))


@dataclass(frozen=True)
class Bias(_OfHead):
    """See the module."""

    @property
    def sizes(self) -> tuple[int, ...]:
        return (self.head.outputs,)

    @property
    def limits(self) -> tuple[int, ...]:
        return (BIAS_ROOM << BIAS_BITS,)

    def rates(self, rate: float) -> tuple[Rate, ...]:
        return (self._bias_rate(rate),)

    def gradients(self, g: Ints, f: Ints) -> Sequence[Ints]:
        return (g,)

    def fold(self, parts: Sequence[Ints]) -> tuple[Ints, Ints]:
        return self.head.weights, self.head.biases + rounded(parts[0], BIAS_BITS)


@dataclass(frozen=True)
class ScaleBias(_OfHead):
    """See the module."""

    @property
    def sizes(self) -> tuple[int, ...]:
        return (self.head.features, self.head.features)

    @property
    def limits(self) -> tuple[int, ...]:
        # A feature is at most doubled or taken away, and shifted by no more than biases bear.
        steps = min(64, BIAS_ROOM // int(np.abs(self.head.weights).sum(axis=1).max() + 1))
        return (1 << PARAMETER_BITS, steps << PARAMETER_BITS)

    def rates(self, rate: float) -> tuple[Rate, ...]:
        head, up = self.head, 2.0 ** (PARAMETER_BITS - GRADIENT_BITS)
        return (
            Rate.of(rate * head.weight_scale * head.feature_scale * up),
            Rate.of(rate * head.weight_scale / head.feature_scale * up),
        )

    def gradients(self, g: Ints, f: Ints) -> Sequence[Ints]:
        t = g @ self.head.weights
        return (t * f, t)

    def fold(self, parts: Sequence[Ints]) -> tuple[Ints, Ints]:
        head, (scale, shift) = self.head, parts
        wide = rounded(head.weights * ((1 << PARAMETER_BITS) + scale), PARAMETER_BITS)
        biases = head.biases + rounded(head.weights @ shift, PARAMETER_BITS)
        return np.clip(wide, -_WEIGHT_MAX, _WEIGHT_MAX), biases


@dataclass(frozen=True)
class Whole(_OfHead):
    """See the module; there is a row of D and B for every `spacing` outputs."""

    spacing: int

    @property
    def rows(self) -> int:
        """Of D."""
        return -(-(self.head.outputs - 1) // self.spacing) + 1

    @property
    def sizes(self) -> tuple[int, ...]:
        return (self.rows * self.head.features, self.rows)

    @property
    def limits(self) -> tuple[int, ...]:
        return (32 << PARAMETER_BITS, BIAS_ROOM << BIAS_BITS)

    def rates(self, rate: float) -> tuple[Rate, ...]:
        unit = self.head.feature_scale / self.head.weight_scale
        up = 2.0 ** (PARAMETER_BITS - GRADIENT_BITS)
        return (Rate.of(rate * unit * up), self._bias_rate(rate))

    @cached_property
    def _lines(self) -> Ints:
        """`(outputs, rows)` whole numbers that sum to `spacing` in each output."""
        away = np.arange(self.head.outputs)[:, None] - self.spacing * np.arange(self.rows)
        result: Ints = np.maximum(self.spacing - np.abs(away), 0).astype(np.int64)
        return result

    def gradients(self, g: Ints, f: Ints) -> Sequence[Ints]:
        rows = (g @ self._lines) // self.spacing
        return (np.outer(rows, f).ravel(), rows)

    def fold(self, parts: Sequence[Ints]) -> tuple[Ints, Ints]:
        head, lines = self.head, self._lines
        drawn = (lines @ parts[0].reshape(self.rows, -1)) // self.spacing
        weights = head.weights + rounded(drawn, PARAMETER_BITS)
        biases = head.biases + rounded((lines @ parts[1]) // self.spacing, BIAS_BITS)
        return np.clip(weights, -_WEIGHT_MAX, _WEIGHT_MAX), biases


def change_of(kind: Kind, head: Head) -> Change:
    """The parameters of a kind."""
    if kind == "bias":
        return Bias(head)
    if kind == "scale-bias":
        return ScaleBias(head)
    return Whole(head, 1 if kind == "head" else ROW_CLASSES * head.outputs // head.task.classes)
