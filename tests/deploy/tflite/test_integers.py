"""Integers that a file computes of sizes, and of what the network reads."""

from __future__ import annotations

import pytest

from deploy.tflite import runtime as tflite_runtime
from deploy.tflite import writer as tflite
from deploy.tflite.reader import read
from ppgnas.errors import GraphError
from tests.deploy.tflite.test_reader import Make, packed, rename, unpacked


def ending(content: bytes, name: str, kind: str, *further: str) -> bytes:
    """A file whose output is read by operators of these names, which write tensors of a type."""
    schema, model = tflite_runtime.schema(), unpacked(content)
    graph = model.subgraphs[0]
    for each in (name, *further):
        code, tensor, operator = schema.OperatorCodeT(), schema.TensorT(), schema.OperatorT()
        rename(code, each)
        tensor.name, tensor.shape, tensor.type = (
            each.lower(),
            [1],
            getattr(schema.TensorType, kind),
        )
        model.operatorCodes.append(code)
        graph.tensors.append(tensor)
        operator.opcodeIndex = len(model.operatorCodes) - 1
        operator.inputs, operator.outputs = [int(graph.outputs[0])], [len(graph.tensors) - 1]
        graph.operators.append(operator)
        graph.outputs = operator.outputs
    return packed(model)


@pytest.mark.parametrize(
    ("name", "kind", "further", "message"),
    [
        ("ARG_MAX", "INT32", (), r"ARG_MAX \('arg_max'\): ARG_MAX has no cost; allowed: CONV_2D"),
        ("ARG_MIN", "INT64", (), r"ARG_MIN \('arg_min'\): ARG_MIN has no cost; allowed: CONV_2D"),
        ("CAST", "INT32", (), r"CAST \('cast'\): CAST has no cost; allowed: CONV_2D"),
        ("ARG_MAX", "INT32", ("CAST", "RESHAPE"), r"ARG_MAX \('arg_max'\): ARG_MAX has no cost"),
        ("QUANTIZE", "INT32", (), r"QUANTIZE .*: tensor 'quantize' is INT32; allowed: INT8, UINT"),
        ("SHAPE", "INT32", (), "the output 'shape' holds sizes of tensors, whatever the network"),
        ("SHAPE", "INT64", ("CAST",), "the output 'cast' holds sizes of tensors"),
    ],
)
def test_integers_of_a_signal_are_no_sizes(
    name: str, kind: str, further: tuple[str, ...], message: str, make_lowered: Make
) -> None:
    content = tflite.write(make_lowered(0).net())
    with pytest.raises(GraphError, match=message):
        read(ending(content, name, kind, *further))
