"""What was foretold of the finalists against what their retraining gave."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from nas.run.card import Card

FEWEST = 3
"""Finalists below which their order says nothing."""
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
