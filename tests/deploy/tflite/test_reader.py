"""Files read back: ours to the last bit, others' as far as they have costs, the rest by name."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import flatbuffers  # type: ignore[import-untyped]
import numpy as np
import pytest

from deploy import onnx_export
from deploy.integers import reference
from deploy.integers.quantized import QuantizedNet
from deploy.tflite import runtime as tflite_runtime
from deploy.tflite import writer as tflite
from deploy.tflite.reader import read
from hwmodels.arena import lower_bound_plan
from hwmodels.boards import load_board
from hwmodels.costs import costing
from hwmodels.engines.load import load_engine
from ppgnas.errors import ExportError, GraphError

Make = Callable[..., Any]


def unpacked(content: bytes) -> Any:
    """The schema's own objects of a file."""
    return tflite_runtime.schema().ModelT.InitFromPackedBuf(content, 0)


def packed(model: Any) -> bytes:
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
    return bytes(builder.Output())


def tensors_by_name(model: Any) -> dict[str, Any]:
    return {(t.name or b"").decode(): t for t in model.subgraphs[0].tensors}


def operator_code(model: Any, name: str) -> Any:
    code = getattr(tflite_runtime.schema().BuiltinOperator, name)
    return next(entry for entry in model.operatorCodes if entry.builtinCode == code)


def operators(model: Any, name: str) -> list[Any]:
    index = model.operatorCodes.index(operator_code(model, name))
    return [o for o in model.subgraphs[0].operators if o.opcodeIndex == index]


def rename(entry: Any, name: str) -> None:
    code = getattr(tflite_runtime.schema().BuiltinOperator, name)
    entry.builtinCode, entry.deprecatedBuiltinCode = code, min(code, 127)


def assert_read_back(net: QuantizedNet) -> None:
    content = tflite.write(net)
    model = read(content)
    assert model.file_bytes == len(content)
    named = tuple(replace(layer, name=layer.output) for layer in net.graph.layers)
    assert model.graph == replace(net.graph, layers=named)
    back = model.net()
    assert back.activations == net.activations
    for layer in net.graph.layers:
        for part in ("weights", "biases", "weight_scales"):
            if layer.name in getattr(net, part):
                np.testing.assert_array_equal(
                    getattr(back, part)[layer.output], getattr(net, part)[layer.name]
                )
    assert tflite.write(back) == content


@pytest.mark.parametrize("pool", ["avg", "mean", "depthwise"])
@pytest.mark.parametrize("seed", range(4))
def test_our_files_read_back(seed: int, pool: str, make_lowered: Make) -> None:
    assert_read_back(make_lowered(seed, pool=pool).net())


@pytest.mark.parametrize("padding", ["valid", "same"])
def test_any_window_reads_back(padding: str, make_builder: Make) -> None:
    builder = make_builder(0, (1, 11, 13, 3))
    builder.weighted(
        "conv", 5, kernel=(3, 2), dilation=(2, 1), padding=padding, activation="relu6"
    )
    builder.weighted("depthwise_conv", 10, kernel=(2, 3), stride=(2, 1), padding=padding)
    _, height, width, channels = builder.size(builder.last)
    shape = (1, height, width if padding == "same" else width - 1, channels)
    builder.add("max_pool", shape, keep_scale=True, kernel=(1, 2), padding=padding)
    builder.add("mean", (1, channels), scale=0.02)
    builder.add("softmax", (1, channels))
    builder.activations[builder.last] = (1 / 256, -128)
    assert_read_back(builder.net())


def test_a_read_network_computes_what_the_interpreter_does(
    make_lowered: Make, make_windows: Make, tmp_path: Path
) -> None:
    path = tmp_path / "model.tflite"
    path.write_bytes(tflite.write(make_lowered(3).net()))
    net = read(path).net()
    x = make_windows(net, 30)
    np.testing.assert_array_equal(
        tflite_runtime.run(path.read_bytes(), x), reference.run(net, x, rule="litert")
    )


def test_a_plan_in_the_file_is_no_hindrance(make_lowered: Make, make_windows: Make) -> None:
    net = make_lowered(0).net()
    content = tflite.write(net, plan=lower_bound_plan(net.graph))
    back = read(content)
    assert tflite.write(back.net()) == tflite.write(net)
    x = make_windows(net, 10)
    seen = tflite_runtime.run(content, x)
    np.testing.assert_array_equal(seen, reference.run(net, x, rule="litert"))


def test_a_plan_of_another_graph_is_refused(make_lowered: Make) -> None:
    plan = lower_bound_plan(make_lowered(0, blocks=1).graph())
    with pytest.raises(ExportError, match=r"plan: tensor '.*' lies at None; allowed: a multiple"):
        tflite.write(make_lowered(0).net(), plan=plan)


def test_costs_of_a_read_file_are_those_of_its_graph(make_lowered: Make) -> None:
    net = make_lowered(2).net()
    board, engine = load_board("stm32h743"), load_engine("tflm-cmsis-nn")
    priced = costing(board, engine)
    assert priced(read(tflite.write(net)).graph) == priced(net.graph)


@pytest.mark.parametrize("name", ["SQUEEZE", "EXPAND_DIMS"])
def test_other_names_of_a_reshape(name: str, make_lowered: Make) -> None:
    net = make_lowered(0).net()
    model = unpacked(tflite.write(net))
    rename(operator_code(model, "RESHAPE"), name)
    for operator in model.subgraphs[0].operators:
        if operator.builtinOptionsType == tflite_runtime.schema().BuiltinOptions.ReshapeOptions:
            operator.builtinOptionsType, operator.builtinOptions = 0, None
    seen = read(packed(model)).graph
    assert [layer.op for layer in seen.layers] == [layer.op for layer in net.graph.layers]


def test_a_layer_without_bias(make_lowered: Make) -> None:
    net = make_lowered(0).net()
    model = unpacked(tflite.write(net))
    first, second = operators(model, "CONV_2D")[:2]
    first.inputs, second.inputs = first.inputs[:2], np.array([*second.inputs[:2], -1], np.int32)
    back = read(packed(model)).net()
    convs = [layer.output for layer in net.graph.layers if layer.op == "conv"]
    assert not back.biases[convs[0]].any() and not back.biases[convs[1]].any()
    assert back.biases[convs[2]].any()


def test_operators_without_options_have_the_defaults(make_lowered: Make) -> None:
    """A pool without a table has padding SAME and a filter of 0, which no kernel accepts."""
    model = unpacked(tflite.write(make_lowered(0).net()))
    operators(model, "AVERAGE_POOL_2D")[0].builtinOptions = None
    operators(model, "AVERAGE_POOL_2D")[0].builtinOptionsType = 0
    with pytest.raises(GraphError, match=r"AVERAGE_POOL_2D .* its stride is \(0, 0\)"):
        read(packed(model))


def test_names_are_unique_and_printable(make_lowered: Make) -> None:
    net = make_lowered(0).net()
    model = unpacked(tflite.write(net))
    names = tensors_by_name(model)
    names["pad0_out"].name = "evil\x1b[31m"
    names["conv1_out"].name = names["pad2_out"].name = "same"
    names["input"].name = ""
    seen = [tensor.name for tensor in read(packed(model)).graph.tensors]
    assert seen[:4] == ["tensor0", "evil\ufffd[31m", "same", "same#3"]
    assert len(set(seen)) == len(seen) == len(net.graph.tensors)


def change_type(model: Any, name: str, kind: str) -> None:
    tensors_by_name(model)[name].type = getattr(tflite_runtime.schema().TensorType, kind)


def all_float(model: Any) -> None:
    for tensor in model.subgraphs[0].tensors:
        tensor.type = tflite_runtime.schema().TensorType.FLOAT32


def dynamic_range(model: Any) -> None:
    """int8 weights between float activations."""
    for tensor in model.subgraphs[0].tensors:
        if tensor.name:
            tensor.type = tflite_runtime.schema().TensorType.FLOAT32


def float_weights(model: Any) -> None:
    weights = model.subgraphs[0].tensors[operators(model, "CONV_2D")[0].inputs[1]]
    weights.type = tflite_runtime.schema().TensorType.FLOAT32


def set_field(operator: str, field: str, value: Any) -> Callable[[Any], None]:
    def change(model: Any) -> None:
        setattr(operators(model, operator)[0].builtinOptions, field, value)

    return change


def custom(model: Any) -> None:
    code = operator_code(model, "ADD")
    rename(code, "CUSTOM")
    code.customCode = "MyOp"


def pad_batch(model: Any) -> None:
    index = operators(model, "PAD")[0].inputs[1]
    buffer = model.buffers[model.subgraphs[0].tensors[index].buffer]
    buffer.data = np.frombuffer(np.array([0, 1, 0, 0, 6, 0, 0, 0], "<i4").tobytes(), np.uint8)


def constant_operand(model: Any) -> None:
    add = operators(model, "ADD")[0]
    weights = operators(model, "CONV_2D")[0].inputs[1]
    add.inputs = np.array([add.inputs[0], weights], np.int32)


def two_inputs(model: Any) -> None:
    graph = model.subgraphs[0]
    graph.inputs = np.array([graph.inputs[0], graph.inputs[0]], np.int32)


def batch(model: Any) -> None:
    tensors_by_name(model)["input"].shape = np.array([8, 1, 128, 4], np.int32)


def wrong_shape(model: Any) -> None:
    tensors_by_name(model)["conv1_out"].shape = np.array([1, 1, 63, 8], np.int32)


def two_subgraphs(model: Any) -> None:
    model.subgraphs = [model.subgraphs[0], model.subgraphs[0]]


def old_version(model: Any) -> None:
    model.version = 2


def grouped(model: Any) -> None:
    weights = model.subgraphs[0].tensors[operators(model, "CONV_2D")[0].inputs[1]]
    weights.shape = np.array([8, 1, 7, 2], np.int32)


REFUSED: list[tuple[Callable[[Any], None], str]] = [
    (all_float, r"tensor 'input' is FLOAT32; allowed: INT8; only fully quantised int8 files"),
    (dynamic_range, r"tensor 'input' is FLOAT32; allowed: INT8; .*representative data set"),
    (float_weights, r"layer 'conv1_out': its weights are FLOAT32; allowed: INT8"),
    (lambda m: change_type(m, "input", "UINT8"), r"tensor 'input' is UINT8; allowed: INT8"),
    (lambda m: change_type(m, "conv1_out", "INT16"), r"tensor 'conv1_out' is INT16"),
    (
        lambda m: rename(operator_code(m, "ADD"), "FLOOR_MOD"),
        r"operator \d+ FLOOR_MOD \('add\d+_out'\): FLOOR_MOD has no cost; allowed: CONV_2D, .*"
        r", NEG, .*\. To add it, extend hwmodels/operators\.py",
    ),
    (custom, r"custom MyOp has no cost"),
    (set_field("CONV_2D", "fusedActivationFunction", 4), r"fused activation is TANH; allowed"),
    (set_field("CONV_2D", "strideH", 0), r"its stride is \(0, 2\); both must be at least 1"),
    (set_field("CONV_2D", "dilationWFactor", -1), r"its dilation is \(1, -1\)"),
    (set_field("FULLY_CONNECTED", "weightsFormat", 1), r"its weights are shuffled"),
    (pad_batch, r"its paddings are \[0, 1, 0, 0, 6, 0, 0, 0\]; allowed: rows, columns and"),
    (constant_operand, r"\(add\) cannot have inputs of shapes \[.*, \(8, 1, 7, 4\)\]"),
    (two_inputs, r"the network has no input, or one twice"),
    (batch, r"tensor 'input' has shape \(8, 1, 128, 4\): a batch of 8; allowed: 1"),
    (wrong_shape, r"gives shape \(1, 1, 64, 8\), but its output 'conv1_out' is declared"),
    (two_subgraphs, r"holds 2 subgraphs; one is allowed"),
    (old_version, r"has schema version 2; this ppgnas reads version 3"),
    (grouped, r"weights have shape \(8, 1, 7, 2\) and 224 bytes; expected \(8, 1, 7, 2\): packed"),
]


@pytest.mark.parametrize(("change", "message"), REFUSED)
def test_what_has_no_cost_is_refused_by_name(
    change: Callable[[Any], None], message: str, make_lowered: Make
) -> None:
    model = unpacked(tflite.write(make_lowered(0).net()))
    change(model)
    with pytest.raises(GraphError, match=message) as caught:
        read(packed(model), name="theirs.tflite")
    assert str(caught.value).startswith("theirs.tflite")


def test_a_mean_of_everything_is_one_number(make_builder: Make) -> None:
    builder = make_builder(0, (1, 4, 6, 3))
    builder.add("mean", (1, 1, 1, 3), scale=0.02)
    model = unpacked(tflite.write(builder.net()))
    tensors = model.subgraphs[0].tensors
    axes = operators(model, "MEAN")[0].inputs[1]
    model.buffers[tensors[axes].buffer].data = np.frombuffer(
        np.array([1, 2, 3], "<i4").tobytes(), np.uint8
    )
    tensors[axes].shape = np.array([3], np.int32)
    tensors[-2 if axes == len(tensors) - 1 else -1].shape = np.array([1, 1, 1, 1], np.int32)
    content = packed(model)
    x = np.random.default_rng(0).integers(-128, 128, (9, 4, 6, 3)).astype(np.int8)
    seen = reference.run(read(content).net(), x, rule="litert")
    np.testing.assert_array_equal(seen.ravel(), tflite_runtime.run(content, x).ravel())


def test_a_network_without_height(make_builder: Make) -> None:
    """Keras' pooling of a sequence: (1, time, channels), reduced along axis 1."""
    builder = make_builder(0, (1, 1, 6, 3))
    builder.reshape((1, 6, 3))
    builder.add("mean", (1, 3), scale=0.02)
    model = unpacked(tflite.write(builder.net()))
    tensors = model.subgraphs[0].tensors
    axes = operators(model, "MEAN")[0].inputs[1]
    model.buffers[tensors[axes].buffer].data = np.frombuffer(
        np.array([1], "<i4").tobytes(), np.uint8
    )
    tensors[axes].shape = np.array([1], np.int32)
    seen = read(packed(model))
    assert [layer.op for layer in seen.graph.layers] == ["reshape", "mean"]
    net = seen.net()
    x = np.arange(-9, 9).astype(np.int8).reshape(1, 1, 6, 3)
    expected = tflite_runtime.run(packed(model), x)
    np.testing.assert_array_equal(reference.run(net, x), expected)
    np.testing.assert_array_equal(tflite_runtime.run(tflite.write(net), x), expected)
    np.testing.assert_array_equal(onnx_export.run(onnx_export.write(net), x), expected)


def test_rows_in_the_place_of_the_batch(make_builder: Make) -> None:
    """`(rows, channels)` is read as `(1, 1, rows, channels)`: the same bytes."""
    builder = make_builder(0, (1, 1, 6, 3))
    builder.reshape((6, 3))
    content = tflite.write(builder.net())
    net = read(content).net()
    assert net.graph.shape(net.graph.output) == (1, 1, 6, 3)
    x = np.arange(-9, 9).astype(np.int8).reshape(1, 1, 6, 3)
    np.testing.assert_array_equal(reference.run(net, x), x)


@pytest.mark.parametrize("content", [b"", b"TFL3", b"not a model at all", bytes(64)])
def test_what_is_no_file(content: bytes) -> None:
    with pytest.raises(GraphError, match=r"^x\.tflite is no TFLite file: bytes 4 to 8 are b"):
        read(content, name="x.tflite")


@pytest.mark.parametrize("name", ["gated_product_int8", "mlp_int8", "sliced_int8"])
def test_a_tensor_of_another_type_is_refused_or_computes_no_value(name: str) -> None:
    content = (Path(__file__).parent / "files" / f"{name}.tflite").read_bytes()
    for index in range(len(unpacked(content).subgraphs[0].tensors)):
        model = unpacked(content)
        model.subgraphs[0].tensors[index].type = 2  # int32
        try:
            read(packed(model), name="a.tflite")
        except GraphError as error:
            assert "damaged" not in str(error)


@pytest.mark.parametrize("name", ["grouped_int8", "mobilenet_int8", "permuted_int8", "rows_int8"])
def test_a_tensor_of_fewer_sizes_ends_in_one_message(name: str) -> None:
    content = (Path(__file__).parent / "files" / f"{name}.tflite").read_bytes()
    for index in range(len(unpacked(content).subgraphs[0].tensors)):
        model = unpacked(content)
        tensor = model.subgraphs[0].tensors[index]
        for sizes in (list(tensor.shape)[:-1], [], [*tensor.shape, 1]):
            tensor.shape = sizes
            try:
                read(packed(model), name="a.tflite").net()
            except (GraphError, ExportError) as error:
                assert "damaged" not in str(error)


def test_damaged_files_end_in_one_message(make_lowered: Make) -> None:
    """Cut short at any length, and with bytes changed at random: never another exception."""
    content = tflite.write(make_lowered(0, blocks=1).net())
    rng = random.Random(0)
    damaged = [content[:length] for length in range(8, len(content), len(content) // 100)]
    for _ in range(500):
        changed = bytearray(content)
        for _ in range(rng.choice([1, 3, 20])):
            changed[rng.randrange(8, len(changed))] = rng.randrange(256)
        damaged.append(bytes(changed))
    refused = 0
    for part in damaged:
        try:
            read(part).net()
        except (GraphError, ExportError) as error:
            refused += 1
            assert str(error)
    assert refused > 300


def test_a_truncated_file_says_so(make_lowered: Make) -> None:
    content = tflite.write(make_lowered(0, blocks=1).net())
    with pytest.raises(GraphError, match=r"cut\.tflite is damaged or cut short \(600 bytes, "):
        read(content[:600], name="cut.tflite")
