"""The exported folder builds and runs."""

from __future__ import annotations

import random
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from deploy.c.project import EXAMPLE_FILES, FILLED_FILES, PLAIN_FILES, Project, project
from deploy.emulation.host import HostCompiler
from deploy.emulation.toolchain import zig_environment
from deploy.fuzz.random_net import random_net
from deploy.integers import reference
from deploy.integers.quantized import QuantizedNet
from deploy.personal.example import Adapting, adapting_of
from hwmodels.generated_c.program import program
from ppgnas.errors import ExportError
from ppgnas.task import Task
from search_spaces.lower import lower
from search_spaces.published import published
from search_spaces.space import SearchSpace
from search_spaces.stages import at_task


@pytest.fixture(scope="module")
def net() -> QuantizedNet:
    return random_net(lower(SearchSpace.preset("tiny").sample(random.Random(5))), 5)


def written(net: QuantizedNet, folder: Path) -> Project:
    shape = net.graph.shape(net.graph.input)[1:]
    window = np.random.default_rng(0).integers(-128, 128, shape).astype(np.int8)
    made = project(net, window, title="a network")
    write(made, folder)
    return made


def write(made: Project, folder: Path) -> None:
    for name, text in made.texts.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


def make(folder: Path, *words: str) -> str:
    """Run make; the output of the program that it runs comes with it."""
    program = shutil.which("make")
    if program is None:
        pytest.skip("no make on the PATH")
    env = {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": str(folder), "MAKEFLAGS": ""}
    # Where zig's runtime library is built already.
    caches = zig_environment(folder / "zig")
    env |= {name: value for name, value in caches.items() if name.startswith("ZIG_")}
    done = subprocess.run(
        [program, *words], cwd=folder / "example", capture_output=True, text=True, env=env
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "warning" not in done.stderr
    return done.stdout + done.stderr


def test_the_folder_holds_all(net: QuantizedNet, tmp_path: Path) -> None:
    made = written(net, tmp_path)
    example = {f"example/{name}" for name in (*EXAMPLE_FILES, "window.h")}
    packaging = {*PLAIN_FILES, *FILLED_FILES}
    assert set(made.texts) == {*example, *packaging, "model.c", "model.h", "README.md"}


def test_the_example_passes_here(net: QuantizedNet, tmp_path: Path) -> None:
    if shutil.which("cc") is None:
        pytest.skip("no cc on the PATH")
    written(net, tmp_path)
    assert "PASS" in make(tmp_path, "host", "CFLAGS=-O1 -Werror")


@pytest.mark.parametrize("prefix", ["ppg", "second"])
def test_the_head_learns_in_the_example(prefix: str, net: QuantizedNet, tmp_path: Path) -> None:
    if shutil.which("cc") is None:
        pytest.skip("no cc on the PATH")
    window = np.zeros(net.graph.shape(net.graph.input)[1:], np.int8)
    adapting = Adapting("low-rank", 60)
    made = project(net, window, title="a network", adapting=adapting, prefix=prefix)
    write(made, tmp_path)
    named = re.findall(r'name="(.+)"/>', made.texts[f"ppgnas.{prefix}_model.pdsc"])
    assert {f"{prefix}_adapt.c", f"{prefix}_adapt.h"} < set(named) < set(made.texts)
    assert "PASS" in make(tmp_path, "adapt", "CFLAGS=-O1 -Werror")


def test_a_stream_of_other_windows_passes_and_learns_in_the_example(tmp_path: Path) -> None:
    if shutil.which("cc") is None:
        pytest.skip("no cc on the PATH")
    made = lower(at_task(published("tiny"), Task(12, 2), streams=True))  # six blocks
    window = np.random.default_rng(0).integers(-90, 90, made.shape(made.input)[1:], np.int8)
    adapting = Adapting("low-rank", 60)
    write(
        project(random_net(made, 5), window, title="s", mode="streaming", adapting=adapting),
        tmp_path,
    )
    for target in ("host", "adapt"):
        assert "PASS" in make(tmp_path, target, "CFLAGS=-O1 -Werror")


def test_kinds_and_minutes_of_a_head_that_learns() -> None:
    assert adapting_of("head", minutes=5) == Adapting("head", 147)
    with pytest.raises(ExportError, match="`adapt` is 'all'; allowed: bias, scale-bias, head, lo"):
        adapting_of("all", minutes=5)
    with pytest.raises(ExportError, match=r"`adapt_minutes` is 1, which holds 27 windows; .* 40"):
        adapting_of("head", minutes=1)
    for endless in (np.nan, np.inf):
        with pytest.raises(ExportError, match=r"`adapt_minutes` is (nan|inf), which holds 0"):
            adapting_of("head", minutes=endless)


def test_the_example_fails_on_another_expectation(
    net: QuantizedNet, tmp_path: Path, host: HostCompiler
) -> None:
    written(net, tmp_path)
    window = tmp_path / "example" / "window.h"
    head, tail = window.read_text().split("ppg_expected", 1)
    first = re.search(r"-?\d+,", tail.split("{", 1)[1])
    assert first is not None
    value = int(first[0][:-1])
    text = tail.replace(first[0], f"{value + 1 if value < 127 else value - 1},", 1)
    window.write_text(f"{head}ppg_expected{text}")
    example = host.build_program(
        [tmp_path / "example" / "main.c", tmp_path / "model.c"],
        tmp_path / "checked",
        include=[tmp_path],
        sanitize=False,
    )
    done = subprocess.run([example], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (1, "FAIL\n")


@pytest.mark.parametrize("compiler", ["arm-none-eabi-gcc", "zig"])
def test_the_arm_image_runs(compiler: str, net: QuantizedNet, tmp_path: Path) -> None:
    pytest.importorskip("unicorn", reason="pip install -e .[emulate]")
    from deploy.emulation.emulate import Emulator

    if compiler == "zig":
        pytest.importorskip("ziglang", reason="pip install -e .[emulate]")
        command = f"{sys.executable} -m ziglang cc"
    elif shutil.which(compiler) is None:
        pytest.skip(f"no {compiler} on the PATH")
    else:
        command = compiler
    made = written(net, tmp_path)
    make(tmp_path, "arm", f"ARM_CC={command}")
    emulator = Emulator(tmp_path / "example" / "example.elf")
    result = emulator.call("ppg_check", outputs={"logits": 180})
    assert result.result == 0
    assert np.frombuffer(result.outputs["logits"], np.int8).any()
    assert made.source.program.bytes <= emulator.image.sram_bytes
    if shutil.which("qemu-system-arm") is not None:
        assert "PASS" in make(tmp_path, "qemu", f"ARM_CC={command}")


def test_the_window_and_its_logits(net: QuantizedNet, tmp_path: Path) -> None:
    written(net, tmp_path)
    text = (tmp_path / "example" / "window.h").read_text()
    arrays = {
        name: np.array([int(n) for n in body.replace("\n", " ").split(",") if n.strip()], np.int8)
        for name, body in re.findall(r"int8_t (\w+)\[\d+\] = \{(.*?)\};", text, re.DOTALL)
    }
    x = arrays["ppg_example"].reshape(1, *net.graph.shape(net.graph.input)[1:])
    expected = reference.run(net, x, rule="c")
    np.testing.assert_array_equal(arrays["ppg_expected"], expected.ravel())


def test_the_memory_map_counts_flash_and_scratch(net: QuantizedNet, tmp_path: Path) -> None:
    made = written(net, tmp_path)
    readme = (tmp_path / "README.md").read_text()
    assert f"## Memory: {made.source.program.bytes} bytes" in readme
    parts = dict(re.findall(r"^\| ([a-z ]+) \| (\d+) \|$", readme, re.MULTILINE))
    arrays = re.findall(r"static const (\w+) table_\d+\[(\d+)\]", made.texts["model.c"])
    size = sum((1 if kind == "int8_t" else 4) * int(count) for kind, count in arrays)
    assert int(parts["weights"]) + int(parts["biases and rescaling"]) == size
    for step in made.source.program.steps:
        assert ", ".join(layer.name for layer in step.layers) in readme


def test_a_scratch_buffer_beyond_the_limit(net: QuantizedNet) -> None:
    shape = net.graph.shape(net.graph.input)[1:]
    with pytest.raises(ExportError, match="64 bytes are allowed"):
        project(net, np.zeros(shape, np.int8), title="", max_scratch_bytes=64)
    assert program(net.graph).bytes > 64
