"""Pieces of C: a part of `model.c` with its header, tables as text, branches that are decided.

The text of the functions lies in `text/` as C; a part is that text with its branches resolved
(`#if NAME`, `#elif NAME`, `#else`, `#endif` over names that are known here) and its tables put in
place of one placeholder line.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from deploy.device.integers import EXP2_TERMS, LOG2_TERMS
from ppgnas.errors import ExportError
from ppgnas.task import Task

TEXT_DIR = Path(__file__).parent / "text"
HELPERS = ("small", "shift_right", "bit_length", "square_root", "log2", "exp2")
"""Functions that parts share, in the order in which they need each other."""

WIDTH = 99
NAME_LENGTH = 60


@dataclass(frozen=True)
class CPart:
    """One part of the generated C.

    Attributes:
        header: macros, types and declarations; needs `stdint.h`.
        functions: tables and definitions; needs the header, and `helpers` before it.
        helpers: names of `HELPERS` that it calls.
        state_bytes: of the caller's state, all parts of it; the same on a host and a Cortex-M.
        scratch_bytes: of the scratch memory that a call borrows, aligned to 4.
    """

    header: str
    functions: str
    helpers: tuple[str, ...]
    table_bytes: int
    state_bytes: int
    scratch_bytes: int


def helpers_c(parts: Iterable[CPart]) -> str:
    """Definitions of the shared functions that any of the parts calls."""
    wanted = {name for part in parts for name in part.helpers}
    terms = {
        f"FIXED_{name.upper()}_{power}": f"({term})"
        for name, terms in (("log2", LOG2_TERMS), ("exp2", EXP2_TERMS))
        for power, term in enumerate(terms)
        if name in wanted
    }
    texts = [read_text(f"{name}.c") for name in HELPERS if name in wanted]
    return "\n".join([macros(terms), *texts])


def read_text(name: str) -> str:
    """A file of `text/`."""
    return (TEXT_DIR / name).read_text(encoding="utf-8")


def plain_name(text: str) -> str:
    """A name out of a file as C and Markdown may hold it, in a comment or a table.

    Letters, digits and `_./-` stay, anything else becomes `_`; at most `NAME_LENGTH` characters.
    Nothing that a file says reaches generated text in another way.
    """
    return re.sub(r"[^A-Za-z0-9_./-]", "_", text[:NAME_LENGTH])


def in_times_of(text: str, task: Task) -> str:
    """Text about a window of 8 s, a stride of 2 s and 3 s, one and a half, in those of a task."""
    times = {"8 s": task.window_s, "2 s": task.stride_s, "3 s": 1.5 * task.stride_s}
    return re.sub(r"\b[823] s\b", lambda found: f"{times[found[0]]:g} s", text)


def macros(values: Mapping[str, object]) -> str:
    """`#define` lines."""
    return "".join(f"#define {name} {value}\n" for name, value in values.items())


def table(ctype: str, name: str, values: Sequence[int]) -> str:
    """A constant table; the type is one of `uint8_t`, `uint16_t`, `int32_t`, `uint32_t`."""
    suffix = "u" if ctype == "uint32_t" else ""
    lines, line = [], "   "
    for value in values:
        text = f" {value}{suffix},"
        if len(line) + len(text) > WIDTH:
            lines.append(line)
            line = "   "
        line += text
    rows = "\n".join([*lines, line])
    return f"static const {ctype} {name}[{len(values)}] = {{\n{rows}\n}};\n"


def resolve(text: str, flags: Mapping[str, bool]) -> str:
    """Text without the branches that `flags` decide against.

    Raises:
        ExportError: a branch on a name that is not in `flags`.
    """
    kept: list[str] = []
    open_branches: list[tuple[bool, bool]] = []  # this branch is taken, one was before
    for line in text.splitlines():
        words = line.split()
        if words and words[0] in ("#if", "#elif"):
            if words[1] not in flags:
                raise ExportError(f"C text branches on {words[1]}; known: {', '.join(flags)}")
            done = False if words[0] == "#if" else any(open_branches.pop())
            open_branches.append((flags[words[1]] and not done, done))
        elif line.startswith("#else"):
            open_branches.append((not any(open_branches.pop()), True))
        elif line.startswith("#endif"):
            open_branches.pop()
        elif all(taken for taken, _ in open_branches):
            kept.append(line)
    return "\n".join(kept) + "\n"


def fnv(values: NDArray[np.signedinteger]) -> int:
    """FNV-1a of 32 bits over the bytes of values, little-endian."""
    found = 2166136261
    for byte in np.ascontiguousarray(values).tobytes():
        found = (found ^ byte) * 16777619 & 0xFFFFFFFF
    return found
