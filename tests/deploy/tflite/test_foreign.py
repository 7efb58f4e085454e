"""Files that Keras and TFLite's converter wrote (`make_foreign.py`), through every stage."""

from __future__ import annotations

import importlib.util
import math
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from deploy import onnx_export
from deploy.c import source
from deploy.c.build import emulator_of, model_files
from deploy.c.host import host_program
from deploy.emulation.host import HostCompiler
from deploy.emulation.toolchain import find_compiler
from deploy.fuzz.foreign import foreign_graph, with_outputs
from deploy.fuzz.random_net import random_net
from deploy.integers import lookup, reference
from deploy.integers.quantized import QuantizedNet
from deploy.tflite import micro, runtime, writer
from deploy.tflite.reader import TfliteModel, read, without_ends
from hwmodels.arena import buffers_of, plan_of
from hwmodels.boards import load_board
from hwmodels.costs import costing
from hwmodels.engines.load import engine_names, load_engine
from hwmodels.scorecard import score
from ppgnas.errors import ExportError
from tests.deploy.tflite.test_reader import packed, unpacked
from tests.hwmodels.portable import portable_scratch_bytes

FILES = {path.stem: path for path in sorted((Path(__file__).parent / "files").glob("*.tflite"))}
READ = sorted(FILES)
# Without their ends files of float and uint8 are those of int8 once more.
BUILT = [name for name in READ if not name.endswith(("_float", "_uint8"))]
# TFLM has no GELU, TILE, REDUCE_PROD, SELECT of version 1 and SQRT of int8.
NO_TFLM = ("gelu_int8", "moved_int8", "normalised_int8", "powers_int8", "pyramid_int8",
           "rows_dynamic", "selected_int8", "torch_curves_int8", "torch_patches_int8")  # fmt: skip
OPTIMISED = ("expected_int8", "exponential_int8", "weighed_int8")  # see runtime.NOT_COMPUTED
NOT_WRITTEN = ("groupnorm_int8", "layernorm_int8", "masked_int8", "powers_int8", "selected_int8",
               "torch_curves_int8", "torch_queries_int8",
               "torch_residual_int8", "transformer_int8", "waves_int8")  # fmt: skip
# No law of their plain loops yet.
UNCOUNTED = {"resize_nearest", "resize_bilinear", "squared_difference"}
# Versions that LiteRT's optimised kernels know; the reference kernels are the same before.
OLDER = {"TILE": 2, "DEPTH_TO_SPACE": 1}
# Other roundings go their own way: separable layers pass a step on.
ONNX_MAX_LSB = {"stacked_lstm_int8": 6}  # others 2; an lstm's states stay in float there


@cache
def foreign(name: str) -> tuple[TfliteModel, QuantizedNet, bytes]:
    """The file, its integers, and the file without float or uint8 ends."""
    model = read(FILES[name])
    return model, model.net(), _older(without_ends(FILES[name].read_bytes()))


def _older(content: bytes) -> bytes:
    model, builtins = unpacked(content), runtime.schema().BuiltinOperator
    versions = {getattr(builtins, name): version for name, version in OLDER.items()}
    old = [code for code in model.operatorCodes if code.builtinCode in versions]
    for code in old:
        code.version = versions[code.builtinCode]
    return packed(model) if old else content


def noise(net: QuantizedNet, count: int) -> NDArray[np.int8]:
    shape = (count, *net.graph.window)
    return np.random.default_rng(0).integers(-128, 128, shape).astype(np.int8)


@pytest.mark.parametrize("name", READ)
def test_every_engine_has_a_cost(name: str) -> None:
    graph = foreign(name)[0].graph
    for engine in map(load_engine, engine_names()):
        board = load_board("stm32h743" if "Cortex-M7" in engine.cores else "esp32-s3")
        card, fast = score(graph, board, engine), costing(board, engine)(graph)
        assert card.latency_ms.low <= card.latency_ms.value <= card.latency_ms.high
        assert card.latency_ms.value > 0 and len(card.layers) == len(graph.layers)
        for key in ("latency_ms", "flash_bytes", "sram_bytes"):
            assert math.isclose(getattr(card, key).value, getattr(fast, key), rel_tol=1e-6)


@pytest.mark.parametrize("name", READ)
def test_the_reference_is_the_interpreter(name: str) -> None:
    _, net, content = foreign(name)
    x = noise(net, 100)
    if name in OPTIMISED:  # whose sums are rounded in another way
        expected = runtime.run(content, x, kernels="optimized")
        apart = np.abs(reference.run(net, x).reshape(expected.shape).astype(int) - expected)
        assert apart.max() <= 1 and (apart > 0).mean() < 0.15
        return
    expected = runtime.run(content, x)
    seen = reference.run(net, x, rule="litert")
    np.testing.assert_array_equal(seen.reshape(expected.shape), expected)


def test_what_tflite_micro_lacks_is_said() -> None:
    lacking = {name: foreign(name)[0].lacking for name in READ if foreign(name)[0].lacking}
    assert set(lacking) == {*NO_TFLM}
    assert lacking["gelu_int8"] == ("GELU",) and "SQRT of int8" in lacking["normalised_int8"]
    (note,) = foreign("gelu_int8")[0].notes
    assert "TFLite Micro does not run it, for want of GELU; costs" in note
    (note,) = foreign("both_ways_int8")[0].notes
    assert "LiteRT and TFLite Micro compute different results" in note
    assert not foreign("stacked_lstm_int8")[0].notes


@pytest.mark.skipif(importlib.util.find_spec("tflite_micro") is None, reason="no tflite-micro")
@pytest.mark.parametrize("name", sorted({*READ}.difference(NO_TFLM)))
def test_the_reference_is_tflite_micro(name: str) -> None:
    model, net, content = foreign(name)
    x = noise(net, 50)
    truth = reference.run(net, x)
    same = np.array_equal(micro.run(content, x).reshape(truth.shape), truth)
    assert same != model.open_sizes


@pytest.mark.parametrize("name", READ)
def test_written_again_it_computes_the_same(name: str) -> None:
    _, net, content = foreign(name)
    x = noise(net, 30)
    if name in NOT_WRITTEN:
        with pytest.raises(
            ExportError,
            match=r"(computed in float|two operators|of two activations); keep the file",
        ):
            writer.write(net)
    else:
        again = writer.write(net)
        layers = tuple(replace(layer, in_float=False) for layer in net.graph.layers)
        assert read(again).graph.layers == layers
        kernels = "optimized" if name in OPTIMISED else "reference"
        expected = runtime.run(content, x, kernels=kernels)
        written = runtime.run(again, x, kernels=kernels)
        np.testing.assert_array_equal(written.reshape(expected.shape), expected)
    truth = reference.run(net, x).astype(int)
    by_onnx = onnx_export.run(onnx_export.write(net), x).reshape(truth.shape)
    assert np.abs(by_onnx - truth).max() <= ONNX_MAX_LSB.get(name, 2)


@pytest.mark.parametrize("names", [BUILT[at::6] for at in range(6)], ids=" ".join)
def test_the_c_is_the_reference(names: list[str], tmp_path: Path, host: HostCompiler) -> None:
    """Several networks are one program: less than half of their time is their own code."""
    for name in names:
        (tmp_path / name).mkdir()
    files = [model_files(foreign(name)[1], tmp_path / name) for name in names]
    program = host_program(files, tmp_path, host, flags=["-DPPG_SEPARATE", "-g0"])
    for number, name in enumerate(names):
        net = foreign(name)[1]
        x = noise(net, 20)
        truth = reference.run(net, x, rule="c")
        seen = program.run(number, net, x).reshape(truth.shape)
        np.testing.assert_array_equal(seen, truth, err_msg=name)


def test_outputs_lie_in_turn_as_the_header_says() -> None:
    net = foreign("two_outputs_int8")[1]
    text = source.header(net, source.generate(net))
    for line in ("CLASSES 11", "OUTPUT_0 0 /* 1 x 1: ", "OUTPUT_1 1 /* 1 x 10: ", "OUTPUTS 2"):
        assert f"#define PPG_{line}" in text


def assert_costs_within_bounds(net: QuantizedNet, folder: Path) -> None:
    """Emulated cycles and built flash lie within the scorecard's, whose width is no excuse."""
    pytest.importorskip("unicorn", reason="pip install -e .[emulate]")
    pytest.importorskip("ziglang", reason="pip install -e .[emulate]")
    card = score(net.graph, load_board("stm32h743"), load_engine("ppgnas-c"))
    emulator = emulator_of(net, model_files(net, folder), find_compiler())
    cycles = emulator.call("ppg_run", {"ppg_input": noise(net, 1).tobytes()}).cycles
    assert card.cycles.low <= cycles <= card.cycles.high
    flash = emulator.image.sizes_of("model").flash_bytes
    assert card.flash_bytes.low <= flash <= card.flash_bytes.high
    assert 0.7 < card.flash_bytes.value / flash < 1.4
    if not {layer.op for layer in net.graph.layers} & UNCOUNTED:
        assert card.cycles.high < 4 * card.cycles.value < 12 * card.cycles.low


@pytest.mark.parametrize("name", [n for n in READ if n.endswith("_int8")])
def test_built_costs_lie_within_the_bounds(name: str, tmp_path: Path) -> None:
    assert_costs_within_bounds(foreign(name)[1], tmp_path)


@pytest.mark.parametrize("seed", range(5000, 5006))
def test_so_do_those_of_networks_that_were_not_counted(seed: int, tmp_path: Path) -> None:
    graph = foreign_graph(seed)
    graph = with_outputs(graph, seed) if seed % 2 else graph
    assert_costs_within_bounds(random_net(graph, seed), tmp_path)


@pytest.mark.parametrize("name", READ)
def test_a_graph_document_gives_it_back(name: str) -> None:
    graph = foreign(name)[0].graph
    assert type(graph).from_json(graph.to_json()) == graph


@pytest.mark.parametrize("name", ["mlp_float", "tcn_float", "two_outputs_float"])
def test_float_ends_are_the_quantised_network_s(name: str) -> None:
    """The file as it is: real inputs, and outputs that are the integers times their scale."""
    _, net, _ = foreign(name)
    x = noise(net, 20)
    scale, zero_point = net.activations[net.graph.input]
    real = (x.astype(np.float32) - zero_point) * np.float32(scale)
    interpreter = runtime.interpreter_module().Interpreter(
        model_content=FILES[name].read_bytes(),
        experimental_op_resolver_type=runtime.interpreter_module().OpResolverType.BUILTIN_REF,
    )
    interpreter.allocate_tensors()
    source, target = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    expected = net.dequantize_output(reference.run(net, x, rule="litert"))
    for window, wanted in zip(real, expected, strict=True):
        interpreter.set_tensor(source["index"], window.reshape(source["shape"]))
        interpreter.invoke()
        np.testing.assert_array_equal(interpreter.get_tensor(target["index"])[0], wanted)


def test_float_ends_take_memory_and_time() -> None:
    """An input of 40 floats: 160 bytes that live beside their int8 copy."""
    board, engine = load_board("stm32h743"), load_engine("tflm-cmsis-nn")
    ends, core = (score(foreign(n)[0].graph, board, engine) for n in ("mlp_float", "mlp_int8"))
    assert [layer.op for layer in ends.layers[:: len(ends.layers) - 1]] == [
        "quantize",
        "dequantize",
    ]
    assert ends.layers[0].live_bytes == 160 + 40
    assert ends.cycles.value > core.cycles.value
    generated = load_engine("ppgnas-c")  # its caller hands it int8
    assert score(foreign("mlp_float")[0].graph, board, generated).cycles == (
        score(foreign("mlp_int8")[0].graph, board, generated).cycles
    )


@pytest.mark.parametrize(
    ("name", "rows", "board"),
    [
        ("mlp_int8", 24 + 17 + 10, "stm32h743"),
        ("mlp_int8", 24 + 17 + 10, "nrf5340"),
        ("mlp_uint8", 24 + 17 + 10, "stm32h743"),
        ("mobilenet_int8", None, "stm32f746"),
    ],
)
def test_a_scale_a_channel_takes_eight_bytes_of_arena(
    name: str, rows: int | None, board: str
) -> None:
    """TFLM keeps a multiplier and a shift of each output of a dense layer."""
    engine = load_engine("tflm-cmsis-nn")
    graph = foreign(name)[0].graph
    document = graph.to_json()
    dense = [layer for layer in document["layers"] if layer.pop("channel_scales", None)]
    outputs = [graph.shape(layer["output"])[-1] for layer in dense]
    assert outputs and rows in (None, sum(outputs))
    whole = type(graph).from_json(document)
    seen, one = (score(g, load_board(board), engine).arena_bytes for g in (graph, whole))
    assert seen - one == 8 * sum(outputs)


def test_constants_lie_in_flash_and_not_in_the_arena() -> None:
    """One scale and offset for all, one for each of 8 channels, two numbers for the gate."""
    graph = foreign("constants_int8")[0].graph
    joined = [layer for layer in graph.layers if layer.op in ("mul", "add", "sub")]
    assert [graph.weight_bytes(layer) for layer in joined] == [1, 1, 8, 8, 1, 1, 0, 0]
    buffers = buffers_of(graph, [0] * len(graph.layers))
    assert {buffer.name for buffer in buffers} == set(graph.names) - graph.constants


# Heads of the arena as tflite-micro 0.dev20261023182759 records them: of choices, whose answers
# are tensors of their own, of float tensors that two read, of groups and of an open batch.
HEADS = {"masked_int8": 6144, "waves_int8": 3072, "groupnorm_int8": 848, "dilated_dynamic": 832,
         "torch_bidirectional_int8": 496, "both_ways_int8": 224}  # fmt: skip


@pytest.mark.parametrize("name", HEADS)
def test_the_arena_is_planned_over_the_file_s_own_tensors(name: str) -> None:
    model = foreign(name)[0]
    scratch = portable_scratch_bytes(model.graph)
    found = plan_of(model.graph, scratch, model.held)
    assert found.arena_bytes == HEADS[name] != plan_of(model.graph, scratch).arena_bytes
    assert len(found.live_bytes) == len(model.graph.layers) + 1
    board, engine = load_board("stm32h743"), load_engine("tflm-cmsis-nn")
    cards = [score(model.graph, board, engine, held=held) for held in (model.held, None)]
    assert cards[0].arena_bytes != cards[1].arena_bytes
    assert cards[0].peak_layer in {layer.name for layer in model.graph.layers}


@pytest.mark.skipif(importlib.util.find_spec("tflite_micro") is None, reason="no tflite-micro")
@pytest.mark.parametrize("name", sorted({*READ}.difference(NO_TFLM, ["stacked_lstm_int8"])))
def test_the_arena_is_tflite_micro_s(name: str) -> None:
    from tests.hwmodels.test_arena_tflm import head_bytes, tflm

    model = foreign(name)[0]
    interpreter = tflm.Interpreter.from_bytes(FILES[name].read_bytes(), arena_size=1 << 20)
    scratch = portable_scratch_bytes(model.graph)
    assert head_bytes(interpreter) == plan_of(model.graph, scratch, model.held).arena_bytes


def test_weights_and_tables_that_steps_share_are_stored_once() -> None:
    graph = foreign("torch_bidirectional_int8")[0].graph
    layers = {layer.name: layer for layer in graph.layers}
    shared = [layer for layer in graph.layers if layer.weights_of]
    dense = [layer for layer in shared if layer.op == "fully_connected"]
    looked_up = [layer for layer in shared if layer.op in lookup.TABLES]
    assert (len(dense), len(looked_up), len(shared)) == (6, 18, 24)
    net = foreign("torch_bidirectional_int8")[1]
    for layer in shared:
        one = layers[layer.weights_of]
        assert not one.weights_of
        if layer in dense:
            np.testing.assert_array_equal(net.weights[layer.name], net.weights[one.name])
        else:
            np.testing.assert_array_equal(lookup.table(net, layer), lookup.table(net, one))
    apart = replace(graph, layers=tuple(replace(one, weights_of="") for one in graph.layers))
    board, engine = load_board("stm32h743"), load_engine("ppgnas-c")
    once, each = (score(of, board, engine).flash_bytes.value for of in (graph, apart))
    rows = [graph.weight_shape(one) for one in dense]
    weights = sum(outputs * (length + length % 2) for outputs, length in rows)
    assert each - once == weights + 256 * len(looked_up)


def test_a_float_operator_between_int8_layers_has_costs_and_is_one_table() -> None:
    model, net, _ = foreign("exponential_int8")
    ops = [layer.op for layer in model.graph.layers]
    assert [op for op in ops if op in ("dequantize", "elu", "quantize")] == [
        *("dequantize", "elu", "quantize"),
        *("dequantize", "elu", "quantize"),
    ]
    assert {tensor.kind for tensor in net.graph.tensors} == {"int8"}
    assert [layer.op for layer in net.graph.layers].count("elu") == 2
    board, engine = load_board("stm32h743"), load_engine("tflm-cmsis-nn")
    whole, core = (score(graph, board, engine) for graph in (model.graph, net.graph))
    # 48 steps of 8 floats before the operator and behind it.
    assert whole.sram_bytes.value - core.sram_bytes.value > 2 * 3 * 48 * 8
    assert whole.cycles.value > core.cycles.value


def test_shape_arithmetic_is_left_out() -> None:
    fixed, free = (foreign(f"gated_{kind}")[0].graph for kind in ("int8", "dynamic"))
    assert [layer.op for layer in free.layers if layer.op != "reshape"] == [
        layer.op for layer in fixed.layers if layer.op != "reshape"
    ]
