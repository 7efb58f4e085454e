"""SPACE_TO_DEPTH, DEPTH_TO_SPACE, PAD of channels and slices with steps back: every byte at its
place, by every way."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from deploy.emulation.host import HostCompiler
from deploy.integers import reference
from deploy.integers.quantized import QuantizedNet, quantize
from hwmodels.graph import Graph, Layer, Tensor
from hwmodels.operators import Op
from ppgnas.errors import GraphError
from tests.deploy.every_way import assert_costed, assert_generated, assert_interpreted, assert_onnx

Shape = tuple[int, ...]


def moved(op: Op, source: Shape, target: Shape, **options: Any) -> QuantizedNet:
    graph = Graph(
        (Layer("b", op, ("a",), "b", **options),),
        (Tensor("a", source), Tensor("b", target)),
        "a",
        "b",
    )
    other = (0.07, 3) if op == "slice" else (0.05, -7)  # as reversed steps have in files
    return quantize(graph, {}, {"a": (0.05, -7), "b": other})


CASES: list[tuple[Op, Shape, Shape, dict[str, Any]]] = [
    ("space_to_depth", (1, 4, 6, 3), (1, 2, 3, 12), {"block": 2}),
    ("space_to_depth", (1, 3, 9, 1), (1, 1, 3, 9), {"block": 3}),
    ("depth_to_space", (1, 2, 3, 12), (1, 4, 6, 3), {"block": 2}),
    ("depth_to_space", (1, 1, 2, 18), (1, 3, 6, 2), {"block": 3}),
    ("pad", (1, 3, 4, 5), (1, 3, 4, 8), {"channel_pads": (0, 3)}),
    ("pad", (1, 3, 4, 5), (1, 5, 5, 9), {"channel_pads": (1, 3), "pads": (2, 0, 0, 1)}),
    ("pad", (1, 1, 6, 2), (1, 1, 6, 3), {"channel_pads": (1, 0)}),
    (
        "slice",
        (1, 1, 7, 3),
        (1, 1, 7, 3),
        {"rows": ((0, 1, 1), (0, 1, 1), (6, -1, -1), (0, 3, 1))},
    ),
    (
        "slice",
        (1, 2, 7, 3),
        (1, 2, 2, 3),
        {"rows": ((0, 1, 1), (1, -1, -1), (5, 1, -2), (2, -1, -1))},
    ),
    (
        "slice",
        (1, 2, 9, 4),
        (1, 2, 3, 2),
        {"rows": ((0, 1, 1), (0, 2, 1), (8, -1, -4), (3, 0, -2))},
    ),
]


@pytest.mark.parametrize(("op", "source", "target", "options"), CASES)
def test_every_way(
    op: Op,
    source: Shape,
    target: Shape,
    options: dict[str, Any],
    tmp_path: Path,
    host: HostCompiler,
) -> None:
    net = moved(op, source, target, **options)
    assert_interpreted(net)
    assert_onnx(net, lsb=0)
    assert_generated(net, tmp_path, host)


@pytest.mark.parametrize("index", [0, 2, 8])
def test_every_engine_has_a_cost(index: int) -> None:
    op, source, target, options = CASES[index]
    assert_costed(moved(op, source, target, **options).graph)


def test_the_first_position_holds_the_first_block() -> None:
    net = moved("space_to_depth", (1, 4, 4, 1), (1, 2, 2, 4), block=2)
    x = np.arange(16, dtype=np.int8).reshape(1, 4, 4, 1)
    np.testing.assert_array_equal(reference.run(net, x)[0, 0, 0], [0, 1, 4, 5])


@pytest.mark.parametrize(
    ("op", "source", "target", "block"),
    [
        ("space_to_depth", (1, 4, 5, 3), (1, 2, 2, 12), 2),
        ("depth_to_space", (1, 2, 2, 6), (1, 4, 4, 1), 2),
        ("depth_to_space", (1, 2, 2, 8), (1, 2, 2, 8), 0),
    ],
)
def test_blocks_that_do_not_fit_are_refused(
    op: Op, source: Shape, target: Shape, block: int
) -> None:
    with pytest.raises(GraphError, match=f"cannot have blocks of {block} by {block}"):
        moved(op, source, target, block=block)
