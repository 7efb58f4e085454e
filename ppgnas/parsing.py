"""Text that came from elsewhere to plain values: numbers that can be computed with, text to print.

What `json` and `tomllib` take beyond that (NaN, numbers of thousands of digits, nesting without
end) is refused here, so that nobody behind has to think of it.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from ppgnas.errors import OptionError, PpgnasError

if TYPE_CHECKING:
    from pydantic import ValidationError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

MOST_DOTS = 100
Word = TypeVar("Word", bound=str)


def parse_json(text: str) -> Any:
    """JSON whose numbers are finite, and within 64 bits where they are whole.

    Raises:
        ValueError: it is not, is no JSON, or is nested without end.
    """
    try:
        return json.loads(text, parse_float=finite, parse_constant=finite, parse_int=_whole)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def parse_toml(text: str, *, parse_float: Callable[[str], Any] = float) -> dict[str, Any]:
    """TOML whose whole numbers are within 64 bits.

    Args:
        parse_float: `finite`, where no type behind says which key holds the NaN.

    Raises:
        ValueError: it is not, is no TOML, or is nested without end.
    """
    # A dotted key of n parts takes n * n words of memory.
    if any(line.partition("=")[0].count(".") > MOST_DOTS for line in text.splitlines()):
        raise ValueError(f"a key has more than {MOST_DOTS} dots")
    try:
        document = tomllib.loads(text, parse_float=parse_float)
        _check_whole(document)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    return document


def mistake(error: ValidationError) -> str:
    """The first mistake of a document: where, what, and the value seen."""
    found = error.errors(include_url=False)[0]
    place = ".".join(map(str, found["loc"])) or "document"
    if found["type"] in ("unexpected_keyword_argument", "extra_forbidden"):
        return f"{place}: no such key"
    seen = "" if found["type"] == "missing" else f", found {found['input']!r:.60}"
    return f"{place}: {found['msg']}{seen}"


def one_of(name: str, value: str, allowed: Sequence[Word], refusal: type[PpgnasError]) -> Word:
    """The word that a text is.

    Raises:
        refusal: it is none of those allowed; says which argument, its value, and which are.
    """
    for word in allowed:
        if word == value:
            return word
    raise refusal(f"`{name}` is {value!r}; allowed: {', '.join(allowed)}")


def listed(
    name: str,
    text: str,
    refusal: type[PpgnasError],
    *,
    example: str,
    allowed: str = "names",
    read: Callable[[str], Any] = str,
) -> tuple[Any, ...]:
    """The values of a list with commas, such as `0,1,2`.

    Args:
        name: of the argument, `example` and `allowed`: for the message.
        read: makes a value of a part, or raises a plain ValueError.

    Raises:
        refusal: a part is empty or cannot be read, or a value stands there twice.
    """
    parts = [part.strip() for part in text.split(",")]
    try:
        values = tuple(map(read, parts)) if all(parts) else ()
    except PpgnasError:
        raise
    except ValueError:
        values = ()
    if not values or len(set(values)) < len(values):
        raise refusal(
            f"`{name}` is {text!r}; allowed: {allowed} with commas, none empty and each once, "
            f"such as {example}"
        )
    return values


def refuse_idle(why: str, **given: object) -> None:
    """Refuse arguments that were given where they cannot act.

    Args:
        why: they cannot, as a sentence without a full stop.
        given: values by name; None and False where they were not given.

    Raises:
        OptionError: one was given.
    """
    names = [f"`{name}`" for name in idle(given)]
    if names:
        raise OptionError(
            f"{', '.join(names)} cannot act: {why}; leave {'them' if names[1:] else 'it'} out"
        )


def idle(given: Mapping[str, object]) -> list[str]:
    """Names of the values that were given, see `refuse_idle`."""
    return [name for name, value in given.items() if value is not None and value is not False]


def printable(text: str) -> str:
    """A text as it can stand on a terminal: lines, without controls and lone surrogates."""
    return "".join(c if c.isprintable() or c == "\n" else "\ufffd" for c in text)


def finite(text: str) -> float:
    """A number from its text.

    Raises:
        ValueError: it is NaN, infinite or too large.
    """
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text:.20} is no finite number")
    return value


def _whole(text: str) -> int:
    if len(text) > 20 or abs(int(text)) >= 2**63:
        raise ValueError(f"{text:.20} is no whole number of 64 bits")
    return int(text)


def _check_whole(value: Any) -> None:
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for inner in value:
            _check_whole(inner)
    elif isinstance(value, int) and abs(value) >= 2**63:
        raise ValueError("a whole number is beyond 64 bits")
