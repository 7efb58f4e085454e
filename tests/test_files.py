"""Files and folders that are whole or not there."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from ppgnas.files import (
    cache_folder,
    content_of,
    temporary_folder,
    text_of,
    write_bytes_atomic,
)
from tests.nas.cli.leaving import leave
from tests.test_imports import ROOT


def test_a_cache_is_emptied_when_it_was_made_for_something_else(tmp_path: Path) -> None:
    folder = cache_folder(tmp_path / "cache", {"seed": 0, "data": ("a", "b")})
    (folder / "pool").mkdir()
    cache_folder(folder, {"seed": 0, "data": ("a", "b")})
    assert (folder / "pool").exists()
    cache_folder(folder, {"seed": 1, "data": ("a", "b")})
    assert not (folder / "pool").exists()
    (folder / "made_for.json").write_text("{")
    (folder / "pool").mkdir()
    cache_folder(folder, {"seed": 1, "data": ("a", "b")})
    assert [path.name for path in folder.iterdir()] == ["made_for.json"]


KILLED = """
import os, signal
from ppgnas.files import temporary_folder
with temporary_folder() as folder:
    (folder / "half.c").touch()
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="signals of POSIX")
def test_what_a_killed_process_left_goes_and_a_live_one_s_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with temporary_folder() as live:
        environment = os.environ | {"TMPDIR": str(tmp_path)}
        subprocess.run([sys.executable, "-c", KILLED], env=environment, check=False, cwd=ROOT)
        (dead,) = {path for path in tmp_path.iterdir() if path.is_dir()} - {live}
        assert (dead / "half.c").is_file()
        (tmp_path / "ppgnas-else.txt").touch()
        with temporary_folder() as other:
            assert live.is_dir() and other.is_dir() and not dead.exists()
    assert [path.name for path in tmp_path.iterdir()] == ["ppgnas-else.txt"]


def test_the_text_of_a_document_has_one_kind_of_line_end(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_bytes("ä = 1\r\nb = 2\rc = 3\n".encode())
    assert text_of(tmp_path / "a.toml") == "ä = 1\nb = 2\nc = 3\n"


@pytest.mark.parametrize("name", ["board.toml", "arch.json", "model.tflite", "run.toml"])
def test_no_document_is_read_beyond_what_one_can_hold(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("ppgnas.files.LARGEST_BYTES", 1 << 20)
    path = tmp_path / name
    with path.open("wb") as file:
        file.truncate(10 << 30)  # takes no room on the disk
    verbs = {
        "board.toml": ["boards", "check", str(path)],
        "run.toml": ["report", str(tmp_path)],
    }
    assert leave(*verbs.get(name, ["score", str(path)])) in (1, 2)
    told = capsys.readouterr().err
    assert "it has more than 1 MB" in told and str(path) in told


def test_a_device_without_end_is_no_document() -> None:
    with pytest.raises(OSError, match="it has more than 256 MB: '/dev/zero'"):
        content_of(Path("/dev/zero"))


def test_who_may_read_a_file_is_the_umask_or_as_before(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    for umask, mode in ((0o077, 0o600), (0o022, 0o644), (0o027, 0o640)):
        before = os.umask(umask)
        try:
            write_bytes_atomic(path, b"1")
        finally:
            os.umask(before)
        assert path.stat().st_mode & 0o777 == mode
        path.unlink()
    path.touch()
    path.chmod(0o660)
    write_bytes_atomic(path, b"2")
    assert path.stat().st_mode & 0o777 == 0o660 and path.read_bytes() == b"2"


def test_a_pipe_or_a_device_is_not_replaced(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", Path("/dev/null"), Path("/dev/stdout"), Path("/dev/new")):
        with pytest.raises(OSError, match="it is a device or a pipe, and no file"):
            write_bytes_atomic(path, b"1")
    assert (tmp_path / "pipe").is_fifo() and Path("/dev/null").is_char_device()
    assert [path.name for path in tmp_path.iterdir()] == ["pipe"]


def test_a_link_is_replaced_and_not_followed(tmp_path: Path) -> None:
    (tmp_path / "kept").write_bytes(b"kept")
    (tmp_path / "link").symlink_to("kept")
    (tmp_path / "loop").symlink_to("loop")
    for name in ("link", "loop"):
        write_bytes_atomic(tmp_path / name, b"new")
        assert not (tmp_path / name).is_symlink() and (tmp_path / name).read_bytes() == b"new"
    assert (tmp_path / "kept").read_bytes() == b"kept"


def test_a_long_name_is_written(tmp_path: Path) -> None:
    path = tmp_path / ("x" * 250)
    write_bytes_atomic(path, b"1")
    assert path.read_bytes() == b"1"
