"""A process of its own for files of others: who dies there, and why."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from deploy.apart import apart
from ppgnas.errors import ExportError

GUARDLESS = """
from deploy.apart import apart
from ppgnas.errors import PpgnasError
try:
    with apart() as there:
        print(there(abs, -3))
except PpgnasError as error:
    print(type(error).__name__, error)
"""
GUARDED = "import deploy.apart\nif __name__ == '__main__':\n" + GUARDLESS.replace("\n", "\n    ")


def output_of(*words: str, folder: Path) -> list[str]:
    path = os.pathsep.join((str(Path(__file__).parents[2]), str(folder)))
    done = subprocess.run(
        [sys.executable, *words],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": path},
    )
    assert done.returncode == 0
    return done.stdout.splitlines()


@pytest.mark.parametrize("words", [["script.py"], ["-m", "script"]])
def test_a_script_without_a_main_guard_is_told(words: list[str], tmp_path: Path) -> None:
    """The file had been called hostile, which nobody had read."""
    script = tmp_path / "script.py"
    script.write_text(GUARDLESS)
    called = [str(tmp_path / word) if word.endswith(".py") else word for word in words]
    told = output_of(*called, folder=tmp_path)
    assert told and told[-1].startswith("RunError a worker process ended as it started")
    assert "died of the file" not in "".join(told)
    script.write_text(GUARDED)
    assert output_of(*called, folder=tmp_path) == ["3"]


def test_a_script_of_one_line_needs_no_guard(tmp_path: Path) -> None:
    assert output_of("-c", GUARDLESS, folder=tmp_path) == ["3"]


@pytest.mark.parametrize(("function", "argument"), [(os._exit, 1), (os._exit, 139), (os.kill, 9)])
def test_who_dies_of_a_file_is_told(function: Callable[..., Any], argument: int) -> None:
    with apart() as there:
        assert there(abs, -3) == 3
        arguments = (there(os.getpid), argument) if function is os.kill else (argument,)
        with pytest.raises(ExportError, match="died of the file, which is damaged or hostile"):
            there(function, *arguments)
