"""The run directory: who may write in it, what it holds, and its `run.toml`.

A run directory belongs to one search. It is claimed once; a second search refuses it, and only
`resume` opens it again. Every file is written through a temporary neighbour, every finalist
through a temporary folder, so that a reader sees the old one or the new one.
"""

from __future__ import annotations

import os
import shlex
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from distill.teachers.names import TeacherFacts
from nas.run.candidates import Candidates
from nas.run.card import Card
from nas.run.documents import Document, read_document
from nas.run.run_toml import RunDocument
from ppgnas.errors import RunError
from ppgnas.files import write_json_atomic, write_text_atomic

DEFAULT_OUT = Path("results/run")
METRICS = "metrics"  # the course of each training, as CSV


class RunDir:
    """One run directory.

    Args:
        path: the folder; it need not exist before `write_document`.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.toml = path / "run.toml"
        self.study = path / "study.journal"
        self.candidates_json = path / "candidates.json"
        self.candidates_csv = path / "candidates.csv"
        self.retrained = path / "retrained"
        self.front = path / "front"
        self.report = path / "report.html"
        self.metrics = path / METRICS
        self.log = path / "log.txt"

    @property
    def exists(self) -> bool:
        """Whether a search has claimed this folder."""
        return self.toml.is_file()

    @property
    def finished(self) -> bool:
        """Whether the search came to its end."""
        return self.exists and self.document().finished is not None

    def document(self) -> RunDocument:
        """The content of `run.toml`.

        Raises:
            RunError: there is none, or it is not one that ppgnas wrote.
        """
        if not self.exists:
            raise RunError(
                f"{self.path} holds no run (no run.toml); pass a folder that `ppgnas search` made"
            )
        return read_document(self.toml, RunDocument.from_toml)

    def write_document(self, document: RunDocument) -> None:
        """Replace `run.toml`."""
        import tomli_w

        write_text_atomic(self.toml, tomli_w.dumps(document.to_toml()))

    def record_time(self, phase: str, seconds: float, *, core_s: float | None = None) -> None:
        """Add to the time of a phase; a resumed phase adds what it took this time."""

        def more(before: dict[str, float], further: float) -> dict[str, float]:
            return {**before, phase: round(before.get(phase, 0.0) + further, 2)}

        document = self.document()
        cores = document.core_s if core_s is None else more(document.core_s, core_s)
        time_s = more(document.time_s, seconds)
        self.write_document(replace(document, time_s=time_s, core_s=cores))

    def record_device(self, name: str) -> None:
        """Note a device that trains."""
        document = self.document()
        if name not in document.devices:
            self.write_document(replace(document, devices=(*document.devices, name)))

    def record_teacher(self, facts: TeacherFacts) -> None:
        """Note what is known of the teacher."""
        self.write_document(replace(self.document(), taught_by=facts))

    def finish(self) -> None:
        """Mark the run as complete."""
        self.write_document(replace(self.document(), finished=timestamp()))

    def candidates(self) -> Candidates:
        """The content of `candidates.json`.

        Raises:
            RunError: the search has not come so far.
        """
        return self._read(self.candidates_json, Candidates.from_json)

    def write_candidates(self, candidates: Candidates) -> None:
        """Replace `candidates.json` and `candidates.csv`."""
        write_json_atomic(self.candidates_json, candidates.to_json())
        write_text_atomic(self.candidates_csv, candidates.to_csv())

    def finalist(self, number: int) -> Path:
        """Folder of a finalist; it need not exist."""
        return self.front / str(number)

    def finalists(self) -> list[int]:
        """Numbers of the finalists that are complete, in order."""
        if not self.front.is_dir():
            return []
        names = (entry.name for entry in self.front.iterdir() if (entry / "card.json").is_file())
        return sorted(int(name) for name in names if name.isdigit())

    def card(self, number: int) -> Card:
        """The content of a finalist's `card.json`.

        Raises:
            RunError: there is no such finalist.
        """
        return self._read(self.finalist(number) / "card.json", Card.from_json)

    def _read(self, path: Path, parse: Callable[[Any], Document]) -> Document:
        there = path.is_file()
        return read_document(path, parse, missing="" if there else self.incomplete)

    @property
    def incomplete(self) -> str:
        """Why something of a whole run is not there, and what to do."""
        path = shlex.quote(str(self.path))
        if self.finished:
            return (
                "the run came to its end, and what is missing was deleted or moved since; bring "
                f"it back, or search again with `ppgnas search --config {path}`"
            )
        return f"the run is not complete; continue it with `ppgnas search --out {path} --resume`"

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the folder for this process, without what a killed one left half done in it.

        Raises:
            RunError: another process holds it.
        """
        with held(self.path / ".lock", self.path):
            for leftover in [*self.path.rglob(".*.part"), *self.path.rglob(".*.old")]:
                if leftover.is_dir():
                    shutil.rmtree(leftover, ignore_errors=True)
                else:
                    leftover.unlink(missing_ok=True)
            yield


def choose(out: Path | None, *, resume: bool) -> RunDir:
    """The folder for a search, checked but not touched.

    Args:
        out: what `out` named, or None: `results/run`, or the next free `results/run-2`, ...

    Raises:
        RunError: the folder holds another run or other files, or there is nothing to resume.
    """
    run = _default(resume=resume) if out is None else RunDir(out)
    path = run.path
    check_place(path)
    if resume:
        run.document()
    elif run.exists:
        state = "a finished run" if run.finished else "an unfinished run"
        further = "" if run.finished else f"continue it with `out` {path} `resume`, or "
        raise RunError(
            f"{path} holds {state}, which stays as it is; {further}choose another `out`"
        )
    # Hidden files are locks and halves that a killed process left: nobody's work.
    elif path.is_dir() and any(not entry.name.startswith(".") for entry in path.iterdir()):
        raise RunError(
            f"{path} holds files that are no run, which stay as they are; choose another `out`"
        )
    return run


def _default(*, resume: bool) -> RunDir:
    """The first run that is not finished or not there."""
    before, run, number = None, RunDir(DEFAULT_OUT), 1
    while run.exists and run.finished:
        number += 1
        before, run = run, RunDir(DEFAULT_OUT.with_name(f"{DEFAULT_OUT.name}-{number}"))
    return before if resume and before is not None and not run.exists else run


@contextmanager
def held(lock: Path, what: Path) -> Iterator[None]:
    """Hold a lock file for this process; the system lets go when the process ends.

    Args:
        what: it stands for, for the message.

    Raises:
        RunError: another process holds it.
    """
    try:
        with FileLock(lock, timeout=0):
            yield
    except Timeout as error:
        raise RunError(
            f"{what} is in use by another ppgnas; wait for it or choose another `out`"
        ) from error


def check_place(folder: Path) -> None:
    """Refuse what can be no folder; it need not exist.

    Raises:
        RunError: it is a file, or lies in one.
    """
    for part in (folder, *folder.parents):
        if part.is_file():
            raise RunError(f"{part} is a file; name a folder in its place")


def check_free(out: Path) -> None:
    """Refuse to replace anything.

    Raises:
        RunError: `out` exists, or lies in a file.
    """
    if out.exists():
        raise RunError(f"`out` {out} exists and stays as it is; name one that does not")
    check_place(out.parent)


@contextmanager
def new_place(out: Path) -> Iterator[Path]:
    """Hold a file or folder that does not exist yet while a training makes it.

    Gives the hidden path beside it where the training keeps what it goes on from.

    Raises:
        RunError: `out` exists, or another training holds it.
    """
    out.parent.mkdir(parents=True, exist_ok=True)
    lock = out.with_name(f".{out.name}.lock")
    with held(lock, out):
        try:
            check_free(out)  # another training may have ended meanwhile
            yield out.with_name(f".{out.name}.cache")
        finally:
            lock.unlink(missing_ok=True)


@contextmanager
def new_folder(target: Path) -> Iterator[Path]:
    """A temporary neighbour that becomes `target` when the block ends well.

    A `target` that exists is replaced. When the block or the disk fails, the temporary folder is
    removed and `target` is what it was.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{target.name}.part")
    discarded = target.with_name(f".{target.name}.old")
    for leftover in (temporary, discarded):
        shutil.rmtree(leftover, ignore_errors=True)
    temporary.mkdir()
    try:
        yield temporary
        for file in temporary.iterdir():
            with file.open("rb+") as stream:
                os.fsync(stream.fileno())
        # A folder cannot be replaced by a rename: the old one steps aside first.
        if target.exists():
            target.rename(discarded)
        temporary.rename(target)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        if discarded.exists() and not target.exists():
            discarded.rename(target)
        raise
    shutil.rmtree(discarded, ignore_errors=True)


def timestamp() -> str:
    """Now in UTC, to the second."""
    return datetime.now(timezone.utc).isoformat(timespec="seconds")
