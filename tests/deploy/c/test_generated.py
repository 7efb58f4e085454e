"""Generated C against the integer reference by rule `c`, to the bit."""

from __future__ import annotations

import random
import re
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from deploy.c.build import emulator_of, model_files
from deploy.c.host import host_program
from deploy.c.source import generate
from deploy.emulation.host import HostCompiler
from deploy.emulation.toolchain import Compiler
from deploy.fuzz import fuzz
from deploy.fuzz.foreign import foreign_graph
from deploy.fuzz.fuzz import Case, cases, windows
from deploy.fuzz.random_net import random_net
from deploy.integers import reference, single_rounding
from deploy.integers.quantized import QuantizedNet, quantize
from hwmodels.generated_c.program import program
from hwmodels.graph import Graph, Layer, Tensor
from ppgnas.errors import ExportError, ToolError
from search_spaces.lower import lower
from search_spaces.published import OWN
from search_spaces.space import PRESETS, SearchSpace
from tests.deploy.shared import build_shared

TINY = OWN["tiny"]
MakeBuilder = Callable[[int, tuple[int, ...]], Any]


def sample(preset: str, seed: int) -> QuantizedNet:
    """A network of a preset that compiles quickly."""
    rng = random.Random(seed)
    while True:
        graph = lower(SearchSpace.preset(preset).sample(rng))
        if graph.total_macs <= 1_500_000:
            return random_net(graph, seed)


def check(net: QuantizedNet, folder: Path, host: HostCompiler, *flags: str) -> NDArray[np.int8]:
    """Outputs of the C, which equal the reference."""
    x = windows(net, 1)
    files = [model_files(net, folder)]
    found = host_program(files, folder, host, sanitize=False, flags=flags).run(0, net, x)
    np.testing.assert_array_equal(found, reference.run(net, x, rule="c"))
    return found


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("seed", [0, 1])
def test_presets_on_the_host(preset: str, seed: int, tmp_path: Path, host: HostCompiler) -> None:
    net = sample(preset, seed)
    for step in program(net.graph).steps:
        if step.layers[0].name == "upsample":
            assert step.kind == "generic"  # 540 products or fewer
        else:
            assert step.kind in ("window", "separable", "dense", "pool")
    check(net, tmp_path, host)


def test_many_networks_under_sanitizers(
    host: HostCompiler, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A short fuzz: presets and foreign graphs of odd scales, twice a window, filled scratch."""
    if not host.sanitizers():
        pytest.skip(f"{host.name} has no sanitizers here")
    assert {case.source for case in cases(8, 11) if isinstance(case, Case)} == {
        *PRESETS,
        "foreign",
    }
    monkeypatch.setattr(sys, "argv", ["fuzz", "--networks", "8", "--seed", "11"])
    with pytest.raises(SystemExit) as left:
        fuzz.main()
    printed = capsys.readouterr().out
    assert left.value.code == 0, printed
    assert re.fullmatch(
        r"fuzz: 8 networks from 0 on, seed 11: \d+ equal to the integer reference, "
        r"\d+ of them streaming too, \d refused, 0 failed",
        printed.splitlines()[-1],
    )


def test_layers_before_a_shorter_pool_begin_late(tmp_path: Path, host: HostCompiler) -> None:
    """The scratch buffer holds leftovers, so a position that is read and not computed would tell.

    Tiny pools from 64 on, its last layer reads six rows of four before that, and so forth; blocks
    are four rows long.
    """
    pooled = [random_net(lower(replace(TINY, pool_s=pool_s)), pool_s) for pool_s in (8, 4, 2)]
    begins = [[step.first for step in program(net.graph).steps[:7]] for net in pooled]
    assert begins == [[0] * 7, [0, 0, 8, 24, 40, 64, 64], [20, 28, 40, 56, 72, 96, 96]]
    files = []
    for number, net in enumerate(pooled):
        (tmp_path / str(number)).mkdir()
        files.append(model_files(net, tmp_path / str(number)))
    made = host_program(files, tmp_path, host, sanitize=False, flags=["-DPPG_SEPARATE"])
    for number, net in enumerate(pooled):
        x = windows(net, 1)
        expected = reference.run(net, x, rule="c")
        np.testing.assert_array_equal(made.run(number, net, x), expected)


def test_sanitizers_would_notice_a_short_scratch_buffer(
    tmp_path: Path, host: HostCompiler
) -> None:
    if "address" not in host.sanitizers():
        pytest.skip(f"{host.name} has no AddressSanitizer here")
    net = sample("tiny", 0)
    files = replace(model_files(net, tmp_path), scratch_bytes=generate(net).program.bytes // 2)
    made = host_program([files], tmp_path, host, flags=["-DPPG_SEPARATE"])
    with pytest.raises(ToolError, match="heap-buffer-overflow"):
        made.run(0, net, windows(net, 0))


def emulate(net: QuantizedNet, folder: Path, arm: Compiler, *defines: str) -> NDArray[np.int8]:
    files = model_files(net, folder)
    if defines:
        text = files.source.read_text()
        files.source.write_text("".join(f"#define {name}\n" for name in defines) + text)
    emulator = emulator_of(net, files, arm)
    x = windows(net, 1)
    size = reference.run(net, x[:1]).size
    found = [
        emulator.call("ppg_run", {"ppg_input": window.tobytes()}, outputs={"ppg_logits": size})
        for window in x
    ]
    assert {result.result for result in found} == {0}
    return np.stack([np.frombuffer(result.outputs["ppg_logits"], np.int8) for result in found])


@pytest.mark.parametrize("defines", [(), ("PPG_NO_ASSEMBLY",), ("PPG_PORTABLE",)])
def test_emulated_with_and_without_assembly(
    defines: tuple[str, ...], tmp_path: Path, arm: Compiler
) -> None:
    pytest.importorskip("unicorn", reason="pip install -e .[emulate]")
    net = sample("default", 4)
    expected = reference.run(net, windows(net, 1), rule="c")
    np.testing.assert_array_equal(emulate(net, tmp_path, arm, *defines), expected)


def test_emulated_foreign_graph(tmp_path: Path, arm: Compiler) -> None:
    pytest.importorskip("unicorn", reason="pip install -e .[emulate]")
    net = random_net(foreign_graph(6), 6)
    expected = reference.run(net, windows(net, 1), rule="c").reshape(4, -1)
    np.testing.assert_array_equal(emulate(net, tmp_path, arm), expected)


def test_layers_of_all_kinds_by_plain_loops(
    make_builder: MakeBuilder, tmp_path: Path, host: HostCompiler
) -> None:
    b = make_builder(5, (1, 1, 30, 3))
    b.weighted("conv", 5, kernel=(1, 3), dilation=(1, 2), padding="same", activation="relu6")
    b.weighted("depthwise_conv", 10, kernel=(1, 4), stride=(1, 2), padding="same")
    b.add("max_pool", (1, 1, 7, 10), keep_scale=True, kernel=(1, 2), stride=(1, 2))
    before = b.last
    b.weighted("conv", 10, kernel=(1, 3), padding="same", activation="relu")
    b.add("add", b.size(before), inputs=(before, b.last), activation="relu")
    b.pad((1, 2, 0, 1))
    b.add("avg_pool", (1, 2, 4, 10), keep_scale=True, kernel=(2, 2), stride=(2, 2))
    b.reshape((1, 4, 2, 10))
    b.add("mean", (1, 1, 1, 10), scale=0.01)
    b.weighted("fully_connected", 7)
    net = b.net()
    assert {step.kind for step in program(net.graph).steps} == {"generic"}
    found = check(net, tmp_path, host)
    assert len(np.unique(found)) > 5


def test_a_multiplier_above_one_half_shifts_the_accumulators(
    make_builder: MakeBuilder, tmp_path: Path, host: HostCompiler
) -> None:
    b = make_builder(3, (1, 1, 16, 4))
    b.weighted("conv", 4, scale=1e-5)
    b.weighted("fully_connected", 6)
    net = b.net()
    assert single_rounding.weighted_factors(net, net.graph.layers[0]).left > 1
    check(net, tmp_path, host)


def causal(builder: Any) -> None:
    """Padding, depthwise, 1 x 1: what usually runs together."""
    builder.pad((0, 0, 2, 0))
    builder.weighted("depthwise_conv", 4, kernel=(1, 3), activation="relu")
    builder.weighted("conv", 4)


def kinds(net: QuantizedNet) -> list[str]:
    return [step.kind for step in program(net.graph).steps]


def test_a_network_may_start_with_a_depthwise_layer(
    make_builder: MakeBuilder, tmp_path: Path, host: HostCompiler
) -> None:
    b = make_builder(1, (1, 1, 12, 4))
    causal(b)
    assert kinds(b.net()) == ["generic", "generic", "window"]
    check(b.net(), tmp_path, host)


def test_a_separable_step_needs_a_source_that_can_be_paired(
    make_builder: MakeBuilder, tmp_path: Path, host: HostCompiler
) -> None:
    """After a plain loop (a pool) the depthwise layer runs alone, and its padding is stored."""
    b = make_builder(2, (1, 1, 24, 4))
    b.add("max_pool", (1, 1, 12, 4), keep_scale=True, kernel=(1, 2), stride=(1, 2))
    causal(b)
    assert kinds(b.net()) == ["generic", "generic", "generic", "window"]
    check(b.net(), tmp_path, host)


def test_a_source_with_another_reader_is_not_paired(
    make_builder: MakeBuilder, tmp_path: Path, host: HostCompiler
) -> None:
    b = make_builder(2, (1, 1, 12, 4))
    b.weighted("conv", 4, activation="relu")
    before = b.last
    causal(b)
    b.weighted("conv", 4)
    b.add("add", b.size(before), inputs=(before, b.last))
    assert kinds(b.net()) == ["window", "generic", "generic", "window", "window", "generic"]
    check(b.net(), tmp_path, host)


def test_an_output_that_is_read_again_is_copied(
    make_builder: MakeBuilder, tmp_path: Path, host: HostCompiler
) -> None:
    """Its storage has padding in front and slack behind, which are no logits."""
    b = make_builder(4, (1, 1, 8, 4))
    b.weighted("conv", 6)
    kept = b.last
    b.pad((0, 0, 2, 0))
    b.weighted("conv", 6, kernel=(1, 3))
    graph = Graph(tuple(b.layers), tuple(b.tensors), "input", kept)
    net = quantize(graph, b.weights, b.activations)
    assert program(graph).storages[kept].bytes > 8 * 6
    check(net, tmp_path, host)


def test_functions_are_shared_and_statements_name_their_layers() -> None:
    net = sample("default", 4)
    made = generate(net)
    named = re.findall(r"/\* (.*) \*/\n    (\w+)\(", made.functions)
    assert [(", ".join(layers), name) for name, layers in made.calls] == [
        (layers, name) for layers, name in named
    ]
    assert generate(net).functions == made.functions


# ---- what is refused, by the layer's name ------------------------------------------------------


def test_a_softmax_of_many_channels_is_refused() -> None:
    graph = Graph(
        (Layer("soft", "softmax", ("x",), "y"),),
        (Tensor("x", (1, 4096)), Tensor("y", (1, 4096))),
        "x",
        "y",
    )
    net = quantize(graph, {}, {"x": (0.05, 0), "y": (1 / 256, -128)})
    with pytest.raises(ExportError, match=r"'soft': softmax over 4096 channels .* allowed: 4095"):
        generate(net)


def test_a_multiplier_that_leaves_int32_is_refused() -> None:
    """Weights of both sizes in one layer: its shift is that of the largest multiplier."""
    graph = Graph(
        (Layer("wide", "conv", ("x",), "y"),),
        (Tensor("x", (1, 1, 4, 64)), Tensor("y", (1, 1, 4, 2))),
        "x",
        "y",
    )
    rng = np.random.default_rng(0)
    weights = rng.normal(size=(2, 1, 1, 64)) * np.array([1e4, 1]).reshape(2, 1, 1, 1)
    scales = {"x": (0.05, 0), "y": (0.05, 0)}
    with pytest.raises(ExportError, match="layer 'wide', channel"):
        generate(quantize(graph, {"wide": (weights, np.array([0.0, 2e4]))}, scales))


def test_a_mean_that_leaves_int32_is_refused(make_builder: MakeBuilder) -> None:
    b = make_builder(0, (1, 4, 8, 4))
    b.add("mean", (1, 1, 1, 4), scale=1e-9)
    with pytest.raises(ExportError, match=r"layer 'mean0': sums of up to .* leave int32"):
        generate(b.net())


def test_a_graph_without_work_is_refused(make_builder: MakeBuilder) -> None:
    b = make_builder(0, (1, 1, 8, 4))
    b.reshape((1, 4, 2, 4))
    with pytest.raises(ExportError, match="no layer that computes"):
        generate(b.net())


def test_a_scratch_buffer_beyond_the_board_is_refused() -> None:
    net = sample("default", 4)
    plan = program(net.graph)
    assert generate(net, max_scratch_bytes=plan.bytes).program == plan
    fullest = int(np.argmax(plan.live_bytes))
    name = plan.steps[fullest].layers[0].name
    with pytest.raises(ExportError) as caught:
        generate(net, max_scratch_bytes=plan.bytes - 1)
    assert str(caught.value).startswith(
        f"layer {name!r}: the scratch buffer takes {plan.bytes} bytes, "
        f"{plan.live_bytes[fullest]} of them in use at this layer; {plan.bytes - 1} bytes are "
        "allowed."
    )


# ---- the call ----------------------------------------------------------------------------------


def test_null_and_unaligned_memory_are_errors(tmp_path: Path, host: HostCompiler) -> None:
    import ctypes

    net = sample("tiny", 0)
    files = model_files(net, tmp_path)
    library = build_shared(host, [files.source], tmp_path / "model.so", include=[tmp_path])
    infer = ctypes.CDLL(str(library)).ppg_infer
    infer.argtypes = [ctypes.c_void_p] * 3
    room = np.zeros(files.scratch_bytes + 16, np.uint8)
    at = room.ctypes.data + -room.ctypes.data % 8
    (window,) = windows(net, 0)[:1]
    logits = np.zeros(256, np.int8)
    good = (window.ctypes.data, logits.ctypes.data, at)
    assert infer(*good) == 0
    for index in range(3):
        assert infer(*(None if i == index else value for i, value in enumerate(good))) == -1
    assert infer(*good[:2], at + 4) == -2


def test_wrong_windows_for_the_host_model(tmp_path: Path, host: HostCompiler) -> None:
    net = sample("tiny", 0)
    program = host_program([model_files(net, tmp_path)], tmp_path, host, sanitize=False)
    with pytest.raises(ToolError, match="this network takes int8 of shape"):
        program.run(0, net, np.zeros((1, 1, 3, 3), np.int8))
