"""Fixed-point arithmetic against values worked out by hand and exact rational arithmetic."""

from __future__ import annotations

from fractions import Fraction
from math import ceil, floor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.integers import fixed_point as fp

int32s = st.integers(-(2**31), fp.INT32_MAX)


def ints(*values: int) -> fp.Ints:
    return np.array(values, np.int64)


def half_up(x: Fraction) -> int:
    return floor(x + Fraction(1, 2))


def half_away(x: Fraction) -> int:
    return half_up(x) if x >= 0 else ceil(x - Fraction(1, 2))


def test_multiplier_by_hand() -> None:
    # 0.75 = 0.75 * 2^0; 0.25 = 0.5 * 2^-1; 3 = 0.75 * 2^2
    seen = fp.quantize_multiplier([0.75, 0.25, 3.0, 0.0])
    np.testing.assert_array_equal(seen.mantissa, [3 << 29, 1 << 30, 3 << 29, 0])
    np.testing.assert_array_equal(seen.shift, [0, -1, 2, 0])


def test_multiplier_carries_and_vanishes() -> None:
    # The largest double below 1 rounds up to 2^31, which becomes 2^30 with one more shift.
    seen = fp.quantize_multiplier([np.nextafter(1.0, 0.0), 2.0**-32, 2.0**-33])
    np.testing.assert_array_equal(seen.mantissa, [1 << 30, 1 << 30, 0])
    np.testing.assert_array_equal(seen.shift, [1, -31, 0])


def test_high_mul_by_hand() -> None:
    half = 1 << 30  # as a fixed-point number: 1/2
    np.testing.assert_array_equal(
        fp.high_mul(ints(10, 5, -5, -3, 3), ints(half)),
        # 5, 2.5, -2.5, -1.5, 1.5: ties go up
        [5, 3, -2, -1, 2],
    )
    assert fp.high_mul(ints(-(2**31)), ints(-(2**31)))[0] == fp.INT32_MAX


def test_divide_by_power_of_two_by_hand() -> None:
    np.testing.assert_array_equal(
        fp.divide_by_power_of_two(ints(5, 6, 7, -5, -6, -7, 9), ints(2)),
        # 1.25, 1.5, 1.75, -1.25, -1.5, -1.75, 2.25: ties go away from zero
        [1, 2, 2, -1, -2, -2, 2],
    )
    np.testing.assert_array_equal(fp.divide_by_power_of_two(ints(-7, 7), ints(0)), [-7, 7])


def test_double_rounding_differs_from_single() -> None:
    # x = 1, m = 0.46875 = 15/32 = 0.9375 * 2^-1.
    # First step: 0.9375 -> 1; second: 1 / 2 -> 1 (away from zero). In one step: 0.469 -> 0.
    by = fp.quantize_multiplier(15 / 32)
    assert int(fp.multiply(ints(1), by)[0]) == 1
    assert int(fp.multiply_once(ints(1), by)[0]) == 0


@given(a=int32s, b=int32s)
def test_high_mul_is_rounding_half_up(a: int, b: int) -> None:
    expected = min(half_up(Fraction(a * b, 2**31)), fp.INT32_MAX)
    assert int(fp.high_mul(ints(a), ints(b))[0]) == expected


@given(x=int32s, exponent=st.integers(0, 31))
def test_divide_is_rounding_half_away(x: int, exponent: int) -> None:
    seen = fp.divide_by_power_of_two(ints(x), ints(exponent))
    assert int(seen[0]) == half_away(Fraction(x, 2**exponent))


@given(x=st.integers(-(2**20), 2**20), real=st.floats(1e-7, 100.0))
def test_multiply_is_near_the_real_product(x: int, real: float) -> None:
    by = fp.quantize_multiplier(real)
    of_multiplier = abs(x * real) * 2**-31  # half a step of its 31 bits
    assert abs(int(fp.multiply(ints(x), by)[0]) - x * real) <= 1.0 + of_multiplier
    assert abs(int(fp.multiply_once(ints(x), by)[0]) - x * real) <= 0.5 + 1e-2 + of_multiplier


def test_add_by_hand() -> None:
    # Equal scales s and output scale 2 s: y = (a + b) / 2, ties away from zero.
    by = fp.add_multipliers(0.5, 0.5, 1.0)
    seen = fp.add(ints(10, 3, -3, 100), ints(4, 4, -4, -100), by)
    np.testing.assert_array_equal(seen, [7, 4, -4, 0])


def test_rounded_mean_by_hand() -> None:
    # 5/2, -5/2, 7/4, -7/4, 4/3: ties away from zero
    np.testing.assert_array_equal(
        fp.rounded_mean(ints(5, -5, 7, -7, 4), ints(2, 2, 4, 4, 3)), [3, -3, 2, -2, 1]
    )


def test_mean_multiplier_by_hand() -> None:
    # Equal scales: 1 = 0.5 * 2^1. Count 4: n = 2, mantissa 2^30 * 4 / 4, shift 1 - 2.
    by = fp.mean_multiplier(0.1, 0.1, 4)
    assert (int(by.mantissa), int(by.shift)) == (1 << 30, -1)
    # Count 3: n = 1, mantissa floor(2^31 / 3), shift 0: a third of 6, rounded.
    by = fp.mean_multiplier(0.1, 0.1, 3)
    assert (int(by.mantissa), int(by.shift)) == (715827882, 0)
    assert int(fp.multiply(ints(6), by)[0]) == 2


@pytest.mark.parametrize(
    ("activation", "expected"),
    [("none", (-128, 127)), ("relu", (-20, 127)), ("relu6", (-20, 40))],
)
def test_activation_range(activation: str, expected: tuple[int, int]) -> None:
    assert fp.activation_range(activation, 0.1, -20) == expected


@given(
    values=st.lists(st.integers(-(2**21) + 2**12, 2**21 - 2**12), min_size=1, max_size=8),
    bias=st.integers(-(2**12), 2**12),
    real=st.floats(1e-6, 0.999),
)
def test_float_route_equals_integer_route(values: list[int], bias: int, real: float) -> None:
    by = fp.quantize_multiplier([real])
    accumulators = np.array(values, np.float32)[:, None]
    biases = np.array([bias], np.int32)
    fast, slow = (
        fp.Requantizer(by, biases, low=-200, high=100, bound=np.array([bound]))
        for bound in (2.0**21, 2.0**30)
    )
    assert fast.exact_in_float64
    assert not slow.exact_in_float64
    np.testing.assert_array_equal(fast(accumulators), slow(accumulators))


def test_float_route_keeps_ties() -> None:
    # m = 2^-3 = 0.5 * 2^-2: halved with ties up, then quartered with ties away from zero.
    # 11 -> 5.5 -> 6 -> 1.5 -> 2, but -11 -> -5.5 -> -5 -> -1.25 -> -1.
    by = fp.quantize_multiplier([0.125])
    route = fp.Requantizer(by, np.zeros(1, np.int32), low=-128, high=127, bound=np.array([1000.0]))
    accumulators = np.array([4, 12, 20, -4, -12, -20, -11, 11], np.float32)[:, None]
    np.testing.assert_array_equal(route(accumulators)[:, 0], [1, 2, 3, -1, -2, -3, -1, 2])
