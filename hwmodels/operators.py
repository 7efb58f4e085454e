"""Every operator of the layer graph, once: what it is, what others call it, what it costs unseen.

A new operator is a row here and one function for each purpose, registered under its name:
`deploy.integers.reference`, `deploy.c.plain` and `deploy.onnx_export`. One that maps a single
int8 value to another needs a table of 256 results in `deploy.integers.lookup` instead, and
nothing more. Kernels that were counted or timed have laws in `hwmodels.engines.kernels`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from hwmodels.estimate import Estimate

Op = Literal[
    "conv",
    "depthwise_conv",
    "fully_connected",
    "add",
    "pad",
    "reshape",
    "avg_pool",
    "max_pool",
    "mean",
    "softmax",
    "logistic",
]
Activation = Literal["none", "relu", "relu6"]
Padding = Literal["valid", "same"]
OPS: tuple[Op, ...] = get_args(Op)
ACTIVATIONS: tuple[Activation, ...] = get_args(Activation)
PADDINGS: tuple[Padding, ...] = get_args(Padding)

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
        onnx: name of the float operator.
        shape: how the output's shape follows: of a sliding `window`, wider by the `pads`, the
            `same` as every input, another `view` of it, its channels (`mean`), or outputs alone
            (`dense`).
        ranks: of its tensors, in every stage: graph, costs, reference, C and files.
        inputs: activations that it reads.
        weighted: it has weights and a bias.
        activates: it may have a fused activation.
        keeps_scale: its kernel moves or averages stored values: output scale = input scale.
        fixed_scale: scale and zero point that TFLite asks of the output.
        pairs: attributes `(height, width)` of a layer, by TFLite's names.
        table_bytes: constants of its generated C beside weights.
        assumed: see `Assumed`.
    """

    tflite: tuple[str, ...]
    version: int
    options: str
    onnx: str
    shape: Literal["window", "pads", "same", "view", "mean", "dense"]
    ranks: tuple[int, ...] = ANY_RANK
    inputs: int = 1
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
# A fixed-point exponential and a division by Newton's method; ST's tools may look it up.
_SIGMOID = Assumed(Estimate(400.0, 5.0, 900.0), Estimate(2048.0, 1024.0, 4096.0))

OPERATORS: dict[Op, Operator] = {
    "conv": Operator(("CONV_2D",), 3, "Conv2DOptions", "Conv", "window", IMAGE, weighted=True,
                     activates=True, pairs=_DILATED),
    "depthwise_conv": Operator(("DEPTHWISE_CONV_2D",), 3, "DepthwiseConv2DOptions", "Conv",
                               "window", IMAGE, weighted=True, activates=True, pairs=_DILATED),
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
    "softmax": Operator(("SOFTMAX",), 2, "SoftmaxOptions", "Softmax", "same"),
    "logistic": Operator(("LOGISTIC",), 2, "", "Sigmoid", "same", fixed_scale=(1 / 256, -128),
                         table_bytes=256, assumed=_SIGMOID),
}  # fmt: skip

WEIGHTED_OPS = frozenset(op for op, known in OPERATORS.items() if known.weighted)
TFLITE_OPS: dict[str, Op] = {name: op for op, known in OPERATORS.items() for name in known.tflite}
