"""Int8 files with the LSTM that TFLite has: of Keras 2, as Keras 3 is no longer converted to it.

    python -m venv tf && tf/bin/pip install tensorflow-cpu tf_keras
    tf/bin/python tests/deploy/tflite/make_recurrent.py tests/deploy/tflite/files

The batch is one: with an open batch the converter makes a loop that int8 files cannot hold. See
make_foreign.py.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf  # type: ignore[import-untyped]
import tf_keras as keras  # type: ignore[import-not-found]

k = keras.layers
Tensor = Any


def heart_lstm(x: Tensor) -> Tensor:
    """A CNN-LSTM: eight seconds of PPG and acceleration at 16 Hz to 180 classes."""
    x = k.Conv1D(8, 5, strides=2, padding="same", activation="relu")(x)
    return k.Dense(180)(k.LSTM(8)(k.MaxPooling1D(2)(x)))


def stacked_lstm(x: Tensor) -> Tensor:
    """Sequences in and out."""
    x = k.LSTM(6, return_sequences=True)(k.LSTM(9, return_sequences=True)(x))
    return k.Conv1D(2, 3, padding="same")(x)


def both_ways(x: Tensor) -> Tensor:
    """All steps of both ways, then the last of both: joined at one scale."""
    x = k.Bidirectional(k.LSTM(3, return_sequences=True))(x)
    return k.Dense(5)(k.Bidirectional(k.LSTM(2))(x))


MODELS: tuple[tuple[Callable[[Tensor], Tensor], tuple[int, ...]], ...] = (
    (heart_lstm, (128, 4)),
    (stacked_lstm, (24, 3)),
    (both_ways, (10, 3)),
)


def convert(make: Callable[[Tensor], Tensor], shape: tuple[int, ...]) -> bytes:
    keras.utils.set_random_seed(1)
    source = keras.Input(shape, batch_size=1)
    model = keras.Model(source, make(source))
    for layer in model.layers:
        # As of trained ones, cell states go beyond 1.
        if isinstance(layer, (k.LSTM, k.Bidirectional)):
            layer.set_weights([3 * values for values in layer.get_weights()])
    rng = np.random.default_rng(2)

    def samples() -> Iterator[list[np.ndarray]]:
        for _ in range(40):
            yield [rng.normal(size=(1, *shape)).astype(np.float32)]

    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = samples
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = converter.inference_output_type = tf.int8
    return bytes(converter.convert())


def main(folder: Path) -> None:
    """Write every file, or those of the functions that are named."""
    for make, shape in MODELS:
        if not sys.argv[2:] or make.__name__ in sys.argv[2:]:
            (folder / f"{make.__name__}_int8.tflite").write_bytes(convert(make, shape))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
