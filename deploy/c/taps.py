"""Depthwise convolution of up to four output rows of one column, two channels at a time.

A word of a paired tensor holds two rows of two channels; widened, a register holds two successive
taps of one. Rows that start on an odd row take the weights shifted by one tap: PKHBT makes their
pairs with the halves swapped, which SMLADX swaps back, and the single taps at the ends take SMLATB
and SMLABT.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from deploy.c.schedule import foot, head, in_order, quoted
from hwmodels.generated_c.taps import REACH, Taps

TAPS_PREFIX = "ppg_taps_"  # how the names of these functions begin

_SUMS = ("r4", "r5", "r6", "r7")
_X = ("r8", "lr")
_WEIGHTS = ("r9", "r10", "r11", "r12")
_STOP, _ZERO = "[sp, #36]", "[sp, #40]"  # behind the nine registers that are kept
_PARAMETERS = (
    "const int8_t *from, const uint32_t *weights, const int32_t *requant, uint32_t *to,\n"
    "    const int32_t *stop, int32_t zero"
)


def name_of(of: Taps) -> str:
    """Name of the C function."""
    return f"{TAPS_PREFIX}{of.taps}x{of.rows}_stride{of.stride}_{of.row_pair}"


def function(of: Taps, plain: str) -> str:
    """Assembly, and what stands for it in C.

    Args:
        plain: the C function that does the same.
    """
    name = name_of(of)
    return (
        "#if defined(PPG_ASSEMBLY)\n"
        f"__asm__(\n{quoted(_function(of))});\nvoid {name}({_PARAMETERS});\n"
        f"#else\nPPG_STEP void {name}({_PARAMETERS})\n{{\n"
        "    const int channels = (int)(stop - requant) / 2;\n"
        "    const ending end = {zero, -128, 127, 0};\n"
        f"    {plain}(from, {of.row_pair}, weights, requant, channels, end, to);\n"
        "}\n#endif\n"
    )


def _function(of: Taps) -> Iterator[str]:
    """r0 to r3 move on by two channels a round; `stop` is where the biases end."""
    yield from (*head(name_of(of)), "push {r4-r11, lr}", "1:")
    yield from in_order([*_channel(of, 0), *_channel(of, 1), *_next(of)])
    yield from ("bne 1b", "pop {r4-r11, pc}", *foot(name_of(of)))


def _next(of: Taps) -> tuple[str, ...]:
    return (
        "add r0, r0, #4",
        f"add r1, r1, #{4 * of.words}",
        "add r2, r2, #16",
        "add r3, r3, #16",
        f"ldr {_X[0]}, {_STOP}",
        f"cmp r2, {_X[0]}",
    )


def _channel(of: Taps, channel: int) -> list[str]:
    """Lines for one of the two channels of a word."""
    rotated = ", ror #8" if channel else ""
    even = _WEIGHTS[:2] if of.odd_rows else _WEIGHTS
    odd = _WEIGHTS[2:]
    bias = _SUMS[of.rows - 1]
    lines = [f"ldr {bias}, [r2, #{4 * channel}]"]
    begun: set[int] = set()
    base = 0
    for pair in range(of.pairs):
        value = _X[pair % 2]
        if pair * of.row_pair - base > REACH:
            step = REACH // of.row_pair * of.row_pair
            lines.append(f"add r0, r0, #{step}")
            base += step
        lines.append(f"ldr {value}, [r0, #{pair * of.row_pair - base}]")
        lines.append(f"sxtb16 {value}, {value}{rotated}")
        if pair < of.words:
            own = even[pair % len(even)]
            lines += [f"ldr {own}, [r1, #{4 * pair}]", f"sxtb16 {own}, {own}{rotated}"]
            if of.odd_rows and pair:
                lines.append(f"pkhbt {odd[pair % 2]}, {own}, {even[(pair - 1) % 2]}")
        for row, start in enumerate(of.starts):
            product = _product(of, pair - start // 2, even, odd, swapped=start % 2 == 1)
            if product is not None:
                # All begin with the bias, which the register of the last row holds.
                added = _SUMS[row] if row in begun else bias
                begun.add(row)
                lines.append(f"{product[0]} {_SUMS[row]}, {value}, {product[1]}, {added}")
    lines += [f"sub r0, r0, #{part}" for part in _constants(base)]
    factor, zero = even[:2]
    lines += [f"ldr {factor}, [r2, #{8 + 4 * channel}]", f"ldr {zero}, {_ZERO}"]
    for row, total in enumerate(_SUMS[: of.rows]):
        lines += [
            f"smmlar {total}, {total}, {factor}, {zero}",
            f"ssat {total}, #8, {total}",
            f"strh {total}, [r3, #{4 * row + 2 * channel}]",
        ]
    return lines


def _constants(value: int) -> list[int]:
    """Parts that an instruction can hold: 12 bits, or 8 with zeros behind them."""
    if value > REACH and value % (1 << (value.bit_length() - 8)):
        return [value & ~REACH, value & REACH]
    return [value] if value else []


def _product(
    of: Taps, index: int, even: Sequence[str], odd: Sequence[str], *, swapped: bool
) -> tuple[str, str] | None:
    """Instruction and weights of the pair `index` of a row; None where it has no such pair."""
    if index < 0:
        return None
    if not swapped:
        return ("smlad", even[index % len(even)]) if index < of.words else None
    if index == 0:
        return "smlatb", even[0]
    if index < of.words:
        return "smladx", odd[index % 2]
    if index == of.words and of.taps % 2 == 0:
        return "smlabt", even[(index - 1) % 2]
    return None
