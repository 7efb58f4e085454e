"""The command line, called as a user does."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from nas.cli.main import main

ROOT = Path(__file__).parents[3]


def leave(*arguments: str) -> int:
    """Exit code of the command line."""
    with pytest.raises(SystemExit) as caught:
        main(list(arguments))
    code = caught.value.code
    assert isinstance(code, int)
    return code


def search_words(people: Path, *more: str) -> list[str]:
    """Of a search of a small space."""
    return ["search", "--budget", "80KB", "--data", str(people), "--space", "tiny", *more]


def run_json(capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
    assert leave(*arguments, "--json") == 0
    return json.loads(capsys.readouterr().out)
