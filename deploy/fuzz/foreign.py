"""Graphs that no search of ours draws: for the plain loops of the generated C, and their seams.

Odd channels, dilated and same-padded convolutions, depth multipliers, pools of windows, separate
additions, padding on all sides, tensors read twice; causal separable blocks in between, because
what runs together must notice what it may not run together with.
"""

from __future__ import annotations

import random
from dataclasses import replace
from math import prod

from hwmodels.graph import Graph, Layer, Tensor

_MAX_ELEMENTS = 6_000
_MIN_LAYERS, _MAX_LAYERS = 3, 12

Shape = tuple[int, ...]


class _Grower:
    """A graph that grows by one random layer at a time."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        shape = (1, 1, rng.randrange(12, 60), rng.choice((1, 2, 3, 4, 4, 4, 8)))
        self.tensors = [Tensor("x", shape)]
        self.layers: list[Layer] = []

    @property
    def last(self) -> Tensor:
        return self.tensors[-1]

    def put(self, op: str, shape: Shape, *inputs: str, **options: object) -> None:
        name = f"layer{len(self.layers)}_{op}"
        sources = inputs or (self.last.name,)
        self.layers.append(Layer(name, op, sources, f"{name}_out", **options))  # type: ignore[arg-type]
        self.tensors.append(Tensor(f"{name}_out", shape))

    def grow(self) -> None:
        rng = self.rng
        kinds = ("conv", "depthwise", "causal", "causal", "pool", "pad", "view", "join", "skip",
                 "table", "move", "concat", "rows")  # fmt: skip
        getattr(self, "_" + rng.choice(kinds))()

    def _window(self, *, dilates: bool) -> tuple[dict[str, object], tuple[int, int]]:
        """Options of a layer with a kernel, and its output positions."""
        rng, shape = self.rng, self.last.shape
        kernel, stride, dilation, sizes = [], [], [], []
        same = rng.random() < 0.5
        for size in shape[1:3]:
            by = rng.choice((1, 1, 2)) if dilates else 1
            taps = rng.randrange(1, min(5, (size - 1) // by + 1) + 1)
            by = by if taps > 1 else 1
            step = 1 if by > 1 else rng.choice((1, 1, 2, 3))
            kernel.append(taps)
            stride.append(step)
            dilation.append(by)
            sizes.append(-(-size // step) if same else (size - (taps - 1) * by - 1) // step + 1)
        options: dict[str, object] = {
            "kernel": tuple(kernel),
            "stride": tuple(stride),
            "padding": "same" if same else "valid",
            "activation": rng.choice(("none", "relu", "relu6")),
        }
        if dilates:
            options["dilation"] = tuple(dilation)
        return options, (sizes[0], sizes[1])

    def _conv(self) -> None:
        options, sizes = self._window(dilates=True)
        outputs = self.rng.choice((1, 2, 3, 4, 6, 7, 8, 12))
        both = [n for n in range(1, outputs + 1) if outputs % n == self.last.shape[3] % n == 0]
        groups = self.rng.choice(both) if self.rng.random() < 0.3 else 1
        self.put("conv", (1, *sizes, outputs), groups=groups, **options)

    def _depthwise(self) -> None:
        options, sizes = self._window(dilates=True)
        channels = self.last.shape[3] * self.rng.choice((1, 1, 2, 3))
        self.put("depthwise_conv", (1, *sizes, channels), **options)

    def _causal(self) -> None:
        """Padding in front, depthwise along time, 1 x 1, perhaps an addition."""
        rng = self.rng
        if self.last.shape[3] % 4 and rng.random() < 0.8:
            self.put("conv", (*self.last.shape[:3], 8), activation="relu")
        before = self.last
        _, rows, fold, channels = before.shape
        taps = rng.choice((2, 3, 4, 5))
        folded = rows > 1
        pads = (taps - 1, 0, 0, 0) if folded else (0, 0, taps - 1, 0)
        padded = (1, rows + pads[0], fold + pads[2], channels)
        self.put("pad", padded, pads=pads)
        stride = 1 if folded else rng.choice((1, 1, 2))
        out = (rows, fold) if folded else (rows, (fold - 1) // stride + 1)
        self.put(
            "depthwise_conv",
            (1, *out, channels),
            kernel=(taps, 1) if folded else (1, taps),
            stride=(1, stride),
            activation="relu",
        )
        width = channels if rng.random() < 0.6 else rng.choice((4, 5, 8))
        self.put("conv", (1, *out, width), activation=rng.choice(("none", "relu")))
        if self.last.shape == before.shape and rng.random() < 0.7:
            pair = [before.name, self.last.name]
            rng.shuffle(pair)
            self.put("add", before.shape, *pair, activation=rng.choice(("none", "relu")))

    def _pool(self) -> None:
        options, sizes = self._window(dilates=False)
        op = self.rng.choice(("avg_pool", "max_pool"))
        self.put(op, (1, *sizes, self.last.shape[3]), **options)

    def _pad(self) -> None:
        pads = tuple(self.rng.choice((0, 0, 1, 2)) for _ in range(4))
        _, rows, columns, channels = self.last.shape
        shape = (1, rows + pads[0] + pads[1], columns + pads[2] + pads[3], channels)
        self.put("pad", shape, pads=pads)

    def _view(self) -> None:
        _, rows, columns, channels = self.last.shape
        positions = rows * columns
        folds = [n for n in range(1, positions + 1) if positions % n == 0]
        fold = self.rng.choice(folds)
        self.put("reshape", (1, positions // fold, fold, channels))

    def _join(self) -> None:
        """Add, subtract or multiply any earlier tensor of the same shape, itself or a gate."""
        now, rng = self.last, self.rng
        op = rng.choice(("add", "add", "sub", "mul"))
        alike = [tensor.name for tensor in self.tensors if tensor.shape == now.shape]
        if rng.random() < 0.3:
            self.put("mean", (1, 1, 1, now.shape[3]))
            alike = [self.last.name]
        self.put(op, now.shape, *rng.sample([rng.choice(alike), now.name], 2))

    def _table(self) -> None:
        ops = ("logistic", "tanh", "relu", "leaky_relu", "hard_swish", "quantize", "softmax")
        op = self.rng.choice(
            ops[: 6 + (self.last.shape[3] > 1)]
        )  # of one channel it is a constant
        activation = self.rng.choice(("relu", "relu6")) if op == "relu" else "none"
        self.put(op, self.last.shape, slope=0.1 * (op == "leaky_relu"), activation=activation)

    def _move(self) -> None:
        """Other axes in front, or some rows."""
        shape, rng = self.last.shape, self.rng
        if rng.random() < 0.3:
            axes = (0, *rng.sample((1, 2, 3), 3))
            self.put("transpose", tuple(shape[axis] for axis in axes), axes=axes)
            return
        rows = []
        for size in shape:
            first = rng.randrange(size)
            rows.append((first, rng.randrange(first, size) + 1, rng.choice((1, 1, 2))))
        self.put("slice", tuple(len(range(*row)) for row in rows), rows=tuple(rows))

    def _concat(self) -> None:
        """The last tensor twice, or its first channel beside it: one scale."""
        now = self.last
        _, rows, columns, channels = now.shape
        if self.rng.random() < 0.5:
            chosen = ((0, 1, 1), (0, rows, 1), (0, columns, 1), (0, 1, 1))
            self.put("slice", (1, rows, columns, 1), rows=chosen)
            self.put(
                "concat", (1, rows, columns, channels + 1), self.last.name, now.name, axes=(3,)
            )
        else:
            self.put("concat", (1, rows, 2 * columns, channels), now.name, now.name, axes=(2,))

    def _rows(self) -> None:
        """A dense layer over each position."""
        outputs = self.rng.choice((3, 4, 7, 8))
        self.put("fully_connected", (*self.last.shape[:3], outputs), activation="relu")

    def _skip(self) -> None:
        """A parallel 1 x 1 branch from an earlier tensor, joined with what stands now."""
        now = self.last
        alike = [tensor for tensor in self.tensors if tensor.shape[:3] == now.shape[:3]]
        chosen = self.rng.choice(alike)
        self.put("conv", now.shape, chosen.name)
        self.put("add", now.shape, now.name, self.last.name, activation="relu")

    def head(self) -> None:
        rng = self.rng
        shape = self.last.shape
        if rng.random() < 0.6:
            kind = rng.choice(("mean", "reduce_max", "avg_pool", "max_pool"))
            options = {"kernel": shape[1:3]} if kind.endswith("pool") else {}
            self.put(kind, (1, 1, 1, shape[3]), **options)
        if rng.random() < 0.8:
            for _ in range(rng.choice((1, 1, 2))):
                self.put("fully_connected", (1, rng.choice((5, 6, 8, 10, 14, 16, 30, 31, 64))))


def foreign_graph(seed: int) -> Graph:
    """A graph of a few random layers."""
    rng = random.Random(seed)
    while True:
        grower = _Grower(rng)
        wanted = rng.randrange(_MIN_LAYERS, _MAX_LAYERS + 1)
        while len(grower.layers) < wanted:
            grower.grow()
        grower.head()
        if max(prod(tensor.shape) for tensor in grower.tensors) <= _MAX_ELEMENTS:
            return Graph(tuple(grower.layers), tuple(grower.tensors), "x", grower.last.name)


def with_outputs(graph: Graph, seed: int) -> Graph:
    """The graph with up to three of its tensors as further outputs."""
    rng = random.Random(seed)
    names = [layer.output for layer in graph.layers]
    return replace(graph, also=tuple(rng.sample(names, min(len(names), rng.randrange(1, 4)))))
