"""Budgets that never acted are said."""

from __future__ import annotations

from dataclasses import replace

import pytest

from nas.explore.problem import room_left, room_words
from nas.run.config import Budgets
from tests.nas.run.made import made_candidates

MADE = made_candidates()  # of 41,000 and 91,000 B of flash, 3,000 and 30,000 of weights


@pytest.mark.parametrize(
    ("budgets", "room"),
    [
        (Budgets(flash_bytes=81920), {}),
        (Budgets(flash_bytes=182000), {"flash": 2.0}),
        (Budgets(flash_bytes=90000, scope="model"), {"flash": 3.0}),
        (Budgets(flash_bytes=81920, latency_ms=45.0), {"latency": 6.0}),
    ],
)
def test_room_beside_the_largest_network(budgets: Budgets, room: dict[str, float]) -> None:
    assert room_left(replace(MADE, budgets=budgets)) == pytest.approx(room)


def test_what_is_said() -> None:
    assert room_words(MADE) == room_words(replace(MADE, candidates=())) == ""
    one = replace(MADE, budgets=Budgets(flash_bytes=81920, latency_ms=45.0))
    assert room_words(one) == (
        "The budget of latency never acted: the largest of 2 networks keeps it (room left: "
        "latency 6x). A tighter one, or a search space of larger networks, would use it."
    )
    both = replace(MADE, budgets=Budgets(flash_bytes=182000, latency_ms=45.0))
    assert "The budgets of flash and latency never acted" in room_words(both)
    assert "keeps them (room left: flash 2x, latency 6x)" in room_words(both)
