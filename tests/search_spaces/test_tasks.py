"""Networks of other windows and classes: what an arch, a space and a graph make of them."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from hwmodels.boards import load_board
from hwmodels.costs import costing
from hwmodels.engines.load import load_engine
from hwmodels.graph import Graph
from hwmodels.path import USUAL
from ppgnas.errors import GraphError, SpaceError
from ppgnas.task import TASK, Task
from search_spaces import space as space_module
from search_spaces.arch import Arch, head_spacings
from search_spaces.chain import chain
from search_spaces.lower import lower
from search_spaces.network import Network
from search_spaces.published import published
from search_spaces.space import PRESETS, SearchSpace, load_space
from search_spaces.stages import at_task
from search_spaces.streaming import most_past_s, streamable

SHORT, LONG = Task(4, 1, 40, 199), Task(12, 4, 40, 199)
TINY = published("tiny")


def test_the_usual_task_stands_nowhere() -> None:
    assert "window_s" not in TINY.dumps() and "pool_s" not in TINY.dumps()
    assert at_task(TINY, TASK) is TINY and TINY.task == TASK
    assert "task" not in lower(TINY).to_json()


@pytest.mark.parametrize("task", [SHORT, LONG, Task(5, 1), Task(16, 2, 24, 239)])
@pytest.mark.parametrize("name", ["tiny", "large", "timeppg-small", "kd-pulse-student"])
def test_every_published_network_has_the_shape_of_a_task(name: str, task: Task) -> None:
    arch = at_task(published(name), task)
    assert arch.task == task and Arch.from_json(arch.to_json()) == arch
    graph = lower(arch)
    assert graph.shape(graph.input)[2] == task.window_s * arch.rate_hz
    assert graph.shape(graph.output) == (1, task.classes)
    assert Graph.from_json(replace(graph).to_json()) == graph and graph.task == task
    assert Network(arch).eval()(torch.zeros(2, 4, arch.samples)).shape == (2, task.classes)
    assert arch.id != published(name).id


@pytest.mark.parametrize("name", ["ppgnas-c", "tflm-cmsis-nn"])
def test_networks_of_one_shape_and_two_tasks_have_their_own_paths(name: str) -> None:
    """16 s at 16 Hz are as many samples as 8 s at 32 Hz, and cost another front end."""
    board, engine = load_board("stm32h743"), load_engine(name)
    both = costing(board, engine, around=USUAL)
    fast = replace(TINY, rate_hz=32, stem_kernel=9)
    long = at_task(TINY, Task(16, 2))
    assert lower(fast).shape("input") == lower(long).shape("input")
    for arch in (fast, long, fast, at_task(TINY, SHORT)):
        assert (
            both(chain(arch))
            == both(lower(arch))
            == costing(board, engine, around=USUAL)(lower(arch))
        )
    assert both(chain(fast)).path_ms != both(chain(long)).path_ms
    short = at_task(replace(TINY, pool_s=4), Task(4, 1))
    assert short.pool_s == 2 and "pool_s" in short.dumps()
    stream = costing(board, load_engine("ppgnas-c"), mode="streaming", around=USUAL)
    for each in (short, replace(short, pool_s=4)):
        assert stream(chain(each, "streaming")) == stream(lower(each))


def test_the_pool_follows_the_window() -> None:
    assert at_task(TINY, Task(6, 2)).pool_s == 6 and "pool_s" not in at_task(TINY, SHORT).dumps()
    assert at_task(replace(TINY, pool_s=4), Task(12, 4)).pool_s == 8  # one and a half strides
    with pytest.raises(SpaceError, match=r"pool_s is 8; allowed: \(1, 2, 3, 4\)"):
        replace(at_task(TINY, SHORT), pool_s=8)
    space = SearchSpace.preset("tiny").at_tasks([Task(12, 3)]).streaming()
    assert space.dimensions["pool_s"] == (6, 9, 12)


def test_a_spacing_that_does_not_divide_the_classes_becomes_the_nearest() -> None:
    assert head_spacings(160) == (1, 2, 4, 5, 8, 10)
    assert at_task(TINY, SHORT).head_spacing == 8  # of 9
    with pytest.raises(SpaceError, match=r"head_spacing is 9; allowed: \(1, 2, 4, 5, 8, 10\)"):
        replace(at_task(TINY, SHORT), head_spacing=9)


def test_a_graph_of_no_task_is_refused() -> None:
    document = lower(at_task(TINY, SHORT)).to_json() | {"task": {"window_s": 99}}
    with pytest.raises(GraphError, match="`window` is 99 s; allowed: 4 to 16"):
        Graph.from_json(document)


def test_several_windows_are_a_dimension() -> None:
    space = SearchSpace.preset("tiny")
    both = space.at_tasks([Task(6, 2), Task(8, 2)])
    assert both.dimensions["window_s"] == (6, 8) and "window_s" not in space.dimensions
    assert both.task == Task(8, 2)
    rng = random.Random(0)
    drawn = [both.sample(rng) for _ in range(40)]
    assert {arch.window_s for arch in drawn} == {6, 8}
    for arch in drawn:
        assert both.build(both.choices_of(arch)) == arch == both.canonical(arch)
        assert lower(arch).shape("input")[2] == arch.window_s * arch.rate_hz
    assert both.largest().window_s == 8 and both.smallest().window_s == 6


def test_sizes_count_every_window() -> None:
    stages = SearchSpace.preset("tiny").stages
    few = replace(
        SearchSpace.preset("tiny"),
        stem_width=(8,),
        stem_kernel=(5,),
        head_width=(0,),
        stages=(replace(stages[0], width=stages[0].width[:1], kernel=stages[0].kernel[:1]),),
    )
    several = few.at_tasks([Task(5, 1), Task(8, 1)])
    assert len(set(several)) == several.size > few.size


@pytest.mark.parametrize("name", PRESETS)
def test_presets_take_other_classes(name: str) -> None:
    space = SearchSpace.preset(name).at_tasks([SHORT])
    arch = space.sample(random.Random(1))
    assert arch.task == SHORT and space.window_s == (4,)


def test_a_file_may_name_windows(tmp_path: Path) -> None:
    preset = Path(space_module.__file__).parent / "presets" / "tiny.toml"
    path = tmp_path / "own.toml"
    path.write_text("window_s = [6, 8]\n" + preset.read_text())
    assert load_space(str(path)).window_s == (6, 8)
    path.write_text("window_s = [6, 7]\n" + preset.read_text())
    with pytest.raises(SpaceError, match=r"window_s holds 7; allowed: 4, 6, 8, 10, 12, 14, 16"):
        load_space(str(path))


@pytest.mark.parametrize(
    ("task", "pool_s"),
    [
        (Task(4, 1), (2, 3, 4)),
        (Task(6, 2), (4, 6)),
        (Task(8, 1), (4, 6, 8)),
        (Task(4, 4), (4,)),
        (Task(16, 1), (8, 12, 16)),
        (Task(9, 3), (6, 9)),
    ],
)
def test_any_whole_number_of_strides_streams(task: Task, pool_s: tuple[int, ...]) -> None:
    space = SearchSpace.preset("tiny").at_tasks([task]).streaming()
    assert space.dimensions["pool_s"] == pool_s
    rng, board, engine = random.Random(3), load_board("stm32h743"), load_engine("ppgnas-c")
    found = costing(board, engine, mode="streaming", around=USUAL)
    for arch in [at_task(TINY, task, streams=True), *(space.sample(rng) for _ in range(20))]:
        assert streamable(arch) is None
        assert chain(arch, "streaming").segments
        assert found(chain(arch, "streaming")) == found(lower(arch))


def test_what_streams_has_one_window_and_whole_steps() -> None:
    """Half a second of 25 Hz is no whole number of samples of 12.5 Hz."""
    space = SearchSpace.preset("tiny")
    with pytest.raises(SpaceError, match=r"windows are \(6, 8\) s, and a stream is normalised"):
        space.at_tasks([Task(6, 2), Task(8, 2)]).streaming()
    rates = replace(space, rate_hz=(16, 25))
    assert rates.streaming().rate_hz == (16, 25)
    assert rates.at_tasks([Task(8, 1)]).streaming().rate_hz == (16,)
    with pytest.raises(SpaceError, match=r"networks at \(25,\) Hz, of which 1 s are no whole"):
        replace(space, rate_hz=(25,)).at_tasks([Task(8, 1)]).streaming()


def test_a_stream_reads_twelve_seconds_back_or_six_strides() -> None:
    assert [most_past_s(Task(8, s)) for s in (1, 2, 4)] == [12, 12, 24]
