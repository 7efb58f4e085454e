"""The scorecard: a case on paper, its document, and the fast path against the full one."""

import json
import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwmodels.boards import Board, load_board
from hwmodels.costs import costing
from hwmodels.engines.engine import Engine, FlashRules, Profile, SramRules, Work
from hwmodels.engines.kernels import Geometry
from hwmodels.engines.load import load_engine
from hwmodels.estimate import Estimate
from hwmodels.graph import Graph, Layer, Tensor
from hwmodels.power import average_power_mw
from hwmodels.scorecard import score
from ppgnas.errors import BoardError, GraphError
from tests.hwmodels.small import one_layer, small_graph

BOARD = Board(
    name="paper",
    part="PAPER",
    core="Cortex-M7",
    clock_hz=1e6,
    flash_bytes=1 << 20,
    sram_bytes=1 << 16,
    core_ratio=Estimate(2.0, 1.0, 3.0),
    active_mw=Estimate(100.0, 50.0, 200.0),
    sleep_mw=Estimate(1.0, 0.5, 2.0),
)


def paper_engine() -> Engine:
    """Every layer 1,000 cycles (900 to 1,200); overheads of round numbers."""

    def work(kernel: str, shape: Geometry) -> Work:
        return Work(kernel, Estimate(1000, 900, 1200), True, kernel == "pad")

    exact = Estimate.exact
    return Engine(
        name="paper-engine",
        title="",
        version="1",
        date="",
        kind="layers",
        cores=("Cortex-M7",),
        parts=(),
        cmsis_nn_scratch=True,
        flash=FlashRules.model_construct(
            interpreter=exact(10_000),
            model_base=exact(7),
            model_per_op=exact(100),
            model_per_weighted_op=exact(3),
            model_per_channel=Estimate(10, 5, 20),
            kernels={"conv": exact(500), "pad": exact(70)},
        ),
        sram=SramRules.model_construct(
            arena_base=exact(300),
            arena_per_op=exact(10),
            arena_per_channel=exact(8),
            arena_factor=Estimate(1, 1, 2),
            runtime=exact(4000),
        ),
        errors={},
        profiles=(Profile("Cortex-M7", "Cortex-M7", "", exact(1.0), work),),
    )


def test_case_on_paper() -> None:
    """8 layers of 1,000 cycles at ratio 2 and 1 MHz are 16 ms; 16 ms of 2 s is a duty of 0.008.

    Weights: stem 8*3*4 + 32, depthwise 24 + 32, project 64 + 32, head 1440 + 720 = 2440 bytes;
    channels with a scale 8 + 8 + 8 = 24; arena 512 planned + 300 + 80 + 8*24 = 1084.
    MACs: 16*96 + 16*24 + 16*64 + 1440 = 4384.
    """
    card = score(small_graph(), BOARD, paper_engine())
    assert card.cycles == Estimate(16_000, 7_200, 28_800)
    assert card.latency_ms.value == pytest.approx(16.0)
    assert card.latency_ms.high == pytest.approx(28.8)
    assert (card.weight_bytes, card.macs) == (2440, 4384)
    assert card.flash_weights_bytes == 2440 + 7 + 8 * 100 + 4 * 3 + 24 * 10
    assert card.flash_code_bytes == 570  # each kernel once
    assert card.flash_bytes == Estimate(14_069, 13_949, 14_309)
    assert card.arena_bytes == 1084
    assert card.sram_bytes == Estimate(5084, 5084, 5596)
    assert card.peak_layer == "depthwise"
    assert card.energy_mj.value == pytest.approx(1.6)
    assert card.power_mw.value == pytest.approx(100 * 0.008 + 1 * 0.992)
    assert [layer.live_bytes for layer in card.layers] == [
        64 + 72, 72 + 128 + 48, 128 + 144, 128 + 144 + 128 + 48, 128 * 3, 128 * 3, 128 + 8 + 32,
        8 + 180,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("flash_bytes", "sram_bytes", "said"),
    [
        (14_069 * 6, 5084 * 3, "room left: flash 6x, SRAM 3x"),
        (
            14_069 // 50,
            5084 * 3,
            "does not fit: needs 50.07x the flash of stm32h743; external memory is not costed",
        ),
        (
            14_000,
            4000,
            "does not fit: needs 1.01x the flash and 1.28x the SRAM of stm32h743; external "
            "memory is not costed",
        ),
        (
            14_200,
            5084,
            "room left: flash 1.01x, SRAM 1x; "
            "at the high end it needs 1.01x the flash and 1.11x the SRAM",
        ),
    ],
)
def test_what_the_board_has_room_for(flash_bytes: int, sram_bytes: int, said: str) -> None:
    card = replace(
        score(small_graph(), load_board("stm32h743"), load_engine("tflm-cmsis-nn")),
        flash_bytes=Estimate(14_069, 13_949, 14_309),
        sram_bytes=Estimate(5084, 5084, 5596),
        board_flash_bytes=flash_bytes,
        board_sram_bytes=sram_bytes,
    )
    assert card.fit == said and card.caption.endswith(said)


@pytest.mark.parametrize("engine", ["ppgnas-c", "st-edge-ai"])
def test_a_network_that_computes_nothing_is_told_so(engine: str) -> None:
    graph = one_layer("reshape", (1, 4, 5, 2), (1, 40))
    said = "changes the view of its input and computes nothing"
    with pytest.raises(GraphError, match=said):
        score(graph, load_board("stm32h743"), load_engine(engine))
    with pytest.raises(GraphError, match=said):
        costing(load_board("stm32h743"), load_engine(engine))(graph)


def test_a_network_of_100_mb_does_not_fit() -> None:
    card = score(
        small_graph(channels=10_000), load_board("stm32h743"), load_engine("tflm-cmsis-nn")
    )
    fits, keeps_up = card.fit.split("; does not keep up: ")
    assert fits.startswith("does not fit: needs 4")
    assert fits.endswith("x the flash of stm32h743; external memory is not costed")
    assert re.fullmatch(r"needs \d\.\d+x the 2 s from one reading to the next", keeps_up)


@pytest.mark.parametrize(
    ("period_s", "said"),
    [
        (0.012, "does not keep up: needs 1.34x the 0.012 s from one reading to the next"),
        (0.025, "; at the high end it needs 1.16x the 0.025 s from one reading to the next"),
        (0.03, "SRAM 12.9x"),
        (2.0, "SRAM 12.9x"),
    ],
)
def test_a_network_that_takes_longer_than_from_one_reading_to_the_next(
    period_s: float, said: str
) -> None:
    """16 ms, 28.8 at the high end: see the case on paper."""
    card = score(small_graph(), BOARD, paper_engine(), period_s=period_s)
    assert card.fit.endswith(said)
    assert card.room["time"] == pytest.approx(period_s / 0.016)


def test_document_has_the_keys_that_scripts_read() -> None:
    card = score(small_graph(), load_board("stm32h743"), load_engine("tflm-cmsis-nn"))
    document = json.loads(json.dumps(card.to_json(), allow_nan=False))
    interval = {"value", "low", "high"}
    assert list(document) == [
        "board", "engine", "latency_ms", "cycles", "flash_bytes", "sram_bytes", "energy_mj",
        "sleep_mw", "power_mw", "in_calibrated_range", "layers",
    ]  # fmt: skip
    for key in ("latency_ms", "cycles", "energy_mj", "sleep_mw", "power_mw"):
        assert set(document[key]) == interval
    assert set(document["flash_bytes"]) == interval | {"weights", "code", "runtime"}
    assert set(document["sram_bytes"]) == interval | {"arena", "runtime", "peak_layer"}
    assert [set(row) for row in document["layers"]] == [
        {"name", "op", "macs", "cycles", "weight_bytes", "live_bytes"}
    ] * 8
    assert document["in_calibrated_range"] is True
    flash = document["flash_bytes"]
    assert flash["value"] == flash["weights"] + flash["code"] + flash["runtime"]
    assert document["cycles"]["value"] == pytest.approx(
        sum(row["cycles"] for row in document["layers"]), abs=8
    )


engines = st.sampled_from(["tflm-cmsis-nn", "st-edge-ai"])
widths = st.integers(1, 24).map(lambda n: 4 * n)


@given(name=engines, width=widths, time=st.integers(1, 120), board=st.sampled_from(
    ["stm32h743", "stm32u575", "stm32l4r5"]))  # fmt: skip
def test_fast_path_equals_the_full_one(name: str, width: int, time: int, board: str) -> None:
    graph, target, engine = (
        small_graph(channels=width, time=time),
        load_board(board),
        load_engine(name),
    )
    fast, full = costing(target, engine)(graph), score(graph, target, engine)
    assert fast.latency_ms == pytest.approx(full.latency_ms.value)
    assert fast.flash_bytes == pytest.approx(full.flash_bytes.value)
    assert fast.sram_bytes == pytest.approx(full.sram_bytes.value)
    assert fast.power_mw == pytest.approx(full.power_mw.value)
    assert fast.energy_mj == pytest.approx(full.energy_mj.value)
    assert (fast.weight_bytes, fast.macs) == (graph.total_weight_bytes, graph.total_macs)
    for estimate in (full.latency_ms, full.flash_bytes, full.sram_bytes, full.power_mw):
        assert estimate.low < estimate.value < estimate.high


@given(name=engines, width=widths, time=st.integers(1, 120))
def test_wider_never_costs_less(name: str, width: int, time: int) -> None:
    """In steps of 4 channels: latency, energy, power, flash and weights. SRAM is left out: a
    greedy plan may shrink when a buffer grows (it then comes earlier in the order)."""
    board, engine = load_board("stm32h743"), load_engine(name)
    before, after = (
        costing(board, engine)(small_graph(channels=c, time=time)) for c in (width, width + 4)
    )
    for key in ("latency_ms", "energy_mj", "power_mw", "flash_bytes", "weight_bytes", "macs"):
        assert getattr(before, key) < getattr(after, key), key


def test_remembered_layers_do_not_change_the_answer() -> None:
    """A layer's memory is keyed by all that decides its cost: fresh and warm engines agree."""
    board, warm = load_board("stm32h743"), load_engine("tflm-cmsis-nn")
    graphs = [
        one_layer("conv", (1, 1, 16, 8), (1, 1, 16, 8), kernel=(1, 1)),
        one_layer("conv", (1, 1, 16, 8), (1, 1, 16, 8), kernel=(1, 3), padding="same"),
        one_layer("conv", (1, 1, 16, 8), (1, 1, 8, 8), kernel=(1, 3), stride=(1, 2),
                  padding="same"),
        one_layer("depthwise_conv", (1, 1, 16, 8), (1, 1, 16, 8), kernel=(1, 3), padding="same"),
        one_layer("depthwise_conv", (1, 1, 16, 8), (1, 1, 16, 8), kernel=(1, 3), dilation=(1, 2),
                  padding="same"),
        one_layer("mean", (1, 1, 16, 8), (1, 1, 1, 8)),
        one_layer("max_pool", (1, 1, 16, 8), (1, 1, 8, 8), kernel=(1, 2), stride=(1, 2)),
        one_layer("softmax", (1, 1, 1, 180), (1, 1, 1, 180)),
    ]  # fmt: skip
    first = [costing(board, warm)(graph) for graph in graphs]
    assert [costing(board, warm)(graph) for graph in graphs] == first
    assert [costing(board, load_engine("tflm-cmsis-nn"))(graph) for graph in graphs] == first
    assert len({answer.latency_ms for answer in first}) == len(graphs)


def test_slower_core_and_clock_scale_latency() -> None:
    engine, graph = load_engine("tflm-cmsis-nn"), small_graph()
    board = load_board("stm32h743")
    base = costing(board, engine)(graph).latency_ms
    half = replace(board, clock_hz=board.clock_hz / 2, core_ratio=Estimate.exact(3.0))
    assert costing(half, engine)(graph).latency_ms == pytest.approx(6 * base)


def test_outside_the_counted_sizes_is_said() -> None:
    """A long input leaves the range; so does a network of copies, which no law covers."""
    board, engine = load_board("stm32h743"), load_engine("tflm-cmsis-nn")
    assert not score(small_graph(time=8192), board, engine).in_calibrated_range
    copies: Graph = one_layer("reshape", (1, 1, 64, 16), (1, 16, 4, 16))
    assert not score(copies, board, engine).in_calibrated_range


def test_engine_that_does_not_run_on_the_board() -> None:
    with pytest.raises(BoardError, match=r"engine 'st-edge-ai' does not run on nRF52840"):
        costing(load_board("nrf52840"), load_engine("st-edge-ai"))(small_graph())
    odd = replace(BOARD, core="RISC-V")
    with pytest.raises(BoardError) as caught:
        score(small_graph(), odd, paper_engine())
    assert str(caught.value) == (
        "engine 'paper-engine' has no figures for the core 'RISC-V' of board 'paper'; "
        "supported cores: Cortex-M7. For a rough cost write the nearest of these in a board file, "
        "and wide bounds of core_ratio"
    )


def test_duty_above_one_keeps_the_core_awake() -> None:
    slow = Estimate(5000.0, 4000.0, 6000.0)
    assert average_power_mw(BOARD, slow, period_s=2.0) == BOARD.active_mw
    with pytest.raises(ValueError, match=r"power: the period is 0 s; it must be above 0"):
        average_power_mw(BOARD, slow, period_s=0)


@pytest.mark.parametrize("name", ["tflm-cmsis-nn", "st-edge-ai", "tflm-cmsis-nn-99f736a"])
def test_a_batch_costs_what_its_networks_cost(name: str) -> None:
    board, engine = load_board("stm32l4r5"), load_engine(name)
    graphs = [small_graph(channels=4 * c, time=t) for c in (1, 3, 9) for t in (8, 33)]
    assert list(map(costing(board, engine), graphs)) == [costing(board, engine)(g) for g in graphs]


def test_a_small_layer_beyond_the_fit_does_not_put_a_network_out() -> None:
    """A max pool of 16 taps (counted: 2) beside a convolution that takes nearly all cycles."""
    graph = Graph(
        layers=(
            Layer("conv", "conv", ("x",), "c", kernel=(3, 1), padding="same"),
            Layer("pool", "max_pool", ("c",), "y", kernel=(16, 1), stride=(16, 1)),
        ),
        tensors=(
            Tensor("x", (1, 16, 8, 48)),
            Tensor("c", (1, 16, 8, 48)),
            Tensor("y", (1, 1, 8, 48)),
        ),
        input="x",
        output="y",
    )
    board, engine = load_board("stm32h743"), load_engine("tflm-cmsis-nn")
    card = score(graph, board, engine)
    assert not card.layers[1].in_calibrated_range
    assert card.layers[1].cycles.value < 0.1 * card.cycles.value
    assert card.in_calibrated_range
    alone = one_layer("max_pool", (1, 16, 8, 48), (1, 1, 8, 48), kernel=(16, 1), stride=(16, 1))
    assert not score(alone, board, engine).in_calibrated_range


def test_a_measured_network_lies_in_its_interval() -> None:
    """A single layer that was timed on an nRF52832: 765,519 cycles of the kernel."""
    graph = one_layer(
        "conv", (1, 16, 15, 32), (1, 16, 8, 24), kernel=(1, 2), stride=(1, 2), padding="same"
    )
    card = score(graph, load_board("nrf52832"), load_engine("tflm-cmsis-nn"))
    assert card.cycles.value == pytest.approx(765_519, rel=0.02)
    assert card.cycles.low < 765_519 < card.cycles.high
