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
Padding in front of a causal convolution is room in front of the tensor; a change of view, and the
slice that leaves a pool the newest steps, are no steps at all. A block whose input and output have
one shape computes in place. Positions that no pool over the newest steps depends on are not
computed.
"""

from __future__ import annotations

from math import prod

from hwmodels.arena import aligned, live_bytes, place
from hwmodels.generated_c.steps import (
    BLOCK,
    UNROLLED_K,
    Program,
    Step,
    StepKind,
    Storage,
    begun,
    widened,
)
from hwmodels.graph import Graph, Layer, Shape, dense_rows


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
    return _placed(graph, drafter.roots, steps, storages)


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
    if bottom or right or any(layer.channel_pads) or (left and source[1] != 1):
        return None
    return top * (source[2] + left) + left


def window_taps(layer: Layer, source: Shape) -> tuple[int, int] | None:
    """`(taps, stride)` of a convolution that reads one run of bytes a position, else None."""
    if layer.op != "conv" or layer.padding != "valid" or layer.dilation != (1, 1):
        return None
    if layer.groups != 1:
        return None
    if layer.kernel == (1, 1) and layer.stride == (1, 1):
        return 1, 1
    if source[1] == 1 and layer.kernel[0] == 1 and layer.stride[0] == 1:
        return layer.kernel[1], layer.stride[1]
    return None


def depthwise_taps(layer: Layer, source: Shape) -> tuple[int, int, int] | None:
    """`(taps, stride, fold)` of a depthwise convolution along time, else None.

    Args:
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


def _pools(layer: Layer, source: Shape, target: Shape) -> bool:
    """Whether a layer pools over all of its input, four channels at a time."""
    return (
        layer.op in ("avg_pool", "max_pool")
        and layer.kernel == source[1:3]
        and target[1:3] == (1, 1)
        and source[3] % 4 == 0
        and layer.padding == "valid"
    )


class _Drafter:
    """Finds the steps: who reads what, which padding is absorbed, which layers run together.

    Args:
        banned: names of depthwise layers that run alone.
    """

    def __init__(self, graph: Graph, banned: set[str]) -> None:
        self.graph = graph
        self.banned = banned
        self.shapes = {tensor.name: tensor.shape for tensor in graph.tensors}
        # The tensor whose bytes a tensor is, and the padding that was absorbed in between.
        self.roots = {name: name for name in graph.inputs}
        self.leads = dict.fromkeys(graph.inputs, 0)
        self.ends = {*graph.outputs}  # and, once all views are known, what they are views of
        self.firsts: dict[str, int] = {}  # step of its root that a slice begins at
        # Position of the layer that writes a root.
        self.written = dict.fromkeys(graph.inputs, -1)
        for name in graph.constants:
            self.roots[name], self.leads[name] = name, 0
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
            elif layer.op == "slice":
                first = self._newest(layer)
                if first is None:
                    source = output
                else:
                    self.firsts[output] = first
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
        self.ends |= {roots[name] for name in self.graph.outputs}
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
        if len(readers) != 1 or pad.output in self.ends:
            return None
        reader, shape = readers[0], self.shapes[pad.output]
        if reader.op == "depthwise_conv":
            if self._project(reader, self.direct) is None:
                return None
        elif window_taps(reader, shape) is None or self.shapes[reader.output][3] % 2:
            return None
        return prefix_steps(pad, self.shapes[pad.inputs[0]])

    def _newest(self, layer: Layer) -> int | None:
        """Step at which what is left to a pool begins; None where a slice is anything else."""
        readers = self.direct.get(layer.output, ())
        source, target = self.shapes[layer.inputs[0]], self.shapes[layer.output]
        if len(source) != 4 or source[1] != 1 or len(readers) != 1 or layer.output in self.ends:
            return None
        if not _pools(readers[0], target, self.shapes[readers[0].output]):
            return None
        first = source[2] - target[-2]
        whole = (0, 1, 1), (0, 1, 1), (first, source[2], 1), (0, source[3], 1)
        return first if layer.rows == whole and self.leads[layer.inputs[0]] == 0 else None

    def _project(self, layer: Layer, readers: dict[str, list[Layer]]) -> Layer | None:
        """The 1 x 1 convolution that runs together with a depthwise layer."""
        shapes = self.shapes
        shape = shapes[layer.inputs[0]]
        if shape[3] % UNROLLED_K or shapes[layer.output][3] != shape[3]:
            return None
        if layer.name in self.banned:
            return None
        after = readers.get(layer.output, ())
        if len(after) != 1 or layer.output in self.ends:
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
        if project is None or source in self.ends:
            return None
        layers: tuple[Layer, ...] = (layer, project)
        target, shortcut = project.output, None
        after = self.readers.get(target, ())
        if len(after) == 1 and after[0].op == "add" and target not in self.ends:
            add = after[0]
            first, second = (self.roots[name] for name in add.inputs)
            other = second if first == target else first
            whole = self.shapes[add.output]
            alike = all(self.shapes[name] == whole for name in add.inputs)
            # The shortcut must stand before this step: only what is already stored can be read.
            stands = self.written.get(other, len(self.written)) < self.written[layer.output]
            if alike and other != target and stands:
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
        kind: StepKind = "generic"
        scratch = 0
        if op == "conv" and target[3] % 2 == 0:
            taps = window_taps(layer, source)
            if taps is not None:
                kind, scratch = "window", 2 * BLOCK * widened(taps[0] * source[3])
        elif op == "fully_connected" and target[-1] % 2 == 0:
            rows = dense_rows(target)
            if rows == 1:
                kind, scratch = "dense", 2 * widened(prod(source))
            elif len(source) == 4 and source[3] * rows == prod(source):
                kind, scratch = "window", 2 * BLOCK * widened(source[3])
        elif _pools(layer, source, target):
            kind = "pool"
        elif op == "lstm":
            scratch = 2 * 5 * target[-1]  # cells, and four gates of each
        first, *others = (self.roots[name] for name in layer.inputs)
        second = others[0] if others else None
        lead, more = self.leads[name], tuple(others[1:])
        return Step(
            kind,
            (layer,),
            first,
            layer.output,
            second,
            lead,
            scratch,
            None,
            more,
            self.firsts.get(name, 0),
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
        for name in self.graph.inputs:
            if pads.get(name, 0) * self.shapes[name][-1] % 2:
                pads[name] += 1  # a caller's input does not lie at an odd byte
        storages = {}
        for name in (*self.graph.inputs, *[step.target for step in steps]):
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


def _placed(
    graph: Graph, roots: dict[str, str], steps: list[Step], storages: dict[str, Storage]
) -> Program:
    """Plan the scratch buffer: greedy by size; what is computed in place shares its bytes."""
    outputs = tuple(roots[name] for name in graph.outputs)
    steps = begun(steps, storages, outputs)
    count = len(steps)
    first, last = dict.fromkeys(graph.inputs, 0), dict.fromkeys(graph.inputs, 0)
    for time, step in enumerate(steps, start=1):
        first[step.target] = last[step.target] = time
        for name in step.reads:
            last[name] = time
    last |= dict.fromkeys(outputs, count)
    owner = {name: name for name in storages}
    final: list[Step] = []
    for time, step in enumerate(steps, start=1):
        base = _in_place(step, storages, last, time)
        if base is not None and base not in outputs:
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
    return Program(
        tuple(final),
        storages,
        {name: offsets[owner[name]] for name in storages},
        tuple(scratch),
        max(offset + size for offset, size in zip(placed, sizes, strict=True)),
        tuple(live_bytes(sizes, spans, count + 1)[1:]),
        outputs,
    )


def _in_place(
    step: Step, storages: dict[str, Storage], last: dict[str, int], time: int
) -> str | None:
    """The storage that a step may write over, see `rewritable`: of one layout, read here last."""
    target = storages[step.target]
    for name in rewritable(step):
        if storages[name] == target and last[name] == time:
            return name
    return None


def rewritable(step: Step) -> tuple[str, ...]:
    """Tensors that a step might write over, the likeliest first: what a separable one reads.

    Blocks of positions run from the last to the first, and a causal layer reads no later step
    than it writes: what is overwritten is not needed again.
    """
    if step.kind != "separable" or step.layers[0].stride != (1, 1):
        return ()
    return tuple(name for name in dict.fromkeys((step.shortcut, step.source)) if name is not None)
