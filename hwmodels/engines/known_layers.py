"""What a kind of layer costs under an engine, worked out once and remembered.

A search asks for the same few thousand kinds of layers all the time.
"""

from __future__ import annotations

from dataclasses import dataclass

from hwmodels.arena import aligned
from hwmodels.engines.engine import Engine, Profile, Work
from hwmodels.engines.kernels import geometry, scratch_bytes
from hwmodels.graph import Graph, Layer, Shape
from hwmodels.operators import OPERATORS

# A search sees some ten thousand kinds of layers; the memory is bounded all the same.
_MEMO_ENTRIES = 200_000


@dataclass(frozen=True, slots=True)
class KnownLayer:
    """What is remembered of a kind of layer; all but `work` are exact."""

    work: Work
    kernel: str
    cycles: float
    macs: int
    weight_bytes: int
    channels: int
    scratch: int
    scratch_aligned: int
    output_aligned: int


def _know(
    graph: Graph,
    layer: Layer,
    engine: Engine,
    profile: Profile,
    source: Shape,
    target: Shape,
    written: int,
) -> KnownLayer:
    work = engine.work(layer, source, target, profile)
    scratch = 0
    if engine.cmsis_nn_scratch:
        reserved = work.kernel == "depthwise_3x3" and engine.scratch_3x3
        kernel = "depthwise" if reserved else work.kernel
        scratch = scratch_bytes(kernel, geometry(layer, source, target), profile.core)
    return KnownLayer(
        work=work,
        kernel=work.kernel,
        cycles=work.cycles.value,
        macs=graph.macs(layer),
        weight_bytes=graph.weight_bytes(layer),
        channels=target[-1] if _channel_scales(layer) else 0,
        scratch=scratch,
        scratch_aligned=aligned(scratch),
        output_aligned=aligned(written),
    )


def _channel_scales(layer: Layer) -> bool:
    """A convolution has a weight scale for each output, a dense layer one for all or each."""
    known = OPERATORS[layer.op]
    return known.weighted and (known.shape in ("window", "spread") or layer.channel_scales)


def input_bytes(graph: Graph) -> dict[str, int]:
    """Bytes of the network's inputs, which may be float."""
    return {tensor.name: tensor.bytes for tensor in graph.tensors if tensor.name in graph.inputs}


def known_layers(graph: Graph, engine: Engine, profile: Profile) -> list[KnownLayer]:
    memo = profile.memo
    shapes = {tensor.name: tensor.shape for tensor in graph.tensors}
    written = {tensor.name: tensor.bytes for tensor in graph.tensors}
    constants = graph.constants
    known = []
    for layer in graph.layers:
        source, target = shapes[layer.inputs[0]], shapes[layer.output]
        key = (
            layer.op,
            source,
            target,
            layer.kernel,
            layer.stride,
            layer.dilation,
            layer.groups,
            layer.channel_scales,
            layer.adjoint,
            written[layer.output],
            # What an element-wise layer joins may be stored with the network.
            graph.weight_bytes(layer) if constants and len(layer.inputs) > 1 else 0,
        )
        found = memo.get(key)
        if found is None:
            found = _know(graph, layer, engine, profile, source, target, written[layer.output])
            if len(memo) >= _MEMO_ENTRIES:
                memo.clear()
            memo[key] = found
        known.append(found)
    return known  # type: ignore[return-value]
