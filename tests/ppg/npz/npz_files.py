"""Small .npz recordings for tests, well-formed unless told otherwise."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ppg.recording import Recording
from ppgnas.errors import DataError


def arrays(**changes: Any) -> dict[str, Any]:
    """A well-formed file of 20 s: 4 windows; `None` takes an array out."""
    noise = np.random.default_rng(7)
    arrays: dict[str, Any] = {
        "ppg": noise.integers(0, 4096, (1000, 2)).astype(np.uint16),
        "ppg_scale": np.float32(0.5),
        "ppg_fs": np.float32(50),
        "ppg_unit": np.array("ADC counts"),
        "acc": noise.integers(-4000, 4000, (640, 3)).astype(np.int16),
        "acc_scale": np.float32(0.001),
        "acc_fs": np.float32(32),
        "acc_unit": np.array("g"),
        "hr_bpm": np.array([60.0, 61.5, 63.0, 64.0], dtype=np.float32),
        "hr_window_s": np.float32(8),
        "hr_stride_s": np.float32(2),
        "hr_start_s": np.array([0, 2, 4, 6], dtype=np.float32),
        "hr_lag_s": np.float32(-1.5),
        "hr_valid": np.array([True, True, False, True]),
        "activity": np.array([0, 0, 1, -1], dtype=np.int8),
        "activity_names": np.array(["rest", "walk"]),
        "subject": np.array("S1"),
        "recording": np.array("R1"),
        "dataset": np.array("lab"),
    }
    arrays.update(changes)
    return {key: value for key, value in arrays.items() if value is not None}


def save(path: Path, **changes: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(path, **arrays(**changes))
    return path


def message(call: Callable[[], object]) -> str:
    with pytest.raises(DataError) as caught:
        call()
    return str(caught.value)


def equal(left: Recording, right: Recording) -> bool:
    for name in (field.name for field in fields(Recording)):
        a, b = getattr(left, name), getattr(right, name)
        if isinstance(a, np.ndarray):
            if not (isinstance(b, np.ndarray) and a.dtype == b.dtype and np.array_equal(a, b)):
                return False
        elif a != b:
            return False
    return True
