"""The machine: cores to use, and versions of what a result depends on."""

from __future__ import annotations

import math
import os
import platform
from collections import defaultdict
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

PACKAGES = ("torch", "numpy", "scipy", "optuna", "onnx", "onnxruntime", "ai-edge-litert")
PROCESSES = Path("/proc")
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
    """What this process and those that it started took of the cores so far.

    Unlike a clock it does not see what else runs on them. Those that still run are seen on Linux
    alone, where workers are no children of this process (`distill.training.jobs.new_processes`).
    """
    took = os.times()
    ended_s = took.user + took.system + took.children_user + took.children_system
    return ended_s + (sum(_running_s()) if PROCESSES.is_dir() else 0.0)


def _running_s() -> Iterator[float]:
    """Core-seconds of each process under this one, with those of its ended children: proc(5)."""
    under, took = defaultdict[int, list[int]](list), dict[int, float]()
    for file in PROCESSES.glob("[0-9]*/stat"):
        try:
            values = file.read_text().rpartition(")")[2].split()
        except OSError:  # it has ended by now
            continue
        pid = int(file.parent.name)
        under[int(values[1])].append(pid)
        took[pid] = sum(map(int, values[11:15])) / os.sysconf("SC_CLK_TCK")
    found = under[os.getpid()]
    while found:
        pid = found.pop()
        yield took[pid]
        found += under[pid]


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
