"""What an interpreter holds of a file: its own tensors, and when they live.

The graph's layers are not always the file's operators: a reduction over other axes is written as
one over a transposed copy, a comparison and what it chooses are one layer, and what stands in
float between two readers is computed for each. An interpreter runs the file.
"""

from __future__ import annotations

from math import prod

from deploy.tflite.parse import StoredModel
from deploy.tflite.translate import unique_names
from hwmodels.arena import Buffer, Held
from hwmodels.graph import Graph

_BYTES = {"INT8": 1, "UINT8": 1, "BOOL": 1, "INT16": 2, "FLOAT16": 2, "INT64": 8, "FLOAT64": 8}
_OTHERS = 4


def held_of(stored: StoredModel, graph: Graph) -> Held:
    """Of a file as it is, and the graph that was read from it; states of an LSTM stay outside."""
    names, count = unique_names(stored), len(stored.operators)
    first = dict.fromkeys(stored.inputs, 0)
    last = dict.fromkeys(stored.inputs, 0)
    written: dict[str, int] = {}
    for time, operator in enumerate(stored.operators, start=1):
        for index in {*operator.outputs} - {-1}:
            first.setdefault(index, time)
            written[names[index]] = time
        last |= {i: time for i in (*operator.inputs, *operator.outputs) if i in first}
    last |= {index: count for index in stored.outputs if index in first}
    tensors = [(index, stored.tensors[index]) for index in sorted(first)]
    buffers = tuple(
        Buffer(
            names[i], max(prod(one.shape), 0) * _BYTES.get(one.kind, _OTHERS), first[i], last[i]
        )
        for i, one in tensors
        if one.content is None
    )
    times, time = [], count
    for layer in reversed(graph.layers):
        time = written.get(layer.output, time)
        times.append(time)
    return Held(buffers, tuple(times[::-1]), count)
