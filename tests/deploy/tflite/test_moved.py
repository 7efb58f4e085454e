"""Operators that move bytes alone: SPLIT and SPLIT_V, made of a gated product's two slices, and
what does not fit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from deploy.integers import reference
from deploy.tflite import runtime
from deploy.tflite.forms.fronted import with_batch_in_front
from deploy.tflite.forms.islands import with_islands
from deploy.tflite.forms.moved import _MAKERS, with_moves
from deploy.tflite.parse import StoredModel, StoredOperator, StoredTensor
from deploy.tflite.reader import read
from deploy.tflite.stored_net import net_of
from deploy.tflite.translate import Translator
from hwmodels.boards import load_board
from hwmodels.engines.load import engine_names, load_engine
from hwmodels.scorecard import score
from ppgnas.errors import GraphError
from tests.deploy.tflite.test_reader import operators, packed, rename, unpacked

FILE = Path(__file__).parent / "files" / "gated_product_int8.tflite"


def _split(name: str, *, axis: int = 2, sizes: tuple[int, int] = (8, 8)) -> bytes:
    model = unpacked(FILE.read_bytes())
    schema = runtime.schema()
    graph = model.subgraphs[0]
    first, second = operators(model, "STRIDED_SLICE")
    rename(model.operatorCodes[first.opcodeIndex], name)

    def constant(values: object) -> int:
        tensor, buffer = schema.TensorT(), schema.BufferT()
        array = np.array(values, "<i4")
        tensor.shape, tensor.type = np.array(array.shape, np.int32), schema.TensorType.INT32
        tensor.buffer, buffer.data = len(model.buffers), np.frombuffer(array.tobytes(), np.uint8)
        model.buffers.append(buffer)
        graph.tensors.append(tensor)
        return len(graph.tensors) - 1

    source = first.inputs[0]
    if name == "SPLIT":
        inputs, options = [constant(axis), source], schema.SplitOptionsT()
        first.builtinOptionsType = schema.BuiltinOptions.SplitOptions
    else:
        inputs, options = [source, constant(sizes), constant(axis)], schema.SplitVOptionsT()
        first.builtinOptionsType = schema.BuiltinOptions.SplitVOptions
    options.numSplits = 2
    first.inputs, first.builtinOptions = np.array(inputs, np.int32), options
    first.outputs = np.array([*first.outputs, *second.outputs], np.int32)
    graph.operators.remove(second)
    return packed(model)


@pytest.mark.parametrize(("name", "axis"), [("SPLIT", 2), ("SPLIT", -1), ("SPLIT_V", 2)])
def test_parts_are_the_interpreters(name: str, axis: int) -> None:
    content = _split(name, axis=axis)
    model, slices = read(content), read(FILE)
    assert model.graph.total_macs == slices.graph.total_macs
    assert [layer.op for layer in model.graph.layers].count("slice") == 2
    net = model.net()
    shape = net.graph.shape(net.graph.input)[-2:]
    x = np.random.default_rng(0).integers(-128, 128, (4, 1, *shape)).astype(np.int8)
    ours = reference.run(net, x, rule="litert").reshape(4, -1)
    theirs = runtime.run(content, x.reshape(4, *shape)).reshape(4, -1)
    np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("engine", engine_names())
def test_every_engine_has_a_cost(engine: str) -> None:
    known = load_engine(engine)
    board = load_board("stm32h743" if "Cortex-M7" in known.cores else "esp32-s3")
    parts = score(read(_split("SPLIT")).graph, board, known)
    slices = score(read(FILE).graph, board, known)
    assert parts.cycles.value == pytest.approx(slices.cycles.value, rel=0.02)
    assert parts.sram_bytes.value >= slices.sram_bytes.value  # both parts wait at a time


@pytest.mark.parametrize("axis", [1, 5, -9])
def test_parts_that_do_not_fit_are_refused(axis: int) -> None:
    with pytest.raises(GraphError, match="SPLIT has no cost; allowed: CONV_2D"):
        read(_split("SPLIT", axis=axis))


def _stored(name: str, shapes: list[tuple[int, ...]], numbers: list[int], **options: float) -> Any:
    """One operator over activations of the first shapes and a constant; the last is its output."""
    none = np.empty(0, np.float32), np.empty(0, np.int64)
    tensors = [StoredTensor(f"t{i}", shape, "INT8", *none, None) for i, shape in enumerate(shapes)]
    inputs = list(range(len(shapes) - 1))
    if numbers:
        content = np.array(numbers, "<i4").tobytes()
        tensors.append(StoredTensor("c", (len(numbers),), "INT32", *none, content))
        inputs.append(len(shapes))
    output = len(shapes) - 1
    operator = StoredOperator(name, tuple(inputs), (output,), options)
    return StoredModel(tuple(tensors), (operator,), (0,), (output,))


@pytest.mark.parametrize(
    "stored",
    [
        _stored("TILE", [(1, 4, 3), (1, 4, 3)], [1, 0, 1]),
        _stored("TILE", [(1, 2, 3, 1, 4), (1, 4, 3, 1, 8)], [1, 2, 1, 1, 2]),
        _stored("GATHER", [(1, 4, 3), (1, 4, 1)], [3], Axis=2, BatchDims=0),
        _stored("GATHER", [(1, 4, 3), (1, 4, 1)], [0], Axis=3, BatchDims=0),
        _stored("PACK", [(1, 4), (1, 4), (1, 2, 4)], [], Axis=3),
        _stored("UNPACK", [(1, 2, 4), (1, 4)], [], Axis=1),
        _stored("TRANSPOSE", [(2, 3, 4, 5, 6), (6, 5, 4, 3, 2)], [4, 3, 2, 1, 0]),
        _stored("SLICE", [(1, 4, 3), (1, 4, 3)], [0, 0, 0]),
    ],
)
def test_what_does_not_fit_stays(stored: StoredModel) -> None:
    assert with_moves(stored).operators == stored.operators


def test_five_axes_that_stay_neighbours_are_three() -> None:
    """PyTorch's shuffle: two groups of four channels of a 2 x 3 image."""
    shuffle = _stored("TRANSPOSE", [(1, 2, 3, 2, 4), (1, 2, 3, 4, 2)], [0, 1, 2, 4, 3])
    model = with_moves(shuffle)
    assert [tensor.shape for tensor in model.tensors[:2]] == [(1, 6, 2, 4), (1, 6, 4, 2)]
    order = model.tensors[model.operators[0].inputs[1]].content
    assert np.frombuffer(order or b"", "<i4").tolist() == [0, 1, 3, 2]


@pytest.mark.parametrize(
    ("shape", "axes", "target"),
    [
        ((1, 6, 5), [2], (1, 6, 1)),
        ((1, 6, 2, 4), [1, 3], (1, 1, 2, 1)),
        ((1, 6, 2, 4), [-3], (1, 2, 4)),
        ((1, 6, 2, 4), [-1, 2], (1, 6)),
    ],
)
@pytest.mark.parametrize("name", ["MEAN", "REDUCE_MAX"])
def test_any_axes_are_reduced(
    name: str, shape: tuple[int, ...], axes: list[int], target: tuple[int, ...]
) -> None:
    """To what the interpreter gives."""
    schema = runtime.schema()
    model = unpacked((FILE.parent / "last_step_int8.tflite").read_bytes())
    graph, (operator,) = model.subgraphs[0], operators(model, "FULLY_CONNECTED")
    rename(model.operatorCodes[operator.opcodeIndex], name)
    model.operatorCodes[operator.opcodeIndex].version = 2
    source, sink, where = (
        graph.tensors[index] for index in (graph.inputs[0], graph.outputs[0], operator.inputs[1])
    )
    source.shape, sink.shape = (np.array(one, np.int32) for one in (shape, target))
    sink.quantization = source.quantization
    where.shape, where.type = np.array([len(axes)], np.int32), schema.TensorType.INT32
    where.quantization = None
    model.buffers[where.buffer].data = np.frombuffer(np.array(axes, "<i4").tobytes(), np.uint8)
    operator.inputs = np.array([graph.inputs[0], operator.inputs[1]], np.int32)
    operator.builtinOptionsType = schema.BuiltinOptions.ReducerOptions
    operator.builtinOptions = schema.ReducerOptionsT()
    operator.builtinOptions.keepDims = len(shape) == len(target)
    graph.operators = [operator]
    content = packed(model)
    net = read(content).net()
    x = np.random.default_rng(0).integers(-128, 128, (8, *shape[1:])).astype(np.int8)
    ours = reference.run(net, x.reshape(8, *net.graph.shape(net.graph.input)[1:]), rule="litert")
    np.testing.assert_array_equal(ours.reshape(8, -1), runtime.run(content, x).reshape(8, -1))


FLOAT = np.empty(0, np.float32)


def _padded(pads: list[int], fill: int, *, zero_point: int = 3) -> StoredModel:
    """`PADV2` of a tensor (1, 3, 4) by a constant of the same scale."""
    rank, shape = len(pads) // 2, (1, 3, 4)
    target = tuple(n + pads[2 * i] + pads[2 * i + 1] for i, n in enumerate(shape[:rank]))
    scale, point = np.array([0.5], np.float32), np.array([zero_point])
    tensors = (
        StoredTensor("x", shape, "INT8", scale, point, None),
        StoredTensor("y", target, "INT8", scale, point, None),
        StoredTensor("p", (rank, 2), "INT32", FLOAT, point[:0], np.array(pads, "<i4").tobytes()),
        StoredTensor("v", (), "INT8", scale, np.array([3]), np.int8(fill).tobytes()),
    )
    operator = StoredOperator("PADV2", (0, 2, 3), (1,))
    return StoredModel(tensors, (operator,), (0,), (1,))


def _other_target(stored: StoredModel, shape: tuple[int, ...]) -> StoredModel:
    source, target, *others = stored.tensors
    return replace(stored, tensors=(source, replace(target, shape=shape), *others))


@pytest.mark.parametrize(
    ("pads", "fill"),
    [([0, 0, 1, 1, 0, 0], -128), ([0, 0, 0, 2, 0, 0], 7), ([0, 0, 2, 0, 1, 3], -128)],
)
def test_padding_by_a_value_is_a_constant_beside(pads: list[int], fill: int) -> None:
    graph = Translator(stored := with_moves(_padded(pads, fill))).graph()
    net = net_of(graph, stored)
    x = np.random.default_rng(0).integers(-128, 128, (5, *net.graph.window)).astype(np.int8)
    sides = [(0, 0), *zip(pads[2::2], pads[3::2], strict=True)]
    expected = np.pad(x.reshape(5, 3, 4), sides, constant_values=fill)
    np.testing.assert_array_equal(reference.run(net, x).reshape(expected.shape), expected)


@pytest.mark.parametrize(
    "stored",
    [
        _padded([1, 0, 0, 0, 0, 0], -128),
        _padded([0, 0, 0, 0, 0, 0], -128),
        _padded([0, 0, 1, 1, 0, 0], -128, zero_point=4),
        _other_target(_padded([0, 0, 2**30, 0, 0, 0], -128), (1, 3, 4)),
        _other_target(_padded([0, 0, 1, 1, 0, 0], -128), (1, 4, 4)),
    ],
)
def test_other_padding_stays(stored: StoredModel) -> None:
    assert with_moves(stored).operators == stored.operators


@pytest.mark.parametrize(
    ("places", "ops"),
    [
        ([0, 0, 1, 1, 2, 2], ["RESHAPE", "RESIZE_NEAREST_NEIGHBOR", "RESHAPE"]),
        ([0, 1, 2, 2], ["STRIDED_SLICE", "STRIDED_SLICE", "CONCATENATION"]),
        ([1, 2], ["STRIDED_SLICE"]),
    ],
)
@pytest.mark.parametrize("name", ["GATHER", "GATHER_ND"])
def test_constant_places(name: str, places: list[int], ops: list[str]) -> None:
    stored = _stored(name, [(3, 1, 4), (len(places), 1, 4)], places, Axis=0, BatchDims=0)
    constant = replace(stored.tensors[2], shape=(len(places), 1))
    moved = with_moves(replace(stored, tensors=(*stored.tensors[:2], constant)))
    assert [operator.name for operator in moved.operators] == ops
    assert moved.operators[-1].outputs == (1,)


def _of(names: list[str], shapes: list[tuple[int, ...]], numbers: list[list[int]]) -> StoredModel:
    """Operators one after the other, each with constants of its own."""
    none = np.array([0.5], np.float32), np.array([0])
    tensors = [StoredTensor(f"t{i}", shape, "INT8", *none, None) for i, shape in enumerate(shapes)]
    operators = []
    for index, (name, said) in enumerate(zip(names, numbers, strict=True)):
        inputs = [index]
        for column in ([said] if name != "SLICE" else [said[:4], said[4:]]) if said else []:
            content = np.array(column, "<i4").tobytes()
            tensors.append(StoredTensor("", (len(column),), "INT32", FLOAT, none[1][:0], content))
            inputs.append(len(tensors) - 1)
        operators.append(StoredOperator(name, tuple(inputs), (index + 1,)))
    return StoredModel(tuple(tensors), tuple(operators), (0,), (len(names),))


@pytest.mark.parametrize(
    ("names", "shapes", "numbers", "as_numpy"),
    [
        (  # queries of attention: steps first, then heads
            ["RESHAPE", "TRANSPOSE", "SLICE", "RESHAPE"],
            [(1, 5, 12), (5, 1, 3, 4), (3, 5, 1, 4), (1, 5, 1, 4), (1, 20)],
            [[], [2, 0, 1, 3], [1, 0, 0, 0, 1, 5, 1, 4], []],
            lambda x: x.reshape(-1, 5, 3, 4)[:, :, 1],
        ),
        (  # heads back to steps
            ["RESHAPE", "TRANSPOSE", "RESHAPE"],
            [(1, 24), (1, 2, 3, 4), (3, 1, 2, 4), (3, 8)],
            [[], [2, 0, 1, 3], []],
            lambda x: x.reshape(-1, 2, 3, 4).transpose(0, 2, 1, 3),
        ),
        (  # several sizes of one
            ["RESHAPE", "QUANTIZE", "TRANSPOSE", "RESHAPE"],
            [(1, 6), (3, 1, 2, 1), (3, 1, 2, 1), (2, 1, 1, 3), (1, 6)],
            [[], [], [2, 1, 3, 0], []],
            lambda x: x.reshape(-1, 3, 2).transpose(0, 2, 1),
        ),
    ],
)
def test_a_batch_behind_is_brought_to_the_front(
    names: list[str],
    shapes: list[tuple[int, ...]],
    numbers: list[list[int]],
    as_numpy: Callable[[Any], Any],
) -> None:
    stored = with_moves(with_batch_in_front(_of(names, shapes, numbers)))
    net = net_of(Translator(stored).graph(), stored)
    x = np.random.default_rng(0).integers(-128, 128, (5, *net.graph.window)).astype(np.int8)
    np.testing.assert_array_equal(reference.run(net, x).ravel(), as_numpy(x).ravel())


def test_a_layer_over_such_a_tensor_stays() -> None:
    stored = _of(["RESHAPE", "SOFTMAX"], [(1, 6), (3, 1, 2, 1), (3, 1, 2, 1)], [[], []])
    assert with_batch_in_front(stored) is stored


@pytest.mark.parametrize(
    ("name", "said", "target"),
    [
        ("REDUCE_MAX", [2], (1, 4)),
        ("REVERSE_V2", [1], (1, 4, 3)),
        ("TRANSPOSE", [0, 2, 1], (1, 3, 4)),
    ],
)
def test_a_move_in_float_changes_no_size_that_the_file_states(
    name: str, said: list[int], target: tuple[int, ...]
) -> None:
    """Else the file would seem one of an open batch."""
    stored = _in_float([name], [said], [(1, 4, 3)] * 2 + [target] * 2)
    moved = with_islands(stored)
    assert [operator.name for operator in moved.operators] == [name, "DEQUANTIZE", "QUANTIZE"]
    assert moved.tensors[: len(stored.tensors)] == stored.tensors
    assert moved.operators[-1].outputs == (3,)


def _in_float(names: list[str], said: list[list[int]], shapes: list[Any]) -> StoredModel:
    """An island of such operators, over int8 tensors of the first and the last shape."""
    stored = _of(["DEQUANTIZE", *names, "QUANTIZE"], shapes, [[], *said, []])
    kinds = ["INT8", *["FLOAT32"] * (len(shapes) - 2), "INT8"]
    real = (replace(t, kind=k) for t, k in zip(stored.tensors, kinds, strict=False))
    return replace(stored, tensors=(*real, *stored.tensors[len(shapes) :]))


@pytest.mark.parametrize(
    ("name", "alpha", "goes"),
    [
        ("TANH", 0.0, True),
        ("ELU", 0.0, True),
        ("LEAKY_RELU", 0.1, True),
        ("LEAKY_RELU", -0.1, False),
        ("ABS", 0.0, False),
        ("NEG", 0.0, False),
        ("GELU", 0.0, False),
        ("HARD_SWISH", 0.0, False),
    ],
)
def test_a_maximum_goes_in_front_of_what_never_falls(name: str, alpha: float, goes: bool) -> None:
    """The largest of -3 and 2 is 2, and that of their sizes 3."""
    shapes = [(1, 4, 3)] * 3 + [(1, 3)] * 2
    stored = _in_float([name, "REDUCE_MAX"], [[], [1]], shapes)
    named = replace(stored.operators[1], options={"Alpha": alpha})
    stored = replace(stored, operators=(stored.operators[0], named, *stored.operators[2:]))
    first = with_islands(stored).operators[0].name
    assert first == ("REDUCE_MAX" if goes else "DEQUANTIZE")
    if not goes:
        with pytest.raises(GraphError, match="the converter left what follows in float"):
            Translator(with_moves(with_islands(stored))).graph()


def test_an_island_without_an_end_is_none() -> None:
    stored = _in_float(["TANH", "RESHAPE"], [[], []], [(1, 4, 3)] * 5)
    dequantize, tanh, reshape, _ = stored.operators
    circle = replace(stored, operators=(dequantize, tanh, replace(reshape, outputs=(1,))))
    assert with_islands(circle).operators == circle.operators


@pytest.mark.parametrize("name", sorted(_MAKERS))
@pytest.mark.parametrize(
    ("inputs", "outputs"), [((), (1,)), ((0,), ()), ((0, 0, 0, 0, 0), (1,)), ((-1, 0), (1,))]
)
def test_an_operator_without_its_ends_is_refused(
    name: str, inputs: tuple[int, ...], outputs: tuple[int, ...]
) -> None:
    stored = _stored(name, [(3, 1, 2, 2), (3, 1, 2, 2)], [], Axis=0, BatchDims=0)
    operator = replace(stored.operators[0], inputs=inputs, outputs=outputs)
    stored = replace(stored, operators=(operator,))
    with pytest.raises(GraphError):
        Translator(with_moves(with_islands(with_batch_in_front(stored)))).graph()


@pytest.mark.parametrize(
    ("name", "source", "target", "numbers"),
    [
        ("BROADCAST_TO", (1, 1), (1, 2**30), [1, 2**30]),
        ("BROADCAST_TO", (1, 1, 1, 1), (1, 2**9, 2**9, 2**9), [1, 2**9, 2**9, 2**9]),
        ("BROADCAST_TO", (1, 1), (1, 0), [1, 0]),
        ("BROADCAST_TO", (1, 1, 1), (1, 4), [1, 4]),
    ],
)
def test_what_would_fill_the_memory_stays(
    name: str, source: tuple[int, ...], target: tuple[int, ...], numbers: list[int]
) -> None:
    stored = _stored(name, [source, target], numbers)
    assert with_moves(stored).operators == stored.operators


@pytest.mark.parametrize("name", ["POW", "DIV", "SPLIT"])
def test_what_stays_in_float_is_named(name: str) -> None:
    """The float operator of an island, renamed to one that maps no single values here."""
    model = unpacked((FILE.parent / "exponential_int8.tflite").read_bytes())
    (elu, *_) = operators(model, "ELU")
    rename(model.operatorCodes[elu.opcodeIndex], name)
    wanted = (
        rf"DEQUANTIZE .*: the converter left what follows in float: {name}; allowed: one of ABS, "
    )
    with pytest.raises(GraphError, match=wanted):
        read(packed(model))
