"""Cycles and code of generated C on a Cortex-M7, from laws fitted on emulated counts.

`hwmodels.fit.generated_c` fits them to `data/c_steps_m7.csv`, one row a function that ran in
emulation. Cycles are those of the pipeline model of `deploy.emulation`: emulated, not measured.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hwmodels.estimate import Estimate
from hwmodels.generated_c.shapes import (
    CODE,
    CYCLES,
    PARTS,
    PRODUCTS,
    StepShape,
    code_features,
    cycle_features,
)
from hwmodels.generated_c.shapes import depthwise_count as runs
from hwmodels.generated_c.streaming import Kept
from ppgnas.errors import BoardError, GraphError
from ppgnas.toml_file import FileModel, read_as

_MEMO_ENTRIES = 200_000
UNCOUNTED_CYCLES = Estimate(9.0, 0.3, 900.0)
"""Cycles for one element of a plain loop that was never counted, as of an operator without C.
Assumption: from a copied word to an exponential in fixed point."""
PRODUCT_CYCLES = Estimate(3.3, 1.3, 9.0)
"""The same for one product of `shapes.PRODUCTS`, with what stands around an output in products.
Read off 24 products of activations, 11 transposed convolutions and 6 LSTMs in emulation, each
alone, of 12 to 98,304 products; they took 0.69 to 1.54 times what this says."""
UNCOUNTED_CODE_BYTES = Estimate(450.0, 100.0, 2500.0)
"""Bytes of its function. Assumption, as above."""


class DepthwiseTable(FileModel):
    stride: int
    taps: tuple[int, ...]
    cycles: tuple[float, ...]
    code: tuple[float, ...]


class KindLaw(FileModel):
    functions: int
    mean_error: float
    features: tuple[str, ...]
    cycles: tuple[float, ...]
    code_features: tuple[str, ...]
    code: tuple[float, ...]
    largest: dict[str, int]
    half_width: float
    code_half_width: float


class NetworkErrors(FileModel):
    networks: int
    mean_error: float
    worst_error: float
    half_width: float
    code_half_width: float


SHARED_CODE_BYTES = 250.0
"""The functions that move a past, and the reset: by zig 86 + 122 bytes, and `keep_row` where rows
change their place in a pair."""


class StreamingLaw(FileModel):
    """What a step that keeps a past takes beside its law over one block.

    Attributes:
        kept: cycles of such a step, of a byte of history, and of one that moves two by two.
        pool: cycles of the pool, of one of its channels, and of a byte that it keeps.
        kept_code, pool_code: bytes of code more in such a function, and in the pool's.
        networks, mean_error, worst_error, half_width: errors of whole networks; see
            `NetworkErrors`.
    """

    networks: int
    mean_error: float
    worst_error: float
    half_width: float
    kept: tuple[float, float, float]
    pool: tuple[float, float, float]
    kept_code: float
    pool_code: float


class LawFile(FileModel):
    source: str
    networks: NetworkErrors
    streaming: StreamingLaw
    depthwise: tuple[DepthwiseTable, ...]
    kinds: dict[str, KindLaw]


@dataclass(frozen=True)
class Parts:
    """Cycles of one step by what causes them."""

    pointwise: float
    depthwise: float
    add: float

    @property
    def total(self) -> float:
        """All of it."""
        return self.pointwise + self.depthwise + self.add


class CLaw:
    """The laws of one file.

    Raises:
        BoardError: not such a file, or fitted with other features than the program has.
    """

    def __init__(self, path: Path) -> None:
        self.file = read_as(path, LawFile, help_text="Run `python -m hwmodels.fit`")
        for name, law in self.file.kinds.items():
            if law.features != CYCLES.get(name) or law.code_features != CODE.get(name):
                raise BoardError(
                    f"{path}: kinds.{name} was fitted with other features than the program has; "
                    "run `python -m hwmodels.fit`"
                )
        self.errors = self.file.networks
        self._depthwise = {item.stride: item for item in self.file.depthwise}
        # Costs of shapes seen before; a pure function's memory.
        self._quick: dict[StepShape, tuple[float, float]] = {}

    def cycles(self, shape: StepShape) -> Parts:
        """Cycles of one call of a step on a Cortex-M7.

        Raises:
            GraphError: a kind of step without a law.
        """
        if not self.counted(shape):
            return Parts(_element(shape).value * shape.work, 0.0, 0.0)
        law = self._law(shape.kind)
        sums = {"pointwise": 0.0, "depthwise": 0.0, "add": 0.0}
        parts = PARTS.get(shape.kind, {})
        owner = {feature: part for part, features in parts.items() for feature in features}
        counts = cycle_features(shape)
        for name, coefficient, count in zip(law.features, law.cycles, counts, strict=True):
            sums[owner.get(name, "pointwise")] += coefficient * count
        if shape.kind == "separable":
            table = self._table(shape.stride)
            sums["depthwise"] += runs(shape) * _between(shape.taps, table.taps, table.cycles)
        return Parts(**sums)

    def quick(self, shape: StepShape) -> tuple[float, float]:
        """Cycles and bytes of code of a step, remembered: the search's fast path."""
        found = self._quick.get(shape)
        if found is None:
            if len(self._quick) > _MEMO_ENTRIES:
                self._quick.clear()
            found = self.cycles(shape).total, self.code_bytes(shape)
            self._quick[shape] = found
        return found

    def code_bytes(self, shape: StepShape) -> float:
        """Bytes of the function of a step, literal pools included."""
        if not self.counted(shape):
            return UNCOUNTED_CODE_BYTES.value
        law = self._law(shape.kind)
        size = sum(c * f for c, f in zip(law.code, code_features(shape), strict=True))
        if shape.kind == "separable":
            table = self._table(shape.stride)
            size += _between(shape.taps, table.taps, table.code)
        return max(float(size), 0.0)

    def counted(self, shape: StepShape) -> bool:
        """Whether there is a law: all but plain loops of operators that have no C."""
        return not shape.plain or shape.kind in self.file.kinds

    def kept_cycles(self, kept: Kept, channels: int) -> float:
        """Cycles that keeping a past adds to a step; `channels` are those that it pools, or 0."""
        law = self.file.streaming
        if channels:
            return law.pool[0] + law.pool[1] * channels + law.pool[2] * kept.bytes
        return law.kept[0] + law.kept[1] * kept.bytes + law.kept[2] * kept.apart

    def kept_code_bytes(self, functions: int, *, pool: bool) -> float:
        """Bytes of code that keeping a past adds where so many functions, and the pool's, do."""
        law = self.file.streaming
        return SHARED_CODE_BYTES + law.pool_code * pool + law.kept_code * functions

    def bounds(self, shape: StepShape, cycles: float) -> Estimate:
        """Of one step alone: nine functions in ten lie within; see `KindLaw.half_width`."""
        if not self.counted(shape):
            guess = _element(shape)
            return Estimate(
                cycles, cycles * guess.low / guess.value, cycles * guess.high / guess.value
            )
        # Twice as wide beyond the sizes that were counted.
        width = self._law(shape.kind).half_width * (1 if self.in_range(shape) else 2)
        return Estimate.exact(cycles).widened(width)

    def code_bounds(self, shape: StepShape) -> Estimate:
        """Bytes of the function of one step alone."""
        if not self.counted(shape):
            return UNCOUNTED_CODE_BYTES
        half_width = self._law(shape.kind).code_half_width
        return Estimate.exact(self.code_bytes(shape)).widened(half_width)

    def in_range(self, shape: StepShape) -> bool:
        """Whether the step is no larger than those that were counted."""
        if not self.counted(shape):
            return False
        largest = self._law(shape.kind).largest
        if shape.kind == "separable" and shape.taps > max(self._table(shape.stride).taps):
            return False
        return all(getattr(shape, key) <= limit for key, limit in largest.items())

    def _law(self, kind: str) -> KindLaw:
        if kind not in self.file.kinds:
            raise GraphError(
                f"engine ppgnas-c: no law for steps of kind {kind!r}; counted kinds: "
                f"{', '.join(self.file.kinds)}"
            )
        return self.file.kinds[kind]

    def _table(self, stride: int) -> DepthwiseTable:
        """The table of a stride, or of the nearest that was counted."""
        return self._depthwise[min(self._depthwise, key=lambda known: abs(known - stride))]


def _element(shape: StepShape) -> Estimate:
    """Cycles for one element of a plain loop without a law."""
    products = shape.kind.removeprefix("plain ") in PRODUCTS
    return PRODUCT_CYCLES if products else UNCOUNTED_CYCLES


def _between(taps: int, known: tuple[int, ...], values: tuple[float, ...]) -> float:
    """Linear between the counted kernels; beyond the last at the mean slope of all."""
    if taps > known[-1] and len(known) > 1:
        slope = (values[-1] - values[0]) / (known[-1] - known[0])
        return values[-1] + slope * (taps - known[-1])
    return float(np.interp(taps, known, values))
