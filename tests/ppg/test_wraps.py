"""Converters that run over, and signals that only look so."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from ppg.inspection.channels import sample_faults
from ppg.plausible import unwrapped
from tests.ppg.loaders.own.tables import made_table, read_own, write

HZ = 50.0
TIME_S = np.arange(0, 120, 1 / HZ)
PULSE = np.sin(2 * np.pi * 1.2 * TIME_S) + 0.4 * np.sin(2 * np.pi * 2.4 * TIME_S)
DRIFT = np.cumsum(np.random.default_rng(0).standard_normal(len(TIME_S))) / len(TIME_S) ** 0.5


@pytest.mark.parametrize("bits", [8, 12, 16, 18, 24])
@pytest.mark.parametrize("amplitude", [0.003, 0.02, 0.2])
@pytest.mark.parametrize("zero", [0.0, 0.5])
def test_a_converter_that_runs_over(bits: int, amplitude: float, zero: float) -> None:
    """Unsigned, and signed."""
    size = 2**bits
    true = np.rint(size * (amplitude * PULSE + 0.4 * DRIFT + 0.95))
    seen = (true + zero * size) % size - zero * size
    found, range_of, times = unwrapped(seen)
    assert np.ptp(found - true) == 0 and range_of == size and times > 0


def test_signed_samples_taken_for_unsigned_ones() -> None:
    true = np.rint(300 * PULSE)
    found, range_of, _ = unwrapped(true % 2**16)
    assert np.ptp(found - true) == 0 and range_of == 2**16


def _every(values: NDArray[np.float64], value: float) -> NDArray[np.float64]:
    values = values.copy()
    values[::300] = value
    return values


LIKE = {
    "drops to 0": _every(np.rint(20000 + 300 * PULSE), 0),
    "spikes": _every(np.rint(20000 + 300 * PULSE), 65535),
    "spikes over a low level": _every(np.rint(50 + 30 * PULSE), 65535),
    "rails": np.where(TIME_S % 30 < 10, 65535.0, np.where(TIME_S % 30 < 20, 0.0, 30000.0)),
    "clipped at both ends": np.rint(np.clip(32768 + 9e4 * PULSE, 0, 65535)),
    "two currents of the LED": np.rint(20 * PULSE + np.where(TIME_S % 30 < 15, 100, 65000)),
    "noise": np.random.default_rng(1).integers(0, 2**16, len(TIME_S)).astype(np.float64),
    "no counts": 0.3 + np.rint(300 * PULSE + 65400) % 2**16,
    "constant": np.zeros(len(TIME_S)),
}


@pytest.mark.parametrize("name", LIKE)
def test_what_only_looks_so_stays(name: str) -> None:
    found, range_of, times = unwrapped(LIKE[name])
    assert found is LIKE[name] and (range_of, times) == (0, 0)


def test_inspection_names_it_and_no_spikes() -> None:
    seen = (np.rint(300 * PULSE + 65400) % 2**16).astype(np.float32)
    ((kind, message),) = sample_faults(seen, HZ)
    assert kind == "runs over" and message.startswith("runs over at 65536 288 times")
    assert "numpy.unwrap(ppg, axis=0, period=65536)" in message
    mended = np.unwrap(seen[:, None], axis=0, period=65536)[:, 0].astype(np.float32)
    assert list(sample_faults(mended, HZ)) == []


def test_a_table_is_counted_on(tmp_path: Path) -> None:
    plain = made_table()
    plain["green"] = np.rint(65536 + 20 * (plain["green"] - 500))
    said: list[str] = []
    over = read_own(
        write(tmp_path / "a.csv", plain | {"green": plain["green"] % 65536}), say=said.append
    )
    true = read_own(write(tmp_path / "b.csv", plain))
    assert np.ptp(over.ppg - true.ppg) == 0
    assert any(one.startswith("a.csv: green runs over at 65536 ") for one in said)
