"""Figures of board and engine files: a value, its bounds, its unit and its source.

A figure is a TOML table `{ value, unit, source }` with optional `low` and `high`. Without bounds a
sourced figure is taken as exact where it is a size or a clock, and one whose source begins with
"assumption" is widened by `ASSUMPTION_SPREAD` to both sides.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field, GetPydanticSchema

from hwmodels.estimate import Estimate
from ppgnas.errors import BoardError
from ppgnas.toml_file import FileModel

ASSUMPTION_SPREAD = 0.5

# What each unit is worth in the unit that we compute in: Hz, bytes, mW, mJ.
UNITS: dict[str, dict[str, float]] = {
    "clock": {"Hz": 1.0, "kHz": 1e3, "MHz": 1e6, "GHz": 1e9},
    "memory": {"B": 1.0, "KiB": 1024.0, "MiB": 1048576.0},
    "power": {"W": 1e3, "mW": 1.0, "uW": 1e-3, "nW": 1e-6},
    "energy": {"mJ": 1.0, "uJ": 1e-3, "nJ": 1e-6},
    "ratio": {"x Cortex-M7": 1.0},
    "wait": {"cycles": 1.0},
}
SUPPLY_V = 3.3  # of an example
_MICRO = str.maketrans({"\N{MICRO SIGN}": "u", "\N{GREEK SMALL LETTER MU}": "u"})


class Figure(FileModel):
    """One figure as it stands in a file."""

    value: float = Field(ge=0, allow_inf_nan=False)
    low: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    high: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    unit: str = Field(min_length=1)
    source: str = Field(min_length=1)

    @property
    def assumed(self) -> bool:
        """True where the source says that there is none."""
        return self.source.lower().startswith("assumption")

    def estimate(self, scale: float = 1.0) -> Estimate:
        """The figure with its bounds, times the worth of its unit.

        Raises:
            ValueError: the bounds do not enclose the value.
        """
        spread = ASSUMPTION_SPREAD if self.assumed else 0.0
        low = self.value * (1 - spread) if self.low is None else self.low
        high = self.value * (1 + spread) if self.high is None else self.high
        return Estimate(self.value * scale, low * scale, high * scale)


Measured = Annotated[
    Estimate,
    GetPydanticSchema(lambda _, make: make(Annotated[Figure, AfterValidator(Figure.estimate)])),
]
"""A figure of a file in the unit that it is used in: its value and bounds alone."""


def in_unit(figure: Figure, kind: str, *, where: str, none: bool = False) -> Estimate:
    """A figure in the unit that we compute in.

    Args:
        kind: a key of `UNITS`.
        where: file and key, for the message.
        none: the part may have none of it: 0.

    Raises:
        BoardError: the unit is not one of this kind, the value is 0, or the bounds do not enclose
            it.
    """
    units, unit = UNITS[kind], figure.unit.translate(_MICRO)
    if figure.value == 0 and not none:
        raise BoardError(f"{where}.value is 0; it must be above 0. Give the figure of the part")
    if unit not in units:
        raise BoardError(
            f"{where}.unit is {figure.unit!r}; allowed: {', '.join(units)}. "
            + _instead(figure.value, unit, kind)
        )
    if kind in ("clock", "memory") and 0 < figure.value * units[unit] < 1:
        raise BoardError(
            f"{where}.value is {figure.value:g} {figure.unit}; it must be at least 1 "
            f"{min(units, key=lambda unit: units[unit])}. Give the figure of the part"
        )
    try:
        return figure.estimate(units[unit])
    except ValueError as error:
        raise BoardError(
            f"{where}: low is {figure.low}, value is {figure.value}, high is {figure.high}; "
            "they must be in ascending order. Correct the bounds"
        ) from error


def _instead(value: float, unit: str, kind: str) -> str:
    """What to write in the place of a unit that is not one of a kind."""
    if kind == "power" and unit in ("A", "mA", "uA", "nA"):
        watts = f"{value * SUPPLY_V:g} {unit[:-1]}W"
        return (
            f"A current times its supply is a power: {value:g} {unit} at {SUPPLY_V} V are {watts}"
        )
    if kind == "memory" and unit.upper() in ("KB", "MB", "KBYTES", "MBYTES"):
        return f"The {unit} of a chip's memory is {unit[0].upper()}iB"
    return "Write one of these, and the figure in it"
