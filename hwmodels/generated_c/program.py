"""The steps of generated C: which layers run together, and where their data lie.

`deploy.c` writes exactly this program and the engine `ppgnas-c` counts it, so that the cost of a
network and its file cannot disagree.

* `window`: a convolution whose taps are one run of bytes (any 1 x 1, or 1 x k over unfolded
  time). Four positions are widened to 16 bits, then all outputs are computed, two at a time.
* `separable`: a causal depthwise convolution, the 1 x 1 convolution after it and the addition of
  the block's input, four positions at a time: what lies between them is never stored.
* `dense`, `pool`: the head and the pooling before it.
* `generic`: anything else, one plain loop nest for one layer.

A tensor lies in the scratch buffer in one of two ways. Plain: step by step, channels together.
Paired, as a depthwise convolution wants it: two rows of its folded view share words
`[x(r, c), x(r, c+1), x(r+1, c), x(r+1, c+1)]`, so that one load brings two taps of two channels.
Padding in front of a causal convolution is room in front of the tensor; a change of view is no
step at all. A block whose input and output have one shape computes in place.
"""

from __future__ import annotations

from math import prod
from typing import NamedTuple

from hwmodels.arena import aligned, place
from hwmodels.graph import Graph, Layer

BLOCK = 4
"""Positions that are computed together."""
UNROLLED_K = 4
"""The dot product of a block takes this many input channels at a time."""

Shape = tuple[int, ...]


class Storage(NamedTuple):
    """How one tensor, and all views of it, lie in the scratch buffer.

    Attributes:
        steps, channels: `(steps, channels)` without padding.
        pad_steps: time steps of padding in front.
        fold: columns of the view in which pairs of rows are formed; 1 where it lies plain.
        paired: two rows of that view share words.
        slack: bytes behind the tensor that a word load may touch.
    """

    steps: int
    channels: int
    pad_steps: int = 0
    fold: int = 1
    paired: bool = False
    slack: int = 0

    @property
    def bytes(self) -> int:
        """All of it, padding and slack included."""
        steps = self.steps + self.pad_steps
        if self.paired:
            rows = steps // self.fold
            return (rows + rows % 2) * self.fold * self.channels
        return steps * self.channels + self.slack

    def offset(self, step: int) -> int:
        """Byte of channel 0 of a time step; `step` may be negative within the padding.

        In a paired storage channel `c` lies `(c // 2) * 4 + c % 2` behind it.
        """
        step += self.pad_steps
        if not self.paired:
            return step * self.channels
        row, column = divmod(step, self.fold)
        return ((row >> 1) * self.fold + column) * 2 * self.channels + (row & 1) * 2


class Step(NamedTuple):
    """One call of the generated program.

    Attributes:
        kind: `window`, `separable`, `dense`, `pool` or `generic`.
        layers: the layers that the step computes, in order; padding and views are not among them,
            unless the step is generic.
        source, target: tensors (roots) that are read and written.
        shortcut: the tensor that is added, or None.
        lead: steps of padding that this step reads in front of its source.
        scratch_bytes: room beside its tensors.
        in_place: the target takes the bytes of the source or of the shortcut.
    """

    kind: str
    layers: tuple[Layer, ...]
    source: str
    target: str
    shortcut: str | None = None
    lead: int = 0
    scratch_bytes: int = 0
    in_place: str | None = None


class Program(NamedTuple):
    """Steps in order and the plan of the scratch buffer.

    Attributes:
        steps: in order; the input stands in its storage before the first.
        storages: by tensor (root).
        offsets: byte offset of each storage.
        scratch_offsets: `(steps,)` byte offset of each step's own room.
        bytes: size of the scratch buffer.
        live_bytes: `(steps,)` bytes in use during each step.
        output: the tensor (root) that holds the network's output.
    """

    steps: tuple[Step, ...]
    storages: dict[str, Storage]
    offsets: dict[str, int]
    scratch_offsets: tuple[int, ...]
    bytes: int
    live_bytes: tuple[int, ...]
    output: str


def program(graph: Graph) -> Program:
    """The program of a graph."""
    banned: set[str] = set()
    while True:
        drafter = _Drafter(graph, banned)
        steps, storages = drafter.draft()
        wrong = _unwritable(steps)
        if not wrong:
            break
        banned |= wrong
    return _placed(graph.input, drafter.roots[graph.output], steps, storages)


def _unwritable(steps: list[Step]) -> set[str]:
    """Depthwise layers that cannot run as they were drafted, by name.

    A paired tensor is written by window and separable steps only, and a plain loop reads no
    padding that is mere room.
    """
    pairing = {step.target for step in steps if step.kind in ("window", "separable")}
    wrong = set()
    for step in steps:
        unpaired = step.kind == "separable" and step.source not in pairing
        if unpaired or (step.kind == "generic" and step.lead):
            wrong.add(step.layers[0].name)
    return wrong


def prefix_steps(layer: Layer, source: Shape) -> int | None:
    """Time steps that a `pad` layer puts in front; None where it pads anywhere else."""
    top, bottom, left, right = layer.pads
    if bottom or right or (left and source[1] != 1):
        return None
    return top * source[2] + left


def window_taps(layer: Layer, source: Shape) -> tuple[int, int] | None:
    """`(taps, stride)` of a convolution that reads one run of bytes a position, else None."""
    if layer.op != "conv" or layer.padding != "valid" or layer.dilation != (1, 1):
        return None
    if layer.kernel == (1, 1) and layer.stride == (1, 1):
        return 1, 1
    if source[1] == 1 and layer.kernel[0] == 1 and layer.stride[0] == 1:
        return layer.kernel[1], layer.stride[1]
    return None


def depthwise_taps(layer: Layer, source: Shape) -> tuple[int, int, int] | None:
    """`(taps, stride, fold)` of a depthwise convolution along time, else None.

    Args:
        layer: a depthwise layer.
        source: its padded input: `(1, rows, fold, channels)` under a kernel `(k, 1)`, or
            `(1, 1, time, channels)` under a kernel `(1, k)`.
    """
    if layer.padding != "valid" or layer.dilation != (1, 1):
        return None
    if source[1] == 1 and layer.kernel[0] == 1 and layer.stride[0] == 1:
        return layer.kernel[1], layer.stride[1], 1
    if layer.kernel[1] == 1 and layer.stride == (1, 1):
        return layer.kernel[0], 1, source[2]
    return None


class _Drafter:
    """Finds the steps: who reads what, which padding is absorbed, which layers run together.

    Args:
        graph: the network.
        banned: names of depthwise layers that run alone.
    """

    def __init__(self, graph: Graph, banned: set[str]) -> None:
        self.graph = graph
        self.banned = banned
        self.shapes = {tensor.name: tensor.shape for tensor in graph.tensors}
        # The tensor whose bytes a tensor is, and the padding that was absorbed in between.
        self.roots = {graph.input: graph.input}
        self.leads = {graph.input: 0}
        # Position of the layer that writes a root.
        self.written = {graph.input: -1}
        # Readers of a tensor, and of a root through views and absorbed padding.
        self.direct: dict[str, list[Layer]] = {}
        self.readers: dict[str, list[Layer]] = {}

    def draft(self) -> tuple[list[Step], dict[str, Storage]]:
        direct, roots, leads, readers = self.direct, self.roots, self.leads, self.readers
        layers = self.graph.layers
        for layer in layers:
            for name in layer.inputs:
                if name in direct:
                    direct[name].append(layer)
                else:
                    direct[name] = [layer]
        kept = []
        for index, layer in enumerate(layers):
            source, output = layer.inputs[0], layer.output
            steps = 0
            if layer.op == "pad":
                absorbed = self._absorbed(layer)
                if absorbed is None:
                    source = output
                else:
                    steps = absorbed
            elif layer.op != "reshape":
                source = output
            if source == output:
                roots[output], leads[output] = output, 0
                self.written[output] = index
                kept.append(layer)
                for name in layer.inputs:
                    readers.setdefault(roots[name], []).append(layer)
            else:
                roots[output], leads[output] = roots[source], leads[source] + steps
        found: list[Step] = []
        done: set[str] = set()
        for layer in kept:
            if layer.output not in done:
                step = self._separable(layer) or self._single(layer)
                for part in step.layers:
                    done.add(part.output)
                found.append(step)
        return found, self._storages(found)

    def _absorbed(self, pad: Layer) -> int | None:
        """Steps of padding that become room in front of the tensor; None where they cannot."""
        readers = self.direct.get(pad.output, ())
        if len(readers) != 1 or pad.output == self.graph.output:
            return None
        reader, shape = readers[0], self.shapes[pad.output]
        if reader.op == "depthwise_conv":
            if self._project(reader, self.direct) is None:
                return None
        elif window_taps(reader, shape) is None or self.shapes[reader.output][3] % 2:
            return None
        return prefix_steps(pad, self.shapes[pad.inputs[0]])

    def _project(self, layer: Layer, readers: dict[str, list[Layer]]) -> Layer | None:
        """The 1 x 1 convolution that runs together with a depthwise layer."""
        shapes = self.shapes
        shape = shapes[layer.inputs[0]]
        if shape[3] % UNROLLED_K or shapes[layer.output][3] != shape[3]:
            return None
        if layer.name in self.banned:
            return None
        after = readers.get(layer.output, ())
        final = self.graph.output
        if len(after) != 1 or layer.output in (final, self.roots.get(final)):
            return None
        project = after[0]
        if (
            project.op != "conv"
            or project.kernel != (1, 1)
            or project.stride != (1, 1)
            or shapes[project.output][3] % 2
            or depthwise_taps(layer, shape) is None
        ):
            return None
        return project

    def _separable(self, layer: Layer) -> Step | None:
        if layer.op != "depthwise_conv":
            return None
        project = self._project(layer, self.readers)
        source = self.roots[layer.inputs[0]]
        if project is None or source == self.roots[self.graph.output]:
            return None
        layers: tuple[Layer, ...] = (layer, project)
        target, shortcut = project.output, None
        after = self.readers.get(target, ())
        if len(after) == 1 and after[0].op == "add" and target != self.roots[self.graph.output]:
            add = after[0]
            first, second = (self.roots[name] for name in add.inputs)
            other = second if first == target else first
            # The shortcut must stand before this step: only what is already stored can be read.
            if other != target and self.written[other] < self.written[layer.output]:
                layers, target, shortcut = (layer, project, add), add.output, other
        for reader in self.readers[source]:
            if reader not in layers:
                return None
        return Step(
            "separable",
            layers,
            source,
            target,
            shortcut,
            self.leads[layer.inputs[0]],
            2 * BLOCK * self.shapes[layer.output][3],
        )

    def _single(self, layer: Layer) -> Step:
        name, op = layer.inputs[0], layer.op
        source, target = self.shapes[name], self.shapes[layer.output]
        kind, scratch = "generic", 0
        if op == "conv" and target[3] % 2 == 0:
            taps = window_taps(layer, source)
            if taps is not None:
                kind, scratch = "window", 2 * BLOCK * widened(taps[0] * source[3])
        elif op == "fully_connected" and target[-1] % 2 == 0:
            kind, scratch = "dense", 2 * widened(prod(source))
        elif op in ("avg_pool", "max_pool") and target[1:3] == (1, 1):
            if layer.kernel == source[1:3] and source[3] % 4 == 0 and layer.padding == "valid":
                kind = "pool"
        second = self.roots[layer.inputs[1]] if len(layer.inputs) > 1 else None
        return Step(
            kind, (layer,), self.roots[name], layer.output, second, self.leads[name], scratch
        )

    def _storages(self, steps: list[Step]) -> dict[str, Storage]:
        pads: dict[str, int] = {}
        paired: dict[str, int] = {}
        slack: dict[str, int] = {}
        for step in steps:
            source, layer = step.source, step.layers[0]
            if step.lead > pads.get(source, 0):
                pads[source] = step.lead
            if step.kind == "separable":
                taps = depthwise_taps(layer, self.shapes[layer.inputs[0]])
                assert taps is not None
                paired[source] = taps[2]
            elif step.kind == "window" or step.kind == "dense":
                shape = self.shapes[layer.inputs[0]]
                run = prod(shape) if step.kind == "dense" else layer.kernel[1] * shape[3]
                if run % UNROLLED_K:
                    slack[source] = max(slack.get(source, 0), widened(run) - run)
        storages = {}
        for name in (self.graph.input, *[step.target for step in steps]):
            shape = self.shapes[name]
            storages[name] = Storage(
                prod(shape[:-1]),
                shape[-1],
                pads.get(name, 0),
                paired.get(name, 1),
                name in paired,
                slack.get(name, 0),
            )
        return storages


def widened(values: int) -> int:
    """A dot product's length, rounded up to whole words of int8."""
    return -(-values // UNROLLED_K) * UNROLLED_K


def dot_words(values: int, *, widened_inputs: bool) -> int:
    """Words of two taps that a dot product of `values` taps takes.

    Widened inputs lie as taps (0, 2) and (1, 3) of each four: one tap more than a multiple of 4
    needs one word, two and three need both.
    """
    if widened_inputs:
        return values // 4 * 2 + min(values % 4, 2)
    return -(-values // 2)


def _placed(source: str, output: str, steps: list[Step], storages: dict[str, Storage]) -> Program:
    """Plan the scratch buffer: greedy by size; what is computed in place shares its bytes."""
    count = len(steps)
    first, last = {source: 0}, {source: 0}
    for time, step in enumerate(steps, start=1):
        first[step.target] = last[step.target] = time
        last[step.source] = time
        if step.shortcut is not None:
            last[step.shortcut] = time
    last[output] = count
    owner = {name: name for name in storages}
    final: list[Step] = []
    for time, step in enumerate(steps, start=1):
        base = _in_place(step, storages, last, time)
        if base is not None:
            owner[step.target] = owner[base]
            root = owner[base]
            last[root] = max(last[root], last[step.target])
            step = step._replace(in_place=base)
        final.append(step)
    own = [name for name in storages if owner[name] == name]
    sizes = [aligned(storages[name].bytes) for name in own]
    spans = [(first[name], last[name]) for name in own]
    rooms = [index for index, step in enumerate(final) if step.scratch_bytes]
    sizes += [aligned(final[index].scratch_bytes) for index in rooms]
    spans += [(index + 1, index + 1) for index in rooms]
    placed = place(sizes, spans, count + 1)
    offsets = dict(zip(own, placed, strict=False))
    scratch = [0] * count
    for index, offset in zip(rooms, placed[len(own) :], strict=True):
        scratch[index] = offset
    live = [0] * (count + 1)
    for size, (start, stop) in zip(sizes, spans, strict=True):
        for time in range(start, stop + 1):
            live[time] += size
    return Program(
        tuple(final),
        storages,
        {name: offsets[owner[name]] for name in storages},
        tuple(scratch),
        max(offset + size for offset, size in zip(placed, sizes, strict=True)),
        tuple(live[1:]),
        output,
    )


def _in_place(
    step: Step, storages: dict[str, Storage], last: dict[str, int], time: int
) -> str | None:
    """The storage that a separable step may write over: of one layout, and read here last.

    Blocks of positions run from the last to the first, and a causal layer reads no later step
    than it writes: what is overwritten is not needed again.
    """
    if step.kind != "separable" or step.layers[0].stride != (1, 1):
        return None
    target = storages[step.target]
    for name in dict.fromkeys((step.shortcut, step.source)):
        if name is not None and storages[name] == target and last[name] == time:
            return name
    return None
