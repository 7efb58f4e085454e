"""Decodes Thumb-2 instructions into what counting and the pipeline model need to know (capstone).

Classes, each instruction in one: `load`, `store` (also several registers at once, also of floats;
`pop {..., pc}` is a load), `mac` (multiply-accumulate, also dual 16-bit: SMLAD, MLA, SMLAL,
SMMLAR), `multiply`, `divide`, `dsp` (packed and saturating arithmetic, extension, bit fields, byte
reversal), `alu` (everything else on integers, moves and compares), `branch`, `float` (arithmetic,
conversion and moves of the FPU), `other` (IT, NOP, barriers, status registers).

An instruction under IT counts whether its condition holds or not: it takes its place in the
pipeline either way.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from deploy.emulation.packages import load
from ppgnas.errors import ToolError

CLASSES = ("load", "store", "mac", "multiply", "divide", "dsp", "alu", "branch", "float",
           "other")  # fmt: skip

_MULTIPLY = {"mul", "smmul", "smmulr", "smull", "umull", "smulbb", "smulbt", "smultb", "smultt"}
_MULTIPLY |= {"smulwb", "smulwt", "smuad", "smuadx", "smusd", "smusdx"}
_MAC = {"mla", "mls", "smmla", "smmlar", "smmls", "smmlsr", "smlal", "umlal", "umaal", "smlabb"}
_MAC |= {"smlabt", "smlatb", "smlatt", "smlawb", "smlawt", "smlad", "smladx", "smlsd", "smlsdx"}
_MAC |= {"smlald", "smlaldx", "smlsld", "smlsldx", "smlalbb", "smlalbt", "smlaltb", "smlaltt"}
# These take two accumulators, the first two operands, which they also write.
LONG_MAC = {name for name in _MAC if name.startswith(("smlal", "umlal", "umaal", "smlsld"))}
_TIED = {*LONG_MAC, "bfi", "bfc"}  # read what they write
_BIT_FIELD = {"bfi", "bfc", "ubfx", "sbfx", "rbit", "rev", "rev16", "revsh", "pkhbt", "pkhtb"}
_EXTEND_ADD = {f"{sign}xta{part}" for sign in "su" for part in ("b", "h", "b16")}
_EXTEND = {f"{sign}xt{part}" for sign in "su" for part in ("b", "h", "b16")}
SHIFTED_LAST = _EXTEND_ADD | {"pkhbt", "pkhtb"}
_SATURATE = {"ssat", "usat", "ssat16", "usat16", "qadd", "qsub", "qdadd", "qdsub"}
_PACKED = {
    f"{prefix}{name}"
    for prefix in ("s", "u", "q", "uq", "sh", "uh")
    for name in ("add8", "add16", "sub8", "sub16", "asx", "sax")
}
_DSP = _BIT_FIELD | _EXTEND_ADD | _EXTEND | _SATURATE | _PACKED
_DSP |= {"clz", "sel", "usad8", "usada8"}
_LOADS = ("ldr", "ldm", "pop", "ldrex", "vldr", "vldm", "vldmia", "vldmdb", "vpop", "pld")
_STORES = ("str", "stm", "push", "strex", "vstr", "vstm", "vstmia", "vstmdb", "vpush")
_BRANCHES = {"b", "bl", "bx", "blx", "cbz", "cbnz", "tbb", "tbh"}
_SYSTEM = {"it", "nop", "dmb", "dsb", "isb", "mrs", "msr", "cpsid", "cpsie", "bkpt", "svc", "wfi"}
_SYSTEM |= {"wfe", "sev", "yield", "hint", "udf", "clrex"}


@dataclass(frozen=True)
class Instruction:
    """One decoded instruction; registers by their number in capstone.

    Attributes:
        size_bytes: 2 or 4.
        name: mnemonic without condition and width: `smlad`.
        group: one of `CLASSES`.
        accumulators: registers read as accumulators of a MAC, integer or float.
        stored: registers whose values go to memory.
        addressing: registers that form an address.
        shifted: registers that pass through the shifter in front of another operation.
        base_update: the address register that is written back, or 0.
        transfers: registers moved to or from memory.
        offset: the constant distance from the one address register, or None.
        access_bytes: 1, 2, 4 or 8 per transfer; 0 where nothing is moved.
        sets_flags: it writes the condition flags.
        reads_flags: it depends on them: predicated, carry in, SEL.
        inline_shift: an operand is shifted, or an immediate is a rotated byte.
        ends_block: it may change the course: a branch or a write of pc.
        conditional: a branch that may fall through.
        text: as a disassembler prints it.
    """

    address: int
    size_bytes: int
    name: str
    group: str
    reads: frozenset[int]
    writes: frozenset[int]
    accumulators: frozenset[int] = frozenset()
    stored: frozenset[int] = frozenset()
    addressing: frozenset[int] = frozenset()
    shifted: frozenset[int] = frozenset()
    base_update: int = 0
    transfers: int = 0
    offset: int | None = None
    access_bytes: int = 0
    sets_flags: bool = False
    reads_flags: bool = False
    inline_shift: bool = False
    ends_block: bool = False
    conditional: bool = False
    text: str = ""


def group_of(name: str) -> str:
    """The class of an instruction.

    Args:
        name: mnemonic without condition and width.
    """
    if name in _SYSTEM:
        return "other"
    if name in _BRANCHES:
        return "branch"
    if name.startswith(_LOADS):
        return "load"
    if name.startswith(_STORES):
        return "store"
    if name.startswith(("v", "fconst", "fmstat")):
        return "float"
    if name in ("sdiv", "udiv"):
        return "divide"
    if name in _MAC:
        return "mac"
    if name in _MULTIPLY:
        return "multiply"
    return "dsp" if name in _DSP else "alu"


class Decoder:
    """Decodes bytes of an image.

    Raises:
        DependencyError: capstone is not installed.
    """

    def __init__(self) -> None:
        self._capstone = load("capstone", package="capstone", purpose="decoding instructions")
        self._arm = load("capstone.arm", package="capstone", purpose="decoding instructions")
        self._engine: Any = self._capstone.Cs(
            self._capstone.CS_ARCH_ARM,
            self._capstone.CS_MODE_THUMB | self._capstone.CS_MODE_MCLASS,
        )
        self._engine.detail = True

    def decode(self, code: bytes, address: int) -> tuple[Instruction, ...]:
        """All instructions of a run of code.

        Raises:
            ToolError: some bytes are no instruction of this core.
        """
        found = [self._one(raw) for raw in self._engine.disasm(code, address)]
        done = sum(instruction.size_bytes for instruction in found)
        if done != len(code):
            raise ToolError(
                f"no instruction of a Cortex-M7 at {address + done:#010x}: "
                f"{code[done : done + 4].hex()}"
            )
        return tuple(found)

    def _one(self, raw: Any) -> Instruction:
        arm = self._arm
        name = raw.insn_name()
        group = group_of(name)
        reads, writes = (set(part) for part in raw.regs_access())
        flags = {arm.ARM_REG_CPSR, arm.ARM_REG_ITSTATE}
        operands = list(raw.operands)
        registers = [op.reg for op in operands if op.type == arm.ARM_OP_REG]
        memory = [op.mem for op in operands if op.type == arm.ARM_OP_MEM]
        addressing = {reg for mem in memory for reg in (mem.base, mem.index) if reg}
        transferred = registers
        if name in ("push", "pop", "vpush", "vpop"):
            addressing = {arm.ARM_REG_SP}
        elif name.startswith(("ldm", "stm", "vldm", "vstm")):
            addressing, transferred = {registers[0]}, registers[1:]
        elif memory:
            # What stands behind the memory operand is the index of a post-indexed access.
            place = next(i for i, op in enumerate(operands) if op.type == arm.ARM_OP_MEM)
            transferred = [op.reg for op in operands[:place] if op.type == arm.ARM_OP_REG]
            if name.startswith("strex"):
                transferred = transferred[1:]
        if group in ("mac", "multiply", "divide", "dsp"):
            reads = sources(name, registers)
        moves = group in ("load", "store")
        shifted = {
            op.reg
            for op in operands
            if op.type == arm.ARM_OP_REG and op.shift.type != arm.ARM_SFT_INVALID
        }
        if name in SHIFTED_LAST:
            shifted |= {registers[2]}
        branch = group == "branch" or arm.ARM_REG_PC in writes
        predicated = raw.cc not in (arm.ARM_CC_AL, arm.ARM_CC_INVALID) and name != "it"
        offset = None
        if len(memory) == 1 and not memory[0].index:
            offset = memory[0].disp
        return Instruction(
            address=raw.address,
            size_bytes=raw.size,
            name=name,
            group=group,
            reads=frozenset(reads - flags),
            writes=frozenset(writes - flags),
            accumulators=frozenset(accumulators(name, registers)),
            stored=frozenset(transferred) if group == "store" else frozenset(),
            addressing=frozenset(addressing),
            shifted=frozenset(shifted),
            base_update=next(iter(addressing & writes - set(transferred)), 0) if moves else 0,
            transfers=len(transferred) if moves else 0,
            offset=offset,
            access_bytes=_access_bytes(name) if moves else 0,
            sets_flags=bool(raw.update_flags) or name in ("cmp", "cmn", "tst", "teq"),
            reads_flags=predicated or name in ("adc", "sbc", "rrx", "sel"),
            inline_shift=bool(shifted) or _rotated_immediate(raw.bytes, name),
            ends_block=branch,
            conditional=branch and (predicated or name in ("cbz", "cbnz")),
            text=f"{raw.mnemonic} {raw.op_str}".strip(),
        )


def sources(name: str, registers: Sequence[int]) -> set[int]:
    """Registers that a product, a division or a packed operation reads, from its own operands.

    capstone 5 loses some: SSAT reads nothing by it, SMLAL not its accumulators, PKHBT and SXTAB
    not the last one. Results stand first: two of a long product, else one.
    """
    results = 2 if name in LONG_MAC or name in ("smull", "umull") else 1
    return set(registers if name in _TIED else registers[results:])


def accumulators(name: str, registers: Sequence[int]) -> Sequence[int]:
    """Registers that a multiply-accumulate adds to, from its own operands."""
    if name in LONG_MAC:
        return registers[:2]
    if name in _MAC:
        return registers[3:4]
    if name in ("vmla", "vmls", "vfma", "vfms", "vfnma", "vfnms", "vnmla", "vnmls"):
        return registers[:1]
    return ()


def _access_bytes(name: str) -> int:
    if name.startswith(("v", "ldm", "stm", "push", "pop", "ldrd", "strd", "pld")):
        return 4
    for ending, size in (("sb", 1), ("sh", 2), ("b", 1), ("h", 2), ("bt", 1), ("ht", 2)):
        if name in (f"ldr{ending}", f"str{ending}", f"ldrex{ending}", f"strex{ending}"):
            return size
    return 4


def _rotated_immediate(code: bytes, name: str) -> bool:
    """A 32-bit data instruction whose constant is a byte shifted to a place above bit 7."""
    if len(code) != 4 or name in ("movw", "movt", "addw", "subw"):
        return False
    first, second = int.from_bytes(code[:2], "little"), int.from_bytes(code[2:], "little")
    if first >> 11 != 0b11110 or first & 0x200 or second & 0x8000:
        return False
    return (first >> 10 & 1) << 3 | (second >> 12 & 7) >= 4
