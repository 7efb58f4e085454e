"""Generated C on cores without DSP."""

from __future__ import annotations

import pytest

from deploy.emulation.toolchain import Compiler
from deploy.fuzz.counting import emulated
from deploy.fuzz.matrix import for_core
from deploy.fuzz.random_net import random_net
from search_spaces.lower import lower
from search_spaces.published import published


def test_an_m3_takes_a_few_instructions_a_mac(arm: Compiler) -> None:
    """And its logits are the reference's; two of a MAC are its product and its loads."""
    pytest.importorskip("unicorn", reason="pip install -e .[emulate]")
    graph = lower(published("medium"))
    _, found = emulated(random_net(graph, 1), 1, for_core(arm, "M3"))
    assert 2 < found.instructions / graph.total_macs < 4
