"""What ST's tools make of a layer, by hand and against sizes that they published."""

from dataclasses import replace

import pytest

from hwmodels.boards import load_board
from hwmodels.costs import costing
from hwmodels.engines.kernels import geometry
from hwmodels.engines.load import load_engine
from hwmodels.engines.st import (
    FEATURES,
    code_kernel,
    features,
    is_line,
    layer_bytes,
    live_bytes,
)
from hwmodels.graph import Graph, Layer, Shape, Tensor
from hwmodels.operators import Op
from hwmodels.scorecard import score
from tests.hwmodels.small import one_layer


def test_features_of_each_kind_by_hand() -> None:
    wide = Layer("", "conv", (), "", (1, 8), padding="same")
    wide_8 = features("conv", geometry(wide, (1, 1, 512, 6), (1, 1, 512, 6)))
    assert FEATURES[:4] == ("macs", "dense_macs", "outputs", "taps")
    own = (512 * 6 * 48, 512 * 6, 512 * 8)
    assert list(wide_8) == [own[0], 0, *own[1:], 0, 0, *own, 0, 0]  # Along one axis: once more.
    point = features("conv", geometry(Layer("", "conv", (), ""), (1, 3, 3, 256), (1, 3, 3, 256)))
    # 64 KiB of weights: read again.
    assert list(point) == [9 * 65536, 0, 9 * 256, 0, 9, 9 * 65536, *(0,) * 5]
    depth = Layer("", "depthwise_conv", (), "", (5, 1))
    found = features("depthwise_conv", geometry(depth, (1, 28, 1, 128), (1, 24, 1, 128)))
    assert list(found) == [24 * 5 * 128, 0, 0, 24 * 5, *(0,) * 7]
    depth = Layer("", "depthwise_conv", (), "", (5, 5))
    found = features("depthwise_conv", geometry(depth, (1, 8, 8, 16), (1, 4, 4, 16)))
    assert list(found) == [16 * 25 * 16, 0, 0, 16 * 25, *(0,) * 5, 16 * 25 * 16, 0]
    dense = Layer("", "fully_connected", (), "")
    assert features("fully_connected", geometry(dense, (1, 640), (1, 128)))[1] == 640 * 128
    assert not any(features("add", geometry(Layer("", "add", (), ""), (1, 8), (1, 8))))
    assert not any(features("max_pool", geometry(Layer("", "max_pool", (), "", (2, 1), (2, 1)),
                                                 (1, 8, 1, 4), (1, 4, 1, 4))))  # fmt: skip


@pytest.mark.parametrize(("op", "kernel"), [("mean", (1, 1)), ("avg_pool", (5, 4))])
def test_an_average_is_paid_by_what_it_reads(op: Op, kernel: tuple[int, int]) -> None:
    """Versions up to 8.1 take several times what the current ones do."""
    layer = Layer("", op, (), "", kernel, kernel)
    target = (1, 16) if op == "mean" else (1, 1, 1, 16)
    shape = geometry(layer, (1, 5, 4, 16), target)
    assert list(features(op, shape)) == [*(0,) * 10, 5 * 4 * 16]
    works = {
        name: load_engine(name).work(layer, (1, 5, 4, 16), target).cycles.value
        for name in ("st-edge-ai", "st-edge-ai-10", "st-edge-ai-8.1", "st-edge-ai-7.3")
    }
    assert works["st-edge-ai"] == works["st-edge-ai-10"]
    for older in ("st-edge-ai-8.1", "st-edge-ai-7.3"):
        assert 20 < (works[older] - works["st-edge-ai"]) / (5 * 4 * 16) < 80


@pytest.mark.parametrize(
    ("op", "kernel", "line"),
    [
        ("conv", (5, 1), True),
        ("conv", (1, 8), True),
        ("conv", (1, 1), False),
        ("conv", (3, 3), False),
        ("depthwise_conv", (5, 1), False),
    ],
)
def test_a_window_along_one_axis(op: Op, kernel: tuple[int, int], line: bool) -> None:
    shape = geometry(Layer("", op, (), "", kernel, padding="same"), (1, 8, 8, 4), (1, 8, 8, 4))
    assert is_line(op, kernel) == line
    assert any(n for f, n in zip(FEATURES, features(op, shape), strict=True)
               if f.startswith("line_")) == line  # fmt: skip


@pytest.mark.parametrize(
    ("engine", "in_range"),
    [("st-edge-ai", True), ("st-edge-ai-8.1", True), ("st-edge-ai-7.3", False)],
)
def test_windows_along_one_axis_of_a_version_without_such_networks(
    engine: str, in_range: bool
) -> None:
    """8.1 needs about twice as long for them; nobody timed any under 7.3, which takes as much."""
    board, known = load_board("stm32u585"), load_engine(engine)
    line = score(one_layer("conv", (1, 24, 3, 8), (1, 20, 3, 16), kernel=(5, 1)), board, known)
    square = score(one_layer("conv", (1, 24, 6, 8), (1, 22, 4, 16), kernel=(3, 3)), board, known)
    assert line.in_calibrated_range == in_range
    assert square.in_calibrated_range
    per_mac = (line.cycles.value / line.macs) / (square.cycles.value / square.macs)
    assert (per_mac > 1.8) == (engine != "st-edge-ai")


def test_code_knows_windows_along_two_axes() -> None:
    shapes = (1, 8, 8, 4), (1, 8, 8, 4)
    along = Layer("", "conv", (), "", (5, 1), padding="same")
    across = Layer("", "conv", (), "", (3, 3), padding="same")
    assert code_kernel("conv", geometry(along, *shapes)) == "conv"
    assert code_kernel("conv", geometry(across, *shapes)) == "conv_2d"


@pytest.mark.parametrize(
    ("layer", "source", "target", "expected"),
    [
        # MLPerf Tiny's autoencoder: 2,048 B published.
        (Layer("", "fully_connected", (), ""), (1, 640), (1, 128), 640 + 128 + 1280),
        # Its streaming wake word: 10,117 B published, this layer is the largest.
        (Layer("", "depthwise_conv", (), "", (10, 1)), (1, 24, 1, 128), (1, 15, 1, 128),
         3072 + 1920 + 4 * 10 * 128),
        # A window reads a padded copy of its input.
        (Layer("", "conv", (), "", (3, 3), padding="same"), (1, 32, 32, 16), (1, 32, 32, 16),
         34 * 34 * 16 + 16384 + 4 * 9 * 16),
        (Layer("", "pad", (), ""), (1, 1, 60, 8), (1, 1, 64, 8), 64 * 8),
        (Layer("", "max_pool", (), "", (2, 1), (2, 1)), (1, 8, 1, 4), (1, 4, 1, 4), 32),
    ],
)  # fmt: skip
def test_bytes_of_a_layer_by_hand(
    layer: Layer, source: tuple[int, ...], target: tuple[int, ...], expected: int
) -> None:
    assert layer_bytes(layer, [source], target) == expected


@pytest.mark.parametrize(
    ("source", "target", "kernel", "published"),
    [
        # X-CUBE-AI 8.1 and 7.3, WISDM gmp of 24 and 48 samples: this layer is the largest.
        ((1, 20, 3, 16), (1, 16, 3, 16), (5, 1), (4.73, 4.671)),
        ((1, 44, 3, 16), (1, 40, 3, 16), (5, 1), (6.98, 6.922)),
    ],
)
def test_older_versions_unpack_weights_along_one_axis(
    source: Shape, target: Shape, kernel: tuple[int, int], published: tuple[float, float]
) -> None:
    layer = Layer("", "conv", (), "", kernel)
    older = layer_bytes(layer, [source], target, older=True) / 1024
    assert [older / size for size in published] == pytest.approx([1, 1], rel=0.01)
    assert layer_bytes(layer, [source], target) / 1024 < older - 2


@pytest.mark.parametrize(("samples", "published"), [(24, (1.63, 1.539)), (48, (2.33, 2.332))])
def test_older_versions_run_the_largest_of_a_pool_with_its_convolution(
    samples: int, published: tuple[float, float]
) -> None:
    """WISDM ign: 16 x 1, the largest of three, two dense layers."""
    rows = samples - 15
    shapes = ((1, samples, 3, 1), (1, rows, 3, 24), (1, rows // 3, 3, 24), (1, rows * 24), (1, 12))
    graph = Graph(
        (
            Layer("conv", "conv", ("0",), "1", (16, 1)),
            Layer("pool", "max_pool", ("1",), "2", (3, 1), (3, 1)),
            Layer("view", "reshape", ("2",), "3"),
            Layer("dense", "fully_connected", ("3",), "4"),
        ),
        tuple(Tensor(str(index), shape) for index, shape in enumerate(shapes)),
        "0",
        "4",
    )
    older = max(live_bytes(graph, older=True))
    assert [older / 1024 / size for size in published] == pytest.approx([1, 1], rel=0.04)
    # What somebody else reads is whole.
    both = replace(graph, also=("1",))
    assert max(live_bytes(both, older=True)) > 72 + rows * 3 * 24 + 2 * 24 * 16
    for name, expected in (("st-edge-ai-8.1", older), ("st-edge-ai", max(live_bytes(graph)))):
        engine, board = load_engine(name), load_board("stm32u585")
        card = score(graph, board, engine)
        assert card.arena_bytes == expected
        assert costing(board, engine)(graph).sram_bytes == pytest.approx(card.sram_bytes.value)


def test_older_versions_write_over_what_a_pointwise_layer_has_read() -> None:
    """56 x 56 x 8 to 16 channels: about the output alone, and the sum of both today."""
    layer = Layer("", "conv", (), "")
    sizes = [layer_bytes(layer, [(1, 56, 56, 8)], (1, 56, 56, 16), older=o) for o in (True, False)]
    assert sizes == [56 * 56 * 16 + 56 * 8 + 32, 56 * 56 * 24 + 32]


def test_a_strided_window_writes_over_what_it_has_read() -> None:
    """224 x 224 x 3 to 112 x 112 x 8: about the input alone (155,699 B published under 8.1)."""
    layer = Layer("", "conv", (), "", (3, 3), (2, 2), padding="same")
    found = layer_bytes(layer, [(1, 224, 224, 3)], (1, 112, 112, 8))
    assert 224 * 224 * 3 < found < 155_699


def test_a_pad_takes_no_room_of_its_own_and_a_shortcut_stays() -> None:
    names = (("x", 60, 8), ("p", 64, 8), ("y", 60, 8), ("z", 60, 8))
    graph = Graph(
        (
            Layer("pad", "pad", ("x",), "p", pads=(0, 0, 4, 0)),
            Layer("conv", "conv", ("p",), "y", (1, 5)),
            Layer("add", "add", ("x", "y"), "z"),
        ),
        tuple(Tensor(name, (1, 1, time, channels)) for name, time, channels in names),
        "x",
        "z",
    )
    # The input is added again later: the padded copy cannot stand in its place.
    assert live_bytes(graph) == [480 + 512, 480 + 512 + 480 + 4 * 5 * 8, 480 + 480]
    board, engine = load_board("stm32h743"), load_engine("st-edge-ai")
    card = score(graph, board, engine)
    assert card.arena_bytes == max(live_bytes(graph))
    assert card.peak_layer == "conv"
    fast = costing(board, engine)(graph)
    assert fast.sram_bytes == pytest.approx(card.sram_bytes.value)
    assert fast.flash_bytes == pytest.approx(card.flash_bytes.value)
