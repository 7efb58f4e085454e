"""The machine: cores to use, and versions of what a result depends on."""

from __future__ import annotations

import math
import os
import platform
from importlib import metadata
from pathlib import Path

PACKAGES = ("torch", "numpy", "scipy", "optuna", "onnx", "onnxruntime", "ai-edge-litert")
QUOTA = Path("/sys/fs/cgroup/cpu.max")  # microseconds of all cores in each period, or `max`


def versions() -> dict[str, str]:
    """Name -> version of ppgnas, Python and the packages that are installed."""
    from ppgnas import __version__

    found = {"ppgnas": __version__, "python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def core_seconds() -> float:
    """What this process and those of its children that have ended took of the cores so far.

    Unlike a clock it does not see what else runs on them.
    """
    took = os.times()
    return took.user + took.system + took.children_user + took.children_system


def available_cores(quota: Path = QUOTA) -> int:
    """Cores that this process may use: no more than its container's quota, rounded up."""
    cores = os.cpu_count() or 1
    if hasattr(os, "sched_getaffinity"):
        cores = len(os.sched_getaffinity(0))
    try:
        most, period = quota.read_text(encoding="utf-8").split()
    except (OSError, ValueError):  # no control groups of version 2
        return cores
    return cores if most == "max" else min(cores, max(1, math.ceil(int(most) / int(period))))
