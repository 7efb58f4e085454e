"""Properties of the steps and of the plan of the scratch buffer, over random networks."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deploy.fuzz.foreign import foreign_graph, with_outputs
from hwmodels.generated_c.program import prefix_steps, program
from hwmodels.generated_c.steps import Program, Storage, dot_words, widened
from hwmodels.graph import Graph, Layer
from search_spaces.lower import lower
from search_spaces.space import PRESETS, SearchSpace


def preset_graph(seed: int) -> Graph:
    space = SearchSpace.preset(PRESETS[seed % len(PRESETS)])
    return lower(space.sample(random.Random(seed)))


graphs = st.integers(0, 10**6).map(
    lambda seed: (with_outputs if seed % 3 else lambda graph, _: graph)(
        foreign_graph(seed) if seed % 2 else preset_graph(seed // 2), seed
    )
)


def lives(plan: Program, source: str) -> dict[str, tuple[int, int]]:
    """First and last time of every storage, counted here from the steps alone."""
    first, last = {source: 0}, {source: 0}
    for time, step in enumerate(plan.steps, start=1):
        first[step.target] = time
        for name in (*step.reads, step.target):
            last[name] = time
    last |= dict.fromkeys(plan.outputs, len(plan.steps))
    return {name: (first[name], last[name]) for name in first}


def apart(first: tuple[int, int], second: tuple[int, int]) -> bool:
    """Two ranges `(offset, bytes)` share no byte."""
    return first[0] + first[1] <= second[0] or second[0] + second[1] <= first[0]


@settings(max_examples=80)
@given(graphs)
def test_what_lives_together_shares_no_byte(graph: Graph) -> None:
    plan = program(graph)
    life = lives(plan, graph.input)
    assert set(life) == set(plan.storages) == set(plan.offsets)
    ranges = {name: (plan.offsets[name], plan.storages[name].bytes) for name in life}
    handed_on = {(step.in_place, step.target) for step in plan.steps if step.in_place}
    names = sorted(life)
    for i, a in enumerate(names):
        start, size = ranges[a]
        assert 0 <= start and start + size <= plan.bytes and start % 16 == 0
        for b in names[:i]:
            together = life[a][0] <= life[b][1] and life[b][0] <= life[a][1]
            if together and (a, b) not in handed_on and (b, a) not in handed_on:
                assert apart(ranges[a], ranges[b]), (a, b)
    for time, step in enumerate(plan.steps, start=1):
        room = (plan.scratch_offsets[time - 1], step.scratch_bytes)
        assert room[0] + room[1] <= plan.bytes
        for name, (first, last) in life.items():
            if step.scratch_bytes and first <= time <= last:
                assert apart(room, ranges[name]), (step.layers[0].name, name)


@settings(max_examples=80)
@given(graphs)
def test_in_place_only_where_nothing_is_lost(graph: Graph) -> None:
    plan = program(graph)
    life = lives(plan, graph.input)
    for time, step in enumerate(plan.steps, start=1):
        if step.in_place is None:
            continue
        assert step.kind == "separable" and step.layers[0].stride == (1, 1)
        assert step.in_place in (step.source, step.shortcut)
        assert life[step.in_place][1] == time  # nobody reads it later
        assert plan.storages[step.in_place] == plan.storages[step.target]
        assert plan.offsets[step.in_place] == plan.offsets[step.target]


@settings(max_examples=80)
@given(graphs)
def test_every_layer_is_computed_once_and_in_order(graph: Graph) -> None:
    plan = program(graph)
    computed = [layer for step in plan.steps for layer in step.layers]
    assert len(computed) == len(set(computed))
    for layer in graph.layers:
        assert layer in computed or layer.op in ("reshape", "pad"), layer.name
    known = {graph.input}
    for step in plan.steps:
        assert step.source in known and (step.shortcut is None or step.shortcut in known)
        known.add(step.target)


@settings(max_examples=80)
@given(graphs)
def test_pairs_of_rows_are_written_and_read_by_steps_that_know_them(graph: Graph) -> None:
    plan = program(graph)
    assert not any(plan.storages[name].paired for name in plan.outputs)
    writers = {step.target: step.kind for step in plan.steps}
    for name, storage in plan.storages.items():
        if storage.paired:
            assert writers.get(name) in ("window", "separable")
            readers = [step for step in plan.steps if name in (step.source, step.shortcut)]
            assert [step.kind for step in readers] == ["separable"]
    for step in plan.steps:
        assert step.kind != "generic" or step.lead == 0
        assert plan.storages[step.source].pad_steps >= step.lead


@settings(max_examples=100)
@given(
    rows=st.integers(1, 9),
    fold=st.integers(1, 5),
    channels=st.sampled_from([2, 4, 8]),
    pad_rows=st.integers(0, 4),
    paired=st.booleans(),
)
def test_offsets_are_unique_and_within(
    rows: int, fold: int, channels: int, pad_rows: int, paired: bool
) -> None:
    pad = pad_rows * fold
    storage = Storage(rows * fold, channels, pad, fold if paired else 1, paired)
    seen = [
        storage.offset(step) + ((c // 2) * 4 + c % 2 if paired else c)
        for step in range(-pad, rows * fold)
        for c in range(channels)
    ]
    assert len(set(seen)) == len(seen)
    assert min(seen) >= 0 and max(seen) < storage.bytes


@settings(max_examples=40)
@given(graphs)
def test_live_bytes_bound_the_buffer(graph: Graph) -> None:
    plan = program(graph)
    assert len(plan.live_bytes) == len(plan.steps) == len(plan.scratch_offsets)
    assert plan.bytes >= max(plan.live_bytes)


@pytest.mark.parametrize(
    ("taps", "four", "two_by_two"), [(1, 1, 1), (2, 2, 1), (3, 2, 2), (4, 2, 2), (5, 3, 3)]
)
def test_words_of_a_dot_product(taps: int, four: int, two_by_two: int) -> None:
    assert dot_words(taps, widened_inputs=True) == four
    assert dot_words(taps, widened_inputs=False) == two_by_two
    assert widened(taps) == (4 if taps <= 4 else 8)


def test_padding_in_front_of_both_axes() -> None:
    """One row above (a step and the nine of the row) and one step before each row."""
    pad = Layer("p", "pad", ("x",), "y", pads=(1, 0, 1, 0))
    assert prefix_steps(pad, (1, 1, 9, 1)) == 11
    assert prefix_steps(pad, (1, 2, 9, 1)) is None
