"""The line that installs what is missing works from where the user is."""

from __future__ import annotations

import shlex
import sys
from importlib import metadata
from pathlib import Path

import pytest

from ppgnas.errors import install_line

EXTRAS = sorted(metadata.metadata("ppgnas").get_all("Provides-Extra") or [])


@pytest.mark.parametrize("extra", EXTRAS)
def test_it_names_packages_that_an_index_has(extra: str) -> None:
    python, *words = shlex.split(install_line(extra))
    assert python == sys.executable and words[:3] == ["-m", "pip", "install"]
    assert words[3:] and not any(word.startswith("ppgnas") for word in words[3:])
    assert not any(";" in word for word in words)


def test_paths_and_brackets_are_quoted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/my python/bin/python $(id)")
    assert install_line("emulate").startswith("'/my python/bin/python $(id)' -m pip install ")


def test_an_extra_is_no_part_of_another(monkeypatch: pytest.MonkeyPatch) -> None:
    told = ["a; extra == 'emulate'", "b; extra == 'emulate-all'", "c", 'd ; extra == "emulate"']
    monkeypatch.setattr(metadata, "requires", lambda _: told)
    assert shlex.split(install_line("emulate"))[4:] == ["a", "d"]


def test_an_extra_that_came_after_the_installation(monkeypatch: pytest.MonkeyPatch) -> None:
    """A checkout that was updated: its own folder knows what the extra is."""
    monkeypatch.setattr(metadata, "requires", lambda _: ["numpy"])
    *_, editable, what = shlex.split(install_line("formats"))
    assert editable == "-e" and what == f"{Path(__file__).parents[1]}[formats]"
