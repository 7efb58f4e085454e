"""Runs a compiler or an emulator and shows its own words when it fails."""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from ppgnas.errors import ToolError

_SHOWN_CHARACTERS = 6000


def run_tool(
    command: Sequence[str | Path],
    what: str,
    *,
    env: Mapping[str, str] | None = None,
    folder: Path | None = None,
    timeout_s: float = 600.0,
) -> str:
    """Run a program to its end.

    Args:
        what: what is being done, for the message: `compiling model.c`.
        env: the whole environment; None keeps the present one.
        folder: where it runs; None keeps the present one.

    Returns:
        What it wrote to standard output.

    Raises:
        ToolError: it cannot be started, fails or takes too long.
    """
    words = [str(word) for word in command]
    try:
        done = subprocess.run(
            words,
            env=None if env is None else dict(env),
            cwd=folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout_s,
            check=False,
        )
    except OSError as error:
        raise ToolError(f"{what}: {words[0]} cannot be started ({error.strerror})") from None
    except subprocess.TimeoutExpired:
        raise ToolError(
            f"{what}: not done after {timeout_s:g} s, stopped: {shlex.join(words)}"
        ) from None
    if done.returncode:
        said = "\n".join(part.strip() for part in (done.stderr, done.stdout) if part.strip())
        if len(said) > _SHOWN_CHARACTERS:
            said = said[:_SHOWN_CHARACTERS] + "\n[...]"
        raise ToolError(
            f"{what} failed (exit code {done.returncode}): {shlex.join(words)}\n{said}"
        )
    return done.stdout


_MEMORY_BYTES = 2**31
_LIMITED = (
    'ulimit -c 0; ulimit -t "$1"; ulimit -f "$2"; ulimit -v "$3" 2>/dev/null; shift 3; exec "$@"'
)


def run_generated(
    command: Sequence[str | Path], what: str, *, sanitized: bool = False, timeout_s: float = 120.0
) -> str:
    """Run a program that was made from somebody's network: an empty environment and limits.

    Time, memory and the size of written files are bounded. The shadow of AddressSanitizer takes
    the whole address space, so it watches over the memory itself.

    Raises:
        ToolError: see `run_tool`.
    """
    memory_kib = "unlimited" if sanitized else str(_MEMORY_BYTES // 1024)
    limits = (f"{timeout_s:.0f}", str(_MEMORY_BYTES // 512), memory_kib)
    env = {"ASAN_OPTIONS": f"hard_rss_limit_mb={_MEMORY_BYTES >> 20}"} if sanitized else {}
    if os.name == "posix":
        command = ["/bin/sh", "-c", _LIMITED, "limits", *limits, *command]
    return run_tool(command, what, env=env, timeout_s=timeout_s)
