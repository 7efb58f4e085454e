"""How much the order of finalists means: search people are drawn again, and who comes first."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from nas.run.card import Card

DRAWS = 4000
FEW_PEOPLE = 8
OFTEN = 0.2


@dataclass(frozen=True)
class Order:
    """What another draw of search people would change.

    Attributes:
        first: the finalist of the lowest mean error over them.
        another_first: share of the draws, as many people with replacement, in which another one
            has the lowest.
    """

    people: int
    first: int
    another_first: float

    @property
    def sentence(self) -> str:
        """The same for people."""
        if self.people == 1:
            return "One search person chose the order of the finalists: it says nothing of others."
        return (
            f"{self.people} search people chose the order of the finalists: with as many drawn "
            f"from them again, another one than finalist {self.first} comes first in "
            f"{100 * self.another_first:.0f} of 100 draws." + self._doubt
        )

    @property
    def _doubt(self) -> str:
        if self.another_first > OFTEN:
            return " The order says little."
        few = self.people < FEW_PEOPLE
        return f" Still, {self.people} people say little of others." if few else ""


def order_of(cards: Mapping[int, Card]) -> Order | None:
    """The order of finalists, by number; None for one alone and for cards of an older version."""
    rows = [card.search_people_mae_bpm or {} for card in cards.values()]
    people = sorted({person for row in rows for person in row})
    if len(rows) < 2 or not people or any(set(row) != set(people) for row in rows):
        return None
    errors = np.array([[row[person] for person in people] for row in rows])  # (finalists, people)
    drawn = np.random.default_rng(0).integers(len(people), size=(DRAWS, len(people)))
    first = int(errors.mean(axis=1).argmin())
    firsts = errors[:, drawn].mean(axis=2).argmin(axis=0)  # (draws,)
    return Order(len(people), list(cards)[first], float(np.mean(firsts != first)))
