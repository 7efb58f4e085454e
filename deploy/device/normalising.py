"""From int16 windows to the network's int8 input: `ppg.frontend.normalise_*` in integers.

Over the T samples of a window, `d[t] = T x[t] - sum(x)` is exact. For PPG, with `r(V)` the
mantissa and `h(V)` the half exponent of `1 / sqrt(V / T)` (`integers.inverse_deviation`):

    V_c = sum_t d_c[t]^2        z_c[t] = round(d_c[t] r(V_c) 2^(h(V_c) - 40))    0 where V_c = 0
    m[t] = sum_c z_c[t]         W = max(sum_t m[t]^2, T 64^2)                    units of 2^-16
    q[t] = round(m[t] floor(r(W) M / 2^31) 2^(h(W) - 56 + 31 - k))              1/scale = M 2^-k

The floor of 64 keeps channels that cancel each other from being blown up to noise. For
acceleration in units of 2^(h - 20) g, with the power P = ACC_POWER, n = bits(V) - 1, N = n + 2 h:

    V = max(sum_axes sum_t d^2, floor(smallest / 4^h))
    q[t] = round(d[t] floor(p(V) M_N / 2^31) 2^(h - k_N))

where `p(V) = (V / 2^n)^(-P/2)` comes from a table of 64 steps (linear between them: a relative
error below 2e-5, 0.003 of one LSB at full scale) and `M_N 2^-k_N` folds `2^(-NP/2)`, T, the unit
of 2^-20 g and the scale into one factor an octave. At the end q is clipped at
`round(+-PPG_CLIP / scale)`, moved by the zero point and clipped to int8. `round` is
floor(x + 1/2).
"""

from __future__ import annotations

from dataclasses import dataclass

from deploy.device.integers import (
    Scale,
    scale_of,
)
from deploy.device.settings import ACC_G_BITS, FrontEnd
from ppg.frontend import ACC_FLOOR_G, ACC_POWER, PPG_CLIP
from ppgnas.errors import ExportError

POWER_STEPS = 64
MIXED_FLOOR = 64  # of the deviation of the mixed trace, in units of 2^-16
Z_SHIFT = 40
LARGEST_ACC_SHIFT = 16
LAST_OCTAVE = 61 + 2 * LARGEST_ACC_SHIFT


@dataclass(frozen=True)
class Normaliser:
    """Tables and constants of one network's input.

    Attributes:
        steps: T.
        inverse_scale: 1 / scale.
        low, high: int8 limits of the output.
        zero_point: of the input tensor.
        acc_floor: smallest V of acceleration, in units of 2^-20 g.
        power: `(65,)` of `(1 + j / 64)^(-P/2) * 2^31`.
        octaves: factor of each N from `first_octave` to `LAST_OCTAVE`.
        first_octave: bits(acc_floor) - 1.
    """

    steps: int
    inverse_scale: Scale
    low: int
    high: int
    zero_point: int
    acc_floor: int
    power: tuple[int, ...]
    octaves: tuple[Scale, ...]
    first_octave: int


def normaliser(front_end: FrontEnd, *, scale: float, zero_point: int) -> Normaliser:
    """Prepare the tables.

    Args:
        front_end: gives the length of a window.
        scale, zero_point: of the network's input tensor.

    Raises:
        ExportError: a scale beyond what the shifts can express.
    """
    steps = front_end.window_steps
    if not 2.0**-12 <= scale <= 1.0:
        raise ExportError(
            f"the network's input has scale {scale:g}; the integer front end takes "
            f"{2.0**-12:g} to 1: calibrate the activation ranges again"
        )
    limit = round(PPG_CLIP / scale)
    half = ACC_POWER / 2
    acc_floor = round((ACC_FLOOR_G * 2**ACC_G_BITS) ** 2 * steps**3)
    first = acc_floor.bit_length() - 1
    unit = (steps**3 * 4.0**ACC_G_BITS) ** half / (steps * 2.0**ACC_G_BITS * scale)
    return Normaliser(
        steps=steps,
        inverse_scale=scale_of(1 / scale),
        low=max(-128, zero_point - limit),
        high=min(127, zero_point + limit),
        zero_point=zero_point,
        acc_floor=acc_floor,
        power=tuple(round(2**31 * (1 + j / POWER_STEPS) ** -half) for j in range(POWER_STEPS + 1)),
        octaves=tuple(scale_of(unit * 2.0 ** (-n * half)) for n in range(first, LAST_OCTAVE + 1)),
        first_octave=first,
    )
