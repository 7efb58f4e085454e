"""The long pass: its first reading is the window's, and pieces make no difference."""

from __future__ import annotations

import random
from typing import get_args

import numpy as np
import pytest

from deploy.fuzz.random_net import random_net
from deploy.integers import reference, streaming
from deploy.integers.reference import Rule
from hwmodels.graph import Graph
from hwmodels.streaming import over
from ppgnas.errors import ExportError, GraphError
from search_spaces.lower import lower
from search_spaces.published import published
from search_spaces.space import SearchSpace


def streamable_graphs(count: int, seed: int) -> list[Graph]:
    rng = random.Random(seed)
    spaces = [SearchSpace.preset(name) for name in ("tiny", "default", "wide")]
    found: list[Graph] = []
    while len(found) < count:
        graph = lower(spaces[len(found) % 3].sample(rng))
        try:
            over(graph, 1)
        except GraphError:
            continue
        found.append(graph)
    return found


@pytest.mark.parametrize("graph", [*map(lower, map(published, ("tiny", "medium-4s"))),
                                   *streamable_graphs(6, seed=4)])  # fmt: skip
def test_the_first_reading_is_the_windows_in_every_rule(graph: Graph) -> None:
    net = random_net(graph, 5)
    hop = streaming.hop_samples(graph)
    rng = np.random.default_rng(5)
    x = rng.integers(-128, 128, (6 * hop, graph.shape(graph.input)[3])).astype(np.int8)
    rules: tuple[Rule, ...] = get_args(Rule)
    for rule in rules:
        readings = streaming.long_pass(net, x, rule=rule)
        window = reference.run(net, x[None, None, : 4 * hop], rule=rule)
        np.testing.assert_array_equal(readings[0], window[0].ravel())
        assert len(readings) == 3


def test_pieces_of_a_long_signal_make_no_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    for seed, graph in enumerate(streamable_graphs(3, seed=8)):
        net, hop = random_net(graph, seed), streaming.hop_samples(graph)
        rng = np.random.default_rng(seed)
        x = rng.integers(-128, 128, (14 * hop, graph.shape(graph.input)[3])).astype(np.int8)
        whole = streaming.long_pass(net, x)
        for blocks in (1, 5):
            monkeypatch.setattr(streaming, "_STRETCH_BLOCKS", blocks)
            np.testing.assert_array_equal(streaming.long_pass(net, x), whole)
        monkeypatch.undo()
        # The past counts: a window that is cut out has zeros where the stream has samples.
        cut = reference.run(net, x[None, None, 10 * hop :], rule="c")
        assert (cut[0].ravel() != whole[-1]).any()


def test_a_signal_that_ends_within_a_block_is_refused() -> None:
    net = random_net(lower(published("tiny")), 0)
    with pytest.raises(ExportError, match=r"this network streams int8 of shape \(blocks \* 32, 4"):
        streaming.long_pass(net, np.zeros((300, 4), np.int8))
