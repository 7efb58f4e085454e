"""What generated C costs, read off its program: cycles by layer, flash by part, scratch.

The scratch buffer and the tables of weights are exact: the generator lays out the same program.
Cycles and code follow the fitted laws of `hwmodels.generated_c.law`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from hwmodels.estimate import Estimate, total
from hwmodels.generated_c.law import CLaw
from hwmodels.generated_c.program import program
from hwmodels.generated_c.shapes import StepShape, infer_shape, step_shape
from hwmodels.generated_c.steps import Program, Step
from hwmodels.generated_c.streaming import StreamProgram, stream_program
from hwmodels.generated_c.taps import dot_bytes
from hwmodels.graph import Graph, Layer
from hwmodels.operators import OPERATORS
from ppgnas.errors import GraphError
from ppgnas.task import Mode

_REQUANT_BYTES = 8  # a bias and a factor of an output
_ROW_BYTES = 16  # of an output: three taps in two words, bias and factor
_JOINT_BYTES = OPERATORS["add"].table_bytes


@dataclass(frozen=True)
class LayerCycles:
    """Cycles of one layer on a Cortex-M7, and whether its step lies in the counted range."""

    cycles: Estimate
    in_range: bool
    live_bytes: int


@dataclass(frozen=True)
class CCost:
    """A network as generated C.

    Attributes:
        layers: in the order of `Graph.layers`, where it streams of the graph over one block; views
            and absorbed padding are free.
        call_cycles: of the function that calls the steps.
        tables_bytes: constants; exact but for tables that happen to be equal.
        code_bytes: functions.
        memory_bytes: exact; the scratch buffer, and the state where it streams.
        peak_layer: name of the layer during which the scratch buffer is fullest.
        uncounted_share: share of the cycles in steps without a fitted law.
        outside_share: share of the cycles in steps larger than the counted ones.
    """

    layers: tuple[LayerCycles, ...]
    call_cycles: float
    tables_bytes: int
    code_bytes: Estimate
    memory_bytes: int
    peak_layer: str
    uncounted_share: float
    outside_share: float


def planned(graph: Graph, mode: Mode) -> tuple[Graph, Program, StreamProgram | None]:
    """What runs at once, its program, and what it keeps where it streams.

    Raises:
        GraphError: the graph cannot stream, or computes nothing.
    """
    graph = graph.core  # the ends of a foreign file: the caller of the C has int8
    if mode == "window":
        plan = program(graph)
        if not plan.steps:
            raise GraphError(
                "generated C: the network changes the view of its input and computes nothing, so "
                "there is nothing to cost; give a network with an operator of its own"
            )
        return graph, plan, None
    stream = stream_program(graph)
    return stream.graph, stream.program, stream


def _call_shape(graph: Graph, plan: Program) -> StepShape:
    copied = (plan.storages[name] for name in plan.copied)
    return infer_shape(graph, len(plan.steps), [one.steps * one.channels for one in copied])


def scratch_bytes(graph: Graph, mode: Mode) -> int:
    """Exact; of a buffer that holds nothing between readings."""
    return planned(graph, mode)[1].bytes


class FastCost(NamedTuple):
    """Values alone, cycles on a Cortex-M7; the state is what a stream keeps."""

    cycles: float
    tables_bytes: int
    code_bytes: float
    scratch_bytes: int
    state_bytes: int
    macs: int
    weight_bytes: int


Functions = dict[object, float]
"""Bytes of code of functions, each by what it is made for: equal ones are one function."""


def fast_cost(graph: Graph, law: CLaw, mode: Mode = "window") -> FastCost:
    """What a graph costs.

    Raises:
        GraphError: the graph cannot stream.
    """
    weight_bytes = graph.total_weight_bytes
    graph, plan, stream = planned(graph, mode)
    call_cycles, call_code = law.quick(_call_shape(graph, plan))
    cycles = [call_cycles, *_kept_cycles(stream, law).values()]
    functions: Functions = {}
    tables = 0
    for step in plan.steps:
        shape = step_shape(graph, plan, step)
        own_cycles, functions[shape.function] = law.quick(shape)
        cycles.append(own_cycles)
        functions |= shared_functions(shape)
        tables += step_tables(graph, step, shape)
    code = [call_code, *functions.values()]
    if stream is not None:
        code.append(_kept_code(stream, law))
    # Sums do not depend on their order, as `hwmodels.generated_c.chain` has another.
    return FastCost(
        math.fsum(cycles),
        tables,
        math.fsum(code),
        plan.bytes,
        0 if stream is None else stream.state_bytes,
        graph.total_macs,
        weight_bytes,
    )


def shared_functions(shape: StepShape) -> Functions:
    """Those that a step calls and other steps may call as well."""
    found: Functions = {taps: taps.bytes for taps in shape.unrolled}
    if shape.dot is not None:
        words, adds = shape.dot
        found[shape.dot] = dot_bytes(words, adds=adds)
    return found


def _kept_cycles(stream: StreamProgram | None, law: CLaw) -> dict[int, float]:
    """Cycles that keeping a past adds, by position of the step."""
    if stream is None:
        return {}
    found = {}
    for index, kept in stream.kept.items():
        source = stream.program.storages[stream.program.steps[index].source]
        found[index] = law.kept_cycles(kept, source.channels if index == stream.pool else 0)
    return found


def _kept_code(stream: StreamProgram, law: CLaw) -> float:
    """Bytes of code that keeping a past adds; steps of one shape are one function."""
    shapes = {
        step_shape(stream.graph, stream.program, stream.program.steps[index])
        for index in stream.kept
        if index != stream.pool
    }
    return law.kept_code_bytes(len(shapes), pool=stream.pool in stream.kept)


def step_tables(graph: Graph, step: Step, shape: StepShape) -> int:
    """Bytes of constants of a step, without weights that an earlier one has."""
    kind, outputs, layer = shape.kind, shape.outputs, step.layers[0]
    own = not layer.weights_of
    if kind in ("window", "dense"):
        return _REQUANT_BYTES * outputs + 2 * outputs * shape.words * own
    if kind == "separable":
        channels = shape.channels
        pointwise = _REQUANT_BYTES * outputs + 2 * outputs * shape.words
        depthwise = _REQUANT_BYTES * channels + 2 * channels * ((shape.taps + 1) // 2)
        return pointwise + depthwise + _JOINT_BYTES * shape.adds
    if kind == "row":
        return _ROW_BYTES * outputs
    if not OPERATORS[layer.op].weighted or layer.op == "lstm":
        return OPERATORS[layer.op].table_bytes * own + graph.weight_bytes(layer)
    weights = math.prod(graph.weight_shape(layer)) * own
    return weights + _REQUANT_BYTES * graph.shape(layer.output)[-1]


def cost(graph: Graph, law: CLaw, mode: Mode = "window") -> CCost:
    """The cost of a graph with bounds and by layer.

    Raises:
        GraphError: the graph cannot stream.
    """
    core, plan, stream = planned(graph, mode)
    kept = _kept_cycles(stream, law)
    call = law.cycles(_call_shape(core, plan)).total
    by_name: dict[str, tuple[Estimate, bool]] = {}
    live: dict[str, int] = {}
    cycles_sum, uncounted, outside = call, 0.0, 0.0
    shapes = [step_shape(core, plan, step) for step in plan.steps]
    # Errors of steps cancel in networks as they were fitted, whose bounds come with the profile.
    kinds = {shape.kind for shape in shapes}
    searched = "separable" in kinds and not any(shape.plain for shape in shapes)
    state = 0 if stream is None else stream.state_bytes
    for index, (step, shape) in enumerate(zip(plan.steps, shapes, strict=True)):
        parts, inside = law.cycles(shape), law.in_range(shape)
        more, used = kept.get(index, 0.0), plan.live_bytes[index] + state
        cycles_sum += more
        for layer, cycles in _shares(step, parts.pointwise, parts.depthwise + more, parts.add):
            bounds = Estimate.exact(cycles) if searched else law.bounds(shape, cycles)
            if stream is not None and searched:
                bounds = bounds.widened(law.file.streaming.half_width)
            by_name[layer.name] = (bounds, inside)
            live[layer.name] = used
        cycles_sum += parts.total
        uncounted += parts.total * (not law.counted(shape))
        outside += parts.total * (law.counted(shape) and not inside)
    nothing = Estimate.exact(0.0)
    layers = []
    used = plan.live_bytes[0] + state
    for layer in (graph if stream is None else core).layers:
        found, inside = by_name.get(layer.name, (nothing, True))
        used = live.get(layer.name, used)
        layers.append(LayerCycles(found, inside, used))
    fast = fast_cost(graph, law, mode)
    return CCost(
        tuple(layers),
        call,
        fast.tables_bytes,
        _code_bounds(fast.code_bytes, [*shapes, _call_shape(core, plan)], law, searched=searched),
        fast.scratch_bytes + state,
        _peak(plan),
        uncounted / cycles_sum,
        outside / cycles_sum,
    )


def _shares(
    step: Step, pointwise: float, depthwise: float, add: float
) -> list[tuple[Layer, float]]:
    """Cycles of the layers of a step."""
    if step.kind != "separable":
        return [(step.layers[0], pointwise + depthwise + add)]
    return list(zip(step.layers, (depthwise, pointwise, add), strict=False))


def _code_bounds(
    code: float, shapes: Sequence[StepShape], law: CLaw, *, searched: bool
) -> Estimate:
    if searched:
        return Estimate.exact(code).widened(law.errors.code_half_width)
    parts = total(law.code_bounds(shape) for shape in dict.fromkeys(s.function for s in shapes))
    rest = code - parts.value  # of dot products
    return parts + Estimate.exact(rest)


def _peak(plan: Program) -> str:
    fullest = max(range(len(plan.steps)), key=lambda index: plan.live_bytes[index])
    return plan.steps[fullest].layers[0].name
