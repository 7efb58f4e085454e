"""Cycles of a run of instructions on a Cortex-M7: an in-order core that issues up to two a cycle.

The model. Time 0 of an instruction is its issue. Operands are needed, and results ready, at times
relative to it: addresses and shifted operands one cycle before the arithmetic (EARLY), the usual
operands at 0, an accumulator one later, the value of a store two later. A result of latency L can
be used by an instruction issued at t where `issue + L <= t + need`. A second instruction joins the
first of a cycle if its operands are ready and `_may_pair` allows it; else it waits for the next.

Sources, cited as [..] below; Arm's reference manual gives no timing of single instructions.
  [J] jnk0le, "random", pipeline cycle test, cortex_m7.md (commit 0b9c602): measured with
      DWT.CYCCNT on an STM32H743 rev Y.
  [L] LLVM, lib/Target/ARM/ARMScheduleM7.td: the scheduling model that Arm contributed.
  [T] Arm, Cortex-M7 Processor Technical Reference Manual (DDI 0489): widths of the memory ports.

What it leaves out: caches and wait states (code and data as in TCM, or caches that always hit),
unaligned accesses (+3 cycles a load [J]), a full store buffer, interrupts. So it is a lower bound
for code that runs from flash behind a cache. Two loads at unknown addresses hit the same bank half
of the time: that pair costs half a cycle more.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from deploy.emulation.instructions import Instruction

# When an operand is needed, relative to the usual one.
EARLY = -1  # address, operand of the shifter [J, L]
ACCUMULATOR = 1  # behind the late ALU [J, L: ReadMAC]
STORED = 2  # any result of the same cycle can be stored [J]

# Cycles from issue to a result.
ALU_LATENCY = 1
EARLY_ALU_LATENCY = 0  # add, sub, mov, shifts in the early ALU feed the late one at once [J]
MULTIPLY_LATENCY = 2  # [J, L]
WORD_LOAD_LATENCY = 1  # to the late ALU [J, L]
NARROW_LOAD_LATENCY = 2  # bytes and half words [J, L: M7SlowLoad]
LOAD_TO_SLOW_CONSUMER = 1  # more, for a word into a multiplier or a shifted operation [J]
SATURATE_LATENCY = 2  # SSAT, USAT, QADD, QSUB [L: M7WriteSIMD2]
FLOAT_LATENCY = 3  # [J, L]
FLOAT_MAC_LATENCY = 5  # fused; chained accumulators are needed 2 later [J, L]
FLOAT_ACCUMULATOR = 2

FETCH_BYTES = 8  # one aligned 64-bit word of code a cycle: the width of the ITCM and AXI ports [T]
DIVIDE_CYCLES = 7  # blocks the pipeline; on the chip it depends on the values [L]
FLOAT_DIVIDE_CYCLES = 16  # VDIV.F32 [J]
FLOAT_ROOT_CYCLES = 14  # VSQRT.F32 [J]
TABLE_BRANCH_CYCLES = 2  # TBB, TBH [L]
SYSTEM_CYCLES = 3  # MRS, MSR, barriers [L: M7NonGeneralPurpose]
MISPREDICT_CYCLES = 8  # 6 where the flags were set three cycles earlier [J]
SAME_BANK_CYCLES = 0.5  # expected for two loads at unknown addresses

_EARLY_ALU = {"add", "addw", "sub", "subw", "mov", "movs", "movw"}  # from the older slot only [J]
_SHIFTS = {"lsl", "lsr", "asr", "ror"}  # from either slot [J]
_EARLY_DSP = {"ubfx", "sbfx", "rbit", "rev", "rev16", "revsh", "ssat", "usat", "ssat16", "usat16"}
_SHIFTER_DSP = {"bfi", "bfc", "ubfx", "sbfx", "rbit", "rev", "rev16", "revsh", "pkhbt", "pkhtb"}
_SHIFTER_DSP |= {f"{sign}xta{part}" for sign in "su" for part in ("b", "h", "b16")}
_SLOW_DSP = {"ssat", "usat", "ssat16", "usat16", "qadd", "qsub", "qdadd", "qdsub", "usad8"}
_SLOW_DSP |= {"usada8", "qadd16", "qsub16", "qadd8", "qsub8"}
_DOUBLE = ("ldrd", "strd", "ldm", "stm", "push", "pop", "vldm", "vstm", "vpush", "vpop")


@dataclass
class State:
    """Where the pipeline stands between two instructions.

    Attributes:
        cycle: the cycle in which the last group issued.
        older: the only instruction of that group so far, None if it is closed.
        ready: per register, when its value can be used by the late ALU.
        slow: per register, when it can be used by a multiplier or a shifted operation, where that
            is later.
        flags: when the flags can be used.
        extra: fractions of a cycle that are expected on top.
        floor: the first cycle in which the next instruction may issue.
    """

    cycle: int = -1
    older: Instruction | None = None
    ready: dict[int, int] = field(default_factory=dict)
    slow: dict[int, int] = field(default_factory=dict)
    flags: int = 0
    extra: float = 0.0
    floor: int = 0

    def copy(self) -> State:
        """The same, to be tried from."""
        return replace(self, ready=dict(self.ready), slow=dict(self.slow))

    def end(self) -> float:
        """Cycles until the next group can issue."""
        return self.floor + self.extra


def block_cycles(block: Sequence[Instruction], before: Sequence[Instruction] = ()) -> float:
    """Cycles that a run of instructions adds, all branches predicted rightly.

    Args:
        before: the run that was executed just before it: its results may still be under way, and
            an instruction of `block` may share the last cycle of it.

    Returns:
        Cycles from the end of `before` to the end of `block`.
    """
    if not block:
        return 0.0
    state = State()
    for instruction in before:
        issue(state, instruction)
    first, last = block[0], block[-1]
    falls_through = bool(before) and before[-1].address + before[-1].size_bytes == first.address
    if not falls_through:
        state.older = None  # sharing a cycle with the target of a branch is unreliable [J]
    start = state.end()
    for instruction in block:
        issue(state, instruction)
    fetched = (last.address + last.size_bytes - 1) // FETCH_BYTES - first.address // FETCH_BYTES
    if not falls_through or first.address % FETCH_BYTES == 0:
        fetched += 1
    return max(state.end() - start, float(fetched))


def issue(state: State, now: Instruction) -> None:
    """Let an instruction enter the pipeline."""
    earliest = max(_operands_ready(state, now), 0)
    older = state.older
    paired = older is not None and earliest <= state.cycle and _may_pair(older, now)
    if paired:
        assert older is not None
        cycle = state.cycle
        if older.group == now.group == "load" and not _other_bank(older, now):
            state.extra += SAME_BANK_CYCLES
        state.older = None
    else:
        cycle = max(state.floor, earliest)
        state.cycle = cycle
        state.older = None if _alone(now) else now
        state.floor = cycle + _issue_cycles(now)
    _finish(state, now, cycle, paired=paired, beside=older if paired else None)


def _need(now: Instruction, register: int) -> int:
    """When the operand is needed, the earliest of its uses."""
    if register in now.addressing or register in now.shifted or now.name in _EARLY_DSP:
        return EARLY
    if register in now.stored:
        return STORED
    if register in now.accumulators:
        return FLOAT_ACCUMULATOR if now.group == "float" else ACCUMULATOR
    return 0


def _operands_ready(state: State, now: Instruction) -> int:
    slow = now.group in ("mac", "multiply") or bool(now.shifted) or now.name in _SHIFTER_DSP
    earliest = 0
    for register in now.reads:
        ready = state.ready.get(register, 0)
        if slow and register not in now.accumulators:
            ready = max(ready, state.slow.get(register, 0))
        earliest = max(earliest, ready - _need(now, register))
    # A branch is predicted and does not wait for its flags.
    if now.reads_flags and not now.ends_block:
        earliest = max(earliest, state.flags)
    return earliest


def _finish(
    state: State, now: Instruction, cycle: int, *, paired: bool, beside: Instruction | None
) -> None:
    takes = latency(now, paired=paired, beside=beside)
    if takes == EARLY_ALU_LATENCY and now.group == "alu":
        # The early ALU takes it only if its operands were there a cycle before.
        late = any(state.ready.get(register, 0) > cycle - 1 for register in now.reads)
        takes = ALU_LATENCY if late else EARLY_ALU_LATENCY
    for register in now.writes:
        updated = register == now.base_update
        state.ready[register] = cycle + (0 if updated else takes)
        state.slow.pop(register, None)
        if now.group == "load" and not updated and now.access_bytes >= 4:
            state.slow[register] = cycle + takes + LOAD_TO_SLOW_CONSUMER
    if now.sets_flags:
        state.flags = cycle + ALU_LATENCY


def latency(now: Instruction, *, paired: bool, beside: Instruction | None) -> int:
    """Cycles from its issue to its result, if its operands were there early enough."""
    if now.group == "load":
        slots = _issue_cycles(now) - 1
        return slots + (WORD_LOAD_LATENCY if now.access_bytes >= 4 else NARROW_LOAD_LATENCY)
    if now.group in ("mac", "multiply"):
        return MULTIPLY_LATENCY
    if now.group == "divide":
        return DIVIDE_CYCLES
    if now.group == "float":
        return _float_latency(now)
    if now.name in _SLOW_DSP:
        return SATURATE_LATENCY
    if now.name in ("rev", "rev16", "revsh", "rbit"):
        return EARLY_ALU_LATENCY  # [J, L: M7WriteShSIMD0]
    if not now.inline_shift and not now.reads_flags:
        if now.name in _EARLY_ALU and not paired:
            return EARLY_ALU_LATENCY
        if now.name in _SHIFTS and (beside is None or not _uses_shifter(beside)):
            return EARLY_ALU_LATENCY
    return ALU_LATENCY


def _float_latency(now: Instruction) -> int:
    if now.name in ("vdiv", "vsqrt"):
        return _issue_cycles(now) + FLOAT_LATENCY - 1
    if now.accumulators:
        return FLOAT_MAC_LATENCY
    if now.name in ("vcmp", "vcmpe", "vmrs", "fmstat"):
        return ALU_LATENCY
    return FLOAT_LATENCY


def _issue_cycles(now: Instruction) -> int:
    """Cycles in which nothing behind it can issue."""
    if now.name.startswith(_DOUBLE):
        return max(1, (now.transfers + 1) // 2)  # [J]
    if now.group == "divide":
        return DIVIDE_CYCLES
    if now.name == "vdiv":
        return FLOAT_DIVIDE_CYCLES
    if now.name == "vsqrt":
        return FLOAT_ROOT_CYCLES
    if now.name in ("tbb", "tbh"):
        return TABLE_BRANCH_CYCLES
    if now.group == "other" and now.name not in ("it", "nop", "hint"):
        return SYSTEM_CYCLES
    return 1


def _alone(now: Instruction) -> bool:
    """It shares its cycle with nothing."""
    if now.group == "other":
        return now.name not in ("it", "nop", "hint")
    two_moves = now.name == "vmov" and len(now.reads) + len(now.writes) > 2
    return (
        now.name.startswith(_DOUBLE)
        or now.group == "divide"
        or two_moves
        or now.name in ("tbb", "tbh", "vmrs", "vmsr", "fmstat")
        or (now.ends_block and not now.conditional)
    )


def _uses_shifter(now: Instruction) -> bool:
    return now.inline_shift or now.name in _SHIFTER_DSP


def _may_pair(older: Instruction, younger: Instruction) -> bool:
    """Whether two instructions may issue in one cycle, apart from their operands."""
    if _alone(younger) and not younger.ends_block:
        return False
    if younger.name.startswith(_DOUBLE) or younger.name in ("tbb", "tbh"):
        return False
    if younger.group == "dsp":  # only from the older slot [J, L: BeginGroup]
        return False
    groups = {older.group, younger.group}
    if older.group == younger.group and older.group in ("store", "branch", "float"):
        return False
    multiplies = groups & {"mac", "multiply"}
    if multiplies and (groups <= {"mac", "multiply"} or "store" in groups):
        return False  # one multiplier, and it shares ports with stores [J]
    if _uses_shifter(older) and _uses_shifter(younger):
        return False  # [J: matrix of operand 2]
    moves = any(x.name.startswith(("vldr", "vstr", "vmov")) for x in (older, younger))
    if moves and "float" in groups and (older.accumulators or younger.accumulators):
        return False  # [J]
    if older.group == younger.group == "load":
        # An address that the first one writes back is not there in the same cycle [J].
        return not (older.base_update and older.base_update in younger.addressing)
    return True


def _other_bank(older: Instruction, younger: Instruction) -> bool:
    """Two loads from one base register at constant distances: even and odd words [J]."""
    same_base = older.addressing == younger.addressing and not older.base_update
    if not same_base or older.offset is None or younger.offset is None:
        return False
    return (older.offset // 4 + younger.offset // 4) % 2 == 1
