"""`ppgnas bench deploy` on a small random network."""

from __future__ import annotations

from dataclasses import replace

import pytest

from nas.bench.deploy import EMULATED_WINDOWS, HOST_WINDOWS, Row, at_size, markdown, random_rows

pytest.importorskip("unicorn", reason="pip install -e .[emulate]")
pytest.importorskip("ziglang", reason="pip install -e .[emulate]")


@pytest.fixture(scope="module")
def row() -> Row:
    (made,) = random_rows(1, space="tiny")
    return made


def test_the_c_is_the_reference_and_costs_what_was_said(row: Row) -> None:
    assert row.host_differences == row.emulated_differences == row.sram_error_bytes == 0
    assert row.name == "tiny 0" and row.xnnpack_bpm_share is None
    assert row.per_mac == row.instructions / row.macs
    assert abs(row.cycles_error) < 0.15 and abs(row.flash_error) < 0.1


def test_the_page(row: Row) -> None:
    worse = replace(row, name="other", host_differences=3, xnnpack_bpm_share=0.5)
    page = markdown([row, worse], "ppgnas bench deploy")
    assert f"| 3 ({HOST_WINDOWS} windows and more a network on the host, " in page
    assert f"{EMULATED_WINDOWS} emulated) |" in page and "50.00% (worst finalist)" in page
    assert page.count("\n| tiny 0 |") == page.count("\n| other |") == 1


def test_instructions_follow_a_line(row: Row) -> None:
    """Counts of 1000 + 2 MAC."""
    rows = [replace(row, macs=m, instructions=1000 + 2 * m) for m in (10_000, 20_000, 50_000)]
    assert at_size(rows, 100_000) == pytest.approx(2.01)
