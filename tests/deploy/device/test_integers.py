"""Integer arithmetic against Python's own whole numbers."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.device.integers import (
    bit_length,
    even_headroom,
    inverse_deviation,
    multiply_shift,
    scale_of,
    square_root,
)
from deploy.device.rule import round_shift
from ppgnas.errors import ExportError

INT64 = st.integers(-(2**63), 2**63 - 1)
INT32 = st.integers(-(2**31) + 1, 2**31 - 1)


@given(INT64, INT32, st.integers(32, 62))
def test_multiply_shift_is_the_rounded_product(x: int, factor: int, shift: int) -> None:
    ours = int(multiply_shift(x, factor, shift))
    assert abs((ours << shift) - x * factor) <= (1 << (shift - 1)) + (1 << 31)
    if shift == 32:
        assert ours == (x * factor + 2**31) >> 32


@given(st.integers(-(2**61), 2**61), st.integers(1, 61))
def test_round_shift_rounds_halves_up(x: int, shift: int) -> None:
    assert int(round_shift(x, shift)) == (x + (1 << (shift - 1))) >> shift


@given(st.integers(0, 2**63 - 1))
def test_bit_length(x: int) -> None:
    assert int(bit_length(x)) == x.bit_length()


@given(st.one_of(st.integers(0, 2**62 - 1), st.integers(0, 2**31 - 1).map(lambda r: r * r)))
def test_square_root(x: int) -> None:
    assert int(square_root(x)) == math.isqrt(x)
    assert int(square_root(max(x - 1, 0))) == math.isqrt(max(x - 1, 0))


@given(st.integers(1, 2**62 - 1), st.integers(1, 1024))
def test_inverse_deviation_is_exact_to_one_part_in_2_to_the_24(squares: int, count: int) -> None:
    assert 2**60 <= squares << int(even_headroom(squares)) < 2**62
    mantissa, half = inverse_deviation(squares, count)
    assert 2**25 <= int(mantissa) <= 2**31
    exact = 1 / math.sqrt(squares / count)
    assert math.ldexp(int(mantissa), int(half) - 56) == pytest.approx(exact, rel=2.0**-24)


@given(st.floats(1e-9, 1e9))
def test_a_scale_is_exact_to_one_part_in_2_to_the_31(factor: float) -> None:
    scale = scale_of(factor)
    assert 2**30 <= scale.mantissa < 2**31
    assert scale.value == pytest.approx(factor, rel=2.0**-31)


def test_a_factor_without_integer_form_is_refused() -> None:
    for factor in (0.0, -1.0, float("nan"), float("inf")):
        with pytest.raises(ExportError, match="has no integer form; it must be finite, above 0"):
            scale_of(factor)


def test_shifts_of_arrays_broadcast() -> None:
    x = np.array([[5], [-5]])
    np.testing.assert_array_equal(round_shift(x, np.array([1, 2])), [[3, 1], [-2, -1]])
