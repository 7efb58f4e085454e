"""What an exported project has to adapt its head: the C, and an example that proves it."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from deploy.device.c_text import fnv
from deploy.integers.quantized import QuantizedNet
from deploy.personal.fit import fitted
from deploy.personal.head import Head, head_of
from deploy.personal.kinds import KINDS, Kind
from deploy.personal.memory import windows_in
from deploy.personal.source import adapt_texts
from ppgnas.errors import OptionError
from ppgnas.parsing import one_of, refuse_idle
from ppgnas.task import TASK, Task

_EXAMPLE = Path(__file__).parent / "text" / "example.c"
EXAMPLE_WINDOWS = 40
MOST_WINDOWS = 1800
MINUTES = 5.0  # of the longest calibration, unless said
_MASK = 0xFFFFFFFF


@dataclass(frozen=True)
class Adapting:
    """What the head of an export can learn: a kind, from so many windows at most."""

    kind: Kind
    windows: int


def adapting_of(kind: str, *, minutes: float, task: Task = TASK) -> Adapting:
    """From a kind and the longest calibration, of windows of a task.

    Raises:
        OptionError: an unknown kind, or fewer minutes than windows are needed.
    """
    known = one_of("adapt", kind, KINDS, OptionError)
    windows = windows_in(minutes, task) if isfinite(minutes) else 0
    if not EXAMPLE_WINDOWS <= windows <= MOST_WINDOWS:
        raise OptionError(
            f"`adapt_minutes` is {minutes:g}, which holds {windows} windows; allowed: "
            f"{EXAMPLE_WINDOWS} to {MOST_WINDOWS} windows"
        )
    return Adapting(known, windows)


def adapting_asked(kind: str | None, minutes: float | None, task: Task = TASK) -> Adapting | None:
    """`adapting_of` what was given, `MINUTES` unless said; None where no kind is.

    Raises:
        OptionError: as there, or minutes without a kind.
    """
    if kind is None:
        refuse_idle("`adapt` is not given", adapt_minutes=minutes)
        return None
    return adapting_of(kind, minutes=MINUTES if minutes is None else minutes, task=task)


def adapting_texts(net: QuantizedNet, how: Adapting) -> dict[str, str]:
    """`ppg_adapt.c`, `ppg_adapt.h` and the example, by path.

    Raises:
        ExportError: the head cannot be adapted, or that takes too much memory.
    """
    head = head_of(net)
    texts = adapt_texts(head, how.kind, windows=how.windows)
    texts["example/adapt.c"] = _EXAMPLE.read_text(encoding="utf-8")
    kept, hash_of = _expected(head, how.kind)
    texts["example/adapt.h"] = (
        "/* What must become of the made-up wearer. */\n"
        f"#define ADAPT_EXAMPLE_WINDOWS {EXAMPLE_WINDOWS}\n"
        f"#define ADAPT_EXPECTED_RESULT {int(kept)}\n"
        f"#define ADAPT_EXPECTED_HASH 0x{hash_of:08x}u\n"
    )
    return texts


def wearer(head: Head, count: int) -> tuple[NDArray[np.int8], NDArray[np.int64]]:
    """Features `(windows, features)` and heart rates in 1/256 BPM, as `example/adapt.c` makes."""
    seed = 1
    bpm = [70 + index * 37 % 64 for index in range(count)]
    rows = []
    for rate in bpm:
        row = []
        for c in range(head.features):
            seed = (seed * 1664525 + 1013904223) & _MASK
            row.append((rate - 100) * (c % 3 - 1) + (seed >> 20) % 17 - 8)
        rows.append(row)
    return np.array(rows, np.int8), 256 * np.array(bpm, np.int64)


def _expected(head: Head, kind: Kind) -> tuple[bool, int]:
    features, labels = wearer(head, EXAMPLE_WINDOWS)
    own, biases, guard = fitted(head, kind, features, labels)
    if not guard.kept:
        own, biases = head.weights, head.biases
    return guard.kept, fnv(np.r_[np.frombuffer(own.astype(np.int8).tobytes(), np.int8),
                           np.frombuffer(biases.astype("<i4").tobytes(), np.int8)])  # fmt: skip
