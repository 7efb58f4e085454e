"""The rows of a STRIDED_SLICE: what its masks, negative places and steps come to.

Reference: tensorflow/lite/kernels/internal/strided_slice_logic.h.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

Row = tuple[int, int, int]
MASKS = ("BeginMask", "EndMask", "EllipsisMask", "NewAxisMask", "ShrinkAxisMask")
PLAIN = dict.fromkeys(MASKS, 0.0)  # options of a slice that says all of its rows


def rows(
    options: Mapping[str, float], parts: Sequence[Sequence[int]], shape: Sequence[int]
) -> list[Row] | str:
    """`(first, end, step)` of each axis as of `range`, or what is wrong.

    Args:
        options: the masks.
        parts: first rows, ends and steps, of as many axes as are said.
    """
    begin, end_open, ellipsis, new, shrink = (int(options[name]) for name in MASKS)
    if ellipsis or new:
        return "it has an ellipsis or a new axis; allowed: a range of each axis"
    found = [(0, size, 1) for size in shape]
    for axis, (first, end, step) in enumerate(zip(*parts, strict=False)):
        size, bit = shape[axis] if axis < len(shape) else 0, 1 << axis
        if not step or not size:
            return f"its steps are {parts[2]} for {tuple(shape)}; allowed: any but 0"
        back = int(step < 0)
        low, high = -back, size - back
        first, end = (max(low, min(at + size * (at < 0), high)) for at in (first, end))
        if begin & bit:
            first = high if back else low
        if end_open & bit:
            end = low if back else high
        if shrink & bit:
            end = first + (-1 if back else 1)
        found[axis] = (first, end, step)
    return found
