"""A Cortex-M7 in emulation (unicorn): memory, calls by the rules of AAPCS, blocks counted exactly.

What is counted. The emulator translates runs of instructions that end at a branch, a page or its
own limits, and reports each run as it is entered. Every pair (run before, run entered) is counted;
nothing leaves a run in its middle except a fault, which raises. So the counts give how often each
instruction was executed, exactly, whatever the borders and overlaps of runs are.

Memory hooks are not used: they make unaligned loads fault (unicorn 2.1). The hook is in place
before the first instruction is translated, because later ones do not fire in translated code.
"""

from __future__ import annotations

import weakref
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from deploy.emulation.image import Image
from deploy.emulation.linking import (
    FLASH_ADDRESS,
    FLASH_BYTES,
    SRAM_ADDRESS,
    SRAM_BYTES,
    STACK_TOP,
)
from deploy.emulation.packages import load
from ppgnas.errors import ToolError

# (address, bytes) of a translated run; before the first one stands OUTSIDE.
Block = tuple[int, int]
OUTSIDE: Block = (0, 0)
# Run before, run entered, and the function that called a shared one; 0 outside of such.
Edge = tuple[Block, Block, int]

_RETURN_PAGE = 0x1FFFF000  # executable by the default map of Armv7-M, used by neither region
_PAGE_BYTES = 4096
_STACK_BYTES = 64 << 10
_REGISTER_ARGUMENTS = 4
_REGIONS = (
    f"mapped are flash {FLASH_ADDRESS:#010x} ({FLASH_BYTES} bytes) and SRAM {SRAM_ADDRESS:#010x} "
    f"({SRAM_BYTES} bytes)"
)
# Unicorn reserves 1 GB of addresses for what it translates. That took up to 73 bytes a byte of
# code here; a core whose buffer is full may stand still (unicorn 2.1.4), so it has room for more
# code than a flash of 2 MB holds.
_TRANSLATED_BYTES = 256 << 20
# Bytes of the untouched stack: a pattern that does not repeat within 251 bytes, without zeros.
_PAINT = bytes(1 + (97 * index + 13) % 251 for index in range(251))


@dataclass(frozen=True)
class CallRecord:
    """What one call did.

    Attributes:
        result: r0 at the return, unsigned.
        edges: how often each pair (run before, run entered) happened, shared functions by caller.
        stack_bytes: deepest byte of stack written, counted from where the call found it.
    """

    result: int
    edges: Mapping[Edge, int] = field(repr=False)
    stack_bytes: int


class _Runs:
    """Counts the runs of one call.

    A run is one number here, size above address: that is counted faster than a pair.
    """

    def __init__(self, image: Image, shared: tuple[str, ...]) -> None:
        self._image: Image = weakref.proxy(image)
        self._shared = shared
        self._is_shared: dict[int, bool] = {}
        self._edges: dict[tuple[int, int, int], int] = {}
        self._previous, self._caller = 0, 0

    def take(self) -> Mapping[Edge, int]:
        """How often each pair was entered since the call before this one."""
        taken, self._edges = self._edges, {}
        self._previous, self._caller = 0, 0
        return {
            (_block(before), _block(entered), caller): times
            for (before, entered, caller), times in taken.items()
        }

    def enter(self, core: object, address: int, size: int, data: object) -> None:
        """A hook of unicorn."""
        entered = size << 32 | address
        shared = self._shared and self._shares(address)
        if shared and not self._caller:
            caller = self._image.function_at(_block(self._previous)[0])
            self._caller = caller.address if caller is not None else 0
        edge = (self._previous, entered, self._caller)
        self._edges[edge] = self._edges.get(edge, 0) + 1
        if not shared:  # back in the caller, whose branches are told apart by it no more
            self._caller = 0
        self._previous = entered

    def _shares(self, address: int) -> bool:
        if address not in self._is_shared:
            found = self._image.function_at(address)
            self._is_shared[address] = found is not None and found.name.startswith(self._shared)
        return self._is_shared[address]


def _block(run: int) -> Block:
    return run & 0xFFFFFFFF, run >> 32


class Machine:
    """A Cortex-M7 with one image in its memory. State stays from call to call.

    Args:
        image: what to load; data and bss are initialised as start-up code would.
        shared: how names of functions begin that count as part of their caller; they call none.
        counted: runs are counted; several times faster without, for results alone.

    Raises:
        DependencyError: unicorn is not installed.
        ToolError: the image does not fit the regions.
    """

    def __init__(
        self, image: Image, *, shared: tuple[str, ...] = (), counted: bool = True
    ) -> None:
        unicorn = load("unicorn", package="unicorn", purpose="running code of a Cortex-M7")
        registers = load("unicorn.arm_const", package="unicorn", purpose="running code")
        self.image = image
        self._error: type[Exception] = unicorn.UcError
        self._registers = registers
        self._core: Any = unicorn.Uc(
            unicorn.UC_ARCH_ARM, unicorn.UC_MODE_THUMB | unicorn.UC_MODE_MCLASS
        )
        self._core.ctl_set_tcg_buffer_size(_TRANSLATED_BYTES)
        self._core.ctl_set_cpu_model(registers.UC_CPU_ARM_CORTEX_M7)
        self._core.mem_map(FLASH_ADDRESS, FLASH_BYTES)
        self._core.mem_map(SRAM_ADDRESS, SRAM_BYTES)
        self._core.mem_map(_RETURN_PAGE, _PAGE_BYTES)
        held = (segment for segment in image.segments if segment.address >= SRAM_ADDRESS)
        end = max((each.address + each.memory_bytes for each in held), default=SRAM_ADDRESS)
        # Below it a caller may keep inputs.
        self._stack_floor = max((end + 7) // 8 * 8, STACK_TOP - _STACK_BYTES)
        self._runs = _Runs(image, shared)
        if counted:
            # Unicorn's hook holds its core in a circle; in one of weak links the core's addresses
            # are given back with the machine, and not when the collector comes.
            core = weakref.proxy(self._core)
            type(self._core).hook_add(core, unicorn.UC_HOOK_BLOCK, self._runs.enter)
        self._load()

    def write(self, where: str | int, content: bytes) -> None:
        """Write bytes at a symbol or an address.

        Raises:
            ToolError: no such symbol, more bytes than the object holds, or outside the regions.
        """
        address = self._place(where, len(content))
        try:
            self._core.mem_write(address, bytes(content))
        except self._error as error:
            raise ToolError(
                f"write: {len(content)} bytes at {address:#010x} ({error}); {_REGIONS}"
            ) from None

    def read(self, where: str | int, count: int) -> bytes:
        """Read bytes from a symbol or an address.

        Raises:
            ToolError: as for `write`.
        """
        address = self._place(where, count)
        try:
            return bytes(self._core.mem_read(address, count))
        except self._error as error:
            raise ToolError(
                f"read: {count} bytes at {address:#010x} ({error}); {_REGIONS}"
            ) from None

    def call(self, function: str, *arguments: int, timeout_s: float = 120.0) -> CallRecord:
        """Call a function and count.

        Args:
            *arguments: integers and addresses of 32 bits: r0 to r3, then the stack.

        Raises:
            ToolError: no such function, a fault (with the place), or no return in time.
        """
        symbol = self.image.symbol(function)
        if symbol.kind != "function":
            raise ToolError(f"call: {function} is an object, not a function")
        self._core.mem_write(self._stack_floor, _painted(STACK_TOP - self._stack_floor))
        extra = arguments[_REGISTER_ARGUMENTS:]
        pushed = b"".join((value & 0xFFFFFFFF).to_bytes(4, "little") for value in extra)
        stack = STACK_TOP - (len(pushed) + 7) // 8 * 8  # AAPCS: 8-byte aligned at a call
        self._core.mem_write(stack, pushed)
        names = self._registers
        # CPACR gives access to the FPU on the chip; this is the switch that unicorn has for it.
        self._core.reg_write(names.UC_ARM_REG_FPEXC, 1 << 30)
        for index in range(_REGISTER_ARGUMENTS):
            value = arguments[index] if index < len(arguments) else 0
            self._core.reg_write(names.UC_ARM_REG_R0 + index, value & 0xFFFFFFFF)
        self._core.reg_write(names.UC_ARM_REG_SP, stack)
        self._core.reg_write(names.UC_ARM_REG_LR, _RETURN_PAGE | 1)
        self._runs.take()
        try:
            self._core.emu_start(
                symbol.address | 1, _RETURN_PAGE, timeout=int(timeout_s * 1_000_000)
            )
        except self._error as error:
            raise ToolError(f"{function}: {error} at {self._where()}") from None
        if self._core.reg_read(names.UC_ARM_REG_PC) & ~1 != _RETURN_PAGE:
            raise ToolError(
                f"{function}: not returned after {timeout_s:g} s; it was at {self._where()}"
            )
        result = self._core.reg_read(names.UC_ARM_REG_R0) & 0xFFFFFFFF
        return CallRecord(result, self._runs.take(), self._depth(stack))

    def _load(self) -> None:
        for segment in self.image.segments:
            self.write(segment.load_address, segment.content)
            zeros = bytes(segment.memory_bytes - len(segment.content))
            self.write(segment.address, segment.content + zeros)

    def _depth(self, stack: int) -> int:
        count = stack - self._stack_floor
        now = np.frombuffer(self._core.mem_read(stack - count, count), np.uint8)
        written = np.flatnonzero(now != np.frombuffer(_painted(count), np.uint8))
        low = int(written[0]) if written.size else count
        return count - low // 4 * 4

    def _place(self, where: str | int, count: int) -> int:
        if isinstance(where, int):
            return where
        symbol = self.image.symbol(where)
        if symbol.size_bytes and count > symbol.size_bytes:
            raise ToolError(f"{where} holds {symbol.size_bytes} bytes; {count} were asked for")
        return symbol.address

    def _where(self) -> str:
        address = self._core.reg_read(self._registers.UC_ARM_REG_PC) & ~1
        found = self.image.function_at(address)
        inside = f" ({found.name} + {address - found.address})" if found is not None else ""
        return f"{address:#010x}{inside}"


def _painted(count: int) -> bytes:
    return (_PAINT * (count // len(_PAINT) + 1))[:count]
