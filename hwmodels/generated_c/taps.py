"""Functions in assembly of generated C: which, and how long.

Those of depthwise convolutions (`deploy.c.taps`) and of dot products (`deploy.c.pointwise`).
"""

from __future__ import annotations

from typing import NamedTuple

REACH = 4095  # bytes from a register that a load can reach
_WEIGHTS = 4  # registers for them; with odd rows half of them


class Taps(NamedTuple):
    """What such a function is made for.

    Attributes:
        rows: of the output: 1, 2 or 4; the first starts on an even row.
        row_pair: bytes between pairs of rows.
    """

    taps: int
    stride: int
    rows: int
    row_pair: int

    @property
    def words(self) -> int:
        """Of weights for two channels."""
        return (self.taps + 1) // 2

    @property
    def pairs(self) -> int:
        """Pairs of rows that are read."""
        return ((self.rows - 1) * self.stride + self.taps + 1) // 2

    @property
    def starts(self) -> tuple[int, ...]:
        """Input rows on which the output rows start."""
        return tuple(row * self.stride for row in range(self.rows))

    @property
    def odd_rows(self) -> int:
        """Output rows that start on an odd one."""
        return sum(start % 2 for start in self.starts)

    @property
    def possible(self) -> bool:
        """Whether registers and reach suffice; where not, the step has C of its own."""
        even, odd = ([s // 2 for s in self.starts if s % 2 == part] for part in (0, 1))
        kept = 2 if odd else _WEIGHTS
        return max(even) < kept and max(odd, default=0) < 2 and self.row_pair <= REACH

    @property
    def bytes(self) -> int:
        """Bytes of the function, to a few: the assembler alone knows how long each line is."""
        products = (self.rows - self.odd_rows) * self.words
        products += self.odd_rows * (self.taps // 2 + 1)
        swaps = self.words - 1 if self.odd_rows else 0
        lines = 3 + 2 * self.pairs + 2 * self.words + swaps + products + 3 * self.rows
        return 8 * lines + 26


LOOP = 4  # words of one round of the loop
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
