"""Int8 files of PyTorch networks, as litert-torch and ai-edge-quantizer write them.

    python -m venv lt && lt/bin/pip install torch==2.13.0 litert-torch
    lt/bin/python tests/deploy/tflite/make_torch.py tests/deploy/tflite/files

Channels stand before time, as in PyTorch, and batch norms after a convolution stay layers. See
make_foreign.py.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import litert_torch  # type: ignore[import-not-found]
import torch
from ai_edge_quantizer import quantizer, recipe  # type: ignore[import-not-found]
from torch import Tensor, nn
from torch.nn import functional


class Branch(nn.Module):
    """Layers of which some stand beside others."""

    def __init__(self, forward: Callable[..., Tensor], *layers: nn.Module) -> None:
        super().__init__()
        self.layers = nn.ModuleList(layers)
        self.compute = forward

    def forward(self, *x: Tensor) -> Tensor:
        return self.compute(*self.layers, *x)


def heart() -> nn.Module:
    """Eight seconds of PPG and acceleration at 16 Hz to 180 classes."""
    return nn.Sequential(
        nn.Conv1d(4, 8, 5, stride=2, padding=2),
        nn.BatchNorm1d(8),
        nn.ReLU(),
        nn.Conv1d(8, 8, 3, stride=2, padding=1, groups=8),
        nn.Conv1d(8, 8, 1),
        nn.ReLU(),
        nn.AdaptiveAvgPool1d(1),
        nn.Flatten(),
        nn.Linear(8, 180),
    )


def residual() -> nn.Module:
    """A padded maximum, as of a ResNet, and LeakyReLU, which stays in float."""
    return nn.Sequential(
        nn.Conv1d(2, 8, 7, stride=2, padding=3),
        nn.LeakyReLU(0.1),
        nn.MaxPool1d(3, 2, 1),
        Branch(lambda f, x: x + f(x), nn.Conv1d(8, 8, 3, padding=1)),
        nn.LeakyReLU(0.1),
        nn.AdaptiveAvgPool1d(1),
        nn.Flatten(),
        nn.Linear(8, 10),
    )


def encoder() -> nn.Module:
    """Two heads over steps and a class token."""
    token = nn.Embedding(1, 8)
    layer = nn.TransformerEncoderLayer(8, 2, 12, batch_first=True)

    def forward(token: nn.Embedding, embed: nn.Module, encode: nn.Module, head: nn.Module,
                x: Tensor) -> Tensor:  # fmt: skip
        steps = torch.cat([token.weight[None], embed(x).transpose(1, 2)], 1)
        return head(encode(steps)[:, 0])

    return Branch(forward, token, nn.Conv1d(2, 8, 8, stride=8), layer, nn.Linear(8, 5))


def queries() -> nn.Module:
    """Attention as it is written by hand, queries by keys and shares by values; logarithms of
    probabilities at the end, which the converter leaves in float."""

    def forward(embed: nn.Module, parts: nn.Module, head: nn.Module, x: Tensor) -> Tensor:
        q, k, v = parts(embed(x).transpose(1, 2)).chunk(3, -1)
        x = head((torch.softmax(q @ k.transpose(1, 2) / 2, -1) @ v).mean(1))
        return torch.log_softmax(x, -1)

    return Branch(forward, nn.Conv1d(2, 6, 8, stride=8), nn.Linear(6, 12), nn.Linear(4, 5))


def unet() -> nn.Module:
    """Steps repeated, and beside those before the pool."""

    def forward(down: nn.Module, middle: nn.Module, up: nn.Module, x: Tensor) -> Tensor:
        fine = torch.relu(down(x))
        coarse = torch.relu(middle(functional.max_pool1d(fine, 2)))
        return up(torch.cat([functional.interpolate(coarse, scale_factor=2), fine], 1))

    return Branch(
        forward,
        nn.Conv1d(1, 4, 3, padding=1),
        nn.Conv1d(4, 6, 3, padding=1),
        nn.Conv1d(10, 1, 3, padding=1),
    )


def bidirectional() -> nn.Module:
    """An LSTM both ways, unrolled; the steps of one are reversed in float."""

    def forward(lstm: nn.Module, head: nn.Module, x: Tensor) -> Tensor:
        return head(lstm(x.transpose(1, 2))[0][:, -1])

    return Branch(forward, nn.LSTM(2, 3, batch_first=True, bidirectional=True), nn.Linear(6, 5))


def grouped_norm() -> nn.Module:
    """Normalised in groups, whose scale each channel of a group repeats."""
    return nn.Sequential(
        nn.Conv1d(2, 8, 5, stride=2, padding=2),
        nn.GroupNorm(2, 8),
        nn.SiLU(),
        nn.AdaptiveAvgPool1d(1),
        nn.Flatten(),
        nn.Linear(8, 5),
    )


def curves() -> nn.Module:
    """Activations that the converter writes with comparisons, in part in float."""
    return nn.Sequential(
        nn.Conv1d(2, 8, 5, stride=2, padding=2),
        nn.ELU(),
        nn.Conv1d(8, 8, 3, padding=1),
        nn.SELU(),
        nn.Conv1d(8, 8, 3, padding=1),
        nn.Mish(),
        nn.Conv1d(8, 8, 3, padding=1),
        nn.Softplus(),
        nn.AdaptiveAvgPool1d(1),
        nn.Flatten(),
        nn.Linear(8, 5),
    )


def branches() -> nn.Module:
    """PPG and acceleration through layers of their own to 180 classes."""

    def forward(ppg: nn.Module, acc: nn.Module, both: nn.Module, head: nn.Module, x: Tensor,
                axes: Tensor) -> Tensor:  # fmt: skip
        joined = torch.cat([torch.relu(ppg(x)), torch.relu(acc(axes))], 1)
        return head(torch.relu(both(joined)).mean(2))

    return Branch(
        forward,
        nn.Conv1d(1, 4, 7, stride=4, padding=3),
        nn.Conv1d(3, 4, 5, stride=4, padding=2),
        nn.Conv1d(8, 8, 3, padding=1),
        nn.Linear(8, 180),
    )


def patches() -> nn.Module:
    """Overlapping parts of a signal that was padded by its other end."""

    def forward(around: nn.Module, each: nn.Module, head: nn.Module, x: Tensor) -> Tensor:
        parts = around(x).unfold(-1, 8, 4).permute(0, 2, 1, 3).flatten(2)
        return head(torch.relu(each(parts)).mean(1))

    around = nn.Conv1d(1, 3, 5, padding=2, padding_mode="circular")
    return Branch(forward, around, nn.Linear(24, 6), nn.Linear(6, 5))


MODELS: tuple[tuple[Callable[[], nn.Module], tuple[tuple[int, ...], ...]], ...] = (
    (heart, ((4, 128),)),
    (residual, ((2, 64),)),
    (encoder, ((2, 64),)),
    (queries, ((2, 64),)),
    (unet, ((1, 32),)),
    (bidirectional, ((2, 5),)),
    (grouped_norm, ((2, 32),)),
    (curves, ((2, 32),)),
    (branches, ((1, 128), (3, 128))),
    (patches, ((1, 32),)),
)


def convert(make: Callable[[], nn.Module], shapes: tuple[tuple[int, ...], ...]) -> bytes:
    torch.manual_seed(1)
    model = make().eval()
    for layer in model.modules():
        if isinstance(layer, nn.BatchNorm1d):  # as of trained ones
            for name, value in layer.named_buffers():
                if value.ndim:
                    value.uniform_(0.5, 1.5) if name == "running_var" else value.normal_(0, 0.3)
    windows = [tuple(torch.randn(1, *shape) for shape in shapes) for _ in range(40)]
    with TemporaryDirectory() as folder:
        path = Path(folder) / "float.tflite"
        litert_torch.convert(model, windows[0]).export(str(path))
        whole = quantizer.Quantizer(str(path), recipe.static_wi8_ai8())
        samples = [{f"args_{i}": x.numpy() for i, x in enumerate(xs)} for xs in windows]
        result = whole.quantize(whole.calibrate({"serving_default": samples}))
        return bytes(result.quantized_model)


def main(folder: Path) -> None:
    """Write every file, or those of the functions that are named."""
    for make, shapes in MODELS:
        if not sys.argv[2:] or make.__name__ in sys.argv[2:]:
            path = folder / f"torch_{make.__name__}_int8.tflite"
            path.write_bytes(convert(make, shapes))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
