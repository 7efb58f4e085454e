"""How much the order of finalists means.

Search people are drawn again: who comes first then? And what was foretold of the finalists stands
against what their retraining gave.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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


FEWEST = 3  # finalists below which their order says nothing
MOST_OUTSIDE = 0.25
"""Share of finalists outside of their 90 % interval from which the forecast is in doubt."""


@dataclass(frozen=True)
class Foretold:
    """How retrained finalists follow what was known before.

    Attributes:
        outside: numbers of those outside of their 90 % interval.
        tau: Kendall's tau-b of foretold errors to retrained ones, both on search people; None with
            fewer than `FEWEST` finalists, or where all are alike.
        inherited_tau: the same of errors with the weights of a supernet, where there was one.
    """

    finalists: int
    outside: tuple[int, ...]
    tau: float | None
    inherited_tau: float | None = None

    @property
    def sentence(self) -> str:
        """How far the forecast can be believed."""
        inside = self.finalists - len(self.outside)
        words = f"{inside} of {self.finalists} finalists lie within their foretold 90 % interval"
        if self.tau is None:
            return f"{words}."
        words += f"; Kendall's tau of the foretold order to the retrained one is {self.tau:.2f}"
        if self.inherited_tau is None:
            return f"{words}."
        return f"{words}, of the order by inherited weights {self.inherited_tau:.2f}."

    @property
    def cautions(self) -> list[str]:
        """Where the finalists contradict the forecast."""
        found = []
        if self.tau is not None and self.tau <= 0:
            found.append(
                "Retraining contradicts the order that was foretold of the finalists (Kendall's "
                f"tau {self.tau:.2f}): others of the candidates may be better than they."
            )
        if len(self.outside) > max(1, MOST_OUTSIDE * self.finalists):
            found.append(
                "Retraining gave errors outside of the 90 % interval that was foretold: finalists "
                f"{', '.join(map(str, self.outside))}. What is foretold of other candidates is as "
                "doubtful."
            )
        return found


def foretold_of(cards: Mapping[int, Card]) -> Foretold | None:
    """The finalists by number; None where a card foretells nothing, as in an older version."""
    errors = {number: card.search_mae_bpm for number, card in cards.items()}
    foretold = [each.foretold for each in errors.values()]
    outside = tuple(
        number
        for number, each in errors.items()
        if each.foretold_low is not None
        and each.foretold_high is not None
        and not each.foretold_low <= each.retrained_int8 <= each.foretold_high
    )
    if not errors or None in foretold:
        return None
    retrained = [each.retrained_int8 for each in errors.values()]
    inherited = [each.inherited for each in errors.values()]
    return Foretold(len(errors), outside, _tau(foretold, retrained), _tau(inherited, retrained))


def _tau(before: Sequence[float | None], after: Sequence[float]) -> float | None:
    from scipy.stats import kendalltau

    known = [each for each in before if each is not None]
    if len(known) < max(FEWEST, len(after)) or len(set(known)) == 1 or len(set(after)) == 1:
        return None
    return float(kendalltau(known, after).statistic)
