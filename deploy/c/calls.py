"""Calls of the generated program: functions, their arguments, and what makers of them share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from deploy.integers import fixed_point, single_rounding
from deploy.integers.quantized import QuantizedNet
from hwmodels.generated_c.steps import Program, Step, Storage
from hwmodels.graph import Layer


@dataclass(frozen=True)
class Table:
    """A constant of the program: `ctype name[]`, or one per value."""

    ctype: str
    values: tuple[int, ...]


@dataclass(frozen=True)
class Call:
    """One call.

    Attributes:
        body: C text of the function from its parameters on; the same body is the same function.
        arguments: C expressions, or tables whose names stand for them.
        needs: parts of the C library that it uses, see `deploy.c.source`.
        kernels: functions of its own that it uses, by name.
    """

    stem: str
    body: str
    arguments: tuple[str | Table, ...]
    needs: tuple[str, ...]
    kernels: tuple[tuple[str, str], ...] = ()


class Context:
    """What the makers of calls share.

    Args:
        target: C expression of the place that takes the output, or empty for the scratch buffer.
        history: C expression of what a streaming step keeps between blocks; empty for a window.
        kept_blocks: how many blocks before this one a pool keeps.
    """

    def __init__(
        self,
        net: QuantizedNet,
        program: Program,
        step: Step,
        target: str,
        history: str,
        kept_blocks: int,
    ) -> None:
        self.net, self.program, self.step = net, program, step
        self.storage = program.storages[step.target]
        self.target, self.history, self.kept_blocks = target, history, kept_blocks
        index = program.steps.index(step)
        self.room = f"(uint32_t *)(void *)(scratch + {program.scratch_offsets[index]})"

    @property
    def source(self) -> Storage:
        """How the first tensor that is read lies."""
        return self.program.storages[self.step.source]

    def read(self, tensor: str) -> str | Table:
        """Where a tensor that a plain loop reads begins."""
        if tensor in self.net.constants:
            return table("int8_t", self.net.constants[tensor].ravel())
        return self.place(tensor, step=0)

    def place(self, tensor: str, *, step: int | None = None) -> str:
        """Pointer to a tensor's first byte, or to a time step of it."""
        if tensor == self.step.target and self.target:
            return self.target
        storage = self.program.storages[tensor]
        offset = self.program.offsets[tensor]
        return f"scratch + {offset + (0 if step is None else storage.offset(step))}"

    def zero_point(self, tensor: str) -> int:
        return self.net.activations[tensor][1]

    def limits(self, layer: Layer) -> tuple[int, int]:
        scale, zero_point = self.net.activations[layer.output]
        return fixed_point.activation_range(layer.activation, scale, zero_point)

    def further(self, blocks: int, fold: int = 1) -> tuple[str, tuple[str, ...], str]:
        """Parameters and arguments that only some steps have, and C of the first row of blocks.

        What stands in front of the source, zeros or history; and where a step of the program
        begins late, the row, so that steps of one shape share a function wherever each begins.
        """
        found = []
        if self.step.lead and self.history:
            found.append((", int8_t *history", self.history))
        elif self.step.lead:
            found.append((", int8_t pad", str(self.zero_point(self.step.source))))
        late = any(s.first for s in self.program.steps if s.kind in ("window", "separable"))
        if late and blocks:
            found.append((", int begin", str(self.step.first // fold)))
        text, values = "".join(name for name, _ in found), tuple(value for _, value in found)
        return text, values, "begin" if late else "0"

    def ending(self, layer: Layer) -> str:
        """C initialiser of an `ending` whose zero point is the argument `zero`."""
        low, high = self.limits(layer)
        lift = single_rounding.weighted_factors(self.net, layer).left
        return f"{{zero, {low}, {high}, {lift}}}"


def table(ctype: str, values: Sequence[int] | np.ndarray) -> Table:
    """A table of whole numbers."""
    return Table(ctype, tuple(int(value) for value in values))


def joint(c: Context, add: Layer, own: str) -> tuple[int, int, int]:
    """`(own, other, offset)` of an addition over stored values; `own` is one of its inputs."""
    factors = single_rounding.add_factors(c.net, add)
    by = [factors.first, factors.second]
    zeros = [c.zero_point(name) for name in add.inputs]
    offset = ((1 << factors.shift) >> 1) + (c.zero_point(add.output) << factors.shift)
    offset -= sum(factor * zero for factor, zero in zip(by, zeros, strict=True))
    mine = 0 if add.inputs[0] == own else 1
    return by[mine], by[1 - mine], offset


def plain_call(
    c: Context,
    parameters: str,
    lines: list[str],
    *arguments: str | Table,
    needs: tuple[str, ...] = ("pointwise", "generic"),
) -> Call:
    """A call whose first two arguments are where the layer reads and writes."""
    body = [f"(const int8_t *x, int8_t *y{parameters})", "{", *(f"    {s}" for s in lines), "}"]
    places = c.place(c.step.source, step=0), c.place(c.step.target, step=0)
    return Call("plain", "\n".join(body), (*places, *arguments), needs)


def gather(c: Context, lines: list[str], *arguments: str | Table, extra: str = "") -> Call:
    """A call that reads several tensors, `x0`, `x1`, ..., and writes `y`."""
    sources = c.step.reads
    names = ", ".join(f"const int8_t *x{index}" for index in range(len(sources)))
    body = [f"({names}, int8_t *y{extra})", "{", *(f"    {line}" for line in lines), "}"]
    places = [*map(c.read, sources), c.place(c.step.target, step=0)]
    return Call("plain", "\n".join(body), (*places, *arguments), ("pointwise", "generic"))
