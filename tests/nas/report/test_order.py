"""What another draw of search people would change."""

from __future__ import annotations

import pytest

from nas.report.order import Order, order_of
from tests.nas.run.made import made_card


def test_two_people_who_disagree_by_hand() -> None:
    """Finalist 4 wins with a and a, 7 with b and b; of a and b 4 has the lower mean."""
    first = made_card(search_people_mae_bpm={"a": 1.0, "b": 4.0})
    other = made_card(search_people_mae_bpm={"b": 3.0, "a": 3.0})
    order = order_of({4: first, 7: other})
    assert order is not None and (order.people, order.first) == (2, 4)
    assert order.another_first == pytest.approx(1 / 4, abs=0.03)
    assert order.sentence.startswith("2 search people chose the order of the finalists: with as ")
    assert "another one than finalist 4 comes first in 2" in order.sentence
    assert order.sentence.endswith("of 100 draws. The order says little.")


def test_a_finalist_that_is_better_on_everybody_always_wins() -> None:
    people = [f"p{n}" for n in range(9)]
    best, rest = (made_card(search_people_mae_bpm=dict.fromkeys(people, e)) for e in (1.0, 2.0))
    assert order_of({1: best, 2: rest}) == Order(9, 1, 0.0)
    assert Order(9, 1, 0.0).sentence.endswith("comes first in 0 of 100 draws.")
    few = Order(5, 1, 0.0).sentence
    assert few.endswith("in 0 of 100 draws. Still, 5 people say little of others.")


def test_one_person_alone() -> None:
    order = order_of({n: made_card(search_people_mae_bpm={"a": float(n)}) for n in (1, 2)})
    assert order is not None and order.sentence == (
        "One search person chose the order of the finalists: it says nothing of others."
    )


def test_nothing_is_claimed_where_nothing_is_known() -> None:
    known = made_card(search_people_mae_bpm={"a": 1.0})
    assert order_of({1: known}) is order_of({1: made_card(), 2: made_card()}) is None
    assert order_of({1: known, 2: made_card()}) is order_of({}) is None
