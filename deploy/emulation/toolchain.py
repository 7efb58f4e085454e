"""Compilers for the Cortex-M7: zig's clang, or `arm-none-eabi-gcc` where that is not installed.

Both build for the same core: ARMv7E-M with DSP, hardware floats of single precision (FPv5-SP-D16),
floats passed in registers, no operating system. An image is linked without a C library. gcc takes
`memory.c` of this package for memcpy and its like and libgcc for 64-bit division; zig brings its
own compiler-rt for both. Whatever of that is called stands in the image and is counted.

`PPGNAS_ARM_GCC` names another gcc for the same target.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from deploy.emulation.linking import SUPPORT, linker_script, object_label
from deploy.emulation.packages import zig_program
from deploy.emulation.processes import run_tool
from ppgnas.errors import DependencyError, OptionError, ToolError
from ppgnas.files import temporary_folder

C_FLAGS = ("-std=c99", "-Wall", "-Wextra", "-Wconversion", "-Werror")
_COMMON_FLAGS = ("-ffreestanding", "-ffunction-sections", "-fdata-sections",
                 "-fomit-frame-pointer", "-fno-unwind-tables",
                 "-fno-asynchronous-unwind-tables",
                 "-isystem", str(SUPPORT / "include"))  # fmt: skip
_GCC_CORE = ("-mcpu=cortex-m7", "-mthumb", "-mfloat-abi=hard", "-mfpu=fpv5-sp-d16")
# zig spells features of a core with +; without this one it falls back to floats in software. Its
# default adds traps for undefined behaviour at -O0, and a stack protector elsewhere.
_ZIG_CORE = ("-target", "thumb-freestanding-eabihf", "-mcpu=cortex_m7+fp_armv8d16sp",
             "-fno-sanitize=undefined", "-fno-stack-protector")  # fmt: skip
_MEMORY = SUPPORT / "memory.c"
_STARTUP = SUPPORT / "startup.c"
_ENTRY = "ppgnas_reset"
_OPTIMISE = ("-O0", "-O1", "-O2", "-O3", "-Os", "-Oz", "-Og", "-Ofast")
_SUFFIXES = (".c", ".s", ".S")


def zig_environment(local_cache: Path) -> dict[str, str]:
    """The environment for zig: results are shared between builds, nothing lands in the project.

    Args:
        local_cache: a temporary folder of this build alone.
    """
    base = os.environ.get("XDG_CACHE_HOME")
    shared = (Path(base) if base else Path.home() / ".cache") / "ppgnas" / "zig"
    try:
        shared.mkdir(parents=True, exist_ok=True)
        writable = os.access(shared, os.W_OK)
    except OSError:
        writable = False
    return {
        **os.environ,
        "ZIG_GLOBAL_CACHE_DIR": str(shared if writable else local_cache / "global"),
        "ZIG_LOCAL_CACHE_DIR": str(local_cache / "local"),
    }


@dataclass(frozen=True)
class Compiler:
    """One compiler for the Cortex-M7.

    Attributes:
        name: `arm-none-eabi-gcc` or `zig cc`.
        command: program and the flags of the core.
        is_zig: it needs zig's caches and brings its own runtime library.
    """

    name: str
    version: str
    command: tuple[str, ...]
    is_zig: bool = field(default=False, repr=False)

    def build(
        self,
        sources: Sequence[Path],
        out_elf: Path,
        *,
        keep: Sequence[str],
        include: Sequence[Path] = (),
        optimise: str = "-O2",
        defines: Sequence[str] = (),
        flags: Sequence[str] = (),
    ) -> Path:
        """Compile and link.

        Args:
            sources: files in C, or in assembly (`.s`, `.S`).
            keep: the functions that are called from outside; what they do not need is left out.
            optimise: one `-O` flag.
            defines: `NAME` or `NAME=VALUE` each.
            flags: further flags for the files in C, after the others.

        Raises:
            ToolError: no sources, an unknown kind of source or flag, or the compiler fails; its
                own words are in the message.
        """
        _check(sources, keep, optimise)
        labels = _labels(sources)
        support = {"ppgnas_startup": _STARTUP}
        if not self.is_zig:
            support["ppgnas_memory"] = _MEMORY
        text = linker_script([*labels, *support], keep=(_ENTRY, *keep))
        common = [optimise, *_COMMON_FLAGS, *(f"-I{path}" for path in include)]
        common += [f"-D{define}" for define in defines]
        with temporary_folder() as build:
            env = zig_environment(build) if self.is_zig else None
            objects: list[Path] = []
            for source, label in zip(map(Path, sources), labels, strict=True):
                words = [*C_FLAGS, *common, *flags] if source.suffix == ".c" else []
                objects.append(build / f"{label}.o")
                self._compile(source, words, objects[-1], env)
            for label, source in support.items():
                objects.append(build / f"{label}.o")
                objects[-1].write_bytes(_support_object(self, source, optimise))
            script = build / "image.ld"
            script.write_text(text, encoding="utf-8")
            out_elf.parent.mkdir(parents=True, exist_ok=True)
            # zig builds its runtime library once for each level that is given here (about 10 s),
            # and drops the names of functions at -Os.
            linking = ["-O2", "-Wl,--gc-sections", f"-Wl,-e,{_ENTRY}", f"-Wl,-T,{script}"]
            linking += [] if self.is_zig else ["-nostdlib", "-Wl,--no-warn-rwx-segments"]
            libraries = [] if self.is_zig else ["-lgcc"]
            run_tool(
                [*self.command, *linking, *objects, "-o", out_elf, *libraries],
                f"linking {out_elf.name} with {self.name} {self.version}",
                env=env,
            )
        return out_elf

    def _compile(
        self, source: Path, words: Sequence[str], out: Path, env: Mapping[str, str] | None
    ) -> None:
        run_tool(
            [*self.command, *words, "-c", source, "-o", out],
            f"compiling {source.name} with {self.name} {self.version}",
            env=env,
        )


@cache  # the same in every image
def _support_object(compiler: Compiler, source: Path, optimise: str) -> bytes:
    words = [*C_FLAGS, optimise, *_COMMON_FLAGS]
    if source == _MEMORY:  # else gcc turns the loop of memcpy into a call of memcpy
        words.append("-fno-tree-loop-distribute-patterns")
    with temporary_folder() as folder:
        out = folder / "support.o"
        env = zig_environment(folder) if compiler.is_zig else None
        compiler._compile(source, words, out, env)
        return out.read_bytes()


def _check(sources: Sequence[Path], keep: Sequence[str], optimise: str) -> None:
    if not keep:
        raise ToolError("build: keep is empty; name the functions that are called from outside")
    if not sources:
        raise ToolError("build: no sources; give at least one file in C")
    for source in sources:
        if Path(source).suffix not in _SUFFIXES:
            raise ToolError(
                f"build: {source} is no source; allowed endings are {', '.join(_SUFFIXES)}"
            )
    if optimise not in _OPTIMISE:
        raise ToolError(f"build: optimise is {optimise!r}; allowed are {', '.join(_OPTIMISE)}")


def _labels(sources: Sequence[Path]) -> list[str]:
    labels: list[str] = []
    for source in sources:
        label = object_label(Path(source).stem)
        labels.append(label if label not in labels else f"{label}_{len(labels)}")
    return labels


def arm_gcc() -> Compiler | None:
    """The gcc for Arm without an operating system, or None where there is none."""
    program = shutil.which(os.environ.get("PPGNAS_ARM_GCC", "arm-none-eabi-gcc"))
    if program is None:
        return None
    first = run_tool([program, "--version"], "asking gcc for its version").splitlines()[0]
    version = re.search(r"\d+\.\d+(\.\d+)?(?!.*\d+\.\d+\.\d+)", first)
    return Compiler(
        "arm-none-eabi-gcc", version[0] if version else first, (program, *_GCC_CORE), is_zig=False
    )


def zig() -> Compiler:
    """The clang inside the package ziglang.

    Raises:
        DependencyError: the package is not installed.
    """
    program = str(zig_program(purpose="compiling for a Cortex-M7"))
    version = run_tool([program, "version"], "asking zig for its version").strip()
    return Compiler("zig cc", version, (program, "cc", *_ZIG_CORE), is_zig=True)


def find_compiler(name: str | None = None) -> Compiler:
    """The compiler for the Cortex-M7 of this machine: zig before gcc.

    zig comes first because its version is pinned: counts are then the same everywhere, and the
    engine `ppgnas-c` is fitted on them.

    Args:
        name: `zig` or `gcc` for that one alone.

    Raises:
        DependencyError: neither, or not the one asked for, is there; the message says how to get
            one.
        OptionError: another name.
    """
    if name not in (None, "zig", "gcc"):
        raise OptionError(f"compiler {name!r} is unknown; allowed are zig and gcc")
    if name != "gcc":
        try:
            return zig()
        except DependencyError:
            if name == "zig" or arm_gcc() is None:
                raise
    found = arm_gcc()
    if found is None:
        raise DependencyError(
            "no arm-none-eabi-gcc is on the PATH; install it (Debian: gcc-arm-none-eabi) or name "
            "it in PPGNAS_ARM_GCC, or use zig"
        )
    return found
