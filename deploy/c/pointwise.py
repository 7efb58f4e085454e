"""The 1 x 1 part of a step as a function of assembly: two outputs at four positions at a time.

One function for each length of the dot product, shared by all steps that have it. It stands at the
top level of `model.c` and follows the calling convention, so no compiler, level or flag can take a
register from it; what it works on comes in a `block4`. Weights of the next word are loaded beside
the products of this one. `text/pointwise.c` has the same in C, for cores without these
instructions and for `PPG_NO_ASSEMBLY`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from deploy.c.schedule import foot, head, in_order, quoted
from hwmodels.generated_c.taps import LOOP, straight_words

DOT_PREFIX = "ppg_dot4_"  # how the names of these functions begin

_INPUTS, _WEIGHTS, _X, _Y, _W0, _W1 = "r0", "r1", "r2", "r3", "r4", "r5"
_A = ("r6", "r7", "r8", "r9")
_B = ("r10", "r11", "r12", "lr")
_FIELDS = (
    "inputs last requant weights to at1 at2 at3 pair end zero lift low high "
    "cursor from from1 from2 from3 from_pair own other offset shift sum_low sum_high"
).split()
_BLOCK = {name: 4 * index for index, name in enumerate(_FIELDS)}


class Kernel(NamedTuple):
    """One function.

    Attributes:
        bounded: sums are shifted to the left, or results clamped more tightly than to int8.
    """

    words: int
    adds: bool
    bounded: bool

    @property
    def name(self) -> str:
        """Of the C function."""
        return f"{DOT_PREFIX}{self.words}" + "_add" * self.adds + "_bounded" * self.bounded

    def text(self) -> str:
        """Assembly, and what stands for it in C."""
        lines = quoted(_function(self))
        shared = "pointwise4_add" if self.adds else "pointwise4"
        return (
            "#if defined(PPG_ASSEMBLY)\n"
            f"__asm__(\n{lines});\nvoid {self.name}(block4 *block);\n"
            f"#else\n#define {self.name}(block) {shared}(block, {self.words})\n#endif\n"
        )


def _function(kernel: Kernel) -> Iterator[str]:
    """On the stack: the block, its `last`, and where the biases of these outputs stand."""
    body = [*_dot(kernel.words), *_rescale(kernel.bounded)]
    if kernel.adds:
        body += _add(kernel.bounded)
    body += _store()
    yield from head(kernel.name)
    yield from ("ldrd r1, r2, [r0, #4]", "push {r0, r1, r2, r4-r11, lr}", "ldr r1, [r0, #12]")
    yield from ("ldr r0, [r0]", "1:")
    yield from body if kernel.bounded else in_order(body)
    yield from ("add sp, #12", "pop {r4-r11, pc}", *foot(kernel.name))


def _dot(words: int) -> Iterator[str]:
    """The sums of two outputs at four positions; r0 moves, and r1 to the next outputs."""
    straight = straight_words(words)
    before = straight - LOOP - 1 if words > straight else words - 1
    yield from (f"ldr {_W0}, [sp, #8]", f"ldr {_A[3]}, [{_W0}]", f"ldr {_B[3]}, [{_W0}, #4]")
    yield from (f"ldr {_W1}, [{_WEIGHTS}]", f"ldr {_X}, [{_INPUTS}]", f"ldr {_Y}, [{_INPUTS}, #4]")
    yield f"sxtb16 {_W0}, {_W1}"
    for word in range(before):
        yield from _word(word, fresh=word == 0)
    if words > straight:
        yield from _move(before)
        yield "2:"
        for word in range(LOOP - 1):
            yield from _word(word)
        yield from _word(LOOP - 1, again=True)
        yield "bne 2b"
        before = 0
    yield from _word(before, fresh=words == 1, last=True)
    yield f"add {_WEIGHTS}, {_WEIGHTS}, #{4 * (before + 1)}"


def _move(words: int) -> tuple[str, str]:
    return f"add {_INPUTS}, {_INPUTS}, #{16 * words}", f"add {_WEIGHTS}, {_WEIGHTS}, #{4 * words}"


def _word(at: int, *, fresh: bool = False, again: bool = False, last: bool = False) -> list[str]:
    """The products of one word, and loads for the next.

    Args:
        at: its place behind the pointers.
        fresh: the sums begin, with the biases that a3 and b3 hold.
        again: the last word of a round: the pointers move on, and are compared with the end.
        last: no word follows.
    """
    a, b = (_A[3],) * 4 if fresh else _A, (_B[3],) * 4 if fresh else _B
    weights, inputs = 4 * (at + 1), 16 * (at + 1)
    lines = [
        f"sxtb16 {_W1}, {_W1}, ror #8",
        f"smlad {_A[0]}, {_X}, {_W0}, {a[0]}",
        f"smlad {_B[0]}, {_X}, {_W1}, {b[0]}",
        f"ldr {_X}, [{_INPUTS}, #{inputs - 8}]",
        f"smlad {_A[1]}, {_Y}, {_W0}, {a[1]}",
        f"smlad {_B[1]}, {_Y}, {_W1}, {b[1]}",
        f"ldr {_Y}, [{_INPUTS}, #{inputs - 4}]",
        f"smlad {_B[2]}, {_X}, {_W1}, {b[2]}",
        f"smlad {_B[3]}, {_Y}, {_W1}, {b[3]}",
    ]
    if again:
        lines += [*_move(at + 1), f"ldr {_W1}, [sp, #4]", f"cmp {_INPUTS}, {_W1}"]
        weights = inputs = 0
    if not last:
        lines.append(f"ldr {_W1}, [{_WEIGHTS}, #{weights}]")
    lines.append(f"smlad {_A[2]}, {_X}, {_W0}, {a[2]}")
    if not last:
        lines.append(f"ldr {_X}, [{_INPUTS}, #{inputs}]")
    lines.append(f"smlad {_A[3]}, {_Y}, {_W0}, {a[3]}")
    if not last:
        lines += [f"ldr {_Y}, [{_INPUTS}, #{inputs + 4}]", f"sxtb16 {_W0}, {_W1}"]
    return lines


def _rescale(bounded: bool) -> Iterator[str]:
    """Sums become int8; the block is r5, the next biases are on the stack."""
    yield from ("ldr r2, [sp, #8]", "ldr r5, [sp]")
    if bounded:
        yield _load("r3", "lift")
        yield from (f"lsl {sum_}, {sum_}, r3" for sum_ in (*_A, *_B))
    yield from ("ldr r3, [r2, #8]", "ldr r4, [r2, #12]", _load("r0", "zero"))
    yield from ("add r2, r2, #16", "str r2, [sp, #8]")
    yield from (f"smmlar {sum_}, {sum_}, r3, r0" for sum_ in _A)
    yield from (f"smmlar {sum_}, {sum_}, r4, r0" for sum_ in _B)
    yield from (f"ssat {sum_}, #8, {sum_}" for sum_ in (*_A, *_B))
    if bounded:
        yield from _clamp("low", "high")


def _add(bounded: bool) -> Iterator[str]:
    """(own * value + other * shortcut + offset) >> shift; two bytes of the shortcut a load."""
    yield from (_load("r0", "from"), _load("r2", "other"))
    yield from (_load("r3", "own"), _load("r4", "offset"))
    yield from (f"mla {sum_}, {sum_}, r3, r4" for sum_ in (*_A, *_B))
    yield _store_to("r1", "cursor")
    for place, one, two, both, low in zip(
        ("", "from1", "from2", "from3"),
        _A,
        _B,
        ("r3", "r1", "r3", "r1"),
        ("r4", "r4", "r4", "r4"),
        strict=True,
    ):
        if place:
            yield from (_load(both, place), f"ldrsh {both}, [r0, {both}]")
        else:
            yield f"ldrsh {both}, [r0]"
        yield from (f"sxtb {low}, {both}", f"asr {both}, {both}, #8")
        yield from (f"mla {one}, {low}, r2, {one}", f"mla {two}, {both}, r2, {two}")
    yield from (_load("r3", "shift"), _load("r4", "from_pair"))
    yield from (f"asr {sum_}, {sum_}, r3" for sum_ in (*_A, *_B))
    yield from ("add r0, r0, r4", _store_to("r0", "from"), _load("r1", "cursor"))
    yield from (f"ssat {sum_}, #8, {sum_}" for sum_ in (*_A, *_B))
    if bounded:
        yield from _clamp("sum_low", "sum_high")


def _clamp(low: str, high: str) -> Iterator[str]:
    yield from (_load("r0", low), _load("r3", high))
    for sum_ in (*_A, *_B):
        yield from (f"cmp {sum_}, r0", "it lt", f"movlt {sum_}, r0")
        yield from (f"cmp {sum_}, r3", "it gt", f"movgt {sum_}, r3")


def _store() -> Iterator[str]:
    """Both outputs of each position; then on to the next pair of outputs, if there is one."""
    yield from (f"bfi {a}, {b}, #8, #8" for a, b in zip(_A, _B, strict=True))
    yield from (_load("r3", "to"), _load("r0", "at1"), _load("r4", "at2"), _load("r2", "at3"))
    yield from (f"strh {_A[0]}, [r3]", f"strh {_A[1]}, [r3, r0]")
    yield from (f"strh {_A[2]}, [r3, r4]", f"strh {_A[3]}, [r3, r2]")
    yield from (_load("r0", "pair"), "add r3, r3, r0", _store_to("r3", "to"))
    yield from (_load("r4", "end"), "cmp r1, r4", "ldr r0, [r5]", "bne 1b")


def _load(register: str, field: str, block: str = "r5") -> str:
    return f"ldr {register}, [{block}, #{_BLOCK[field]}]"


def _store_to(register: str, field: str) -> str:
    return f"str {register}, [r5, #{_BLOCK[field]}]"
