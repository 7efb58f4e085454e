"""More int8 files of Keras: of networks that normalise, mirror or part their windows themselves.

    tf/bin/python -m tests.deploy.tflite.make_windows tests/deploy/tflite/files

See make_foreign.py.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import keras  # type: ignore[import-not-found]
from keras import layers as k

from tests.deploy.tflite.make_foreign import SERIES, main

Tensor = Any


def normalised(x: Tensor) -> Tensor:
    """Each window by its own mean and deviation, then by its own range; and softsign."""
    x = (x - keras.ops.mean(x, 1, keepdims=True)) / (keras.ops.std(x, 1, keepdims=True) + 0.1)
    low, high = (f(x, 1, keepdims=True) for f in (keras.ops.min, keras.ops.max))
    x = k.Conv1D(6, 3, activation="softsign")((x - low) / (high - low + 0.1))
    return k.Dense(5)(k.GlobalAveragePooling1D()(x))


def waves(x: Tensor) -> Tensor:
    """A curve that stays in float, read twice and joined there."""
    x = keras.ops.sin(k.Conv1D(4, 3, padding="same")(x))
    y = keras.ops.cos(k.Conv1D(4, 3, padding="same")(x))
    return k.Dense(5)(k.GlobalAveragePooling1D()(k.Concatenate()([x, y])))


def distributed(x: Tensor) -> Tensor:
    """One layer over each part of a window, whose edges are mirrored."""
    x = keras.ops.pad(x, [[0, 0], [3, 5], [0, 0]], mode="reflect")
    x = k.TimeDistributed(k.Conv1D(4, 3, activation="relu"))(k.Reshape((4, 14, 4))(x))
    return k.Dense(5)(k.Flatten()(k.TimeDistributed(k.GlobalMaxPooling1D())(x)))


def likelihoods(x: Tensor) -> Tensor:
    """Logarithms of probabilities, of each step and at the end."""
    x = k.Conv1D(4, 3, activation="log_softmax")(k.Conv1D(6, 3, strides=2)(x))
    return k.Dense(5, activation="log_softmax")(k.Flatten()(x))


if __name__ == "__main__":
    main(
        Path(sys.argv[1]),
        tuple((f, SERIES, ("int8",)) for f in (normalised, waves, distributed, likelihoods)),
    )
