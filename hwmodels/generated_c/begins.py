"""Which positions of a window nobody reads, because the pool takes the newest steps alone.

Every layer before it is causal, so what the pool depends on is the end of each tensor. A step
computes from there on, and leaves what lies before as it is.
"""

from __future__ import annotations

from hwmodels.generated_c.steps import BLOCK, Step, Storage


def begun(steps: list[Step], storages: dict[str, Storage], outputs: list[str]) -> list[Step]:
    """The steps, each beginning where something reads what it computes, in whole blocks of rows.

    Args:
        steps: a program's, of which a pool may begin late.
        outputs: tensors that are needed whole.
    """
    if not any(step.first for step in steps):
        return steps
    read = dict.fromkeys(outputs, 0)  # the first position of a tensor that is read
    found = []
    for step in reversed(steps):
        at = step.first
        if step.kind in ("window", "separable"):
            layer, fold = step.layers[0], 1
            if step.kind == "separable":
                fold = storages[step.source].fold
            rows = max(storages[step.target].steps // fold // BLOCK - 1, 0)
            first = min(read.get(step.target, 0) // (BLOCK * fold), rows) * BLOCK * fold
            step = step._replace(first=first)
            at = max(first * layer.stride[1] - step.lead, 0)
        for name in step.reads:
            # A shortcut may be what the step reads before it, too.
            begin = at if name == step.source else step.first
            read[name] = min(read.get(name, begin), begin)
        found.append(step)
    return found[::-1]
