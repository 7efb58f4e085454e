"""Images built for the tests, with every compiler that is here."""

from __future__ import annotations

import importlib.util
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from deploy.emulation import toolchain
from deploy.emulation.emulate import Emulator

PACKAGES = ("capstone", "elftools", "unicorn", "ziglang")
Build = Callable[..., Path]


def _compiler(name: str) -> toolchain.Compiler:
    missing = [package for package in PACKAGES if importlib.util.find_spec(package) is None]
    if missing:
        pytest.skip(f"the extra emulate is not installed: {', '.join(missing)}")
    if name == "zig":
        return toolchain.zig()
    found = toolchain.arm_gcc()
    if found is None:
        pytest.skip("no arm-none-eabi-gcc on the PATH")
    return found


@pytest.fixture(scope="session", params=["zig", "gcc"])
def compiler(request: pytest.FixtureRequest) -> toolchain.Compiler:
    """Each compiler for the Cortex-M7."""
    return _compiler(request.param)


@pytest.fixture(scope="session")
def build(compiler: toolchain.Compiler, tmp_path_factory: pytest.TempPathFactory) -> Build:
    """Builds sources given as text, `{"file.c": text}`, into an image."""

    def from_text(sources: dict[str, str], keep: Sequence[str], optimise: str = "-O2") -> Path:
        folder = tmp_path_factory.mktemp("image")
        for name, text in sources.items():
            (folder / name).write_text(text, encoding="utf-8")
        paths = [folder / name for name in sources]
        return compiler.build(paths, folder / "image.elf", keep=keep, optimise=optimise)

    return from_text


@pytest.fixture(scope="session")
def emulator(build: Build) -> Callable[..., Emulator]:
    """Builds and loads."""

    def from_text(sources: dict[str, str], keep: Sequence[str], optimise: str = "-O2") -> Emulator:
        return Emulator(build(sources, keep, optimise))

    return from_text


@pytest.fixture
def qemu() -> str:
    """The path of QEMU."""
    found = shutil.which("qemu-system-arm")
    if found is None:
        pytest.skip("no qemu-system-arm on the PATH")
    return found
