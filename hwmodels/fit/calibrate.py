"""Fitting an engine to a user's timings of one board.

* Whole networks: one factor on the engine's cycles, the median of measured over predicted.
* Single layers: a law of its own for every kernel with enough of them, and that factor for the
  others.
* One anchor (or two): the factor alone, and the interval of what is left once build and part are
  known: 90 % of the pairs of timed networks, one as the anchor of the other. It is never wider
  than the interval without an anchor.

The factor carries over to other boards of the same core.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hwmodels.boards import Board
from hwmodels.engines.engine import SMALL_MACS, Engine
from hwmodels.engines.file import CalibrationFile, LimitsFile, TimedKernel
from hwmodels.engines.kernels import TIMED, kernel_class, timed_class
from hwmodels.engines.load import engine_text
from hwmodels.estimate import Estimate
from hwmodels.fit.calibration_csv import LayerTiming, Unit
from hwmodels.fit.law_file import bounds, table, timed_kernel
from hwmodels.fit.regression import (
    Array,
    HeldOut,
    half_width,
    leave_groups_out,
    leave_groups_out_linear,
    share_inside,
    solve,
)
from hwmodels.generated_c.cost import fast_cost
from hwmodels.graph import Graph
from ppgnas.errors import DataError, GraphError
from ppgnas.task import Mode

# A law is fitted where there are this many layers and shapes of weights per feature.
_LAYERS_PER_FEATURE = 3
_GROUPS_PER_FEATURE = 1.5
# Networks on a core that none were timed on, and those of generated C, which was counted: pairs of
# networks under TFLM on a Cortex-M7 (`anchored` in data/tflm_timed.toml).
_ANCHORED = 0.125
# Measured over predicted: kernels without SIMD or a poor build may take this much longer.
_LARGEST_FACTOR = 20.0
USUAL_FACTOR = 4.0  # builds with other caches or compilers lie within it
_SAME_UNIT = 1.6  # of the factor that another unit would make
# What a kernel's layers leave out, where an engine is fitted on layers alone.
MIXED = 300  # times; between the next two units lie 1000
_LEAST_WIDTH = 0.02


@dataclass(frozen=True)
class Calibration:
    """What was fitted and what it is worth.

    Attributes:
        scale: factor on the engine's cycles.
        network: measured over predicted after the fit, 90 %.
        before, held_out: predictions without the fit, and of held-out points; both in cycles.
    """

    core: str
    part: str
    scale: float
    network: Estimate
    kernels: dict[str, TimedKernel]
    before: HeldOut
    held_out: HeldOut | None
    names: tuple[str, ...]

    @property
    def inside(self) -> float | None:
        """Share of held-out points inside the 90 % interval of the others."""
        return None if self.held_out is None else share_inside(self.held_out)


def _own_ratio(board: Board) -> float:
    """Cycles of a board relative to a Cortex-M7 of ratio 1, where the board is one."""
    return board.core_ratio.value if board.core == "Cortex-M7" else 1.0


def raw_cycles(graph: Graph, board: Board, engine: Engine, mode: Mode = "window") -> float:
    """Cycles of a graph before the profile's factor and with a Cortex-M7's own ratio.

    Raises:
        BoardError: the engine has no streaming.
        GraphError: the engine has no cost for an operator, or the graph cannot stream.
    """
    engine.check_mode(mode)
    ratio = _own_ratio(board)
    if engine.kind == "program":
        return fast_cost(graph, engine.law, mode)[0] * ratio
    profile = engine.profile(board)
    cycles = sum(
        engine.work(
            layer, graph.shape(layer.inputs[0]), graph.shape(layer.output), profile
        ).cycles.value
        for layer in graph.layers
    )
    return cycles * ratio


def from_networks(
    names: Sequence[str],
    graphs: Sequence[Graph],
    cycles: Sequence[float],
    board: Board,
    engine: Engine,
    *,
    modes: Sequence[Mode] | None = None,
) -> Calibration:
    """Calibrate with whole networks; one or two are anchors without a held-out error.

    Args:
        modes: of each; all computed the whole window if left out.
    """
    measured = np.array(cycles, dtype=np.float64)
    modes = ["window"] * len(names) if modes is None else modes
    raw = np.array(
        [raw_cycles(g, board, engine, mode) for g, mode in zip(graphs, modes, strict=True)]
    )
    ratios = np.log(measured / raw)
    _check_one_unit(ratios, names)
    keys = tuple(names)
    scale = math.exp(float(np.median(ratios)))
    held_out = None
    if len(set(keys)) > 2:
        held_out = leave_groups_out(
            keys, measured, lambda seen, out: raw[out] * math.exp(float(np.median(ratios[seen])))
        )
        width = half_width(held_out.residuals)
    else:
        width = _anchored_width(board, engine, max(graph.total_macs for graph in graphs))
    return Calibration(
        core=board.core,
        part=board.part,
        scale=scale,
        network=Estimate.exact(1.0).widened(width),
        kernels={},
        before=HeldOut(measured, _before(raw, board, engine), keys),
        held_out=held_out,
        names=keys,
    )


def _check_one_unit(ratios: Array, where: Sequence[str]) -> None:
    """Refuse timings of which some are in another unit: no kernel strays so far."""
    # Of two halves, that which the engine is nearer to: between them lies no unit at all.
    ordered = np.sort(ratios)
    usual = min(ordered[(len(ordered) - 1) // 2], ordered[len(ordered) // 2], key=abs)
    off = ratios - usual
    other = np.flatnonzero(np.abs(off) > math.log(MIXED))
    if len(other):
        first = int(other[0])
        raise DataError(
            f"{len(other)} of {len(ratios)} timings are not in the unit of the others: that of "
            f"{where[first]} is {math.exp(float(off[first])):.3g} times what the engine and the "
            f"others say; allowed: 1/{MIXED} to {MIXED}. Give all in one unit, or "
            "correct its shapes"
        )


def _before(raw: Array, board: Board, engine: Engine) -> Array:
    """Predictions of the engine as it was."""
    return np.asarray(
        raw / _own_ratio(board) * engine.profile(board).factor(board).value, dtype=np.float64
    )


def _anchored_width(board: Board, engine: Engine, macs: int) -> float:
    """Half width in logs of a network after one other was measured on the same board and build."""
    profile = engine.profile(board)
    width = _ANCHORED if profile.anchored is None else profile.anchored
    width = profile.anchored_on.get(board.core, width)
    if profile.regimes is not None:
        small = macs < SMALL_MACS
        regimes = profile.regimes
        width = math.log((regimes.anchored_small if small else regimes.anchored_large).high)
    before = profile.factor(board, macs=macs)
    return max(min(width, math.log(before.high / before.low) / 2), _LEAST_WIDTH)


def from_layers(layers: Sequence[LayerTiming], board: Board, engine: Engine) -> Calibration:
    """Calibrate with single layers.

    Raises:
        DataError: all layers are alike.
        GraphError: the engine has no cost for an operator, or runs several layers as one.
    """
    if engine.kind == "program":
        raise GraphError(
            f"engine {engine.name!r} runs several layers as one, so timings of single layers say "
            "nothing of it; time a whole network and give it with `anchor`, or calibrate an "
            "`engine` that runs layer by layer, such as tflm-cmsis-nn"
        )
    profile = engine.profile(board)
    # Laws, like all cycles of a profile, are those of a Cortex-M7 of ratio 1.
    ratio = _own_ratio(board)
    measured = np.array([layer.cycles for layer in layers])
    kernels = [kernel_class(layer.op, layer.geometry) for layer in layers]
    raw = np.array(
        [
            profile.work(kernel, layer.geometry).cycles.value
            for kernel, layer in zip(kernels, layers, strict=True)
        ]
    )
    raw *= ratio
    keys = tuple(_group(layer) for layer in layers)
    if len(set(keys)) == 1:
        alike = ", ".join(map(str, keys[0]))
        raise DataError(
            f"all {len(layers)} layers have one kind, kernel and channels ({alike}), so none "
            "says how far the others can be trusted; time layers of other channels too"
        )
    ratios = np.log(measured / raw)
    _check_one_unit(ratios, [f"line {layer.line}" for layer in layers])
    held_out = leave_groups_out(
        keys, measured, lambda seen, out: raw[out] * math.exp(float(np.median(ratios[seen])))
    )
    members: dict[str, list[int]] = defaultdict(list)
    for index, (kernel, layer) in enumerate(zip(kernels, layers, strict=True)):
        name = timed_class(kernel, layer.geometry)
        if name is not None:
            members[name].append(index)
    predicted = held_out.predicted.copy()
    laws = {}
    for name, rows in sorted(members.items()):
        groups = [keys[row] for row in rows]
        features = len(TIMED[name].names)
        if len(rows) < _LAYERS_PER_FEATURE * features or (
            len(set(groups)) < _GROUPS_PER_FEATURE * features
        ):
            continue
        own = leave_groups_out_linear(_design(name, layers, rows), measured[rows] / ratio, groups)
        # A line through few points may cross 0 at the one that is held out.
        if own.predicted.min() > 0 and own.mape < float(np.mean(np.abs(held_out.errors[rows]))):
            predicted[rows] = own.predicted * ratio
            limits = LimitsFile.of([layers[row].geometry for row in rows])
            coefficients = solve(_design(name, layers, rows), own.measured)
            laws[name] = timed_kernel(name, coefficients, limits, own, places=5)
    final = HeldOut(measured, predicted, keys)
    width = max(half_width(final.residuals), _LEAST_WIDTH)
    return Calibration(
        core=board.core,
        part=board.part,
        scale=math.exp(float(np.median(ratios))),
        network=Estimate.exact(1.0).widened(width),
        kernels=laws,
        before=HeldOut(measured, _before(raw, board, engine), keys),
        held_out=final,
        names=tuple(f"line {layer.line}" for layer in layers),
    )


def _group(layer: LayerTiming) -> tuple[object, ...]:
    g = layer.geometry
    return layer.op, g.kernel_h, g.kernel_w, g.cin, g.cout


def _design(name: str, layers: Sequence[LayerTiming], rows: Sequence[int]) -> Array:
    features = [TIMED[name].features(layers[row].geometry) for row in rows]
    return np.array(features, dtype=np.float64)


def check_factor(found: Calibration, board: Board, engine: Engine, *, unit: Unit = "ms") -> str:
    """Refuse timings that no build of the engine can have, or that another unit explains.

    Returns:
        A caution on a factor that builds seldom have; empty if it is usual.

    Raises:
        DataError: they are 20 times what the engine predicts, or a 20th, or just as many times as
            nanoseconds taken for cycles would be; says which unit fits.
    """
    factor = math.exp(float(np.median(found.before.residuals)))
    sizes_s = {"nanoseconds": 1e-9, "microseconds": 1e-6, "seconds": 1.0, "ms": 1e-3}
    sizes_s["cycles"] = 1 / board.clock_hz
    taken_s = sizes_s.pop(unit)
    off = {name: abs(math.log(factor * size_s / taken_s)) for name, size_s in sizes_s.items()}
    nearest = min(off, key=lambda name: off[name])
    usual = 1 / USUAL_FACTOR < factor < USUAL_FACTOR
    other = off[nearest] < math.log(_SAME_UNIT) and abs(math.log(factor)) > math.log(_SAME_UNIT)
    if 1 / _LARGEST_FACTOR <= factor <= _LARGEST_FACTOR and (usual or not other):
        if usual and not other:
            return ""
        look = f" they may be {nearest}, not {unit};" if other else ""
        return (
            f"the timings are {factor:.3g} times what {engine.name} predicts, and builds of one "
            f"engine seldom differ that much;{look} check the unit of the timings, the clock, the "
            "optimisation and the caches before you use this file"
        )
    near = sorted((n for n in off if off[n] < math.log(_LARGEST_FACTOR)), key=lambda n: off[n])
    raise DataError(
        f"the timings are {factor:.4g} times what {engine.name} predicts on {board.name}; "
        f"allowed: 1/{_LARGEST_FACTOR:g} to {_LARGEST_FACTOR:g}. "
        + (f"They look like {' or '.join(near)}, not {unit}. " if near else "")
        + "Check their unit, the clock of `board` or of the rows, and that the networks are those "
        "that ran; if all are right, another `engine` is nearer"
        + (", or give them as latency_ms." if unit == "cycles" else ".")
    )


def render(found: Calibration, base: str, *, name: str, source: str) -> str:
    """An engine file: the base engine's text under a new name, and the calibration.

    Args:
        base: name or path of the engine that it was fitted on.
        source: what the timings were, as one line.
    """
    errors = {} if found.held_out is None else {"mean_error": round(found.held_out.mape, 5)}
    calibration = CalibrationFile(
        core=found.core,
        part=found.part,
        scale=float(f"{found.scale:.12g}"),
        network=bounds(found.network, places=5),
        points=len(found.names),
        source=_plain(source),
        kernels=found.kernels,
        **errors,
    )
    values = {"calibration": calibration.model_dump(mode="json", exclude_unset=True)}
    text = engine_text(base, name_as=name).rstrip()
    return "\n".join([f"# {base} calibrated by `ppgnas calibrate`.", text, *table(values)]) + "\n"


def _plain(text: str) -> str:
    """Text that stands in a TOML string as it is."""
    return "".join(c for c in text if c.isprintable() and c not in '"\\')
