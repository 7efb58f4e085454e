"""Ways to damage a document: by its bytes, its text, or its structure."""

from __future__ import annotations

import io
import json
import random
import re
import struct
import zipfile
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np

HUGE = "@@huge@@"  # stands for a number that `json` and `tomli_w` would not write
ODD_TEXTS = (
    "",
    "\x00",
    "\x1b[31mred\x1b[0m",
    "\ud800",
    "名前\u202eevil",
    "<script>alert(1)</script>",
    "*/ int x; /*",
    "../../outside",
    "/dev/full",
    "a\nb\r\nc",
    "x" * 100_000,
    "C:\\x",
    "`id` $(id)",
    "{{7*7}}",
    "%s%n",
    "é" * 300,
)
ODD_NUMBERS = (
    *(0, -1, 1, 2, 7, 255, 65536, 2**31, 2**31 - 1, -(2**31), 2**63, 2**64, 10**30, 10**300),
    *(0.0, -0.0, 0.5, 1e-320, 1e300, -1e300, 1.7976931348623157e308, 1e-30),
)
NO_NUMBERS = (float("nan"), float("inf"), float("-inf"))
RAW_NUMBERS = ("9" * 5000, "1e999", "-1e999", "0." + "0" * 5000 + "1", "1" + "0" * 400, "0x1F")
Damage = Callable[[random.Random, bytes], bytes]


# Bytes.


def half(rng: random.Random, content: bytes) -> bytes:
    """Cut anywhere."""
    return content[: rng.randrange(len(content) + 1)]


def empty(rng: random.Random, content: bytes) -> bytes:
    """Nothing, or nearly."""
    return rng.choice((b"", b"\n", b"\0", b"\xef\xbb\xbf", b"{}", b"[]", b"null", b"PK"))


def flipped(rng: random.Random, content: bytes) -> bytes:
    """Some bits."""
    changed = bytearray(content)
    for _ in range(rng.choice((1, 1, 2, 8))):
        if changed:
            changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
    return bytes(changed)


def swapped(rng: random.Random, content: bytes) -> bytes:
    """Two bytes, or a piece that stands twice, moved or gone."""
    if len(content) < 4:
        return content
    a, b = sorted(rng.sample(range(len(content)), 2))
    b = min(b, a + rng.choice((1, 2, 16, 1000)))
    piece = content[a:b]
    return rng.choice(
        (
            content[:a] + piece[::-1] + content[b:],
            content[:a] + content[b:],
            content[:b] + piece * rng.choice((1, 3, 100)) + content[b:],
        )
    )


def inserted(rng: random.Random, content: bytes) -> bytes:
    """Bytes that are no UTF-8, or controls."""
    odd = (b"\xff\xfe", b"\x80", b"\xed\xa0\x80", b"\0", b"\x1b[2J", b"\x0b", b"\r", b"\xc3")
    at = rng.randrange(len(content) + 1)
    return content[:at] + rng.choice(odd) * rng.choice((1, 1, 50)) + content[at:]


def recoded(rng: random.Random, content: bytes) -> bytes:
    """Another encoding of the same text, or what a pipe of tools makes of it."""
    text = content.decode("latin-1")
    return rng.choice(
        (
            text.encode("utf-16"),
            b"\xef\xbb\xbf" + content,
            content.replace(b"\n", b"\r\n"),
            content.replace(b"\n", b"\r"),
            text.encode("utf-32"),
            b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n",
            b"<!DOCTYPE html><html>404</html>",
        )
    )


def noise(rng: random.Random, content: bytes) -> bytes:
    """No such document at all."""
    return rng.randbytes(rng.choice((1, 100, 5000)))


def untouched(rng: random.Random, content: bytes) -> bytes:
    """As it was: the verb goes to its end."""
    return content


BYTES: tuple[Damage, ...] = (
    half,
    half,
    empty,
    flipped,
    flipped,
    swapped,
    inserted,
    recoded,
    noise,
)


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


# Archives of arrays.


@lru_cache(maxsize=1)
def _bomb() -> bytes:
    """600 MB of zeros as a member `ppg.npy`."""
    header = io.BytesIO()
    shape = (300 << 20, 2)
    np.lib.format.write_array_header_1_0(
        header, {"descr": "|u1", "fortran_order": False, "shape": shape}
    )
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        with archive.open("ppg.npy", "w") as member:
            member.write(header.getvalue())
            for _ in range(600):
                member.write(bytes(1 << 20))
    return stream.getvalue()


def _bombed(rng: random.Random, content: bytes, name: str) -> bytes:
    stream = io.BytesIO(_bomb().replace(b"ppg.npy", name[:3].encode().ljust(3, b"x") + b".npy"))
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(stream, "a") as new:
        for member in old.namelist():
            if member != f"{name}.npy":
                new.writestr(member, old.read(member))
    return stream.getvalue()


def _odd_array(rng: random.Random, array: Any) -> Any:
    choices: list[Callable[[], Any]] = [
        lambda: array.astype(bool) if array.dtype.kind in "biuf" else array,
        lambda: array.astype(str),
        lambda: np.array(array.tolist(), dtype=object) if array.size < 1000 else array,
        lambda: array.astype(complex) if array.dtype.kind in "biuf" else array,
        lambda: array.T,
        lambda: array[None],
        lambda: array.reshape(-1)[:0],
        lambda: array.reshape(-1)[:1],
        lambda: np.array(rng.choice(ODD_NUMBERS[:-8]), dtype=object),
        lambda: np.array(rng.choice(ODD_NUMBERS[-8:])),
        lambda: np.full(array.shape, rng.choice((np.nan, np.inf, 1e300, -1.0, 0.0))),
        lambda: np.array(rng.choice([text for text in ODD_TEXTS if "\ud800" not in text])),
        lambda: np.array([rng.choice(ODD_TEXTS[4:8])] * 3),
        lambda: np.frombuffer(b"\x00\xd8\x00\x00", "<U1")[0:1].copy(),
        lambda: np.frombuffer(b"\xff\xff\xff\x7f", "<U1")[0:1].copy(),
        lambda: np.array(b"\xff\xfe bytes"),
        lambda: array.astype(">f8") if array.dtype.kind in "iuf" else array,
        lambda: array.astype(np.float16) if array.dtype.kind in "iuf" else array,
        lambda: np.array("2020-01-01", "datetime64[s]"),
        lambda: np.zeros(3, [("a", "i4"), ("b", "f8")]),
        lambda: np.array([True, False]),
        lambda: np.ones((2, 3, 4, 5), bool),
    ]
    return rng.choice(choices)()


def npz_arrays(rng: random.Random, content: bytes) -> bytes:
    """An array of another type, shape or value; a member gone, doubled, named oddly, a bomb."""
    with np.load(io.BytesIO(content), allow_pickle=False) as stored:
        arrays = dict(stored)
    name = rng.choice(list(arrays))
    act = rng.randrange(14)
    if act == 0:
        return _bombed(rng, content, name)
    if act == 1:
        del arrays[name]
    elif act == 2:
        arrays[rng.choice(("é", "\U0001f600", "a/b", "../x", "x" * 5000, ""))] = arrays.pop(name)
    else:
        arrays[name] = _odd_array(rng, arrays[name])
    stream = io.BytesIO()
    if act == 3:  # a header that promises more than there is
        with zipfile.ZipFile(stream, "w") as archive:
            for key, array in arrays.items():
                inner = io.BytesIO()
                np.lib.format.write_array(inner, np.asarray(array), allow_pickle=True)
                raw = inner.getvalue()
                if key == name:
                    raw = _odd_header(rng, raw)
                archive.writestr(f"{key}.npy", raw)
        return stream.getvalue()
    compressed: Any = rng.choice((np.savez, np.savez_compressed))
    compressed(stream, **arrays)
    return stream.getvalue()


def _odd_header(rng: random.Random, raw: bytes) -> bytes:
    end = raw.index(b"}") + 1
    odd = rng.choice(
        (
            b"{'descr': '<f8', 'fortran_order': False, 'shape': (100000000000,), }",
            b"{'descr': '<f8', 'fortran_order': False, 'shape': (-1,), }",
            b"{'descr': '<f8', 'fortran_order': 7, 'shape': 'x', }",
            b"{'descr': '|O', 'fortran_order': False, 'shape': (3,), }",
            b"{'descr': '<U900000000', 'fortran_order': False, 'shape': (), }",
            b"{'descr': '<f8', 'shape': (True,), }",
            b"{" * 500,
            b"__import__('os').getpid()",
            b"{'descr': '<f8', 'fortran_order': False, 'shape': (" + b"9" * 400 + b",), }",
            b"{'descr': '\xff', 'fortran_order': False, 'shape': (1,), }",
        )
    )
    header = odd + b"\n"
    return raw[:8] + struct.pack("<H", len(header)) + header + raw[end:]


def zip_members(rng: random.Random, content: bytes) -> bytes:
    """A member that climbs out, is a link, is there twice, or is itself damaged."""
    stream = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(stream, "w") as new:
        for member in old.namelist():
            raw = old.read(member)
            act = rng.randrange(5)
            if act == 0:
                raw = rng.choice(BYTES)(rng, raw)
            elif act == 1:
                member = rng.choice(("../out.pkl", "/tmp/out.pkl", "\x1b[2J.pkl", "a" * 300, ""))
            new.writestr(zipfile.ZipInfo(member), raw)
    return stream.getvalue()


# Weights, journals, TFLite files.


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


def words(rng: random.Random, content: bytes) -> bytes:
    """A 32-bit word of a file of offsets and sizes is another."""
    changed = bytearray(content)
    for _ in range(rng.choice((1, 1, 2, 6))):
        at = 4 * rng.randrange(len(content) // 4)
        (old,) = struct.unpack_from("<I", content, at)
        odd = (0, 1, 4, 0xFFFFFFFF, 0x7FFFFFFF, 0x80000000, 0x7FC00000, 0x7F800000, 0x10000)
        new = rng.choice((*odd, old + 1, old - 1, old * 2, len(content), rng.getrandbits(32)))
        struct.pack_into("<I", changed, at, new & 0xFFFFFFFF)
    return bytes(changed)


def tflite_fields(rng: random.Random, content: bytes) -> bytes:
    """A well-formed file that says something else: a shape, a scale, an index, a name."""
    import flatbuffers  # type: ignore[import-untyped]

    from deploy.tflite import runtime

    schema: Any = runtime.schema()
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(content, 0))
    for _ in range(rng.choice((1, 1, 3))):
        graph = model.subgraphs[0] if model.subgraphs else None
        if graph is None or not graph.tensors or not graph.operators:
            break
        tensor, operator = rng.choice(graph.tensors), rng.choice(graph.operators)
        owner = rng.choice(
            (model, graph, tensor, tensor, tensor.quantization or tensor, operator, operator)
            + ((operator.builtinOptions,) * 2 if operator.builtinOptions else ())
            + (rng.choice(model.operatorCodes or [model]), rng.choice(model.buffers or [model]))
        )
        name = rng.choice(list(vars(owner)) or [""])
        if not name:
            continue
        old = getattr(owner, name)
        if isinstance(old, bool):
            new: Any = not old
        elif isinstance(old, int):
            new = rng.choice((0, 1, -1, 2, 9, 126, 2**31 - 1))
        elif isinstance(old, (float, np.floating)):
            new = rng.choice((0.0, float("nan"), float("inf"), -1.0, 1e30))
        elif isinstance(old, np.ndarray) and old.size:
            new = old.copy()
            info = (0, 1, -1, 2**31 - 1, 5) if old.dtype.kind in "iu" else (0, np.nan, np.inf, -1)
            with np.errstate(all="ignore"):
                new[rng.randrange(old.size)] = np.array(rng.choice(info)).astype(old.dtype)
            new = rng.choice((new, new[:-1], np.concatenate([new, new])))
        elif isinstance(old, list) and old and isinstance(old[0], int):
            new = [*old[:-1], rng.choice((0, 1, -1, 2**31 - 1, 5))]
        elif isinstance(old, list):
            new = rng.choice((old[:-1], old[::-1], None))
        elif isinstance(old, (str, bytes)):
            new = rng.choice(ODD_TEXTS).encode("utf-8", "replace").decode()
        else:
            new = None
        setattr(owner, name, new)
    builder = flatbuffers.Builder(1024)
    try:
        builder.Finish(model.Pack(builder), b"TFL3")
    except Exception:  # what the schema's writer refuses is no file
        return words(rng, content)
    return bytes(builder.Output())


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
