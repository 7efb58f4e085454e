"""A process that runs cases one after another and says what came of each, a JSON line a case.

    python -m tests.mutation.worker WORLD SEED FIRST LAST

It may die: a file can bring down code that is not Python. The harness then counts a miss and goes
on with the next case in a new process.
"""

from __future__ import annotations

import io
import json
import os
import resource
import shutil
import signal
import sys
import time
import traceback
import warnings
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

from tests.mutation.cases import Case, make_case

ALLOWED_CODES = (0, 1, 2, 3, 130)
# Of this process's own work, which is the same on a busy machine, and of waiting for anything.
HANG_S, WAIT_S = 30, 600
MEMORY_BYTES = 2 << 30


State = dict[str, tuple[int, int]]


class Hang(BaseException):
    """A case takes too long."""


def main() -> None:
    """Run the cases."""
    from tests.nas.fakes import few_drawn

    world, seed, first, last = Path(sys.argv[1]), *map(int, sys.argv[2:5])
    whole = _state(world)
    say = os.fdopen(os.dup(1), "w")
    warnings.simplefilter("ignore")  # of what writes damaged files
    _prepare(world)
    with few_drawn():
        for number in range(first, last):
            print(json.dumps({"begins": number}), file=say, flush=True)
            print(
                json.dumps(run_case(world, whole, seed=seed, number=number)), file=say, flush=True
            )


def _prepare(world: Path) -> None:
    """Load what all cases load, then bound the memory, and stand in for trainings."""
    import torch  # noqa: F401

    import nas.bench.ranking.measure
    import nas.models.train
    import nas.search
    from tests.mutation import world as worlds
    from tests.nas.bench.ranking.made import BenchTrainer
    from tests.nas.fakes import fake_net

    for name in ("HOME", "TMPDIR"):
        os.environ[name] = str(world.parent / name)
        shutil.rmtree(os.environ[name], ignore_errors=True)  # what a process that died left
        Path(os.environ[name]).mkdir()

    def train(arch: Any, *rest: Any) -> Any:
        from distill.evaluation import Retrained
        from distill.teachers.files import check_unseen, load_teacher
        from distill.teachers.foreign import foreign_teacher
        from distill.teachers.names import ONNX, files_of

        for teacher in files_of(rest[0].teacher):
            check_unseen(teacher, rest[1].report)
            (foreign_teacher if teacher.suffix == ONNX else load_teacher)(teacher)
        return Retrained(fake_net(arch), 5.0, arch)

    mock.patch.object(nas.search, "search", worlds.fake_search).start()
    mock.patch.object(nas.bench.ranking.measure, "Trainer", BenchTrainer).start()
    trained = partial(nas.models.train.train_model, train=train)
    mock.patch.object(nas.models.train, "train_model", trained).start()
    sys.addaudithook(_watch)
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + MEMORY_BYTES
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


_seen: list[str] = []


def _watch(event: str, arguments: tuple[Any, ...]) -> None:
    if event in ("socket.connect", "socket.getaddrinfo", "socket.sendto"):
        _seen.append(f"{event} {arguments[1:]}")


def run_case(world: Path, whole: State, *, seed: int, number: int) -> dict[str, Any]:
    """Run one case.

    Args:
        whole: state of the world, which no case may change.

    Returns:
        Its document, verb, exit code, seconds and what was missed, None if nothing.
    """
    from nas.cli.main import main as ppgnas

    folder = world.parent / f"case-{number}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    case = make_case(world, folder, seed=seed, number=number)
    before = {**_state(folder), **whole}
    content = case.damaged.read_bytes()
    stdout, stderr = _stream("strict"), _stream("backslashreplace")
    began_s, code, missed = time.monotonic(), None, None
    _seen.clear()
    for number_of, timer, most_s in _TIMERS:
        signal.signal(number_of, _hung)
        signal.setitimer(timer, most_s)
    try:
        with mock.patch.multiple(sys, stdout=stdout, stderr=stderr), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ppgnas(case.arguments)
    except SystemExit as left:
        code = left.code
        if code not in ALLOWED_CODES:
            missed = f"exit code {code}"
    except BaseException as error:
        missed = _traceback(error)
    for _, timer, _ in _TIMERS:
        signal.setitimer(timer, 0)
    took_s = time.monotonic() - began_s
    stdout.flush()
    stderr.flush()
    printed, told = stdout.buffer.getvalue(), stderr.buffer.getvalue()  # type: ignore[attr-defined]
    missed = missed or _wrong(case, code, printed, told)
    missed = missed or (f"network: {_seen[0]}" if _seen else None)
    missed = missed or _changed(case, before, {**_state(folder), **_state(world)}, content)
    result = {
        "number": number,
        "document": case.document,
        "way": case.way,
        "verb": " ".join(case.arguments[: 2 if case.arguments[0] in GROUPS else 1]),
        "command": " ".join(case.arguments),
        "code": code,
        "seconds": round(took_s, 2),
        "missed": missed or None,
        "told": told[-400:].decode("utf-8", "replace"),
    }
    if not missed:
        shutil.rmtree(folder)
    return result


_TIMERS = (
    (signal.SIGPROF, signal.ITIMER_PROF, HANG_S),
    (signal.SIGALRM, signal.ITIMER_REAL, WAIT_S),
)
GROUPS = ("data", "boards", "bench", "engines", "teachers", "pretrain")


def _hung(number: int, _: object) -> None:
    what = f"{HANG_S} s of work" if number == signal.SIGPROF else f"{WAIT_S} s"
    raise Hang(f"more than {what}")


def _stream(errors: str) -> io.TextIOWrapper:
    return io.TextIOWrapper(io.BytesIO(), encoding="utf-8", errors=errors)


def _traceback(error: BaseException) -> str:
    root = str(Path(__file__).parents[2])
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if frame.filename.startswith(root)]
    ours = [frame for frame in ours if "/tests/" not in frame.filename] or frames[-1:]
    where = f"{ours[-1].filename.removeprefix(root)}:{ours[-1].lineno}"
    return f"{type(error).__name__} at {where}: {str(error)[:200]}"


def _wrong(case: Case, code: object, printed: bytes, told: bytes) -> str | None:
    """What is wrong with the output."""
    if b"Traceback (most recent call last)" in told:
        return "a traceback is printed"
    for text in (printed, told):
        if any(byte < 32 and byte not in b"\n\t\r" for byte in text):
            return "control characters reach the terminal"
    if b"Aborted!" in told:  # what click makes of an EOFError
        return "ended without a word of its own"
    if code == 2 and not told.strip():
        return "refused without a message"
    if code == 0 and "--json" in case.arguments:
        try:
            json.loads(printed, parse_constant=_refuse)
        except ValueError as error:
            return f"--json is no JSON: {error}"
    return None


def _refuse(text: str) -> None:
    raise ValueError(text)


def _state(folder: str | Path) -> State:
    """Size and time of each file."""
    found: State = {}
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                found |= _state(entry.path)
            else:
                stat = entry.stat()
                found[entry.path] = (stat.st_size, stat.st_mtime_ns)
    return found


def _changed(
    case: Case, before: dict[str, Any], after: dict[str, Any], content: bytes
) -> str | None:
    """Files that the command had no business with."""
    for name in before.keys() | after.keys():
        if before.get(name) == after.get(name):
            continue
        if not any(path == Path(name) or path in Path(name).parents for path in case.may_change):
            return f"{name} {'changed' if name in before and name in after else 'made or gone'}"
    left = [*Path(os.environ["HOME"]).rglob("*"), *Path(os.environ["TMPDIR"]).rglob("*")]
    for path in filter(Path.is_file, left):
        # The compiler's cache of `verify` is shared between builds on purpose.
        if "zig" not in path.parts:
            path.unlink()
            return f"left outside: {path}"
    return None


if __name__ == "__main__":
    main()
