"""A folder that a firmware engineer can build: model.c, model.h, an example, README.md.

CMake, Zephyr, PlatformIO, the Arduino IDE and tools that read CMSIS packs find their files in it.

The example runs one window on the host, on an emulated board, or in a project of one's own, and
says whether the logits are those of the integer reference.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from string import Template
from textwrap import indent

import numpy as np
from numpy.typing import NDArray

from deploy.c.build import model_texts
from deploy.c.naming import PREFIX, Identity, prefixed
from deploy.c.reading import SensorChain, reading_texts
from deploy.c.source import Source, generate
from deploy.c.vectors import path_header
from deploy.device.c_text import in_times_of, plain_name, resolve
from deploy.device.settings import FIFO_S
from deploy.integers import reference
from deploy.integers.quantized import QuantizedNet
from deploy.personal.example import Adapting, adapting_texts
from deploy.personal.head import head_of
from hwmodels.signals import signals_of
from ppgnas.tables import markdown_table
from ppgnas.task import Mode

_EXAMPLE = Path(__file__).parent / "example"
_PACKAGING = Path(__file__).parent / "packaging"
EXAMPLE_FILES = ("main.c", "bench.c", "startup.c", "an500.ld", "Makefile")
PLAIN_FILES = ("CMakeLists.txt", "zephyr/CMakeLists.txt", "zephyr/Kconfig", "zephyr/module.yml")
FILLED_FILES = ("library.json", "library.properties", "ppgnas.ppg_model.pdsc")
STACK_BYTES = (
    ("`ppg_infer`", 256, 1652),
    ("`ppg_predict`", 320, 1708),
    ("`ppg_push_ppg`, `ppg_push_acc`", 268, 772),
    ("`ppg_window`", 136, 268),
)
"""Deepest stack at -O2 or -Os, and at -O0: samples of the four presets, PPG at 64 Hz, acceleration
at 32 Hz, smoothing hmm, in emulation, by arm-none-eabi-gcc 12.2.1 and zig 0.17."""
STREAM_STACK_BYTES = (("`ppg_step`", 264, 1660), ("`ppg_predict`", 328, 1724), *STACK_BYTES[2:])
"""The same in streaming."""


@dataclass(frozen=True)
class Project:
    """Files of an exported network."""

    texts: Mapping[str, str]
    source: Source


def project(
    net: QuantizedNet,
    window: NDArray[np.int8],
    *,
    title: str,
    mode: Mode = "window",
    reading: SensorChain | None = None,
    adapting: Adapting | None = None,
    max_scratch_bytes: int | None = None,
    identity: Identity | None = None,
    prefix: str = PREFIX,
    speed: str = "",
) -> Project:
    """All files.

    Args:
        window: int8 `(1, time, channels)` for the example; no recording of a person.
        title: what the README calls the network.
        mode: whether the C runs over each window, or over what is new.
        reading: front end and decoder around it; the network alone without.
        adapting: what the head can learn on the device; nothing without.
        max_scratch_bytes: what the device has for the scratch buffer.
        prefix: of functions, types, macros and files, see `naming.prefixed`.
        speed: a sentence on cycles for the README.

    Raises:
        ExportError: a layer that the C cannot compute, a scratch buffer that is too long, or a
            prefix that cannot be.
        GraphError: the network cannot stream.
    """
    made = generate(
        net,
        mode=mode,
        max_scratch_bytes=max_scratch_bytes,
        features=None if adapting is None else head_of(net).layer,
    )
    model, header = model_texts(net, made, reading, identity=identity)
    texts = {f"example/{name}": _text(_EXAMPLE / name) for name in EXAMPLE_FILES}
    texts["model.c"], texts["model.h"] = model, header
    texts["example/window.h"] = _window_text(net, window)
    texts["README.md"] = _readme(net, made, title, reading, speed)
    if reading is not None:
        texts["example/path.c"] = _text(_EXAMPLE / "path.c")
        texts["example/path.h"] = path_header(net, reading)
    if adapting is not None:
        texts |= adapting_texts(net, adapting)
    texts |= {name: _text(_PACKAGING / name) for name in PLAIN_FILES}
    about = {
        "version": "0.0.0" if identity is None else plain_name(identity.version),
        "model": "of ppgnas" if identity is None else plain_name(identity.model),
    }
    rows = {"source": "ppg_adapt.c", "header": "ppg_adapt.h"}.items() if adapting else ()
    about["adapting"] = "".join(
        f'\n        <file category="{kind}" name="{name}"/>' for kind, name in rows
    )
    for name in FILLED_FILES:
        texts[name] = Template(_text(_PACKAGING / name)).substitute(about)
    for name in texts.keys() - {"model.c", "model.h"}:  # these say it already
        texts[name] = in_times_of(texts[name], net.graph.task)
    return Project(prefixed(texts, prefix), made)


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8")


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
    sizes = {"uint32_t": 4, "int32_t": 4, "uint16_t": 2, "int8_t": 1}
    found = {"weights": 0, "biases and rescaling": 0}
    for table in made.tables:
        part = "biases and rescaling" if table.ctype == "int32_t" else "weights"
        found[part] += sizes[table.ctype] * len(table.values)
    return found


def _readme(
    net: QuantizedNet, made: Source, title: str, reading: SensorChain | None, speed: str
) -> str:
    stream = made.stream
    graph = net.graph if stream is None else stream.graph
    scale, point = net.activations[graph.input]
    out_scale, out_point = net.activations[graph.output]
    steps, channels = graph.shape(graph.input)[-2:]
    call = _filled(
        "call.md" if stream is None else "call_stream.md",
        macs=graph.total_macs,
        steps=steps,
        channels=channels,
        scale=f"{scale:.9g}",
        point=f"{point:+d}",
        classes=prod(graph.shape(graph.output)),
        out_point=f"{-out_point:+d}",
        out_scale=f"{out_scale:.9g}",
        inputs="\n".join(_inputs(net)),
        outputs="\n".join(_outputs(net)),
        state_bytes="" if stream is None else stream.state_bytes,
    )
    stack = (STACK_BYTES if stream is None else STREAM_STACK_BYTES)[: None if reading else 1]
    return _filled(
        "README.md",
        title=" ".join(map(plain_name, title.split())),
        call=call,
        reading="" if reading is None else _reading(net, made, reading),
        tables=markdown_table(("part", "bytes"), list(_table_bytes(made).items())),
        scratch_bytes=made.program.bytes,
        program=_program(made),
        stack="\n".join(f"| {name} | {best} | {worst} |" for name, best, worst in stack),
        speed=f"\n{speed}\n" if speed else "",
    )


def _inputs(net: QuantizedNet) -> Iterator[str]:
    _, signals = signals_of(net.graph) or (0, ())
    turned = {signal.name for signal in signals if not signal.time_first}
    for index, name in enumerate(net.graph.inputs):
        (scale, point), shape = net.activations[name], net.graph.shape(name)
        at = f" at `PPG_INPUT_{index}`" if net.graph.beside else ""
        sizes = shape[2:] if len(shape) == 4 and shape[1] == 1 else shape[1:]
        turn = name in turned or sizes[0] == 1
        order = "channels, time" if turn else "time, channels"
        what = f" ({order})" if len(sizes) == 2 else ""
        yield (
            f"* Input{at}: int8 `{''.join(f'[{size}]' for size in sizes)}`{what}; stored = "
            f"round(value / {scale:.9g}) {point:+d}, clamped to -128 .. 127."
        )


def _outputs(net: QuantizedNet) -> Iterator[str]:
    for index, name in enumerate(net.graph.outputs):
        scale, point = net.activations[name]
        at = f" at `PPG_OUTPUT_{index}`" if net.graph.also else ""
        count = prod(net.graph.shape(name))
        yield f"* Output{at}: {count} logits; value = (stored {-point:+d}) * {scale:.9g}."


def _program(made: Source) -> str:
    """Table of the steps: what each reads and writes of the scratch buffer."""
    plan = made.program
    rows = []
    for index, step in enumerate(plan.steps):
        names = ", ".join(plain_name(layer.name) for layer in step.layers)
        reads = [_range(made, name) for name in dict.fromkeys(step.reads) if name in plan.storages]
        direct = step.target in {*plan.outputs}.difference(plan.copied)
        target = "logits" if direct else _range(made, step.target)
        room = plan.scratch_offsets[index]
        own = f"{room}-{room + step.scratch_bytes - 1}" if step.scratch_bytes else "-"
        rows.append((index + 1, names, ", ".join(reads), target, own))
    return markdown_table(("step", "layers", "reads", "writes", "own room"), rows)


def _reading(net: QuantizedNet, made: Source, reading: SensorChain) -> str:
    """How to go from raw samples to a heart rate."""
    around = reading_texts(net, made, "", reading)
    front = reading.front_end
    sensors = f"PPG of {front.ppg_channels} channel(s) at {front.ppg_hz} Hz"
    if front.acceleration:
        sensors += f", acceleration at {front.acc_hz} Hz with {front.counts_per_g} counts to 1 g"
    calls = _text(_EXAMPLE / "sensors.c")
    return _filled(
        "sensors.md",
        sensors=sensors,
        fifo_s=f"{float(front.slack_s) * FIFO_S:.3g}",
        smoothing=reading.decoder.smoothing,
        calls=indent(
            resolve(
                calls,
                {
                    "SENSORS_ACC": front.acceleration,
                    "SENSORS_STREAMING": front.mode == "streaming",
                },
            ),
            "    ",
        ),
        state_bytes=around.state_bytes[0],
        stream=f"{around.stream_bytes} of the stream, " if around.stream_bytes else "",
        smoother_bytes=around.state_bytes[1],
        memory_bytes=around.memory_bytes,
        table_bytes=around.table_bytes,
    )


def _filled(name: str, **values: object) -> str:
    return Template(_text(_EXAMPLE / name)).substitute(values)


def _range(made: Source, tensor: str) -> str:
    plan = made.program
    start = plan.offsets[tensor]
    return f"{start}-{start + plan.storages[tensor].bytes - 1}"
