"""Fit of ST's tools on whole networks; `python -m hwmodels.fit` writes the file.

A law per version and core: cycles per MAC and per output of the operators with weights, beside the
engine file's figures for the others. Versions are apart because they differ: 9, 10 and ST Edge AI
3 and 4 run alike ("current"), 8.1 and 7.3 are slower. Other versions have four networks each and
no law.

Held out is a network with all of its measurements, whatever the board and version.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from hwmodels.engines import file
from hwmodels.engines.file import LimitsFile, StFit
from hwmodels.engines.kernels import Geometry
from hwmodels.engines.load import DATA_DIR, assumed_cycles
from hwmodels.estimate import Estimate
from hwmodels.fit.law_file import bounds, significant
from hwmodels.fit.regression import Array, HeldOut, half_width, leave_groups_out, solve
from hwmodels.fit.timings import ST_CURRENT, TimedNetwork, timed_networks
from hwmodels.operators import WEIGHTED_OPS

VERSIONS = {ST_CURRENT: "st-edge-ai", "8.1": "st-edge-ai-8.1", "7.3": "st-edge-ai-7.3"}
CORES = ("Cortex-M7", "Cortex-M33")
MINIMUM_NETWORKS = 5
FEATURES = ("macs", "outputs")
ST_TOML = DATA_DIR / "st_tools.toml"


@dataclass(frozen=True)
class StLaw:
    """Cycles per MAC and per output on one core.

    Attributes:
        coefficients: of `FEATURES`.
        held_out: leave-one-network-out predictions of the measurements.
        networks: the measurements, in the order of the predictions.
    """

    coefficients: Array
    held_out: HeldOut
    networks: tuple[TimedNetwork, ...]

    @property
    def models(self) -> int:
        """How many networks there are among the measurements."""
        return len({network.model for network in self.networks})


def features_of(op: str, g: Geometry) -> tuple[float, float]:
    """Features of one layer; 0 of an operator without weights."""
    if op not in WEIGHTED_OPS:
        return 0.0, 0.0
    depth = 1 if op == "depthwise_conv" else g.cin
    outputs = g.positions * g.cout
    return float(outputs * g.kernel_h * g.kernel_w * depth), float(outputs)


def other_cycles(op: str, g: Geometry, *, dispatch: float, elements: Mapping[str, float]) -> float:
    """Cycles that the engine file gives: of every call, and of operators without weights."""
    count = g.taps * (g.cin if op.endswith("pool") else 1)
    return dispatch + elements.get(op, 0.0) * count


def fit_law(
    networks: list[TimedNetwork], *, dispatch: float, elements: Mapping[str, float]
) -> StLaw:
    """Fit one version on one core."""
    features = np.array(
        [np.sum([features_of(op, g) for op, g in n.layers], axis=0) for n in networks]
    )
    fixed = np.array(
        [
            sum(other_cycles(op, g, dispatch=dispatch, elements=elements) for op, g in n.layers)
            for n in networks
        ]
    )
    cycles = np.array([network.cycles for network in networks])

    def predict(seen: np.ndarray, left_out: np.ndarray) -> Array:
        coefficients = solve(features[seen], cycles[seen], fixed[seen])
        return np.asarray(features[left_out] @ coefficients + fixed[left_out])

    return StLaw(
        coefficients=solve(features, cycles, fixed),
        held_out=leave_groups_out([n.model for n in networks], cycles, predict),
        networks=tuple(networks),
    )


def fit_all() -> dict[str, dict[str, StLaw]]:
    """Laws by version and core, where there are at least `MINIMUM_NETWORKS` networks."""
    dispatch, elements = assumed_cycles("st-edge-ai")
    everything = timed_networks("ST")
    laws: dict[str, dict[str, StLaw]] = {}
    for version in VERSIONS:
        laws[version] = {}
        for core in CORES:
            rows = [n for n in everything if n.version == version and n.core == core]
            if len({n.model for n in rows}) >= MINIMUM_NETWORKS:
                laws[version][core] = fit_law(rows, dispatch=dispatch, elements=elements)
    return laws


def document(laws: dict[str, dict[str, StLaw]]) -> StFit:
    """What the file holds."""
    return StFit(
        source="whole_networks.csv, whole_network_layers.csv",
        versions={
            version: {core: _entry(law) for core, law in cores.items()}
            for version, cores in laws.items()
        },
    )


def _entry(law: StLaw) -> file.StLaw:
    width = half_width(law.held_out.residuals)
    per_mac, per_output = significant(law.coefficients, 5)
    shapes = [g for n in law.networks for op, g in n.layers if op in WEIGHTED_OPS]
    return file.StLaw(
        note=f"{len(law.networks)} measurements, leave one network out",
        per_mac=per_mac,
        per_output=per_output,
        network=bounds(Estimate(1.0, float(np.exp(-width)), float(np.exp(width)))),
        mean_error=round(law.held_out.mape, 4),
        networks=law.models,
        limits=LimitsFile.of(shapes),
    )
