"""`ppgnas bench deploy` on a small random network."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from deploy.fuzz.random_net import random_net
from hwmodels.path import path_law, shape_of
from nas.bench.deploy.page import markdown
from nas.bench.deploy.rows import (
    AROUND,
    EMULATED_WINDOWS,
    HOST_WINDOWS,
    Row,
    Streamed,
    Whole,
    finalist_rows,
    random_rows,
    streamed,
    whole,
)
from nas.run.folder import RunDir
from ppgnas.errors import RunError
from search_spaces.arch import Arch
from search_spaces.lower import lower
from search_spaces.published import published
from tests.nas.run.made import run_document

pytest.importorskip("unicorn", reason="pip install -e .[emulate]")
pytest.importorskip("ziglang", reason="pip install -e .[emulate]")


@pytest.fixture(scope="module")
def row() -> Row:
    (made,) = random_rows(1, space="tiny")
    return made


def test_the_c_is_the_reference_and_costs_what_was_said(row: Row) -> None:
    assert row.host_differences == row.emulated_differences == row.sram_error_bytes == 0
    assert row.name == "tiny 0" and row.xnnpack_bpm_share is None
    assert row.cycles_per_mac == row.cycles / row.macs
    # Both ratios are of one count of CMSIS-NN, 0.74 cycles an instruction.
    cpi = row.cmsis_cycles * row.cycles / (row.cmsis_instructions * row.instructions)
    assert cpi == pytest.approx(0.74)
    assert abs(row.cycles_error) < 0.15 and abs(row.flash_error) < 0.1


def test_a_streamed_reading_takes_a_fraction_of_a_windows(row: Row) -> None:
    by = row.streamed
    assert by is not None and by.differences == 0
    assert 3 * by.instructions < row.instructions and 3 * by.cycles < row.cycles
    assert 0 < by.memory_bytes < row.scratch_bytes
    assert row.fewer.startswith(f"{row.instructions / by.instructions:.2f}, ")
    never = replace(row, streamed=None)
    assert never.fewer == never.streamed_memory == "-"


@pytest.mark.parametrize(
    "arch",
    [
        replace(published("tiny"), stem_width=10),  # C that keeps a past wants fours
        replace(published("tiny"), rate_hz=25),  # no whole number of positions in a block
    ],
)
def test_who_cannot_stream_has_no_streamed_reading(arch: Arch) -> None:
    net = random_net(lower(arch), 0)
    assert streamed(net, np.zeros((1, *net.graph.shape(net.graph.input)[1:]), np.int8)) is None


def test_a_run_without_finalists_is_told(tmp_path: Path) -> None:
    """Before anything is built, and whatever the other networks are."""
    with pytest.raises(RunError, match="holds no run"):
        finalist_rows(RunDir(tmp_path / "none"), "synthetic")
    begun = RunDir(tmp_path)
    begun.write_document(run_document())
    with pytest.raises(
        RunError, match="has no finalist: the run is not complete; continue it with"
    ):
        finalist_rows(begun, "synthetic")


def test_a_whole_reading_is_the_network_and_what_stands_around_it() -> None:
    """The instructions are within what the law of the path says, the SRAM is to the byte."""
    net = random_net(lower(published("tiny")), 0)
    by = Streamed(0, 1000, 600, flash_bytes=100, memory_bytes=10)
    shape = shape_of(net.graph, AROUND, "streaming")
    assert shape is not None and (shape.ppg_hz, shape.acc_hz) == (64, 32)
    found, law = whole(net, by), path_law()
    assert found.instructions - 1000 == pytest.approx(law.instructions(shape), rel=0.05)
    assert found.sram_bytes == round(law.state_bytes(shape)) + 184 + 10


def test_the_page(row: Row) -> None:
    worse = replace(row, name="other", host_differences=3, xnnpack_bpm_share=0.5)
    made = replace(row, name="medium", macs=1000, cycles=1337)
    assert "| cycles per MAC, medium | 0.95 | 1.34 |" in markdown([made], "ppgnas bench deploy")
    assert "| CMSIS-NN against the reference | 0 | not run |" in markdown([row], "")
    beside = markdown([replace(made, cmsis_differences=0, cmsis_cycles=5.234)], "")
    assert "| CMSIS-NN cycles over ours, medium | 4.4 | 5.23 |" in beside
    assert "| CMSIS-NN against the reference | 0 | 0 |" in beside
    assert "CMSIS-NN is built by the same compiler" in beside and "not run" not in beside
    whole = replace(row, name="tiny", whole=Whole(209_445, 17_440, 4_346))
    seen = markdown([whole], "ppgnas bench deploy")
    assert "| raw samples to smoothed, tiny, streaming: SRAM B | 4.5 KB | 4,346 |" in seen
    page = markdown([row, worse], "ppgnas bench deploy")
    assert f"| 3 ({HOST_WINDOWS} windows and more a network on the host, " in page
    assert f"{EMULATED_WINDOWS} emulated) |" in page and "50.00% (worst finalist)" in page
    assert page.count("\n| tiny 0 |") == page.count("\n| other |") == 1
