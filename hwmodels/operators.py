"""Every operator of the layer graph, once: what it is, what others call it, what it costs unseen.

A new operator is a row here and one function for each purpose, registered under its name:
`deploy.integers.reference`, `deploy.c.plain` and `deploy.onnx_export`. One that maps a single
int8 value to another needs a table of 256 results in `deploy.integers.lookup` instead, and
nothing more. Kernels that were counted or timed have laws in `hwmodels.engines.kernels`.

Ranks: a tensor has one to four sizes, `(1, height, width, channels)` or its last ones; `ranks` is
what an operator takes, in every stage. The reader makes `(1, 1, time, channels)` of the
`(1, time, channels)` that Keras writes, so that no stage has a rule for three sizes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from hwmodels.estimate import Estimate

Op = Literal["conv", "depthwise_conv", "transpose_conv", "fully_connected", "add", "pad",
             "reshape", "avg_pool", "max_pool", "mean", "sum", "softmax", "log_softmax",
             "logistic", "tanh", "relu", "leaky_relu", "hard_swish", "quantize", "dequantize",
             "mul", "sub", "concat", "transpose", "slice", "reduce_max",
             "resize_nearest", "resize_bilinear", "space_to_depth", "depth_to_space", "maximum",
             "minimum", "prelu", "squared_difference", "elu", "gelu", "abs", "exp", "log", "rsqrt",
             "neg", "square", "sqrt", "lstm", "batch_matmul", "select", "div", "reduce_min",
             "sin", "cos", "floor", "ceil", "round", "sign"]  # fmt: skip
Activation = Literal["none", "relu", "relu6", "relu_n1_to_1", "relu_0_to_1"]
Padding = Literal["valid", "same"]
Kind = Literal["int8", "uint8", "float32"]
Grid = Literal["asymmetric", "half_pixel", "align_corners"]
OPS: tuple[Op, ...] = get_args(Op)
ACTIVATIONS: tuple[Activation, ...] = get_args(Activation)
PADDINGS: tuple[Padding, ...] = get_args(Padding)
GRIDS: tuple[Grid, ...] = get_args(Grid)  # where a resized image is read, by ONNX's names
KINDS: dict[Kind, int] = {"int8": 1, "uint8": 1, "float32": 4}
"""Types of a tensor and their bytes; all but int8 stand at the ends of a network alone."""

ANY_RANK = (1, 2, 3, 4)
IMAGE = (4,)


@dataclass(frozen=True, slots=True)
class Assumed:
    """What an engine whose file has no figure for an operator takes; assumptions.

    Attributes:
        cycles: for one element, on a Cortex-M7.
        code_bytes: of its kernel, where an engine links kernel by kernel.
    """

    cycles: Estimate
    code_bytes: Estimate


@dataclass(frozen=True, slots=True)
class Operator:
    """One operator.

    Attributes:
        tflite: TFLite's names; the first is written, all are read.
        version: the lowest one that takes int8 in TFLM and LiteRT.
        options: TFLite's table of options, which is written and read.
        onnx: the float operator; empty where a table of results stands for it.
        shape: how the output's shape follows: of a sliding `window`, of windows `spread` out,
            wider by the `pads`, that of its inputs (`same`; a size of 1 stands for any), another
            `view` of them, their channels (`mean`), outputs in the place of channels (`dense`),
            `joined` along an axis, axes in another order (`turned`), some `rows` of each axis,
            any height and width (`resized`), `blocks` of them in the place of channels, units of
            a `sequence`, or rows by columns (`product`).
        ranks: of its tensors, in every stage: graph, costs, reference, C and files.
        inputs: activations that it reads; None for any number.
        activates: it may have a fused activation.
        keeps_scale: its kernel moves or averages stored values: output scale = input scales.
        fixed_scale: scale and zero point that TFLite asks of the output.
        pairs: attributes `(height, width)` of a layer, by TFLite's names.
        table_bytes: constants of its generated C beside weights.
    """

    tflite: tuple[str, ...]
    version: int
    options: str
    onnx: str
    shape: Literal["window", "spread", "pads", "same", "view", "mean", "dense", "joined", "turned",
                   "rows", "resized", "blocks", "sequence", "product"]  # fmt: skip
    ranks: tuple[int, ...] = ANY_RANK
    inputs: int | None = 1
    weighted: bool = False
    activates: bool = False
    keeps_scale: bool = False
    fixed_scale: tuple[float, int] | None = None
    pairs: tuple[tuple[str, str, str], ...] = ()
    table_bytes: int = 0
    assumed: Assumed | None = None


_STRIDE = ("stride", "StrideH", "StrideW")
_DILATED = (_STRIDE, ("dilation", "DilationHFactor", "DilationWFactor"))
_POOLED = (_STRIDE, ("kernel", "FilterHeight", "FilterWidth"))


def _assumed(cycles: tuple[float, float, float], code_bytes: float) -> Assumed:
    """Cycles `(value, low, high)`, and code within a factor of two."""
    return Assumed(Estimate(*cycles), Estimate(code_bytes, code_bytes / 2, code_bytes * 2))


# A fixed-point exponential and a division by Newton's method; ST's tools may look it up.
_SIGMOID = _assumed((400.0, 5.0, 900.0), 2048.0)
_RESCALED = _assumed((30.0, 5.0, 120.0), 1536.0)  # one or two 64-bit products, or a table
_COMPARED = _assumed((12.0, 1.0, 80.0), 1536.0)
# A table of 256 that the start fills; an exponential where the operator stays in float.
_LOOKED_UP = _assumed((20.0, 2.0, 300.0), 1024.0)
_MOVED = _assumed((8.0, 0.25, 60.0), 1536.0)  # words at once, or an index of four axes a byte

OPERATORS: dict[Op, Operator] = {
    "conv": Operator(("CONV_2D",), 3, "Conv2DOptions", "Conv", "window", IMAGE, weighted=True,
                     activates=True, pairs=_DILATED),
    "depthwise_conv": Operator(("DEPTHWISE_CONV_2D",), 3, "DepthwiseConv2DOptions", "Conv",
                               "window", IMAGE, weighted=True, activates=True, pairs=_DILATED),
    # Of one product; every output is written as often as windows lie over it.
    "transpose_conv": Operator(("TRANSPOSE_CONV",), 4, "TransposeConvOptions", "ConvTranspose",
                               "spread", IMAGE, weighted=True, activates=True, pairs=(_STRIDE,),
                               assumed=_assumed((4.0, 0.7, 40.0), 3072.0)),
    "fully_connected": Operator(("FULLY_CONNECTED",), 4, "FullyConnectedOptions", "Gemm", "dense",
                                weighted=True, activates=True),
    "add": Operator(("ADD",), 2, "AddOptions", "Add", "same", inputs=2, activates=True,
                    table_bytes=12),
    "pad": Operator(("PAD",), 2, "PadOptions", "Pad", "pads", IMAGE, keeps_scale=True),
    "reshape": Operator(("RESHAPE", "SQUEEZE", "EXPAND_DIMS"), 1, "ReshapeOptions", "Reshape",
                        "view", keeps_scale=True),
    "avg_pool": Operator(("AVERAGE_POOL_2D",), 2, "Pool2DOptions", "AveragePool", "window", IMAGE,
                         activates=True, keeps_scale=True, pairs=_POOLED),
    "max_pool": Operator(("MAX_POOL_2D",), 2, "Pool2DOptions", "MaxPool", "window", IMAGE,
                         activates=True, keeps_scale=True, pairs=_POOLED),
    "mean": Operator(("MEAN",), 2, "ReducerOptions", "ReduceMean", "mean", (2, 3, 4)),
    "sum": Operator(("SUM",), 2, "ReducerOptions", "ReduceSum", "mean", (2, 3, 4),
                    assumed=_assumed((20.0, 3.0, 120.0), 2048.0)),
    "softmax": Operator(("SOFTMAX",), 2, "SoftmaxOptions", "Softmax", "same",
                        fixed_scale=(1 / 256, -128), table_bytes=1024),
    "log_softmax": Operator(("LOG_SOFTMAX",), 1, "LogSoftmaxOptions", "LogSoftmax", "same",
                            fixed_scale=(1 / 16, 127), table_bytes=1024, assumed=_SIGMOID),
    "logistic": Operator(("LOGISTIC",), 2, "", "Sigmoid", "same", fixed_scale=(1 / 256, -128),
                         table_bytes=256, assumed=_SIGMOID),
    "tanh": Operator(("TANH",), 2, "", "Tanh", "same", fixed_scale=(1 / 128, 0), table_bytes=256,
                     assumed=_SIGMOID),
    "relu": Operator(("RELU", "RELU6", "RELU_N1_TO_1", "RELU_0_TO_1"), 1, "", "Relu", "same",
                     activates=True, table_bytes=256,
                     assumed=_RESCALED),
    "leaky_relu": Operator(("LEAKY_RELU",), 2, "LeakyReluOptions", "LeakyRelu", "same",
                           table_bytes=256, assumed=_RESCALED),
    "hard_swish": Operator(("HARD_SWISH",), 1, "", "HardSwish", "same", table_bytes=256,
                           assumed=_RESCALED),
    "quantize": Operator(("QUANTIZE",), 2, "", "Identity", "same", table_bytes=256,
                         assumed=_assumed((50.0, 8.0, 150.0), 1536.0)),
    "dequantize": Operator(("DEQUANTIZE",), 2, "", "", "same",
                           assumed=_assumed((12.0, 3.0, 40.0), 768.0)),
    "mul": Operator(("MUL",), 2, "MulOptions", "Mul", "same", inputs=2, activates=True,
                    assumed=_RESCALED),
    "sub": Operator(("SUB",), 2, "SubOptions", "Sub", "same", inputs=2, activates=True,
                    table_bytes=12, assumed=_assumed((60.0, 10.0, 180.0), 2048.0)),
    "concat": Operator(("CONCATENATION",), 2, "ConcatenationOptions", "Concat", "joined",
                       inputs=None, keeps_scale=True, assumed=_MOVED),
    "transpose": Operator(("TRANSPOSE",), 2, "TransposeOptions", "Transpose", "turned",
                          keeps_scale=True, assumed=_MOVED),
    "slice": Operator(("STRIDED_SLICE",), 2, "StridedSliceOptions", "Slice", "rows",
                      keeps_scale=True, assumed=_MOVED),
    "reduce_max": Operator(("REDUCE_MAX",), 2, "ReducerOptions", "ReduceMax", "mean", (2, 3, 4),
                           keeps_scale=True, assumed=_assumed((20.0, 3.0, 120.0), 2048.0)),
    "resize_nearest": Operator(("RESIZE_NEAREST_NEIGHBOR",), 2, "ResizeNearestNeighborOptions",
                               "Resize", "resized", IMAGE, keeps_scale=True, assumed=_MOVED),
    "resize_bilinear": Operator(("RESIZE_BILINEAR",), 2, "ResizeBilinearOptions", "Resize",
                                "resized", IMAGE, keeps_scale=True,
                                assumed=_assumed((60.0, 15.0, 250.0), 2048.0)),
    "space_to_depth": Operator(("SPACE_TO_DEPTH",), 2, "SpaceToDepthOptions", "SpaceToDepth",
                               "blocks", IMAGE, keeps_scale=True, assumed=_MOVED),
    "depth_to_space": Operator(("DEPTH_TO_SPACE",), 1, "DepthToSpaceOptions", "DepthToSpace",
                               "blocks", IMAGE, keeps_scale=True, assumed=_MOVED),
    "maximum": Operator(("MAXIMUM",), 2, "MaximumMinimumOptions", "Max", "same", inputs=2,
                        keeps_scale=True, assumed=_COMPARED),
    "minimum": Operator(("MINIMUM",), 2, "MaximumMinimumOptions", "Min", "same", inputs=2,
                        keeps_scale=True, assumed=_COMPARED),
    "prelu": Operator(("PRELU",), 1, "", "PRelu", "same", inputs=2, assumed=_RESCALED),
    "squared_difference": Operator(("SQUARED_DIFFERENCE",), 2, "SquaredDifferenceOptions", "",
                                   "same", inputs=2,
                                   assumed=_assumed((70.0, 12.0, 200.0), 2048.0)),
    "elu": Operator(("ELU",), 1, "", "", "same", table_bytes=256, assumed=_LOOKED_UP),
    "gelu": Operator(("GELU",), 2, "GeluOptions", "", "same", table_bytes=256,
                     assumed=_LOOKED_UP),
    "abs": Operator(("ABS",), 2, "AbsOptions", "", "same", table_bytes=256, assumed=_RESCALED),
    "exp": Operator(("EXP",), 2, "ExpOptions", "", "same", table_bytes=256,
                    assumed=_LOOKED_UP),
    "log": Operator(("LOG",), 2, "", "", "same", table_bytes=256, assumed=_LOOKED_UP),
    "rsqrt": Operator(("RSQRT",), 2, "", "", "same", table_bytes=256, assumed=_SIGMOID),
    "neg": Operator(("NEG",), 1, "", "Neg", "same", table_bytes=256, assumed=_RESCALED),
    "square": Operator(("SQUARE",), 1, "", "", "same", table_bytes=256, assumed=_RESCALED),
    "sqrt": Operator(("SQRT",), 1, "", "", "same", table_bytes=256, assumed=_LOOKED_UP),
    # Cycles of one product: with few inputs and units the five curves of a unit take most of them.
    "lstm": Operator(("UNIDIRECTIONAL_SEQUENCE_LSTM",), 1, "UnidirectionalSequenceLSTMOptions",
                     "LSTM", "sequence", IMAGE, weighted=True, table_bytes=576,
                     assumed=_assumed((8.0, 0.8, 40.0), 4096.0)),
    # Of one product, too: of short ones most is the rescaling of their sums.
    "batch_matmul": Operator(("BATCH_MATMUL",), 2, "BatchMatMulOptions", "MatMul", "product",
                             IMAGE, inputs=2, assumed=_assumed((4.0, 0.7, 40.0), 3072.0)),
    # With the comparison of the first input with its threshold, which may be in float.
    "select": Operator(("SELECT", "SELECT_V2"), 1, "", "Where", "same", inputs=3,
                       keeps_scale=True, assumed=_assumed((40.0, 4.0, 200.0), 3072.0)),
    # Newton's division in fixed point for each element; our C keeps a factor of each divisor.
    "div": Operator(("DIV",), 2, "DivOptions", "Div", "same", inputs=2, activates=True,
                    table_bytes=1024, assumed=_SIGMOID),
    "reduce_min": Operator(("REDUCE_MIN",), 2, "ReducerOptions", "ReduceMin", "mean", (2, 3, 4),
                           keeps_scale=True, assumed=_assumed((20.0, 3.0, 120.0), 2048.0)),
}  # fmt: skip

_CURVES: tuple[Op, ...] = ("sin", "cos", "floor", "ceil", "round", "sign")
OPERATORS |= {
    op: Operator((op.upper(),), 1, "", "", "same", table_bytes=256, assumed=_LOOKED_UP)
    for op in _CURVES
}
FLOAT_OPS: frozenset[Op] = frozenset({"neg", "square", *_CURVES})
"""Those that no runtime has in int8."""
TABLE_OPS = frozenset(op for op, known in OPERATORS.items() if known.table_bytes == 256)
"""Those that map one int8 value to another."""
ISLAND_OPS: frozenset[Op] = frozenset({*TABLE_OPS, "log_softmax"})
"""Those that a converter may leave in float between int8 tensors."""
WEIGHTED_OPS = frozenset(op for op, known in OPERATORS.items() if known.weighted)
TFLITE_OPS: dict[str, Op] = {name: op for op, known in OPERATORS.items() for name in known.tflite}
