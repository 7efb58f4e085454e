"""An export within projects of others: C++, two models in one image, CMake, Zephyr, metadata."""

from __future__ import annotations

import json
import random
import re
import shutil
import subprocess
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest

from deploy.c.naming import API_VERSION, Identity, header, prefixed
from deploy.c.project import project
from deploy.emulation.host import HostCompiler
from deploy.fuzz.random_net import random_net
from ppgnas.errors import ExportError
from search_spaces.lower import lower
from search_spaces.space import SearchSpace

IDENTITY = Identity('a"*/1', "run 1", "0.1.0", "ab" * 32)


def export(folder: Path, seed: int, prefix: str = "ppg") -> dict[str, str]:
    net = random_net(lower(SearchSpace.preset("tiny").sample(random.Random(seed))), seed)
    shape = net.graph.shape(net.graph.input)[1:]
    window = np.random.default_rng(seed).integers(-128, 128, shape, np.int8)
    made = project(net, window, title="a network", identity=IDENTITY, prefix=prefix)
    for name, text in made.texts.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    return dict(made.texts)


def call(*words: str | Path) -> str:
    done = subprocess.run([*map(str, words)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_header_says_where_it_comes_from(tmp_path: Path) -> None:
    texts = export(tmp_path, 5)
    for name in ("model.c", "model.h"):
        assert texts[name].startswith("/* SPDX-License-Identifier: MIT\n")
    defined = dict(re.findall(r"^#define (PPG_\w+) (.+)$", texts["model.h"], re.MULTILINE))
    assert defined["PPG_API_VERSION"] == str(API_VERSION)
    assert defined["PPG_MODEL_ID"] == '"a__/1"'
    assert defined["PPG_MODEL_RUN"] == '"run_1"'
    assert defined["PPG_GENERATOR"] == '"ppgnas 0.1.0"'
    assert defined["PPG_MODEL_SHA256"] == '"' + "ab" * 32 + '"'


def test_cpp_includes_the_header(tmp_path: Path) -> None:
    export(tmp_path, 5)
    program = shutil.which("g++") or shutil.which("clang++")
    if program is None:
        pytest.skip("no compiler of C++ on the PATH")
    text = '#include "model.h"\nint (*call)(const int8_t *, int8_t *, void *) = ppg_infer;\n'
    (tmp_path / "own.cpp").write_text(text)
    call(program, "-Wall", "-Wextra", "-Werror", "-c", tmp_path / "own.cpp", "-o", tmp_path / "o")
    assert b"_Z9ppg_infer" not in (tmp_path / "o").read_bytes()


def test_two_models_link_into_one_image(tmp_path: Path, host: HostCompiler) -> None:
    """Each computes its own logits; nothing of the first is called as anything of the second."""
    first, second = tmp_path / "first", tmp_path / "second"
    export(first, 5)
    texts = export(second, 8, prefix="wrist_two")
    for name, text in texts.items():
        # A flag that defines a macro has a letter in front of it.
        assert not re.search(r"(?<![A-Za-z0-9])(-D)?(ppg|PPG)_|\bmodel\.[ch]\b", name + text), name
    assert "-DWRIST_TWO_SEMIHOSTING" in texts["example/Makefile"]
    checks = []
    for folder, prefix in ((first, "ppg"), (second, "wrist_two")):
        text = (folder / "example" / "main.c").read_text()
        text = text.replace("int8_t logits", "static int8_t logits").split("int main(")[0]
        checks.append(folder / "check.c")
        checks[-1].write_text(text.replace('"window.h"', '"example/window.h"'))
        assert f"int {prefix}_check(void)" in text
    main = "int ppg_check(void);\nint wrist_two_check(void);\n"
    main += "int main(void) { return ppg_check() + wrist_two_check(); }\n"
    (tmp_path / "main.c").write_text(main)
    objects = [first / "model.c", second / "wrist_two_model.c", *checks, tmp_path / "main.c"]
    program = host.build_program(
        objects, tmp_path / "both", include=[tmp_path], sanitize=False, optimise="-O0"
    )
    call(program)


@pytest.mark.parametrize("prefix", ["P", "1a", "a", "a-b", "ab_", "x" * 40])
def test_prefixes_that_are_no_names(prefix: str, tmp_path: Path) -> None:
    with pytest.raises(ExportError, match=f"`prefix` is '{prefix}'; allowed: 2 to 31 small"):
        export(tmp_path, 5, prefix)


def test_a_prefix_that_is_taken(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="`prefix` 'table' begins table_0 already"):
        export(tmp_path, 5, "table")


def test_a_run_may_be_called_like_the_prefix() -> None:
    origin = Identity("model.c", "wrist_ppg_a", "0.1.0", "ab" * 32)
    texts = prefixed({"model.h": header("int ppg_infer(void);\n", origin)}, "wrist")
    text = texts["wrist_model.h"]
    assert '#define WRIST_MODEL_ID "model.c"\n#define WRIST_MODEL_RUN "wrist_ppg_a"\n' in text
    assert " * Model model.c of run wrist_ppg_a.\n" in text and "int wrist_infer(void);" in text


def cmake(*words: str | Path) -> str:
    if shutil.which("cmake") is None or shutil.which("cc") is None:
        pytest.skip("no cmake or no cc on the PATH")
    return call("cmake", *words)


def test_cmake_builds_the_example(tmp_path: Path) -> None:
    export(tmp_path / "model", 5)
    cmake("-S", tmp_path / "model", "-B", tmp_path / "build", "-DCMAKE_BUILD_TYPE=MinSizeRel")
    cmake("--build", tmp_path / "build")
    assert call(tmp_path / "build" / "ppg_example") == "PASS\n"


_CPP = """\
cmake_minimum_required(VERSION 3.13)
project(app CXX)
add_subdirectory(${MODELS}/first first)
add_subdirectory(${MODELS}/second second)
add_executable(app main.cpp)
target_link_libraries(app PRIVATE ppg_model second_model)
"""


def test_cmake_within_a_project_in_cpp(tmp_path: Path) -> None:
    """Which knows no C: the library asks nothing of those that link it, and two stand in it."""
    if shutil.which("c++") is None:
        pytest.skip("no compiler of C++ on the PATH")
    export(tmp_path / "first", 5)
    export(tmp_path / "second", 8, "second")
    app = tmp_path / "app"
    app.mkdir()
    (app / "CMakeLists.txt").write_text(_CPP)
    text = '#include "model.h"\n#include "second_model.h"\n'
    text += "int main() { return ppg_infer(0, 0, 0) - second_infer(0, 0, 0); }\n"
    (app / "main.cpp").write_text(text)
    cmake("-S", app, "-B", tmp_path / "build", f"-DMODELS={tmp_path}")
    cmake("--build", tmp_path / "build")
    call(tmp_path / "build" / "app")


_ZEPHYR = """\
cmake_minimum_required(VERSION 3.20)
project(app C)
set(CONFIG_PPG_MODEL y)
macro(zephyr_library_named name)
  set(ZEPHYR_CURRENT_LIBRARY ${name})
  add_library(${name} STATIC)
  target_compile_options(${name} PRIVATE -Os -Wall -Wextra -Werror)
endmacro()
function(zephyr_library_sources)
  target_sources(${ZEPHYR_CURRENT_LIBRARY} PRIVATE ${ARGN})
endfunction()
function(zephyr_include_directories)
  target_include_directories(${ZEPHYR_CURRENT_LIBRARY} PUBLIC ${ARGN})
endfunction()
add_subdirectory(${MODULE}/zephyr module)
add_executable(app main.c)
target_link_libraries(app PRIVATE second_model)
"""


def test_zephyr_takes_the_module(tmp_path: Path) -> None:
    """By a stand-in for its functions, at -Os and under another prefix, as its builds do."""
    texts = export(tmp_path / "module", 5, "second")
    assert "cmake: zephyr" in texts["zephyr/module.yml"]
    assert texts["zephyr/Kconfig"].startswith("config SECOND_MODEL\n\tbool ")
    app = tmp_path / "app"
    app.mkdir()
    (app / "CMakeLists.txt").write_text(_ZEPHYR.replace("CONFIG_PPG", "CONFIG_SECOND"))
    text = '#include "second_model.h"\nint main(void) { return second_infer(0, 0, 0) + 1; }\n'
    (app / "main.c").write_text(text)
    cmake("-S", app, "-B", tmp_path / "build", f"-DMODULE={tmp_path / 'module'}")
    cmake("--build", tmp_path / "build")
    call(tmp_path / "build" / "app")


def test_metadata_name_files_that_are_there(tmp_path: Path) -> None:
    texts = export(tmp_path, 5, "second")
    library = json.loads(texts["library.json"])
    assert library["name"] == "second_model" and library["version"] == "0.1.0"
    assert library["headers"] in texts
    assert library["build"]["srcFilter"] == "-<*> +<second_model.c> +<second_adapt.c>"
    pack = ET.fromstring(texts["ppgnas.second_model.pdsc"])
    # What the schema of packs (PACK.xsd 1.7.28) asks for, in any order.
    assert {"vendor", "name", "description", "url", "releases"} <= {part.tag for part in pack}
    for file in pack.iter("file"):
        assert file.attrib["name"] in texts
    properties = dict(
        line.split("=", 1) for line in texts["library.properties"].splitlines() if line
    )
    assert properties["includes"] in texts and properties["version"] == "0.1.0"
    # What the Arduino IDE compiles: every source that lies at the top.
    assert [name for name in texts if re.fullmatch(r"[^/]+\.(c|cpp|S|ino)", name)] == [
        "second_model.c"
    ]
