"""Memory by hand."""

from __future__ import annotations

import pytest

from deploy.personal.head import head_of
from deploy.personal.kinds import change_of
from deploy.personal.memory import check_memory, memory_of, windows_in
from ppgnas.errors import ExportError
from tests.deploy.personal.shared import DENSE, SPACED, random_net


def test_by_hand() -> None:
    head = head_of(random_net(SPACED))  # 20 features, 20 outputs
    memory = memory_of(head, change_of("scale-bias", head), windows=147)
    assert memory.windows == 147 * 20 + 296 + 4
    assert memory.parameters == 4 * 40
    assert memory.head == 400 + 80
    assert windows_in(5) == 147 and windows_in(0.1) == 0


def test_too_much_is_refused() -> None:
    head = head_of(random_net(DENSE))
    memory = memory_of(head, change_of("head", head), windows=1800)
    with pytest.raises(ExportError, match=r"kind head takes \d+ bytes .* the kind low-rank"):
        check_memory(memory, kind="head")
    check_memory(memory_of(head, change_of("low-rank", head), windows=147), kind="low-rank")
