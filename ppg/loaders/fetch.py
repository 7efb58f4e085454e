"""Downloads of data sets: licence first, resumed where they stopped, checked before they are used.

`pooch` keeps the file and compares its SHA-256; it hands the transfer to `_Resumable`, which keeps
what has arrived in `NAME.part`, asks the server for the rest (HTTP Range), and tries again after a
stall or a break. A server that drips, begins anew each time or sends without end is given up.
"""

from __future__ import annotations

import errno
import http.client
import queue
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ppg.loaders.archive import unpack
from ppg.loaders.registry import DataSet
from ppgnas.errors import DataError, DependencyError, PpgnasError
from ppgnas.files import sha256_of
from ppgnas.parsing import printable

STALL_S = 30.0
TRIES = 5
CHUNK_BYTES = 1 << 18
LARGEST_BYTES = 3 << 30  # of a file whose size nobody published; the largest known has 2.9 GB
_BROKEN = (OSError, http.client.HTTPException)  # what a transfer raises that may work again
_OWN = frozenset(
    (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EISDIR, errno.EIO)
)
"""What writing raises here, which no other try will mend."""


class FetchError(PpgnasError, OSError):
    """A download failed or is not what it should be."""

    exit_code = 1


@dataclass(frozen=True)
class Patience:
    """How long a transfer is tried.

    Attributes:
        stall_s: without `least_bytes` until the connection is given up.
        least_bytes: fewer are no progress.
        tries: in a row without progress, or altogether from the begin.
        pause_s: before the second try; doubled with each.
    """

    stall_s: float = STALL_S
    least_bytes: int = 1 << 16
    tries: int = TRIES
    pause_s: float = 1.0


def fetch(
    known: DataSet,
    out: Path,
    *,
    archive: Path | None = None,
    sha256: str | None = None,
    say: Callable[[str], None] = lambda text: None,
    patience: Patience | None = None,
) -> list[Path]:
    """Download (or take) the archive of a data set, check it and unpack what is needed.

    Args:
        out: folder for the archive and what is in it.
        archive: a file that was downloaded by hand; nothing is downloaded then.
        sha256: what to compare the archive with instead of the published value.
        say: takes lines for the user; the licence comes first.

    Raises:
        DataError: the data set has no address, or the archive is damaged or hostile.
        FetchError: the download failed, or size or SHA-256 is not the expected one.
        DependencyError: pooch is not installed.
        OSError: the disk is full, or what is there cannot be written.
    """
    say(f"{known.title}. Licence: {known.licence}\n{known.home}")
    expected = sha256.lower() if sha256 else known.sha256
    if expected and (len(expected) != 64 or set(expected) - set("0123456789abcdef")):
        raise DataError(f"`sha256` is {sha256!r}; allowed: 64 hexadecimal digits.")
    if archive is not None and archive.name == known.inner and sha256 is None:
        expected = None  # the published one is of the archive around it
    if archive is None and known.url is None:
        raise DataError(
            f"{known.name}: there is no address to download it from without a form. Get it from "
            f"{known.home}, unpack it, and read {known.level}. It cannot be fetched."
        )
    if not known.archive:
        raise DataError(
            f"{known.name}: no archive of it is known. Unpack {archive} by hand and give "
            f"{known.level} as the folder of recordings."
        )
    out.mkdir(parents=True, exist_ok=True)
    downloads = archive is None
    if archive is None:
        archive = _download(known, out, expected, say, patience or Patience())
    else:
        _check_taken(archive, known, expected)
    if expected is None:
        say(
            f"Nobody has published a checksum of it: {archive.stat().st_size} bytes, SHA-256 "
            f"{sha256_of(archive)}. The check sums of its members are compared while unpacking."
        )
    say(f"Unpacking {archive}")
    try:
        return unpack(archive, out, members=known.unpack, inner=known.inner)
    except DataError as error:
        if not downloads:
            raise
        archive.unlink(missing_ok=True)  # or every further run would find it there
        raise FetchError(
            f"{error} What arrived was thrown away: run the command again."
        ) from error


def _check_taken(archive: Path, known: DataSet, expected: str | None) -> None:
    if not archive.is_file():
        raise DataError(
            f"{archive}: {'a folder' if archive.is_dir() else 'no such file'}. Give the archive "
            "that you downloaded."
        )
    found = None if expected is None else sha256_of(archive)
    if found != expected:
        # Another packing has another checksum: then its size is no evidence either.
        size = f"{archive.stat().st_size} bytes"
        size += f" (published: {known.size_bytes})" if known.size_bytes else ""
        raise FetchError(
            f"{archive}: SHA-256 {found}, {size}; allowed: {expected}. It is truncated, damaged "
            f"or another version: download it again, or name its checksum with `sha256` if you "
            f"trust it."
        )


def _download(
    known: DataSet, out: Path, expected: str | None, say: Callable[[str], None], patience: Patience
) -> Path:
    try:
        import pooch
    except ImportError as error:
        raise DependencyError(
            "downloads need the package pooch; install it with: pip install pooch"
        ) from error
    pooch.get_logger().setLevel("ERROR")
    url = str(known.url)
    if not url.startswith(("http://", "https://")):
        raise DataError(f"{known.name}: the address {url!r} is not of the web.")
    transfer = _Resumable(out / f"{known.archive}.part", known.size_bytes, say, patience)
    try:
        found = pooch.retrieve(
            url,
            known_hash=f"sha256:{expected}" if expected else None,
            fname=known.archive,
            path=out,
            downloader=transfer,
        )
    except ValueError as error:  # what pooch raises where the SHA-256 differs
        raise FetchError(
            f"{url}: what arrived is not the published file: {transfer.arrived} bytes with "
            f"another SHA-256; allowed: {expected}. It was thrown away. Run the command again; "
            f"if it stays so, the publisher changed the file."
        ) from error
    return Path(found)


@dataclass
class _Resumable:
    """Transfers one file for pooch, beginning with what is already there."""

    part: Path
    size: int | None
    say: Callable[[str], None]
    patience: Patience
    arrived: int = 0
    restarts: int = 0

    def __call__(self, url: str, output_file: Any, pooch: Any, check_only: bool = False) -> None:
        failures, best = 0, self._have()
        while True:
            before = self._have()
            try:
                whole = self._go_on(url)
            except urllib.error.HTTPError as error:
                error.close()
                if error.code == 416 and before:  # nothing after what we have: begin anew
                    self.part.unlink(missing_ok=True)
                    failures += 1
                elif error.code < 500 and error.code not in (408, 429):
                    raise FetchError(
                        f"{url}: the server answers {error.code} {printable(error.reason)}; "
                        "allowed: 200. Has the address changed? Download it by hand and use "
                        "`archive`."
                    ) from error
                whole, why = False, f"{error.code} {printable(error.reason)}"
            except _BROKEN as error:
                if isinstance(error, OSError) and error.errno in _OWN:
                    raise
                whole, why = False, printable(str(error)) or type(error).__name__
            else:
                why = "the connection ended early"
            if whole:
                break
            have = self._have()
            failures = 0 if have >= best + self.patience.least_bytes else failures + 1
            best = max(best, have)
            if max(failures, self.restarts) >= self.patience.tries:
                raise FetchError(
                    f"{url}: stopped after {have} bytes"
                    + (f" of {self.size}" if self.size else "")
                    + f" and {max(failures, self.restarts)} tries without progress ({why}). What "
                    "arrived is kept: run the command again to go on."
                )
            self.say(f"Broken off after {have} bytes ({why}); going on")
            time.sleep(self.patience.pause_s * 2 ** max(failures - 1, 0))
        self.arrived = self._have()
        if self.arrived > self._most or self.arrived != (self.size or self.arrived):
            self.part.unlink(missing_ok=True)
            raise FetchError(
                f"{url}: the file has {self.arrived} bytes; allowed: {self._most}. It was thrown "
                f"away. Run the command again; if it stays so, the publisher changed the file."
            )
        # pooch owns the name that it gives, and compares the SHA-256 after this.
        self.part.replace(output_file)

    @property
    def _most(self) -> int:
        return LARGEST_BYTES if self.size is None else self.size

    def _have(self) -> int:
        return self.part.stat().st_size if self.part.is_file() else 0

    def _go_on(self, url: str) -> bool:
        """Take what comes; True if that is all of it."""
        have = self._have()
        if self.size is not None and have == self.size:
            return True
        request = urllib.request.Request(url, headers={"User-Agent": "ppgnas"})
        if have:
            request.add_header("Range", f"bytes={have}-")
        with self._answer(request) as answer:
            resumed = answer.status == 206
            self.restarts += bool(have) and not resumed
            span = str(answer.headers.get("Content-Range", ""))
            if resumed and not span.startswith(f"bytes {have}-"):
                self.part.unlink(missing_ok=True)
                return False
            length = str(answer.headers.get("Content-Length", ""))
            have *= resumed
            total = int(length) + have if length.isdecimal() and len(length) < 19 else self.size
            with self.part.open("ab" if resumed else "wb") as stream:
                seen, seen_s = have, time.monotonic()
                while have <= self._most and (content := answer.read1(CHUNK_BYTES)):
                    stream.write(content)
                    have += len(content)
                    if time.monotonic() - seen_s > self.patience.stall_s:
                        if have - seen < self.patience.least_bytes:
                            raise TimeoutError(
                                f"{have - seen} bytes in {time.monotonic() - seen_s:.0f} s"
                            )
                        seen, seen_s = have, time.monotonic()
        return total is None or have >= total or have > self._most

    def _answer(self, request: urllib.request.Request) -> Any:
        """The head of an answer; a socket's own limit is of each byte, which may come for ever."""
        stall_s = self.patience.stall_s
        found: queue.Queue[Any] = queue.Queue(1)

        def ask() -> None:
            try:
                found.put(urllib.request.urlopen(request, timeout=stall_s))
            except _BROKEN as error:
                found.put(error)
            except ValueError as error:  # an address that the server sends us on to
                found.put(http.client.InvalidURL(f"no address to go on to: {error}"))

        threading.Thread(target=ask, daemon=True).start()
        try:
            answer = found.get(timeout=2 * stall_s)
        except queue.Empty:
            raise TimeoutError(f"no answer in {2 * stall_s:g} s") from None
        if isinstance(answer, Exception):
            raise answer
        return answer
