"""What stands around a network: the law against its counts, sums by hand, what is refused."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hwmodels import path as law_module
from hwmodels.boards import load_board
from hwmodels.costs import costing
from hwmodels.engines.load import load_engine
from hwmodels.fit import path as fit
from hwmodels.path import (
    STREAM_HZ,
    USUAL,
    PathShape,
    Surroundings,
    path_cost,
    path_law,
    shape_of,
)
from hwmodels.scorecard import score
from hwmodels.sensors import usual_sensors
from ppg.readout.smoothing import SMOOTHINGS
from ppg.windows import STREAM_HZ as TRAINING_HZ
from ppgnas.errors import BudgetError
from ppgnas.task import CLASSES
from search_spaces.lower import lower
from search_spaces.published import published
from search_spaces.space import SearchSpace
from tests.hwmodels.small import small_graph

TINY = SearchSpace.preset("tiny").smallest()
SHAPE = PathShape(32, 32, 1, 32, "hmm")
BOARD = load_board("stm32h743")


def test_the_law_is_that_of_the_counts_and_settings_left_out_follow_it() -> None:
    assert fit.document(fit.read_rows()) == path_law().file
    errors = path_law().file.errors
    assert errors.settings >= 40
    assert errors.mean_error < 0.02 and errors.worst_error < 0.1


def test_memory_is_that_of_the_counts_to_the_byte() -> None:
    for row in fit.read_rows():
        assert round(path_law().state_bytes(row.shape)) == row.bytes["state"], row.shape


def test_a_block_is_filtered_as_a_window_is_and_normalised_for_less() -> None:
    law = path_law()
    rows = [row for row in fit.read_rows() if row.core == fit.REFERENCE]
    blocks = [row for row in rows if row.shape.mode == "streaming"]
    assert len(blocks) >= 12
    windows = {row.shape: row for row in rows}
    for row in blocks:
        whole = row.shape._replace(mode="window")
        known, counted = windows[whole], sum(row.cycles.values())
        assert counted == pytest.approx(sum(law.cycles(row.shape).values()), rel=0.06)
        assert counted < sum(known.cycles.values())
        assert row.bytes["state"] < known.bytes["state"]
        assert row.cycles["quantise"] < known.cycles["quantise"]


@pytest.mark.parametrize("name", ["tiny", "tiny-ppg"])
def test_a_stream_has_less_of_a_path(name: str) -> None:
    graph, engine = lower(published(name)), load_engine("ppgnas-c")
    window = score(graph, BOARD, engine, around=USUAL)
    card = score(graph, BOARD, engine, mode="streaming", around=USUAL)
    assert window.path is not None and card.path is not None
    assert card.path.shape == window.path.shape._replace(mode="streaming")
    for part in ("front end", "normalisation"):
        assert card.path.parts[part] < window.path.parts[part]
    assert card.path.parts["decoder"] == window.path.parts["decoder"]
    assert card.path.latency_ms.value < window.path.latency_ms.value
    assert card.path.state_bytes < window.path.state_bytes
    assert card.path_sram_bytes < window.path_sram_bytes
    fast = costing(BOARD, engine, mode="streaming", around=USUAL)(graph)
    for key in ("latency_ms", "flash_bytes", "sram_bytes", "energy_mj", "power_mw"):
        assert getattr(fast, key) == pytest.approx(getattr(card, key).value)
    assert card.to_json()["path"]["mode"] == "streaming"


def test_words_and_rates_are_those_of_the_readout_and_of_training() -> None:
    assert law_module.SMOOTHINGS == SMOOTHINGS
    assert STREAM_HZ == TRAINING_HZ


def test_what_costs_more() -> None:
    law = path_law()
    cycles = {shape: sum(law.cycles(shape).values()) for shape in (
        SHAPE,
        SHAPE._replace(acc_hz=0),
        SHAPE._replace(ppg_channels=2),
        SHAPE._replace(ppg_hz=64),
        SHAPE._replace(rate_hz=16),
        SHAPE._replace(smoothing="none"),
    )}  # fmt: skip
    most = cycles.pop(SHAPE._replace(ppg_hz=64))
    assert most > cycles[SHAPE] > cycles[SHAPE._replace(rate_hz=16)]
    assert cycles[SHAPE._replace(ppg_channels=2)] > cycles[SHAPE]
    assert min(cycles[SHAPE._replace(acc_hz=0)], cycles[SHAPE._replace(smoothing="none")]) < (
        0.8 * cycles[SHAPE]
    )
    assert law.instructions(SHAPE) > cycles[SHAPE]  # the M7 has two pipes
    for size in (law.flash_bytes, law.state_bytes):
        assert size(SHAPE) > size(SHAPE._replace(acc_hz=0)) > 0
        assert size(SHAPE) > size(SHAPE._replace(smoothing="clip"))


@pytest.mark.parametrize("engine", ["ppgnas-c", "tflm-cmsis-nn"])
def test_sums_of_card_and_fast_path(engine: str) -> None:
    graph, runtime = lower(TINY), load_engine(engine)
    alone = score(graph, BOARD, runtime)
    card = score(graph, BOARD, runtime, around=USUAL)
    beside = score(graph, BOARD, runtime, around=USUAL, path_counts=False)
    path = card.path
    assert path is not None and beside.path == path
    assert replace(beside, path=None, path_sram_bytes=0.0, path_counts=True) == alone
    assert card.cycles == alone.cycles and card.all_cycles == alone.cycles + path.cycles
    assert card.latency_ms == alone.latency_ms + path.latency_ms
    assert card.energy_mj == alone.energy_mj + path.energy_mj
    assert card.flash_bytes == alone.flash_bytes + path.flash_bytes
    own = path.state_bytes
    own += 4 * CLASSES if engine != "ppgnas-c" else 184  # its scratch is long enough
    assert card.sram_bytes.value == alone.sram_bytes.value + own
    share = path.latency_ms.value / 2000
    assert card.power_mw.value == pytest.approx(
        alone.power_mw.value
        + share * (BOARD.active_mw.value - BOARD.sleep_mw.value)
        + path.sensors_mw.value
    )
    fast = costing(BOARD, runtime, around=USUAL)(graph)
    for key in ("latency_ms", "flash_bytes", "sram_bytes", "energy_mj", "power_mw"):
        assert getattr(fast, key) == pytest.approx(getattr(card, key).value)
    assert fast.path_ms == pytest.approx(path.latency_ms.value)
    assert fast.path_sram_bytes == card.path_sram_bytes == own
    assert card.to_json()["path"]["sram_bytes"] == round(own)
    assert "path" not in alone.to_json()


def test_scratch_that_is_too_short_for_the_decoder_grows() -> None:
    path = path_cost(SHAPE, BOARD, USUAL)
    grown = path.sram_bytes(4 * CLASSES - 100) - path.sram_bytes(4 * CLASSES)
    assert grown == 100


def test_a_model_that_reads_no_such_window_has_none() -> None:
    assert shape_of(small_graph(), USUAL) == PathShape(2, 2, 1, 2, "hmm")  # 16 steps of 8 s
    assert shape_of(small_graph(classes=10), USUAL) is None
    assert shape_of(small_graph(time=17), USUAL) is None
    other = score(small_graph(classes=10), BOARD, load_engine("ppgnas-c"), around=USUAL)
    assert other.path is None


def test_cores_without_a_second_pipe_and_cores_that_no_emulation_ran() -> None:
    law = path_law()
    ratio = law.file.core_instructions["Cortex-M0+"] / law.file.cycles_per_instruction
    assert law.factor(load_board("stm32g0b1")).value == pytest.approx(1.25 * ratio)
    assert law.factor(load_board("esp32-s3")).value == load_board("esp32-s3").core_ratio.value
    assert law.factor(BOARD).value == 1.0


def test_sensors_by_rate_and_by_hand() -> None:
    sensors = usual_sensors()
    found = path_cost(SHAPE._replace(ppg_channels=2, ppg_hz=50), BOARD, USUAL)
    assert found.ppg_mw.value == pytest.approx(0.020 + 2 * 50 * 0.006)
    assert found.accelerometer_mw == sensors.accelerometer_mw(32)
    told = path_cost(SHAPE, BOARD, Surroundings(ppg_sensor_mw=0.15, accelerometer_mw=0.012))
    assert told.sensors_mw.value == pytest.approx(0.162)
    alone = path_cost(SHAPE._replace(acc_hz=0), BOARD, Surroundings(accelerometer_mw=0.012))
    assert alone.accelerometer_mw.value == 0


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"ppg_hz": 8.0}, "`ppg_hz` is 8 Hz; allowed: more than 10 and up to 2000 Hz"),
        ({"acc_hz": 2001.0}, "`acc_hz` is 2001 Hz; allowed: more than 10"),
        ({"ppg_channels": 4}, "`ppg_channels` is 4; allowed: 1 to 3"),
        ({"smoothing": "kalman"}, "`smoothing` is 'kalman'; allowed: none, clip, hmm"),
    ],
)
def test_refused(given: dict[str, float | int | str], message: str) -> None:
    with pytest.raises(BudgetError) as caught:
        Surroundings(**given)  # type: ignore[arg-type]
    assert message in str(caught.value)
