"""Rows whose number a file leaves open, because its batch is open.

A dense layer over the steps of a sequence is stored as `RESHAPE` to rows, `FULLY_CONNECTED`, and
`RESHAPE` back. Where a model was converted with any batch, the number of rows is computed when it
runs, and the file says 1 for it. With a batch of one it follows from the sizes around it.
"""

from __future__ import annotations

from dataclasses import replace
from math import prod

from deploy.tflite.parse import StoredModel
from hwmodels.operators import OPERATORS, TFLITE_OPS


def with_rows(stored: StoredModel) -> StoredModel:
    """The model with the sizes of such rows; sizes that agree stay as they are."""
    shapes = [tensor.shape for tensor in stored.tensors]
    columns = {  # of what each dense layer reads
        operator.inputs[0]: shapes[operator.inputs[1]][-1]
        for operator in stored.operators
        if operator.name == "FULLY_CONNECTED"
        and len(operator.inputs) > 1
        and len(shapes[operator.inputs[1]]) == 2
    }
    opened = set()
    for operator in stored.operators:
        if not operator.inputs or len(operator.outputs) != 1:
            continue
        source, target = operator.inputs[0], operator.outputs[0]
        count, wide = prod(shapes[source]), columns.get(target, 0)
        if operator.name == "RESHAPE" and wide and prod(shapes[target]) != count:
            if len(shapes[target]) == 2 and count % wide == 0:
                shapes[target] = (count // wide, wide)
                opened.add(target)
        elif source in opened and len(shapes[target]) == 2 and _keeps_rows(operator.name):
            shapes[target] = (shapes[source][0], shapes[target][1])
            opened.add(target)
    tensors = (
        replace(tensor, shape=shape) for tensor, shape in zip(stored.tensors, shapes, strict=True)
    )
    return replace(stored, tensors=tuple(tensors))


def _keeps_rows(name: str) -> bool:
    op = TFLITE_OPS.get(name)
    return op is not None and (op == "fully_connected" or OPERATORS[op].shape == "same")
