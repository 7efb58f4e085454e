"""RESIZE_NEAREST_NEIGHBOR and RESIZE_BILINEAR: each grid, sizes that divide and that do not."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from deploy.c.build import model_files
from deploy.emulation.host import HostCompiler
from deploy.integers import resizing
from deploy.integers.quantized import QuantizedNet, quantize
from hwmodels.graph import Graph, Layer, Tensor
from hwmodels.operators import GRIDS, Grid, Op
from ppgnas.errors import ExportError, GraphError
from tests.deploy.every_way import assert_costed, assert_generated, assert_interpreted, assert_onnx

SIZES = [(4, 5), (8, 10), (9, 7), (3, 7), (4, 2), (7, 9), (1, 1), (3, 2)]


def resized(op: Op, grid: Grid, sizes: list[tuple[int, int]]) -> QuantizedNet:
    """From each size to the next."""
    names = [f"size{index}" for index in range(len(sizes))]
    graph = Graph(
        tuple(Layer(after, op, (before,), after, grid=grid) for before, after in pairwise(names)),
        tuple(Tensor(name, (1, *size, 3)) for name, size in zip(names, sizes, strict=True)),
        names[0],
        names[-1],
    )
    return quantize(graph, {}, dict.fromkeys(names, (0.05, -7)))


@pytest.mark.parametrize("op", ["resize_nearest", "resize_bilinear"])
@pytest.mark.parametrize("grid", GRIDS)
def test_every_way(op: Op, grid: Grid, tmp_path: Path, host: HostCompiler) -> None:
    for sizes in pairwise(SIZES):
        assert_interpreted(resized(op, grid, [*sizes]))
        assert_onnx(resized(op, grid, [*sizes]))
    assert_generated(resized(op, grid, SIZES[:-2]), tmp_path, host)


@pytest.mark.parametrize("op", ["resize_nearest", "resize_bilinear"])
def test_every_engine_has_a_cost(op: Op) -> None:
    assert_costed(resized(op, "half_pixel", SIZES[:2]).graph)


def test_twice_the_size_copies_each_pixel_twice() -> None:
    np.testing.assert_array_equal(resizing.nearest(3, 6, "half_pixel"), [0, 0, 1, 1, 2, 2])
    np.testing.assert_array_equal(resizing.nearest(3, 6, "asymmetric"), [0, 0, 1, 1, 2, 2])
    np.testing.assert_array_equal(resizing.nearest(3, 5, "align_corners"), [0, 1, 1, 2, 2])


def test_an_unknown_grid_is_refused() -> None:
    document = resized("resize_nearest", "half_pixel", SIZES[:2]).graph.to_json()
    document["layers"][0]["grid"] = "half"
    with pytest.raises(GraphError, match=r"layers\.0\.grid"):
        Graph.from_json(document)


def test_sizes_that_float32_rounds_have_no_c(tmp_path: Path) -> None:
    """A position that would be whole lies below it in float32."""
    pairs = [(a, b) for a in range(2, 60) for b in range(2, 60)]
    for size, wanted in pairs:
        exact = np.arange(wanted) * size // wanted
        if (resizing.nearest(size, wanted, "asymmetric") != exact).any():
            break
    net = resized("resize_nearest", "asymmetric", [(size, 2), (wanted, 4)])
    assert_interpreted(net)
    with pytest.raises(ExportError, match="rounded in float32 by TFLite and has no generated C"):
        model_files(net, tmp_path)
