"""Features counted on paper, and the rules against the recorded kernels."""

import csv
from dataclasses import replace

import pytest

from hwmodels.boards import load_board
from hwmodels.engines.kernels import (
    CLASSES,
    Geometry,
    geometry,
    kernel_class,
    scratch_bytes,
)
from hwmodels.engines.load import load_engine
from hwmodels.fit.counted import COUNTS_CSV
from hwmodels.graph import Layer
from hwmodels.layer import real_taps
from hwmodels.operators import OPS
from hwmodels.scorecard import score
from ppgnas.errors import GraphError
from tests.hwmodels.small import one_layer


@pytest.mark.parametrize(
    ("size", "positions", "kernel", "stride", "dilation", "taps"),
    [
        (5, 5, 3, 1, 1, 13),  # same: 15 less one at each end
        (5, 3, 3, 1, 1, 9),  # valid
        (4, 2, 3, 2, 1, 5),  # same, stride 2: one padded sample, behind
        (6, 6, 3, 1, 2, 14),  # same, dilation 2: 4 + 6 + 4
        (7, 1, 7, 1, 1, 7),  # a pool over everything
        (3, 3, 9, 1, 1, 9),  # same, a window wider than its input
        (10**9, 10**9, 3, 1, 1, 3 * 10**9 - 2),  # as fast as a small one
        (10**9, 9 * 10**8 + 1, 10**8, 1, 1, 10**8 * (9 * 10**8 + 1)),  # and so is a long kernel
    ],
)
def test_real_taps(
    size: int, positions: int, kernel: int, stride: int, dilation: int, taps: int
) -> None:
    layer = Layer("c", "conv", (), "", (1, kernel), (1, stride), (1, dilation))
    assert real_taps(layer, (1, 1, size, 1), (1, 1, positions, 1)) == taps


def test_features_of_a_pointwise_layer() -> None:
    """n = 5 positions (odd), k = 22 = 16 + 4 + 2 inputs, o = 3 outputs (odd)."""
    shape = Geometry(1, 5, 1, 1, 5, cin=22, cout=3)
    names, features = CLASSES["conv_1x1"].names, CLASSES["conv_1x1"].features(shape)
    assert dict(zip(names, features, strict=True)) == {
        "n*o": 15, "n*o*(k//4)": 75, "n*o*(k//16)": 15, "n*o*(k%16>=4)": 15, "n*o*(k%4)": 30,
        "o": 3, "o*k": 66, "odd*o": 3, "odd*o*k": 66, "n*(o%2)*k": 110, "1": 1.0,
    }  # fmt: skip


def test_features_of_a_convolution() -> None:
    """2 x 4 positions, 3 x 1 taps on 6 channels: K = 18."""
    layer = Layer("c", "conv", ("x",), "y", kernel=(3, 1))
    shape = geometry(layer, (1, 4, 4, 6), (1, 2, 4, 5))
    assert kernel_class("conv", shape) == "conv"
    assert dict(zip(CLASSES["conv"].names, CLASSES["conv"].features(shape), strict=True)) == {
        "n": 8, "n*kh": 24, "taps": 24, "taps*(c//4)": 24, "taps*(c%4)": 48, "n*o": 40,
        "n*o*(k//4)": 160, "n*o*(k%4)": 80, "rows": 2, "1": 1.0,
    }  # fmt: skip


def test_features_of_a_depthwise_layer() -> None:
    """1 x 4 positions, 1 x 3 taps, 9 channels = 2 * 4 + 1."""
    layer = Layer("d", "depthwise_conv", ("x",), "y", kernel=(1, 3))
    shape = geometry(layer, (1, 1, 6, 9), (1, 1, 4, 9))
    assert kernel_class("depthwise_conv", shape) == "depthwise"
    names, features = CLASSES["depthwise"].names, CLASSES["depthwise"].features(shape)
    assert dict(zip(names, features, strict=True)) == {
        "n": 4, "n*kh": 4, "taps": 12, "taps*(c//4)": 24, "taps*(c%4)": 12, "n*(c//4)": 8,
        "n*(c//4)*(k//2)": 8, "n*(c//4)*(k%2)": 8, "n*(c%4)": 4, "n*(c%4)*k": 12, "rows": 1,
        "1": 1.0,
    }  # fmt: skip


def test_choice_of_kernel() -> None:
    point = Geometry(1, 8, 1, 1, 8, 4, 8)
    assert kernel_class("conv", point) == "conv_1x1"
    dilated = Geometry(1, 8, 1, 3, 24, 8, 8, dilated=True)
    assert kernel_class("conv", dilated) == "conv"  # dilation is free for full convolutions
    assert kernel_class("depthwise_conv", dilated) == "depthwise_general"
    multiplied = Geometry(1, 8, 1, 3, 24, 4, 8)
    assert kernel_class("depthwise_conv", multiplied) == "depthwise_general"
    assert kernel_class("mean", point) == "mean"


def test_unknown_operator_is_not_free() -> None:
    with pytest.raises(GraphError) as caught:
        kernel_class("gru", Geometry(1, 8, 1, 1, 8, 4, 4))
    assert str(caught.value) == (
        f"kernels: operator 'gru' has no cost; known: {', '.join(OPS)}. "
        "Add it to hwmodels/operators.py"
    )


def test_scratch_equals_the_recorded_buffer_sizes() -> None:
    """Every convolution, depthwise layer and average pool of the counted layers."""
    ops = {"conv": "conv", "conv_force": "conv", "dw": "depthwise_conv", "avgpool": "avg_pool"}
    checked = 0
    with COUNTS_CSV.open(encoding="utf-8", newline="") as stream:
        for row in csv.DictReader(stream):
            if row["op"] not in ops:
                continue
            *tall, width = row["kernel"].split("x")
            height = tall[0] if tall else 1
            shape = Geometry(
                1, int(row["positions"]), int(height), int(width), int(row["taps"]),
                int(row["cin"]), int(row["cout"]), dilated=int(row["dilation"]) > 1,
            )  # fmt: skip
            kernel = "conv" if row["op"] == "conv_force" else kernel_class(ops[row["op"]], shape)
            assert scratch_bytes(kernel, shape) == int(row["scratch_bytes"]), row
            checked += 1
    assert checked == 593


def test_scratch_of_other_cores() -> None:
    """5 x 1 on 6 channels. Helium: K = 30 up to 32, and blocks of 124 channels; without the DSP
    extension a depthwise layer and a pool need none."""
    shape = Geometry(10, 1, 5, 1, 50, 6, 6)
    needs = {
        core: [scratch_bytes(kernel, shape, core) for kernel in ("conv", "depthwise", "avg_pool")]
        for core in ("Cortex-M33", "Cortex-M55", "Cortex-M0+")
    }
    assert needs == {
        "Cortex-M33": [4 * 32, 2 * 30, 4 * 6],
        "Cortex-M55": [4 * 32, 4 * 124 * 5, 0],
        "Cortex-M0+": [4 * 32, 0, 0],
    }
    graph = one_layer("depthwise_conv", (1, 10, 1, 6), (1, 10, 1, 6), kernel=(5, 1),
                      padding="same")  # fmt: skip
    engine = load_engine("tflm-cmsis-nn")
    small, large = (score(graph, load_board(b), engine).arena_bytes
                    for b in ("stm32h743", "apollo510"))  # fmt: skip
    assert large - small == 4 * 124 * 5 - 64  # in steps of 16 bytes


def test_channels_that_make_a_multiple_of_four_have_a_kernel_of_their_own() -> None:
    """1 channel to 8 by 3 taps over 128 positions: 70,102 instructions were counted, where the
    general kernel would need twice as many."""
    shape = Geometry(1, 128, 1, 3, 381, cin=1, cout=8)
    assert kernel_class("depthwise_conv", shape) == "depthwise_mult_4"
    assert kernel_class("depthwise_conv", replace(shape, cout=6)) == "depthwise_general"
    assert kernel_class("depthwise_conv", replace(shape, dilated=True)) == "depthwise_general"
    law = load_engine("tflm-cmsis-nn-99f736a").profiles[0].work("depthwise_mult_4", shape)
    assert law.cycles.value == pytest.approx(600 + 0.87 * 70_102, rel=0.001)


def test_a_depthwise_window_of_3_by_3_has_a_kernel_of_its_own() -> None:
    """24 x 24 positions on 8 channels: 434,546 instructions were counted; the kernel of k x 1
    needs a fifth more. It asks for no scratch, but in builds of before."""
    shape = Geometry(24, 24, 3, 3, taps=70 * 70, cin=8, cout=8)
    assert kernel_class("depthwise_conv", shape) == "depthwise_3x3"
    assert kernel_class("depthwise_conv", replace(shape, dilated=True)) == "depthwise_general"
    engine = load_engine("tflm-cmsis-nn-99f736a")
    cycles = engine.profiles[0].work("depthwise_3x3", shape).cycles.value
    assert cycles == pytest.approx(600 + 0.87 * 434_546, rel=0.01)
    assert engine.profiles[0].work("depthwise", shape).cycles.value > 1.1 * cycles
    graph = one_layer("depthwise_conv", (1, 24, 24, 8), (1, 24, 24, 8), kernel=(3, 3),
                      padding="same")  # fmt: skip
    board = load_board("stm32h743")
    newer, older = (score(graph, board, load_engine(e)).arena_bytes for e in
                    ("tflm-cmsis-nn-99f736a", "tflm-cmsis-nn"))  # fmt: skip
    assert older - newer == 2 * 9 * 8


def test_several_outputs_a_channel_along_both_axes() -> None:
    """The first layer of micro_speech, 10 x 8 by 2 x 2 on one channel to 8: 1,452,437 instructions
    were counted."""
    shape = Geometry(25, 20, 10, 8, taps=35_720, cin=1, cout=8, strided=True)
    law = load_engine("tflm-cmsis-nn-99f736a").profiles[0].work("depthwise_mult_4", shape)
    assert law.cycles.value == pytest.approx(600 + 0.87 * 1_452_437, rel=0.01)
