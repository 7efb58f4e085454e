"""A folder that a firmware engineer can build: model.c, model.h, an example, README.md.

The example runs one window on the host, on an emulated board, or in a project of one's own, and
says whether the logits are those of the integer reference.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from deploy.c.build import model_texts
from deploy.c.reading import SensorChain, reading_texts
from deploy.c.source import Source, generate
from deploy.device.c_text import plain_name, resolve
from deploy.integers import reference
from deploy.integers.quantized import QuantizedNet
from ppgnas.tables import markdown_table

_EXAMPLE = Path(__file__).parent / "example"
EXAMPLE_FILES = ("main.c", "startup.c", "an500.ld", "Makefile")


@dataclass(frozen=True)
class Project:
    """Files of an exported network.

    Attributes:
        texts: by file name.
        source: what the generator says of them.
    """

    texts: Mapping[str, str]
    source: Source


def project(
    net: QuantizedNet,
    window: NDArray[np.int8],
    *,
    title: str,
    reading: SensorChain | None = None,
    max_scratch_bytes: int | None = None,
) -> Project:
    """All files.

    Args:
        net: the network.
        window: int8 `(1, time, channels)` for the example; no recording of a person.
        title: what the README calls the network.
        reading: front end and decoder around it; the network alone without.
        max_scratch_bytes: what the device has for the scratch buffer.

    Raises:
        ExportError: a layer that the C cannot compute, or a scratch buffer that is too long.
    """
    made = generate(net, max_scratch_bytes=max_scratch_bytes)
    model, header = model_texts(net, made, reading)
    texts = {name: (_EXAMPLE / name).read_text(encoding="utf-8") for name in EXAMPLE_FILES}
    texts["model.c"], texts["model.h"] = model, header
    texts["window.h"] = _window_text(net, window)
    texts["README.md"] = _readme(net, made, title, reading)
    return Project(texts, made)


def _window_text(net: QuantizedNet, window: NDArray[np.int8]) -> str:
    expected = reference.run(net, window[None], rule="c")[0]
    return (
        "/* A synthetic window, normalised and quantised, and its logits by the integer "
        "reference. */\n"
        "#ifndef PPG_WINDOW_H\n#define PPG_WINDOW_H\n\n#include <stdint.h>\n\n"
        f"{_array('ppg_example', window)}\n{_array('ppg_expected', expected)}\n#endif\n"
    )


def _array(name: str, values: NDArray[np.int8]) -> str:
    flat = [str(value) for value in values.ravel()]
    rows = [", ".join(flat[start : start + 20]) for start in range(0, len(flat), 20)]
    body = ",\n    ".join(rows)
    return f"static const int8_t {name}[{len(flat)}] = {{\n    {body},\n}};\n"


def _table_bytes(made: Source) -> dict[str, int]:
    """Bytes of constants by what they are for; equal tables are stored once."""
    sizes = {"uint32_t": 4, "int32_t": 4, "int8_t": 1}
    found = {"weights": 0, "biases and rescaling": 0}
    for table in made.tables:
        part = "biases and rescaling" if table.ctype == "int32_t" else "weights"
        found[part] += sizes[table.ctype] * len(table.values)
    return found


def _readme(net: QuantizedNet, made: Source, title: str, reading: SensorChain | None) -> str:
    graph, plan = net.graph, made.program
    scale, point = net.activations[graph.input]
    out_scale, out_point = net.activations[graph.output]
    source = graph.shape(graph.input)
    lines = [
        f"# {' '.join(map(plain_name, title.split()))}",
        "",
        f"`int ppg_infer(const int8_t *input, int8_t *logits, void *memory)` in model.c computes "
        f"the network: {graph.total_macs} multiply-accumulates a window. No heap, no library, no "
        "state: it may be called from several tasks, each with its own memory.",
        "",
        "## Call",
        "",
        '    #include "model.h"',
        "    static uint64_t memory[(PPG_SCRATCH_BYTES + 7) / 8];   /* aligned to 8 */",
        "    int8_t logits[PPG_CLASSES];",
        "    int status = ppg_infer(window, logits, memory);        /* PPG_OK, or an error */",
        "",
        f"* Input: int8 `[{source[2]}][{source[3]}]` (time, channels); "
        f"stored = round(value / {scale:.9g}) {point:+d}, clamped to -128 .. 127.",
        f"* Output: {prod(graph.shape(graph.output))} logits; value = (stored {-out_point:+d}) * "
        f"{out_scale:.9g}.",
        "* The memory's contents mean nothing before and after a call. An input that is written "
        "at `PPG_INPUT_OFFSET` of it is not copied.",
        "",
        *([] if reading is None else _reading_lines(net, made, reading)),
        "## Build",
        "",
        "`make host` builds and runs the example here, `make arm` for an emulated Cortex-M7 "
        '(`ARM_CC=arm-none-eabi-gcc` or `ARM_CC="zig cc"`), `make qemu` runs that. Each must '
        "print PASS.",
        "",
        "In a project of your own add model.c and model.h. Flags: `-std=c99 -O2 "
        "-fomit-frame-pointer -DPPG_NO_FRAME_POINTER` and those of the core, for an STM32H7 "
        "`-mcpu=cortex-m7 -mthumb -mfloat-abi=hard -mfpu=fpv5-d16`, for an nRF5340 "
        "`-mcpu=cortex-m33 -mthumb`. `-DPPG_NO_FRAME_POINTER` tells clang that it keeps "
        "no frame pointer and has one register more; without optimisation leave it out. "
        "`-DPPG_NO_ASSEMBLY` and `-DPPG_PORTABLE` give the same results without inline "
        "assembly and on any core. On an STM32H7 let model.c's constants lie in flash "
        "behind the caches and the memory in DTCM.",
        "",
        "## Flash",
        "",
        markdown_table(("part", "bytes"), list(_table_bytes(made).items())),
        "",
        "Code comes on top; `ppgnas verify` links it and says how much.",
        "",
        f"## Memory: {plan.bytes} bytes",
        "",
        "Byte ranges of the scratch buffer during each step; padding and alignment included.",
        "",
    ]
    steps = []
    written_last = made.writes_logits
    for index, step in enumerate(plan.steps):
        names = ", ".join(plain_name(layer.name) for layer in step.layers)
        reads = [_range(made, step.source)]
        if step.shortcut is not None and step.shortcut != step.source:
            reads.append(_range(made, step.shortcut))
        direct = written_last and step.target == plan.output
        target = "logits" if direct else _range(made, step.target)
        room = plan.scratch_offsets[index]
        own = f"{room}-{room + step.scratch_bytes - 1}" if step.scratch_bytes else "-"
        steps.append((index + 1, names, ", ".join(reads), target, own))
    lines.append(markdown_table(("step", "layers", "reads", "writes", "own room"), steps))
    return "\n".join(lines) + "\n"


def _reading_lines(net: QuantizedNet, made: Source, reading: SensorChain) -> list[str]:
    """How to go from raw samples to a heart rate."""
    around = reading_texts(net, made, "", reading)
    front = reading.front_end
    sensors = f"PPG of {front.ppg_channels} channel(s) at {front.ppg_hz} Hz"
    if front.acceleration:
        sensors += f", acceleration at {front.acc_hz} Hz with {front.counts_per_g} counts to 1 g"
    calls = resolve(
        (_EXAMPLE / "sensors.c").read_text(encoding="utf-8"), {"SENSORS_ACC": front.acceleration}
    )
    return [
        "## From raw samples to a heart rate",
        "",
        f"The front end was made for {sensors}; other rates need another export (`--ppg-hz`, "
        "`--acc-hz`, `--ppg-channels`, `--counts-per-g`). Everything is in integers. "
        f"Smoothing: {reading.decoder.smoothing}. These are the calls, a file that compiles; "
        "smoothed.bpm_q8 / 256.0 is the heart rate, smoothed.error_q8 / 256.0 its expected error:",
        "",
        *(f"    {line}".rstrip() for line in calls.splitlines()),
        "",
        f"State: {around.state_bytes[0]} bytes of the front end, {around.state_bytes[1]} of the "
        f"smoother; memory: {around.memory_bytes} bytes, nothing between calls. Tables: "
        f"{around.table_bytes} bytes of flash.",
        "",
    ]


def _range(made: Source, tensor: str) -> str:
    plan = made.program
    start = plan.offsets[tensor]
    return f"{start}-{start + plan.storages[tensor].bytes - 1}"
