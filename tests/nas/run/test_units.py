from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nas.run.units import format_bytes, format_duration, parse_bytes, parse_ms, parse_mw
from ppgnas.errors import BudgetError


@pytest.mark.parametrize(
    ("text", "size_bytes"),
    [
        ("80KB", 81920),
        ("80 KiB", 81920),
        ("80kb", 81920),
        ("1.5KB", 1536),
        ("2MB", 2 * 1024 * 1024),
        ("12000B", 12000),
        ("1e2KB", 102400),
    ],
)
def test_bytes(text: str, size_bytes: int) -> None:
    assert parse_bytes(text, name="budget") == size_bytes


def test_times_and_powers() -> None:
    assert parse_ms("50ms", name="latency") == 50
    assert parse_ms("0.05s", name="latency") == pytest.approx(50)
    assert parse_ms("500us", name="latency") == pytest.approx(0.5)
    assert parse_mw("5mW", name="power") == 5
    assert parse_mw("900uW", name="power") == pytest.approx(0.9)


def test_without_a_unit() -> None:
    with pytest.raises(BudgetError) as caught:
        parse_bytes("80", name="budget")
    assert str(caught.value) == (
        "`budget` '80' has no unit; allowed units: KB, KiB, MB, MiB, B. "
        "Write for example `budget` 80KB"
    )
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("text", ["5MW", "5mw", "5Mw"])
def test_megawatts_are_not_milliwatts(text: str) -> None:
    with pytest.raises(BudgetError, match=r"has the unit '.*'; allowed units: mW, uW, W"):
        parse_mw(text, name="power")


@pytest.mark.parametrize("text", ["", "KB", "many", "80KB 5", "0x5KB", "1_000KB", "nanKB"])
def test_not_a_quantity(text: str) -> None:
    with pytest.raises(BudgetError, match="is not a size in bytes"):
        parse_bytes(text, name="budget")


@pytest.mark.parametrize("text", ["0KB", "-3KB", "1e999KB"])
def test_must_be_positive_and_finite(text: str) -> None:
    with pytest.raises(BudgetError, match="must be above zero and finite"):
        parse_bytes(text, name="budget")


@given(st.integers(1, 10**6), st.sampled_from(["KB", "KiB", "kib"]))
def test_kb_is_1024_bytes(number: int, unit: str) -> None:
    assert parse_bytes(f"{number}{unit}", name="budget") == number * 1024
    assert parse_bytes(format_bytes(number * 1024), name="budget") == number * 1024


def test_durations_read_well() -> None:
    assert format_duration(9.6) == "10 s"
    assert format_duration(75) == "1 min 15 s"
    assert format_duration(3 * 3600 + 61) == "3 h 01 min"
    assert format_bytes(500) == "500 B"
    assert format_bytes(1536) == "1.5 KB"
