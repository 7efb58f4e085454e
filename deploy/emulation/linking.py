"""The linker script of an image for emulation, and the memory map that it assumes.

Purpose: one flash and one SRAM region; unused functions dropped; a pair of boundary symbols around
what each source file brings, so that the flash and SRAM of `model.c` can be told from those of the
harness without a linker map. Kinds: `code` (.text), `constants` (.rodata), `data` (initialised,
counted in flash and in SRAM) and `bss`.

Reference for the map: Arm MPS2+ AN500 (Cortex-M7), code memory at 0x00000000 and SRAM at
0x20000000, 4 MiB each, which QEMU's machine `mps2-an500` follows.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from string import Template

SUPPORT = Path(__file__).parent / "support"
FLASH_ADDRESS, FLASH_BYTES = 0x00000000, 4 << 20
SRAM_ADDRESS, SRAM_BYTES = 0x20000000, 4 << 20
STACK_TOP = SRAM_ADDRESS + SRAM_BYTES
"""Just above the SRAM; the stack grows down from there, behind data and bss."""
MAILBOX = SRAM_ADDRESS + SRAM_BYTES // 2  # where QEMU finds what to call
KINDS = ("code", "constants", "data", "bss")
_INPUT_SECTIONS = {
    "code": "*(.text .text.*)",
    "constants": "*(.rodata .rodata.*)",
    "data": "*(.data .data.*)",
    "bss": "*(.bss .bss.* COMMON)",
}


def object_label(stem: str) -> str:
    """The name of a source file within symbols of the linker: letters, digits, underscores."""
    return re.sub(r"\W", "_", stem, flags=re.ASCII)


def boundary(edge: str, kind: str, label: str) -> str:
    """Name of the symbol at the beginning or the end of what one source file brings.

    Args:
        edge: `begin` or `end`.
        kind: one of `KINDS`.
        label: from `object_label`.
    """
    return f"__{edge}_{kind}_{label}"


def _grouped(kind: str, labels: Sequence[str]) -> str:
    lines = []
    for label in labels:
        inputs = _INPUT_SECTIONS[kind].replace("*(", f"*/{label}.o(", 1)
        lines.append(
            f"        . = ALIGN(4);\n        {boundary('begin', kind, label)} = .;\n"
            f"        {inputs}\n        {boundary('end', kind, label)} = .;"
        )
    lines.append(f"        {_INPUT_SECTIONS[kind]}\n        . = ALIGN(4);")
    return "\n".join(lines)


def linker_script(labels: Sequence[str], *, keep: Sequence[str] = ()) -> str:
    """The text of the script.

    Args:
        labels: of the object files, `LABEL.o` each, in any folder.
        keep: functions that stay in the image although nothing in it calls them.
    """
    # Quoted, because some plain names (add) are words of the script language.
    names = " ".join(f'"{name}"' for name in keep)
    text = Template((SUPPORT / "image.ld").read_text(encoding="utf-8"))
    return text.substitute(
        extern=f"EXTERN({names})\n" if keep else "",
        flash=f"{FLASH_ADDRESS:#010x}",
        flash_bytes=f"{FLASH_BYTES:#x}",
        sram=f"{SRAM_ADDRESS:#010x}",
        sram_bytes=f"{SRAM_BYTES:#x}",
        stack_top=f"{STACK_TOP:#010x}",
        mailbox=f"{MAILBOX:#010x}",
        **{kind: _grouped(kind, labels) for kind in KINDS},
    )
