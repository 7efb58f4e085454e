"""`model.c` where compilers had no register left for it; `deploy.fuzz.matrix` has all builds."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from deploy.emulation import toolchain
from deploy.emulation.toolchain import Compiler
from deploy.fuzz.matrix import CORES, FURTHER, LEVELS, Build, builds, failures
from deploy.fuzz.random_net import random_net
from ppgnas.task import Mode
from search_spaces.lower import lower
from search_spaces.space import SearchSpace

pytest.importorskip("unicorn", reason="pip install -e .[emulate]")
pytest.importorskip("ziglang", reason="pip install -e .[emulate]")


def compiler(name: str) -> Compiler:
    found = toolchain.zig() if name == "zig" else toolchain.arm_gcc()
    if found is None:
        pytest.skip("no arm-none-eabi-gcc on the PATH")
    return found


@pytest.mark.parametrize(
    ("name", "mode"), [("zig", "window"), ("gcc", "window"), ("gcc", "streaming")]
)
def test_without_optimisation_and_with_a_frame_pointer(
    name: str, mode: Mode, tmp_path: Path
) -> None:
    """It builds without a warning, and its logits are those of the reference."""
    net = random_net(lower(SearchSpace.preset("tiny").sample(random.Random(5))), 5)
    build = Build(compiler(name), "M7", ("-O0", "-fno-omit-frame-pointer"))
    assert failures(net, [build], tmp_path, mode) == {}


def test_what_fails_is_named(tmp_path: Path) -> None:
    net = random_net(lower(SearchSpace.preset("tiny").sample(random.Random(5))), 5)
    build = Build(compiler("zig"), "M7", ("-O1", "-DPPG_COPY"))
    assert set(failures(net, [build], tmp_path)) == {build.name}


def test_the_matrix_has_every_core_and_level() -> None:
    found = list(builds([compiler("zig")]))
    assert len(found) == len(CORES) * len(LEVELS) + len(FURTHER)
    assert len({build.name for build in found}) == len(found)
