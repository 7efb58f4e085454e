"""The same image in a second emulator: QEMU's machine `mps2-an500`, a Cortex-M7.

Purpose: an opinion that shares no code path with ours on outputs and on the number of instructions
(unicorn was split off QEMU 5, but its translation, hooks and core model differ since). The image
starts at its reset vector; `support/startup.c` reads what to call from a mailbox in SRAM, which
QEMU's loader fills, and writes results through semihosting.

Counting: with `-icount shift=7` every instruction takes 128 ns of virtual time, also one whose
condition does not hold; a timer of the board (25 MHz) tells it. Loading the registers around the
call is measured with an empty function and subtracted. One tick is 0.3 instructions.
"""

from __future__ import annotations

import shutil
import struct
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from deploy.emulation.image import Image
from deploy.emulation.linking import MAILBOX
from deploy.emulation.processes import run_tool
from ppgnas.errors import DependencyError, ToolError

_SHIFT = 7
_TICKS_PER_INSTRUCTION = 2**_SHIFT * 25e6 / 1e9
_NOTHING_INSTRUCTIONS = 1  # the empty function is its return
_MAILBOX_HEAD = 10  # words before the blocks
_BLOCK_WORDS = 3


@dataclass(frozen=True)
class QemuResult:
    """What one call did in QEMU.

    Attributes:
        result: r0 at the return, unsigned.
        outputs: bytes of the objects asked for, after the call.
        instructions: executed by the call, to within about one.
    """

    result: int
    outputs: Mapping[str, bytes] = field(repr=False)
    instructions: int


def find_qemu() -> str:
    """The path of `qemu-system-arm`.

    Raises:
        DependencyError: it is not on the PATH.
    """
    found = shutil.which("qemu-system-arm")
    if found is None:
        raise DependencyError(
            "no qemu-system-arm is on the PATH; the check in QEMU needs it. Install the package "
            "qemu-system-arm of your distribution, or leave this check out"
        )
    return found


def qemu_call(
    image: Image,
    function: str,
    inputs: Mapping[str, bytes] | None = None,
    *,
    arguments: Sequence[int] = (),
    outputs: Mapping[str, int] | None = None,
    timeout_s: float = 120.0,
) -> QemuResult:
    """Run one function of an image once, from reset.

    Args:
        image: built for the default memory map, with the start-up code of this package.
        function: what to call.
        inputs: bytes to write before, by symbol.
        arguments: up to four integers and addresses of 32 bits.
        outputs: how many bytes to read after, by symbol.
        timeout_s: of wall time.

    Raises:
        DependencyError: QEMU is not installed.
        ToolError: an unknown name, too many arguments, a fault, or no end in time.
    """
    program = find_qemu()
    if len(arguments) > 4:
        raise ToolError(f"qemu: {len(arguments)} arguments; allowed are up to four")
    entry = image.symbol("ppgnas_reset")
    mailbox = image.labels.get("__mailbox", 0)
    if mailbox != MAILBOX:
        raise ToolError(
            f"qemu: {image.path.name} ({entry.name} at {entry.address:#x}) was not linked for the "
            "default memory map; build it with the script of deploy.emulation.linking"
        )
    writes, reads = inputs or {}, outputs or {}
    head_bytes = 4 * (_MAILBOX_HEAD + _BLOCK_WORDS * (len(writes) + len(reads)))
    words = [image.symbol(function).address | 1, *(value & 0xFFFFFFFF for value in arguments)]
    words += [0] * (4 - len(arguments)) + [0, 0, 0, len(writes), len(reads)]
    content = b""
    for name, given in writes.items():
        words += [image.symbol(name).address, len(given), mailbox + head_bytes + len(content)]
        content += given
    for name, count in reads.items():
        words += [image.symbol(name).address, count, 0]
    with tempfile.TemporaryDirectory(prefix="ppgnas-qemu-") as name:
        folder = Path(name)
        box, reply = folder / "mailbox.bin", folder / "reply.bin"
        box.write_bytes(struct.pack(f"<{len(words)}I", *words) + content)
        run_tool(
            [
                *(program, "-M", "mps2-an500", "-display", "none", "-monitor", "none"),
                *("-serial", "none", "-icount", f"shift={_SHIFT}"),
                *("-semihosting-config", "enable=on,target=native"),
                *("-kernel", image.path.resolve()),
                *("-device", f"loader,file={box},addr={mailbox:#x},force-raw=on"),
            ],
            f"running {function} of {image.path.name} in QEMU",
            timeout_s=timeout_s,
            folder=folder,
        )
        if not reply.is_file():
            raise ToolError(f"qemu: {function} ended without a reply")
        answer = reply.read_bytes()
    result, ticks, ticks_of_nothing = struct.unpack_from("<3I", answer)
    found, place = {}, 12
    for name, count in reads.items():
        found[name] = answer[place : place + count]
        place += count
    more = (ticks - ticks_of_nothing) / _TICKS_PER_INSTRUCTION
    return QemuResult(result, found, round(more) + _NOTHING_INSTRUCTIONS)
