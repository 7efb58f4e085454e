"""Test vectors of the whole path: raw samples, windows, logits, readings over two minutes.

The samples come from a generator in integers that `example/path.c` has too; what they must become
is computed in numpy: by the rule of the front end, the integer reference and the decoder. So a
project can prove its build, on its chip, from sensors to heart rate. The signal is made up.
"""

from __future__ import annotations

from pathlib import Path
from string import Template

import numpy as np
from numpy.typing import NDArray

from deploy.c.reading import SensorChain
from deploy.device.blocks import quantised
from deploy.device.c_text import fnv
from deploy.device.decoding import Reading
from deploy.device.normalising import normaliser
from deploy.device.rule import normalise, stream_windows
from deploy.device.settings import FrontEnd
from deploy.integers import reference, streaming
from deploy.integers.quantized import QuantizedNet

SECONDS = 120
_FIRST_HZ, _LAST_HZ = 1.0, 2.5
_TEMPLATE = Path(__file__).parent / "example" / "path.h"
_MASK = 0xFFFFFFFF


def path_header(net: QuantizedNet, around: SensorChain) -> str:
    """`example/path.h`: constants of the generator, and hashes and readings of every window."""
    front = around.front_end
    start, rise = _phase(front)
    ppg, acc = samples(front)
    windows = stream_windows(front, ppg, acc)
    scale, zero_point = net.activations[net.graph.input]
    by = normaliser(front, scale=scale, zero_point=zero_point)
    words = windows.words()
    rows = []
    if front.mode == "window":
        x = normalise(windows, by, ppg_channels=front.ppg_channels)
        logits = reference.run(net, x[:, None], rule="c").reshape(len(x), -1)
    else:
        x = quantised(windows, by, ppg_channels=front.ppg_channels)
        logits = streaming.long_pass(net, x.reshape(-1, x.shape[2]))
        none = "{0, 0, 0, 0}"
        before = front.task.blocks - 1
        for block in words[:before]:
            rows.append(f"    {{0x{fnv(block):08x}u, 0, {none}, {none}}},")
        words = words[before:]
    strides = np.r_[0, np.ones(len(logits) - 1, np.int64)]
    readings = around.decoder.read(logits, strides)
    for index in range(len(logits)):
        hashes = [f"0x{fnv(data[index]):08x}u" for data in (words, logits)]
        fields = ["{" + ", ".join(_fields(reading, index)) + "}" for reading in readings]
        rows.append(f"    {{{', '.join([*hashes, *fields])}}},")
    acc_hz = front.acc_hz or front.ppg_hz
    ratio = front.ppg_hz / acc_hz
    return Template(_TEMPLATE.read_text(encoding="utf-8")).substitute(
        samples=len(ppg),
        start=start,
        rise=rise,
        ppg_hz=ratio.numerator,
        acc_hz=ratio.denominator,
        counts=front.counts_per_g,
        count=len(rows),
        rows="\n".join(rows),
    )


def _fields(reading: Reading, index: int) -> tuple[str, ...]:
    values = (reading.bpm_q8, reading.spread_q8, reading.confidence_q15, reading.error_q8)
    return tuple(str(value[index]) for value in values)


def _phase(front: FrontEnd) -> tuple[int, int]:
    """Phase of the pulse that a sample adds, in 2^-32 beats, and by how much that grows."""
    hz = float(front.ppg_hz)
    start = int(_FIRST_HZ / hz * 2**32)
    return start, int((_LAST_HZ - _FIRST_HZ) / hz * 2**32 / (SECONDS * hz))


def samples(front: FrontEnd) -> tuple[NDArray[np.int32], NDArray[np.int16] | None]:
    """Raw samples `(samples, channels)`, and of the acceleration `(samples, 3)`."""
    step, rise = _phase(front)
    seed, phase, counts = 1, 0, front.counts_per_g
    ppg: list[list[int]] = []
    acc: list[list[int]] = []

    def draw() -> int:
        nonlocal seed
        seed = (seed * 1664525 + 1013904223) & _MASK
        return seed >> 20

    acc_hz = front.acc_hz
    for index in range(int(SECONDS * front.ppg_hz)):
        up = phase >> 16
        pulse = (up if up < 32768 else 65535 - up) // 4
        ppg.append([90_000 + pulse + draw() // 16 for _ in range(front.ppg_channels)])
        phase, step = (phase + step) & _MASK, (step + rise) & _MASK
        while acc_hz is not None and len(acc) * front.ppg_hz <= index * acc_hz:
            axes = [draw() * counts // 16384 for _ in range(3)]
            acc.append([axes[0], axes[1], axes[2] + counts // 2])
    return np.array(ppg, np.int32), None if acc_hz is None else np.array(acc, np.int16)
