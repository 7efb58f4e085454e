"""Tensors of four sizes whose first is no batch: attention of PyTorch keeps steps or heads there.

`(steps, 1, heads, width)` has its batch of one behind; it is brought to the front, the same bytes,
and what moves axes or takes rows of such a tensor says so of the other axes.
"""

from __future__ import annotations

from dataclasses import replace

from deploy.tflite import slices
from deploy.tflite.parse import Rewritten, StoredModel, StoredOperator
from hwmodels.operators import OPERATORS, TFLITE_OPS

_PLAIN = (0, 1, 2, 3)


def with_batch_in_front(stored: StoredModel) -> StoredModel:
    """The model with such tensors turned; as it is where another operator reads or writes one."""
    orders = {}
    for index, tensor in enumerate(stored.tensors):
        shape = tensor.shape
        if len(shape) == 4 and shape[0] > 1 and 1 in shape and tensor.content is None:
            batch = shape.index(1)
            orders[index] = (batch, *(axis for axis in _PLAIN if axis != batch))
    if not orders:
        return stored
    model = Rewritten(stored.tensors)
    for operator in stored.operators:
        turned = _turned(model, operator, orders)
        if turned is None:
            return stored
        model.operators.append(turned)
    for index, order in orders.items():
        shape = tuple(model.shape(index)[axis] for axis in order)
        model.tensors[index] = replace(model.tensors[index], shape=shape)
    return replace(stored, tensors=tuple(model.tensors), operators=tuple(model.operators))


def _turned(
    model: Rewritten, operator: StoredOperator, orders: dict[int, tuple[int, ...]]
) -> StoredOperator | None:
    """The operator over turned tensors; None where it cannot be."""
    touched = orders.keys() & {*operator.inputs, *operator.outputs}
    if not touched or operator.name == "RESHAPE":
        return operator
    if operator.name == "PACK" and operator.outputs[:1] and operator.outputs[0] in orders:
        axis = int(operator.options["Axis"]) % 4
        return replace(operator, options={"Axis": orders[operator.outputs[0]].index(axis)})
    if min(operator.inputs, default=-1) < 0 or len(operator.outputs) != 1:
        return None
    source, *said = operator.inputs
    before, after = (orders.get(index, _PLAIN) for index in (source, operator.outputs[0]))
    columns = [model.numbers(index) for index in said]
    if operator.name == "TRANSPOSE" and [sorted(column) for column in columns] == [[*_PLAIN]]:
        axes = [before.index(columns[0][axis]) for axis in after]
        axes[axes.index(0)], axes[0] = axes[0], 0  # both of size 1
        return replace(operator, inputs=(source, model.constant(axes)))
    if operator.name == "SLICE" and [*map(len, columns)] == [4, 4]:
        parts = [model.constant([column[axis] for axis in before]) for column in columns]
        return replace(operator, inputs=(source, *parts))
    if operator.name == "STRIDED_SLICE" and len(columns) == 3:
        rows = slices.rows(operator.options, columns, model.shape(source))
        if isinstance(rows, str) or any(step < 0 for *_, step in rows):
            return None
        parts = [model.constant([rows[axis][at] for axis in before]) for at in range(3)]
        return replace(operator, inputs=(source, *parts), options=dict(slices.PLAIN))
    op = TFLITE_OPS.get(operator.name)
    alike = all(orders.get(i) == after or model.shape(i) in ((), (1,)) for i in operator.inputs)
    by_value = op is not None and OPERATORS[op].shape == "same" and "softmax" not in op
    return operator if by_value and alike else None
