"""One layer and its tensors, and the shape that follows from its inputs; see `hwmodels.graph`."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from math import prod

from hwmodels.operators import (
    ACTIVATIONS,
    GRIDS,
    ISLAND_OPS,
    KINDS,
    OPERATORS,
    OPS,
    PADDINGS,
    Activation,
    Grid,
    Kind,
    Op,
    Padding,
)
from ppgnas.errors import GraphError

Shape = tuple[int, ...]
Sides = tuple[tuple[int, int], tuple[int, int]]


@dataclass(frozen=True, slots=True)
class Tensor:
    """An activation, or a constant that is joined with one, stored with the network.

    `shape` is `(1, height, width, channels)`; int8 but for a network's ends.
    """

    name: str
    shape: tuple[int, ...]
    kind: Kind = "int8"
    constant: bool = False

    @property
    def bytes(self) -> int:
        """Size in memory."""
        return prod(self.shape) * KINDS[self.kind]


@dataclass(frozen=True, slots=True)
class Layer:
    """One operator.

    Attributes:
        name: unique in the graph; keys the weights of a `QuantizedNet`.
        op: a row of `hwmodels.operators`.
        inputs: names of the activation inputs.
        kernel, stride, dilation: `(height, width)`.
        padding: of a convolution, its transpose or a pool: `valid` or TFLite's `same`.
        pads: of a `pad` layer: rows and columns added `(top, bottom, left, right)`.
        channel_pads: those that it adds in front of the channels and behind them.
        activation: fused activation of the output.
        groups: of a convolution.
        channel_scales: a dense layer has one weight scale an output, not one for all.
        axes: the order of the axes of a `transpose`; the axis of a `concat`.
        rows: of a `slice`: `(first, end, step)` of each axis of its input.
        slope: of a `leaky_relu` below 0.
        grid: where a resized image is read.
        approximate: of a `gelu`: by tanh, not by the error function.
        in_float: a converter left it so: between DEQUANTIZE and QUANTIZE, not in integers.
        adjoint: of a `batch_matmul`: whether rows and columns of each input are swapped.
        dense: a `batch_matmul` is a dense layer of two activations, which LiteRT rounds once.
        clip: largest cell state of an `lstm`; 0 for none.
        block: height and width of what one position of `space_to_depth` holds.
        threshold: of a `select`: the least stored value of its first input that takes the second.
        weights_of: name of an earlier layer of equal int8 weights, or of an equal table of its C:
            both are stored once.
    """

    name: str
    op: Op
    inputs: tuple[str, ...]
    output: str
    kernel: tuple[int, int] = (1, 1)
    stride: tuple[int, int] = (1, 1)
    dilation: tuple[int, int] = (1, 1)
    padding: Padding = "valid"
    pads: tuple[int, int, int, int] = (0, 0, 0, 0)
    channel_pads: tuple[int, int] = (0, 0)
    activation: Activation = "none"
    groups: int = 1
    channel_scales: bool = False
    axes: tuple[int, ...] = ()
    rows: tuple[tuple[int, int, int], ...] = ()
    slope: float = 0.0
    grid: Grid = "asymmetric"
    block: int = 1
    approximate: bool = False
    in_float: bool = False
    clip: float = 0.0
    adjoint: tuple[bool, bool] = (False, False)
    dense: bool = False
    threshold: int = 0
    weights_of: str = ""


def window_padding(layer: Layer, source: Shape, target: Shape) -> Sides:
    """Padding of a sliding window, `((top, bottom), (left, right))`: the smaller half in front.

    TFLite's `same` adds what the last window reaches beyond the input; that of `valid` does not.
    """
    sides = []
    for axis in (0, 1):
        reach = (target[axis + 1] - 1) * layer.stride[axis]
        reach += (layer.kernel[axis] - 1) * layer.dilation[axis] + 1
        total = max(reach - source[axis + 1], 0)
        sides.append((total // 2, total - total // 2))
    return sides[0], sides[1]


def dense_rows(target: Shape) -> int:
    """How often the weights of a layer run over its input: positions of its output."""
    return prod(target[:-1])


def follows(layer: Layer, sources: list[Shape], seen: Shape) -> Shape | str:
    """The output's shape, or what is wrong; `seen` where the operator leaves it open."""
    known, source = OPERATORS[layer.op], sources[0]
    if known.shape == "window":
        channels = seen[3] if known.weighted else source[3]
        if layer.groups < 1 or source[3] % layer.groups or channels % layer.groups:
            return f"{layer.groups} groups of {source[3]} and {channels} channels"
        positions = (_window_positions(layer, source[axis + 1], axis) for axis in (0, 1))
        return (1, *positions, channels)
    if known.shape == "spread":
        # What a window would make of the output is the input.
        back = tuple(_window_positions(layer, seen[axis + 1], axis) for axis in (0, 1))
        return seen if back == source[1:3] else f"{source} of an output of {seen}"
    if known.shape == "pads":
        top, bottom, left, right = layer.pads
        channels = source[3] + sum(layer.channel_pads)
        return (1, source[1] + top + bottom, source[2] + left + right, channels)
    if known.shape == "same":
        rank = max(map(len, sources))
        whole = [(1,) * (rank - len(shape)) + shape for shape in sources]
        sizes = tuple(map(max, *whole)) if len(whole) > 1 else whole[0]
        fits = all(size in (1, most) for s in whole for size, most in zip(s, sizes, strict=True))
        return sizes if fits else f"inputs of shapes {sources}"
    if known.shape == "joined":
        axis = layer.axes[0] if layer.axes else -1
        if not 0 < axis < len(source) or len({_without(shape, axis) for shape in sources}) != 1:
            return f"inputs of shapes {sources} along axis {axis}"
        return (*source[:axis], sum(shape[axis] for shape in sources), *source[axis + 1 :])
    if known.shape == "turned":
        if sorted(layer.axes) != list(range(len(source))):
            return f"the axes {layer.axes}"
        return tuple(source[axis] for axis in layer.axes)
    if known.shape == "rows":
        if len(layer.rows) != len(source) or any(
            not (0 <= first < size and -1 <= end <= size and step and len(range(first, end, step)))
            for (first, end, step), size in zip(layer.rows, source, strict=False)
        ):
            return f"the rows {layer.rows} of {source}"
        count = prod(len(range(*row)) for row in layer.rows)
        return seen if prod(seen) == count else f"{count} elements in {seen}"
    if known.shape == "resized":
        return (1, *seen[1:3], source[3])
    if known.shape == "blocks":
        return _blocks(layer, source)
    if known.shape == "sequence":
        return (*source[:-1], seen[-1])
    if known.shape == "product":
        return _product(layer, sources)
    if known.shape == "view":
        return seen if prod(seen) == prod(source) else source
    if known.shape == "mean":
        return seen if prod(seen) == seen[-1] == source[-1] else source
    rest = prod(source) % dense_rows(seen)
    return f"{dense_rows(seen)} rows of {prod(source)} elements" if rest else seen


def _blocks(layer: Layer, source: Shape) -> Shape | str:
    _, height, width, channels = source
    block = layer.block
    if layer.op == "space_to_depth":
        if block < 1 or height % block or width % block:
            return f"blocks of {block} by {block} of {source}"
        return (1, height // block, width // block, channels * block * block)
    if block < 1 or channels % (block * block):
        return f"blocks of {block} by {block} of {source}"
    return (1, height * block, width * block, channels // (block * block))


def _product(layer: Layer, sources: list[Shape]) -> Shape | str:
    (_, heads, rows, inner), (_, others, again, columns) = (
        (*shape[:2], shape[3], shape[2]) if swapped else shape
        for shape, swapped in zip(sources, layer.adjoint, strict=True)
    )
    if inner != again or (heads != others and 1 not in (heads, others)):
        return f"a product of shapes {sources}, swapped {layer.adjoint}"
    return (1, max(heads, others), rows, columns)


def products(layer: Layer, source: Shape) -> int:
    """Of one element of a `batch_matmul`."""
    return source[2 if layer.adjoint[0] else 3]


def _without(shape: Shape, axis: int) -> Shape:
    return (*shape[:axis], *shape[axis + 1 :])


def without_islands(
    layers: Sequence[Layer], other: Collection[str], outputs: Sequence[str]
) -> list[Layer]:
    """The layers, with one for each float operator that stands between int8 tensors.

    Where none stands between `dequantize` and `quantize` the first one's values change scale.

    Args:
        other: names of tensors that are not int8.
        outputs: of the graph.
    """
    readers: dict[str, list[Layer]] = {}
    for layer in layers:
        for name in layer.inputs:
            readers.setdefault(name, []).append(layer)
    islands: dict[str, Layer] = {}  # by the name of the layer that ends them
    gone: set[str] = set()
    for layer in layers:
        chain = [layer]
        while chain[-1].op != "quantize" and len(chain) < 3:
            after = readers.get(chain[-1].output, ())
            if len(after) != 1:
                break
            chain += after
        *maps, last = chain[1:] or [layer]
        if layer.op != "dequantize" or last.op != "quantize":
            continue
        if not ISLAND_OPS.issuperset(one.op for one in maps):
            continue
        inside = {one.output for one in chain[:-1]}
        if {layer.inputs[0], last.output} & {*other} or inside & {*outputs}:
            continue
        islands[last.name] = replace(
            chain[1], name=last.name, inputs=layer.inputs, output=last.output, in_float=True
        )
        gone |= {one.name for one in chain[:-1]}
    return [islands.get(one.name, one) for one in layers if one.name not in gone]


def real_taps(layer: Layer, source: Shape, target: Shape) -> int:
    """Taps of a window that read the input, over all output positions."""
    counts = [0, 0]
    for axis, (front, behind) in enumerate(window_padding(layer, source, target)):
        if not (front or behind):
            counts[axis] = layer.kernel[axis] * target[axis + 1]
            continue
        size, kernel = source[axis + 1], layer.kernel[axis]
        stride, dilation = layer.stride[axis], layer.dilation[axis]
        for tap in range(kernel):
            # Positions at which this tap lies on the input: the first, and one past the last.
            ahead = front - tap * dilation
            first = max(0, -(-ahead // stride))
            end = min(target[axis + 1], (size - 1 + ahead) // stride + 1)
            counts[axis] += max(0, end - first)
    return counts[0] * counts[1]


def _window_positions(layer: Layer, size: int, axis: int) -> int:
    stride = layer.stride[axis]
    if layer.padding == "same":
        return -(-size // stride)
    return (size - (layer.kernel[axis] - 1) * layer.dilation[axis] - 1) // stride + 1


_PLAIN = Layer("", "add", (), "")
_OWN: dict[str, tuple[Op, ...]] = {
    "pads": ("pad",),
    "channel_pads": ("pad",),
    "groups": ("conv",),
    "channel_scales": ("fully_connected",),
    "axes": ("transpose", "concat"),
    "rows": ("slice",),
    "slope": ("leaky_relu",),
    "grid": ("resize_nearest", "resize_bilinear"),
    "block": ("space_to_depth", "depth_to_space"),
    "approximate": ("gelu",),
    "in_float": tuple(ISLAND_OPS),
    "clip": ("lstm",),
    "adjoint": ("batch_matmul",),
    "dense": ("batch_matmul",),
    "threshold": ("select",),
    "weights_of": (
        *("conv", "depthwise_conv", "fully_connected"),
        *(op for op, known in OPERATORS.items() if known.table_bytes and not known.weighted),
    ),
}
"""Attributes and the operators that have them."""


def check_words(layer: Layer) -> None:
    """Refuse words that a file may hold and the table does not know, and what acts nowhere."""
    for what, word, allowed in (
        ("op", layer.op, OPS),
        ("padding", layer.padding, PADDINGS),
        ("activation", layer.activation, ACTIVATIONS),
        ("grid", layer.grid, GRIDS),
    ):
        if word not in allowed:
            raise GraphError(
                f"graph: layer {layer.name!r} has {what} {word!r}; known {what}s: "
                f"{', '.join(allowed)}"
            )
    for field, ops in _OWN.items():
        if layer.op not in ops and getattr(layer, field) != getattr(_PLAIN, field):
            raise GraphError(
                f"graph: layer {layer.name!r} ({layer.op}) has {field} {getattr(layer, field)!r}; "
                f"only {', '.join(ops)} layers have that"
            )
    if not -128 <= layer.threshold <= 128:
        raise GraphError(
            f"graph: layer {layer.name!r} has threshold {layer.threshold}; allowed: -128 to 128, "
            "of stored values"
        )
    if layer.activation == "relu_0_to_1" and layer.op != "relu":
        raise GraphError(
            f"graph: layer {layer.name!r} ({layer.op}) has activation {layer.activation!r}; "
            "it is an operator of its own in every file: put a relu layer behind"
        )
    if layer.activation != "none" and not OPERATORS[layer.op].activates:
        raise GraphError(
            f"graph: layer {layer.name!r} has activation {layer.activation!r}; {layer.op} has none"
        )
