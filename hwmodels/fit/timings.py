"""Readers of the timings in `hwmodels/data`: single layers and whole networks on real parts.

Sources and what each column means: `data/README.md`.
"""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import cast

from hwmodels.engines.kernels import Geometry, geometry
from hwmodels.engines.load import DATA_DIR
from hwmodels.graph import Layer
from hwmodels.operators import WEIGHTED_OPS, Op

LAYERS_CSV = DATA_DIR / "layer_cycles_tflm.csv"
NETWORKS_CSV = DATA_DIR / "whole_networks.csv"
NETWORK_LAYERS_CSV = DATA_DIR / "whole_network_layers.csv"
# It runs on a stream: its time includes the features of the sound, its power sleep.
STREAMING = "mlcommons_tiny____str_ww_ref_model"

# ST's tools from 8.1 on pruned this network (its source: 4,646,932 MACs are left of 7.5 million),
# so its layers are not what was timed.
_PRUNED = "st_v2.0.1__VisualWakeWord__mobilenet_v1_0.25_96_int8"


@dataclass(frozen=True)
class TimedLayer:
    """One convolution timed by the cycle counter of a part.

    Attributes:
        cycles: of the kernel, without the interpreter.
        input_bytes, output_bytes, arena_bytes: of the network of this one layer.
    """

    mcu: str
    core: str
    geometry: Geometry
    cycles: float
    input_bytes: int
    output_bytes: int
    arena_bytes: int

    @property
    def group(self) -> tuple[int, int, int, int]:
        """Layers with weights of one shape are left out together, whatever their input."""
        g = self.geometry
        return g.kernel_h, g.kernel_w, g.cin, g.cout


@dataclass(frozen=True)
class TimedNetwork:
    """One network timed on one part under one version of a runtime.

    Attributes:
        model: name of the network; keys its layers.
        version: `3`, `10`, `8.1` or `7.3` of ST's tools (see `st_version`); the build of TFLM.
        layers: `(op, geometry)` in execution order.
    """

    model: str
    mcu: str
    core: str
    runtime: str
    version: str
    latency_ms: float
    cycles: float
    layers: tuple[tuple[str, Geometry], ...]


def csv_rows(path: Path) -> Iterator[dict[str, str]]:
    """Rows of a table by the names in its first line."""
    with path.open(encoding="utf-8", newline="") as stream:
        yield from csv.DictReader(stream)


def shape_of(text: str) -> tuple[int, ...]:
    """`1x49x10x64` as numbers."""
    return tuple(int(size) for size in text.split("x"))


def timed_layers() -> list[TimedLayer]:
    """All single layers."""
    return [_timed_layer(row) for row in csv_rows(LAYERS_CSV)]


def _timed_layer(row: dict[str, str]) -> TimedLayer:
    source, target = shape_of(row["in_shape"]), shape_of(row["out_shape"])
    kernel, stride = ((int(row[f"{key}_h"]), int(row[f"{key}_w"])) for key in ("kernel", "stride"))
    layer = Layer("", "conv", (), "", kernel, stride, padding="same")
    return TimedLayer(
        mcu=row["mcu"],
        core=row["core"],
        geometry=geometry(layer, source, target),
        cycles=float(row["cycles"]),
        input_bytes=source[1] * source[2] * source[3],
        output_bytes=target[1] * target[2] * target[3],
        arena_bytes=int(row["arena_bytes"]),
    )


@cache  # half of what `held_out` takes, were they read for each law
def network_layers() -> dict[str, tuple[tuple[str, Geometry], ...]]:
    """`(op, geometry)` of every layer of the timed networks, in execution order, by model."""
    layers: dict[str, list[tuple[str, Geometry]]] = defaultdict(list)
    for row in csv_rows(NETWORK_LAYERS_CSV):
        if not row["in_shape"] or not row["out_shape"]:
            continue
        shapes = shape_of(row["in_shape"]), shape_of(row["out_shape"])
        layers[row["model"]].append((row["op"], geometry(layer_of(row), *shapes)))
    return {model: tuple(rows) for model, rows in layers.items()}


@cache
def alike() -> dict[str, str]:
    """Model -> the first one of the same layers with weights, maybe itself.

    A network that was published again keeps its layers and gets another name.
    """
    first: dict[tuple[tuple[str, Geometry], ...], str] = {}
    return {
        model: first.setdefault(tuple(x for x in layers if x[0] in WEIGHTED_OPS), model)
        for model, layers in network_layers().items()
    }


def layer_of(row: dict[str, str]) -> Layer:
    """The layer of a row of `whole_network_layers.csv`."""
    kernel, stride, dilation = (
        (int(row[f"{key}_h"] or 1), int(row[f"{key}_w"] or 1))
        for key in ("kernel", "stride", "dilation")
    )
    return Layer("", cast(Op, row["op"]), (), "", kernel, stride, dilation)


def timed_networks(runtime: str) -> list[TimedNetwork]:
    """Networks timed under `TFLM+CMSIS-NN`, `microTVM-CMSIS-NN` or `ST`, all of ST's tools."""
    layers = network_layers()
    found = []
    for row in csv_rows(NETWORKS_CSV):
        name = "ST" if row["runtime"] in ("X-CUBE-AI", "STEdgeAI") else row["runtime"]
        version = st_version(row) if name == "ST" else row["runtime_version"]
        pruned = row["model"] == _PRUNED and version in ("3", "10", "8.1")
        if name == runtime and not pruned:
            found.append(
                TimedNetwork(
                    model=row["model"],
                    mcu=row["mcu"],
                    core=row["core"],
                    runtime=row["runtime"],
                    version=version,
                    latency_ms=float(row["latency_ms"]),
                    cycles=float(row["cycles"]),
                    layers=layers[row["model"]],
                )
            )
    return found


def st_version(row: dict[str, str]) -> str:
    """Versions of ST's tools that run alike are one: 9 and 10 of X-CUBE-AI are `10`, ST Edge AI 3
    and 4 are `3`. What a source does not know stays by itself."""
    if row["runtime"] == "STEdgeAI":
        return "3"
    version = row["runtime_version"]
    if "?" in version:
        return version
    return "10" if version.startswith(("9.", "10.")) else version[:3]
