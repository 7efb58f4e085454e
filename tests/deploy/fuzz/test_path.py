"""What `hwmodels` says of the memory of a reading is what the C around a network declares."""

from __future__ import annotations

from dataclasses import replace

import pytest

from deploy.c.reading import reading_texts
from deploy.c.source import generate, header
from deploy.fuzz.path import chain, draw
from deploy.fuzz.random_net import random_net
from hwmodels.boards import load_board
from hwmodels.costs import costing
from hwmodels.engines.load import load_engine
from hwmodels.path import Surroundings
from ppgnas.task import MODES, Mode
from search_spaces.lower import lower
from search_spaces.published import published


@pytest.mark.parametrize("mode", MODES)
def test_memory_of_a_reading_is_that_of_the_c(mode: Mode) -> None:
    board, engine = load_board("stm32h743"), load_engine("ppgnas-c")
    nets = {
        acceleration: random_net(lower(replace(published("tiny"), acceleration=acceleration)), 0)
        for acceleration in (False, True)
    }
    for drawn in draw(12, 3, mode):
        shape = drawn._replace(rate_hz=16)
        net = nets[shape.acc_hz > 0]
        made, around = generate(net, mode=mode), chain(shape)
        text = reading_texts(net, made, header(net, made), around)
        declared = sum(text.state_bytes) + text.stream_bytes + text.memory_bytes
        declared += 2 * around.front_end.window_words
        surroundings = Surroundings(
            shape.ppg_hz, shape.acc_hz or None, shape.ppg_channels, shape.smoothing
        )
        found = costing(board, engine, mode=mode, around=surroundings)(net.graph).sram_bytes
        # A stream's sums and past are one structure, aligned to 8.
        assert 0 <= declared - round(found) < (8 if mode == "streaming" else 1), shape
