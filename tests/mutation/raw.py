"""Odd values, and ways to damage any document by its bytes."""

from __future__ import annotations

import random
from collections.abc import Callable

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
