"""Where things live: small folders, small files, and arrows that never turn back.

Inside every folder the files and sub-folders are rooms of their own. Room A stands above room B
where a module of A imports one of B; a circle of such arrows would mean that no order of reading
exists.
"""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from statistics import median

import hypothesis
import pytest

from tests.test_imports import ROOMS, ROOT

MOST_MODULES = 15
MOST_LINES = 400
_TAGS = "a body code div dl html li p script section small span svg table td th tr ul"
HTML = re.compile(rf"</?({'|'.join(_TAGS.split())})[ >]")
FOLDERS = sorted({path.parent for room in ROOMS for path in (ROOT / room).rglob("*.py")})


def modules(folder: Path) -> list[Path]:
    return [path for path in sorted(folder.glob("*.py")) if path.stem not in ("__init__",)]


def imported(path: Path) -> Iterator[tuple[str, ...]]:
    """Dotted names of everything that a file imports, `from a import b` as both a and a.b."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (tuple(alias.name.split(".")) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = tuple((node.module or "").split("."))
            yield from ((*module, alias.name) for alias in node.names)


def ids(folder: Path) -> str:
    return str(folder.relative_to(ROOT))


@pytest.mark.parametrize("folder", FOLDERS, ids=ids)
def test_no_arrow_turns_back(folder: Path) -> None:
    here = folder.relative_to(ROOT).parts
    known = {child.stem for child in folder.iterdir()}
    arrows: dict[str, set[str]] = defaultdict(set)
    for path in folder.rglob("*.py"):
        room = path.relative_to(folder).with_suffix("").parts[0]
        for name in imported(path):
            if name[: len(here)] == here and len(name) > len(here) and name[len(here)] in known:
                arrows[room].add(name[len(here)])
        arrows[room].discard(room)
    try:
        TopologicalSorter(arrows).prepare()
    except CycleError as error:
        pytest.fail(f"{'/'.join(here)}: {' -> '.join(reversed(error.args[1]))}")


@pytest.mark.parametrize("folder", FOLDERS, ids=ids)
def test_folders_are_small_and_have_no_prefixes(folder: Path) -> None:
    names = [path.stem for path in modules(folder)]
    assert len(names) <= MOST_MODULES
    prefixes = [name.split("_")[0] for name in names]
    for prefix in set(prefixes) - {""}:
        assert prefixes.count(prefix) < 3, f"three files with the prefix {prefix} are a folder"


def lines_of(paths: Iterable[Path]) -> dict[Path, int]:
    return {
        path.relative_to(ROOT): len(path.read_text(encoding="utf-8").splitlines())
        for path in paths
    }


def test_files_are_small() -> None:
    source = lines_of(path for folder in FOLDERS for path in folder.glob("*.py"))
    tests = lines_of((ROOT / "tests").rglob("*.py"))
    assert {path for path, count in (source | tests).items() if count > MOST_LINES} == set()
    assert median(source.values()) < 140


@pytest.mark.parametrize("folder", FOLDERS, ids=ids)
def test_folders_say_what_they_are_for(folder: Path) -> None:
    tree = ast.parse((folder / "__init__.py").read_text(encoding="utf-8"))
    assert ast.get_docstring(tree), f"{folder} does not say what it is for"


def test_html_stands_in_templates_alone() -> None:
    for path in (ROOT / "nas").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                assert not HTML.search(node.value), f"{path.relative_to(ROOT)}: {node.value!r}"


def test_temporary_folders_are_those_that_a_kill_does_not_leave() -> None:
    """`ppgnas.files.temporary_folder`, and no other."""
    for path in (path for room in ROOMS for path in (ROOT / room).rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        assert "TemporaryDirectory" not in text and "mkdtemp" not in text, path


def test_no_property_test_has_a_deadline() -> None:
    """A busy machine is slow; hypothesis' 200 ms would fail there what is right."""
    assert hypothesis.settings().deadline is None
