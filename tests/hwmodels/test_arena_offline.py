"""The better plan: never overlapping, never worse than greed, at the lower bound."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwmodels.arena import (
    ALIGNMENT,
    Plan,
    aligned,
    buffers_of,
    live_bytes,
    lower_bound_plan,
    place,
    place_in_order,
    plan,
)
from hwmodels.graph import Graph, Layer, Tensor
from tests.hwmodels.portable import portable_scratch_bytes
from tests.hwmodels.random_nets import random_graph
from tests.hwmodels.small import one_layer, small_graph


def views(graph: Graph) -> dict[str, str]:
    """Tensor -> the tensor whose bytes it shows, through chains of reshapes."""
    shown = {tensor.name: tensor.name for tensor in graph.tensors}
    for layer in graph.layers:
        if layer.op == "reshape":
            shown[layer.output] = shown[layer.inputs[0]]
    return shown


def check(graph: Graph, placed: Plan) -> None:
    """No two buffers that live together share a byte, save views of the same bytes."""
    shown = views(graph)
    entries = list(zip(placed.buffers, placed.offsets, strict=True))
    for index, (a, start) in enumerate(entries):
        assert start % ALIGNMENT == 0
        assert start + a.bytes <= placed.arena_bytes
        for b, other in entries[:index]:
            if shown.get(a.name, a.name) == shown.get(b.name, b.name):
                assert start == other
            elif a.first <= b.last and b.first <= a.last:
                assert start + a.bytes <= other or other + b.bytes <= start


def bound(graph: Graph, scratch: list[int]) -> int:
    """Bytes that live at once, counted tensor by tensor: an oracle without spans of groups."""
    shown, most = views(graph), 0
    buffers = buffers_of(graph, scratch)
    for time in range(len(graph.layers) + 1):
        alive: dict[str, int] = {}
        for root in {shown.get(b.name, b.name) for b in buffers}:
            same = [b for b in buffers if shown.get(b.name, b.name) == root]
            if min(b.first for b in same) <= time <= max(b.last for b in same):
                alive[root] = aligned(same[0].bytes)
        most = max(most, sum(alive.values()))
    return most


@pytest.mark.parametrize("with_scratch", [False, True])
@pytest.mark.parametrize("seed", range(25))
def test_random_networks_reach_the_lower_bound(seed: int, with_scratch: bool) -> None:
    graph = random_graph(seed)
    layers = graph.layers
    # Scratch sizes of the order of an im2col buffer, so that they matter.
    scratch = [
        4 * graph.shape(layer.inputs[0])[-1] * max(layer.kernel) if with_scratch else 0
        for layer in layers
    ]
    placed = lower_bound_plan(graph, scratch)
    check(graph, placed)
    assert placed.arena_bytes == bound(graph, scratch)
    assert placed.arena_bytes <= plan(buffers_of(graph, scratch), len(layers) + 1).arena_bytes
    assert placed == lower_bound_plan(graph, scratch)


def test_plan_of_a_residual_network_on_paper() -> None:
    """At most 448 bytes live at once (s 128, p1 144, d 128, scratch 48); greed needs 512."""
    scratch = [0, 96, 0, 48, 0, 0, 32, 0]
    placed = lower_bound_plan(small_graph(), scratch)
    assert plan(buffers_of(small_graph(), scratch), 9).arena_bytes == 512
    assert placed.arena_bytes == 448
    assert placed.peak_time == 4
    assert placed.live_bytes[4] == 448
    check(small_graph(), placed)


def test_a_reshape_costs_nothing() -> None:
    """Greed keeps 64 + 64 bytes; one view of 64 is enough, and counts once."""
    graph = one_layer("reshape", (1, 1, 16, 4), (1, 4, 4, 4))
    assert plan(buffers_of(graph, [0]), 2).arena_bytes == 128
    placed = lower_bound_plan(graph)
    assert placed.offsets == (0, 0)
    assert placed.arena_bytes == 64
    assert placed.live_bytes == (64, 64)


def test_bytes_of_a_view_live_as_long_as_the_view() -> None:
    """x is viewed as v, which an add reads last: x's bytes must not be reused before."""
    shape, view = (1, 1, 16, 1), (1, 4, 4, 1)
    graph = Graph(
        layers=(
            Layer("v", "reshape", ("x",), "v"),
            Layer("a", "conv", ("v",), "a"),
            Layer("b", "conv", ("a",), "b"),
            Layer("sum", "add", ("v", "b"), "sum"),
        ),
        tensors=(Tensor("x", shape), *(Tensor(n, view) for n in ("v", "a", "b", "sum"))),
        input="x",
        output="sum",
    )
    placed = lower_bound_plan(graph)
    check(graph, placed)
    assert placed.arena_bytes == 48  # v, a, b; then sum takes a's place


@settings(max_examples=50)
@given(st.lists(st.tuples(st.integers(1, 200), st.integers(0, 7), st.integers(0, 7)), min_size=1))
def test_greedy_is_the_order_of_sizes(items: list[tuple[int, int, int]]) -> None:
    sizes = [aligned(size) for size, _, _ in items]
    spans = [(min(a, b), max(a, b)) for _, a, b in items]
    order = sorted(range(len(sizes)), key=lambda i: (-sizes[i], -i))
    assert place(sizes, spans, 8) == place_in_order(order, sizes, spans, 8)


def test_live_bytes_by_hand() -> None:
    assert live_bytes([10, 5, 1], [(0, 1), (1, 2), (2, 2)], 4) == [10, 15, 6, 0]


def test_scratch_of_a_mean() -> None:
    graph = one_layer("mean", (1, 2, 2, 64), (1, 64))
    assert portable_scratch_bytes(graph) == [4 * 64 + 32]
    assert portable_scratch_bytes(
        one_layer("avg_pool", (1, 1, 4, 8), (1, 1, 1, 8), kernel=(1, 4))
    ) == [0]
