"""Whole networks on a Cortex-M7 under TFLM with CMSIS-NN: scales of another part's laws.

A Cortex-M7 was not timed layer by layer. It takes the laws of the STM32F446 with one scale for
windows, one for 1 x 1, and cycles per MAC of depthwise windows, all fitted on whole networks. Six
networks of the same build on an STM32F446 join them, whose core has one ratio: what one kernel
costs beside another is the build's, and they tell it of a board that is left out.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hwmodels.engines.kernels import CLASSES, TIMED, kernel_class, timed_class
from hwmodels.fit import counted as fit
from hwmodels.fit.regression import Array, HeldOut, solve
from hwmodels.fit.timings import TimedNetwork, timed_networks

REFERENCE = "STM32F446"
CORTEX_M7 = "Cortex-M7"
SCALES = ("window", "conv_1x1", "depthwise_window")
_ROUNDS = 20
_TYPICAL_RATIO = 1.9


@dataclass(frozen=True)
class Sums:
    """Whole networks as the fit of the scales sees them.

    Attributes:
        networks: on a Cortex-M7, and of their build on the reference part.
        scaled: `(networks, 3)` what `SCALES` multiply.
        instructions: `(networks, 3)` counted: all, those that no scale covers, of dense layers.
        fixed: `(networks,)` cycles outside the laws.
    """

    networks: tuple[TimedNetwork, ...]
    scaled: Array
    instructions: Array
    fixed: Array

    @property
    def cycles(self) -> Array:
        """`(networks,)` as published."""
        return np.array([network.cycles for network in self.networks])

    def on(self, *, cortex_m7: bool) -> NDArray[np.int64]:
        """Indices of the networks on a Cortex-M7, or of the others."""
        return np.flatnonzero([(n.core == CORTEX_M7) == cortex_m7 for n in self.networks])


@dataclass(frozen=True)
class Scales:
    """What carries laws and counts to a Cortex-M7.

    Attributes:
        per_instruction: cycles per counted instruction.
        dense: the same of fully connected layers, from the networks that have no others.
        ratio: cycles of the reference part over those of a Cortex-M7, in one build.
    """

    scales: Array
    per_instruction: float
    dense: float
    ratio: float

    def cycles(self, sums: Sums) -> Array:
        """`(networks,)` of a Cortex-M7."""
        _, unscaled, dense = sums.instructions.T
        counted = self.per_instruction * unscaled + self.dense * dense
        return np.asarray(sums.scaled @ self.scales + counted + sums.fixed)


@dataclass(frozen=True)
class NetworkFit:
    """Whole networks on a Cortex-M7.

    Attributes:
        m7_only: without those on the reference part, of which its own core is judged.
        networks: on a Cortex-M7, in the order of the predictions.
        held_out: a network is left out, on whatever boards.
        new_board: all networks on its board are left out.
        new: a network and its board.
    """

    fitted: Scales
    m7_only: Scales
    networks: tuple[TimedNetwork, ...]
    held_out: HeldOut
    new_board: HeldOut
    new: HeldOut


def m7_networks() -> tuple[TimedNetwork, ...]:
    """Whole networks under TFLM with CMSIS-NN on a Cortex-M7, and those of the reference part."""
    return tuple(
        network for network in timed_networks("TFLM+CMSIS-NN")
        if network.core == CORTEX_M7 or network.mcu == REFERENCE
    )  # fmt: skip


def terms(network: TimedNetwork, laws: dict[str, Array], counted: dict[str, fit.Law]) -> Array:
    """Sums over one network: `SCALES`, instructions (all, unscaled, of dense layers), others."""
    scaled = dict.fromkeys(SCALES, 0.0)
    unscaled = dense = 0.0
    instructions, fixed = fit.counted_instructions(counted, network.layers)
    for op, shape in network.layers:
        if op not in fit.COUNTED_OPS:
            continue
        kernel = kernel_class(op, shape)
        name = timed_class(kernel, shape)
        if name is None or name == "fully_connected":
            own = float(np.dot(CLASSES[kernel].features(shape), counted[kernel].instructions))
            unscaled += own if name is None else 0.0
            dense += 0.0 if name is None else own
        elif name == "depthwise_window":
            scaled[name] += TIMED[name].features(shape)[0]
        else:
            key = name if name == "conv_1x1" else "window"
            scaled[key] += float(np.dot(TIMED[name].features(shape), laws[name]))
    return np.array([*scaled.values(), instructions, unscaled, dense, fixed])


def fit_networks(laws: dict[str, Array], counted: dict[str, fit.Law]) -> NetworkFit:
    """Scales of a Cortex-M7 from whole networks, and what they are worth on those left out.

    Args:
        laws: coefficients of the reference part by kernel in `TIMED`.
    """
    networks = m7_networks()
    columns = np.array([terms(network, laws, counted) for network in networks])
    sums = Sums(networks, columns[:, :3], columns[:, 3:6], columns[:, 6])
    own = sums.on(cortex_m7=True)

    def without(alike: Callable[[TimedNetwork, TimedNetwork], bool]) -> HeldOut:
        predicted = []
        for left_out in own:
            seen = [i for i, n in enumerate(networks) if not alike(n, networks[left_out])]
            predicted.append(_scales(sums, np.array(seen)).cycles(sums)[left_out])
        groups = tuple(networks[i].model for i in own)
        return HeldOut(sums.cycles[own], np.array(predicted), groups)

    return NetworkFit(
        fitted=_scales(sums, np.arange(len(networks))),
        m7_only=_scales(sums, own),
        networks=tuple(networks[i] for i in own),
        held_out=without(lambda a, b: a.model == b.model),
        new_board=without(lambda a, b: a.mcu == b.mcu),
        new=without(lambda a, b: a.mcu == b.mcu or a.model == b.model),
    )


def _scales(sums: Sums, rows: NDArray[np.int64]) -> Scales:
    """Scales for a ratio of the reference part, the ratio for the scales, in turn."""
    others = np.intersect1d(rows, sums.on(cortex_m7=False))
    # A network of fully connected layers says nothing of the scales, and alone of its own.
    dense = sums.scaled.sum(axis=1) == 0
    fitted, alone = rows[~dense[rows]], rows[dense[rows]]
    told = np.intersect1d(others, fitted)
    ratio = _TYPICAL_RATIO
    for _ in range(_ROUNDS):
        base = sums.cycles.copy()
        base[sums.on(cortex_m7=False)] /= ratio
        ratios = (base - sums.fixed) / sums.instructions[:, 0]
        per_instruction = float(np.median(ratios[rows]))
        per_dense = float(np.median(ratios[alone])) if len(alone) else per_instruction
        counted = sums.instructions[:, 1:] @ [per_instruction, per_dense] + sums.fixed
        scales = solve(sums.scaled[fitted], base[fitted], counted[fitted])
        found = Scales(scales, per_instruction, per_dense, ratio)
        if len(told):
            share = found.cycles(sums)[told] / sums.cycles[told]
            ratio = float(share.sum() / (share @ share))
    return found


def depthwise_cycles(networks: NetworkFit, per_instruction: float) -> float:
    """Cycles of a MAC of a depthwise window where a counted instruction takes so many."""
    told = networks.m7_only
    return float(told.scales[2] * per_instruction / told.per_instruction)
