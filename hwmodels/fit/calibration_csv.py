"""Reading a user's timings: whole networks, or single layers.

Networks: columns `model` (a path) and `latency_ms` or `cycles`. Layers: `in_shape`, `out_shape`
and `latency_ms` or `cycles`; `op` (`conv` if left out), `kernel_h`, `kernel_w`, `stride_h`,
`stride_w`, `dilation_h`, `dilation_w` (1 if left out), `padding` (`same` if left out). `clock_mhz`
in either is the clock of the timing, the board's if left out; `mode` of a network is `window` or
`streaming` (a reading each), `window` if left out. Shapes read `1x16x30x8` or
`[1, 16, 30, 8]`. Other columns are not read.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeVar

from hwmodels.boards import LOWEST_HZ
from hwmodels.engines.kernels import Geometry, geometry
from hwmodels.graph import Layer
from hwmodels.operators import OPS, PADDINGS, Op, Padding
from ppgnas.errors import DataError
from ppgnas.files import text_of
from ppgnas.task import MODES, Mode

MINIMUM_NETWORKS = 3
MINIMUM_LAYERS = 8
LARGEST = 1e12  # cycles of half an hour at 600 MHz
CLOCKS_MHZ = (LOWEST_HZ / 1e6, 2000.0)
_ALIASES = {
    "kh": "kernel_h", "kw": "kernel_w", "sh": "stride_h", "sw": "stride_w", "dh": "dilation_h",
    "dw": "dilation_w", "pad": "padding", "cyc_op": "cycles", "freq_mhz": "clock_mhz",
}  # fmt: skip
Unit = Literal["ms", "cycles"]
Word = TypeVar("Word", Op, Padding, Mode)
_OPS: dict[str, Op] = {"conv2d": "conv", "conv_2d": "conv", "depthwise_conv2d": "depthwise_conv",
        "depthwise_conv_2d": "depthwise_conv", "dense": "fully_connected"}  # fmt: skip
_HELP = (
    "Networks need the columns model and latency_ms (or cycles); layers need in_shape, out_shape "
    "and cycles (or latency_ms). See docs/calibration.md"
)


@dataclass(frozen=True)
class NetworkTiming:
    """A network on the board: `model` as written, cycles of one inference in a mode.

    `unit` is what they were given in.
    """

    model: str
    line: int
    cycles: float
    mode: Mode = "window"
    unit: Unit = "cycles"


@dataclass(frozen=True)
class LayerTiming:
    """A layer on the board: cycles of its kernel, and what they were given in."""

    op: Op
    geometry: Geometry
    line: int
    cycles: float
    unit: Unit = "cycles"


def read_timings(
    path: Path, *, clock_hz: float, part: str
) -> list[NetworkTiming] | list[LayerTiming]:
    """Read a file of either kind.

    Args:
        clock_hz: of the board, for rows with `latency_ms` and without `clock_mhz`.
        part: of the board; a column `mcu` must not name another one.

    Raises:
        DataError: the file, line and column that are wrong, and what is allowed.
    """
    try:
        text = text_of(path).removeprefix("\ufeff")
    except FileNotFoundError as error:
        raise DataError(
            f"{path}: there is no such file; pass the path of a CSV file. {_HELP}"
        ) from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: the file is not text; a UTF-8 CSV file is expected") from error
    rows = text.splitlines()
    # Where a comma is the decimal sign, spreadsheets write semicolons.
    separator = max(",;\t", key="".join(rows[:1]).count)
    lines = csv.reader(rows, delimiter=separator)
    header = [_ALIASES.get(name.strip().lower(), name.strip().lower()) for name in next(lines, [])]
    networks = "model" in header
    _check_header(path, header, networks=networks)
    found: list[NetworkTiming | LayerTiming] = []
    for cells in lines:
        if not any(cell.strip() for cell in cells):
            continue
        if len(cells) != len(header):
            raise DataError(
                f"{path}: line {lines.line_num} has {len(cells)} cells, the header has "
                f"{len(header)}; give every column a cell (quote one that holds a comma)"
            )
        row = _Row(path, lines.line_num, dict(zip(header, map(str.strip, cells), strict=True)))
        if separator == ";":
            row.take_decimal_commas()
        row.check_part(part)
        cycles = row.cycles(clock_hz)
        if networks:
            model = row.text("model")
            found.append(NetworkTiming(model, row.line, cycles, row.mode(), row.unit))
        else:
            found.append(LayerTiming(row.op(), row.geometry(), row.line, cycles, row.unit))
    least = MINIMUM_NETWORKS if networks else MINIMUM_LAYERS
    if len(found) < least:
        what = "networks" if networks else "layers"
        hint = ", or pass one network with `anchor` model.tflite=12.3ms" if networks else ""
        raise DataError(
            f"{path}: {len(found)} rows are too few to fit; at least {least} {what} are needed. "
            f"Add rows{hint}"
        )
    return found  # type: ignore[return-value]


def _check_header(path: Path, header: list[str], *, networks: bool) -> None:
    missing = [] if networks else [key for key in ("in_shape", "out_shape") if key not in header]
    if not networks and len(missing) == 2:
        missing = ["model"]
    if "cycles" not in header and "latency_ms" not in header:
        missing.append("latency_ms")
    if missing:
        seen = ", ".join(name for name in header if name) or "none"
        raise DataError(
            f"{path}: line 1: column {missing[0]} is missing; columns seen: {seen}. {_HELP}"
        )
    if len(set(header)) < len(header):
        twice = next(name for name in header if header.count(name) > 1)
        raise DataError(f"{path}: line 1: column {twice} stands twice; remove one")


@dataclass(frozen=True)
class _Row:
    path: Path
    line: int
    cells: dict[str, str]

    def wrong(self, column: str, allowed: str) -> DataError:
        return DataError(
            f"{self.path}: line {self.line}, column {column} is {self.cells[column]!r}; "
            f"{allowed}. Correct the cell or remove the line"
        )

    def text(self, column: str) -> str:
        if not self.cells[column]:
            raise self.wrong(column, "it must not be empty")
        return self.cells[column]

    def number(self, column: str) -> float:
        try:
            value = float(self.cells[column])
        except ValueError as error:
            raise self.wrong(column, "a number above 0 is expected") from error
        if not value > 0:
            raise self.wrong(column, "a number above 0 is expected")
        if value > LARGEST:
            raise self.wrong(column, f"a number up to {LARGEST:g} is expected")
        return value

    def whole(self, column: str) -> int:
        if not self.cells.get(column):
            return 1
        value = self.number(column)
        if value != round(value):
            raise self.wrong(column, "a whole number is expected")
        return round(value)

    @property
    def unit(self) -> Unit:
        return "cycles" if self.cells.get("cycles") else "ms"

    def cycles(self, clock_hz: float) -> float:
        if self.unit == "cycles":
            return self.number("cycles")
        if "latency_ms" not in self.cells:
            raise self.wrong("cycles", "a number above 0 is expected")
        if self.cells.get("clock_mhz"):
            clock_mhz, (low, high) = self.number("clock_mhz"), CLOCKS_MHZ
            if not low <= clock_mhz <= high:
                raise self.wrong("clock_mhz", f"{low:g} to {high:g} MHz are expected")
            clock_hz = clock_mhz * 1e6
        return self.number("latency_ms") * clock_hz / 1e3

    def take_decimal_commas(self) -> None:
        for column in self.cells.keys() & {"latency_ms", "cycles", "clock_mhz"}:
            self.cells[column] = re.sub(r"^(\d+),(\d+)$", r"\1.\2", self.cells[column])

    def check_part(self, part: str) -> None:
        named = self.cells.get("mcu", "")
        if named and not named.lower().startswith(part.lower()):  # an ordering code is longer
            raise self.wrong("mcu", f"the timings of one part are expected, and `board` is {part}")

    def op(self) -> Op:
        return self._word("op", "conv", OPS, _OPS)

    def mode(self) -> Mode:
        return self._word("mode", "window", MODES, {})

    def _word(
        self, column: str, default: Word, allowed: Sequence[Word], other: dict[str, Word]
    ) -> Word:
        name = self.cells.get(column, "").lower() or default
        name = other.get(name, name)
        for word in allowed:
            if word == name:
                return word
        raise self.wrong(column, f"known {column}s: {', '.join(allowed)}")

    def shape(self, column: str) -> tuple[int, ...]:
        text = self.text(column)
        if not re.fullmatch(r"[\[(]?\s*\d{1,9}(\s*[x,]\s*\d{1,9})*\s*[\])]?", text):
            raise self.wrong(column, "a shape such as 1x16x30x8 is expected")
        sizes = tuple(int(size) for size in re.findall(r"\d+", text))
        if 0 in sizes:
            raise self.wrong(column, "a shape such as 1x16x30x8 is expected")
        if len(sizes) == 2:
            sizes = (1, 1, 1, sizes[1])
        if len(sizes) != 4 or sizes[0] != 1:
            raise self.wrong(column, "a shape of four sizes, the first of them 1, is expected")
        return sizes

    def geometry(self) -> Geometry:
        kernel, stride, dilation = (
            (self.whole(f"{key}_h"), self.whole(f"{key}_w"))
            for key in ("kernel", "stride", "dilation")
        )
        layer = Layer(
            "", self.op(), (), "", kernel, stride, dilation,
            self._word("padding", "same", PADDINGS, {}),
        )  # fmt: skip
        return geometry(layer, self.shape("in_shape"), self.shape("out_shape"))
