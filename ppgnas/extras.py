"""How to get what an optional feature needs, from where the user is."""

from __future__ import annotations

import re
import shlex
import sys
from importlib import metadata
from pathlib import Path


def install_line(extra: str) -> str:
    """The command that installs the packages of an extra into this Python.

    Args:
        extra: a name of `[project.optional-dependencies]`.
    """
    wanted = [
        requirement.split(";")[0].strip()
        for requirement in metadata.requires("ppgnas") or []
        if re.search(rf"extra == (['\"]){extra}\1", requirement)
    ]
    if not wanted:  # installed before the extra was there, from this folder
        wanted = ["-e", f"{Path(__file__).parents[1]}[{extra}]"]
    return shlex.join([sys.executable, "-m", "pip", "install", *wanted])
