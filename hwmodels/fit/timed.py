"""Fit of kernels timed under TFLM with CMSIS-NN; `python -m hwmodels.fit` writes the file.

Three parts were timed layer by layer (STM32F446, nRF52832, STM32L552): each has a law per
convolution kernel. A Cortex-M7 was timed by whole networks only, so it takes the laws of the
STM32F446 with one scale for windows, one for 1 x 1, and cycles per MAC of depthwise windows, all
three fitted on those networks.

Kernels that nobody timed alone (fully connected, pools, add, softmax, depthwise k x 1) cost their
counted instructions (`fit`) times the part's cycles per counted instruction, the median over what
was timed on it.

Whole networks on a Cortex-M4F (6, builds of 2020) need 1.3-1.4 times what its single layers say
(a later build). The value stays with the layers; the interval reaches both.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hwmodels.engines.kernels import CLASSES, TIMED, Geometry, kernel_class, timed_class
from hwmodels.engines.load import DATA_DIR
from hwmodels.estimate import Estimate
from hwmodels.fit import counted as fit
from hwmodels.fit.regression import (
    Array,
    HeldOut,
    half_width,
    leave_groups_out,
    leave_groups_out_linear,
    solve,
)
from hwmodels.fit.timings import TimedLayer, TimedNetwork, timed_layers, timed_networks

TIMED_TOML = DATA_DIR / "tflm_timed.toml"
REFERENCE = "STM32F446"
CORTEX_M7 = "Cortex-M7"
SCALES = ("window", "conv_1x1", "depthwise_window")


@dataclass(frozen=True)
class TimedLaw:
    """A law of one kernel on one part.

    Attributes:
        coefficients: cycles per feature.
        layers, groups: how many it was fitted on, and shapes of weights among them.
        held_out: leave-one-group-out predictions.
        limits: largest sizes seen.
    """

    coefficients: Array
    layers: int
    groups: int
    held_out: HeldOut
    limits: dict[str, int]


@dataclass(frozen=True)
class NetworkFit:
    """Whole networks on a Cortex-M7.

    Attributes:
        scales: of `SCALES`.
        per_instruction: cycles per counted instruction.
        held_out: leave-one-network-out predictions.
        networks: in the order of the predictions.
    """

    scales: Array
    per_instruction: float
    held_out: HeldOut
    networks: tuple[TimedNetwork, ...]


def limits_of(geometries: list[Geometry]) -> dict[str, int]:
    """Largest sizes of layers."""
    return {
        "positions": max(g.positions for g in geometries),
        "cin": max(g.cin for g in geometries),
        "cout": max(g.cout for g in geometries),
        "kernel": max(g.kernel_h * g.kernel_w for g in geometries),
    }


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
        layers=len(layers),
        groups=len(set(groups)),
        held_out=leave_groups_out_linear(features, cycles, groups),
        limits=limits_of([row.geometry for row in layers]),
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


def m7_networks() -> list[TimedNetwork]:
    """Whole networks on a Cortex-M7 under TFLM with CMSIS-NN, all whose layers are known."""
    return [n for n in timed_networks("TFLM+CMSIS-NN") if n.core == CORTEX_M7]


@dataclass(frozen=True)
class _Terms:
    """Sums over one network, see `SCALES`; instructions of all kernels and of the unscaled."""

    scaled: tuple[float, float, float]
    instructions: float
    unscaled_instructions: float
    fixed_cycles: float


def _terms(network: TimedNetwork, laws: dict[str, Array], counted: dict[str, fit.Law]) -> _Terms:
    scaled = dict.fromkeys(SCALES, 0.0)
    unscaled = 0.0
    instructions, fixed = fit.counted_instructions(counted, network.layers)
    for op, shape in network.layers:
        if op not in fit.COUNTED_OPS:
            continue
        kernel = kernel_class(op, shape)
        name = timed_class(kernel, shape)
        if name is None:
            unscaled += float(
                np.dot(CLASSES[kernel].features(shape), counted[kernel].coefficients)
            )
        elif name == "depthwise_window":
            scaled[name] += TIMED[name].features(shape)[0]
        else:
            key = name if name == "conv_1x1" else "window"
            scaled[key] += float(np.dot(TIMED[name].features(shape), laws[name]))
    return _Terms(
        (scaled["window"], scaled["conv_1x1"], scaled["depthwise_window"]),
        instructions,
        unscaled,
        fixed,
    )


def fit_networks(
    networks: list[TimedNetwork], laws: dict[str, Array], counted: dict[str, fit.Law]
) -> NetworkFit:
    """Scales of a Cortex-M7 from whole networks, cross-validated by network.

    Args:
        networks: timed on a Cortex-M7.
        laws: coefficients of the reference part by kernel in `TIMED`.
        counted: laws of counted instructions.
    """
    terms = [_terms(network, laws, counted) for network in networks]
    cycles = np.array([network.cycles for network in networks])
    scaled = np.array([t.scaled for t in terms])
    instructions = np.array([t.instructions for t in terms])
    unscaled = np.array([t.unscaled_instructions for t in terms])
    fixed = np.array([t.fixed_cycles for t in terms])

    def parameters(rows: NDArray[np.int64]) -> tuple[Array, float]:
        per_instruction = float(np.median((cycles[rows] - fixed[rows]) / instructions[rows]))
        # A network of fully connected layers says nothing of the scales.
        rows = rows[scaled[rows].sum(axis=1) > 0]
        known = fixed[rows] + per_instruction * unscaled[rows]
        return solve(scaled[rows], cycles[rows], known), per_instruction

    def predict(seen: NDArray[np.int64], left_out: NDArray[np.int64]) -> Array:
        scales, per_instruction = parameters(seen)
        result: Array = (
            scaled[left_out] @ scales + per_instruction * unscaled[left_out] + fixed[left_out]
        )
        return result

    scales, per_instruction = parameters(np.arange(len(networks)))
    held_out = leave_groups_out([network.model for network in networks], cycles, predict)
    return NetworkFit(scales, per_instruction, held_out, tuple(networks))


def per_counted_instruction(layers: list[TimedLayer], counted: dict[str, fit.Law]) -> Estimate:
    """Cycles per counted instruction of a part: median, 5 % and 95 % of its timed layers."""
    ratios = []
    for row in layers:
        kernel = kernel_class("conv", row.geometry)
        law = counted[kernel]
        ratios.append(
            row.cycles / np.dot(CLASSES[kernel].features(row.geometry), law.coefficients)
        )
    low, value, high = np.quantile(ratios, (0.05, 0.5, 0.95))
    return Estimate(float(value), float(low), float(high))


@dataclass(frozen=True)
class TimedFit:
    """Everything that `render` writes and the benchmark shows."""

    layers: tuple[TimedLayer, ...]
    laws: dict[str, dict[str, TimedLaw]]
    windows: dict[str, Array]
    per_instruction: dict[str, Estimate]
    networks: NetworkFit
    m7_extremes: tuple[float, float]
    build: Estimate


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
    networks = fit_networks(m7_networks(), reference, counted)
    seen = [ratio for _, _, ratio in fit.cycles_per_instruction(counted, CORTEX_M7)]
    depthwise = networks.scales[2] * per_instruction[REFERENCE].value / networks.per_instruction
    return TimedFit(
        layers=tuple(layers),
        laws=laws,
        windows=windows,
        per_instruction=per_instruction,
        networks=networks,
        m7_extremes=(min(seen), max(seen)),
        build=_build(reference, counted, per_instruction[REFERENCE].value, float(depthwise)),
    )


def _build(
    laws: dict[str, Array], counted: dict[str, fit.Law], per_instruction: float, depthwise: float
) -> Estimate:
    """Measured over predicted of whole networks on the reference part: value 1, extremes.

    They were built years before its single layers were timed.
    """
    ratios = [1.0]
    for network in timed_networks("TFLM+CMSIS-NN"):
        if network.mcu == REFERENCE:
            terms = _terms(network, laws, counted)
            window, pointwise, macs = terms.scaled
            predicted = (
                window
                + pointwise
                + depthwise * macs
                + per_instruction * terms.unscaled_instructions
                + terms.fixed_cycles
            )
            ratios.append(network.cycles / predicted)
    return Estimate(1.0, min(ratios), max(ratios))


def render(found: TimedFit) -> str:
    """The TOML document."""
    networks = found.networks
    low, high = found.m7_extremes
    width = half_width(networks.held_out.residuals)
    lines = [
        "# Written by `python -m hwmodels.fit`; do not edit. Sources: hwmodels/data/README.md.",
        'source = "layer_cycles_tflm.csv, whole_networks.csv, layer_counts_cmsisnn_m7.csv"',
    ]
    middle = networks.per_instruction
    lines += _profile(
        "Cortex-M7",
        core=CORTEX_M7,
        parts="",
        per_instruction=Estimate(middle, min(low, middle), max(high, middle)),
        network=Estimate(1.0, float(np.exp(-width)), float(np.exp(width))),
        comment=f"{len(networks.networks)} whole networks, leave one out "
        f"{networks.held_out.mape:.2%}; laws of {REFERENCE} times {networks.scales[0]:.4f} "
        f"(windows) and {networks.scales[1]:.4f} (1 x 1)",
        mean_error=networks.held_out.mape,
    )
    timed = fit.timed_geometries(CORTEX_M7)
    for name in ("conv_1x1", "conv_column", "conv_row", "conv_window", "depthwise_window"):
        reference = found.laws[REFERENCE]
        shapes = list(timed["conv_1x1" if name == "conv_1x1" else "conv"])
        if name == "depthwise_window":
            coefficients, shapes = networks.scales[2:], list(timed["depthwise"])
        elif name == "conv_window":
            coefficients = found.windows[REFERENCE] * networks.scales[0]
        else:
            scale = networks.scales[1 if name == "conv_1x1" else 0]
            coefficients = reference[name].coefficients * scale
        if name.startswith("conv"):
            shapes += [
                row.geometry for row in found.layers if _same(name, row) and row.mcu == REFERENCE
            ]
        lines += _kernel("Cortex-M7", name, coefficients, limits_of(shapes))
    for mcu, laws in found.laws.items():
        core = next(row.core for row in found.layers if row.mcu == mcu)
        lines += _profile(
            mcu,
            core=core,
            parts="nRF" if mcu.startswith("nRF") else "",
            per_instruction=found.per_instruction[mcu],
            network=found.build,
            comment="network: builds of 2020 on a Cortex-M4F against its layers",
        )
        for name, law in laws.items():
            lines += _kernel(mcu, name, law.coefficients, law.limits, law)
        both = [laws["conv_column"].limits, laws["conv_row"].limits]
        limits = {key: max(limit[key] for limit in both) for key in both[0]}
        lines += _kernel(mcu, "conv_window", found.windows[mcu], limits)
        depthwise = networks.scales[2:] * found.per_instruction[mcu].value / middle
        lines += _kernel(mcu, "depthwise_window", depthwise, limits_of(list(timed["depthwise"])))
    return "\n".join(lines) + "\n"


def _same(name: str, row: TimedLayer) -> bool:
    own = timed_class(kernel_class("conv", row.geometry), row.geometry)
    return name == own or (name == "conv_window" and own != "conv_1x1")


def _profile(
    name: str,
    *,
    core: str,
    parts: str,
    per_instruction: Estimate,
    network: Estimate,
    comment: str,
    mean_error: float | None = None,
) -> list[str]:
    error = [] if mean_error is None else [f"mean_error = {mean_error:.4f}  # leave one out"]
    return [
        "",
        f"# {comment}.",
        f'[profiles."{name}"]',
        f'core = "{core}"',
        f'part = "{parts}"',
        f"per_instruction = {_bounds(per_instruction)}",
        f"network = {_bounds(network)}",
        *error,
    ]


def _bounds(estimate: Estimate) -> str:
    return (
        f"{{ value = {estimate.value:.4f}, low = {estimate.low:.4f}, high = {estimate.high:.4f} }}"
    )


def _kernel(
    profile: str,
    name: str,
    coefficients: Array,
    limits: dict[str, int],
    law: TimedLaw | None = None,
) -> list[str]:
    names = ", ".join(f'"{feature}"' for feature in TIMED[name].names)
    sizes = ", ".join(f"{key} = {value}" for key, value in limits.items())
    lines = [
        "",
        f'[profiles."{profile}".kernels.{name}]',
        f"features = [{names}]",
        f"cycles = [{', '.join(f'{c:.6g}' for c in coefficients)}]",
        f"limits = {{ {sizes} }}",
    ]
    if law is not None:
        lines += [
            f"layers = {law.layers}",
            f"mean_error = {law.held_out.mape:.4f}  # leave one of {law.groups} shapes out",
            f"half_width = {half_width(law.held_out.residuals):.4f}  # of 90 %, in logs",
        ]
    return lines
