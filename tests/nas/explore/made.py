"""Costs that a made-up network of these tests has."""

from __future__ import annotations

from hwmodels.costs import Costs

COSTS = Costs(
    latency_ms=2.0,
    flash_bytes=2048.0,
    sram_bytes=512.0,
    power_mw=1.0,
    energy_mj=0.1,
    weight_bytes=1024,
    macs=10,
)
