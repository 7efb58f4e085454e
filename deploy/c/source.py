"""`model.c` and `model.h` of a network."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from math import prod
from pathlib import Path
from string import Template

from deploy.c.calls import Call, Table
from deploy.c.plain.makers import MAKERS
from deploy.c.steps.calls import call_of
from deploy.device.c_text import plain_name
from deploy.integers import fixed_point, joined
from deploy.integers.quantized import QuantizedNet
from hwmodels.generated_c.program import program
from hwmodels.generated_c.steps import Program
from hwmodels.generated_c.streaming import COUNT_BYTES, StreamProgram, stream_program
from hwmodels.graph import Graph, Layer
from hwmodels.layer import products
from ppgnas.errors import ExportError
from ppgnas.task import Mode

_SOFTMAX_CHANNELS = 4095
TEXT_DIR = Path(__file__).parent / "text"
_NO_BLOCKS = "0x50504900"
"""The count of a network after its reset: one that was never reset hardly has it."""
PARTS = (
    "arithmetic",
    "padding",
    "keep",
    "history",
    "pointwise",
    "dense",
    "pool",
    "pool_blocks",
    "row",
    "generic",
    "lstm",
)
"""Parts of the C library beside this module, in the order in which they need each other."""


@dataclass(frozen=True)
class Source:
    """Generated C.

    Attributes:
        functions: definitions for `model.c`: parts of the library, kernels, tables, steps and
            `ppg_infer` or `ppg_step`.
        calls: `(function, layers)` of each step in order: which function computes what.
        program: the steps and the plan of the scratch buffer.
        stream: what steps keep between blocks; None for a window.
    """

    functions: str
    calls: tuple[tuple[str, tuple[str, ...]], ...]
    program: Program
    tables: tuple[Table, ...]
    stream: StreamProgram | None = None


def generate(
    net: QuantizedNet,
    *,
    mode: Mode = "window",
    max_scratch_bytes: int | None = None,
    features: str | None = None,
) -> Source:
    """C functions that compute a network: `int ppg_infer(input, logits, scratch)`.

    Several inputs or outputs lie one after the other, in the order of the file.

    Streaming, they are `int ppg_step(network, block, logits, scratch)` over a stride that is new.

    Args:
        mode: whether it runs over each window, or over each stride that is new.
        max_scratch_bytes: what the device has for the scratch buffer; no limit unless given.
        features: the dense layer whose inputs `ppg_features` gives; no such function unless given.

    Raises:
        ExportError: a layer that the C cannot compute, by name, or a scratch buffer that is too
            long, with the layer in which most of it is in use.
        GraphError: a network that cannot stream.
    """
    graph = net.graph
    if not any(layer.op != "reshape" for layer in graph.layers):
        raise ExportError("the graph has no layer that computes; there is nothing to write in C")
    check(net)
    stream = stream_program(graph) if mode == "streaming" else None
    if stream is not None:
        graph, plan = stream.graph, stream.program
        net = replace(net, graph=graph)
    else:
        plan = program(graph)
    check_scratch(plan, max_scratch_bytes)
    names: dict[str, str] = {}
    kernels: dict[str, str] = {}
    tables: dict[Table, str] = {}
    needs = {"arithmetic", "padding"} | ({"keep", "history"} if stream is not None else set())
    calls: list[tuple[str, Call]] = []
    places, copies = _outputs(plan)
    needs |= {"keep"} if copies else set()
    for index, step in enumerate(plan.steps):
        history = ""
        if stream is not None and index in stream.kept:
            history = f"kept + {stream.kept[index].offset}"
        before = 0 if stream is None else stream.pooled - 1
        target = places.get(step.target, "")
        call = call_of(net, plan, step, target=target, history=history, kept_blocks=before)
        needs.update(call.needs)
        needs.update(("pool_blocks",) if history and step.kind == "pool" else ())
        kernels.update(call.kernels)
        name = names.setdefault(call.body, f"{call.stem}_{len(names)}")
        calls.append((name, call))
    lines = [text_of(f"{part}.c") for part in PARTS if part in needs]
    lines += kernels.values()
    for body, name in names.items():
        lines.append(f"PPG_STEP void {name}{body}\n")
    statements = []
    for (name, call), step in zip(calls, plan.steps, strict=True):
        arguments = [
            tables.setdefault(part, f"table_{len(tables)}") if isinstance(part, Table) else part
            for part in call.arguments
        ]
        layers = ", ".join(plain_name(layer.name) for layer in step.layers)
        statements.append(f"    /* {layers} */\n    {name}({', '.join(arguments)});")
    statements += copies
    lines += [_definition(table, name) for table, name in tables.items()]
    if stream is not None:
        lines.append(text_of("reset.c", no_blocks=_NO_BLOCKS, parts="\n".join(_kept(net, stream))))
    called = "ppg_infer" if stream is None else "ppg_step"
    lines.append(_entry(graph, plan, statements, stream, called, "logits"))
    if features is not None:
        lines.append(_features(graph, plan, statements, stream, features))
    parts = tuple(
        (name, tuple(layer.name for layer in step.layers))
        for (name, _), step in zip(calls, plan.steps, strict=True)
    )
    return Source("\n".join(lines), parts, plan, tuple(tables), stream)


def _outputs(plan: Program) -> tuple[dict[str, str], list[str]]:
    """Where among the logits steps write outputs, and statements that copy the others there."""
    places, copies, before = {}, [], 0
    for name in plan.outputs:
        storage, place = plan.storages[name], f"logits + {before}" if before else "logits"
        size = storage.steps * storage.channels
        if name in plan.copied:
            source = plan.offsets[name] + storage.offset(0)
            copies.append(f"    keep_bytes({place}, scratch + {source}, {size});")
        else:
            places[name] = place
        before += size
    return places, copies


def check(net: QuantizedNet) -> None:
    """Refuse what the C cannot compute.

    Raises:
        ExportError: an operator without C, or sums that leave int32.
    """
    for layer in net.graph.layers:
        if layer.op not in (*MAKERS, "reshape"):
            raise ExportError(
                f"layer {layer.name!r}: {layer.op} has no generated C; end the graph at the logits"
            )
        channels = net.graph.shape(layer.output)[-1]
        if layer.op.endswith("softmax") and channels > _SOFTMAX_CHANNELS:
            raise ExportError(
                f"layer {layer.name!r}: {layer.op} over {channels} channels leaves "
                f"int32; allowed: {_SOFTMAX_CHANNELS}"
            )
        if layer.op in ("mean", "sum", "batch_matmul"):
            _check_sums(net, layer)


def _check_sums(net: QuantizedNet, layer: Layer) -> None:
    source, target = (net.activations[name][0] for name in (layer.inputs[0], layer.output))
    if layer.op == "batch_matmul":
        by = fixed_point.product_multiplier(*joined.scales(net, layer))
        largest = products(layer, net.graph.shape(layer.inputs[0])) * 255**2
    else:
        count = prod(net.graph.shape(layer.inputs[0])[1:-1])
        by = fixed_point.mean_multiplier(source, target, count if layer.op == "mean" else 1)
        largest = count * 255
    largest *= 2 ** max(int(by.shift), 0)
    if largest > fixed_point.INT32_MAX:
        raise ExportError(
            f"layer {layer.name!r}: sums of up to {largest} leave int32; the output scale "
            f"{target:.4g} is too small for input scale {source:.4g}: calibrate the activation "
            "ranges again"
        )


def check_scratch(plan: Program, max_scratch_bytes: int | None) -> None:
    """Refuse a scratch buffer that the device has no room for.

    Raises:
        ExportError: with the layer in which most of it is in use, its bytes and the limit.
    """
    if max_scratch_bytes is None or plan.bytes <= max_scratch_bytes:
        return
    fullest = max(range(len(plan.steps)), key=plan.live_bytes.__getitem__)
    layer = plan.steps[fullest].layers[0].name
    raise ExportError(
        f"layer {layer!r}: the scratch buffer takes {plan.bytes} bytes, "
        f"{plan.live_bytes[fullest]} of them in use at this layer; {max_scratch_bytes} bytes are "
        "allowed. Choose a smaller network or a board with more SRAM"
    )


def text_of(name: str, **values: object) -> str:
    """A file of `text/`, its `$names` filled in."""
    return Template((TEXT_DIR / name).read_text(encoding="utf-8")).substitute(values)


def _definition(table: Table, name: str) -> str:
    if table.ctype == "uint32_t":
        values: Iterable[str] = (f"0x{value:08x}u" for value in table.values)
    elif table.ctype == "int32_t":
        # The literal -2147483648 would be the negation of a value beyond int.
        values = (str(value) if value > -(2**31) else "INT32_MIN" for value in table.values)
    else:
        values = map(str, table.values)
    return f"static const {table.ctype} {name}[{len(table.values)}] = {{\n{_rows(values)}}};\n"


def _rows(values: Iterable[str]) -> str:
    lines, line = [], "   "
    for value in values:
        if len(line) + len(value) + 2 > 99:
            lines.append(line)
            line = "   "
        line += f" {value},"
    return "\n".join([*lines, line]) + "\n"


def _entry(
    graph: Graph,
    plan: Program,
    statements: Sequence[str],
    stream: StreamProgram | None,
    call: str,
    output: str,
) -> str:
    """The function that calls the steps and gives an output."""
    parts = [
        (plan.offsets[name] + storage.offset(0), storage.steps * storage.channels)
        for name, storage in ((name, plan.storages[name]) for name in graph.inputs)
    ]
    facts: dict[str, object] = {"call": call, "output": output}
    if stream is None:
        copies = [f"copy_bytes(scratch + {parts[0][0]}, input, {parts[0][1]});"]
        if not graph.beside:
            copies = [f"if (input != scratch + {parts[0][0]}) {{", f"    {copies[0]}", "}"]
        for index, (offset, size) in enumerate(parts[1:], start=1):
            before = sum(size for _, size in parts[:index])
            copies.append(f"copy_bytes(scratch + {offset}, input + {before}, {size});")
        lines = [*(f"    {line}" for line in copies), *statements]
        return text_of("infer.c", statements="\n".join(lines), **facts)
    return text_of(
        "step.c",
        offset=parts[0][0],
        size=parts[0][1],
        no_blocks=_NO_BLOCKS,
        blocks=graph.task.blocks,
        turn=graph.task.blocks + max(1, stream.pooled - 1),
        period=max(1, stream.pooled - 1),
        statements="\n".join(statements[: stream.pool + 1]),
        head="\n".join(statements[stream.pool + 1 :]),
        **facts,
    )


def _features(
    graph: Graph,
    plan: Program,
    statements: Sequence[str],
    stream: StreamProgram | None,
    dense: str,
) -> str:
    """The function that ends before a dense layer and gives out what that reads."""
    at = next(i for i, step in enumerate(plan.steps) if step.layers[0].name == dense)
    source = plan.steps[at].source
    storage = plan.storages[source]
    size = storage.steps * storage.channels
    copy = (
        f"    copy_bytes(features, scratch + {plan.offsets[source] + storage.offset(0)}, {size});"
    )
    reads = (
        "const int8_t *input" if stream is None else "ppg_network_t *network, const int8_t *block"
    )
    declared = f"int ppg_features({reads}, int8_t *features, void *memory);\n"
    return declared + _entry(
        graph, plan, [*statements[:at], copy], stream, "ppg_features", "features"
    )


def _kept(net: QuantizedNet, stream: StreamProgram) -> Iterator[str]:
    """Rows of what each part of the state holds after a reset: bytes and their value."""
    starts = [part.offset for part in stream.kept.values()]
    ends = [*starts[1:], stream.state_bytes - COUNT_BYTES]
    for index, start, end in zip(stream.kept, starts, ends, strict=True):
        source = stream.program.steps[index].source
        value = 0 if index == stream.pool else net.activations[source][1]
        yield f"        {{{end - start}, {value}}},"


def header(net: QuantizedNet, made: Source) -> str:
    """Declarations of the network alone."""
    plan, graph = made.program, net.graph
    storage = plan.storages[graph.input]
    offset = plan.offsets[graph.input] + storage.offset(0)
    steps, channels, window = storage.steps, storage.channels, "[PPG_STEPS][PPG_CHANNELS]"
    place = (
        "/* Where `ppg_infer` wants its input: at this place of the scratch buffer it is not "
        f"copied. */\n#define PPG_INPUT_OFFSET {offset}"
    )
    if graph.beside:
        steps, channels, window = prod(graph.window), 1, "[PPG_STEPS], the inputs in turn"
        place = _places(graph, "input", graph.inputs)
    if graph.also:
        place += "\n" + _places(graph, "output", graph.outputs)
    state = {} if made.stream is None else {"words": (made.stream.state_bytes - COUNT_BYTES) // 4}
    return text_of(
        "network.h" if made.stream is None else "network_stream.h",
        steps=steps,
        channels=channels,
        classes=prod(graph.answer),
        scratch_bytes=plan.bytes,
        **({"place": place, "window": window} if made.stream is None else {"offset": offset}),
        **state,
    )


def _places(graph: Graph, what: str, names: Sequence[str]) -> str:
    """Definitions of where each of several inputs or outputs begins among all values."""
    lines, before = [f"/* Where each {what} begins, its sizes and its name in the file. */"], 0
    for index, name in enumerate(names):
        sizes, place = " x ".join(map(str, graph.shape(name))), f"PPG_{what.upper()}_{index}"
        lines.append(f"#define {place} {before} /* {sizes}: {plain_name(name)} */")
        before += prod(graph.shape(name))
    return "\n".join([*lines, f"#define PPG_{what.upper()}S {len(names)}"])
