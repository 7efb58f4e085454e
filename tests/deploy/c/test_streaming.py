"""Streaming C equals one long pass of the integer reference, to the bit."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from deploy.c.build import emulator_of, model_files
from deploy.c.host import host_program
from deploy.c.source import generate
from deploy.emulation.host import HostCompiler
from deploy.emulation.toolchain import Compiler
from deploy.fuzz.fuzz import signal
from deploy.fuzz.random_net import random_net
from deploy.integers import reference, streaming
from deploy.integers.quantized import QuantizedNet
from hwmodels.boards import load_board
from hwmodels.costs import costing
from hwmodels.engines.load import load_engine
from hwmodels.generated_c.streaming import stream_program
from hwmodels.scorecard import score
from ppgnas.errors import BoardError, GraphError
from ppgnas.task import TASK, Task
from search_spaces.lower import lower
from search_spaces.published import published
from search_spaces.space import SearchSpace
from search_spaces.stages import at_task

TINY = published("tiny")


def sample(preset: str, seed: int) -> QuantizedNet:
    """A network of a preset that streams and compiles quickly."""
    rng = random.Random(seed)
    while True:
        graph = lower(SearchSpace.preset(preset).sample(rng))
        try:
            stream_program(graph)
        except GraphError:
            continue
        if graph.total_macs <= 1_500_000:
            return random_net(graph, seed)


def test_networks_of_the_spaces_under_sanitizers(tmp_path: Path, host: HostCompiler) -> None:
    if not host.sanitizers():
        pytest.skip(f"{host.name} has no sanitizers here")
    nets = [sample("default", 3), sample("wide", 2), random_net(lower(published("medium")), 1)]
    nets += [random_net(lower(replace(TINY, pool_s=pool_s)), pool_s) for pool_s in (2, 4)]
    tasks = Task(6, 2), Task(16, 1), Task(4, 4)
    nets += [random_net(lower(at_task(TINY, task, streams=True)), 7) for task in tasks]
    programs = [stream_program(net.graph) for net in nets]
    kept = [(one, two) for program in programs for _, one, two in program.kept.values()]
    # Pairs of rows that move as they lie, one row apart, and rows that change their place.
    assert {(0, False), (1, False), (1, True)} <= {(min(two, 1), one == two) for one, two in kept}
    written = []
    for number, net in enumerate(nets):
        folder = tmp_path / str(number)
        folder.mkdir()
        written.append(model_files(net, folder, mode="streaming"))
    made = host_program(written, tmp_path, host, flags=["-DPPG_SEPARATE", "-g0"])
    for number, net in enumerate(nets):
        x = signal(net, number)
        np.testing.assert_array_equal(
            made.stream(number, net, x), streaming.long_pass(net, x), str(number)
        )


@pytest.mark.parametrize("task", [TASK, Task(6, 2), Task(8, 1)])
def test_emulated_readings_and_costs(tmp_path: Path, arm: Compiler, task: Task) -> None:
    """The first reading is the window's; a reset forgets; costs are those of the image."""
    pytest.importorskip("unicorn", reason="pip install -e .[emulate]")
    net = random_net(lower(at_task(published("tiny-4s"), task, streams=True)), 6)
    files = model_files(net, tmp_path, mode="streaming")
    emulator = emulator_of(net, files, arm)
    x = signal(net, 3)
    expected = streaming.long_pass(net, x)
    count = task.blocks
    blocks = np.split(x, 2 * count + 1)
    for _ in range(2):
        emulator.call("ppg_start")
        called = [
            emulator.call("ppg_run", {"ppg_input": block.tobytes()}, outputs={"ppg_logits": 180})
            for block in blocks[: count + 2]
        ]
        assert [one.result for one in called] == [0] * (count - 1) + [1, 1, 1]
        found = [np.frombuffer(one.outputs["ppg_logits"], np.int8) for one in called[count - 1 :]]
        np.testing.assert_array_equal(found, expected[:3])
    window = reference.run(net, x[None, None, : 16 * task.window_s], rule="c")
    np.testing.assert_array_equal(found[0], window[0])

    board, engine = load_board("stm32h743"), load_engine("ppgnas-c")
    card = score(net.graph, board, engine, mode="streaming")
    assert card.sram_bytes.value == files.scratch_bytes + files.state_bytes
    assert card.cycles.low < called[-1].cycles < card.cycles.high
    quick = costing(board, engine, mode="streaming")(net.graph)
    assert quick.latency_ms == pytest.approx(card.latency_ms.value)
    assert quick.macs == card.macs == sum(layer.macs for layer in card.layers)
    if task != TASK:
        return
    # The head runs for each reading; all before it does a quarter of the window's work.
    whole = costing(board, engine)(lower(TINY))
    assert 3.4 < whole.energy_mj / quick.energy_mj < 4
    # That of a window over 4 s leaves out what this pool does not read.
    assert 0.75 < costing(board, engine)(net.graph).latency_ms / whole.latency_ms < 0.85


def test_other_engines_and_networks_refuse() -> None:
    board, net = load_board("stm32h743"), lower(published("tiny"))
    with pytest.raises(BoardError, match="engine 'tflm-cmsis-nn' has no streaming: its files"):
        costing(board, load_engine("tflm-cmsis-nn"), mode="streaming")(net)
    with pytest.raises(BoardError, match="Use 'ppgnas-c', or mode window"):
        score(net, board, load_engine("tflm-cmsis-nn"), mode="streaming")


def test_one_function_serves_layers_of_one_shape() -> None:
    net = random_net(lower(published("medium")), 1)
    window, stream = generate(net), generate(net, mode="streaming")
    assert stream.tables == window.tables
    assert len({name for name, _ in stream.calls}) <= len({name for name, _ in window.calls}) + 1
