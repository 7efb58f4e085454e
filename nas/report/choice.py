"""Which finalist to recommend, and by what it is better and worse than others.

Errors on search people and costs choose; errors on report people are told, and choose nothing. The
rule is that of one standard error (Breiman et al., Classification and Regression Trees, 1984): a
finalist gives way to one that costs no more in anything and less in something, if the errors of
both cannot be told apart and lie near each other: few people can tell nothing apart. Everybody who
beats another costs less, so somebody stays unbeaten.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from nas.report.loading import Finalist, RunData
from nas.report.page import cost, fixed, sleep_words, word

COMPARED = ("flash_bytes", "sram_bytes", "latency_ms", "energy_mj", "power_mw")
"""Power beside energy: it has the sensors, which one that reads at a higher rate needs more of."""
CHEAPER = f"costs less and nowhere more ({', '.join(word(key) for key in COMPARED)})"
SEED_SHARE = 0.08
"""Another seed moves the difference of two errors by so much of them: 1.21 +- 0.07 BPM over five
seeds (results/reference/records.md), times the root of two."""
NEAR_SHARE = 0.25
"""An error larger by more than so much of the other is not given up for less cost, however few
people know of it."""


def search_mae_bpm(finalist: Finalist) -> float:
    """Raw MAE on search people, retrained, in int8."""
    return finalist.card.search_mae_bpm.retrained_int8


def uncertainty_bpm(one: Finalist, other: Finalist) -> float:
    """How far two errors on search people may lie apart and say nothing.

    The standard error of their mean difference, person by person, and at least what another seed
    does.
    """
    least = SEED_SHARE * min(search_mae_bpm(one), search_mae_bpm(other))
    first, second = (each.card.search_people_mae_bpm or {} for each in (one, other))
    both = sorted(set(first) & set(second))
    if len(both) < 2:
        return least
    apart = np.array([first[person] - second[person] for person in both])
    return max(least, float(apart.std(ddof=1)) / math.sqrt(len(both)))


def beats(one: Finalist, other: Finalist) -> bool:
    """Whether one costs less, nowhere more, and errs about as much, raw and smoothed.

    On search people.
    """
    near = all(mine <= (1 + NEAR_SHARE) * its for mine, its in _search_errors(one, other).values())
    return near and might_beat(one, other)


def _search_errors(one: Finalist, other: Finalist) -> dict[str, tuple[float, float]]:
    """Errors of both on search people by kind of reading, where both are known."""
    found = {"raw": (search_mae_bpm(one), search_mae_bpm(other))}
    mine, its = one.card.search_mae_bpm_smoothed, other.card.search_mae_bpm_smoothed
    if mine is not None and its is not None:
        found["smoothed"] = (mine, its)
    return found


def might_beat(one: Finalist, other: Finalist) -> bool:
    """Whether one costs less, nowhere more, and does not err clearly more on search people."""
    costs = [(one.cost(key), other.cost(key)) for key in COMPARED]
    return (
        all(mine <= its for mine, its in costs)
        and any(mine < its for mine, its in costs)
        and search_mae_bpm(one) - search_mae_bpm(other) <= uncertainty_bpm(one, other)
    )


@dataclass(frozen=True)
class Choice:
    """The recommended finalist beside others.

    Attributes:
        finalist: the lowest error on search people; where others beat it, the lowest of those, and
            where all of these are beaten in turn, the lowest of all whom nobody beats.
        beater: who beats the lowest error on search people, itself where it can; None for nobody.
        doubted_by: the lowest error of those that might beat the recommended one, were there more
            search people; None for nobody.
        others: what each is known for -> finalist, without the recommended one.
    """

    finalist: Finalist
    beater: Finalist | None
    doubted_by: Finalist | None
    others: dict[str, Finalist]

    @property
    def sentences(self) -> list[str]:
        """Why it is this one, and by what it is better and worse than the others."""
        return list(self._sentences())

    def _sentences(self) -> Iterator[str]:
        mine = self.finalist
        lowest, beater = self.others.get(LOWEST), self.beater
        if lowest is None or beater is None:
            yield f"Finalist {mine.number} has {LOWEST}, and no other costs less and errs as much."
        else:
            yield (
                f"Finalist {lowest.number} has {LOWEST}, {fixed(search_mae_bpm(lowest))} BPM, but "
                f"finalist {beater.number} {CHEAPER}, and errs as much: "
                f"{fixed(search_mae_bpm(beater))}, where other people or another seed move the "
                f"difference by {fixed(uncertainty_bpm(beater, lowest))}."
            )
            if beater is not mine:
                yield (
                    f"Of those that no other beats so, finalist {mine.number} errs least on "
                    f"search people: {fixed(search_mae_bpm(mine))} BPM."
                )
        if (cheaper := self.doubted_by) is not None:
            apart = search_mae_bpm(cheaper) - search_mae_bpm(mine)
            yield (
                f"Finalist {cheaper.number} {CHEAPER}: it errs by "
                f"{fixed(apart)} BPM more on these search people, where other people or another "
                f"seed move the difference by {fixed(uncertainty_bpm(cheaper, mine))}; more "
                "people would tell."
            )
        for number, other in {other.number: other for other in self.others.values()}.items():
            known_for = [what for what, one in self.others.items() if one is other]
            better, worse = differences(mine, other)
            yield (
                f"Against finalist {number} ({', '.join(known_for)}) it is better "
                f"{_by(better)}; it is worse {_by(worse)}."
            )


def _by(listed: list[str]) -> str:
    return f"by {', '.join(listed)}" if listed else "in nothing"


LOWEST = "the lowest error on search people"


def floor_words(run: RunData) -> str:
    """What the board takes between readings; empty for cards of an older version."""
    floor = run.sleep_mw
    if floor is None:
        return ""
    ends, period_s = (floor.value, floor.low, floor.high), run.document.config.period_s
    return sleep_words(run.board, *ends, period_s=period_s)


def choose(run: RunData) -> Choice | None:
    """The recommendation among the finalists that keep the budgets; None where there is none."""
    fitting = [finalist for finalist in run.finalists if not run.broken_budgets(finalist)]
    if not fitting:
        return None
    unbeaten = [one for one in fitting if not any(beats(other, one) for other in fitting)]
    lowest = min(fitting, key=search_mae_bpm)
    beaters = [one for one in fitting if beats(one, lowest)]
    # A beater costs less than the lowest error does, which another unbeaten one may not.
    chosen = min([one for one in unbeaten if one in beaters] or unbeaten, key=search_mae_bpm)
    beater = chosen if chosen in beaters else min(beaters, key=search_mae_bpm, default=None)
    doubting = [one for one in fitting if might_beat(one, chosen)]
    lowest_of: dict[str, Callable[[Finalist], float]] = {
        LOWEST: search_mae_bpm,
        "the smallest": lambda one: one.cost("flash_bytes"),
        "the fastest": lambda one: one.cost("latency_ms"),
        "the lowest error on report people": lambda one: one.card.report.mae_bpm,
    }
    others = {what: min(fitting, key=value) for what, value in lowest_of.items()}
    others = {what: one for what, one in others.items() if one is not chosen}
    return Choice(chosen, beater, min(doubting, key=search_mae_bpm, default=None), others)


def differences(one: Finalist, other: Finalist) -> tuple[list[str], list[str]]:
    """Every column of the table in which two finalists differ: where one is better, and worse."""
    better: list[str] = []
    worse: list[str] = []
    for words, values, shown in _columns(one, other):
        mine, its = values
        if shown(mine) != shown(its):
            (better if mine < its else worse).append(f"{shown(abs(mine - its))} {words}")
    return better, worse


_Column = tuple[str, tuple[float, float], Callable[[float], str]]


def _columns(one: Finalist, other: Finalist) -> Iterator[_Column]:
    """What a column is about, both values (lower is better), and how they are shown."""

    def bpm(value: float) -> str:
        return fixed(value, unit="BPM")

    mine, its = one.card.report, other.card.report
    for reading, errors in _search_errors(one, other).items():
        yield f"{reading} on search people", errors, bpm
    yield "raw on report people", (mine.mae_bpm, its.mae_bpm), bpm
    yield "smoothed on report people", (mine.mae_bpm_smoothed, its.mae_bpm_smoothed), bpm
    of_median = (mine.median_person_mae_bpm, its.median_person_mae_bpm)
    yield "of the median report person", of_median, bpm
    of_worst = (mine.worst_person_mae_bpm, its.worst_person_mae_bpm)
    yield "of the worst report person", of_worst, bpm
    shares = (-100 * mine.within_5_bpm, -100 * its.within_5_bpm)
    yield "of report readings within 5 BPM", shares, lambda value: fixed(value, 1, unit="%")
    for key in ("weight_bytes", *COMPARED):

        def shown(value: float, key: str = key) -> str:
            return cost(key, value)

        yield f"of {word(key)}", (one.cost(key), other.cost(key)), shown
