"""`ppgnas verify` on files of random weights, and what it does when something is wrong."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from deploy.emulation import toolchain
from deploy.fuzz.random_net import random_net
from deploy.integers.quantized import QuantizedNet
from deploy.tflite import writer as tflite
from hwmodels.boards import load_board
from hwmodels.engines.load import engine_names, load_engine
from hwmodels.graph import Graph, Layer, Tensor
from nas.models.by_layer import LayerCount, by_layer
from nas.models.names import Model, ModelError, find_model
from nas.models.verify import Verification, verify
from nas.models.windows import stream_for, windows_for
from ppgnas.errors import DataError, DependencyError, ExportError
from search_spaces.lower import lower
from search_spaces.space import SearchSpace
from tests.deploy.tflite.test_reader import packed, unpacked
from tests.nas.cli.leaving import leave
from tests.nas.fakes import write_people

pytest.importorskip("unicorn", reason="pip install -e .[emulate]")
pytest.importorskip("ziglang", reason="pip install -e .[emulate]")


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    graph = lower(SearchSpace.preset("tiny").sample(random.Random(2)))
    path = tmp_path_factory.mktemp("verify") / "model.tflite"
    path.write_bytes(tflite.write(random_net(graph, 2)))
    return path


@pytest.fixture(scope="module")
def verified(file: Path) -> Verification:
    model = find_model(str(file))
    windows = windows_for(model, model.net(), data=None, limit=3)
    return verify(model, windows, board=load_board("stm32h743"))


FOREIGN = Path(__file__).parents[2] / "deploy" / "tflite" / "files"


@pytest.mark.parametrize("name", ["two_outputs_float", "mlp_uint8", "heart_lstm_int8"])
def test_files_of_a_converter(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """All of `verify`: nothing differs, the emulated cycles lie within the bounds."""
    assert leave("verify", str(FOREIGN / f"{name}.tflite"), "--windows", "2", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    parity = found["parity"]
    assert found["mode"] == "window"
    for key in ("c_host", "c_emulated", "tflite_rule"):
        assert parity[f"{key}_differences"] == 0


@pytest.mark.parametrize("name", ["weighed_int8", "exponential_int8", "pyramid_int8", "gelu_int8"])
def test_an_interpreter_without_an_operator_is_told(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """LiteRT's reference kernels compute no SUM, no ELU and no TILE of today, TFLM no GELU."""
    assert leave("verify", str(FOREIGN / f"{name}.tflite"), "--windows", "2") == 0
    lines = capsys.readouterr().out.splitlines()
    assert any("emulated, not measured" in line for line in lines)
    assert any("C emulated, reference rule c" in line for line in lines)
    (litert,) = (line for line in lines if line.startswith("TFLite file, LiteRT's rule"))
    (micro,) = (line for line in lines if line.startswith("TFLite Micro"))
    lacks = litert if name != "gelu_int8" else micro
    there = name != "gelu_int8" or find_spec("tflite_micro")
    assert lacks.endswith("not compared" if there else "not installed")
    assert ("TFLite file, TFLM's rule" in "".join(lines)) == (name == "gelu_int8")


@pytest.mark.parametrize(
    ("name", "open_sizes"),
    [("dilated_dynamic", True), ("rows_dynamic", True), ("tcn_dynamic", True),
     ("gated_dynamic", False), ("separable_dynamic", False), ("tcn_int8", False)],
)  # fmt: skip
def test_sizes_that_follow_from_the_batch_are_told(
    name: str, open_sizes: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    """TFLM takes the sizes that the file states; `test_foreign.py` has that it computes others."""
    assert leave("score", str(FOREIGN / f"{name}.tflite")) == 0
    assert ("its batch is open" in capsys.readouterr().err) == open_sizes


def test_evaluate_reads_a_sequence_network(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`(1, time, channels)` as Keras writes it; float ends change nothing, nor a second output."""
    people, errors = str(write_people(tmp_path / "people", people=2)), []
    content = (FOREIGN / "heart_int8.tflite").read_bytes()
    more = unpacked(content)
    graph = more.subgraphs[0]
    graph.outputs = [graph.operators[-2].outputs[0], *graph.outputs]
    more.signatureDefs = []
    (tmp_path / "more.tflite").write_bytes(packed(more))
    files = (FOREIGN / f"heart_{ends}.tflite" for ends in ("int8", "float"))
    for path in (*files, tmp_path / "more.tflite"):
        assert leave("evaluate", str(path), "--data", people, "--json") == 0
        errors.append(json.loads(capsys.readouterr().out)["mae_bpm"])
    assert errors[0] == errors[1] == errors[2] > 0


@pytest.mark.parametrize("name", ["selected_int8", "gated_dynamic", "mobilenet_uint8"])
@pytest.mark.parametrize("engine", engine_names())
def test_score_of_a_converter_s_file(
    name: str, engine: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """All files: `test_foreign.py`."""
    board = "stm32h743" if "Cortex-M7" in load_engine(engine).cores else "esp32-s3"
    path = str(FOREIGN / f"{name}.tflite")
    left = leave("score", path, "--board", board, "--engine", engine, "--json")
    seen = capsys.readouterr()
    assert left == 0 and json.loads(seen.out)["latency_ms"]["value"] > 0


def test_everything_agrees_and_is_counted(verified: Verification) -> None:
    parity = verified.parity
    assert parity.windows == 3 and parity.source == "synthetic"
    assert parity.c_max_lsb == 0
    assert parity.c_host_differences == parity.c_emulated_differences == 0
    # The head may be 1 LSB off where LiteRT rounds once; upsampling weighs it by up to about 2.
    assert parity.tflite_max_lsb is not None and parity.tflite_max_lsb <= 4
    assert parity.tflite_rule_differences == 0
    assert parity.tflm_differences in (0, None)
    verified.check()
    emulated = verified.emulated
    assert emulated.instructions == sum(emulated.by_class.values())
    assert emulated.cycles > 0 and emulated.stack_bytes > 0
    assert emulated.sram_bytes >= emulated.scratch_bytes > 0
    assert sum(row.instructions for row in emulated.layers) == pytest.approx(
        emulated.instructions, abs=len(emulated.layers)
    )
    board = load_board("stm32h743")
    assert emulated.latency_ms == pytest.approx(emulated.cycles * 1e3 / board.clock_hz, 1e-4)


def test_a_stream_equals_its_long_pass(file: Path, tmp_path: Path) -> None:
    """Real blocks, the first reading the window's, figures of one block; a difference is told."""
    model = find_model(str(file))
    people = write_people(tmp_path / "people", people=2)
    stream = stream_for(model, model.net(), data=str(people), limit=5)
    assert stream.signal is not None and len(stream.x) == 5
    hop = len(stream.signal) // 8
    np.testing.assert_array_equal(stream.x[1, 0], stream.signal[hop : 5 * hop])
    found = verify(model, stream, board=load_board("stm32h743"))
    parity = found.parity
    assert parity.c_host_differences == parity.c_emulated_differences == 0
    assert parity.first_window_differences == parity.tflite_rule_differences == 0
    assert found.mode == "streaming" and parity.windows == 5
    assert found.error_percent["sram_bytes"] == 0 and abs(found.error_percent["cycles"]) < 5
    assert found.emulated.state_bytes > 0
    wrong = replace(found, parity=replace(parity, first_window_differences=3))
    with pytest.raises(ExportError, match="the long pass of the first window differs from"):
        wrong.check()


def test_the_prediction_is_near(verified: Verification) -> None:
    errors = verified.error_percent
    for key in ("cycles", "flash_bytes", "sram_bytes"):
        said, seen = getattr(verified.predicted, key), getattr(verified.emulated, key)
        assert errors[key] == pytest.approx(100 * (said / seen - 1))
    assert abs(errors["cycles"]) < 15
    assert abs(errors["flash_bytes"]) < 10
    assert errors["sram_bytes"] == 0


@pytest.mark.parametrize(
    ("key", "what"),
    [
        ("c_host_differences", "the C on this machine"),
        ("c_emulated_differences", "the C in emulation"),
        ("tflm_differences", "TFLite Micro"),
        ("tflite_rule_differences", "the TFLite file in the interpreter"),
    ],
)
def test_a_difference_is_told_with_its_count(key: str, what: str, verified: Verification) -> None:
    wrong = replace(verified, parity=replace(verified.parity, **{key: 7}))  # type: ignore[arg-type]
    with pytest.raises(ExportError) as caught:
        wrong.check()
    assert f"{what} differs from the integer reference in 7 of 540 outputs" in str(caught.value)
    assert caught.value.exit_code == 1


def test_a_wrong_c_of_a_run_is_found(file: Path, tmp_path: Path) -> None:
    """One weight of a stored model.c is not the network's."""
    from deploy.c.build import model_files

    net = find_model(str(file)).net()
    model_files(net, tmp_path)
    source = tmp_path / "model.c"
    head, tail = source.read_text().split("static const uint32_t table_", 1)
    first = tail[tail.index("0x") : tail.index("0x") + 10]
    changed = f"0x{int(first, 16) ^ 0x40404040:08x}"
    source.write_text(f"{head}static const uint32_t table_{tail.replace(first, changed, 1)}")
    stored = Model("run:1", net.graph, folder=tmp_path)
    net.save(tmp_path)
    windows = windows_for(stored, net, data="synthetic", limit=2)
    found = verify(stored, windows, board=load_board("stm32h743"))
    assert found.parity.stored_c and found.parity.c_emulated_differences > 0
    assert found.parity.c_host_differences == 0  # newly written: no stored C runs here
    with pytest.raises(ExportError, match="Do not ship these files"):
        found.check()


def test_shared_functions_are_split_evenly() -> None:
    calls = (("a", ("stem",)), ("b", ("one",)), ("b", ("two", "three")))
    instructions = {"a": 10, "b": 1, "b.constprop.0": 30, "ppg_infer": 4, "memcpy": 2}
    rows = by_layer(calls, instructions, {"a": 9.0, "b": 20.0})
    assert rows == (
        LayerCount(("stem",), "a", 1, 10, 9),
        LayerCount(("one",), "b", 2, 16, 10),
        LayerCount(("two", "three"), "b", 2, 16, 10),
        LayerCount((), "rest", 1, 6, 0),
    )


def wrap(net: QuantizedNet) -> Model:
    return Model("m", net.graph)


def test_windows_of_recordings_of_noise_and_of_nothing(file: Path, tmp_path: Path) -> None:
    model = find_model(str(file))
    net = model.net()
    people = write_people(tmp_path / "people", people=2)
    found = windows_for(model, net, data=str(people), limit=4)
    assert found.source == str(people) and found.x.shape[0] == 4
    assert found.x.shape[1:] == net.graph.shape(net.graph.input)[1:]
    with pytest.raises(DataError):
        windows_for(model, net, data=str(tmp_path / "none"), limit=4)
    graph = Graph(
        (Layer("fc", "fully_connected", ("x",), "y"),),
        (Tensor("x", (1, 3, 5, 2)), Tensor("y", (1, 4))),
        "x",
        "y",
    )
    other = random_net(graph, 0)
    with pytest.raises(ModelError, match="recordings can be read by a"):
        stream_for(wrap(other), other, data="synthetic", limit=2)
    noise = windows_for(wrap(other), other, data=None, limit=2)
    assert noise.source.startswith("noise") and len(np.unique(noise.x)) > 10
    with pytest.raises(ModelError, match="recordings can be read by a"):
        windows_for(wrap(other), other, data="synthetic", limit=2)


def test_the_command_in_streaming(
    file: Path, verified: Verification, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ("verify", str(file), "--windows", "2", "--mode", "streaming")
    assert leave(*arguments, "--compiler", "zig", "--json") == 0
    streamed = json.loads(capsys.readouterr().out)
    assert set(streamed) >= {"parity", "emulated", "predicted", "error_percent"}
    assert streamed["mode"] == "streaming" and verified.mode == "window"
    assert 3 * streamed["emulated"]["cycles"] < verified.emulated.cycles
    assert leave("verify", str(file), "--mode", "half") == 2
    assert "--mode is 'half'; allowed: window, streaming" in capsys.readouterr().err


def test_what_cannot_be_verified(
    file: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    arch = tmp_path / "arch.json"
    arch.write_text(SearchSpace.preset("tiny").smallest().dumps())
    assert leave("verify", str(arch)) == 2
    assert "has no weights; name a finalist" in capsys.readouterr().err
    assert leave("verify", str(file), "--compiler", "icc") == 2
    assert "allowed are zig and gcc" in capsys.readouterr().err

    def missing(_: str | None = None) -> None:
        raise DependencyError("ziglang is not installed; pip install ziglang")

    monkeypatch.setattr(toolchain, "find_compiler", missing)
    assert leave("verify", str(file)) == 1
    assert "pip install ziglang" in capsys.readouterr().err
