"""The benchmark of an exported project: on the host, in QEMU, and in `calibrate`."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from deploy.c.naming import Identity
from deploy.c.project import project
from deploy.fuzz.random_net import random_net
from hwmodels.boards import load_board
from hwmodels.engines.load import load_engine
from hwmodels.fit.calibrate import from_networks
from hwmodels.fit.calibration_csv import NetworkTiming, read_timings
from hwmodels.graph import Graph
from ppgnas.errors import DataError
from ppgnas.task import Mode
from search_spaces.lower import lower
from search_spaces.published import published
from tests.deploy.c.test_project import make, write


def exported(folder: Path, mode: Mode = "window") -> Graph:
    net = random_net(lower(published("tiny")), 6)
    shape = net.graph.shape(net.graph.input)[1:]
    window = np.random.default_rng(0).integers(-128, 128, shape).astype(np.int8)
    identity = Identity("0abc", "run", "0.1.0", "ab" * 32)
    write(project(net, window, title="a network", mode=mode, identity=identity), folder)
    return net.graph


@pytest.mark.parametrize("mode", ["window", "streaming"])
def test_an_emulated_board_calibrates(mode: Mode, tmp_path: Path) -> None:
    """The rows say what was called, by which counter; QEMU's own has no DWT to count with."""
    for name in ("qemu-system-arm", "arm-none-eabi-gcc"):
        if shutil.which(name) is None:
            pytest.skip(f"no {name} on the PATH")
    graph = exported(tmp_path, mode)
    printed = make(tmp_path, "-s", "bench-qemu", "CFLAGS=-O2 -Werror")
    rows = printed.splitlines()
    assert rows[0] == "model,mode,cycles,counter" and len(rows) == 11
    assert all(
        row.startswith(f"run:0abc,{mode},") and row.endswith(",SysTick") for row in rows[1:]
    )
    path = tmp_path / "bench.csv"
    path.write_text(printed)
    board, engine = load_board("stm32h743"), load_engine("ppgnas-c")
    timings = read_timings(path, clock_hz=board.clock_hz, part=board.part)
    first = timings[0]
    assert isinstance(first, NetworkTiming) and first.mode == mode
    fitted = from_networks([first.model], [graph], [first.cycles], board, engine, modes=[mode])
    # Ticks of 1.25 instructions: not cycles, but of their order in both modes.
    assert 0.4 < fitted.scale < 1.6


def test_the_host_times_no_board(tmp_path: Path) -> None:
    if shutil.which("cc") is None:
        pytest.skip("no cc on the PATH")
    exported(tmp_path)
    printed = make(tmp_path, "-s", "bench", "CFLAGS=-O1 -Werror")
    rows = [row.split(",") for row in printed.splitlines()]
    assert len(rows) == 11 and all(int(row[2]) > 0 for row in rows[1:])
    path = tmp_path / "bench.csv"
    path.write_text(printed)
    with pytest.raises(DataError, match=r"column latency_ms is missing; .* host_us, counter"):
        read_timings(path, clock_hz=1e6, part="X")


def test_a_call_that_computes_something_else_is_not_timed(tmp_path: Path) -> None:
    if shutil.which("cc") is None:
        pytest.skip("no cc on the PATH")
    exported(tmp_path)
    model = tmp_path / "example" / "bench.c"
    model.write_text(model.read_text().replace("found, memory)", "found, memory), found[0] ^= 1"))
    program = tmp_path / "bench"
    sources = [str(model), str(tmp_path / "model.c")]
    subprocess.run(["cc", "-I", str(tmp_path), *sources, "-o", str(program)], check=True)
    done = subprocess.run([program], capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stdout.endswith("FAIL: logits differ from those of the integer reference\n")


@pytest.mark.parametrize("core", ["cortex-m0plus", "cortex-m3", "cortex-m4", "cortex-m33"])
def test_it_builds_for_the_cores(core: str, tmp_path: Path) -> None:
    compiler = shutil.which("arm-none-eabi-gcc")
    if compiler is None:
        pytest.skip("no arm-none-eabi-gcc on the PATH")
    exported(tmp_path)
    flags = ["-std=c99", "-Wall", "-Wextra", "-Wconversion", "-Werror", "-fsyntax-only"]
    source = tmp_path / "example" / "bench.c"
    command = [compiler, f"-mcpu={core}", "-mthumb", *flags, "-I", str(tmp_path), str(source)]
    subprocess.run(command, check=True)
