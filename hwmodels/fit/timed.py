"""Fit of kernels timed under TFLM with CMSIS-NN; `python -m hwmodels.fit` writes the file.

Three parts were timed layer by layer (STM32F446, nRF52832, STM32L552): each has a law per
convolution kernel. A Cortex-M7 was timed by whole networks only, so it takes the laws of the
STM32F446, scaled (`hwmodels.fit.networks`).

Kernels that nobody timed alone (fully connected, pools, add, softmax, depthwise k x 1) cost their
counted instructions (`fit`) times the part's cycles per counted instruction, the median over what
was timed on it.

Whole networks on a Cortex-M4F and M33 were timed on other boards and in other builds than the
single layers, from 0.75 to 1.4 times what these say. The value stays with the layers; the interval
is what 90 % of those networks need, so it holds how parts and builds differ.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

import numpy as np

from hwmodels.engines import file
from hwmodels.engines.file import LimitsFile
from hwmodels.engines.kernels import CLASSES, TIMED, Geometry, kernel_class, timed_class
from hwmodels.engines.load import DATA_DIR
from hwmodels.estimate import Estimate
from hwmodels.fit import counted as fit
from hwmodels.fit.law_file import around_one, bounds, timed_kernel
from hwmodels.fit.networks import (
    CORTEX_M7,
    REFERENCE,
    NetworkFit,
    depthwise_cycles,
    fit_networks,
    terms,
)
from hwmodels.fit.regression import (
    Array,
    HeldOut,
    half_width,
    leave_groups_out_linear,
    pair_width,
    solve,
)
from hwmodels.fit.timings import TimedLayer, timed_layers

TIMED_TOML = DATA_DIR / "tflm_timed.toml"
# The core whose networks a part's layers stand for.
LAYERS_OF = {"STM32F446": "Cortex-M4F", "STM32L552": "Cortex-M33"}


@dataclass(frozen=True)
class TimedLaw:
    """A law of one kernel on one part.

    Attributes:
        coefficients: cycles per feature.
        held_out: leave-one-group-out predictions.
    """

    coefficients: Array
    held_out: HeldOut
    limits: LimitsFile


def fit_layers(layers: list[TimedLayer]) -> dict[str, dict[str, TimedLaw]]:
    """Laws by part and kernel, cross-validated by shape of the weights."""
    parts: dict[str, dict[str, list[TimedLayer]]] = defaultdict(lambda: defaultdict(list))
    for layer in layers:
        name = timed_class(kernel_class("conv", layer.geometry), layer.geometry)
        assert name is not None
        parts[layer.mcu][name].append(layer)
    return {
        mcu: {name: fit_law(name, rows) for name, rows in sorted(kernels.items())}
        for mcu, kernels in parts.items()
    }


def fit_law(name: str, layers: list[TimedLayer]) -> TimedLaw:
    """Fit one kernel on one part."""
    features = np.array([TIMED[name].features(row.geometry) for row in layers], dtype=np.float64)
    cycles = np.array([row.cycles for row in layers])
    groups = [row.group for row in layers]
    return TimedLaw(
        coefficients=solve(features, cycles),
        held_out=leave_groups_out_linear(features, cycles, groups),
        limits=LimitsFile.of([row.geometry for row in layers]),
    )


def window_coefficients(layers: list[TimedLayer], mcu: str) -> Array:
    """Law of a k x k window: fitted on the columns and rows of a part together."""
    rows = [
        row
        for row in layers
        if row.mcu == mcu and row.geometry.kernel_h * row.geometry.kernel_w > 1
    ]
    features = [TIMED["conv_window"].features(row.geometry) for row in rows]
    return solve(np.array(features, dtype=np.float64), np.array([row.cycles for row in rows]))


def per_counted_instruction(layers: list[TimedLayer], counted: dict[str, fit.Law]) -> Estimate:
    """Cycles per counted instruction of a part: median, 5 % and 95 % of its timed layers."""
    ratios = []
    for row in layers:
        kernel = kernel_class("conv", row.geometry)
        features = CLASSES[kernel].features(row.geometry)
        ratios.append(row.cycles / np.dot(features, counted[kernel].instructions))
    low, value, high = np.quantile(ratios, (0.05, 0.5, 0.95))
    return Estimate(float(value), float(low), float(high))


@dataclass(frozen=True)
class OtherBuilds:
    """Whole networks on a core against the single layers of one of its parts.

    Attributes:
        held_out: predictions by laws that no network was fitted to.
        builds: `(points,)` part, runtime and version.
    """

    held_out: HeldOut
    builds: tuple[tuple[str, str, str], ...]


@dataclass(frozen=True)
class TimedFit:
    """Everything that `document` writes and the benchmark shows."""

    layers: tuple[TimedLayer, ...]
    laws: dict[str, dict[str, TimedLaw]]
    windows: dict[str, Array]
    per_instruction: dict[str, Estimate]
    networks: NetworkFit
    dense_instructions: Array
    m7_extremes: tuple[float, float]
    builds: dict[str, OtherBuilds]


def fit_all(counted: dict[str, fit.Law]) -> TimedFit:
    """Fit every part and the Cortex-M7."""
    layers = timed_layers()
    laws = fit_layers(layers)
    windows = {mcu: window_coefficients(layers, mcu) for mcu in laws}
    reference = {name: law.coefficients for name, law in laws[REFERENCE].items()}
    reference["conv_window"] = windows[REFERENCE]
    per_instruction = {
        mcu: per_counted_instruction([row for row in layers if row.mcu == mcu], counted)
        for mcu in laws
    }
    networks = fit_networks(reference, counted)
    seen = [ratio for _, _, ratio in fit.cycles_per_instruction(counted, CORTEX_M7)]
    builds = {}
    for mcu, core in LAYERS_OF.items():
        own = {name: law.coefficients for name, law in laws[mcu].items()}
        own["conv_window"] = windows[mcu]
        cycles = per_instruction[mcu].value
        depthwise = depthwise_cycles(networks, cycles)
        builds[core] = _other_builds(mcu, own, counted, (depthwise, cycles))
    return TimedFit(
        layers=tuple(layers),
        laws=laws,
        windows=windows,
        per_instruction=per_instruction,
        networks=networks,
        dense_instructions=np.array(counted["fully_connected"].instructions),
        m7_extremes=(min(seen), max(seen)),
        builds=builds,
    )


def _other_builds(
    mcu: str, laws: dict[str, Array], counted: dict[str, fit.Law], factors: tuple[float, float]
) -> OtherBuilds:
    """Whole networks on a core, by the single layers of one of its parts: builds unlike it.

    Args:
        laws: coefficients of the kernels of `mcu`.
        factors: cycles of a MAC of a depthwise window, and of a counted instruction.
    """
    depthwise, per_instruction = factors
    networks = fit.networks_of(LAYERS_OF[mcu])
    predicted = []
    for network in networks:
        window, pointwise, macs, _, *others, fixed = terms(network, laws, counted)
        cycles = window + pointwise + depthwise * macs + per_instruction * sum(others) + fixed
        predicted.append(float(cycles))
    measured = np.array([network.cycles for network in networks])
    return OtherBuilds(
        HeldOut(measured, np.array(predicted), tuple(n.model for n in networks)),
        tuple((n.mcu, n.runtime, n.version) for n in networks),
    )


def document(found: TimedFit) -> file.TimedFit:
    """What the file holds."""
    return file.TimedFit(
        source="layer_cycles_tflm.csv, whole_networks.csv, layer_counts_cmsisnn_m7.csv",
        profiles={
            "Cortex-M7": _m7_profile(found),
            **{mcu: _part(found, mcu) for mcu in found.laws},
        },
    )


def _m7_profile(found: TimedFit) -> file.TimedProfile:
    networks = found.networks
    low, high = found.m7_extremes
    middle, scales = networks.fitted.per_instruction, networks.fitted.scales
    timed = fit.timed_geometries(CORTEX_M7)
    laws = {name: law.coefficients for name, law in found.laws[REFERENCE].items()}
    kernels = {}
    for name, law in {**laws, "conv_window": found.windows[REFERENCE]}.items():
        pointwise = name == "conv_1x1"
        shapes = [*timed[name if pointwise else "conv"], *_shapes(found, name, REFERENCE)]
        kernels[name] = timed_kernel(name, law * scales[int(pointwise)], LimitsFile.of(shapes))
    limits = LimitsFile.of((*timed["depthwise"], *timed["depthwise_3x3"]))
    kernels["depthwise_window"] = timed_kernel("depthwise_window", scales[2:], limits)
    dense = found.dense_instructions * networks.fitted.dense
    limits = LimitsFile.of(timed["fully_connected"])
    kernels["fully_connected"] = timed_kernel("fully_connected", dense, limits)
    return file.TimedProfile(
        note=f"{len(networks.networks)} whole networks, leave one out, scales with those of "
        f"{REFERENCE}, which takes {networks.fitted.ratio:.3f} times as long; its laws times "
        f"{scales[0]:.4f} (windows) and {scales[1]:.4f} (1 x 1)",
        core=CORTEX_M7,
        part="",
        per_instruction=bounds(Estimate(middle, min(low, middle), max(high, middle))),
        network=around_one(half_width(networks.held_out.residuals)),
        mean_error=round(networks.held_out.mape, 4),
        anchored=round(pair_width(networks.held_out.residuals), 4),
        kernels=kernels,
    )


def _part(found: TimedFit, mcu: str) -> file.TimedProfile:
    """A part that was timed layer by layer."""
    kernels = {
        name: timed_kernel(name, law.coefficients, law.limits, law.held_out)
        for name, law in found.laws[mcu].items()
    }
    limits = LimitsFile.of(_shapes(found, "conv_window", mcu))
    kernels["conv_window"] = timed_kernel("conv_window", found.windows[mcu], limits)
    per_instruction = found.per_instruction[mcu]
    depthwise = np.array([depthwise_cycles(found.networks, per_instruction.value)])
    windows = fit.timed_geometries(CORTEX_M7)
    limits = LimitsFile.of((*windows["depthwise"], *windows["depthwise_3x3"]))
    kernels["depthwise_window"] = timed_kernel("depthwise_window", depthwise, limits)
    core = next(row.core for row in found.layers if row.mcu == mcu)
    others = found.builds[core]
    residuals = others.held_out.residuals
    return file.TimedProfile(
        note=f"network: {len(residuals)} timings in other builds and on other boards",
        core=core,
        part="nRF" if mcu.startswith("nRF") else "",
        per_instruction=bounds(per_instruction),
        network=around_one(half_width(residuals)),
        holds_boards=True,
        anchored=round(pair_width(residuals, others.builds), 4),
        kernels=kernels,
    )


def _shapes(found: TimedFit, name: str, mcu: str) -> list[Geometry]:
    """Geometries that a kernel was timed with on a part; a window stands for columns and rows."""
    shapes = [row.geometry for row in found.layers if row.mcu == mcu]
    classes = [timed_class(kernel_class("conv", shape), shape) for shape in shapes]
    same = [c == name or (name == "conv_window" and c != "conv_1x1") for c in classes]
    return [shape for shape, chosen in zip(shapes, same, strict=True) if chosen]
