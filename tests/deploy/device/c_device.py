"""Front end and decoder in C behind ctypes, and made-up logits."""

from __future__ import annotations

from collections.abc import Sequence
from ctypes import CDLL, Structure, byref, c_uint16, c_void_p, create_string_buffer, memset
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deploy.device.c_text import CPart, helpers_c
from deploy.device.front_end_c import state_structure
from deploy.device.settings import FrontEnd
from ppgnas.task import CLASSES

DUE, OK, OUT_OF_STEP, NO_WINDOW, NOT_RESET, BUSY = 1, 0, -3, -4, -5, -6


class ReadingC(Structure):
    """`ppg_reading_t`."""

    _fields_ = [
        (name, c_uint16)
        for name in ("bpm_q8", "spread_q8", "confidence_q15", "error_q8", "invalid_steps")
    ]


@dataclass
class FrontEndC:
    """A front end in C with a state of its own."""

    settings: FrontEnd
    library: CDLL
    part: CPart

    def __post_init__(self) -> None:
        # Whatever stood in the memory before must not matter.
        self.state = state_structure(self.settings)()
        memset(byref(self.state), 0xA5, self.part.state_bytes)
        self.reset()

    def reset(self) -> None:
        """`ppg_reset`."""
        self.library.ppg_reset(byref(self.state))

    def push_ppg(self, sample: NDArray[np.int32] | None) -> int:
        """`ppg_push_ppg`; None: an invalid sample."""
        where = None if sample is None else address(sample)
        return int(self.library.ppg_push_ppg(byref(self.state), where))

    def push_acc(self, sample: NDArray[np.int16]) -> int:
        """`ppg_push_acc`."""
        assert sample.dtype == np.int16
        return int(self.library.ppg_push_acc(byref(self.state), address(sample)))

    def window(self) -> tuple[int, NDArray[np.int16]]:
        """`ppg_window`: result and words of the window."""
        window = np.full(self.settings.window_words, 77, np.int16)
        return int(self.library.ppg_window(byref(self.state), address(window))), window

    def quantise(self, window: NDArray[np.int16]) -> NDArray[np.int8]:
        """`ppg_quantise`."""
        window = np.ascontiguousarray(window)
        assert window.shape == (self.settings.window_words,)
        out = np.full((self.settings.steps, 4 if self.settings.acceleration else 1), 77, np.int8)
        self.library.ppg_quantise(address(window), address(out))
        return out

    def windows(
        self, ppg: NDArray[np.int32], acc: NDArray[np.int16] | None
    ) -> list[NDArray[np.int16]]:
        """Words of every due window of whole signals, samples pushed in order of time."""
        ppg = np.ascontiguousarray(ppg, np.int32)
        found = []
        pushed = 0
        for index, sample in enumerate(ppg):
            result = self.push_ppg(sample)
            if self.settings.acc_hz is not None and acc is not None:
                # Acceleration up to the time of this PPG sample.
                while pushed < len(acc) and pushed * self.settings.ppg_hz <= (
                    index * self.settings.acc_hz
                ):
                    result = max(result, self.push_acc(acc[pushed]))
                    pushed += 1
            if result == DUE:
                done, window = self.window()
                assert done == OK
                found.append(window)
        return found


@dataclass
class DecoderC:
    """A decoder in C with a state of its own."""

    library: CDLL
    part: CPart

    def __post_init__(self) -> None:
        self.fill(b"\xa5")
        self._scratch = create_string_buffer(self.part.scratch_bytes)
        self.reset()

    def fill(self, byte: bytes) -> None:
        """The state's memory holds one byte over and over."""
        size = self.part.state_bytes
        self._state = create_string_buffer(byte * size, size)

    def reset(self) -> None:
        """`ppg_smoother_reset`."""
        self.library.ppg_smoother_reset(self._state)

    def decode(self, logits: NDArray[np.int8]) -> tuple[int, ...]:
        """`ppg_decode`."""
        reading = ReadingC()
        row = np.ascontiguousarray(logits, np.int8)
        self.library.ppg_decode(address(row), self._scratch, byref(reading))
        return _values(reading)

    def smooth(
        self, logits: NDArray[np.int8], strides: int, *, valid: bool = True
    ) -> tuple[int, ...]:
        """`ppg_decode`, then `ppg_smooth`; of a window with invalid samples unless `valid`."""
        raw, reading = ReadingC(), ReadingC()
        row = np.ascontiguousarray(logits, np.int8)
        self.library.ppg_decode(address(row), self._scratch, byref(raw))
        raw.invalid_steps = 0 if valid else 3
        self.library.ppg_smooth(self._state, byref(raw), strides, self._scratch, byref(reading))
        assert reading.invalid_steps == raw.invalid_steps
        return _values(reading)


def address(array: NDArray[Any]) -> c_void_p:
    """Of the first element."""
    assert array.flags.c_contiguous
    return array.ctypes.data_as(c_void_p)


def _values(reading: ReadingC) -> tuple[int, ...]:
    return (reading.bpm_q8, reading.spread_q8, reading.confidence_q15, reading.error_q8)


def random_logits(count: int, *, seed: int, peak: float = 60.0) -> NDArray[np.int8]:
    """Logits of a network that follows a wandering rate and is sometimes wrong or blank."""
    rng = np.random.default_rng(seed)
    rate = np.clip(80 + np.cumsum(rng.normal(size=count) * 3), 0, CLASSES - 1)
    wrong = rng.random(count) < 0.1
    rate = np.where(wrong, rng.uniform(0, CLASSES, count), rate)
    width = rng.uniform(2, 20, count)[:, None]
    bump = np.exp(-0.5 * ((np.arange(CLASSES) - rate[:, None]) / width) ** 2)
    logits = peak * bump + rng.normal(size=(count, CLASSES)) * rng.uniform(1, 12, (count, 1))
    logits[rng.random(count) < 0.03] = -7
    return np.clip(np.rint(logits), -128, 127).astype(np.int8)


def standalone(parts: Sequence[CPart], *, header_name: str) -> tuple[str, str]:
    """`(source, header)` of parts alone, without a network."""
    guard = "".join(c if c.isalnum() else "_" for c in header_name.upper())
    head = "\n".join(part.header for part in parts)
    header = f"#ifndef {guard}\n#define {guard}\n\n#include <stdint.h>\n\n{head}\n#endif\n"
    body = "\n".join([helpers_c(parts), *(part.functions for part in parts)])
    return f'#include "{header_name}"\n\n{body}', header
