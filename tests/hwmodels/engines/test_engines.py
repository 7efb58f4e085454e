"""Engines: what they support and how their laws grow with a layer."""

import math
import pickle
import re
from dataclasses import replace
from importlib.resources import files
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwmodels.boards import Board, load_board
from hwmodels.engines.engine import Engine
from hwmodels.engines.load import (
    ENGINES_DIR,
    engine_names,
    engines_for,
    known_cores,
    load_engine,
)
from hwmodels.operators import Op
from hwmodels.scorecard import score
from ppgnas.errors import BoardError
from tests.hwmodels.small import one_layer, small_graph

fours = st.integers(1, 48).map(lambda n: 4 * n)
times = st.integers(9, 200)
taps = st.integers(1, 9)


@pytest.fixture(scope="module", params=["tflm-cmsis-nn", "st-edge-ai"])
def engine(request: pytest.FixtureRequest) -> Engine:
    return load_engine(request.param)


def cycles(
    engine: Engine, op: Op, time: int, cin: int, cout: int, kernel: int
) -> tuple[float, float, float]:
    """Value, low and high of one layer 1 x `kernel` over `[1, 1, time, cin]`."""
    source, target = (1, 1, time, cin), (1, 1, time - kernel + 1, cout)
    if op == "fully_connected":
        source, target = (1, 1, 1, cin), (1, 1, 1, cout)
    graph = one_layer(op, source, target, kernel=(1, kernel))
    work = engine.work(graph.layers[0], source, target)
    return work.cycles.value, work.cycles.low, work.cycles.high


def never_falls(before: tuple[float, float, float], after: tuple[float, float, float]) -> bool:
    return all(a <= b for a, b in zip(before, after, strict=True))


@given(op=st.sampled_from(["conv", "fully_connected"]), time=times, cin=fours, cout=fours,
       kernel=taps)  # fmt: skip
def test_cycles_never_fall_with_outputs(
    engine: Engine, op: Op, time: int, cin: int, cout: int, kernel: int
) -> None:
    """In steps of 4 channels. Single steps may fall: an odd output channel is dearer."""
    assert never_falls(
        cycles(engine, op, time, cin, cout, kernel),
        cycles(engine, op, time, cin, cout + 4, kernel),
    )


@given(op=st.sampled_from(["conv", "fully_connected"]), time=times, cin=fours, cout=fours,
       kernel=taps)  # fmt: skip
def test_cycles_never_fall_with_inputs(
    engine: Engine, op: Op, time: int, cin: int, cout: int, kernel: int
) -> None:
    """In steps of 16 channels; K = 12 is dearer than K = 16, which the kernel takes at once."""
    assert never_falls(
        cycles(engine, op, time, cin, cout, kernel),
        cycles(engine, op, time, cin + 16, cout, kernel),
    )


@given(time=times, width=fours, kernel=taps)
def test_depthwise_cycles_never_fall_with_channels(
    engine: Engine, time: int, width: int, kernel: int
) -> None:
    assert never_falls(
        cycles(engine, "depthwise_conv", time, width, width, kernel),
        cycles(engine, "depthwise_conv", time, width + 4, width + 4, kernel),
    )


def test_alignment_effect_is_modelled() -> None:
    """A pointwise layer of 15 inputs costs more than one of 16 (its remainder loop runs 3 times),
    which MACs alone would order the other way."""
    engine = load_engine("tflm-cmsis-nn")
    assert cycles(engine, "conv", 128, 15, 16, 1)[0] > cycles(engine, "conv", 128, 16, 16, 1)[0]


def test_dilation_penalty_and_its_cure() -> None:
    """A dilated depthwise layer costs 1.8-2.7 times its view with kernel k x 1."""
    engine = load_engine("tflm-cmsis-nn")
    flat = one_layer(
        "depthwise_conv", (1, 1, 144, 16), (1, 1, 128, 16), kernel=(1, 5), dilation=(1, 4)
    )
    view = one_layer("depthwise_conv", (1, 36, 4, 16), (1, 32, 4, 16), kernel=(5, 1))
    costs = [
        engine.work(g.layers[0], g.shape("x"), g.shape("y")).cycles.value for g in (flat, view)
    ]
    assert 1.8 < costs[0] / costs[1] < 2.7


def test_range_of_the_counted_layers_is_known() -> None:
    engine = load_engine("tflm-cmsis-nn")
    small = one_layer("conv", (1, 1, 64, 16), (1, 1, 64, 32)).layers[0]
    assert engine.work(small, (1, 1, 64, 16), (1, 1, 64, 32)).calibrated
    assert not engine.work(small, (1, 1, 8192, 16), (1, 1, 8192, 32)).calibrated
    pad = one_layer("reshape", (1, 1, 64, 16), (1, 16, 4, 16)).layers[0]
    work = engine.work(pad, (1, 1, 64, 16), (1, 16, 4, 16))
    assert (work.calibrated, work.assumed) == (False, True)
    assert work.cycles.value == 600 + 0.5 * 1024  # dispatch and a copy


def test_names_and_support() -> None:
    assert engine_names() == (
        "ppgnas-c",
        "st-edge-ai",
        "st-edge-ai-10",
        "st-edge-ai-7.3",
        "st-edge-ai-8.1",
        "tflm-cmsis-nn",
        "tflm-cmsis-nn-99f736a",
        "tflm-esp-nn",
    )
    with pytest.raises(BoardError) as caught:
        load_engine("tflm")
    assert str(caught.value) == (
        "engine 'tflm' is unknown; known engines: ppgnas-c, st-edge-ai, st-edge-ai-10, "
        "st-edge-ai-7.3, st-edge-ai-8.1, tflm-cmsis-nn, tflm-cmsis-nn-99f736a, tflm-esp-nn. "
        "Did you mean tflm-esp-nn or tflm-cmsis-nn? "
        "A calibrated engine is given by the path of its TOML file"
    )
    with pytest.raises(BoardError) as caught:
        load_engine("st-edge-ai").check(load_board("nrf5340"))
    assert str(caught.value) == (
        "engine 'st-edge-ai' does not run on nRF5340; supported parts: STM32*. Use 'ppgnas-c'"
    )


def test_a_board_is_costed_by_the_timings_nearest_to_it() -> None:
    engine = load_engine("tflm-cmsis-nn")
    found = {name: engine.profile(load_board(name)).name for name in
             ("stm32h743", "stm32l4r5", "nrf52840", "stm32u575")}  # fmt: skip
    assert found == {
        "stm32h743": "Cortex-M7", "stm32l4r5": "STM32F446", "nrf52840": "nRF52832",
        "stm32u575": "STM32L552",
    }  # fmt: skip
    st = load_engine("st-edge-ai")
    assert st.profile(load_board("stm32l4r5")).name == "Cortex-M4F"


def test_factor_joins_independent_errors_in_squares() -> None:
    """Networks +-11 %, the part +-5 %: together sqrt(ln(1.1196)^2 + ln(1.05)^2) = 12.3 % up."""
    board = load_board("stm32h743")
    profile = load_engine("tflm-cmsis-nn").profile(board)
    factor = profile.factor(board)
    assert factor.value == 1.0
    expected = math.exp(math.hypot(math.log(profile.network.high), math.log(1.05)))
    assert factor.high == pytest.approx(expected)
    assert profile.network.high < factor.high < profile.network.high * 1.05


def test_versions_of_st_tools_are_apart() -> None:
    """8.1 and 7.3 cost more a MAC than the current ones, which run alike."""
    names = ("st-edge-ai", "st-edge-ai-10", "st-edge-ai-8.1", "st-edge-ai-7.3")
    found = [cycles(load_engine(name), "conv", 100, 64, 64, 3)[0] for name in names]
    assert found[0] == found[1] < min(found[2:])


def test_intervals_follow_size_and_board() -> None:
    """Small networks on a board of the fit are known best, those on another board least."""
    engine = load_engine("st-edge-ai")
    seen, new = load_board("stm32h7a3"), load_board("stm32f746")

    def width(board: Board, macs: int) -> float:
        found = engine.profile(board).factor(board, macs=macs)
        return math.log(found.high / found.low)

    assert width(seen, 500_000) < width(seen, 50_000_000) < width(new, 50_000_000)
    assert width(seen, 500_000) < width(new, 500_000)


def test_timed_and_counted_versions_are_apart() -> None:
    """The counted kernels are newer: a 1 x 1 layer takes about two thirds of the timed cycles."""
    timed, counted = (
        cycles(load_engine(name), "conv", 128, 64, 64, 1)[0]
        for name in ("tflm-cmsis-nn", "tflm-cmsis-nn-99f736a")
    )
    assert 0.5 < counted / timed < 0.9


def test_cores_of_today_are_carried_over_by_one_ratio() -> None:
    """From four networks on a Cortex-M85, eight on an M0+, one on each ESP32: wide bounds."""
    graph = one_layer("conv", (1, 1, 64, 16), (1, 1, 64, 32))
    on_m7 = score(graph, load_board("stm32h743"), load_engine("tflm-cmsis-nn")).cycles
    for name, engine_name, low, high in (
        ("r7fa8d1", "tflm-cmsis-nn", 0.1, 0.39),
        ("stm32g0b1", "tflm-cmsis-nn", 6.9, 10.6),
        ("esp32-s3", "tflm-esp-nn", 0.54, 0.54),
        ("esp32-c3", "tflm-esp-nn", 2.86, 2.86),
    ):
        card = score(graph, load_board(name), load_engine(engine_name))
        found = card.cycles
        assert not card.in_calibrated_range
        assert low <= found.value / on_m7.value <= high, name
        assert found.low < low * on_m7.value
        assert found.high > high * on_m7.value
        assert found.high / found.low > 2 * on_m7.high / on_m7.low


def test_engines_for_a_board() -> None:
    assert engines_for(load_board("esp32-s3")) == ["ppgnas-c", "tflm-esp-nn"]
    assert "ppgnas-c" in engines_for(load_board("stm32n657"))
    assert "st-edge-ai" in engines_for(load_board("stm32u385"))
    assert engines_for(replace(load_board("stm32u385"), core="Cortex-M23")) == []
    assert {"Cortex-M55", "RISC-V RV32IMC"} <= set(known_cores())


@pytest.mark.parametrize("name", engine_names())
def test_engines_go_to_another_process(name: str) -> None:
    """Benches cost what they train in processes of their own."""
    engine = load_engine(name)
    sent = pickle.loads(pickle.dumps(engine))
    assert sent == engine
    board = load_board("esp32-s3" if "esp" in name else "stm32h743")
    assert score(small_graph(), board, sent).cycles == score(small_graph(), board, engine).cycles


def test_a_core_without_cycles_is_refused(tmp_path: Path) -> None:
    text = (files("hwmodels") / "engine_files" / "ppgnas-c.toml").read_text(encoding="utf-8")
    path = tmp_path / "mine.toml"
    path.write_text(re.sub(r"(\[core_ratios\]\n.*?low = )[0-9.]+", r"\g<1>0", text, count=1))
    with pytest.raises(BoardError, match=r"core_ratios\..* begins at 0; allowed: above 0"):
        load_engine(str(path))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("mean = { value = 95.0", "mean = { value = 950.0",
         "cycles.elements.mean: estimate: 950.0 does not lie between low 75.0 and high 115.0. A"),
        ("mean = { value = 4096,", "mean = { value = 1,",
         "flash.kernels.mean: estimate: 1.0 does not lie between low 2048.0 and high 8192.0. A"),
        ('name = "tflm-cmsis-nn"', 'name = ""', "name is '' and must not be empty"),
    ],
)  # fmt: skip
def test_an_engine_file_that_is_wrong_is_told_in_our_words(
    tmp_path: Path, old: str, new: str, message: str
) -> None:
    text = (ENGINES_DIR / "tflm-cmsis-nn.toml").read_text(encoding="utf-8")
    assert old in text
    path = tmp_path / "mine.toml"
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(BoardError) as caught:
        load_engine(str(path))
    assert str(caught.value).startswith(f"{path}: {message}")
    assert "Value error" not in str(caught.value)


def test_an_engine_file_without_a_table_says_which(tmp_path: Path) -> None:
    text = (ENGINES_DIR / "tflm-cmsis-nn.toml").read_text(encoding="utf-8")
    path = tmp_path / "mine.toml"
    path.write_text(text[: text.index("[sram]")])
    with pytest.raises(BoardError) as caught:
        load_engine(str(path))
    assert str(caught.value).startswith(f"{path}: the table [sram] is missing. A figure reads")
