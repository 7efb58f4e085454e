"""Arrows between rooms point one way."""

from __future__ import annotations

import ast
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROOMS = ("ppgnas", "ppg", "hwmodels", "search_spaces", "distill", "deploy", "nas")
MAY_IMPORT = {
    "ppgnas": set(),
    "ppg": {"ppgnas"},
    "hwmodels": {"ppgnas"},
    "search_spaces": {"ppgnas", "hwmodels"},
    # distill quantises what it trains and measures it in integers.
    "distill": {"ppgnas", "hwmodels", "search_spaces", "ppg", "deploy"},
    # The integer front end and decoder take the constants of ppg's.
    "deploy": {"ppgnas", "hwmodels", "search_spaces", "ppg"},
    "nas": set(ROOMS),
}
TORCH_FREE = ("ppgnas", "ppg", "hwmodels", "deploy")
TOML = {"tomllib", "tomli"}  # the first is part of Python from 3.11
LIGHT_PACKAGES = {
    "ppg": {"numpy", "scipy", "pooch"},  # pooch where data sets are downloaded, nowhere else
    "hwmodels": {"numpy", "scipy", "pydantic", *TOML},
}

NEWER = {"Self", "Never", "LiteralString", "TypeVarTuple", "Unpack", "Required", "NotRequired",
         "assert_never", "assert_type", "reveal_type", "override", "get_type_hints"}  # fmt: skip
"""Of `typing` from Python 3.11 on; type hints of 3.10 have an Optional round what may be None."""


@cache
def imports_of(path: Path) -> frozenset[str]:
    """Top-level names of everything that a file imports, wherever in the file."""
    found = set[str]()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found.update(alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            found.add((node.module or "").split(".")[0])
    return frozenset(found)


def files_of(room: str) -> list[Path]:
    found = sorted((ROOT / room).rglob("*.py"))
    assert found
    return found


@pytest.mark.parametrize("room", ROOMS)
def test_names_of_typing_are_those_of_python_3_10(room: str) -> None:
    for path in files_of(room):
        body = ast.parse(path.read_text(encoding="utf-8")).body  # below TYPE_CHECKING all may be
        found = [n for n in body if isinstance(n, ast.ImportFrom) and n.module == "typing"]
        assert not NEWER & {alias.name for node in found for alias in node.names}, path


@pytest.mark.parametrize("room", ROOMS)
def test_rooms_import_only_what_they_may(room: str) -> None:
    allowed = {room, *MAY_IMPORT[room]}
    for path in files_of(room):
        known = imports_of(path).intersection(ROOMS)
        assert known <= allowed, f"{path.relative_to(ROOT)} imports {known - allowed}"
        assert "tests" not in imports_of(path)


@pytest.mark.parametrize("room", TORCH_FREE)
def test_no_torch_in_the_files(room: str) -> None:
    for path in files_of(room):
        assert "torch" not in imports_of(path), path.relative_to(ROOT)


@pytest.mark.parametrize("room", sorted(LIGHT_PACKAGES))
def test_light_rooms_stay_light(room: str) -> None:
    allowed = {room, "ppgnas", *LIGHT_PACKAGES[room], *sys.stdlib_module_names}
    for path in files_of(room):
        foreign = imports_of(path) - allowed
        assert not foreign, f"{path.relative_to(ROOT)} imports {foreign}"


def test_importing_every_module_of_light_rooms_brings_nothing_slow() -> None:
    """`scipy.signal` takes half as long as torch: it is loaded where it is used."""
    paths = [path for room in ("ppgnas", "ppg", "hwmodels") for path in files_of(room)]
    modules = [".".join(path.relative_to(ROOT).with_suffix("").parts) for path in paths]
    script = "import sys\n" + "".join(f"import {module}\n" for module in modules)
    script += "assert not {'torch', 'scipy.signal'} & set(sys.modules)\n"
    script += "import search_spaces.lower, search_spaces.space, nas.explore.problem\n"
    script += "assert 'torch' not in sys.modules, 'lowering and costs need no torch'\n"
    subprocess.run([sys.executable, "-c", script], check=True, cwd=ROOT)


@pytest.mark.parametrize("room", ROOMS)
def test_package_files_import_nothing_and_say_what_they_are_for(room: str) -> None:
    path = ROOT / room / "__init__.py"
    # `ppgnas` looks its public names up when they are used.
    assert imports_of(path) <= ({"importlib"} if room == "ppgnas" else set())
    docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
    assert docstring
    assert len(docstring) > 40
    assert (ROOT / room / "py.typed").is_file()
