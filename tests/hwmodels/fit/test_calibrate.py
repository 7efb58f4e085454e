"""Calibration: what was built in is found again, and bad files are named by line and column."""

import math
from pathlib import Path

import numpy as np
import pytest

from hwmodels.boards import load_board
from hwmodels.engines.engine import Engine
from hwmodels.engines.load import engine_text, load_engine
from hwmodels.fit.calibrate import Calibration, from_layers, from_networks, raw_cycles, render
from hwmodels.fit.calibration_csv import LayerTiming, NetworkTiming, read_timings
from hwmodels.fit.timings import timed_layers
from hwmodels.operators import OPS
from hwmodels.scorecard import score
from ppgnas.errors import BoardError, DataError
from tests.hwmodels.small import one_layer, small_graph

GRAPHS = [small_graph(channels=4 * c, time=t) for c, t in ((2, 16), (4, 32), (6, 48), (8, 24))]


def written(found: Calibration, base: str, path: Path) -> Engine:
    """The engine of a calibration, as its file says it."""
    path.write_text(render(found, base, name=path.stem, source='a "test" \\ file'))
    return load_engine(str(path))


def test_a_slower_build_is_found(tmp_path: Path) -> None:
    """Cycles 1.33 times the engine's: the file that is written predicts them, on that board."""
    board, engine = load_board("stm32f767"), load_engine("tflm-cmsis-nn")
    cycles = [1.33 * raw_cycles(graph, board, engine) for graph in GRAPHS]
    found = from_networks(list("abcd"), GRAPHS, cycles, board, engine)
    assert found.scale == pytest.approx(1.33)
    assert found.held_out is not None
    assert found.held_out.mape == pytest.approx(0, abs=1e-9)
    assert found.before.mape == pytest.approx(1 - 1 / 1.33)
    mine = written(found, "tflm-cmsis-nn", tmp_path / "mine.toml")
    assert mine.name == "mine"
    for graph, measured in zip(GRAPHS, cycles, strict=True):
        card = score(graph, board, mine)
        assert card.cycles.value == pytest.approx(measured, rel=1e-5)
        assert card.cycles.low < measured < card.cycles.high


@pytest.mark.parametrize("name", ["stm32f769", "stm32l4r5", "nrf52840", "stm32u575"])
@pytest.mark.parametrize("engine_name", ["tflm-cmsis-nn", "tflm-cmsis-nn-99f736a", "st-edge-ai"])
def test_every_core_and_engine_can_be_anchored(
    tmp_path: Path, name: str, engine_name: str
) -> None:
    """Also a core without timings of its own (its ratio is then part of the factor)."""
    if name == "nrf52840" and engine_name == "st-edge-ai":
        pytest.skip("ST's tools run on STM32 only")
    board, engine = load_board(name), load_engine(engine_name)
    found = from_networks(["a"], GRAPHS[:1], [123_456.0], board, engine)
    assert found.held_out is None
    anchored = written(found, engine_name, tmp_path / "anchored.toml")
    card = score(GRAPHS[0], board, anchored)
    assert card.cycles.value == pytest.approx(123_456, rel=1e-5)
    before = (
        score(GRAPHS[1], board, engine).cycles.value / score(GRAPHS[0], board, engine).cycles.value
    )
    after = score(GRAPHS[1], board, anchored).cycles.value / card.cycles.value
    assert after == pytest.approx(before, rel=1e-6)


def test_an_anchor_leaves_the_code_of_sts_tools_as_it_is(tmp_path: Path) -> None:
    board, engine = load_board("stm32h743"), load_engine("st-edge-ai")
    shape = (1, 16, 16, 8)
    graph = one_layer("conv", shape, shape, kernel=(3, 3), padding="same")
    found = from_networks(["a"], [graph], [1e6], board, engine)
    anchored = score(graph, board, written(found, "st-edge-ai", tmp_path / "anchored.toml"))
    assert anchored.flash_code_bytes == score(graph, board, engine).flash_code_bytes


@pytest.mark.parametrize(
    "engine_name", ["ppgnas-c", "tflm-cmsis-nn", "tflm-cmsis-nn-99f736a", "st-edge-ai-10"]
)
@pytest.mark.parametrize("name", ["stm32h743", "stm32f446", "stm32u585"])
def test_an_anchor_narrows(tmp_path: Path, name: str, engine_name: str) -> None:
    board, engine = load_board(name), load_engine(engine_name)
    found = from_networks(["a"], GRAPHS[:1], [123_456.0], board, engine)
    anchored = written(found, engine_name, tmp_path / "anchored.toml")
    card = score(GRAPHS[1], board, anchored)
    factor = anchored.profile(board).factor(board)
    before = engine.profile(board).factor(board, macs=GRAPHS[0].total_macs)
    assert factor.high / factor.low <= before.high / before.low * (1 + 1e-4)
    # One anchor says something of the next network, not all: 90 % of pairs lie this far apart.
    assert 1.1 < card.cycles.high / card.cycles.low


def test_an_anchor_sets_the_level_of_counted_instructions(tmp_path: Path) -> None:
    """How many cycles an instruction takes in this build is known then, whatever the network; on
    a Cortex-M4F builds are less alike: 90 % of the pairs lie within 1.39 times."""
    board, engine = load_board("stm32h743"), load_engine("tflm-cmsis-nn-99f736a")
    found = from_networks(["a"], GRAPHS[:1], [123_456.0], board, engine)
    before = score(GRAPHS[1], board, engine).cycles
    anchored = written(found, engine.name, tmp_path / "anchored.toml")
    after = score(GRAPHS[1], board, anchored).cycles
    assert after.high / after.low < 0.9 * before.high / before.low
    other = from_networks(["a"], GRAPHS[:1], [123_456.0], load_board("nrf52840"), engine)
    assert other.network.high > 1.1 * found.network.high


def test_an_anchor_says_little_where_a_ratio_spans_networks() -> None:
    """Four networks on a Cortex-M85 take 0.10 to 0.39 of a Cortex-M7's cycles: one of them does
    not tell the others within a fifth."""
    board, engine = load_board("r7fa8d1"), load_engine("tflm-cmsis-nn")
    found = from_networks(["a"], GRAPHS[:1], [123_456.0], board, engine)
    assert found.network.high > 2


def test_an_anchor_leaves_other_cores_alone(tmp_path: Path) -> None:
    board, engine = load_board("stm32l4r5"), load_engine("tflm-cmsis-nn")
    found = from_networks(["a"], GRAPHS[:1], [1e6], board, engine)
    anchored = written(found, "tflm-cmsis-nn", tmp_path / "anchored.toml")
    other = load_board("stm32u575")
    assert score(GRAPHS[1], other, anchored).cycles == score(GRAPHS[1], other, engine).cycles


def test_layers_of_another_part_get_laws_of_their_own(tmp_path: Path) -> None:
    """Timings of the STM32L552 said to be of a Cortex-M4F: the laws of the STM32F446 miss them by
    a fifth and more, the calibrated engine by less than 3 % on held-out shapes."""
    board, engine = load_board("stm32l4r5"), load_engine("tflm-cmsis-nn")
    layers = [
        LayerTiming("conv", row.geometry, line, row.cycles)
        for line, row in enumerate(timed_layers(), start=2)
        if row.mcu == "STM32L552"
    ]
    found = from_layers(layers, board, engine)
    assert set(found.kernels) == {"conv_1x1", "conv_column", "conv_row"}
    assert found.before.mape > 0.15
    assert found.held_out is not None
    assert found.held_out.mape < 0.03
    assert 0.85 <= (found.inside or 0) <= 0.95
    mine = written(found, "tflm-cmsis-nn", tmp_path / "mine.toml")
    graph = one_layer("conv", (1, 16, 14, 48), (1, 16, 14, 32), kernel=(3, 1), padding="same")
    dispatch = score(one_layer("conv", (1, 1, 1, 1), (1, 1, 1, 1)), board, mine)
    measured = 3_097_110  # of data/layer_cycles_tflm.csv
    assert score(graph, board, mine).cycles.value == pytest.approx(measured, rel=0.05)
    assert dispatch.cycles.value > 0


def test_few_layers_fit_one_factor() -> None:
    board, engine = load_board("stm32l552"), load_engine("tflm-cmsis-nn")
    layers = [
        LayerTiming("conv", row.geometry, 2, 2 * row.cycles)
        for row in timed_layers()
        if row.mcu == "STM32L552"
    ][::150]
    found = from_layers(layers, board, engine)
    assert not found.kernels
    assert found.scale == pytest.approx(2.0, rel=0.05)


def test_layers_that_are_all_alike(tmp_path: Path) -> None:
    path = tmp_path / "alike.csv"
    rows = [f"1x1x{16 * n}x4,1x1x{8 * n}x8,3,2,{5000 * n}" for n in range(1, 10)]
    header = "in_shape,out_shape,kernel_w,stride_w,cycles"
    path.write_text("\n".join([header, *rows]))
    board = load_board("stm32f767")
    timings = read_timings(path, clock_hz=board.clock_hz, part=board.part)
    layers = [timing for timing in timings if isinstance(timing, LayerTiming)]
    with pytest.raises(DataError, match="all 9 layers have one kind, kernel and channels"):
        from_layers(layers, board, load_engine("tflm-cmsis-nn"))


def test_timings_that_say_nothing() -> None:
    board, engine = load_board("stm32f767"), load_engine("tflm-cmsis-nn")
    with pytest.raises(DataError, match=r"2 of 4 timings are not in the unit .* that of a is "):
        from_networks(list("abcd"), GRAPHS, [1e-3, 1e12, 1e-3, 1e12], board, engine)


@pytest.mark.parametrize(
    ("factors", "named"),
    [
        ([1, 1e3, 1, 1e3], "2 of 4 .* that of b is 1e[+]03 times what the engine"),
        ([1e-3, 1, 1, 1e-3], "2 of 4 .* that of a is 0.001 times what the engine"),
        ([216e3, 1, 216e3, 1], "2 of 4 .* that of a is 2.16e[+]05 times what the engine"),
        ([0.3, 300], "1 of 2 .* that of b is 1e[+]03 times what the engine"),
    ],
)
def test_half_of_the_timings_in_another_unit(factors: list[float], named: str) -> None:
    """Between two halves lies no unit; with an engine too slow the middle looked like a build."""
    board, engine = load_board("stm32f767"), load_engine("tflm-cmsis-nn")
    own = [score(g, board, engine).cycles.value for g in GRAPHS]
    cycles = [f * c for f, c in zip(factors, own, strict=False)]
    names = list("abcd")[: len(cycles)]
    with pytest.raises(DataError, match=named):
        from_networks(names, GRAPHS[: len(cycles)], cycles, board, engine)


@pytest.mark.parametrize(("factor", "every"), [(1e3, 9), (1e-3, 4), (180e3, 2), (1e6, 20)])
def test_timings_of_mixed_units(factor: float, every: int) -> None:
    """Microseconds, seconds or cycles in some rows of ms; the first of them is named."""
    board, engine = load_board("stm32f446"), load_engine("tflm-cmsis-nn")
    rows = [row for row in timed_layers() if row.mcu == "STM32F446"][::20]
    layers = [
        LayerTiming("conv", row.geometry, line, row.cycles * (factor if line % every == 1 else 1))
        for line, row in enumerate(rows, start=2)
    ]
    with pytest.raises(
        DataError, match="timings are not in the unit of the others: that of line "
    ):
        from_layers(layers, board, engine)


def test_interval_of_noisy_networks_holds_them() -> None:
    board, engine = load_board("stm32h743"), load_engine("tflm-cmsis-nn")
    rng = np.random.default_rng(0)
    graphs = [small_graph(channels=4 * c, time=t) for c in range(1, 6) for t in (16, 32, 48, 64)]
    cycles = [raw_cycles(g, board, engine) * math.exp(rng.normal(0, 0.05)) for g in graphs]
    found = from_networks([str(n) for n in range(20)], graphs, cycles, board, engine)
    assert found.held_out is not None
    assert 0.02 < found.held_out.mape < 0.08
    assert 0.8 <= (found.inside or 0) <= 1.0
    assert found.network.low > 0.8


def test_an_engine_is_calibrated_once(tmp_path: Path) -> None:
    board, engine = load_board("stm32h743"), load_engine("tflm-cmsis-nn")
    found = from_networks(["a"], GRAPHS[:1], [1e6], board, engine)
    path = tmp_path / "mine.toml"
    written(found, "tflm-cmsis-nn", path)
    with pytest.raises(BoardError, match="this engine is calibrated already"):
        engine_text(str(path), name_as="again")
    path.write_text(path.read_text().replace("scale = ", "scale = -"))
    with pytest.raises(BoardError, match=r"mine\.toml: calibration\.scale is -.* must be above 0"):
        load_engine(str(path))


def networks(tmp_path: Path, text: str) -> list[NetworkTiming] | list[LayerTiming]:
    path = tmp_path / "m.csv"
    path.write_text(text, encoding="utf-8")
    return read_timings(path, clock_hz=100e6, part="XYZ")


def test_rows_of_networks(tmp_path: Path) -> None:
    found = networks(
        tmp_path, "model, latency_ms,clock_mhz,note\na.tflite,2,,x\nb,3,50,\n\nc,4,,\n"
    )
    assert found == [
        NetworkTiming("a.tflite", 2, 200_000.0, unit="ms"),
        NetworkTiming("b", 3, 150_000.0, unit="ms"),
        NetworkTiming("c", 5, 400_000.0, unit="ms"),
    ]


@pytest.mark.parametrize(
    "text",
    [
        "model;latency_ms;clock_mhz\na;2,5;50\nb;3;50,0\nc;12,25;\n",
        "model\tlatency_ms\tclock_mhz\na\t2.5\t50\nb\t3\t50\nc\t12.25\t\n",
        "model;latency_ms;clock_mhz;note\na;2.5;50;1,2\nb;3;50;\nc;12.25;;\n",
    ],
)
def test_tables_of_spreadsheets(tmp_path: Path, text: str) -> None:
    found = networks(tmp_path, text)
    assert [timing.cycles for timing in found] == pytest.approx([125e3, 150e3, 1225e3])


@pytest.mark.parametrize("mcu", ["xyz", "XYZ12", "xyz-wroom"])
def test_an_ordering_code_names_the_part(tmp_path: Path, mcu: str) -> None:
    rows = "".join(f"{name},1,{mcu}\n" for name in "abc")
    assert len(networks(tmp_path, f"model,latency_ms,mcu\n{rows}")) == 3


@pytest.mark.parametrize("clock", ["64000000", "64000", "0.01"])
def test_a_clock_in_another_unit_is_named(tmp_path: Path, clock: str) -> None:
    with pytest.raises(DataError, match=rf"clock_mhz is '{clock}'; 0.032 to 2000 MHz are exp"):
        networks(tmp_path, f"model,latency_ms,clock_mhz\na,1,{clock}\n")


def test_rows_of_layers_in_two_notations(tmp_path: Path) -> None:
    first = "in_shape,out_shape,kernel_h,kernel_w,stride_h,stride_w,cycles\n" + (
        "1x128x9x1,1x64x9x12,5,1,2,1,1000\n" * 8
    )
    second = "mcu,in_shape,out_shape,kh,kw,sh,sw,cyc_op\n" + (
        'xyz,"[1, 128, 9, 1]","[1, 64, 9, 12]",5,1,2,1,1000\n' * 8
    )
    assert networks(tmp_path, first) == networks(tmp_path, second)
    found = networks(tmp_path, first)[0]
    assert isinstance(found, LayerTiming)
    assert found.geometry == timed_layers()[0].geometry


HELP = (
    "Networks need the columns model and latency_ms (or cycles); layers need in_shape, out_shape "
    "and cycles (or latency_ms). See docs/calibration.md"
)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", f"line 1: column model is missing; columns seen: none. {HELP}"),
        ("network,ms\na,1\n",
         f"line 1: column model is missing; columns seen: network, ms. {HELP}"),
        ("model,ms\na,1\n",
         f"line 1: column latency_ms is missing; columns seen: model, ms. {HELP}"),
        ("in_shape,cycles\n1x1x1x1,5\n",
         f"line 1: column out_shape is missing; columns seen: in_shape, cycles. {HELP}"),
        ("model,model,cycles\na,a,1\n", "line 1: column model stands twice; remove one"),
        ("model,latency_ms\na,1\nb,fast\n",
         "line 3, column latency_ms is 'fast'; a number above 0 is expected. Correct the cell or "
         "remove the line"),
        ("model,latency_ms\na,1\nb,-2\n",
         "line 3, column latency_ms is '-2'; a number above 0 is expected. Correct the cell or "
         "remove the line"),
        ("model,latency_ms\na,1\nb,nan\n",
         "line 3, column latency_ms is 'nan'; a number above 0 is expected. Correct the cell or "
         "remove the line"),
        ("model,latency_ms\na,1\nb\n",
         "line 3 has 1 cells, the header has 2; give every column a cell (quote one that holds a "
         "comma)"),
        ("model,latency_ms\n,1\n",
         "line 2, column model is ''; it must not be empty. Correct the cell or remove the line"),
        ("model,latency_ms,mcu\na,1,ABC\n",
         "line 2, column mcu is 'ABC'; the timings of one part are expected, and `board` is XYZ. "
         "Correct the cell or remove the line"),
        ("in_shape,out_shape,cycles\n1x4xx4,1x1x4x4,9\n",
         "line 2, column in_shape is '1x4xx4'; a shape such as 1x16x30x8 is expected. Correct the "
         "cell or remove the line"),
        ("op,in_shape,out_shape,cycles\ngru,1x1x4x4,1x1x4x4,9\n",
         f"line 2, column op is 'gru'; known ops: {', '.join(OPS)}. Correct the cell or remove "
         "the line"),
        ("model,latency_ms\na,1\nb,2\n",
         "2 rows are too few to fit; at least 3 networks are needed. Add rows, or pass one "
         "network with `anchor` model.tflite=12.3ms"),
        ("in_shape,out_shape,cycles\n1x1x4x4,1x1x4x4,9\n",
         "1 rows are too few to fit; at least 8 layers are needed. Add rows"),
    ],
)  # fmt: skip
def test_bad_files_are_named(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(DataError) as caught:
        networks(tmp_path, text)
    assert str(caught.value) == f"{tmp_path / 'm.csv'}: {message}"


def test_missing_and_binary_files(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="there is no such file"):
        read_timings(tmp_path / "none.csv", clock_hz=1e6, part="X")
    path = tmp_path / "binary.csv"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match="the file is not text"):
        read_timings(path, clock_hz=1e6, part="X")
