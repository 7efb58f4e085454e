"""Functions of dot products: their length, whom they count for, and every way of building them."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest

from deploy.c.build import emulator_of, model_files
from deploy.c.pointwise import DOT_PREFIX, Kernel
from deploy.c.project import STACK_BYTES
from deploy.emulation.image import read_image
from deploy.emulation.toolchain import find_compiler
from deploy.fuzz.random_net import random_net
from deploy.integers import reference
from hwmodels.generated_c.taps import dot_bytes, dot_rounds, straight_words
from search_spaces.lower import lower
from search_spaces.space import SearchSpace

pytest.importorskip("unicorn", reason="pip install -e .[emulate]")
pytest.importorskip("ziglang", reason="pip install -e .[emulate]")


def test_every_word_is_computed_once() -> None:
    for words in range(1, 60):
        in_the_loop = 4 * max(dot_rounds(words) - 1, 0)
        assert straight_words(words) + in_the_loop == words


def test_the_length_that_the_cost_model_says(tmp_path: Path) -> None:
    """To ten bytes, with and without a loop, with and without an addition."""
    kernels = [
        Kernel(words, adds, False) for words in (1, 4, 9, 10, 12, 40) for adds in (False, True)
    ]
    source = tmp_path / "kernels.c"
    texts = "\n".join(kernel.text() for kernel in kernels)
    source.write_text(f"#define PPG_ASSEMBLY\ntypedef int block4;\n{texts}")
    names = [kernel.name for kernel in kernels]
    image = read_image(find_compiler("zig").build([source], tmp_path / "k.elf", keep=names))
    for kernel in kernels:
        size = image.symbol(kernel.name).size_bytes
        assert abs(size - dot_bytes(kernel.words, adds=kernel.adds)) <= 10, kernel


def test_a_shared_function_counts_for_its_caller(tmp_path: Path) -> None:
    net = random_net(lower(SearchSpace.preset("tiny").sample(random.Random(5))), 5)
    x = np.random.default_rng(0).integers(-128, 128, net.graph.shape(net.graph.input), np.int8)
    files = model_files(net, tmp_path)
    assert DOT_PREFIX in files.source.read_text()
    emulator = emulator_of(net, files, find_compiler("zig"))
    expected = reference.run(net, x, rule="c").tobytes()
    found = emulator.call("ppg_run", {"ppg_input": x.tobytes()}, outputs={"ppg_logits": 180})
    assert found.outputs["ppg_logits"] == expected
    assert not any(name.startswith(DOT_PREFIX) for name in found.by_function)
    assert found.stack_bytes <= STACK_BYTES[0][1] + 32  # of the harness that calls it
    assert found.cycles == pytest.approx(sum(found.cycles_by_function.values()))
