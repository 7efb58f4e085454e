"""Operators of constants alone, computed when a file is read."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from deploy.tflite.forms.constants import with_constants
from deploy.tflite.forms.moved import with_moves
from deploy.tflite.parse import StoredModel, StoredOperator, StoredTensor
from deploy.tflite.slices import PLAIN

_KINDS = {"<i4": "INT32", "<f4": "FLOAT32", "|b1": "BOOL", "|i1": "INT8"}
A, B = np.array([[-3, 0], [4, 9]], "<i4"), np.array([2, -1], "<i4")


def _tensor(values: Any, *, scale: float | None = None, constant: bool = True) -> StoredTensor:
    scales = np.array([] if scale is None else [scale], np.float32)
    points = np.array([] if scale is None else [3], np.int64)
    content = values.tobytes() if constant else None
    return StoredTensor("", values.shape, _KINDS[values.dtype.str], scales, points, content)


def _model(name: str, inputs: list[StoredTensor], target: StoredTensor, **options: float) -> Any:
    """One operator, and one that reads what it gives."""
    last = len(inputs)
    operators = (
        StoredOperator(name, tuple(range(last)), (last,), options),
        StoredOperator("RESHAPE", (last,), (last + 1,)),
    )
    return StoredModel((*inputs, target, target), operators, (), (last + 1,))


@pytest.mark.parametrize(
    ("name", "inputs", "expected", "options"),
    [
        ("ABS", [A], np.abs(A), {}),
        ("SUB", [A, B], A - B, {}),
        ("LESS", [A, B], A < B, {}),
        ("SELECT", [A < B, A, A + 1], np.where(A < B, A, A + 1), {}),
        ("CAST", [A], A.astype("<f4"), {}),
        ("BROADCAST_TO", [B, np.array([2, 2], "<i4")], np.array([B, B]), {}),
        ("CONCATENATION", [A, A], np.concatenate([A, A], 1), {"Axis": -1}),
        ("TRANSPOSE", [A, np.array([1, 0], "<i4")], A.T, {}),
        ("PAD", [B, np.array([[1, 2]], "<i4")], np.pad(B, (1, 2)), {}),
        ("STRIDED_SLICE", [A, *(np.array(n, "<i4") for n in ([1, -1], [0, 0], [-1, -1]))],
         A[::-1, ::-1], PLAIN | {"EndMask": 3.0}),
    ],
)  # fmt: skip
def test_results_are_constants(
    name: str, inputs: list[Any], expected: Any, options: dict[str, float]
) -> None:
    target = _tensor(expected, constant=False)
    model = _model(name, [_tensor(np.asarray(values)) for values in inputs], target, **options)
    found = with_constants(model)
    assert [operator.name for operator in found.operators] == ["RESHAPE"]
    assert found.tensors[len(inputs)].content == expected.astype(expected.dtype).tobytes()


def test_a_first_state_of_nothing_gives_nothing() -> None:
    """GRU of Keras with an open batch: FILL of computed sizes, a dense layer, its gates."""
    sizes = _tensor(np.array([1, 2], "<i4"), constant=False)
    nothing = _tensor(np.array(3, "i1"), scale=0.5)
    state = _tensor(np.zeros((1, 2), "i1"), scale=0.5, constant=False)
    weights = _tensor(np.ones((4, 2), "i1"), scale=0.1)
    gates = _tensor(np.zeros((1, 4), "i1"), scale=0.2, constant=False)
    operators = (
        StoredOperator("FILL", (0, 1), (2,)),
        StoredOperator("FULLY_CONNECTED", (2, 3, -1), (4,)),
        StoredOperator("RESHAPE", (4,), (5,)),
    )
    model = StoredModel((sizes, nothing, state, weights, gates, gates), operators, (0,), (5,))
    found = with_constants(model)
    assert [operator.name for operator in found.operators] == ["RESHAPE"]
    assert found.tensors[4].content == bytes([3] * 4)


@pytest.mark.parametrize(
    "change",
    [
        {"content": b"abc"},
        {"content": None},
        {"kind": "STRING"},
        {"shape": (3,), "content": bytes(12)},
        {"kind": "INT8", "content": bytes(4)},
    ],
)
def test_what_is_no_constant_stays(change: dict[str, Any]) -> None:
    model = _model("ADD", [_tensor(A), _tensor(A)], _tensor(A, constant=False))
    tensors = (replace(model.tensors[0], **change), *model.tensors[1:])
    model = replace(model, tensors=tensors)
    assert with_constants(model).operators == model.operators


@pytest.mark.parametrize("mode", ["reflect", "symmetric"])
def test_mirrored_edges_are_slices(mode: str) -> None:
    """Up to the last element that there is; a slice downwards may end before the first."""
    size, pads = 5, (3, 4)
    pairs = np.array([[0, 0], pads, [0, 0]], "<i4")
    source, target = (
        _tensor(np.zeros((1, n, 2), "i1"), scale=0.5, constant=False) for n in (5, 12)
    )
    operator = StoredOperator("MIRROR_PAD", (0, 1), (2,), {"Mode": float(mode == "symmetric")})
    found = with_moves(StoredModel((source, _tensor(pairs), target), (operator,), (0,), (2,)))
    *slices, join = found.operators
    assert (join.name, len(join.inputs)) == ("CONCATENATION", 3)
    rows: list[int] = []
    for one in slices:
        first, end, step = (
            int(np.frombuffer(found.tensors[i].content or b"", "<i4")[1]) for i in one.inputs[1:]
        )
        rows += range(size)[slice(first, None if one.options["EndMask"] else end, step)]
    expected: Any = np.pad(np.arange(size), pads, mode=mode)  # type: ignore[call-overload]
    assert rows == expected.tolist()
