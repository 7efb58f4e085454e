import pytest

from hwmodels.estimate import Estimate, total


def test_sum_and_product_keep_bounds_together() -> None:
    """Errors of one board go together: bounds add and multiply end to end."""
    a, b = Estimate(10, 8, 13), Estimate(2, 1, 4)
    assert a + b == Estimate(12, 9, 17)
    assert a.times(b) == Estimate(20, 8, 52)
    assert a.times(0.5) == Estimate(5, 4, 6.5)
    assert total([a, b, b]) == Estimate(14, 10, 21)
    assert total([]) == Estimate.exact(0)
    assert a.to_json() == {"value": 10, "low": 8, "high": 13}


@pytest.mark.parametrize(
    ("numbers", "message"),
    [
        ((1, 2, 3), "estimate: 1 does not lie between low 2 and high 3"),
        ((4, 2, 3), "estimate: 4 does not lie between low 2 and high 3"),
        ((1, 0, float("inf")), "estimate: the bounds 0 and inf must be finite"),
        ((float("nan"), 0, 1), "estimate: nan does not lie between low 0 and high 1"),
    ],
)
def test_disordered_bounds_are_refused(numbers: tuple[float, float, float], message: str) -> None:
    with pytest.raises(ValueError, match="estimate") as caught:
        Estimate(*numbers)
    assert str(caught.value) == message
