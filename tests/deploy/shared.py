"""Shared objects of C for ctypes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from deploy.emulation.host import HostCompiler


def build_shared(
    compiler: HostCompiler,
    sources: Sequence[Path],
    out: Path,
    *,
    include: Sequence[Path] = (),
    flags: Sequence[str] = (),
) -> Path:
    return compiler.build(sources, out, include=include, flags=("-O2", "-shared", "-fPIC", *flags))
