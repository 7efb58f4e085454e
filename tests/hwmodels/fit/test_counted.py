"""The fitted laws: their cross-validated error, and what they say of timed networks."""

import pytest

from hwmodels.engines.kernels import Geometry
from hwmodels.engines.load import load_engine
from hwmodels.fit.counted import (
    FIT_TOML,
    Law,
    counted_instructions,
    cycles_per_instruction,
    fit_all,
    read_counts,
)
from ppgnas.toml_file import read_toml


@pytest.fixture(scope="module")
def laws() -> dict[str, Law]:
    return fit_all()[0]


@pytest.mark.parametrize(
    ("kernel", "layers", "mean_percent"),
    [
        ("conv_1x1", 79, 1.0),
        ("conv", 123, 0.7),
        ("depthwise", 124, 0.6),
        ("depthwise_3x3", 156, 1.6),
        ("depthwise_general", 77, 0.7),
        ("depthwise_mult_4", 20, 0.3),
        ("fully_connected", 20, 3.5),
        ("add", 5, 0.1),
        ("avg_pool", 14, 0.1),
        ("max_pool", 4, 4.0),
        ("softmax", 3, 11.0),
    ],
)
def test_cross_validated_error(
    laws: dict[str, Law], kernel: str, layers: int, mean_percent: float
) -> None:
    """Leave one layer out, mean relative error of the instructions. Measured (percent):
    conv_1x1 0.92, conv 0.58, depthwise 0.54, 3 x 3 1.50, depthwise_general 0.59, several outputs a
    channel 0.28, fully_connected 3.16 (tiny
    single-output layers), add 0.01, avg_pool 0.00, max_pool 3.50, softmax 10.4 (three layers)."""
    law = laws[kernel]
    assert law.layers == layers
    assert 100 * law.mean_error < mean_percent
    assert law.mean_error <= law.max_error
    assert min(law.instructions) >= 0


def test_every_counted_kernel_has_a_law(laws: dict[str, Law]) -> None:
    assert set(laws) == set(read_counts())
    assert sum(law.layers for law in laws.values()) == 625


def test_committed_coefficients_are_those_of_the_data(laws: dict[str, Law]) -> None:
    """`python -m hwmodels.fit` would write what is committed (to five digits)."""
    committed = read_toml(FIT_TOML)["kernels"]
    assert set(committed) == set(laws)
    for kernel, law in laws.items():
        assert committed[kernel]["instructions"] == pytest.approx(law.instructions, rel=1e-3)
        assert committed[kernel]["mean_error"] == pytest.approx(law.mean_error, abs=1e-3)


def test_networks_need_the_instructions_that_were_counted(laws: dict[str, Law]) -> None:
    """Cycles per counted instruction of the 10 networks on a Cortex-M7: 0.92 to 1.11. A part that
    issues two instructions a cycle cannot fall below 0.5."""
    ratios = [ratio for _, _, ratio in cycles_per_instruction(laws, "Cortex-M7")]
    assert len(ratios) == 10
    assert 0.9 < min(ratios) <= max(ratios) < 1.15


def test_instructions_of_a_network_by_hand(laws: dict[str, Law]) -> None:
    """One add of 100 elements and one pad of 50: 80.254 * 100 + 78.7 instructions; two calls of
    600 cycles and 3 cycles for each padded element."""
    layers = (
        ("add", Geometry(1, 100, 1, 1, 100, 4, 4)),
        ("pad", Geometry(1, 50, 1, 1, 50, 4, 4)),
    )
    inside, outside = counted_instructions(laws, layers)
    assert inside == pytest.approx(80.254 * 100 + 78.7, rel=1e-3)
    assert outside == 2 * 600 + 3 * 50


def test_engine_reports_its_errors(laws: dict[str, Law]) -> None:
    errors = load_engine("tflm-cmsis-nn").errors
    assert errors["conv"] == pytest.approx(laws["conv"].mean_error, abs=1e-4)
    assert errors["networks Cortex-M7"] < 0.035
    assert errors["conv_column STM32F446"] < 0.01
