"""The machine: cores to use, and versions of what a result depends on."""

from __future__ import annotations

import os
import platform
from importlib import metadata

PACKAGES = ("torch", "numpy", "scipy", "optuna", "onnx", "onnxruntime", "ai-edge-litert")


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


def available_cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
