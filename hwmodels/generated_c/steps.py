"""What a program of generated C is made of: steps, where tensors lie, and the plan of both.

Where the pool takes the newest steps alone, nobody reads the first positions of a window: every
layer before it is causal, so what the pool depends on is the end of each tensor. A step computes
from there on, and leaves what lies before as it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

from hwmodels.graph import Layer

StepKind = Literal["window", "separable", "dense", "pool", "generic"]

BLOCK = 4  # positions that are computed together
UNROLLED_K = 4  # the dot product of a block takes this many input channels at a time


class Storage(NamedTuple):
    """How one tensor, and all views of it, lie in the scratch buffer.

    Attributes:
        steps, channels: `(steps, channels)` without padding.
        pad_steps: time steps of padding in front.
        fold: columns of the view in which pairs of rows are formed; 1 where it lies plain.
        paired: two rows of that view share words.
        slack: bytes behind the tensor that a word load may touch.
    """

    steps: int
    channels: int
    pad_steps: int = 0
    fold: int = 1
    paired: bool = False
    slack: int = 0

    @property
    def bytes(self) -> int:
        """All of it, padding and slack included."""
        steps = self.steps + self.pad_steps
        if self.paired:
            rows = steps // self.fold
            return (rows + rows % 2) * self.fold * self.channels
        return steps * self.channels + self.slack

    def offset(self, step: int) -> int:
        """Byte of channel 0 of a time step; `step` may be negative within the padding.

        In a paired storage channel `c` lies `(c // 2) * 4 + c % 2` behind it.
        """
        step += self.pad_steps
        if not self.paired:
            return step * self.channels
        row, column = divmod(step, self.fold)
        return ((row >> 1) * self.fold + column) * 2 * self.channels + (row & 1) * 2


class Step(NamedTuple):
    """One call of the generated program.

    Attributes:
        kind: `window`, `separable`, `dense`, `pool` or `generic`.
        layers: the layers that the step computes, in order; padding and views are not among them,
            unless the step is generic.
        shortcut: the tensor that is added, or None.
        more: further tensors that are read.
        lead: steps of padding that this step reads in front of its source.
        first: position that it begins at, of a pool in its source: nothing reads those before.
        in_place: the target takes the bytes of the source or of the shortcut.
    """

    kind: StepKind
    layers: tuple[Layer, ...]
    source: str
    target: str
    shortcut: str | None = None
    lead: int = 0
    scratch_bytes: int = 0
    in_place: str | None = None
    more: tuple[str, ...] = ()
    first: int = 0

    @property
    def reads(self) -> tuple[str, ...]:
        """All tensors that are read."""
        second = () if self.shortcut is None else (self.shortcut,)
        return (self.source, *second, *self.more)


class Program(NamedTuple):
    """Steps in order and the plan of the scratch buffer.

    Attributes:
        steps: in order; the input stands in its storage before the first.
        storages: by tensor (root).
        offsets: byte offset of each storage.
        scratch_offsets: `(steps,)` byte offset of each step's own room.
        live_bytes: `(steps,)` bytes in use during each step.
        outputs: the tensors (roots) that hold the network's outputs.
    """

    steps: tuple[Step, ...]
    storages: dict[str, Storage]
    offsets: dict[str, int]
    scratch_offsets: tuple[int, ...]
    bytes: int
    live_bytes: tuple[int, ...]
    outputs: tuple[str, ...]

    @property
    def copied(self) -> tuple[str, ...]:
        """Outputs that lie in the scratch buffer until the end: something reads them as well, or
        they are the bytes of another one or of an input. Others are written to the caller."""
        written = {step.target for step in self.steps}
        lone = written.difference(*(step.reads for step in self.steps))
        return tuple(
            name for name in self.outputs if name not in lone or self.outputs.count(name) > 1
        )


def widened(values: int) -> int:
    """A dot product's length, rounded up to whole words of int8."""
    return -(-values // UNROLLED_K) * UNROLLED_K


def dot_words(values: int, *, widened_inputs: bool) -> int:
    """Words of two taps that a dot product of `values` taps takes.

    Widened inputs lie as taps (0, 2) and (1, 3) of each four: one tap more than a multiple of 4
    needs one word, two and three need both.
    """
    return values // 4 * 2 + min(values % 4, 2) if widened_inputs else -(-values // 2)


def begun(steps: list[Step], storages: dict[str, Storage], outputs: Sequence[str]) -> list[Step]:
    """The steps, each beginning where something reads what it computes, in whole blocks of rows.

    Args:
        steps: a program's, of which a pool may begin late.
        outputs: tensors that are needed whole.
    """
    if not any(step.first for step in steps):
        return steps
    read = dict.fromkeys(outputs, 0)  # the first position of a tensor that is read
    found = []
    for step in reversed(steps):
        at = step.first
        if step.kind in ("window", "separable"):
            layer, fold = step.layers[0], 1
            if step.kind == "separable":
                fold = storages[step.source].fold
            rows = max(storages[step.target].steps // fold // BLOCK - 1, 0)
            first = min(read.get(step.target, 0) // (BLOCK * fold), rows) * BLOCK * fold
            step = step._replace(first=first)
            at = max(first * layer.stride[1] - step.lead, 0)
        for name in step.reads:
            # A shortcut may be what the step reads before it, too.
            begin = at if name == step.source else step.first
            read[name] = min(read.get(name, begin), begin)
        found.append(step)
    return found[::-1]
