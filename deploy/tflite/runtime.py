"""The one place that imports a TFLite runtime: `ai-edge-litert`, else `tflite-runtime`.

Rounding, measured with ai-edge-litert 2.3. The reference kernels compute every operator as TFLM
and `deploy.integers.reference` do, bit for bit, except FULLY_CONNECTED, which they round once, not
twice (`reference.RULES`). The optimised kernels and the XNNPACK delegate differ in other layers
too, by a step now and then. `run` uses the reference kernels unless told otherwise.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deploy.integers.reference import in_turn
from ppgnas.errors import DependencyError, ExportError

NOT_COMPUTED = frozenset({"sum"})
"""Operators of which the reference kernels give one value whatever they read: SUM of
ai-edge-litert 2.3, which the optimised kernels compute."""


class MissingOperatorError(ExportError):
    """The kernels have not all operators of a file, or not in its version."""


_RESOLVERS = {
    "reference": "BUILTIN_REF",
    "optimized": "BUILTIN_WITHOUT_DEFAULT_DELEGATES",
    "xnnpack": "AUTO",
}


def _import_first(*names: str) -> ModuleType:
    for name in names:
        try:
            return importlib.import_module(name)
        except ImportError:
            continue
    raise DependencyError(
        f"none of {', '.join(names)} can be imported; writing and running TFLite files needs one "
        "of them: pip install ai-edge-litert"
    )


def interpreter_module() -> ModuleType:
    """The module that holds `Interpreter` and `OpResolverType`.

    Raises:
        DependencyError: no runtime is installed.
    """
    return _import_first("ai_edge_litert.interpreter", "tflite_runtime.interpreter")


def schema() -> ModuleType:
    """The generated classes of the TFLite file format.

    Raises:
        DependencyError: no package with the schema is installed.
    """
    return _import_first(
        "ai_edge_litert.schema_py_generated", "tensorflow.lite.python.schema_py_generated"
    )


def _interpreter(model: bytes, *, kernels: str) -> Any:
    if kernels not in _RESOLVERS:
        raise ExportError(f"kernels is {kernels!r}; allowed: {', '.join(_RESOLVERS)}")
    module = interpreter_module()
    try:
        interpreter = module.Interpreter(
            model_content=model,
            num_threads=1,
            experimental_op_resolver_type=module.OpResolverType[_RESOLVERS[kernels]],
        )
        interpreter.allocate_tensors()
    except (ValueError, RuntimeError) as error:
        kind = MissingOperatorError if "Didn't find op" in str(error) else ExportError
        raise kind(f"the TFLite runtime refuses the file: {error}") from error
    return interpreter


def run(model: bytes, x: NDArray[np.int8], *, kernels: str = "reference") -> NDArray[np.int8]:
    """Run a file of one window a call over many windows.

    Args:
        x: int8 `(windows, 1, time, channels)`, or see `deploy.integers.reference.run`.
        kernels: `reference`, `optimized` or `xnnpack`; see the module.

    Returns:
        int8 `(windows, classes)`; of several outputs `(windows, values)`.

    Raises:
        DependencyError: no runtime is installed.
        ExportError: the runtime refuses the file or the input.
    """
    interpreter = _interpreter(model, kernels=kernels)
    try:
        sources, targets = interpreter.get_input_details(), interpreter.get_output_details()
    except ValueError as error:  # a name that is no text
        raise ExportError(f"the TFLite runtime refuses the file: {error}") from error
    ends = np.cumsum([int(np.prod(source["shape"][1:])) for source in sources])[:-1]
    parts = np.split(x, ends, axis=1) if len(sources) > 1 and x.ndim == 2 else [x]
    given = [
        _as_the_file_takes_it(source["shape"], source["dtype"], part)
        for source, part in zip(sources, parts, strict=False)
    ]
    for target in targets:
        if target["dtype"] != np.int8:
            raise ExportError(
                f"an output of the file is {np.dtype(target['dtype'])}; only int8 files can be "
                "compared"
            )
    outputs = [np.empty((len(x), *target["shape"][1:]), np.int8) for target in targets]
    try:
        for index in range(len(x)):
            interpreter.reset_all_variables()
            for source, part in zip(sources, given, strict=True):
                interpreter.set_tensor(source["index"], part[index : index + 1])
            interpreter.invoke()
            for output, target in zip(outputs, targets, strict=True):
                output[index] = interpreter.get_tensor(target["index"])[0]
    except (ValueError, RuntimeError, IndexError) as error:  # what allocating did not notice
        raise ExportError(f"the TFLite runtime refuses the file: {error}") from error
    return in_turn(outputs)


def _as_the_file_takes_it(
    shape: Sequence[int], dtype: type, x: NDArray[np.int8]
) -> NDArray[np.int8]:
    """Windows in the file's own shape: a file may lack the height of 1 that a graph has."""
    expected = tuple(int(n) for n in shape[1:])
    same = [n for n in x.shape[1:] if n > 1] == [n for n in expected if n > 1]
    same = same or x.shape[1:] == (int(np.prod(expected)),)
    if x.dtype != dtype or not same:
        raise ExportError(
            f"input is {x.dtype} of shape {x.shape}; the file takes "
            f"{np.dtype(dtype)} of shape (windows, {', '.join(map(str, expected))})"
        )
    return x.reshape(len(x), *expected)
