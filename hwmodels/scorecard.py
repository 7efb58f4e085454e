"""The cost of a graph on a board under an engine.

`score` gives every figure with its bounds and per layer; `costs` gives the values alone and is the
search's fast path (about 100 us for 35 layers). Both read the same remembered layer costs and the
same planner, so they agree to rounding.

Conventions: latency is `cycles / clock`; `energy_mj` is one inference without sleep; `power_mw`
is the average at one inference per period; `flash_bytes` holds the model, its kernels and the
runtime, `sram_bytes` the arena and the runtime. Layer cycles are those of the board's core.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from operator import add
from typing import Any

from hwmodels import c_cost
from hwmodels.arena import Plan, aligned, buffers_of, place, plan
from hwmodels.boards import Board
from hwmodels.c_law import CLaw
from hwmodels.engine import Engine, Profile, Work
from hwmodels.estimate import Estimate, total
from hwmodels.flash import flash_parts
from hwmodels.graph import Graph, Layer
from hwmodels.kernels import Shape, geometry, scratch_bytes
from hwmodels.power import average, average_power_mw, inference_energy_mj

PERIOD_S = 2.0
# Operators with one weight scale per output channel; a fully connected layer has one for all.
PER_CHANNEL_OPS = frozenset({"conv", "depthwise_conv"})
# Above this share of the cycles, kernels without a fitted law put a network out of range.
ASSUMED_SHARE = 0.25
# So do layers beyond the sizes that their law was fitted on, above this share.
OUTSIDE_SHARE = 0.1
# A search sees some ten thousand kinds of layers; the memory is bounded all the same.
_MEMO_ENTRIES = 200_000


@dataclass(frozen=True, slots=True)
class Costs:
    """Values of one architecture, without bounds."""

    latency_ms: float
    flash_bytes: float
    sram_bytes: float
    power_mw: float
    energy_mj: float
    weight_bytes: int
    macs: int


@dataclass(frozen=True, slots=True)
class LayerCost:
    """One row of the layer table; `live_bytes` counts all activations and scratch at that time."""

    name: str
    op: str
    macs: int
    cycles: Estimate
    weight_bytes: int
    live_bytes: int
    in_calibrated_range: bool


@dataclass(frozen=True)
class Scorecard:
    """All costs of one network, with bounds.

    Attributes:
        board, engine: names.
        latency_ms, cycles, energy_mj, power_mw: see the module.
        flash_bytes: sum of `flash_weights_bytes` (the stored model), `flash_code_bytes` (kernels)
            and `flash_runtime_bytes`.
        sram_bytes: sum of `arena_bytes` and `sram_runtime_bytes`.
        peak_layer: the layer during which the arena is fullest.
        weight_bytes, macs: of the graph, exact.
        layers: in execution order.
        in_calibrated_range: layers beyond the sizes that their law was fitted on take at most
            `OUTSIDE_SHARE` of the cycles, and kernels without a law at most `ASSUMED_SHARE`.
    """

    board: str
    engine: str
    latency_ms: Estimate
    cycles: Estimate
    flash_bytes: Estimate
    flash_weights_bytes: float
    flash_code_bytes: float
    flash_runtime_bytes: float
    sram_bytes: Estimate
    arena_bytes: float
    sram_runtime_bytes: float
    peak_layer: str
    energy_mj: Estimate
    power_mw: Estimate
    weight_bytes: int
    macs: int
    layers: tuple[LayerCost, ...]
    in_calibrated_range: bool

    def to_json(self) -> dict[str, Any]:
        """The document of `ppgnas score --json`; bytes and cycles are whole numbers."""
        return {
            "board": self.board,
            "engine": self.engine,
            "latency_ms": self.latency_ms.to_json(),
            "cycles": _whole(self.cycles),
            "flash_bytes": {
                **_whole(self.flash_bytes),
                "weights": round(self.flash_weights_bytes),
                "code": round(self.flash_code_bytes),
                "runtime": round(self.flash_runtime_bytes),
            },
            "sram_bytes": {
                **_whole(self.sram_bytes),
                "arena": round(self.arena_bytes),
                "runtime": round(self.sram_runtime_bytes),
                "peak_layer": self.peak_layer,
            },
            "energy_mj": self.energy_mj.to_json(),
            "power_mw": self.power_mw.to_json(),
            "in_calibrated_range": self.in_calibrated_range,
            "layers": [
                {
                    "name": layer.name,
                    "op": layer.op,
                    "macs": layer.macs,
                    "cycles": round(layer.cycles.value),
                    "weight_bytes": layer.weight_bytes,
                    "live_bytes": layer.live_bytes,
                }
                for layer in self.layers
            ],
        }


def _whole(estimate: Estimate) -> dict[str, int]:
    return {key: round(number) for key, number in estimate.to_json().items()}


@dataclass(frozen=True, slots=True)
class _Known:
    """What is remembered of a kind of layer; all but `work` are exact."""

    work: Work
    kernel: str
    cycles: float
    macs: int
    weight_bytes: int
    channels: int
    scratch: int
    scratch_aligned: int
    output_aligned: int


def _know(
    graph: Graph, layer: Layer, engine: Engine, profile: Profile, source: Shape, target: Shape
) -> _Known:
    work = engine.work(layer, source, target, profile)
    scratch = 0
    if engine.cmsis_nn_scratch:
        scratch = scratch_bytes(work.kernel, geometry(layer, source, target))
    return _Known(
        work=work,
        kernel=work.kernel,
        cycles=work.cycles.value,
        macs=graph.macs(layer),
        weight_bytes=graph.weight_bytes(layer),
        channels=target[-1] if layer.op in PER_CHANNEL_OPS else 0,
        scratch=scratch,
        scratch_aligned=aligned(scratch),
        output_aligned=aligned(_elements(target)),
    )


def _elements(shape: Shape) -> int:
    count = 1
    for size in shape:
        count *= size
    return count


def _known_layers(graph: Graph, engine: Engine, profile: Profile) -> list[_Known]:
    memo = profile.memo
    shapes = {tensor.name: tensor.shape for tensor in graph.tensors}
    known = []
    for layer in graph.layers:
        source, target = shapes[layer.inputs[0]], shapes[layer.output]
        key = (layer.op, source, target, layer.kernel, layer.stride, layer.dilation)
        found = memo.get(key)
        if found is None:
            found = _know(graph, layer, engine, profile, source, target)
            if len(memo) >= _MEMO_ENTRIES:
                memo.clear()
            memo[key] = found
        known.append(found)
    return known  # type: ignore[return-value]


def score(
    graph: Graph,
    board: Board,
    engine: Engine,
    *,
    period_s: float = PERIOD_S,
    file_bytes: int | None = None,
) -> Scorecard:
    """All costs of a graph, per layer and with bounds.

    Args:
        graph: the network.
        board: where it runs.
        engine: what runs it.
        period_s: seconds between two inferences.
        file_bytes: size of the model's TFLite file where there is one; an engine that keeps the
            file in flash as it is then has no error there.

    Raises:
        BoardError: the engine does not run on the board.
        GraphError: the engine has no cost for an operator.
    """
    engine.check(board)
    if engine.generated is not None:
        return _score_generated(graph, board, engine, engine.generated, period_s)
    profile = engine.profile(board)
    known = _known_layers(graph, engine, profile)
    placed = plan(buffers_of(graph, [k.scratch for k in known]), len(known) + 1)
    factor = profile.factor(board)
    per_layer = [k.work.cycles.times(factor) for k in known]
    cycles = total(per_layer)
    latency = cycles.times(1e3 / board.clock_hz)
    channels = sum(k.channels for k in known)
    weight_bytes = sum(k.weight_bytes for k in known)
    flash = flash_parts(
        engine,
        weight_bytes=weight_bytes,
        channels=channels,
        ops=len(known),
        weighted_ops=sum(k.weight_bytes > 0 for k in known),
        kernels=(k.work.kernel for k in known),
    )
    if file_bytes is not None and engine.flash.model_base.value > 0:
        flash = replace(flash, weights=Estimate.exact(file_bytes))
    arena = _arena(engine, placed, channels, len(known))
    values = sum(k.cycles for k in known)
    assumed = sum(k.cycles for k in known if k.work.assumed)
    outside = sum(k.cycles for k in known if not (k.work.calibrated or k.work.assumed))
    return Scorecard(
        board=board.name,
        engine=engine.name,
        latency_ms=latency,
        cycles=cycles,
        flash_bytes=flash.weights + flash.code + flash.runtime,
        flash_weights_bytes=flash.weights.value,
        flash_code_bytes=flash.code.value,
        flash_runtime_bytes=flash.runtime.value,
        sram_bytes=arena + engine.sram.runtime,
        arena_bytes=arena.value,
        sram_runtime_bytes=engine.sram.runtime.value,
        peak_layer=graph.layers[max(placed.peak_time - 1, 0)].name,
        energy_mj=inference_energy_mj(board, latency),
        power_mw=average_power_mw(board, latency, period_s=period_s),
        weight_bytes=weight_bytes,
        macs=sum(k.macs for k in known),
        layers=tuple(
            LayerCost(
                layer.name, layer.op, k.macs, layer_cycles, k.weight_bytes, live, k.work.calibrated
            )
            for layer, k, layer_cycles, live in zip(
                graph.layers, known, per_layer, placed.live_bytes[1:], strict=True
            )
        ),
        in_calibrated_range=outside <= OUTSIDE_SHARE * values
        and assumed <= ASSUMED_SHARE * values,
    )


def _score_generated(
    graph: Graph, board: Board, engine: Engine, law: CLaw, period_s: float
) -> Scorecard:
    """`score` of generated C: no interpreter, no file, a scratch buffer instead of an arena."""
    found = c_cost.cost(graph, law)
    factor = engine.profile(board).factor(board)
    per_layer = [layer.cycles.times(factor) for layer in found.layers]
    cycles = total([*per_layer, Estimate.exact(found.call_cycles).times(factor)])
    latency = cycles.times(1e3 / board.clock_hz)
    tables = Estimate.exact(found.tables_bytes)
    return Scorecard(
        board=board.name,
        engine=engine.name,
        latency_ms=latency,
        cycles=cycles,
        flash_bytes=tables + found.code_bytes,
        flash_weights_bytes=tables.value,
        flash_code_bytes=found.code_bytes.value,
        flash_runtime_bytes=0.0,
        sram_bytes=Estimate.exact(found.scratch_bytes),
        arena_bytes=found.scratch_bytes,
        sram_runtime_bytes=0.0,
        peak_layer=found.peak_layer,
        energy_mj=inference_energy_mj(board, latency),
        power_mw=average_power_mw(board, latency, period_s=period_s),
        weight_bytes=graph.total_weight_bytes,
        macs=graph.total_macs,
        layers=tuple(
            LayerCost(
                layer.name,
                layer.op,
                graph.macs(layer),
                layer_cycles,
                graph.weight_bytes(layer),
                cost.live_bytes,
                cost.in_range,
            )
            for layer, cost, layer_cycles in zip(
                graph.layers, found.layers, per_layer, strict=True
            )
        ),
        in_calibrated_range=found.outside_share <= OUTSIDE_SHARE
        and found.plain_share <= ASSUMED_SHARE,
    )


def _arena(engine: Engine, placed: Plan, channels: int, ops: int) -> Estimate:
    """Planned tensors and what the runtime keeps beside them."""
    rules = engine.sram
    return (
        rules.arena_factor.times(placed.arena_bytes)
        + rules.arena_base
        + rules.arena_per_op.times(ops)
        + rules.arena_per_channel.times(channels)
    )


def costs(graph: Graph, board: Board, engine: Engine, *, period_s: float = PERIOD_S) -> Costs:
    """The values of `score`, fast: plain arithmetic on remembered layers.

    Raises:
        BoardError: the engine does not run on the board.
        GraphError: the engine has no cost for an operator.
    """
    return costs_many((graph,), board, engine, period_s=period_s)[0]


def costs_many(
    graphs: Iterable[Graph], board: Board, engine: Engine, *, period_s: float = PERIOD_S
) -> list[Costs]:
    """`costs` of a batch: what depends on board and engine alone is read once.

    Raises:
        BoardError: the engine does not run on the board.
        GraphError: the engine has no cost for an operator.
    """
    engine.check(board)
    if engine.generated is not None:
        return _costs_generated(graphs, board, engine, engine.generated, period_s)
    profile = engine.profile(board)
    flash, sram = engine.flash, engine.sram
    ms_per_cycle = profile.factor(board).value * 1e3 / board.clock_hz
    code_bytes = {kernel: figure.value for kernel, figure in flash.kernels.items()}
    flash_base = flash.model_base.value + flash.interpreter.value
    flash_op, flash_weighted = flash.model_per_op.value, flash.model_per_weighted_op.value
    flash_channel = flash.model_per_channel.value
    sram_base, sram_op = sram.arena_base.value + sram.runtime.value, sram.arena_per_op.value
    sram_channel, sram_factor = sram.arena_per_channel.value, sram.arena_factor.value
    active_mw, sleep_mw = board.active_mw.value, board.sleep_mw.value
    found = []
    for graph in graphs:
        known = _known_layers(graph, engine, profile)
        cycles = 0.0
        macs = weights = channels = weighted_ops = 0
        kernels = set()
        first, last = {graph.input: 0}, {graph.input: 0}
        sizes = {graph.input: aligned(_elements(graph.shape(graph.input)))}
        scratch_sizes, scratch_spans = [], []
        time = 0
        for layer, k in zip(graph.layers, known, strict=True):
            time += 1
            cycles += k.cycles
            kernels.add(k.kernel)
            if k.weight_bytes:
                macs += k.macs
                weights += k.weight_bytes
                channels += k.channels
                weighted_ops += 1
            output = layer.output
            sizes[output] = k.output_aligned
            first[output] = last[output] = time
            for name in layer.inputs:
                last[name] = time
            if k.scratch_aligned:
                scratch_sizes.append(k.scratch_aligned)
                scratch_spans.append((time, time))
        last[graph.output] = time
        names = [tensor.name for tensor in graph.tensors if tensor.name in first]
        all_sizes = [sizes[name] for name in names] + scratch_sizes
        spans = [(first[name], last[name]) for name in names] + scratch_spans
        offsets = place(all_sizes, spans, time + 1)
        planned = max(map(add, offsets, all_sizes))
        latency_ms = cycles * ms_per_cycle
        found.append(
            Costs(
                latency_ms=latency_ms,
                flash_bytes=weights
                + flash_base
                + flash_op * time
                + flash_weighted * weighted_ops
                + flash_channel * channels
                + sum([code_bytes.get(kernel, 0.0) for kernel in kernels]),
                sram_bytes=planned * sram_factor
                + sram_base
                + sram_op * time
                + sram_channel * channels,
                power_mw=average(active_mw, sleep_mw, latency_ms, period_s),
                energy_mj=latency_ms * active_mw * 1e-3,
                weight_bytes=weights,
                macs=macs,
            )
        )
    return found


def _costs_generated(
    graphs: Iterable[Graph], board: Board, engine: Engine, law: CLaw, period_s: float
) -> list[Costs]:
    ms_per_cycle = engine.profile(board).factor(board).value * 1e3 / board.clock_hz
    active_mw, sleep_mw = board.active_mw.value, board.sleep_mw.value
    found = []
    for graph in graphs:
        cycles, tables, code, scratch = c_cost.fast_cost(graph, law)
        latency_ms = cycles * ms_per_cycle
        found.append(
            Costs(
                latency_ms=latency_ms,
                flash_bytes=tables + code,
                sram_bytes=float(scratch),
                power_mw=average(active_mw, sleep_mw, latency_ms, period_s),
                energy_mj=latency_ms * active_mw * 1e-3,
                weight_bytes=graph.total_weight_bytes,
                macs=graph.total_macs,
            )
        )
    return found
