"""Whether everything in a `.tflite` file lies in it: offsets, tables, vectors and texts.

LiteRT reads files without looking; one whose offsets lead out of it would make it read elsewhere.
Each table is looked at once, so the time is bounded by the file's size, however its parts share.

References: https://flatbuffers.dev/internals/ and
tensorflow/compiler/mlir/lite/schema/schema.fbs (version 3).
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from types import MappingProxyType

TEXT = "text"  # a field of bytes that end with a 0

Field = int | str
"""A vector of values of so many bytes, `TEXT`, a table by name, or `[name]`: a vector of them."""

_TABLES: Mapping[str, Mapping[int, Field]] = MappingProxyType(
    {
        "Model": {
            **{1: "[OperatorCode]", 2: "[SubGraph]", 3: TEXT, 4: "[Buffer]", 5: 4},
            **{6: "[Metadata]", 7: "[SignatureDef]"},
        },
        "OperatorCode": {1: TEXT},
        "SubGraph": {0: "[Tensor]", 1: 4, 2: 4, 3: "[Operator]", 4: TEXT},
        "Tensor": {0: 4, 3: TEXT, 4: "Quantization", 6: "Plain", 7: 4},
        "Quantization": {0: 4, 1: 4, 2: 4, 3: 8, 5: "Plain"},
        "Operator": {1: 4, 2: 4, 4: "Options", 5: 1, 7: 1, 8: 4, 12: "Plain"},
        "Options": {},
        "Sizes": {0: 4},
        "Buffer": {0: 1},
        "Metadata": {0: TEXT},
        "SignatureDef": {0: "[TensorMap]", 1: "[TensorMap]", 2: TEXT},
        "TensorMap": {0: TEXT},
        "Plain": {},
    }
)
_OPTIONS_TYPE, _OPTIONS = 3, 4  # fields of an operator
_WITH_SIZES = (17, 30)  # the options of RESHAPE and SQUEEZE, which hold a vector


def check_bounds(content: bytes) -> None:
    """Refuse a file that leads out of itself.

    Raises:
        ValueError: says what, and where.
    """
    _Walk(content).table("Model", _Walk(content).number("<I", 0))


class _Walk:
    def __init__(self, content: bytes) -> None:
        self._content = content
        self._seen: set[tuple[str, int]] = set()

    def number(self, form: str, at: int) -> int:
        """A number at a place."""
        if not 0 <= at <= len(self._content) - struct.calcsize(form):
            raise ValueError(f"an offset to byte {at} of {len(self._content)}")
        return int(struct.unpack_from(form, self._content, at)[0])

    def table(self, name: str, at: int) -> None:
        """A table and all that hangs on it."""
        waiting = [(name, at)]
        while waiting:
            kind, place = waiting.pop()
            if (kind, place) in self._seen:
                continue
            self._seen.add((kind, place))
            fields = self._fields(place)
            for number, what in _TABLES[kind].items():
                if number not in fields:
                    continue
                to = fields[number] + self.number("<I", fields[number])
                if isinstance(what, int) or what == TEXT:
                    self._vector(to, what)
                elif what.startswith("["):
                    waiting += [(what[1:-1], one) for one in self._offsets(to)]
                elif kind == "Operator" and number == _OPTIONS and _OPTIONS_TYPE in fields:
                    sizes = self.number("<B", fields[_OPTIONS_TYPE]) in _WITH_SIZES
                    waiting.append(("Sizes" if sizes else what, to))
                else:
                    waiting.append((what, to))

    def _fields(self, at: int) -> dict[int, int]:
        """Where the fields of a table lie that are there."""
        of_fields = at - self.number("<i", at)
        length, size = self.number("<H", of_fields), self.number("<H", of_fields + 2)
        if length < 4 or length % 2 or of_fields + length > len(self._content):
            raise ValueError(f"fields of {length} bytes at byte {of_fields}")
        if size < 4 or at + size > len(self._content):
            raise ValueError(f"a table of {size} bytes at byte {at}")
        found = {}
        for number in range((length - 4) // 2):
            offset = self.number("<H", of_fields + 4 + 2 * number)
            if offset >= size:
                raise ValueError(f"a field at byte {offset} of a table of {size}")
            if offset:
                found[number] = at + offset
        return found

    def _vector(self, at: int, what: Field) -> int:
        """How many values a vector has."""
        count = self.number("<I", at)
        size = count + 1 if what == TEXT else count * (what if isinstance(what, int) else 4)
        if at + 4 + size > len(self._content):
            raise ValueError(f"a vector of {count} entries at byte {at}")
        return count

    def _offsets(self, at: int) -> list[int]:
        places = range(at + 4, at + 4 + 4 * self._vector(at, "[]"), 4)
        return [place + self.number("<I", place) for place in places]
