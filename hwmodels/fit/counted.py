"""Fit of counted kernels: `python -m hwmodels.fit` writes `data/cmsis_nn_m7.toml`.

Two steps, both from the CSV files in `hwmodels/data`:

1. Instructions per kernel class, non-negative least squares of the relative error on single
   layers counted in emulation (Cortex-M7, CMSIS-NN). The error is leave-one-layer-out.
2. Cycles per instruction of whole networks timed on Cortex-M7 boards under TFLM: (measured cycles
   - dispatch - operators outside the laws) / instructions. Most were built with older kernels,
   which need more instructions than the counted ones, so they do not set the value of the engine
   of the counted version; their extremes widen its interval. `hwmodels.fit.timed` uses them in
   full.
"""

from __future__ import annotations

import statistics
from collections import defaultdict
from dataclasses import dataclass

import numpy as np

from hwmodels.engines.file import FitFile, KernelFile, LimitsFile, ScaleFile
from hwmodels.engines.kernels import CLASSES, Geometry, geometry, kernel_class
from hwmodels.engines.load import DATA_DIR, assumed_cycles, read_fit
from hwmodels.fit.law_file import significant
from hwmodels.fit.regression import Array, leave_groups_out_linear, pair_width, solve
from hwmodels.fit.timings import NETWORKS_CSV, TimedNetwork, csv_rows, timed_networks
from hwmodels.graph import Graph

# Runtimes with the kernels of CMSIS-NN.
BUILDS = ("TFLM+CMSIS-NN", "microTVM-CMSIS-NN", "TFLM-e-AI")
COUNTS_CSV = DATA_DIR / "layer_counts_cmsisnn_m7.csv"
FIT_TOML = DATA_DIR / "cmsis_nn_m7.toml"

_OPS = {"dw": "depthwise_conv", "fc": "fully_connected", "avgpool": "avg_pool",
        "maxpool": "max_pool"}  # fmt: skip


@dataclass(frozen=True)
class Counted:
    """Layers of one kernel class.

    Attributes:
        geometries: one per layer.
        instructions: `(layers,)` counted in emulation.
    """

    geometries: tuple[Geometry, ...]
    instructions: Array


Law = KernelFile
"""A law of one kernel class, its errors of layers left out one by one. Its limits hold the timed
Cortex-M7 networks too; a file has fewer digits, see `document`."""


def read_counts() -> dict[str, Counted]:
    """Counted layers by kernel class."""
    groups: dict[str, list[tuple[Geometry, float]]] = defaultdict(list)
    for row in csv_rows(COUNTS_CSV):
        op = _OPS.get(row["op"], row["op"])
        columns = int(row["positions"])
        # `3`, or `10x8` of a layer along both axes, whose layout is its output, `25x20`.
        *tall, kernel_w = map(int, row["kernel"].split("x"))
        kernel_h = tall[0] if tall else 1
        cin, dilation = int(row["cin"]), int(row["dilation"])
        strided = int(row["stride"]) > 1
        if op in ("add", "softmax"):
            columns = cin if op == "softmax" else columns
            shape = Geometry(1, columns, 1, 1, columns, cin, cin)
        else:
            taps, cout = int(row["taps"]), int(row["cout"])
            sizes = (1, columns, 1, kernel_w)
            if row["layout"] == "T1":
                sizes = (columns, 1, kernel_w, 1)
            elif row["layout"] != "1T":
                rows, columns = map(int, row["layout"].split("x"))
                sizes = (rows, columns, kernel_h, kernel_w)
            shape = Geometry(*sizes, taps, cin, cout, strided, dilation > 1)
        name = "conv" if op == "conv_force" else kernel_class(op, shape)
        groups[name].append((shape, float(row["instructions"])))
    return {
        name: Counted(tuple(g for g, _ in rows), np.array([count for _, count in rows]))
        for name, rows in groups.items()
    }


def design(name: str, geometries: tuple[Geometry, ...]) -> Array:
    """Feature matrix `(layers, features)` of one kernel class."""
    return np.array([CLASSES[name].features(g) for g in geometries], dtype=np.float64)


def fit_law(name: str, counted: Counted, timed: tuple[Geometry, ...] = ()) -> Law:
    """Fit one class and cross-validate it layer by layer; `timed` only widens its limits."""
    features, counts = design(name, counted.geometries), counted.instructions
    held_out = leave_groups_out_linear(features, counts, range(len(counts)))
    errors = np.abs(held_out.errors)
    return Law(
        layers=len(counts),
        mean_error=float(np.mean(errors)),
        p90_error=float(np.quantile(errors, 0.9)),
        max_error=float(np.max(errors)),
        limits=LimitsFile.of(counted.geometries + timed),
        features=CLASSES[name].names,
        instructions=tuple(map(float, solve(features, counts))),
    )


def counted_instructions(
    laws: dict[str, Law], layers: tuple[tuple[str, Geometry], ...]
) -> tuple[float, float]:
    """Instructions of a network in the laws, and cycles outside them.

    Operators without a figure (quantize, dequantize, transpose at the networks' ends) count 0.
    """
    dispatch, assumed = assumed_cycles("tflm-cmsis-nn")
    inside = outside = 0.0
    for op, shape in layers:
        outside += dispatch
        if op in assumed:
            outside += assumed[op] * shape.positions
        elif op in COUNTED_OPS:
            name = kernel_class(op, shape)
            inside += float(np.dot(CLASSES[name].features(shape), laws[name].instructions))
    return inside, outside


CYCLES_PER_INSTRUCTION = 0.74
"""Emulated, as are the cycles of generated C beside it: calls of `deploy.cmsis_nn`, built by gcc
12.2, come to 0.73 to 0.75. Boards, whose memory waits, take 0.82 to 0.91 (data/README.md)."""


def cmsis_nn_instructions(graph: Graph) -> float:
    """Instructions of one inference in CMSIS-NN 99f736a (gcc 12.2 -O3), by the laws on file.

    Operators without a counted kernel (`pad`, `reshape`, `mean`) and the interpreter are left out,
    so it is a lower bound.
    """
    layers = (
        (layer.op, geometry(layer, graph.shape(layer.inputs[0]), graph.shape(layer.output)))
        for layer in graph.layers
    )
    return counted_instructions(dict(read_fit(FIT_TOML).kernels), tuple(layers))[0]


COUNTED_OPS = frozenset({"conv", "depthwise_conv", "fully_connected", "add", "avg_pool",
                         "max_pool", "softmax"})  # fmt: skip


def cycles_per_instruction(laws: dict[str, Law], core: str) -> list[tuple[str, str, float]]:
    """`(model, mcu, cycles per counted instruction)` of each network timed on a core."""
    ratios = []
    for network in timed_networks("TFLM+CMSIS-NN"):
        if network.core == core:
            inside, outside = counted_instructions(laws, network.layers)
            ratios.append((network.model, network.mcu, (network.cycles - outside) / inside))
    return ratios


@dataclass(frozen=True)
class Builds:
    """Whole networks on a core, by the laws of counted instructions.

    Attributes:
        residuals: `(networks,)` logs of cycles per counted instruction.
        builds: `(networks,)` part, runtime and version; pairs of one build tell what an anchor is
            worth.
    """

    residuals: Array
    builds: tuple[tuple[str, str, str], ...]


def networks_of(core: str) -> list[TimedNetwork]:
    """Networks timed on a core with the kernels of CMSIS-NN, but for one that ran no such code:
    its cycles are below half of the counted instructions."""
    networks = [n for runtime in BUILDS for n in timed_networks(runtime)]
    return [n for n in networks if n.core == core and n.mcu != "MCXN947"]


def by_build(laws: dict[str, Law], core: str) -> Builds:
    """Cycles per counted instruction of all networks timed on a core."""
    residuals, builds = [], []
    for network in networks_of(core):
        inside, outside = counted_instructions(laws, network.layers)
        residuals.append(np.log((network.cycles - outside) / inside))
        builds.append((network.mcu, network.runtime, network.version))
    return Builds(np.array(residuals), tuple(builds))


def timed_geometries(core: str) -> dict[str, tuple[Geometry, ...]]:
    """Geometries by kernel class of the networks that were timed on a core under TFLM."""
    groups: dict[str, list[Geometry]] = defaultdict(list)
    for network in timed_networks("TFLM+CMSIS-NN"):
        for op, shape in network.layers if network.core == core else ():
            if op in COUNTED_OPS:
                groups[kernel_class(op, shape)].append(shape)
    return {name: tuple(shapes) for name, shapes in groups.items()}


def fit_all() -> tuple[dict[str, Law], list[tuple[str, str, float]]]:
    """Laws by kernel class, and the networks' cycles per instruction on Cortex-M7."""
    timed = timed_geometries("Cortex-M7")
    laws = {
        name: fit_law(name, counted, timed.get(name, ()))
        for name, counted in sorted(read_counts().items())
    }
    return laws, cycles_per_instruction(laws, "Cortex-M7")


def document(laws: dict[str, Law], ratios: list[tuple[str, str, float]]) -> FitFile:
    """What the file holds; the networks are builds of 2020-2022."""
    values = [ratio for _, _, ratio in ratios]
    return FitFile(
        source=f"{COUNTS_CSV.name}, {NETWORKS_CSV.name}",
        networks_cycles_per_instruction=ScaleFile(
            networks=len(values),
            value=round(statistics.median(values), 4),
            low=round(min(values), 4),
            high=round(max(values), 4),
            anchored=round(pair_width(np.log(values)), 4),
            anchored_on={
                core: round(pair_width(found.residuals, found.builds), 4)
                for core in ("Cortex-M4F", "Cortex-M33")
                for found in (by_build(laws, core),)
            },
        ),
        kernels={
            name: law.model_copy(
                update={
                    "mean_error": round(law.mean_error, 4),
                    "p90_error": round(law.p90_error, 4),
                    "max_error": round(law.max_error, 4),
                    "instructions": significant(law.instructions, 5),
                }
            )
            for name, law in laws.items()
        },
    )
