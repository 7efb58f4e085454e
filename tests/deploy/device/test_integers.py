"""Integer arithmetic against Python's own whole numbers."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.device.integers import (
    UNIT,
    bit_length,
    exp2,
    inverse_root,
    log2,
    multiply_round,
    scale_of,
    square_root,
)
from ppgnas.errors import ExportError

INT32 = st.integers(-(2**31), 2**31 - 1)


@given(INT32, INT32, st.integers(1, 32))
def test_multiply_round_rounds_halves_up(x: int, factor: int, bits: int) -> None:
    assert int(multiply_round(x, factor, bits)) == (x * factor + (1 << (bits - 1))) >> bits


@given(st.integers(0, 2**63 - 1))
def test_bit_length(x: int) -> None:
    assert int(bit_length(x)) == x.bit_length()


@given(st.one_of(st.integers(0, 2**32 - 1), st.integers(0, 2**16 - 1).map(lambda r: r * r)))
def test_square_root(x: int) -> None:
    assert int(square_root(x)) == math.isqrt(x)
    assert int(square_root(max(x - 1, 0))) == math.isqrt(max(x - 1, 0))


@given(st.integers(1, 2**62 - 1))
def test_log2_is_off_by_less_than_five_units(x: int) -> None:
    assert abs(int(log2(x)) - UNIT * math.log2(x)) < 5


def test_exp2_is_off_by_less_than_a_part_in_2_to_the_14() -> None:
    x = np.arange(0, 34 << 16, 61)
    np.testing.assert_allclose(exp2(x) / 2.0**31, 2.0 ** (-x / UNIT), rtol=2.0**-14, atol=2.0**-31)
    assert exp2(np.array([0, 16 << 16, 32 << 16, 2**40])).tolist() == [2**31, 2**15, 0, 0]


@given(st.integers(1, 2**62 - 1), st.floats(1e-3, 4096.0))
def test_an_inverse_root_is_off_by_less_than_a_part_in_2_to_the_14(x: int, factor: float) -> None:
    exact = factor / math.sqrt(x) * 2**32
    ours = int(inverse_root(x, scale_of(factor)))
    assert ours == pytest.approx(min(exact, 2**31 - 1), rel=2.0**-14, abs=1)


@given(st.floats(1e-9, 1e9))
def test_a_scale_is_exact_to_one_part_in_2_to_the_31(factor: float) -> None:
    scale = scale_of(factor)
    assert 2**30 <= scale.mantissa < 2**31
    assert scale.value == pytest.approx(factor, rel=2.0**-31)


def test_a_factor_without_integer_form_is_refused() -> None:
    for factor in (0.0, -1.0, float("nan"), float("inf")):
        with pytest.raises(ExportError, match="has no integer form; it must be finite, above 0"):
            scale_of(factor)
