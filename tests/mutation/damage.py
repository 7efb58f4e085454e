"""Ways to damage a document of a kind: its text or its structure; which of all is drawn."""

from __future__ import annotations

import json
import random
import re
import struct
from collections.abc import Callable
from typing import Any

from tests.mutation.files import npz_arrays, tflite_fields, words, zip_members
from tests.mutation.raw import (
    BYTES,
    NO_NUMBERS,
    ODD_NUMBERS,
    ODD_TEXTS,
    RAW_NUMBERS,
    Damage,
    inserted,
    untouched,
)

HUGE = "@@huge@@"  # stands for a number that `json` and `tomli_w` would not write

# Structures of JSON and TOML.


def _places(value: Any) -> list[tuple[Any, Any]]:
    """Every (container, key) inside a structure."""
    found: list[tuple[Any, Any]] = []
    pairs = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    )
    for key, inner in pairs:
        found.append((value, key))
        found += _places(inner)
    return found


def odd_value(rng: random.Random, value: Any, *, none: bool) -> Any:
    """Another value in its place."""
    choices: list[Callable[[], Any]] = [
        lambda: rng.choice(ODD_TEXTS),
        lambda: rng.choice(ODD_NUMBERS),
        lambda: rng.choice(NO_NUMBERS),
        lambda: HUGE,
        lambda: rng.choice(([], {}, True, False)),
        lambda: [value],
        lambda: {"a": value},
        lambda: str(value),
    ]
    if none:
        choices.append(lambda: None)
    if isinstance(value, list) and value:
        choices += [lambda: value * 2, lambda: value[:-1], lambda: value * 1000] * 2
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        choices += [lambda: -value, lambda: value * 1000, lambda: value + 0.5] * 2
        choices += [lambda: rng.choice(ODD_NUMBERS)] * 3
    return rng.choice(choices)()


def _restructured(rng: random.Random, document: Any, *, none: bool) -> Any:
    for _ in range(rng.choice((1, 1, 1, 2, 5))):
        places = _places(document)
        if not places:
            return document
        # Half of them near the top, where a document has its meaning.
        container, key = rng.choice(places if rng.random() < 0.5 else places[:40])
        act = rng.randrange(8)
        if act == 0:
            del container[key]
        elif act == 1 and isinstance(container, dict):
            container[rng.choice((f"{key}x", "", "é", str(key).upper()))] = container.pop(key)
        elif act == 2 and isinstance(container, dict):
            container[rng.choice(("extra", "é"))] = 1
        elif act == 3:
            other, place = rng.choice(places)
            try:
                container[key], other[place] = other[place], container[key]
            except (KeyError, IndexError):
                pass
        else:
            container[key] = odd_value(rng, container[key], none=none)
    return document


def json_structure(rng: random.Random, content: bytes) -> bytes:
    """A key gone or renamed, a value of another type or beyond all bounds, deep nesting."""
    if rng.random() < 0.04:
        depth = rng.choice((500, 100_000))
        return rng.choice((b"[" * depth + b"]" * depth, b'{"a":' * depth + b"1" + b"}" * depth))
    try:
        document = _restructured(rng, json.loads(content), none=True)
        text = json.dumps(document, ensure_ascii=rng.random() < 0.5)
    except RecursionError:
        return b"[" * 1000
    return _huge(rng, text.replace(f'"{HUGE}"', HUGE))


def toml_structure(rng: random.Random, content: bytes) -> bytes:
    """The same for TOML."""
    import tomli_w

    from ppgnas.parsing import parse_toml

    if rng.random() < 0.06:
        depth = rng.choice((400, 20_000))
        deep = rng.choice(
            (
                b"deep = " + b"[" * depth + b"]" * depth,
                b"deep = " + b"{a=" * depth + b"1" + b"}" * depth,
                b"[" + b"a." * depth + b"a]",
                b"a." * depth + b"a = 1",
            )
        )
        return rng.choice((deep + b"\n" + content, content + b"\n" + deep + b"\n"))
    document = _restructured(rng, parse_toml(content.decode()), none=False)
    try:
        text = tomli_w.dumps(document)
    except (TypeError, AttributeError, ValueError):
        return inserted(rng, content)
    return _huge(rng, text.replace(f'"{HUGE}"', HUGE))


def _huge(rng: random.Random, text: str) -> bytes:
    while HUGE in text:
        text = text.replace(HUGE, rng.choice(RAW_NUMBERS), 1)
    return text.encode("utf-8", "surrogatepass")


def number_text(rng: random.Random, content: bytes) -> bytes:
    """One number of a text replaced by another, wherever it stands."""
    text = content.decode("latin-1")
    numbers = list(re.finditer(r"(?<![0-9A-Za-z])[0-9][0-9.eE_]*", text))
    if not numbers:
        return content
    at, end = rng.choice(numbers).span()
    odd = rng.choice((*RAW_NUMBERS, "nan", "inf", "-1", "0", "1e300", "1e-300", "true", "''"))
    return (text[:at] + odd + text[end:]).encode("latin-1")


# Tables.


def csv_cells(rng: random.Random, content: bytes) -> bytes:
    """A cell, a column, the header or the separators are not what they were."""
    lines = content.decode("utf-8").splitlines()
    act = rng.randrange(8)
    row = rng.choice((0, rng.randrange(len(lines)), rng.randrange(len(lines))))
    cells = lines[row].split(",")
    at = rng.randrange(len(cells))
    if act == 0:
        lines = [",".join(line.split(",")[:at] + line.split(",")[at + 1 :]) for line in lines]
    elif act == 1:
        lines = lines[1:]
    elif act == 2:
        lines = [line.replace(",", rng.choice((";", "\t", " ", "|", ""))) for line in lines]
    elif act == 3:
        lines = [lines[0], *[",".join(rng.choice(("0", "nan", "")) for _ in cells)] * 100]
    elif act == 4:
        del lines[rng.randrange(len(lines)) :]
    elif act == 5:
        lines = lines[:1] + rng.sample(lines[1:], len(lines) - 1)
    else:
        odd = (*ODD_TEXTS, *map(str, ODD_NUMBERS), *map(str, NO_NUMBERS), *RAW_NUMBERS, '"', "1,5")
        column = range(len(lines)) if act == 7 and row else [row]
        value = rng.choice(odd)
        for number in column:
            cells = lines[number].split(",")
            if number == 0 and act == 7:
                continue
            cells[at % len(cells)] = value[:1000] if len(column) > 1 else value
            lines[number] = ",".join(cells)
    return "\n".join(lines).encode("utf-8", "surrogatepass")


# Weights, journals.


def safetensors_header(rng: random.Random, content: bytes) -> bytes:
    """The header says something else than the bytes behind it."""
    (length,) = struct.unpack_from("<Q", content)
    header = json_structure(rng, content[8 : 8 + length])
    size = rng.choice((len(header),) * 5 + (2**63, 2**32, 0))
    return struct.pack("<Q", size) + header + content[8 + length :]


def journal_lines(rng: random.Random, content: bytes) -> bytes:
    """A line of JSON documents is another document, twice there, elsewhere or gone."""
    lines = content.splitlines()
    at = rng.randrange(len(lines))
    act = rng.randrange(8)
    if act == 0:
        del lines[at]
    elif act == 1:
        lines.insert(rng.randrange(len(lines)), lines[at])
    elif act == 2:
        lines[at] = b"null"
    else:
        lines[at] = json_structure(rng, lines[at]).replace(b"\n", b" ")
    return b"\n".join(lines) + b"\n"


_TEXT: tuple[Damage, ...] = (number_text, number_text)
_OF_SUFFIX: dict[str, tuple[Damage, ...]] = {
    ".json": (json_structure,) * 10 + _TEXT,
    ".toml": (toml_structure,) * 10 + _TEXT * 2,
    ".csv": (csv_cells,) * 8 + _TEXT,
    ".npz": (npz_arrays,) * 14,
    ".zip": (zip_members,) * 6,
    ".safetensors": (safetensors_header,) * 6,
    ".journal": (journal_lines,) * 12,
    ".tflite": (words,) * 6 + (tflite_fields,) * 10,
    ".txt": _TEXT,
}


def damage(rng: random.Random, content: bytes, suffix: str) -> tuple[str, bytes]:
    """Damage a document in a way that its kind knows, or by its bytes.

    Returns:
        Name of the way, and the new content.
    """
    way = untouched if rng.random() < 0.04 else rng.choice((*_OF_SUFFIX.get(suffix, ()), *BYTES))
    return way.__name__, way(rng, content)
