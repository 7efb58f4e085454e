"""Flash that inference adds: the model, the kernels it needs and the runtime.

The model is what the device stores of it: weights, biases and, for a TFLite file, the records of
operators, tensors and per-channel scales. Kernels are linked once, however often they are used.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from hwmodels.engines.engine import Engine, FlashRules
from hwmodels.estimate import Estimate, total


@dataclass(frozen=True)
class FlashParts:
    """Bytes of flash by what they hold."""

    weights: Estimate
    code: Estimate
    runtime: Estimate


def linked_kernels(rules: FlashRules, kernels: Iterable[str]) -> list[str]:
    """Kernels with code of their own that these link, each once."""
    used = {name for kernel in kernels for name in (kernel, *rules.needs.get(kernel, ()))}
    return sorted(used & set(rules.kernels))


def flash_parts(
    engine: Engine,
    *,
    weight_bytes: int,
    channels: int,
    ops: int,
    weighted_ops: int,
    kernels: Iterable[str],
    calls: int | None = None,
) -> FlashParts:
    """Flash of a network under an engine.

    Args:
        engine: gives the overheads.
        weight_bytes: int8 weights and int32 biases.
        channels: output channels of all layers with a weight scale per channel.
        calls: operators that are calls of their own; all if None.
    """
    rules = engine.flash
    model = (
        Estimate.exact(weight_bytes)
        + rules.model_base
        + rules.model_per_op.times(ops)
        + rules.model_per_weighted_op.times(weighted_ops)
        + rules.model_per_channel.times(channels)
    )
    linked = linked_kernels(rules, kernels)
    code = total(rules.kernels[kernel] for kernel in linked) + rules.code_per_op.times(
        ops if calls is None else calls
    )
    return FlashParts(model, code, rules.interpreter)
