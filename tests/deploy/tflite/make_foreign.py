"""Int8 files as Keras and TFLite's converter write them: what `score` and `verify` must read.

    python -m venv tf && tf/bin/pip install tensorflow-cpu
    tf/bin/python tests/deploy/tflite/make_foreign.py tests/deploy/tflite/files

Tests read the stored files (see files/README.md). Weights are random; a file is a few kilobytes.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import keras  # type: ignore[import-not-found]
import numpy as np
import tensorflow as tf  # type: ignore[import-untyped]
from keras import layers as k

Tensor = Any


def mlp(x: Tensor) -> Tensor:
    """Dense layers alone: one weight scale a channel."""
    for units in (24, 17):
        x = k.Dense(units, activation="relu")(x)
    return k.Dense(10)(x)


def zero_channel(x: Tensor) -> Tensor:
    x = k.Conv1D(8, 3, padding="same", activation="relu", name="dead")(x)
    return k.Dense(6, name="dead_dense")(k.GlobalAveragePooling1D()(x))


def tcn(x: Tensor) -> Tensor:
    """Causal, dilated, with residuals."""
    x = k.Conv1D(8, 5, padding="causal", activation="relu")(x)
    for dilation in (1, 2, 4):
        y = k.Conv1D(8, 3, padding="causal", dilation_rate=dilation, activation="relu")(x)
        x = k.Add()([x, y])
    return k.Dense(10)(k.GlobalAveragePooling1D()(x))


def dilated(x: Tensor) -> Tensor:
    """Steps that the dilation does not divide; depthwise layers have a height."""
    x = k.Conv1D(8, 3, padding="causal", dilation_rate=4, activation="relu")(x)
    x = k.SeparableConv1D(8, 3, padding="same", dilation_rate=3, activation="relu")(x)
    x = k.DepthwiseConv1D(3, padding="same", dilation_rate=2)(x)
    return k.Dense(10)(k.GlobalAveragePooling1D()(x))


def separable(x: Tensor) -> Tensor:
    x = k.SeparableConv1D(12, 5, strides=2, padding="same", activation="relu")(x)
    x = k.MaxPooling1D(2)(x)
    x = k.SeparableConv1D(16, 3, padding="same", depth_multiplier=2, activation="relu6")(x)
    return k.Dense(10)(k.Flatten()(k.AveragePooling1D(2)(x)))


def mobilenet(x: Tensor) -> Tensor:
    x = k.Conv2D(8, 3, strides=2, padding="same")(x)
    x = k.ReLU(6.0)(k.BatchNormalization()(x))
    for width, stride in ((8, 1), (16, 2), (16, 1)):
        y = k.ZeroPadding2D(((0, 1), (0, 1)))(x) if stride == 2 else x
        y = k.DepthwiseConv2D(3, strides=stride, padding="valid" if stride == 2 else "same")(y)
        y = k.ReLU(6.0)(k.BatchNormalization()(y))
        y = k.BatchNormalization()(k.Conv2D(width, 1)(y))
        x = k.Add()([x, y]) if x.shape == y.shape else y
    return k.Softmax()(k.Dense(5)(k.GlobalAveragePooling2D()(x)))


def convolutions(x: Tensor) -> Tensor:
    """Plain 2-D convolutions and pools, then dense layers."""
    x = k.MaxPooling2D(2)(k.Conv2D(8, 3, activation="relu")(x))
    x = k.AveragePooling2D(2)(k.Conv2D(12, 3, padding="same", activation="relu")(x))
    return k.Dense(10)(k.Dense(32, activation="relu")(k.Flatten()(x)))


def grouped(x: Tensor) -> Tensor:
    x = k.Conv2D(8, 1, activation="relu")(x)
    x = k.Conv2D(12, 3, groups=4, padding="same", activation="relu")(x)
    return k.Dense(5)(k.GlobalAveragePooling2D()(x))


def multiplier(x: Tensor) -> Tensor:
    x = k.DepthwiseConv2D(3, depth_multiplier=3, strides=2, activation="relu")(x)
    return k.Dense(5)(k.Flatten()(k.MaxPooling2D(2)(x)))


def concatenated(x: Tensor) -> Tensor:
    """Inception: branches of other ranges, requantised and joined."""
    branches = [k.Conv1D(4, n, padding="same", activation="relu")(x) for n in (1, 3, 7)]
    x = k.Concatenate()([*branches, k.MaxPooling1D(3, 1, padding="same")(x)])
    return k.Dense(10)(k.GlobalAveragePooling1D()(x))


def gated(x: Tensor) -> Tensor:
    """Squeeze and excite."""
    x = k.Conv1D(8, 3, padding="same", activation="relu")(x)
    gate = k.Dense(4, activation="relu")(k.GlobalAveragePooling1D()(x))
    gate = k.Reshape((1, 8))(k.Dense(8, activation="sigmoid")(gate))
    return k.Dense(10)(k.GlobalMaxPooling1D()(k.Multiply()([x, gate])))


def squashed(x: Tensor) -> Tensor:
    """Activations that are operators of their own."""
    for activation in ("tanh", "hard_swish", "sigmoid"):
        x = k.Activation(activation)(k.Conv1D(8, 3, padding="same")(x))
    x = k.LeakyReLU(negative_slope=0.2)(k.Conv1D(8, 3, padding="same")(x))
    return k.Dense(10)(k.Flatten()(k.ReLU()(k.AveragePooling1D(2)(x))))


def gated_product(x: Tensor) -> Tensor:
    """WaveNet's gate: tanh times sigmoid, both of a slice of the channels."""
    x = k.Conv1D(16, 3, padding="same")(x)
    x = k.Multiply()([k.Activation("tanh")(x[:, :, :8]), k.Activation("sigmoid")(x[:, :, 8:])])
    return k.Dense(10)(k.GlobalAveragePooling1D()(x))


def wavenet(x: Tensor) -> Tensor:
    """The same gate of dilated layers, which share the steps that are parted."""
    for dilation in (2, 3):
        options = {"padding": "causal", "dilation_rate": dilation}
        gate = [k.Conv1D(8, 2, activation=a, **options)(x) for a in ("tanh", "sigmoid")]
        x = k.Conv1D(8, 1)(k.Multiply()(gate))
    return k.Dense(10)(k.GlobalAveragePooling1D()(x))


def constants(x: Tensor) -> Tensor:
    """Joined with what the file stores: a scale of the input, one a channel, one minus it."""
    x = k.Conv1D(8, 3, padding="same")(k.Rescaling(0.5, offset=-0.25)(x))
    x = k.BatchNormalization()(k.MaxPooling1D(2)(x))
    gate = k.Activation("hard_sigmoid")(k.Dense(8)(k.GlobalAveragePooling1D()(x)))
    x = k.Multiply()([x, k.Reshape((1, 8))(1.0 - gate)])
    return k.Dense(10)(k.Flatten()(k.Activation("swish")(x)))


def sliced(x: Tensor) -> Tensor:
    x = k.Conv1D(8, 3, padding="same", activation="relu")(x)
    return k.Dense(10)(k.Flatten()(k.Cropping1D((3, 2))(x)[:, ::2]))


def last_step(x: Tensor) -> Tensor:
    """The end of a causal network: the last step alone."""
    return k.Dense(10)(k.Conv1D(8, 3, padding="causal", activation="relu")(x)[:, -1])


def permuted(x: Tensor) -> Tensor:
    x = k.Conv1D(8, 3, padding="same", activation="relu")(k.Permute((2, 1))(x))
    return k.Dense(10)(k.Flatten()(k.Permute((2, 1))(x)))


def subtracted(x: Tensor) -> Tensor:
    x = k.Subtract()([k.Conv1D(8, 3, padding="same")(x), k.Conv1D(8, 5, padding="same")(x)])
    return k.Dense(10)(k.GlobalMaxPooling1D()(x))


def two_outputs(x: Tensor) -> list[Tensor]:
    x = k.GlobalAveragePooling1D()(k.Conv1D(8, 3, padding="same", activation="relu")(x))
    return [k.Dense(10)(x), k.Dense(1, activation="sigmoid")(x)]


def rows(x: Tensor) -> Tensor:
    """Dense layers over each step."""
    x = k.Dense(8, activation="relu")(x)
    return k.Dense(10)(k.GlobalAveragePooling1D()(k.Dense(6)(x)))


def pyramid(x: Tensor) -> Tensor:
    """A detector's pyramid: nearest neighbours, as Keras repeats them, and joined heads."""
    x = k.Conv2D(8, 3, strides=2, padding="same", activation="relu")(x)
    y = k.Conv2D(8, 3, strides=2, padding="same", activation="relu")(x)
    heads = [k.Add()([x, k.UpSampling2D(2)(y)]), y]
    return k.Concatenate(axis=1)([k.Reshape((-1, 3))(k.Conv2D(6, 1)(h)) for h in heads])


def resized(x: Tensor) -> Tensor:
    """A detector's pyramid as Keras 2 and PyTorch's converters resize it."""
    x = k.Conv2D(8, 3, strides=2, padding="same", activation="relu")(x)
    y = k.Conv2D(8, 3, strides=2, padding="same", activation="relu")(x)
    y = k.Lambda(lambda t: tf.image.resize(t, (8, 8), method="nearest"))(y)
    return k.Conv2D(4, 1)(k.Add()([x, y]))


def segmented(x: Tensor) -> Tensor:
    """DeepLab's head: the mean of the image beside a dilated layer, then as large as the input."""
    x = k.Conv2D(8, 3, strides=2, padding="same", activation="relu")(x)
    y = k.Conv2D(8, 3, padding="same", dilation_rate=2, activation="relu")(x)
    z = k.Conv2D(8, 1, activation="relu")(k.GlobalAveragePooling2D(keepdims=True)(x))
    z = k.Resizing(8, 8, interpolation="bilinear")(z)
    x = k.Conv2D(3, 1)(k.Concatenate()([x, y, z]))
    return k.Softmax()(k.UpSampling2D(2, interpolation="bilinear")(x))


def faces(x: Tensor) -> Tensor:
    """BlazeFace: shortcuts to more channels are padded."""
    x = k.Conv2D(6, 5, strides=2, padding="same", activation="relu")(x)
    for width, stride in ((8, 1), (12, 2)):
        y = k.Conv2D(width, 1)(k.DepthwiseConv2D(3, strides=stride, padding="same")(x))
        x = k.MaxPooling2D(2)(x) if stride == 2 else x
        more = [[0, 0], [0, 0], [0, 0], [0, width - x.shape[3]]]
        x = k.ReLU()(k.Add()([k.Lambda(tf.pad, arguments={"paddings": more})(x), y]))
    return k.Reshape((-1, 2))(k.Conv2D(4, 1)(x))


def passthrough(x: Tensor) -> Tensor:
    """YOLO v2: a finer layer beside the last, in blocks; and PyTorch's shuffle of channels."""
    x = k.LeakyReLU(negative_slope=0.1)(k.Conv2D(4, 3, strides=2, padding="same")(x))
    y = k.Conv2D(8, 3, padding="same", activation="relu")(k.MaxPooling2D(2)(x))
    x = k.Concatenate()([k.Lambda(lambda t: tf.nn.space_to_depth(t, 2))(x), y])
    x = k.Permute((1, 2, 4, 3))(k.Reshape((4, 4, 2, 12))(x))
    x = k.Conv2D(8, 1)(k.Reshape((4, 4, 24))(x))
    return k.Lambda(lambda t: tf.nn.depth_to_space(t, 2))(x)


def moved(x: Tensor) -> Tensor:
    """Packed, unpacked, gathered, tiled and sliced."""
    x = k.Conv1D(8, 3, padding="same", activation="relu")(x)
    first, second, third = k.Lambda(lambda t: tf.unstack(t[:, :3], axis=1))(x)
    x = k.Lambda(lambda t: tf.gather(t, [5, 6, 1, 2, 0], axis=-1))(x)
    x = k.Lambda(lambda t: tf.tile(tf.slice(t, [0, 3, 1], [1, -1, 3]), [1, 1, 2]))(x)
    pair = k.Lambda(lambda t: tf.stack(t, axis=1))([k.Add()([first, third]), second])
    return k.Dense(10)(k.Concatenate()([k.Flatten()(pair), k.GlobalMaxPooling1D()(x)]))


def landmarks(x: Tensor) -> Tensor:
    """Slopes that were learned, for each channel and for each place."""
    x = k.PReLU("uniform", shared_axes=[1, 2])(k.Conv2D(8, 3, strides=2, padding="same")(x))
    x = k.PReLU("uniform")(k.MaxPooling2D(2)(k.Conv2D(4, 1)(x)))
    return k.Dense(10)(k.Flatten()(x))


def exponential(x: Tensor) -> Tensor:
    """ELU, as networks of EEG have it: it stays in float between int8 layers."""
    x = k.MaxPooling1D(2)(k.Conv1D(8, 5, padding="same", activation="elu")(x))
    x = k.Conv1D(8, 3, padding="same", activation="elu")(x)
    return k.Dense(10)(k.GlobalAveragePooling1D()(x))


def attention(x: Tensor) -> Tensor:
    """Products of a tensor with itself: its rows, then again."""
    x = k.Conv1D(8, 3, padding="same")(x)
    return k.Dense(4)(k.GlobalAveragePooling1D()(k.Attention()([x, x])))


def transformer(x: Tensor) -> Tensor:
    """Two heads, and normalisations that share a constant."""
    x = k.Dense(8)(x)
    x = k.LayerNormalization()(k.Add()([x, k.MultiHeadAttention(2, 4)(x, x)]))
    x = k.LayerNormalization()(k.Add()([x, k.Dense(8)(k.Dense(12, activation="relu")(x))]))
    return k.Dense(10)(k.GlobalAveragePooling1D()(x))


def weighed(x: Tensor) -> Tensor:
    """Pooled by attention: a share of each step, and their sum."""
    x = k.Conv1D(8, 3, padding="same", activation="relu")(x)
    return k.Dense(10)(keras.ops.sum(x * k.Softmax(axis=1)(k.Dense(1)(x)), axis=1))


def reversed_steps(x: Tensor) -> Tensor:
    """Steps from the last to the first, every one and every third."""
    x = k.Conv1D(8, 3, padding="same", activation="relu")(x)
    y = k.Conv1D(4, 3)(k.Concatenate()([x, k.Lambda(lambda t: tf.reverse(t, [1]))(x)]))
    return k.Dense(10)(k.Concatenate()([k.Flatten()(y[:, ::-1]), k.Flatten()(y[:, 40:3:-3])]))


def autoencoder(x: Tensor) -> Tensor:
    """Strides there and back, with a shortcut: a U-Net of one level."""
    y = k.Conv1D(8, 5, strides=2, padding="same", activation="relu")(x)
    y = k.Conv1DTranspose(6, 5, strides=2, padding="same", activation="relu")(y)
    return k.Conv1DTranspose(2, 3)(k.Concatenate()([x, y]))


def selected(x: Tensor) -> Tensor:
    """A leaky slope by a comparison."""
    x = k.Conv1D(8, 3, padding="same")(x)
    return k.Dense(4)(k.GlobalAveragePooling1D()(keras.ops.where(x > 0, x, x * 0.5)))


def masked(x: Tensor) -> Tensor:
    """Comparisons that become numbers: one is multiplied, one stands beside the values."""
    x = k.Conv1D(8, 3, padding="same")(x)
    small, large = (keras.ops.cast(told, "float32") for told in (x <= 0.4, x > -0.2))
    return k.Dense(10)(k.GlobalAveragePooling1D()(k.Concatenate()([x * small, large])))


def layernorm(x: Tensor) -> Tensor:
    """Means over the channels; what is negated stays in float."""
    x = k.LayerNormalization()(k.Conv1D(8, 3, padding="same", activation="relu")(x))
    return k.Dense(10)(k.GlobalAveragePooling1D()(x))


def groupnorm(x: Tensor) -> Tensor:
    """Means over steps and the channels of a group, which is an axis between them."""
    x = k.GroupNormalization(2)(k.Conv1D(8, 3, padding="same")(x))
    return k.Dense(10)(k.GlobalAveragePooling1D()(x))


def gelu(x: Tensor) -> Tensor:
    return k.Dense(4)(k.Flatten()(k.Activation("gelu")(k.Conv1D(8, 3, padding="same")(x))))


def heart(x: Tensor) -> Tensor:
    """Eight seconds of PPG and acceleration at 16 Hz to 180 classes, as `evaluate` reads them."""
    x = k.Conv1D(8, 5, strides=2, padding="causal", activation="relu")(x)
    return k.Dense(180)(k.GlobalAveragePooling1D()(x))


def heart_softmax(x: Tensor) -> Tensor:
    """The same, to probabilities, and surer."""
    x = k.Conv1D(8, 5, strides=2, padding="causal", activation="relu")(x)
    sure = keras.initializers.RandomNormal(stddev=6.0)
    return k.Softmax()(k.Dense(180, kernel_initializer=sure)(k.GlobalAveragePooling1D()(x)))


def expected(x: Tensor) -> Tensor:
    """A mean of heart rates by their probabilities: a sum over all that is left."""
    share = k.Dense(12, "softmax")(k.GlobalAveragePooling1D()(k.Conv1D(6, 3)(x)))
    return keras.ops.sum(share * np.arange(30.0, 90, 5), axis=-1, keepdims=True)


def powers(x: Tensor) -> Tensor:
    """Squares, which converters leave in float, and a root, which the newest do not."""
    x = keras.ops.square(k.RMSNormalization()(k.Conv1D(8, 3)(x)))
    return k.Dense(6)(keras.ops.sqrt(keras.ops.mean(x, axis=1) + 1e-3))


SERIES, IMAGE, WINDOW = (48, 4), (16, 16, 3), (128, 4)
_IMAGE = (convolutions, grouped, multiplier, pyramid, resized, segmented, faces, passthrough,
          landmarks)  # fmt: skip
_SERIES = (
    zero_channel, concatenated, squashed, gated_product, wavenet, constants, sliced, last_step,
    permuted, subtracted, moved, exponential, attention, transformer, weighed, reversed_steps,
    autoencoder, selected, masked, gelu, layernorm, groupnorm, expected, powers)  # fmt: skip
MODELS: tuple[tuple[Callable[[Tensor], Any], tuple[int, ...], tuple[str, ...]], ...] = (
    (mlp, (40,), ("int8", "float", "uint8")),
    (tcn, SERIES, ("int8", "float", "dynamic")),
    (dilated, (50, 4), ("dynamic",)),
    (separable, SERIES, ("int8", "dynamic")),
    (mobilenet, IMAGE, ("int8", "uint8")),
    (gated, SERIES, ("int8", "dynamic")),
    (heart, WINDOW, ("int8", "float")),
    (heart_softmax, WINDOW, ("int8", "float")),
    (two_outputs, SERIES, ("int8", "float")),
    (rows, SERIES, ("int8", "dynamic")),
    *((make, SERIES, ("int8",)) for make in _SERIES),
    *((make, IMAGE, ("int8",)) for make in _IMAGE),
)


def _model(make: Callable[[Tensor], Any], shape: tuple[int, ...], batch: int | None) -> Any:
    keras.utils.set_random_seed(1)
    source = keras.Input(shape, batch_size=batch)
    model = keras.Model(source, make(source))
    rng = np.random.default_rng(1)
    for layer in model.layers:
        # Biases of 0 and averages of 0 would hide what they do.
        weights = layer.get_weights()
        for index, variable in enumerate(layer.weights):
            if weights[index].ndim == 1 and "variance" not in variable.name:
                weights[index] = weights[index] + rng.normal(size=weights[index].shape) * 0.2
        if layer.name.startswith("dead"):
            weights[0][..., 2], weights[1][2] = 0, 0
        if weights:
            layer.set_weights(weights)
    return model


def convert(make: Callable[[Tensor], Any], shape: tuple[int, ...], ends: str) -> bytes:
    """A file whose ends are `int8`, `uint8`, `float`, or int8 with a free batch (`dynamic`)."""
    model = _model(make, shape, None if ends == "dynamic" else 1)
    rng = np.random.default_rng(2)

    def samples() -> Iterator[list[np.ndarray]]:
        for _ in range(40):
            yield [rng.normal(size=(1, *shape)).astype(np.float32)]

    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = samples
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    kinds = {"float": tf.float32, "uint8": tf.uint8}
    converter.inference_input_type = converter.inference_output_type = kinds.get(ends, tf.int8)
    return bytes(converter.convert())


def main(folder: Path, models: Any = MODELS) -> None:
    """Write every file, or those of the functions that are named, and their operators."""
    chosen = sys.argv[2:]
    for make, shape, kinds in models:
        for ends in kinds if not chosen or make.__name__ in chosen else ():
            content = convert(make, shape, ends)
            (folder / f"{make.__name__}_{ends}.tflite").write_bytes(content)
            found = tf.lite.Interpreter(model_content=content)._get_ops_details()
            names = " ".join(operator["op_name"] for operator in found)
            print(f"{make.__name__}_{ends}: {len(content)} bytes: {names}", flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
