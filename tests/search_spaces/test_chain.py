"""Chains cost what their graphs cost, to the last digit."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from hwmodels.boards import load_board
from hwmodels.costs import Costs, costing
from hwmodels.engines.load import load_engine
from hwmodels.generated_c.chain import Chain
from hwmodels.graph import Graph
from hwmodels.path import USUAL
from ppgnas.errors import GraphError
from ppgnas.task import Mode
from search_spaces.arch import POOLED_S, Arch, StageArch
from search_spaces.chain import chain
from search_spaces.lower import lower
from search_spaces.space import PRESETS, SearchSpace

BOARD, ENGINE = load_board("stm32u575"), load_engine("ppgnas-c")
ODD = Arch(True, 32, 8, 7, (StageArch(2, 8, 5, 2, 2, 2, True, 12),), "max", 16, 3)


@pytest.mark.parametrize("mode", ["window", "streaming"])
@pytest.mark.parametrize("name", PRESETS)
def test_a_chain_costs_what_its_graph_costs(name: str, mode: Mode) -> None:
    space, rng = replace(SearchSpace.preset(name), pool_s=POOLED_S), random.Random(7)
    space = space.streaming() if mode == "streaming" else space
    found = costing(BOARD, ENGINE, mode=mode, around=USUAL)
    for _ in range(60):
        arch = space.sample(rng)
        late = mode == "window" and arch.pool_s < arch.window_s
        assert bool(chain(arch, mode).segments) is not late
        assert found(chain(arch, mode)) == found(lower(arch))


@pytest.mark.parametrize(
    "arch",
    [
        ODD,
        replace(ODD, stem_width=6, head_width=5),  # no multiples of four
        replace(ODD, stages=(replace(ODD.stages[0], inner=10, width=5),)),
        replace(ODD, stages=(replace(ODD.stages[0], dilation=3),)),  # does not divide the time
        replace(ODD, stages=(replace(ODD.stages[0], depth=0),) * 2),
        replace(ODD, rate_hz=25),
    ],
)
def test_shapes_that_no_space_has(arch: Arch) -> None:
    found = costing(BOARD, ENGINE, around=USUAL)
    assert found(chain(arch)) == found(lower(arch))


def _odd(rng: random.Random) -> Arch:
    """One that no space has: widths off four, dilations that divide nothing, any shortcuts."""
    stages = []
    for _ in range(rng.randint(0, 4)):
        expansion = rng.randint(1, 3)
        inner = rng.choice([0, 6, 10, 16]) if expansion > 1 else 0
        width, dilation = rng.choice([4, 5, 6, 8, 10, 32]), rng.choice([1, 2, 3, 4, 8])
        ends = expansion, rng.choice([1, 2, 4]), rng.random() < 0.5, inner
        stages.append(StageArch(rng.randint(0, 3), width, rng.randint(4, 9), dilation, *ends))
    front = rng.random() < 0.5, rng.choice([16, 25, 32, 64]), rng.choice([4, 5, 8, 64])
    end = rng.choice(["avg", "max"]), rng.choice([0, 5, 8, 32, 128]), rng.choice([1, 3, 5, 9])
    return Arch(*front, rng.randint(4, 9), tuple(stages), *end)


@pytest.mark.parametrize("mode", ["window", "streaming"])
def test_any_chain_costs_what_its_graph_costs(mode: Mode) -> None:
    found, rng = costing(BOARD, ENGINE, mode=mode, around=USUAL), random.Random(5)

    def costs(what: Graph | Chain) -> Costs | str:
        try:
            return found(what)
        except GraphError as error:
            return str(error)

    for _ in range(150):
        arch = _odd(rng)
        assert costs(chain(arch, mode)) == costs(lower(arch)), arch


def test_a_chain_that_cannot_stream_says_what_its_graph_says() -> None:
    arch = replace(ODD, stages=(replace(ODD.stages[0], dilation=32, depth=3),))
    found = costing(BOARD, ENGINE, mode="streaming")
    with pytest.raises(GraphError) as of_graph:
        found(lower(arch))
    with pytest.raises(GraphError) as of_chain:
        found(chain(arch, "streaming"))
    assert str(of_chain.value) == str(of_graph.value)
    assert "run this network with mode window" in str(of_chain.value)


def test_blocks_are_made_once() -> None:
    segments = chain(replace(ODD, stages=(replace(ODD.stages[0], depth=4),))).segments
    assert len(segments) == 6
    assert segments[2] is segments[3] is segments[4]
    other = chain(replace(ODD, rate_hz=16, stages=ODD.stages)).segments
    assert other[1] is segments[1]  # behind another stem
