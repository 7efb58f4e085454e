"""The compiler of the machine itself, with sanitizers.

gcc, clang or cc of the PATH come first, because they bring the runtimes of AddressSanitizer and
UBSan. Which sanitizers work is found out: programs with a fault of each kind are built and run.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from deploy.emulation.linking import SUPPORT
from deploy.emulation.packages import zig_program
from deploy.emulation.processes import run_generated, run_tool
from deploy.emulation.toolchain import C_FLAGS, zig_environment
from ppgnas.errors import DependencyError, ToolError
from ppgnas.files import temporary_folder

_SANITIZERS = (("address", "undefined"), ("undefined",))


@dataclass(frozen=True)
class HostCompiler:
    """A compiler whose output runs here.

    Attributes:
        name: `gcc`, `clang`, `cc` or `zig cc`.
        version: first line of what it says about itself.
        is_zig: it needs zig's caches.
    """

    name: str
    version: str
    command: tuple[str, ...]
    is_zig: bool = field(default=False, repr=False)

    def build(
        self,
        sources: Sequence[Path],
        out: Path,
        *,
        include: Sequence[Path] = (),
        flags: Sequence[str] = (),
    ) -> Path:
        """Compile files in C.

        Args:
            out: where the result goes; a program, unless flags say otherwise.
            flags: after `toolchain.C_FLAGS`.

        Raises:
            ToolError: the compiler fails; its own words are in the message.
        """
        if not sources:
            raise ToolError("build: no sources; give at least one file in C")
        out.parent.mkdir(parents=True, exist_ok=True)
        headers = [f"-I{path}" for path in include]
        names = ", ".join(Path(source).name for source in sources)
        with temporary_folder() as folder:
            run_tool(
                [*self.command, *C_FLAGS, *flags, *headers, *sources, "-o", out, "-lm"],
                f"compiling {names} with {self.name} ({self.version})",
                env=zig_environment(folder) if self.is_zig else None,
            )
        return out

    def build_program(
        self,
        sources: Sequence[Path],
        out: Path,
        *,
        include: Sequence[Path] = (),
        optimise: str = "-O1",
        sanitize: bool = True,
        flags: Sequence[str] = (),
    ) -> Path:
        """Compile files in C to a program.

        Args:
            optimise: one `-O` flag.
            sanitize: with all of `sanitizers()`; the first finding ends the program with an error.

        Raises:
            ToolError: the compiler fails, or has no sanitizer that works.
        """
        chosen = self.sanitizers() if sanitize else ()
        if sanitize and not chosen:
            raise ToolError(
                f"{self.name} has no working sanitizer here; install gcc or clang with their "
                "sanitizer runtimes, or build with sanitize=False"
            )
        flags = (optimise, *_sanitizing(chosen), *flags)
        return self.build(sources, out, include=include, flags=flags)

    def sanitizers(self) -> tuple[str, ...]:
        """Those that work here: a program with a fault of each kind was built, run and caught."""
        return _working(self)


@cache  # a machine's compiler gains none while a process runs
def _working(compiler: HostCompiler) -> tuple[str, ...]:
    with temporary_folder() as folder:
        for chosen in _SANITIZERS:
            program = folder / "-".join(chosen)
            try:
                compiler.build([SUPPORT / "probe.c"], program, flags=("-O1", *_sanitizing(chosen)))
                run_generated([program], "running a program without faults", sanitized=True)
            except ToolError:
                continue
            if all(_finds(program, sanitizer) for sanitizer in chosen):
                return chosen
    return ()


def _finds(program: Path, sanitizer: str) -> bool:
    try:
        run_generated([program, sanitizer], "running a program with a fault", sanitized=True)
    except ToolError:
        return True
    return False


def _sanitizing(chosen: Sequence[str]) -> tuple[str, ...]:
    if not chosen:
        return ()
    return ("-g", f"-fsanitize={','.join(chosen)}", "-fno-sanitize-recover=all")


def zig_host() -> HostCompiler:
    """zig's clang for this machine.

    Raises:
        DependencyError: the package ziglang is not installed.
    """
    program = str(zig_program(purpose="compiling for this machine without a C compiler"))
    version = run_tool([program, "version"], "asking zig for its version").strip()
    # Without an explicit choice zig traps on undefined behaviour in every build.
    return HostCompiler("zig cc", version, (program, "cc", "-fno-sanitize=undefined"), is_zig=True)


def find_host_compiler() -> HostCompiler:
    """A compiler for this machine: the one that `CC` names, gcc, clang, cc, else zig's.

    Raises:
        DependencyError: there is none; the message says how to get one.
    """
    for name in (os.environ.get("CC", ""), "gcc", "clang", "cc"):
        program = shutil.which(name) if name else None
        if program is not None:
            said = run_tool([program, "--version"], f"asking {name} for its version")
            return HostCompiler(Path(name).name, said.splitlines()[0], (program,))
    try:
        return zig_host()
    except DependencyError as error:
        raise DependencyError(f"no gcc, clang or cc is on the PATH, and {error}") from None
