"""Ways to damage binary files: archives of arrays, and TFLite models."""

from __future__ import annotations

import io
import random
import struct
import zipfile
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np

from tests.mutation.raw import BYTES, ODD_NUMBERS, ODD_TEXTS


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
