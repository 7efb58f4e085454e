"""What ST's tools make of a layer: features of its cycles, its kernel, the memory it holds.

The features follow the loops: a product of a convolution, one of a dense layer (whose weights are
read once), the requantisation of an output, the copy of a tap of a window to int16, a position of
a 1 x 1 layer, the products whose weights are read again for every pair of positions while they do
not fit the 8 KiB of instruction cache through which an STM32U5 reads its flash, and what versions
up to 8.1 have no fast kernel for: once more what a convolution along one axis does, the products
of depthwise windows of more than 3 x 3, the elements of an average.

Memory, with nothing fitted: what maps single values, pools, adds or pads works in place; a window
reads a padded copy of its input, and 4 bytes a tap and input channel beside it; a dense layer
reads an int16 copy of its inputs, a product with a constant works on 4 bytes an element. A strided
window writes over the rows that it has read. Versions up to 8.1 write over what a 1 x 1 layer has
read too; along one axis they unpack a convolution's weights to int16, with 12 bytes an output
channel, and run the largest of a pool with it, so that its output is never whole.
"""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from math import prod

from hwmodels.engines.kernels import Geometry, paid_elements
from hwmodels.graph import Graph
from hwmodels.layer import Layer, Shape, window_padding
from hwmodels.operators import OPERATORS
from ppgnas.errors import GraphError

FEATURES = ("macs", "dense_macs", "outputs", "taps", "pointwise_positions", "streamed_macs",
            "line_macs", "line_outputs", "line_taps", "wide_depthwise_macs",
            "averaged")  # fmt: skip
ARITHMETIC = ("macs", "dense_macs")
OLDER = ("8.1", "7.3")
CACHE_BYTES = 8 * 1024
# A pad is part of its reader, a change of view nothing: neither has code or an object at run time.
FOLDED = ("pad", "reshape")
_IN_PLACE = ("same", "pads", "view")


def features(op: str, g: Geometry) -> tuple[float, ...]:
    """`FEATURES` of one layer; 0 of an operator without weights that is no average."""
    window = g.kernel_h * g.kernel_w
    outputs = g.positions * g.cout
    found = dict.fromkeys(FEATURES, 0.0)
    if op == "fully_connected":
        found["dense_macs"] = float(outputs * g.cin)
    elif op == "depthwise_conv":
        found["macs"], found["taps"] = float(outputs * window), float(g.positions * window)
        found["wide_depthwise_macs"] = found["macs"] if window > 9 else 0.0
    elif op == "conv":
        macs = found["macs"] = float(outputs * window * g.cin)
        found["outputs"] = float(outputs)
        found["taps" if window > 1 else "pointwise_positions"] = float(g.positions * window)
        found["streamed_macs"] = macs if g.cout * window * g.cin > CACHE_BYTES else 0.0
        if is_line(op, (g.kernel_h, g.kernel_w)):
            found |= {f"line_{name}": found[name] for name in ("macs", "outputs", "taps")}
    elif op in ("mean", "avg_pool"):
        found["averaged"] = float(paid_elements(op, g))
    return tuple(found.values())


def is_line(op: str, kernel: tuple[int, int]) -> bool:
    """A convolution whose window lies along one axis."""
    return op == "conv" and min(kernel) == 1 < max(kernel)


def code_kernel(op: str, g: Geometry) -> str:
    """The part of the library that a layer links; windows along two axes have one of their own."""
    if op not in ("conv", "depthwise_conv"):
        return op
    return "conv_2d" if min(g.kernel_h, g.kernel_w) > 1 else "conv"


def run_ops(graph: Graph) -> int:
    """Operators that are calls of their own.

    Raises:
        GraphError: there is none.
    """
    calls = sum(layer.op not in FOLDED for layer in graph.layers)
    if not calls:
        raise GraphError(
            "ST's tools: the network changes the view of its input and computes nothing, so there "
            "is nothing to cost; give a network with an operator of its own"
        )
    return calls


def layer_bytes(
    layer: Layer,
    sources: list[Shape],
    target: Shape,
    *,
    older: bool = False,
    pooled: int | None = None,
) -> int:
    """Bytes that a layer needs while it runs: inputs, output and copies, in place where it can.

    Args:
        older: of `OLDER` versions.
        pooled: bytes that stay of its output where its pool runs with it.
    """
    read, written = sum(map(prod, sources)), prod(target) if pooled is None else pooled
    shape = OPERATORS[layer.op].shape if layer.op in OPERATORS else "view"
    if layer.op == "mul" and len(sources) == 1:
        return max(read, 4 * written)
    if shape in (*_IN_PLACE, "joined") or layer.op.endswith("pool"):
        return max(read, written * (4 if layer.op == "dequantize" else 1))
    if layer.op == "fully_connected":
        return read + written + 2 * read // prod(target[:-1])
    if shape != "window":
        return read + written
    source, taps = sources[0], prod(layer.kernel)
    rows, columns = source[1], source[2]
    if taps > 1:
        sides = window_padding(layer, source, target)
        rows, columns = rows + sum(sides[0]), columns + sum(sides[1])
    read = rows * columns * source[3]
    copies = 4 * taps * source[3]
    if older and is_line(layer.op, layer.kernel):
        copies += target[3] * (2 * taps * source[3] + 12)
    over = older if taps == 1 else max(layer.stride) > 1
    if layer.op != "conv" or target[1] == 1 or not over:
        return read + written + copies
    # The output begins so far below the input that no row is overwritten before it was read.
    out_row, in_row = written // target[1], read // source[1]
    ahead = max((row + 1) * out_row - row * layer.stride[0] * in_row for row in (0, target[1] - 1))
    return min(max(written, ahead + read), written + read) + copies


def pooled_bytes(pool: Layer, source: Shape, target: Shape) -> int:
    """What a convolution writes whose pool runs with it: the pool's output, rows of one window."""
    return prod(target) + pool.kernel[0] * source[2] * source[3]


def _pooled(graph: Graph, shapes: dict[str, Shape]) -> dict[str, int]:
    """Outputs of convolutions whose pool runs with them, in `OLDER` versions -> their bytes."""
    readers = Counter([*graph.outputs, *(name for layer in graph.layers for name in layer.inputs)])
    return {
        layer.output: pooled_bytes(after, shapes[layer.output], shapes[after.output])
        for layer, after in pairwise(graph.layers)
        if is_line(layer.op, layer.kernel) and after.op == "max_pool"
        and after.inputs == (layer.output,) and readers[layer.output] == 1
    }  # fmt: skip


def live_bytes(graph: Graph, *, older: bool = False) -> list[int]:
    """`(layers,)` bytes of activations while each layer runs; the largest is reserved."""
    shapes = {tensor.name: tensor.shape for tensor in graph.tensors}
    pooled = _pooled(graph, shapes) if older else {}
    sizes = {tensor.name: tensor.bytes for tensor in graph.tensors if not tensor.constant} | pooled
    last = {name: time for time, layer in enumerate(graph.layers) for name in layer.inputs}
    last |= dict.fromkeys(graph.outputs, len(graph.layers))
    alive = {*graph.inputs}
    found = []
    for time, layer in enumerate(graph.layers):
        kept = sum(sizes[name] for name in alive if name not in layer.inputs)
        # What is read again later cannot be worked on in place.
        again = sum(sizes[n] for n in {*layer.inputs} & alive if last[n] > time)
        inputs = [name for name in layer.inputs if name in sizes]
        own = sizes[layer.output]
        if not pooled.keys() & inputs:
            sources = [shapes[name] for name in inputs]
            target, stays = shapes[layer.output], pooled.get(layer.output)
            own = layer_bytes(layer, sources, target, older=older, pooled=stays)
        both = sum(sizes[n] for n in inputs) + sizes[layer.output]
        own = max(own, min(both, again + sizes[layer.output]), *(sizes[n] for n in inputs))
        found.append(kept + own)
        alive = {name for name in (*alive, layer.output) if last.get(name, -1) > time}
    return found
