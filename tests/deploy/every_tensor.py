"""Every tensor of a network, by the integer reference and by the interpreter."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from deploy.integers import reference
from deploy.integers.quantized import QuantizedNet
from deploy.tflite.runtime import interpreter_module


def by_reference(
    net: QuantizedNet, x: NDArray[np.int8], *, rule: reference.Rule = "tflm"
) -> dict[str, NDArray[np.int8]]:
    """Tensor name -> int8 `(windows, ...)`: the network is run up to each tensor."""
    return {
        layer.output: reference.run(
            replace(net, graph=replace(net.graph, output=layer.output)), x, rule=rule
        )
        for layer in net.graph.layers
    }


def by_interpreter(model: bytes, x: NDArray[np.int8]) -> dict[str, NDArray[np.int8]]:
    """The same of a TFLite file in LiteRT's reference kernels."""
    module = interpreter_module()
    interpreter = module.Interpreter(
        model_content=model,
        experimental_op_resolver_type=module.OpResolverType.BUILTIN_REF,
        experimental_preserve_all_tensors=True,
    )
    interpreter.allocate_tensors()
    rows: dict[str, list[NDArray[np.int8]]] = {}
    for window in x:
        interpreter.set_tensor(interpreter.get_input_details()[0]["index"], window[None])
        interpreter.invoke()
        for detail in interpreter.get_tensor_details():
            if detail["dtype"] == np.int8 and detail["name"]:  # constants have no name
                rows.setdefault(detail["name"], []).append(interpreter.get_tensor(detail["index"]))
    return {name: np.stack(values) for name, values in rows.items()}
