"""The inner part of a separable step: one depthwise convolution, unrolled over its taps.

Two channels at a time and up to four output rows of one column. A word of a paired tensor brings
two rows of two channels; widened, one register holds two successive taps of one channel. An
output that starts on an even row takes the weights in pairs `(w0, w1) (w2, w3) ...`, one that
starts on an odd row takes `(0, w0) (w1, w2) ...`, made from the former with one instruction each.
"""

from __future__ import annotations


def name_of(taps: int, stride: int, rows: int) -> str:
    """Name of the C function."""
    return f"depthwise_{taps}x{rows}_stride{stride}"


def weight_words(taps: int) -> int:
    """Words of packed weights for each pair of channels."""
    return (taps + 1) // 2


def _odd_pairs(taps: int) -> int:
    """Pairs of an output that starts on an odd row."""
    return taps // 2 + 1


def function(taps: int, stride: int, rows: int) -> str:
    """C text of a kernel for `rows` output rows of one column.

    The C function writes halves for `pointwise4`: the word of a pair of channels of output row
    `i` goes to `to[4 * pair + i]`.

    Args:
        stride: of the output rows; the first starts on an even row.
        rows: 1, 2 or 4.
    """
    pairs = ((rows - 1) * stride + taps + 1) // 2
    lines = [
        f"/* {taps} taps, stride {stride}, {rows} output rows of one column. `row_pair` bytes lie",
        " * between pairs of rows. */",
        f"PPG_INLINE void {name_of(taps, stride, rows)}(",
        "    const int8_t *from, int row_pair, const uint32_t *weights, const int32_t *requant,",
        "    int channels, ending end, uint32_t *to)",
        "{",
        # Two taps at one row lie in one word: nothing is read further on.
        *(["    (void)row_pair;"] if pairs == 1 else []),
        "    int left = channels / 2;",
        "    PPG_OPAQUE(left);",
        "    do {",
    ]
    for channel in (0, 1):
        lines += _channel(taps, stride, rows, pairs, channel)
    lines += [
        "        from += 4;",
        f"        weights += {weight_words(taps)};",
        "        requant += 4;",
        "        to += 4;",
        "    } while (--left != 0);",
        "}",
        "",
    ]
    return "\n".join(lines)


def _channel(taps: int, stride: int, rows: int, pairs: int, channel: int) -> list[str]:
    """Statements for one of the two channels of a word."""
    even_words, odd_words = weight_words(taps), _odd_pairs(taps)
    odd_needed = any(row * stride % 2 for row in range(rows))
    pick = "widen({})" if channel == 0 else "widen_odd({})"
    lines = ["        {"]
    lines += [f"            int32_t s{row} = requant[{channel}];" for row in range(rows)]
    made: set[str] = set()

    def weight(kind: str, index: int) -> str:
        name = f"{kind}{index}"
        if name in made:
            return name
        if kind == "even":
            value = pick.format(f"weights[{index}]")
        elif index == 0:
            value = f"{weight('even', 0)} << 16"
        elif index < even_words:
            value = f"({weight('even', index - 1)} >> 16) | ({weight('even', index)} << 16)"
        else:
            value = f"{weight('even', index - 1)} >> 16"
        made.add(name)
        lines.append(f"            const uint32_t {name} = {value};")
        return name

    for pair in range(pairs):
        source = "from" if pair == 0 else f"from + {pair} * row_pair"
        value = pick.format(f"load32({source})")
        lines.append(f"            const uint32_t x{pair} = {value};")
        for row in range(rows):
            start = row * stride
            kind, count = ("odd", odd_words) if start % 2 else ("even", even_words)
            index = pair - start // 2
            if 0 <= index < count:
                name = weight(kind, index)
                lines.append(f"            s{row} = dot2(x{pair}, {name}, s{row});")
        lines.append("            PPG_ORDER();")
    assert odd_needed or not any(name.startswith("odd") for name in made)
    for row in range(rows):
        place = f"(int8_t *)(to + {row})" if channel == 0 else f"(int8_t *)(to + {row}) + 2"
        value = f"finish(s{row}, requant[{channel + 2}], end)"
        lines.append(f"            store16({place}, (uint32_t){value});")
    return [*lines, "        }"]
