"""The linker script of an image for emulation, and the memory that it assumes.

Purpose: one flash and one SRAM region; unused functions dropped; a pair of boundary symbols around
what each source file brings, so that the flash and SRAM of `model.c` can be told from those of the
harness without a linker map. Kinds: `code` (.text), `constants` (.rodata), `data` (initialised,
counted in flash and in SRAM) and `bss`.

Reference for the default map: Arm MPS2+ AN500 (Cortex-M7), code memory at 0x00000000 and SRAM at
0x20000000, 4 MiB each, which QEMU's machine `mps2-an500` follows.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from string import Template

from ppgnas.errors import ToolError

SUPPORT = Path(__file__).parent / "support"
KINDS = ("code", "constants", "data", "bss")
_INPUT_SECTIONS = {
    "code": "*(.text .text.*)",
    "constants": "*(.rodata .rodata.*)",
    "data": "*(.data .data.*)",
    "bss": "*(.bss .bss.* COMMON)",
}


@dataclass(frozen=True)
class MemoryMap:
    """Where an image may stand.

    Attributes:
        flash_address: first address of code and constants.
        flash_bytes: length of that region.
        sram_address: first address of data, bss and stack; the stack grows down from the end.
        sram_bytes: length of that region.
    """

    flash_address: int = 0x00000000
    flash_bytes: int = 4 << 20
    sram_address: int = 0x20000000
    sram_bytes: int = 4 << 20

    def __post_init__(self) -> None:
        for name in ("flash_address", "flash_bytes", "sram_address", "sram_bytes"):
            value = getattr(self, name)
            if value % 4096 or value < 0 or (name.endswith("_bytes") and value == 0):
                raise ToolError(
                    f"memory map: {name} is {value:#x}; allowed are positive multiples of 4096"
                )
        flash_end = self.flash_address + self.flash_bytes
        sram_end = self.sram_address + self.sram_bytes
        if self.flash_address < sram_end and self.sram_address < flash_end:
            raise ToolError("memory map: flash and SRAM overlap; give them separate addresses")

    @property
    def stack_top(self) -> int:
        """Address just above the SRAM, where the stack begins."""
        return self.sram_address + self.sram_bytes

    @property
    def mailbox(self) -> int:
        """Where QEMU finds what to call: `MAILBOX_BYTES` at the middle of the SRAM."""
        return self.sram_address + self.sram_bytes // 2 & ~0xFFF


AN500 = MemoryMap()


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


def linker_script(
    labels: Sequence[str], *, keep: Sequence[str] = (), memory: MemoryMap = AN500
) -> str:
    """The text of the script.

    Args:
        labels: of the object files, `LABEL.o` each, in any folder.
        keep: functions that stay in the image although nothing in it calls them.
        memory: the regions.
    """
    # Quoted, because some plain names (add) are words of the script language.
    names = " ".join(f'"{name}"' for name in keep)
    text = Template((SUPPORT / "image.ld").read_text(encoding="utf-8"))
    return text.substitute(
        extern=f"EXTERN({names})\n" if keep else "",
        flash=f"{memory.flash_address:#010x}",
        flash_bytes=f"{memory.flash_bytes:#x}",
        sram=f"{memory.sram_address:#010x}",
        sram_bytes=f"{memory.sram_bytes:#x}",
        stack_top=f"{memory.stack_top:#010x}",
        mailbox=f"{memory.mailbox:#010x}",
        **{kind: _grouped(kind, labels) for kind in KINDS},
    )
