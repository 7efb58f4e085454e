"""Functions of depthwise convolutions in generated C (`deploy.c.taps`): which, and how long."""

from __future__ import annotations

from typing import NamedTuple

REACH = 4095
"""Bytes from a register that a load can reach."""
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
