"""Compilers, sizes, and the messages of what is missing or fails."""

from __future__ import annotations

import ctypes
import importlib.util
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from deploy.emulation import host, packages, toolchain
from deploy.emulation.image import Sizes, read_image
from deploy.emulation.linking import linker_script
from deploy.emulation.toolchain import Compiler
from ppgnas.errors import DependencyError, ToolError
from tests.deploy.shared import build_shared

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

Build = Callable[..., Path]

PART = """
#include <stdint.h>
const int8_t weights[100] = {1, 2, 3};
int32_t table[5] = {1, 2, 3, 4, 5};
static int8_t arena[1000];
int32_t run(int32_t i);
int32_t run(int32_t i) { arena[i] = (int8_t)i; return weights[i] + table[i % 5] + arena[i + 1]; }
int32_t unused(void);
int32_t unused(void) { return 3; }
"""
HARNESS = "int main(void); static volatile int big[50]; int main(void) { return big[3]++; }\n"


def test_sizes_by_file_and_symbol(build: Build) -> None:
    image = read_image(build({"model.c": PART, "harness.c": HARNESS}, ["run", "main"]))
    model, harness = image.sizes_of("model"), image.sizes_of("harness")
    assert (model.constants, model.data, model.bss) == (100, 20, 1000)
    assert 20 <= model.code <= 120
    assert model.flash_bytes == model.code + 120
    assert model.sram_bytes == 1020
    assert (harness.constants, harness.data, harness.bss) == (0, 0, 200)
    assert image.symbol("weights").size_bytes == 100
    assert image.symbol("arena").section == ".bss"
    parts = [image.sizes_of(part) for part in image.parts()]
    # What no file owns: gaps between them and the 64 bytes of vectors.
    assert 0 <= image.flash_bytes - sum(part.flash_bytes for part in parts) <= 64 + 32
    assert 0 <= image.sram_bytes - sum(part.sram_bytes for part in parts) <= 16
    with pytest.raises(ToolError, match="no symbol 'unused'"):
        image.symbol("unused")
    with pytest.raises(ToolError, match="no part 'other'; it has harness, model"):
        image.sizes_of("other")


def test_flash_and_sram_of_parts() -> None:
    sizes = Sizes(code=1, constants=10, data=100, bss=1000)
    assert (sizes.flash_bytes, sizes.sram_bytes) == (111, 1100)


def test_the_compiler_speaks(build: Build) -> None:
    with pytest.raises(ToolError, match=r"(?s)compiling bad.c with .* failed.*conversion") as seen:
        build({"bad.c": "char f(int x);\nchar f(int x) { return x; }\n"}, ["f"])
    assert "bad.c:2" in str(seen.value) and seen.value.exit_code == 1


def test_the_linker_speaks(build: Build) -> None:
    with pytest.raises(ToolError, match=r"(?s)linking image.elf with .* failed.*nowhere"):
        build({"a.c": "int nowhere(void); int f(void); int f(void) {return nowhere();}"}, ["f"])


def test_a_function_named_like_a_word_of_the_linker(build: Build) -> None:
    image = read_image(build({"a.c": "int add(int x); int add(int x) { return x + 1; }"}, ["add"]))
    assert image.symbol("add").kind == "function"


def test_small_copies_need_no_call(build: Build) -> None:
    source = """
    #include <string.h>
    unsigned load(const char *from);
    unsigned load(const char *from) { unsigned x; memcpy(&x, from, 4); return x; }
    """
    image = read_image(build({"a.c": source}, ["load"]))
    assert image.symbol("load").size_bytes <= 12
    assert not [symbol.name for symbol in image.symbols if "memcpy" in symbol.name]


def test_builds_at_the_same_time(compiler: Compiler, tmp_path: Path) -> None:
    (tmp_path / "model.c").write_text(PART)

    def one(index: int) -> bytes:
        out = tmp_path / str(index) / "image.elf"
        return compiler.build([tmp_path / "model.c"], out, keep=["run"]).read_bytes()

    with ThreadPoolExecutor(3) as pool:
        assert len(list(pool.map(one, range(6)))) == 6
    images = [read_image(tmp_path / str(index) / "image.elf") for index in range(6)]
    assert len({(image.flash_bytes, image.symbols) for image in images}) == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == [*"012345", "model.c"]


def test_same_stems_and_defines(compiler: Compiler, tmp_path: Path) -> None:
    for folder, name in (("a", "one"), ("b", "two")):
        (tmp_path / folder).mkdir()
        source = f"int {name}(void); int {name}(void) {{ return N; }}"
        (tmp_path / folder / "part.c").write_text(source)
    paths = [tmp_path / folder / "part.c" for folder in "ab"]
    elf = compiler.build(paths, tmp_path / "x.elf", keep=["one", "two"], defines=["N=7"])
    assert {"part", "part_1"} <= set(read_image(elf).parts())


@pytest.mark.parametrize(
    ("sources", "keep", "optimise", "message"),
    [
        ([], ["f"], "-O2", "no sources"),
        (["a.cpp"], ["f"], "-O2", r"a.cpp is no source; allowed endings are .c, .s, .S"),
        (["a.c"], [], "-O2", "keep is empty"),
        (["a.c"], ["f"], "-O9", "optimise is '-O9'; allowed are -O0"),
    ],
)
def test_wrong_requests(
    sources: Sequence[str], keep: Sequence[str], optimise: str, message: str, tmp_path: Path
) -> None:
    compiler = Compiler("none", "0", ("/nowhere",))
    with pytest.raises(ToolError, match=message):
        paths = [Path(source) for source in sources]
        compiler.build(paths, tmp_path / "x.elf", keep=keep, optimise=optimise)


def test_the_linker_script_keeps_and_tells_apart() -> None:
    script = linker_script(["model"], keep=["run"])
    assert script.startswith('EXTERN("run")\n') and "*/model.o(.bss .bss.* COMMON)" in script


def test_images_that_are_none(tmp_path: Path) -> None:
    pytest.importorskip("elftools", reason="the extra emulate is not installed")
    with pytest.raises(ToolError, match=r"gone.elf: cannot be read \(No such file"):
        read_image(tmp_path / "gone.elf")
    (tmp_path / "text.elf").write_text("no")
    with pytest.raises(ToolError, match=r"text.elf: no ELF file .*build it first"):
        read_image(tmp_path / "text.elf")
    with pytest.raises(ToolError, match="allowed is EM_ARM"):
        read_image(Path(sys.executable).resolve())


INSTALL = r"-m pip install 'capstone>=.*unicorn>=.*ziglang>="


def test_missing_packages_say_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DependencyError, match=f"thing is not installed; x needs it.*{INSTALL}"):
        packages.load("no_such_module_at_all.part", package="thing", purpose="x")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(DependencyError, match=f"ziglang is not installed.*{INSTALL}") as seen:
        toolchain.zig()
    assert seen.value.exit_code == 1
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(DependencyError, match=f"ziglang is not installed.*{INSTALL}"):
        toolchain.find_compiler()
    with pytest.raises(DependencyError, match="no arm-none-eabi-gcc is on the PATH; install it"):
        toolchain.find_compiler("gcc")
    with pytest.raises(DependencyError, match="no gcc, clang or cc is on the PATH, and the"):
        host.find_host_compiler()


def test_importing_the_room_needs_none_of_the_packages() -> None:
    script = (
        "import sys\n"
        "for name in ('unicorn', 'capstone', 'elftools', 'ziglang'): sys.modules[name] = None\n"
        "import deploy.emulation.emulate, deploy.emulation.toolchain, deploy.emulation.host\n"
    )
    root = Path(__file__).parents[3]
    subprocess.run([sys.executable, "-c", script], check=True, cwd=root)


def test_the_example_of_the_page_runs(
    compiler: Compiler,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    page = (Path(__file__).parents[3] / "docs" / "emulation.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(toolchain, "find_compiler", lambda name=None: compiler)
    exec(compile(code, "docs/emulation.md", "exec"), {})
    printed = [float(word) for word in capsys.readouterr().out.split()]
    result, instructions, cycles, stack, flash = printed
    assert result == 64 and stack <= 32
    assert 64 < instructions < 64 * 8 and instructions / 2 <= cycles and 8 < flash < 300


@pytest.fixture(scope="module")
def host_compiler() -> host.HostCompiler:
    try:
        return host.find_host_compiler()
    except DependencyError as error:
        pytest.skip(str(error))


def test_shared_objects_for_ctypes(host_compiler: host.HostCompiler, tmp_path: Path) -> None:
    (tmp_path / "twice.c").write_text("int twice(int x); int twice(int x) { return 2 * x; }\n")
    library = build_shared(host_compiler, [tmp_path / "twice.c"], tmp_path / "twice.so")
    assert ctypes.CDLL(str(library)).twice(21) == 42


FAULTY = """
#include <stdlib.h>
int main(int count, char **words)
{
    int values[4] = {1, 2, 3, 4};
    volatile int index = count + 2;
    (void)words;
    return values[index] == 4 ? 0 : 1;
}
"""


def test_sanitizers_catch_a_fault(host_compiler: host.HostCompiler, tmp_path: Path) -> None:
    if not host_compiler.sanitizers():
        pytest.skip(f"{host_compiler.name} has no sanitizer that works here")
    (tmp_path / "faulty.c").write_text(FAULTY)
    program = host_compiler.build_program([tmp_path / "faulty.c"], tmp_path / "faulty")
    subprocess.run([program], check=True)
    done = subprocess.run([program, "more"], capture_output=True, text=True, check=False)
    assert done.returncode != 0 and "index 4 out of bounds" in done.stderr


def test_an_installed_wheel_holds_every_package() -> None:
    setuptools = pytest.importorskip("setuptools", reason="setuptools is not installed")
    root = Path(__file__).parents[3]
    with (root / "pyproject.toml").open("rb") as stream:
        config = tomllib.load(stream)["tool"]["setuptools"]
    asked = config["packages"]["find"]
    assert asked["namespaces"]  # else each folder of data is warned about, in a screen of lines
    found = set(setuptools.find_namespace_packages(str(root), include=asked["include"]))
    rooms = {"ppgnas", "ppg", "hwmodels", "search_spaces", "distill", "deploy", "nas"}
    expected = {
        ".".join(path.relative_to(root).parent.parts)
        for room in rooms
        for path in (root / room).rglob("__init__.py")
    }
    assert expected <= found
    assert {"deploy.emulation", "nas.report", "hwmodels.boards", "deploy.c.text"} <= found
    assert not {name.split(".")[0] for name in found} - rooms
    assert {"**/*.c", "**/*.h", "**/*.ld", "**/*.md", "**/Makefile"} <= set(
        config["package-data"]["*"]
    )
