"""What this machine has of what ppgnas can use, and the line that gets what is missing."""

from __future__ import annotations

import os
import platform
import shlex
import shutil
import sys
from dataclasses import dataclass
from importlib import metadata
from importlib.util import find_spec

from packaging.requirements import Requirement

from nas.run.job.machine import available_cores
from ppgnas import __version__

LEAST_GIB = 4  # a search of the default space beside its pool stays below

# Name of an extra -> what its packages are for.
_EXTRAS = {
    "emulate": "verify, bench deploy: C for a Cortex-M in emulation",
    "tflm": "verify: TFLite Micro itself (Linux, x86-64)",
    "formats": "recordings in the formats of other tools",
    "cluster": "search --dask, --storage: trainings on several machines",
    "log": "search --log tensorboard",
    "figures": "report --figures as PNG and SVG",
    "docs": "make docs",
    "test": "make test",
    "dev": "make test, checks of types and style",
}
# Program, what it is for, where it comes from.
_PROGRAMS = (
    ("arm-none-eabi-gcc", "verify and exports by your own compiler", "gcc-arm-none-eabi"),
    ("qemu-system-arm", "tests that run an export's project", "qemu-system-arm"),
    ("chromium", "tests of the report's page", "chromium"),
)


@dataclass(frozen=True)
class Finding:
    """One thing that was looked for.

    Attributes:
        found: version or description; None where it is missing.
        remedy: a command that gets it; empty where there is none, or nothing is missing.
        needed: whether ppgnas does not work without it.
    """

    what: str
    found: str | None
    purpose: str
    remedy: str = ""
    needed: bool = False

    @property
    def wrong(self) -> bool:
        """Whether it is missing and ppgnas needs it."""
        return self.needed and self.found is None


def examine() -> list[Finding]:
    """All that was looked for; nothing is changed, and nothing beyond this machine is asked."""
    return [*_machine(), *_packages(), *_extras(), *_programs()]


def _machine() -> list[Finding]:
    system = f"{platform.system()} {platform.release()}, {platform.machine()}"
    found = [
        Finding("ppgnas", __version__, "this package"),
        Finding("Python", platform.python_version(), "3.10 or newer"),
        Finding("system", system, "tried on Linux; see docs/machines.md"),
        Finding("cores", str(available_cores()), "one process a core trains"),
    ]
    if (memory_gib := _memory_gib()) is not None:
        words = f"{memory_gib:.1f} GiB" + (
            f", a search may want {LEAST_GIB}" if memory_gib < LEAST_GIB else ""
        )
        found.append(Finding("memory", words, "training windows are files, not memory"))
    return [*found, _gpu()]


def _memory_gib() -> float | None:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    except (AttributeError, ValueError, OSError):  # not on Windows
        return None


def _gpu() -> Finding:
    """What torch can train on beside the CPU."""
    purpose = "--device cuda: faster teachers; not needed"
    if find_spec("torch") is None:
        return Finding("GPU", None, purpose)
    import torch

    if torch.cuda.is_available():
        return Finding("GPU", torch.cuda.get_device_name(), purpose)
    built = "this torch is built for the CPU alone" if torch.version.cuda is None else ""
    return Finding("GPU", None, f"{purpose}{f' ({built})' if built else ''}")


def _requirements(extra: str | None) -> list[str]:
    """Names of the packages that ppgnas asks for: always, or with an extra."""
    found = []
    for text in metadata.requires("ppgnas") or []:
        requirement = Requirement(text)
        marker = requirement.marker
        always, asked = (
            marker is None or marker.evaluate({"extra": name}) for name in ("", extra or "")
        )
        if asked and always == (extra is None):
            found.append(requirement.name)
    return found


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _packages() -> list[Finding]:
    pip = [sys.executable, "-m", "pip", "install"]
    found = []
    for name in _requirements(None):
        version = _version(name)
        remedy = "" if version else shlex.join([*pip, name])
        found.append(Finding(name, version, "needed", remedy, needed=True))
    return found


def _extras() -> list[Finding]:
    from ppgnas.errors import install_line

    found = []
    for extra, purpose in _EXTRAS.items():
        wanted = _requirements(extra)
        versions = {name: _version(name) for name in wanted}
        missing = [name for name, version in versions.items() if version is None]
        if not wanted:
            continue
        have = ", ".join(f"{name} {version}" for name, version in versions.items() if version)
        if missing:
            words = f"{purpose}; missing: {', '.join(missing)}"
            found.append(Finding(f"extra {extra}", None, words, install_line(extra)))
        else:
            found.append(Finding(f"extra {extra}", have, purpose))
    return found


def _programs() -> list[Finding]:
    found = []
    for program, purpose, package in _PROGRAMS:
        path = shutil.which(program)
        remedy = "" if path or not shutil.which("apt-get") else f"apt-get install {package}"
        found.append(Finding(program, path, purpose, remedy))
    return found
