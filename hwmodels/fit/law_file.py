"""Files of fitted laws: the numbers that they hold, and their text."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any

from hwmodels.engines.file import Bounds, LimitsFile, TimedKernel
from hwmodels.engines.kernels import TIMED
from hwmodels.estimate import Estimate
from hwmodels.fit.regression import Array, HeldOut, half_width
from ppgnas.toml_file import FileModel


def significant(values: Iterable[float], digits: int) -> tuple[float, ...]:
    """Coefficients with that many significant digits."""
    return tuple(float(f"{value:.{digits}g}") for value in values)


def bounds(estimate: Estimate, *, places: int = 4) -> Bounds:
    """An interval with that many decimal places."""
    value, low, high = (round(n, places) for n in (estimate.value, estimate.low, estimate.high))
    return Bounds(value=value, low=low, high=high)


def around_one(half_width: float) -> Bounds:
    """Measured over predicted, from a half width in logs."""
    return bounds(Estimate.exact(1.0).widened(half_width))


def timed_kernel(
    name: str,
    coefficients: Array,
    limits: LimitsFile,
    held_out: HeldOut | None = None,
    *,
    places: int = 4,
) -> TimedKernel:
    """A law of a kernel in `TIMED`, with its errors (of so many decimal places) if there are."""
    law = TimedKernel(
        features=TIMED[name].names, cycles=significant(coefficients, 6), limits=limits
    )
    if held_out is None:
        return law
    errors = {
        "layers": len(held_out.groups),
        "mean_error": round(held_out.mape, places),
        "half_width": round(half_width(held_out.residuals), places),
    }
    return law.model_copy(update=errors)


def toml(document: FileModel, comment: str) -> str:
    """A document below a comment, its tables of numbers alone on one line each."""
    values = document.model_dump(mode="json", exclude_unset=True)
    return "\n".join([f"# {comment}", *table(values)]) + "\n"


def table(values: dict[str, Any], path: str = "") -> list[str]:
    """Lines of a table: its own keys, then the tables below it."""
    own, below = [], []
    for name, value in values.items():
        key = _key(name)
        tables = value if isinstance(value, list) else [value]
        if not tables or not isinstance(tables[0], dict) or _is_flat(value):
            own.append(f"{key} = {_inline(value)}")
            continue
        for each in tables:
            lines = table(each, f"{path}{key}.")
            if not lines or lines[0]:
                brackets = "[[{}]]" if isinstance(value, list) else "[{}]"
                lines = ["", brackets.format(path + key), *lines]
            below += lines
    return own + below


def _key(name: str) -> str:
    return name if re.fullmatch(r"[\w-]+", name, re.ASCII) else json.dumps(name)


def _is_flat(value: Any) -> bool:
    return isinstance(value, dict) and all(isinstance(n, (int, float)) for n in value.values())


def _inline(value: Any) -> str:
    if isinstance(value, dict):
        return f"{{ {', '.join(f'{_key(key)} = {json.dumps(n)}' for key, n in value.items())} }}"
    return json.dumps(value, ensure_ascii=False)  # JSON's strings, numbers and lists are TOML's
