"""Scales of int8 weights.

A channel's scale is `max |w| / 127`. Two cases need another one:

* A channel whose weights cannot move the output by half a step in all (zeros, in the extreme)
  would have a scale so small that its bias leaves int32. Where that happens it gets
  `output scale / input scale / 1024`, which keeps the bias to a thousandth of an output step.
* A fully connected layer has one scale for all channels, see `unambiguous_scale`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from deploy.integers import fixed_point
from hwmodels.graph import Layer

WEIGHT_MAX = 127
_DEAD_CHANNEL_MULTIPLIER = 2.0**-10
_SCALE_CANDIDATES = 8192


def choose_scales(
    layer: Layer,
    weight: NDArray[np.float64],
    bias: NDArray[np.float64],
    *,
    input_scale: float,
    output_scale: float,
) -> NDArray[np.float64]:
    """Scales of one layer's weights.

    Args:
        weight: float weights in TFLite's layout.
        bias: `(out_channels,)`.

    Returns:
        `(out_channels,)` float32 values in float64, all above 0.
    """
    channel_axis = weight.ndim - 1 if layer.op == "depthwise_conv" else 0
    taps = np.moveaxis(np.abs(weight), channel_axis, 0).reshape(len(bias), -1)
    # (out_channels, taps)
    if layer.op == "fully_connected":
        taps = np.broadcast_to(taps.reshape(1, -1), (len(bias), taps.size))
    largest, total = taps.max(axis=1), taps.sum(axis=1)
    natural = largest / WEIGHT_MAX
    overflows = np.abs(bias) > natural * input_scale * fixed_point.INT32_MAX
    if layer.op == "fully_connected":
        overflows = np.broadcast_to(overflows.any(), overflows.shape)
    dead = total * 255 * input_scale <= 0.5 * output_scale
    replaced = (natural.astype(np.float32) == 0) | (overflows & dead)
    substitute = output_scale / input_scale * _DEAD_CHANNEL_MULTIPLIER
    scales = np.where(replaced, substitute, natural).astype(np.float32)
    if layer.op == "fully_connected":
        scales = np.full_like(
            scales,
            unambiguous_scale(scales[0], input_scale=input_scale, output_scale=output_scale),
        )
    return scales.astype(np.float64)


def unambiguous_scale(scale: np.float32, *, input_scale: float, output_scale: float) -> np.float32:
    """The next float32 from `scale` on for which all versions of TFLite agree, if one is near.

    For a per-tensor FULLY_CONNECTED some versions multiply the input's and the weights' scale in
    float32 and others in float64. Where both give the same mantissa the file means the same to
    all of them. Best effort: of 3,000 random scales 2,997 found one, half of them within 78 steps
    of 2^-23; an input scale with a regular mantissa (0.02, 1 + 2^-23) may have none in reach.

    Returns:
        The first agreeing value among the next 8,192 (at most 0.2 % above `scale`), else `scale`.
        The multipliers then differ by less than one part in 2^23, less than 2^-15 of an output
        step before rounding, and `QuantizedNet.multiplier` follows the float64 versions.
    """
    bits = scale.view(np.int32) + np.arange(_SCALE_CANDIDATES, dtype=np.int32)
    candidates = bits.view(np.float32)
    exact = fixed_point.weighted_multiplier(input_scale, candidates, output_scale)
    rounded = (np.float32(input_scale) * candidates).astype(np.float64)
    other = fixed_point.quantize_multiplier(rounded / output_scale)
    agree = (exact.mantissa == other.mantissa) & (exact.shift == other.shift)
    # argmax gives the first; without any, the first candidate: the scale itself.
    return np.float32(candidates[int(np.argmax(agree))])
