"""Instructions that CMSIS-NN needs for a network, by the laws counted in emulation.

Source: `data/cmsis_nn_m7.toml` (CMSIS-NN 99f736a, gcc 12.2 -O3, Cortex-M7), fitted by
`python -m hwmodels.fit`. Operators without a counted kernel (`pad`, `reshape`, `mean`) and the
interpreter are left out, so the figure is a lower bound.
"""

from __future__ import annotations

from hwmodels.engines.kernels import CLASSES, geometry, kernel_class
from hwmodels.engines.load import DATA_DIR, read_fit
from hwmodels.graph import Graph

CYCLES_PER_INSTRUCTION = 0.87
"""On a Cortex-M7; +-0.06, published whole networks 0.82-0.91 (data/README.md)."""


def cmsis_nn_instructions(graph: Graph) -> float:
    """Instructions of one inference in CMSIS-NN kernels."""
    laws = read_fit(DATA_DIR / "cmsis_nn_m7.toml").kernels
    total = 0.0
    for layer in graph.layers:
        shape = geometry(layer, graph.shape(layer.inputs[0]), graph.shape(layer.output))
        law = laws.get(kernel_class(layer.op, shape))
        if law is not None:
            features = CLASSES[kernel_class(layer.op, shape)].features(shape)
            total += sum(c * f for c, f in zip(law.instructions, features, strict=True))
    return total
