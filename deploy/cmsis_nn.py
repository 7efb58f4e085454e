"""The same network as calls of CMSIS-NN, to compare the generated C with: `bench deploy`.

The sources are the user's: a checkout of https://github.com/ARM-software/CMSIS-NN, version 4.1 or
later (its headers need no other CMSIS part since then). Nothing of it is in this project.

Each layer is one call of what TFLM calls for it, `arm_convolve_wrapper_s8` and its like, with the
integers of the `QuantizedNet`; so the outputs are TFLM's, the reference's under the rule `tflm`.
The comparison is kind to CMSIS-NN: no interpreter runs, a change of view costs nothing, and a
`pad` in front of a convolution is left to the kernel, which pads as well.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deploy.emulation.emulate import EmulationResult, Emulator
from deploy.emulation.toolchain import Compiler
from deploy.integers import fixed_point
from deploy.integers.quantized import QuantizedNet
from hwmodels.graph import Layer, dense_rows
from ppgnas.errors import ExportError
from ppgnas.files import temporary_folder, write_text_atomic

_FILES = re.compile(r"\barm_\w+")


@dataclass(frozen=True)
class Compared:
    """Windows in CMSIS-NN.

    Attributes:
        outputs: int8 `(windows, classes)`.
        last: counts of the last window.
    """

    outputs: NDArray[np.int8]
    last: EmulationResult


def sources(folder: Path, text: str) -> list[Path]:
    """The files that `text` needs, each by the functions that the ones before call.

    Args:
        folder: of CMSIS-NN, with `Include/` and `Source/`.

    Raises:
        ExportError: this is no such folder.
    """
    found = {path.stem: path for path in sorted(folder.glob("Source/*/*.c"))}
    if not found or not (folder / "Include" / "arm_nnfunctions.h").is_file():
        raise ExportError(
            f"{folder}: no CMSIS-NN; give the folder that has Include/arm_nnfunctions.h and "
            "Source/, such as a clone of github.com/ARM-software/CMSIS-NN"
        )
    texts, needed = [text], {}
    while texts:
        for word in _FILES.findall(texts.pop()):
            if word in found and word not in needed:
                needed[word] = found[word]
                texts.append(found[word].read_text(encoding="utf-8"))
    return list(needed.values())


def emulate(
    net: QuantizedNet, x: NDArray[np.int8], *, cmsis_nn: Path, compiler: Compiler
) -> Compared:
    """Build with the flags of the generated C and run.

    Args:
        x: int8 `(windows, 1, time, channels)`.
        compiler: see `deploy.emulation.toolchain`.

    Raises:
        ExportError: no such folder, a layer without a call, or a call that CMSIS-NN refuses.
        ToolError: the compiler fails.
    """
    text = calls(net)
    needed = sources(cmsis_nn, text)
    with temporary_folder() as folder:
        write_text_atomic(folder / "calls.c", text)
        # A freestanding compiler has no math.h; the headers include it and use nothing of it.
        write_text_atomic(folder / "math.h", "")
        image = compiler.build(
            [folder / "calls.c", *needed],
            folder / "cmsis_nn.elf",
            keep=("run",),
            include=[folder, cmsis_nn / "Include"],
            flags=["-w"],  # warnings in others' code are theirs
        )
        emulator = Emulator(image)
    size = prod(net.graph.shape(net.graph.output))
    found = []
    for window in x:
        last = emulator.call("run", {"input": window.tobytes()}, outputs={"output": size})
        if last.result:
            layer = net.graph.layers[last.result - 1]
            raise ExportError(f"layer {layer.name!r} ({layer.op}): CMSIS-NN refuses the call")
        found.append(np.frombuffer(last.outputs["output"], np.int8))
    return Compared(np.array(found), last)


def calls(net: QuantizedNet) -> str:
    """C with `input`, `output` and `run()`, which returns 0, or 1 + the layer that failed.

    Raises:
        ExportError: a layer that has no call here.
    """
    graph = net.graph
    last = graph.output
    for layer in reversed(graph.layers):
        if layer.output == last and layer.op == "reshape":
            last = layer.inputs[0]
    names = {graph.input: "input"}
    pads: dict[str, Layer] = {}
    data, body, scratch_bytes = [_array("int8_t", "input", prod(graph.shape(graph.input)))], [], 8
    for number, layer in enumerate(graph.layers):
        padded = [name for name in layer.inputs if name in pads]
        if layer.op in ("reshape", "pad") and not padded:
            names[layer.output] = names[layer.inputs[0]]
            if layer.op == "pad":
                pads[layer.output] = layer
            continue
        known = layer.op in ("add", "avg_pool", "fully_connected") and not padded
        if layer.groups > 1 or not (known or layer.op in ("conv", "depthwise_conv")):
            raise ExportError(
                f"layer {layer.name!r} ({layer.op}): CMSIS-NN is called here for conv of one "
                "group, depthwise_conv, fully_connected, add and avg_pool; pad stands in front "
                "of a convolution"
            )
        names[layer.output] = "output" if layer.output == last else f"t{number}"
        data.append(_array("int8_t", names[layer.output], prod(graph.shape(layer.output))))
        taps = prod(layer.kernel) * graph.shape(layer.inputs[0])[-1]
        scratch_bytes = max(scratch_bytes, 8 * (taps + 4))  # more than any kernel asks for
        if layer.op == "add":
            call = _add(net, layer, names)
        elif layer.op == "avg_pool":
            call = _avg_pool(net, layer, names)
        else:
            data += _constants(net, layer, number)
            call = _weighted(net, layer, number, names, pads.get(layer.inputs[0]))
        body.append(f"    if ({call})\n        return {number + 1};")
    data.append(_array("uint64_t", "scratch", -(-scratch_bytes // 8)))
    start = f"    const cmsis_nn_context context = {{scratch, {scratch_bytes}}};"
    head = ['#include "arm_nnfunctions.h"', *data, "int run(void);", "int run(void)", "{", start]
    return "\n".join([*head, *body, "    return 0;", "}", ""])


def _weighted(
    net: QuantizedNet, layer: Layer, number: int, names: dict[str, str], pad: Layer | None
) -> str:
    """The call of a layer with weights."""
    first = layer.inputs[0] if pad is None else pad.inputs[0]
    source, target = net.graph.shape(first), net.graph.shape(layer.output)
    parameters = (
        f".input_offset = {-net.activations[first][1]}, "
        f".output_offset = {net.activations[layer.output][1]}, {_clamp(net, layer)}"
    )
    quant = f"cmsis_nn_per_channel_quant_params){{multipliers{number}, shifts{number}}}"
    if layer.op == "fully_connected":
        rows, taps = dense_rows(target), prod(source) // dense_rows(target)
        by = net.multiplier(layer)
        if np.ptp(by.mantissa) or np.ptp(by.shift):
            raise ExportError(f"layer {layer.name!r}: CMSIS-NN's dense layers have one scale")
        what, kind, kernel = "fully_connected_s8", "fc", (taps, 1, 1, 1)
        source, target = (rows, 1, 1, taps), (rows, 1, 1, target[-1])
        quant = f"cmsis_nn_per_tensor_quant_params){{{by.mantissa.max()}, {by.shift.max()}}}"
    elif layer.op == "conv":
        what, kind = "convolve_wrapper_s8", "conv"
        kernel = (target[3], *layer.kernel, source[3])
        parameters += f", {_slides(net, layer, pad)}, {_tile('dilation', layer.dilation)}"
    else:
        what, kind = "depthwise_conv_wrapper_s8", "dw_conv"
        kernel = (1, *layer.kernel, target[3])
        parameters += f", {_slides(net, layer, pad)}, {_tile('dilation', layer.dilation)}"
        parameters += f", .ch_mult = {target[3] // source[3]}"
    return (
        f"arm_{what}(&context, &(cmsis_nn_{kind}_params){{{parameters}}}, &({quant}, "
        f"{_dims(source)}, {names[first]}, {_dims(kernel)}, weights{number}, "
        f"{_dims((target[-1],))}, biases{number}, {_dims(target)}, {names[layer.output]})"
    )


def _avg_pool(net: QuantizedNet, layer: Layer, names: dict[str, str]) -> str:
    first, last = layer.inputs[0], layer.output
    return (
        "arm_avgpool_s8(&context, "
        f"&(cmsis_nn_pool_params){{{_slides(net, layer)}, {_clamp(net, layer)}}}, "
        f"{_dims(net.graph.shape(first))}, {names[first]}, {_dims((*layer.kernel, 1))}, "
        f"{_dims(net.graph.shape(last))}, {names[last]})"
    )


def _slides(net: QuantizedNet, layer: Layer, pad: Layer | None = None) -> str:
    """How a window moves, from where: what a pad in front adds is padding of the kernel."""
    top, left = (sides[0] for sides in net.graph.padding(layer))
    if pad is not None:
        top, left = top + pad.pads[0], left + pad.pads[2]
    return f"{_tile('stride', layer.stride)}, {_tile('padding', (top, left))}"


def _add(net: QuantizedNet, layer: Layer, names: dict[str, str]) -> str:
    tensors = (*layer.inputs, layer.output)
    if len({net.graph.shape(name) for name in tensors}) > 1:
        raise ExportError(f"layer {layer.name!r}: CMSIS-NN adds tensors of one shape")
    (first, first_zero), (second, second_zero), (third, zero) = (
        net.activations[name] for name in tensors
    )
    by = fixed_point.add_multipliers(first, second, third)
    low, high = _limits(net, layer)
    return (
        f"arm_elementwise_add_s8({names[layer.inputs[0]]}, {names[layer.inputs[1]]}, "
        f"{-first_zero}, {by.first.mantissa}, {by.first.shift}, "
        f"{-second_zero}, {by.second.mantissa}, {by.second.shift}, {fixed_point.ADD_LEFT_SHIFT}, "
        f"{names[layer.output]}, {zero}, {by.output.mantissa}, {by.output.shift}, "
        f"{low}, {high}, {prod(net.graph.shape(layer.output))})"
    )


def _constants(net: QuantizedNet, layer: Layer, number: int) -> list[str]:
    by = net.multiplier(layer)
    return [
        _array("const int8_t", f"weights{number}", net.weights[layer.name]),
        _array("const int32_t", f"biases{number}", net.biases[layer.name]),
        _array("int32_t", f"multipliers{number}", by.mantissa),
        _array("int32_t", f"shifts{number}", by.shift),
    ]


def _clamp(net: QuantizedNet, layer: Layer) -> str:
    low, high = _limits(net, layer)
    return f".activation = {{.min = {low}, .max = {high}}}"


def _limits(net: QuantizedNet, layer: Layer) -> tuple[int, int]:
    return fixed_point.activation_range(layer.activation, *net.activations[layer.output])


def _array(kind: str, name: str, content: NDArray[Any] | int) -> str:
    if isinstance(content, int):
        return f"{kind} {name}[{content}];"
    return f"{kind} {name}[] = {{{', '.join(map(str, content.ravel().tolist()))}}};"


def _tile(name: str, sides: tuple[int, int]) -> str:
    return f".{name} = {{.w = {sides[1]}, .h = {sides[0]}}}"


def _dims(shape: tuple[int, ...]) -> str:
    n, h, w, c = (1,) * (4 - len(shape)) + shape
    return f"&(cmsis_nn_dims){{.n = {n}, .h = {h}, .w = {w}, .c = {c}}}"
