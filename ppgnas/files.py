"""Atomic writing: a file is either the old one or the new one, never half of either."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any


def write_bytes_atomic(path: Path, content: bytes) -> None:
    """Write `content` to `path` through a temporary neighbour and a rename.

    Who may read it is as before, or as the umask says. A link is replaced, and not followed: runs
    are handed around.

    Raises:
        OSError: the disk is full, the folder cannot be written, or `path` is a device or a pipe;
            it is then unchanged.
    """
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    there = path.exists()
    if (there and not path.is_file()) or path.parent == Path("/dev"):
        raise OSError(errno.EINVAL, "it is a device or a pipe, and no file", str(path))
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name[:40]}.{secrets.token_hex(8)}.part")
    try:
        with temporary.open("xb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        if there:
            shutil.copymode(path, temporary)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def write_text_atomic(path: Path, content: str) -> None:
    """Write UTF-8 text, see `write_bytes_atomic`; what is no Unicode, as in paths, becomes ?."""
    write_bytes_atomic(path, content.encode(errors="replace"))


def write_json_atomic(path: Path, content: Any) -> None:
    """Write indented JSON without NaN, see `write_bytes_atomic`."""
    write_text_atomic(path, json.dumps(content, indent=2, allow_nan=False) + "\n")


LARGEST_BYTES = 256 << 20  # a document or a network for a chip; a run of 10,000 takes 10 MB


def content_of(path: Path) -> bytes:
    """What a document or a network holds: never more than memory has room for.

    Raises:
        OSError: it cannot be read, or has more than `LARGEST_BYTES`.
    """
    with path.open("rb") as stream:
        content = stream.read(LARGEST_BYTES + 1)
    if len(content) > LARGEST_BYTES:
        raise OSError(errno.EFBIG, f"it has more than {LARGEST_BYTES >> 20} MB", str(path))
    return content


def text_of(path: Path) -> str:
    """The UTF-8 text of a document, see `content_of`; line ends become those of Unix.

    Raises:
        OSError: see `content_of`.
        UnicodeDecodeError: it is not UTF-8.
    """
    text = content_of(path).decode("utf-8")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def reason(error: Exception) -> str:
    """Why a file cannot be used: of the operating system's words those without number and path."""
    return (isinstance(error, OSError) and error.strerror) or str(error)


def seal(path: Path) -> None:
    """Keep the SHA-256 of a file beside it, for `is_sealed`."""
    write_text_atomic(path.with_name(f"{path.name}.sha256"), sha256_of(path))


def is_sealed(path: Path) -> bool:
    """Whether a file is there and what it was when it was sealed, to the last bit."""
    try:
        kept = path.with_name(f"{path.name}.sha256").read_bytes()
        return kept == sha256_of(path).encode()
    except OSError:
        return False


def sha256_of(path: Path) -> str:
    """The fingerprint of a file, in hexadecimal digits."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while part := stream.read(1 << 20):
            digest.update(part)
    return digest.hexdigest()


def cache_folder(path: Path, identity: Any) -> Path:
    """A folder for what can be made again; emptied if it was filled for something else.

    Args:
        identity: JSON values of all that its content depends on.

    Returns:
        `path`, which exists.
    """
    made_for = path / "made_for.json"
    wanted = json.loads(json.dumps(identity))
    try:
        found = json.loads(made_for.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        found = None
    if found != wanted:
        shutil.rmtree(path, ignore_errors=True)
        write_json_atomic(made_for, wanted)
    return path


@contextmanager
def temporary_folder() -> Iterator[Path]:
    """A folder for what the block makes; what killed processes left of theirs goes first.

    A lock beside it says that its process lives: the system lets go of it when that ends.
    """
    from filelock import FileLock, Timeout

    place = Path(tempfile.gettempdir())
    for lock in place.glob("ppgnas-*.lock"):
        if not lock.is_symlink():
            with suppress(OSError, Timeout), FileLock(lock, timeout=0):
                _forget(lock)
    lock = place / f"ppgnas-{secrets.token_hex(8)}.lock"
    with FileLock(lock):
        try:
            lock.with_suffix("").mkdir(mode=0o700)
            yield lock.with_suffix("")
        finally:
            _forget(lock)


def _forget(lock: Path) -> None:
    folder = lock.with_suffix("")
    shutil.rmtree(folder, ignore_errors=True)
    if not folder.exists():  # a program that was begun there may still write
        lock.unlink(missing_ok=True)
