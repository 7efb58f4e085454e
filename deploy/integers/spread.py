"""A transposed convolution: each input adds its products where its window lies in the output.

Reference: tensorflow/lite/kernels/internal/reference/integer_ops/transpose_conv.h.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def sums(
    x: NDArray[Any],
    weights: NDArray[Any],
    stride: tuple[int, int],
    cut: tuple[int, int],
    target: tuple[int, ...],
) -> NDArray[Any]:
    """Products, added up.

    Args:
        x: `(windows, height, width, in_channels)`.
        weights: `(kernel_height, kernel_width, in_channels, out_channels)` of the same type.
        cut: rows above and columns left of the output that are left out.
        target: `(1, out_height, out_width, out_channels)`.

    Returns:
        `(windows, out_height, out_width, out_channels)`.
    """
    _, height, width, _ = x.shape
    reach = [(size - 1) * by + 1 for size, by in zip((height, width), stride, strict=True)]
    whole = [
        max(end + taps - 1, front + wanted)
        for end, taps, front, wanted in zip(reach, weights.shape, cut, target[1:], strict=False)
    ]
    found = np.zeros((len(x), *whole, target[3]), x.dtype)
    for i, j in np.ndindex(*weights.shape[:2]):
        rows = slice(i, i + reach[0], stride[0])
        columns = slice(j, j + reach[1], stride[1])
        found[:, rows, columns] += x @ weights[i, j]
    return found[:, cut[0] : cut[0] + target[1], cut[1] : cut[1] + target[2]]
