"""Unpacking of downloaded .zip files that are not trusted.

A member may climb out of the folder (`../x`, `/x`, `C:x`), be a link, or declare more than the
disk holds: each is refused by name before anything is written. Only the members that a data set
needs are unpacked; a file that is there with the right size is left, so that a stopped unpacking
goes on.
"""

from __future__ import annotations

import re
import shutil
import stat
import zipfile
import zlib
from pathlib import Path, PurePosixPath

from ppgnas.errors import DataError

LARGEST_RATIO = 200  # unpacked to packed; signals reach 3 to 20
SMALL_BYTES = 1 << 28  # no question of ratio below it
_STEP = "Nothing was unpacked. Fetch the file again from its publisher."
_UNREADABLE = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    NotImplementedError,  # an unknown compression
    RuntimeError,  # an encrypted member
    ValueError,
)


def unpack(path: Path, out: Path, *, members: str, inner: str | None = None) -> list[Path]:
    """Unpack the members whose whole name fits a regular expression.

    Args:
        out: the folder to unpack into; made if it is not there.
        members: regular expression of names, with / between folders.
        inner: the name of a .zip member that holds them; where there is no such member, `path`
            is taken for it.

    Returns:
        The files, in the order of the archive; at least one.

    Raises:
        DataError: not a .zip, damaged, hostile, or without such members.
        OSError: the disk is full or the folder cannot be written.
    """
    if not path.is_file():
        raise DataError(f"{path}: no such file. Give the path of the archive.")
    within = rf"(?:.*/)?{re.escape(inner or '')}"
    if inner is None or not _holds(path, within):
        return _unpack(path, out, members)
    # A folder of its own: a file of this name in `out` may be the user's.
    between = out / f".{inner}.unpacking"
    try:
        return _unpack(_unpack(path, between, within)[0], out, members)
    finally:
        shutil.rmtree(between, ignore_errors=True)


def _holds(path: Path, name: str) -> bool:
    """Whether a member fits; False of what is no .zip, which `_unpack` refuses by name."""
    try:
        with zipfile.ZipFile(path) as archive:
            return any(re.fullmatch(name, entry) for entry in archive.namelist())
    except _UNREADABLE:
        return False


def _unpack(path: Path, out: Path, members: str) -> list[Path]:
    if not zipfile.is_zipfile(path):
        with path.open("rb") as stream:
            start = stream.read(8)
        raise DataError(
            f"{path}: not a whole .zip file: it begins with {start!r} and has no table of members "
            f"at its end; {path.stat().st_size} bytes. {_STEP}"
        )
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
            for entry in entries:
                _check(path, entry)
            wanted = [
                entry
                for entry in entries
                if not entry.is_dir() and re.fullmatch(members, entry.filename)
            ]
            if not wanted:
                seen = ", ".join(entry.filename for entry in entries[:4]) or "nothing"
                raise DataError(
                    f"{path}: none of its {len(entries)} members is one of the data set (it holds "
                    f"{seen}). Is it the archive of another data set?"
                )
            _check_size(path, out, wanted)
            return [_member(path, archive, entry, out) for entry in wanted]
    except DataError:
        raise
    except _UNREADABLE as error:
        reason = str(error).strip().split("\n")[0] or type(error).__name__
        raise DataError(f"{path}: truncated or damaged ({reason[:120]}). {_STEP}") from error


def _check(path: Path, entry: zipfile.ZipInfo) -> None:
    name = entry.filename
    parts = PurePosixPath(name.replace("\\", "/")).parts
    outside = name.startswith(("/", "\\")) or re.match(r"[A-Za-z]:", name) is not None
    # The name in the file, before Python cut it at a zero byte.
    climbs = outside or ".." in parts or not parts or "\0" in entry.orig_filename
    strange = stat.S_IFMT(entry.external_attr >> 16) not in (0, stat.S_IFREG, stat.S_IFDIR)
    for wrong, what, allowed in (
        (climbs, "climbs out of the folder", "paths inside"),
        (strange, "is a link or a device", "files and folders"),
        (entry.flag_bits & 1, "is encrypted", "plain members"),
    ):
        if wrong:
            raise DataError(f"{path}: the member {name!r} {what}; allowed: {allowed}. {_STEP}")


def _check_size(path: Path, out: Path, wanted: list[zipfile.ZipInfo]) -> None:
    unpacked = sum(entry.file_size for entry in wanted)
    packed = max(sum(entry.compress_size for entry in wanted), 1)
    if len({entry.filename.lower() for entry in wanted}) < len(wanted):
        raise DataError(f"{path}: a member is in it twice; allowed: once. {_STEP}")
    if unpacked > SMALL_BYTES and unpacked / min(packed, path.stat().st_size) > LARGEST_RATIO:
        raise DataError(
            f"{path}: declares {unpacked / 2**30:.1f} GiB in {path.stat().st_size} bytes; "
            f"allowed: {LARGEST_RATIO} times its size. {_STEP}"
        )
    out.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(out).free
    missing = sum(entry.file_size for entry in wanted if not _is_there(_target(out, entry), entry))
    if missing > free:
        raise DataError(
            f"{path}: needs {missing / 2**30:.1f} GiB, {free / 2**30:.1f} GiB are free in {out}. "
            f"Make room, or choose another folder."
        )


def _target(out: Path, entry: zipfile.ZipInfo) -> Path:
    return out.joinpath(*PurePosixPath(entry.filename).parts)


def _is_there(target: Path, entry: zipfile.ZipInfo) -> bool:
    return target.is_file() and target.stat().st_size == entry.file_size


def _member(path: Path, archive: zipfile.ZipFile, entry: zipfile.ZipInfo, out: Path) -> Path:
    target = _target(out, entry)
    # A link that was here before may lead out as well.
    if not target.parent.resolve().is_relative_to(out.resolve()) or target.is_symlink():
        raise DataError(f"{target}: a link leads out of {out}; allowed: real folders. Remove it.")
    if _is_there(target, entry):
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f".{target.name}.part")
    try:
        with archive.open(entry) as source, partial.open("wb") as stream:
            left = entry.file_size
            while content := source.read(1 << 20):
                left -= len(content)
                if left < 0:
                    raise DataError(
                        f"{path}: the member {entry.filename!r} is longer than the "
                        f"{entry.file_size} bytes that it declares. {_STEP}"
                    )
                stream.write(content)
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)
    return target
