"""The functions of dot products in generated C (`deploy.c.pointwise`): loops and lengths."""

from __future__ import annotations

LOOP = 4
"""Words of one round of the loop."""
_STRAIGHT = 9


def straight_words(words: int) -> int:
    """Words that stand in the code, those of one round of the loop among them.

    The first and the last word always stand apart: the one starts from the biases, behind the
    other nothing is loaded.
    """
    return words if words <= _STRAIGHT else 2 + LOOP + (words - 2) % LOOP


def dot_rounds(words: int) -> int:
    """Rounds of the loop; none where all words stand in the code."""
    return 0 if words <= _STRAIGHT else (words - 2) // LOOP


def dot_bytes(words: int, *, adds: bool) -> int:
    """Bytes of the function, to ten: the assembler alone knows how long an instruction is."""
    return 160 + 51 * straight_words(words) + 17 * (dot_rounds(words) > 0) + 188 * adds
