"""Quantities with a unit, as an engineer writes them: `80KB`, `50ms`, `5mW`.

Convention: KB and KiB are both 1024 bytes, as linkers and vendors of microcontrollers mean them.
Case matters only where it changes the meaning: `mW` is a milliwatt, `MW` is refused.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from ppgnas.errors import BudgetError

_NUMBER = re.compile(r"\s*([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)\s*([^\s\d]*)\s*")


@dataclass(frozen=True)
class Quantity:
    """What a quantity may be written in.

    Attributes:
        name: for messages, with its article.
        factors: unit as shown -> multiple of the base unit; the first spelling is the usual one.
        example: a legal text.
        any_case: read `kb` as `KB`; not where case changes the meaning.
    """

    name: str
    factors: dict[str, float]
    example: str
    any_case: bool = True


BYTES = Quantity(
    "a size in bytes",
    {"KB": 1024.0, "KiB": 1024.0, "MB": 1024.0**2, "MiB": 1024.0**2, "B": 1.0},
    "80KB",
)
MILLISECONDS = Quantity("a time", {"ms": 1.0, "us": 1e-3, "s": 1e3}, "50ms")
SECONDS = Quantity("a time", {"min": 60.0, "s": 1.0, "h": 3600.0}, "10min")
MILLIWATTS = Quantity("a power", {"mW": 1.0, "uW": 1e-3, "W": 1e3}, "5mW", any_case=False)


def parse(text: str, quantity: Quantity, *, name: str) -> float:
    """Read a positive quantity with its unit.

    Args:
        text: for example `80KB` or `1.5 ms`.
        quantity: `BYTES`, `MILLISECONDS`, `SECONDS` or `MILLIWATTS`.
        name: of the argument, for the message: `budget`.

    Returns:
        The value in the base unit: bytes, milliseconds, seconds or milliwatts.

    Raises:
        BudgetError: no number, no unit, an unknown unit, or a value that is not above zero.
    """
    units = ", ".join(quantity.factors)

    def refuse(why: str) -> BudgetError:
        return BudgetError(f"`{name}` {why}. Write for example `{name}` {quantity.example}")

    match = _NUMBER.fullmatch(str(text))
    if match is None:
        raise refuse(f"{text!r} is not {quantity.name}; allowed: a number and a unit ({units})")
    number, unit = match.groups()
    if not unit:
        raise refuse(f"{text!r} has no unit; allowed units: {units}")
    factor = _factor(unit, quantity)
    if factor is None:
        raise refuse(f"{text!r} has the unit {unit!r}; allowed units: {units}")
    value = float(number) * factor
    if not (value > 0 and math.isfinite(value)):
        raise refuse(f"is {text!r}; it must be above zero and finite")
    return value


def _factor(unit: str, quantity: Quantity) -> float | None:
    for spelling, factor in quantity.factors.items():
        if unit == spelling or (quantity.any_case and unit.lower() == spelling.lower()):
            return factor
    return None


def parse_bytes(text: str, *, name: str) -> int:
    """Read a size such as `80KB`; 1 KB is 1024 bytes. See `parse`."""
    return math.floor(parse(text, BYTES, name=name))


def parse_ms(text: str, *, name: str) -> float:
    """Read a time such as `50ms` in milliseconds. See `parse`."""
    return parse(text, MILLISECONDS, name=name)


def parse_mw(text: str, *, name: str) -> float:
    """Read a power such as `5mW` in milliwatts. See `parse`."""
    return parse(text, MILLIWATTS, name=name)


def format_bytes(size_bytes: float) -> str:
    """`81920` -> `80 KB`; with one decimal where it is not a whole number of KB."""
    if size_bytes < 1024:
        return f"{size_bytes:.0f} B"
    size_kb = size_bytes / 1024
    return f"{size_kb:.0f} KB" if size_kb == round(size_kb) else f"{size_kb:.1f} KB"


def format_duration(seconds: float) -> str:
    """`75` -> `1 min 15 s`."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"
