"""What a layer asks of the CMSIS-NN kernel that runs it: kernel class and features.

The cycles of a layer are linear in features of its shapes; the coefficients come from `fit`. The
features follow the loops of the kernels (dot products unrolled by 4 or 16 with a remainder loop,
requantisation per output, copies per tap), so that a law fitted on 1D layers holds for others.

Convention: K is the length of the dot product (taps of the kernel x input channels); a tap counts
as real where it reads the input and not the padding.

An operator without a kernel class raises: nothing is silently free.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import prod

from hwmodels.layer import Layer, Shape, dense_rows, products, real_taps
from hwmodels.operators import OPERATORS
from ppgnas.errors import GraphError


@dataclass(frozen=True, slots=True)
class Geometry:
    """Sizes of one layer as its kernel sees them.

    Attributes:
        rows, columns: output positions along H and W.
        kernel_h, kernel_w: taps of the window.
        taps: real taps over all output positions (channels not counted).
        cin, cout: channels, or inputs and outputs of a fully connected layer.
        strided: a stride above 1.
        dilated: a dilation above 1.
        room: bytes of copies of inputs, or of sums, beside the tensors.
    """

    rows: int
    columns: int
    kernel_h: int
    kernel_w: int
    taps: int
    cin: int
    cout: int
    strided: bool = False
    dilated: bool = False
    room: int = 0

    @property
    def positions(self) -> int:
        """Output positions."""
        return self.rows * self.columns


def geometry(layer: Layer, source: Shape, target: Shape) -> Geometry:
    """Geometry of a layer between tensors of shape `source` and `target` (NHWC).

    Of a grouped convolution it is that of one group: CMSIS-NN runs them one after the other.
    """
    if layer.op == "fully_connected":
        rows = dense_rows(target)
        return Geometry(1, rows, 1, 1, rows, prod(source) // rows, target[-1])
    if layer.op == "lstm":  # its products in the place of taps, by which it is paid
        rows, cin, cout = dense_rows(target), source[-1] + target[-1], 4 * target[-1]
        return Geometry(1, rows, 1, 1, rows * cin * cout, cin, cout)
    if layer.op == "batch_matmul":  # paid by its products, too
        inner, heads, (first, second) = products(layer, source), target[1], layer.adjoint
        room = prod(source) * first + heads * inner * target[3] * (not second)
        taps = prod(target) * inner
        return Geometry(heads, target[2], 1, 1, taps, inner, target[3], room=room)
    if layer.op == "transpose_conv":
        taps = prod(source[:3]) * prod(layer.kernel) * source[3] * target[3]
        room = 4 * prod(target)
        return Geometry(target[1], target[2], *layer.kernel, taps, source[3], target[3], room=room)
    known = OPERATORS.get(layer.op)  # files of timings hold operators that no graph has
    if known is not None and known.shape == "window":
        return Geometry(
            target[1],
            target[2],
            *layer.kernel,
            real_taps(layer, source, target),
            source[3] // layer.groups,
            target[3] // layer.groups,
            strided=max(layer.stride) > 1,
            dilated=max(layer.dilation) > 1,
        )
    # Element-wise and copying operators: one position per element; a mean is paid by its input.
    elements = prod(source if known is not None and known.shape == "mean" else target)
    return Geometry(1, elements, 1, 1, elements, source[-1], target[-1])


def paid_elements(op: str, g: Geometry) -> int:
    """Elements by which an operator without a law is paid.

    Pools and means are paid by what they read, the others by what they write.
    """
    return g.taps * (g.cin if op.endswith("pool") else 1)


def _conv1x1(g: Geometry) -> tuple[float, ...]:
    n, o, k = g.positions, g.cout, g.cin
    # The kernel takes two positions at once; a strided layer calls it row by row.
    odd = g.rows * (g.columns % 2) if g.strided else n % 2
    fours = k // 4
    # The loops: 16 products at a time, then 4 at a time (with a start-up), then single ones.
    return (n * o, n * o * fours, n * o * (k // 16), n * o * (k % 16 >= 4), n * o * (k % 4), o,
            o * k, odd * o, odd * o * k, n * (o % 2) * k, 1.0)  # fmt: skip


def _conv(g: Geometry) -> tuple[float, ...]:
    n, o, k = g.positions, g.cout, g.kernel_h * g.kernel_w * g.cin
    return (n, n * g.kernel_h, g.taps, g.taps * (g.cin // 4), g.taps * (g.cin % 4), n * o,
            n * o * (k // 4), n * o * (k % 4), g.rows, 1.0)  # fmt: skip


def _depthwise(g: Geometry) -> tuple[float, ...]:
    n, k = g.positions, g.kernel_h * g.kernel_w
    fours, rest = g.cin // 4, g.cin % 4
    return (n, n * g.kernel_h, g.taps, g.taps * fours, g.taps * rest, n * fours,
            n * fours * (k // 2), n * fours * (k % 2), n * rest, n * rest * k, g.rows,
            1.0)  # fmt: skip


def _depthwise_3x3(g: Geometry) -> tuple[float, ...]:
    n, fours, rest = g.positions, g.cin // 4, g.cin % 4
    return (n, g.taps * fours, g.taps * rest, n * fours, n * rest, g.rows, 1.0)


def _depthwise_general(g: Geometry) -> tuple[float, ...]:
    n = g.positions
    return (n * g.cout, n * g.cin, n * g.kernel_h * g.cout, g.taps * g.cout, 1.0)


def _depthwise_mult_4(g: Geometry) -> tuple[float, ...]:
    n = g.positions
    return (n, n * g.cin, n * g.cout, n * g.kernel_h * g.cout, g.taps * g.cout)


def _fully_connected(g: Geometry) -> tuple[float, ...]:
    n, o, k = g.positions, g.cout, g.cin
    return (n * o, n * o * (k // 4), n * o * (k // 16), n * o * (k % 4), n * (o % 2) * k,
            1.0)  # fmt: skip


def _pool(g: Geometry) -> tuple[float, ...]:
    n = g.positions
    return (n, n * g.kernel_h, n * g.cin, g.taps * g.cin, g.taps, 1.0)


def _elements(g: Geometry) -> tuple[float, ...]:
    return (g.columns, 1.0)


@dataclass(frozen=True, slots=True)
class KernelClass:
    """A kernel whose cycles are one linear law.

    Attributes:
        names: what each feature counts; stored with the coefficients and compared when read.
    """

    features: Callable[[Geometry], tuple[float, ...]]
    names: tuple[str, ...]


_POOL_NAMES = ("n", "n*kh", "n*c", "taps*c", "taps", "1")
CLASSES: dict[str, KernelClass] = {
    "conv_1x1": KernelClass(_conv1x1, (
        "n*o", "n*o*(k//4)", "n*o*(k//16)", "n*o*(k%16>=4)", "n*o*(k%4)", "o", "o*k", "odd*o",
        "odd*o*k", "n*(o%2)*k", "1")),
    "conv": KernelClass(_conv, (
        "n", "n*kh", "taps", "taps*(c//4)", "taps*(c%4)", "n*o", "n*o*(k//4)", "n*o*(k%4)", "rows",
        "1")),
    "depthwise": KernelClass(_depthwise, (
        "n", "n*kh", "taps", "taps*(c//4)", "taps*(c%4)", "n*(c//4)", "n*(c//4)*(k//2)",
        "n*(c//4)*(k%2)", "n*(c%4)", "n*(c%4)*k", "rows", "1")),
    "depthwise_3x3": KernelClass(_depthwise_3x3, (
        "n", "taps*(c//4)", "taps*(c%4)", "n*(c//4)", "n*(c%4)", "rows", "1")),
    "depthwise_general": KernelClass(_depthwise_general, ("n*o", "n*c", "n*kh*o", "taps*o", "1")),
    "depthwise_mult_4": KernelClass(_depthwise_mult_4, ("n", "n*c", "n*o", "n*kh*o", "taps*o")),
    "fully_connected": KernelClass(
        _fully_connected, ("o", "o*(k//4)", "o*(k//16)", "o*(k%4)", "(o%2)*k", "1")),
    "avg_pool": KernelClass(_pool, _POOL_NAMES),
    "max_pool": KernelClass(_pool, _POOL_NAMES),
    "add": KernelClass(_elements, ("elements", "1")),
    "softmax": KernelClass(_elements, ("elements", "1")),
}  # fmt: skip


def _timed_conv(g: Geometry) -> tuple[float, ...]:
    n, o, t = g.positions, g.cout, g.kernel_h * g.kernel_w
    k = t * g.cin
    return (n, n * t, n * k, g.taps, g.taps * (g.cin % 4), n * o, n * o * (k // 4),
            n * o * (k % 4), g.rows, 1.0)  # fmt: skip


def _timed_conv1x1(g: Geometry) -> tuple[float, ...]:
    n, o, k = g.positions, g.cout, g.cin
    return (n, n * k, n * o, n * o * (k // 16), n * o * (k % 16 // 4), n * o * (k % 4), o, o * k,
            1.0)  # fmt: skip


def _timed_depthwise(g: Geometry) -> tuple[float, ...]:
    return (g.positions * g.kernel_h * g.kernel_w * g.cout,)


_CONV_NAMES = ("n", "n*t", "n*k", "taps", "taps*(c%4)", "n*o", "n*o*(k//4)", "n*o*(k%4)", "rows",
               "1")  # fmt: skip
# Kernels timed on real parts. A column is k x 1, a row 1 x k, a window both ways: one kernel of
# CMSIS-NN copies them by other loops, so each has its own law.
TIMED: dict[str, KernelClass] = {
    "conv_1x1": KernelClass(
        _timed_conv1x1,
        ("n", "n*k", "n*o", "n*o*(k//16)", "n*o*(k%16//4)", "n*o*(k%4)", "o", "o*k", "1"),
    ),
    "conv_column": KernelClass(_timed_conv, _CONV_NAMES),
    "conv_row": KernelClass(_timed_conv, _CONV_NAMES),
    "conv_window": KernelClass(_timed_conv, _CONV_NAMES),
    "depthwise_window": KernelClass(_timed_depthwise, ("macs",)),
    "fully_connected": CLASSES["fully_connected"],
}


def timed_class(kernel: str, g: Geometry) -> str | None:
    """Name in `TIMED` of a kernel (see `kernel_class`) with a geometry; None if it has none."""
    tall, wide = g.kernel_h > 1, g.kernel_w > 1
    if kernel in ("conv_1x1", "fully_connected"):
        return kernel
    if kernel == "conv":
        return "conv_window" if tall and wide else "conv_column" if tall else "conv_row"
    if kernel in ("depthwise", "depthwise_3x3") and tall and wide:
        return "depthwise_window"
    return None


def kernel_class(op: str, g: Geometry) -> str:
    """Name of the kernel that CMSIS-NN's wrappers choose for a layer.

    Any other operator is a class of its own; those without a law have assumed cycles.

    Raises:
        GraphError: an unknown operator.
    """
    if op == "conv":
        pointwise = g.kernel_h * g.kernel_w == 1 and not g.dilated
        return "conv_1x1" if pointwise else "conv"
    if op == "depthwise_conv":
        if g.dilated:
            return "depthwise_general"
        if g.cin == g.cout:
            return "depthwise_3x3" if g.kernel_h == g.kernel_w == 3 else "depthwise"
        # Channels that each make a multiple of four others have a kernel of their own.
        return "depthwise_general" if g.cout % (4 * g.cin) else "depthwise_mult_4"
    if op in OPERATORS:
        return op
    raise GraphError(
        f"kernels: operator {op!r} has no cost; known: {', '.join(OPERATORS)}. "
        "Add it to hwmodels/operators.py"
    )


HELIUM = ("Cortex-M55", "Cortex-M85")
WITHOUT_DSP = ("Cortex-M0+", "Cortex-M3")


def scratch_bytes(kernel: str, g: Geometry, core: str = "Cortex-M7") -> int:
    """Scratch memory that a CMSIS-NN kernel asks of the arena while it runs on a core.

    Source: buffer sizes recorded with `data/layer_counts_cmsisnn_m7.csv`; for cores with Helium
    or without the DSP extension the sizes that CMSIS-NN 1d7a8bf and 098d54a compute. A row of
    taps (1 x k) needs less than is said here on a core with Helium.
    """
    if kernel == "lstm":  # four gates in int16; outputs and cells of a step, which outlive it
        return 2 * g.cout + 3 * g.cout // 4
    if kernel in ("batch_matmul", "transpose_conv"):
        return g.room
    taps = g.kernel_h * g.kernel_w
    vectors = core in HELIUM
    if kernel == "conv":
        lanes = 16 if vectors else 4
        return 4 * (-(-taps * g.cin // lanes) * lanes)
    if kernel in ("depthwise", "depthwise_3x3") and vectors:
        return 4 * 124 * taps  # four positions of 124 channels, however many the layer has
    if core in WITHOUT_DSP or vectors:
        return 0
    if kernel == "depthwise":
        return 2 * taps * g.cin
    return 4 * g.cin if kernel == "avg_pool" else 0
