"""The cost of a graph on a board under an engine, with bounds and per layer.

`hwmodels.costs` gives the values alone and is the fast path of a search. Both read the same
remembered layer costs and the same planner, so they agree to rounding.

Conventions: latency is `cycles / clock`; `energy_mj` is one inference without sleep; `sleep_mw`
is what the board takes between two, whatever the network, and most of `power_mw`, the average of
both at one inference per period; `flash_bytes` holds the model, its kernels and the
runtime, `sram_bytes` the arena and the runtime. Layer cycles are those of the board's core.
What stands around the network (`hwmodels.path`) is one line beside it, `path`, and is counted in
all of these but `cycles` and the layers, unless the caller says otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import ceil
from typing import Any, Literal

from hwmodels.arena import Held
from hwmodels.boards import Board
from hwmodels.costs import FlashParts, flash_parts
from hwmodels.engines.engine import Engine
from hwmodels.engines.known_layers import known_layers
from hwmodels.engines.memory import activations, arena
from hwmodels.engines.st import run_ops
from hwmodels.estimate import Estimate, total
from hwmodels.generated_c import cost as c_cost
from hwmodels.graph import Graph
from hwmodels.path import PATH_COLUMNS, PathCost, Surroundings, path_cost, shape_of
from hwmodels.power import PERIOD_S, average_power_mw, energy_mj
from hwmodels.streaming import over
from ppgnas.notebook import Shown
from ppgnas.task import Mode

# Above this share of the cycles, kernels without a fitted law put a network out of range.
ASSUMED_SHARE = 0.25
# So do layers beyond the sizes that their law was fitted on, above this share.
OUTSIDE_SHARE = 0.1
_ROW = ("name", "op", "macs", "cycles", "weight_bytes", "live_bytes")
_BETWEEN = "{:g} s from one reading to the next"


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


@dataclass(frozen=True, repr=False)
class Scorecard(Shown):
    """All costs of one network, with bounds.

    Attributes:
        latency_ms, cycles, energy_mj, sleep_mw, power_mw: see the module.
        board_flash_bytes, board_sram_bytes: what the board has.
        flash_bytes: sum of `flash_weights_bytes` (the stored model), `flash_code_bytes` (kernels)
            and `flash_runtime_bytes`, and of the path's where that counts.
        sram_bytes: sum of `arena_bytes` and `sram_runtime_bytes`, and of `path_sram_bytes` where
            that counts.
        peak_layer: the layer during which the arena is fullest.
        weight_bytes, macs: of the graph, exact.
        layers: in execution order.
        in_calibrated_range: layers beyond the sizes that their law was fitted on take at most
            `OUTSIDE_SHARE` of the cycles, and kernels without a law at most `ASSUMED_SHARE`.
        path: what stands around the network; None where that was not asked for, or where the
            network does not read windows as ours do.
        path_sram_bytes: its memory beside this network.
        path_counts, period_s: whether the sums hold it; from one reading to the next.
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
    sleep_mw: Estimate
    power_mw: Estimate
    weight_bytes: int
    macs: int
    layers: tuple[LayerCost, ...]
    in_calibrated_range: bool
    board_flash_bytes: int
    board_sram_bytes: int
    path: PathCost | None = None
    path_sram_bytes: float = 0.0
    path_counts: bool = True
    period_s: float = PERIOD_S

    @property
    def all_cycles(self) -> Estimate:
        """Of a reading: the network's, and those around it where they count."""
        return self.cycles + self.path.cycles if self.path and self.path_counts else self.cycles

    def _taken(self, end: Literal["value", "high"]) -> dict[str, float]:
        """Shares of what there is: flash, SRAM, time."""
        return {
            "flash": getattr(self.flash_bytes, end) / self.board_flash_bytes,
            "SRAM": getattr(self.sram_bytes, end) / self.board_sram_bytes,
            _BETWEEN.format(self.period_s): getattr(self.latency_ms, end) / (1e3 * self.period_s),
        }

    @property
    def room(self) -> dict[str, float]:
        """How many times its flash, SRAM and time there is; below 1 the network does not fit."""
        flash, sram, time = (1 / share for share in self._taken("value").values())
        return {"flash": flash, "SRAM": sram, "time": time}

    @property
    def fit(self) -> str:
        """Whether it fits the board and keeps up, in words."""
        memory = self._taken("value")
        late, over = _needs(dict([memory.popitem()])), _needs(memory)
        found = [f"does not fit: needs {over} of {self.board}; external memory is not costed"]
        found = (found if over else []) + ([f"does not keep up: needs {late}"] if late else [])
        if found:
            return "; ".join(found)
        left = ", ".join(f"{name} {1 / share:.3g}x" for name, share in memory.items())
        unsure = _needs(self._taken("high"))
        return f"room left: {left}" + (unsure and f"; at the high end it needs {unsure}")

    @property
    def caption(self) -> str:
        """The sums."""
        return (
            f"{self.board} with {self.engine}: {self.latency_ms.value:.3g} ms, "
            f"{self.flash_bytes.value:.0f} B flash, {self.sram_bytes.value:.0f} B SRAM, "
            f"{self.energy_mj.value:.3g} mJ a reading; {self.fit}"
        )

    def rows(self) -> list[dict[str, object]]:
        """One row a layer, as in `to_json`."""
        return [
            {**{name: getattr(layer, name) for name in _ROW}, "cycles": round(layer.cycles.value)}
            for layer in self.layers
        ]

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
            "sleep_mw": self.sleep_mw.to_json(),
            "power_mw": self.power_mw.to_json(),
            "in_calibrated_range": self.in_calibrated_range,
            "layers": self.rows(),
            **({} if self.path is None else {"path": self._path_json(self.path)}),
        }

    def _path_json(self, path: PathCost) -> dict[str, Any]:
        return {
            "counted": self.path_counts,
            **{name: getattr(path.shape, name) for name in PATH_COLUMNS[: len(path.shape) - 1]},
            "latency_ms": path.latency_ms.to_json(),
            "cycles": _whole(path.cycles),
            "parts": {name: round(cycles) for name, cycles in path.parts.items()},
            "flash_bytes": _whole(path.flash_bytes),
            "sram_bytes": round(self.path_sram_bytes),
            "energy_mj": path.energy_mj.to_json(),
            "ppg_mw": path.ppg_mw.to_json(),
            "accelerometer_mw": path.accelerometer_mw.to_json(),
        }


def _needs(shares: Mapping[str, float]) -> str:
    """Those of what there is that are exceeded, rounded up."""
    over = {name: share for name, share in shares.items() if share > 1}
    return " and ".join(
        f"{ceil(100 * share) / 100:.4g}x the {name}" for name, share in over.items()
    )


def _whole(estimate: Estimate) -> dict[str, int]:
    return {key: round(number) for key, number in estimate.to_json().items()}


def score(
    graph: Graph,
    board: Board,
    engine: Engine,
    *,
    period_s: float = PERIOD_S,
    file_bytes: int | None = None,
    held: Held | None = None,
    mode: Mode = "window",
    around: Surroundings | None = None,
    path_counts: bool = True,
) -> Scorecard:
    """All costs of a graph, per layer and with bounds.

    Args:
        period_s: between two inferences.
        file_bytes: size of the model's TFLite file where there is one; an engine that keeps the
            file in flash as it is then has no error there.
        held: what an interpreter holds of a file of others.
        mode: over each window anew, or over what is new; layers, MACs and cycles are then those
            of one block of 2 s.
        around: sensors and smoothing of the device; None leaves what stands around the network
            out.
        path_counts: whether the sums hold that too.

    Raises:
        BoardError: the engine does not run on the board, or has no streaming.
        GraphError: the engine has no cost for an operator, or the network cannot stream.
    """
    engine.check(board)
    engine.check_mode(mode)
    network = (
        _score_program(graph, board, engine, period_s, mode)
        if engine.kind == "program"
        else _score_kernels(graph, board, engine, period_s, file_bytes, held)
    )
    shape = None if around is None else shape_of(graph, around, mode)
    if around is None or shape is None:
        return network
    path = path_cost(shape, board, around)
    scratch_bytes = c_cost.scratch_bytes(graph, mode) if engine.kind == "program" else None
    sram_bytes = path.sram_bytes(scratch_bytes)
    known = replace(network, path=path, path_sram_bytes=sram_bytes, path_counts=path_counts)
    if not path_counts:
        return known
    latency_ms = network.latency_ms + path.latency_ms
    return replace(
        known,
        latency_ms=latency_ms,
        flash_bytes=network.flash_bytes + path.flash_bytes,
        sram_bytes=network.sram_bytes + Estimate.exact(sram_bytes),
        energy_mj=network.energy_mj + path.energy_mj,
        power_mw=average_power_mw(board, latency_ms, period_s=period_s) + path.sensors_mw,
    )


def _score_kernels(
    graph: Graph,
    board: Board,
    engine: Engine,
    period_s: float,
    file_bytes: int | None,
    held: Held | None,
) -> Scorecard:
    """`score` of an engine with an interpreter and kernels."""
    profile = engine.profile(board)
    known = known_layers(graph, engine, profile)
    live, planned, peak = activations(graph, engine, [k.scratch for k in known], held)
    factor = profile.factor(board, macs=graph.total_macs)
    channels = sum(k.channels for k in known)
    calls = len(known) if engine.st_version is None else run_ops(graph)
    flash = flash_parts(
        engine,
        weight_bytes=graph.total_weight_bytes,
        channels=channels,
        ops=len(known),
        weighted_ops=sum(k.weight_bytes > 0 for k in known),
        kernels=(k.work.kernel for k in known),
        calls=calls,
    )
    if file_bytes is not None and engine.flash.model_base.value > 0:
        flash = replace(flash, weights=Estimate.exact(file_bytes))
    values = sum(k.cycles for k in known)
    assumed = sum(k.cycles for k in known if k.work.assumed)
    outside = sum(k.cycles for k in known if not (k.work.calibrated or k.work.assumed))
    layers = [
        (k.work.cycles.times(factor), bytes_, k.work.calibrated)
        for k, bytes_ in zip(known, live, strict=True)
    ]
    return _card(
        graph,
        board,
        engine,
        layers=layers,
        cycles=total(cycles for cycles, _, _ in layers),
        flash=flash,
        arena=arena(engine, planned, channels, held.operators if held else len(known)),
        runtime=engine.sram.runtime + engine.sram.runtime_per_op.times(calls),
        peak_layer=graph.layers[peak].name,
        in_range=outside <= OUTSIDE_SHARE * values and assumed <= ASSUMED_SHARE * values,
        period_s=period_s,
    )


def _score_program(
    graph: Graph, board: Board, engine: Engine, period_s: float, mode: Mode
) -> Scorecard:
    """`score` of generated C: no interpreter, no file, a scratch buffer instead of an arena."""
    found = c_cost.cost(graph, engine.law, mode)
    graph = graph if mode == "window" else over(graph.core, 1)
    factor = engine.profile(board).factor(board)
    layers = [(c.cycles.times(factor), c.live_bytes, c.in_range) for c in found.layers]
    call = Estimate.exact(found.call_cycles).times(factor)
    tables = Estimate.exact(found.tables_bytes)
    code = found.code_bytes.times(engine.code_ratio(board))
    counted = found.outside_share <= OUTSIDE_SHARE and found.uncounted_share <= ASSUMED_SHARE
    return _card(
        graph,
        board,
        engine,
        layers=layers,
        cycles=total([*(cycles for cycles, _, _ in layers), call]),
        flash=FlashParts(tables, code, Estimate.exact(0.0)),
        arena=Estimate.exact(found.memory_bytes),
        runtime=engine.sram.runtime,
        peak_layer=found.peak_layer,
        in_range=counted and board.core not in engine.carried,
        period_s=period_s,
    )


def _card(
    graph: Graph,
    board: Board,
    engine: Engine,
    *,
    layers: Sequence[tuple[Estimate, int, bool]],
    cycles: Estimate,
    flash: FlashParts,
    arena: Estimate,
    runtime: Estimate,
    peak_layer: str,
    in_range: bool,
    period_s: float,
) -> Scorecard:
    """The card of a graph; `layers` are cycles, live bytes and whether each lies in range."""
    latency = cycles.times(1e3 / board.clock_hz)
    return Scorecard(
        board=board.name,
        engine=engine.name,
        latency_ms=latency,
        cycles=cycles,
        flash_bytes=flash.weights + flash.code + flash.runtime,
        flash_weights_bytes=flash.weights.value,
        flash_code_bytes=flash.code.value,
        flash_runtime_bytes=flash.runtime.value,
        sram_bytes=arena + runtime,
        arena_bytes=arena.value,
        sram_runtime_bytes=runtime.value,
        peak_layer=peak_layer,
        energy_mj=energy_mj(board, latency),
        sleep_mw=board.sleep_mw,
        power_mw=average_power_mw(board, latency, period_s=period_s),
        weight_bytes=graph.total_weight_bytes,
        macs=graph.total_macs,
        layers=tuple(
            LayerCost(x.name, x.op, graph.macs(x), own, graph.weight_bytes(x), live, inside)
            for x, (own, live, inside) in zip(graph.layers, layers, strict=True)
        ),
        in_calibrated_range=in_range,
        board_flash_bytes=board.flash_bytes,
        board_sram_bytes=board.sram_bytes,
        period_s=period_s,
    )
