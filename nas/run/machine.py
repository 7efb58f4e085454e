"""Versions of what a result depends on, without importing any of it."""

from __future__ import annotations

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
