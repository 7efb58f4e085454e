"""What functions of several kinds of step have in common: places, blocks of four, constants."""

from __future__ import annotations

from collections.abc import Sequence

from deploy.c import packing
from deploy.c.calls import Context, Table, table
from deploy.c.pointwise import Kernel
from deploy.integers import single_rounding
from hwmodels.generated_c.steps import Storage
from hwmodels.graph import Layer

PARAMETERS = (
    "int8_t *x, int8_t *y, uint32_t *room, const uint32_t *weights, "
    "const int32_t *requant, int32_t zero"
)


def offset_at(storage: Storage, pad: int) -> str:
    """C expression of the offset of the time step `step`."""
    if not storage.paired:
        return f"step * {storage.channels}"
    return f"paired_offset(step + {pad}, {storage.fold}, {storage.channels})"


def positions(storage: Storage, firsts: Sequence[int], apart: Sequence[int]) -> tuple[str, bool]:
    """C initialiser of `positions4` of four time steps `step + apart[i]`; whether it is constant.

    It is where the four lie alike at every `first`.
    """
    pair = 4 if storage.paired else 2
    seen = {
        tuple(storage.offset(first + by) - storage.offset(first) for by in apart[1:])
        for first in firsts
    }
    if len(seen) == 1:
        return "{" + ", ".join(map(str, (*seen.pop(), pair))) + "}", True
    pad, fold, channels = storage.pad_steps, storage.fold, storage.channels
    base = f"paired_offset(step + {pad}, {fold}, {channels})"
    others = [f"paired_offset(step + {pad + by}, {fold}, {channels}) - {base}" for by in apart[1:]]
    return "{" + ", ".join((*others, str(pair))) + "}", False


def kernel_of(c: Context, layer: Layer, words: int, add: Layer | None = None) -> Kernel:
    """The function that computes four positions of a 1 x 1 part."""
    tight = add is not None and c.limits(add) != (-128, 127)
    return Kernel(words, add is not None, tight or bounded(c, layer))


def bounded(c: Context, layer: Layer) -> bool:
    """Whether more becomes of a sum than one factor and int8."""
    lifted = single_rounding.weighted_factors(c.net, layer).left != 0
    return lifted or c.limits(layer) != (-128, 127)


def begin_lines(words: int, outputs: int) -> list[str]:
    return [
        "    block4 block;",
        f"    begin4(&block, room, weights, requant, {words}, {outputs}, end);",
    ]


def start_of(storage: Storage) -> int | None:
    """Time step that the pointer of a storage stands for: 0 where it lies plain."""
    return None if storage.paired else 0


def weights_of(c: Context, layer: Layer, *, widened_inputs: bool) -> tuple[str | Table, ...]:
    """Weights, rescaling and zero point of a dot product."""
    weights = c.net.weights[layer.name]
    matrix = weights.reshape(len(weights), -1)
    words = packing.pointwise_words(matrix, widened_inputs=widened_inputs)
    requant = table("int32_t", packing.requant_pairs(c.net, layer))
    return table("uint32_t", words), requant, str(c.zero_point(layer.output))
