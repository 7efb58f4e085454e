"""What an export or a check is asked for and no network allows is wrong usage: exit code 2."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from deploy.c.naming import prefixed
from deploy.device.settings import slack_of_fifo
from deploy.emulation.toolchain import find_compiler
from deploy.fuzz.random_net import random_net
from deploy.personal.example import adapting_of
from nas.models.signal_chain import Sensors, reading_of
from ppgnas.errors import PpgnasError
from search_spaces.lower import lower
from search_spaces.space import SearchSpace


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda: prefixed({}, "9bad"), "`prefix` is '9bad'"),
        (lambda: slack_of_fifo(9), "`fifo_s` is 9"),
        (lambda: adapting_of("x", minutes=5), "`adapt` is 'x'"),
        (lambda: adapting_of("bias", minutes=0), "`adapt_minutes` is 0"),
        (lambda: find_compiler("clang"), "compiler 'clang' is unknown"),
    ],
)
def test_what_is_not_allowed_is_wrong_usage(ask: Callable[[], object], message: str) -> None:
    with pytest.raises(PpgnasError, match=message) as caught:
        ask()
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("sensors", "message"),
    [
        (Sensors(ppg_hz=0), "`ppg_hz` is 0"),
        (Sensors(acc_hz=0), "`acc_hz` is 0"),
        (Sensors(ppg_hz=float("inf")), "`ppg_hz` is inf"),
        (Sensors(ppg_channels=4), "`ppg_channels` is 4"),
        (Sensors(counts_per_g=0), "`counts_per_g` is 0"),
    ],
)
def test_a_rate_of_zero_is_not_the_networks_own(sensors: Sensors, message: str) -> None:
    drawn = random.Random(0)
    arch = SearchSpace.preset("default").sample(drawn)
    while not arch.acceleration:
        arch = SearchSpace.preset("default").sample(drawn)
    net = random_net(lower(arch), 0)
    with pytest.raises(PpgnasError, match=message) as caught:
        reading_of(net, None, sensors)
    assert caught.value.exit_code == 2
