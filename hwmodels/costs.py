"""Costs of a network without bounds: the search's fast path, and faster still of a chain.

`hwmodels.scorecard.score` gives the same figures with bounds and per layer, and says what they
mean.

Flash that inference adds is the model, the kernels it needs and the runtime. The model is what the
device stores of it: weights, biases and, for a TFLite file, the records of operators, tensors and
per-channel scales. Kernels are linked once, however often they are used.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from operator import add
from typing import NamedTuple

from hwmodels.arena import aligned, place
from hwmodels.boards import Board
from hwmodels.engines.engine import Engine, FlashRules
from hwmodels.engines.known_layers import input_bytes, known_layers
from hwmodels.engines.st import OLDER, live_bytes, run_ops
from hwmodels.estimate import Estimate, total
from hwmodels.generated_c.chain import Chain, ChainCosts
from hwmodels.generated_c.cost import fast_cost
from hwmodels.graph import Graph, Shape
from hwmodels.path import PathCost, PathShape, Surroundings, path_cost, shape_of
from hwmodels.power import PERIOD_S, average
from ppgnas.task import Mode


@dataclass(frozen=True)
class FlashParts:
    """Bytes of flash by what they hold."""

    weights: Estimate
    code: Estimate
    runtime: Estimate


def linked_kernels(rules: FlashRules, kernels: Iterable[str]) -> list[str]:
    """Kernels with code of their own that these link, each once."""
    used = {name for kernel in kernels for name in (kernel, *rules.needs.get(kernel, ()))}
    return sorted(used & set(rules.kernels))


def flash_parts(
    engine: Engine,
    *,
    weight_bytes: int,
    channels: int,
    ops: int,
    weighted_ops: int,
    kernels: Iterable[str],
    calls: int | None = None,
) -> FlashParts:
    """Flash of a network under an engine.

    Args:
        weight_bytes: int8 weights and int32 biases.
        channels: output channels of all layers with a weight scale per channel.
        calls: operators that are calls of their own; all if None.
    """
    rules = engine.flash
    model = (
        Estimate.exact(weight_bytes)
        + rules.model_base
        + rules.model_per_op.times(ops)
        + rules.model_per_weighted_op.times(weighted_ops)
        + rules.model_per_channel.times(channels)
    )
    linked = linked_kernels(rules, kernels)
    code = total(rules.kernels[kernel] for kernel in linked) + rules.code_per_op.times(
        ops if calls is None else calls
    )
    return FlashParts(model, code, rules.interpreter)


@dataclass(frozen=True, slots=True)
class Costs:
    """Values of one architecture, without bounds.

    Attributes:
        latency_ms, flash_bytes, sram_bytes, power_mw, energy_mj: of the network with its runtime,
            and of what stands around it where that was asked for.
        weight_bytes, macs: of the graph.
        path_ms, path_flash_bytes, path_sram_bytes, path_mj: what of these stands around the
            network (`hwmodels.path`); 0 where it was not asked for.
        sensors_mw: what of `power_mw` the sensors draw.
    """

    latency_ms: float
    flash_bytes: float
    sram_bytes: float
    power_mw: float
    energy_mj: float
    weight_bytes: int
    macs: int
    path_ms: float = 0.0
    path_flash_bytes: float = 0.0
    path_sram_bytes: float = 0.0
    path_mj: float = 0.0
    sensors_mw: float = 0.0


Costing = Callable[[Graph | Chain], Costs]  # costs of a network


def costing(
    board: Board,
    engine: Engine,
    *,
    period_s: float = PERIOD_S,
    mode: Mode = "window",
    around: Surroundings | None = None,
) -> Costing:
    """The values of `score`, fast: what depends on board and engine alone is read once.

    A chain costs what its graph costs; under generated C it takes a tenth of the time. The costs
    of a network raise GraphError where the engine has none for an operator, or it cannot stream.

    Args:
        period_s: seconds between two readings.
        mode: over each window anew, or over what is new.
        around: sensors and smoothing to count with each network that reads windows as ours do;
            None counts networks alone.

    Raises:
        BoardError: the engine does not run on the board, or has no streaming.
    """
    engine.check(board)
    engine.check_mode(mode)
    if engine.kind == "program":
        return _of_programs(board, engine, period_s, mode, around)
    return _of_layers(board, engine, _Whole(board, around, period_s))


def _of_layers(board: Board, engine: Engine, whole: _Whole) -> Costing:
    profile = engine.profile(board)
    flash, sram = engine.flash, engine.sram
    ms_per_cycle = profile.factor(board).value * 1e3 / board.clock_hz
    of_kernels: dict[frozenset[str], float] = {}  # bytes of code that several link
    flash_base = flash.model_base.value + flash.interpreter.value
    flash_op, flash_call = flash.model_per_op.value, flash.code_per_op.value
    flash_weighted = flash.model_per_weighted_op.value
    flash_channel = flash.model_per_channel.value
    sram_base = sram.arena_base.value + sram.runtime.value
    sram_op, sram_call = sram.arena_per_op.value, sram.runtime_per_op.value
    sram_channel, sram_factor = sram.arena_per_channel.value, sram.arena_factor.value

    def found(what: Graph | Chain) -> Costs:
        graph = what if isinstance(what, Graph) else what.whole()
        known = known_layers(graph, engine, profile)
        cycles = 0.0
        macs = weights = channels = weighted_ops = 0
        kernels = set()
        first, last = dict.fromkeys(graph.inputs, 0), dict.fromkeys(graph.inputs, 0)
        sizes = {name: aligned(size) for name, size in input_bytes(graph).items()}
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
        linked = frozenset(kernels)
        if linked not in of_kernels:
            names = linked_kernels(flash, linked)
            of_kernels[linked] = sum([flash.kernels[name].value for name in names])
        calls = time
        if engine.st_version is not None:
            calls = run_ops(graph)
            planned = max(live_bytes(graph, older=engine.st_version in OLDER))
        else:
            for output in graph.outputs:
                last[output] = time
            names = [tensor.name for tensor in graph.tensors if tensor.name in first]
            all_sizes = [sizes[name] for name in names] + scratch_sizes
            spans = [(first[name], last[name]) for name in names] + scratch_spans
            offsets = place(all_sizes, spans, time + 1)
            planned = max(map(add, offsets, all_sizes))
        return whole.costs(
            cycles * ms_per_cycle,
            weights
            + flash_base
            + flash_op * time
            + flash_call * calls
            + flash_weighted * weighted_ops
            + flash_channel * channels
            + of_kernels[linked],
            planned * sram_factor
            + sram_base
            + sram_op * time
            + sram_call * calls
            + sram_channel * channels,
            weight_bytes=weights,
            macs=macs,
            path=whole.path(graph),
        )

    return found


class _Around(NamedTuple):
    """What stands around a network, and what it adds in plain numbers."""

    cost: PathCost
    ms: float
    flash_bytes: float
    mj: float
    sensors_mw: float


class _Whole:
    """Costs of networks with what stands around them; a batch has few shapes of that."""

    def __init__(
        self, board: Board, around: Surroundings | None, period_s: float, mode: Mode = "window"
    ) -> None:
        self._board, self._around, self._period_s, self._mode = board, around, period_s, mode
        self._active_mw, self._sleep_mw = board.active_mw.value, board.sleep_mw.value
        self._known: dict[PathShape, _Around] = {}
        self._of_chains: dict[tuple[Shape, tuple[int, ...]], _Around | None] = {}

    def path(self, graph: Graph) -> _Around | None:
        """What stands around a network; None where nothing is to be counted."""
        around = self._around
        shape = None if around is None else shape_of(graph, around, self._mode)
        if around is None or shape is None:
            return None
        if shape not in self._known:
            cost = path_cost(shape, self._board, around)
            added = (cost.latency_ms, cost.flash_bytes, cost.energy_mj, cost.sensors_mw)
            self._known[shape] = _Around(cost, *(estimate.value for estimate in added))
        return self._known[shape]

    def path_of_chain(self, chain: Chain) -> _Around | None:
        """The same; its ends decide it."""
        if self._around is None:
            return None
        ends = chain.segments[0].reads, chain.segments[-1].writes
        if ends not in self._of_chains:
            self._of_chains[ends] = self.path(chain.whole())
        return self._of_chains[ends]

    def costs(
        self,
        latency_ms: float,
        flash_bytes: float,
        sram_bytes: float,
        *,
        weight_bytes: int,
        macs: int,
        path: _Around | None,
        scratch_bytes: float | None = None,
    ) -> Costs:
        """Costs of a network with all that stands around it.

        Args:
            latency_ms, flash_bytes, sram_bytes, weight_bytes, macs: its own.
            scratch_bytes: see `PathCost.sram_bytes`.
        """
        energy_mj = latency_ms * self._active_mw * 1e-3
        path_ms = path_bytes = path_sram_bytes = path_mj = sensors_mw = 0.0
        if path is not None:
            cost, path_ms, path_bytes, path_mj, sensors_mw = path
            path_sram_bytes = cost.sram_bytes(scratch_bytes)
        latency_ms += path_ms
        power_mw = average(self._active_mw, self._sleep_mw, latency_ms, self._period_s)
        return Costs(
            latency_ms,
            flash_bytes + path_bytes,
            sram_bytes + path_sram_bytes,
            power_mw + sensors_mw,
            energy_mj + path_mj,
            weight_bytes,
            macs,
            path_ms,
            path_bytes,
            path_sram_bytes,
            path_mj,
            sensors_mw,
        )


def _of_programs(
    board: Board, engine: Engine, period_s: float, mode: Mode, around: Surroundings | None
) -> Costing:
    ms_per_cycle = engine.profile(board).factor(board).value * 1e3 / board.clock_hz
    law, whole = engine.law, _Whole(board, around, period_s, mode)
    code_ratio = engine.code_ratio(board).value
    chains = ChainCosts(law, mode)

    def found(what: Graph | Chain) -> Costs:
        fast = chains.of(what.segments) if isinstance(what, Chain) else None
        if fast is not None and isinstance(what, Chain):
            path = whole.path_of_chain(what)
        else:
            graph = what.whole() if isinstance(what, Chain) else what
            fast, path = fast_cost(graph, law, mode), whole.path(graph)
        cycles, tables_bytes, code_bytes, scratch_bytes, state_bytes, macs, weight_bytes = fast
        return whole.costs(
            cycles * ms_per_cycle,
            tables_bytes + code_bytes * code_ratio,
            float(scratch_bytes + state_bytes),
            weight_bytes=weight_bytes,
            macs=macs,
            path=path,
            scratch_bytes=scratch_bytes,
        )

    return found
