"""UNIDIRECTIONAL_SEQUENCE_LSTM in a file: which inputs are what, and which of them are read.

The layer that Keras has: four gates, no peepholes, projection or normalisation, zeros before the
first step. With a batch of one, steps in front or behind the batch are the same bytes.

Where its outputs are joined with others, as both ways of a bidirectional layer are, the converter
states one scale for all of them, which the kernel does not apply: TFLM writes at the scale of the
state, LiteRT at that of the last tensor of `between`, and what follows reads the same bytes as if
they had the scale that is stated.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from deploy.integers.lstm import GATES
from deploy.tflite.parse import Rewritten, StoredModel, StoredOperator, StoredTensor
from hwmodels.graph import Graph
from ppgnas.errors import ExportError

NAME = "UNIDIRECTIONAL_SEQUENCE_LSTM"
INPUTS = 24
WEIGHTS = (*range(1, 5), *range(5, 9))
"""Places of the input, forget, cell and output gate's, over inputs and over outputs before."""
BIASES = tuple(range(12, 16))
OUTPUT_STATE, CELL_STATE = 18, 19
INTERMEDIATES = 5  # tensors of scales alone; the last one has the output's
_ABSENT = {
    (1, 5): "an input gate that is one minus the forget gate",
    (9, 10, 11): "peepholes",
    (16, 17): "a projection",
    (20, 21, 22, 23): "a normalisation of its gates",
}
_HELP = "Use the LSTM layer of Keras as it is, with tanh and sigmoid"


def problem(stored: StoredModel, operator: StoredOperator) -> str:
    """What is not computed; empty if nothing is."""
    inputs = (*operator.inputs, *(-1,) * (INPUTS - len(operator.inputs)))
    for places, what in _ABSENT.items():
        there = [inputs[place] >= 0 for place in places]
        if all(there) != (1 in places) or any(there) != all(there):
            return f"it has {what}, which is not computed. {_HELP}"
    if operator.words["FusedActivationFunction"] != "TANH" or operator.options["ProjClip"]:
        return f"its activation is {operator.words['FusedActivationFunction']}, not TANH. {_HELP}"
    shape = stored.tensors[inputs[0]].shape
    if len(shape) != 3 or shape[bool(operator.options["TimeMajor"])] != 1:
        return f"it reads sequences of shape {shape}; allowed: a batch of one"
    needed = [inputs[place] for place in (*WEIGHTS, *BIASES)]
    if min(*needed, inputs[OUTPUT_STATE], inputs[CELL_STATE]) < 0:
        return "weights, biases or states are missing; convert the model again"
    written = {*stored.inputs, *(index for one in stored.operators for index in one.outputs)}
    if written & {inputs[OUTPUT_STATE], inputs[CELL_STATE]}:
        return "its first state is an input; allowed: zeros. Convert without an initial state"
    return _shapes(stored, inputs)


def _shapes(stored: StoredModel, inputs: tuple[int, ...]) -> str:
    tensors = stored.tensors
    source, (units, _) = tensors[inputs[0]].shape, (*tensors[inputs[WEIGHTS[4]]].shape, 0, 0)[:2]
    wanted: dict[int, tuple[str, tuple[int, ...]]] = {
        place: ("INT8", (units, source[-1])) for place in WEIGHTS[:GATES]
    }
    wanted |= {place: ("INT8", (units, units)) for place in WEIGHTS[GATES:]}
    wanted |= {place: ("INT32", (units,)) for place in BIASES}
    for place, (kind, shape) in wanted.items():
        found = tensors[inputs[place]]
        size = int(np.prod(shape)) * (4 if kind == "INT32" else 1)
        if (found.kind, found.shape) != (kind, shape) or len(found.content or b"") != size:
            return (
                f"its input {place} is {found.kind} of shape {found.shape} with "
                f"{len(found.content or b'')} bytes; expected {kind} of shape {shape}: only "
                "fully quantised int8 files have costs"
            )
    state, cell = tensors[inputs[OUTPUT_STATE]], tensors[inputs[CELL_STATE]]
    if (state.kind, cell.kind) != ("INT8", "INT16"):
        return f"its states are {state.kind} and {cell.kind}; allowed: INT8 and INT16"
    return ""


def integers(
    stored: StoredModel, operator: StoredOperator
) -> tuple[NDArray[np.int8], NDArray[np.int32], NDArray[np.float64]]:
    """Weights, biases and scales as a `QuantizedNet` has them.

    Raises:
        ExportError: not one scale a tensor.
    """
    tensors = [stored.tensors[index] for index in operator.inputs]
    parts = [
        np.frombuffer(tensors[place].content or b"", np.int8).reshape(tensors[place].shape)
        for place in WEIGHTS
    ]
    weights = np.concatenate(
        [np.concatenate(parts[:GATES]), np.concatenate(parts[GATES:])], axis=1
    )
    biases = np.concatenate([np.frombuffer(tensors[p].content or b"", "<i4") for p in BIASES])
    scaled = [tensors[place] for place in (*WEIGHTS, CELL_STATE)]
    own = stored.tensors[operator.between[-1]] if operator.between else tensors[OUTPUT_STATE]
    if any(len(one.scales) != 1 or np.any(one.zero_points) for one in scaled) or not (
        len(own.scales) == len(own.zero_points) == 1
        and -128 <= own.zero_points[0] <= 127
        and 0 < own.scales[0] < np.inf
    ):
        raise ExportError(
            "its weights and cell state want one scale each and no zero point, its outputs one "
            "of each; convert the model again"
        )
    scales = [*(one.scales[0] for one in scaled), own.scales[0], own.zero_points[0] + 128]
    return weights, biases.astype(np.int32), np.array(scales, np.float64)


def with_states(stored: StoredModel) -> StoredModel:
    """The model whose LSTMs write at the scale of their state; slices, which move bytes, give
    those the scale that the file states. See the module."""
    model, moved = Rewritten(stored.tensors), dict[int, int]()
    for operator in stored.operators:
        if operator.name == "STRIDED_SLICE" and operator.inputs[0] in moved:
            source = moved[operator.inputs[0]]
            operator = replace(operator, inputs=(source, *operator.inputs[1:]))
        model.operators.append(operator)
        state = (*operator.inputs, *(-1,) * INPUTS)[OUTPUT_STATE]
        if operator.name != NAME or min(state, *operator.outputs) < 0:
            continue
        target, found = operator.outputs[0], stored.tensors[state]
        if _scale(found) == _scale(stored.tensors[target]):
            continue
        moved[target] = model.like(target, model.shape(target))
        model.tensors[moved[target]] = replace(
            model.tensors[moved[target]], scales=found.scales, zero_points=found.zero_points
        )
        model.operators[-1] = replace(operator, outputs=(moved[target],))
        readers = {o.name for o in stored.operators if target in o.inputs}
        if readers != {"STRIDED_SLICE"} or target in stored.outputs:
            model.slice(moved[target], target, [(0, size) for size in model.shape(target)])
    return replace(stored, tensors=tuple(model.tensors), operators=tuple(model.operators))


def differs(stored: StoredModel) -> bool:
    """Whether the two interpreters write an LSTM's outputs at different scales."""
    found = ((o.between[-1], o.inputs[OUTPUT_STATE]) for o in stored.operators
             if o.name == NAME and o.between and len(o.inputs) > OUTPUT_STATE)  # fmt: skip
    return any(_scale(stored.tensors[a]) != _scale(stored.tensors[b]) for a, b in found)


def sequences(graph: Graph) -> set[str]:
    """Tensors of three sizes in a file: of an LSTM, and what is sliced of those or joined with."""
    found = set[str]()
    of = {layer.name: {*layer.inputs, layer.output} for layer in graph.layers}
    moved = [of[layer.name] for layer in graph.layers if layer.op in ("slice", "concat")]
    new = {name for layer in graph.layers if layer.op == "lstm" for name in of[layer.name]}
    while new:
        found |= new
        beside = {name for names in moved if names & new for name in names} - found
        new = {name for name in beside if graph.shape(name)[:2] == (1, 1)}
    return found


def _scale(tensor: StoredTensor) -> tuple[list[float], list[int]]:
    return tensor.scales.tolist(), tensor.zero_points.tolist()
