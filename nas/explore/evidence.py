"""Evidence before order: networks are begun where that says most, and the forecast learns.

First those that are known already (published ones that the space names, or like them) and others
spread over the space, then in each round those whose training promises the largest gain in
hypervolume; at the end those that the finalists are chosen from. A network is begun by the first
rung of a training, and finalists go on from theirs.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import zip_longest
from typing import TYPE_CHECKING

import numpy as np

from nas.explore.forecast import Forecast, Forecaster
from nas.explore.problem import CostOf, Probe, Problem
from nas.explore.spread import evenly, spread
from nas.explore.study import StudySettings, representatives, run_study
from nas.explore.study_file import StudyFile
from nas.pareto import gain, nondominated
from nas.run.candidates import Candidate
from nas.run.job.progress import Progress
from search_spaces.arch import Arch
from search_spaces.nearest import holds, nearest, neighbours
from search_spaces.published import PUBLISHED, published
from search_spaces.space import SearchSpace
from search_spaces.stages import at_task

if TYPE_CHECKING:
    from distill.trainer import Trainer


DRAWN, TRIES = 400, 8000
KNOWN_SHARE = 0.6  # of the networks that are begun first, at most
LONG_S = 600.0
PROPOSALS_SHARE = 0.3  # of the trials, before a round
NEIGHBOURS_SHARE = 0.25  # of those, one choice away from networks that were begun
HOPEFUL, SHORTLIST = 150, 15
SHOWN = 4  # of the front, between two rounds
HALF_WAY_SD = 0.08
"""Of the logarithm of what weights say after half of a training, around that of the whole."""
INTERVAL_SDS = 1.645  # 5 % on each side
OPTIMISM_SDS = -1.0
# Nodes of the forecast's distribution, in deviations, of equal weight.
_NODES = (-1.28, -0.52, 0.0, 0.52, 1.28)


@dataclass(frozen=True)
class Amount:
    """How many networks are begun.

    Attributes:
        spread: over the space, first; known networks are `KNOWN_SHARE` of them at most.
        rounds, each: rounds of the largest gain, and networks in each.
        last: of the front, from which the finalists are chosen; those begun before cost nothing.
    """

    spread: int
    rounds: int
    each: int
    last: int

    @property
    def most(self) -> int:
        """That can be begun in all."""
        return self.spread + self.rounds * self.each + self.last


AMOUNTS = {
    "smoke": Amount(6, 1, 2, 4),
    "quick": Amount(10, 1, 4, 10),
    "standard": Amount(14, 2, 4, 12),
    "thorough": Amount(40, 4, 10, 24),
}


def amount_for(effort: str, time_s: float | None) -> Amount:
    """Of a search with this effort; of one with a time instead, by whether that is long."""
    if time_s is None:
        return AMOUNTS[effort]
    return AMOUNTS["quick" if time_s < LONG_S else "standard"]


@dataclass(frozen=True)
class Explorer:
    """The search of one run.

    Attributes:
        begun: `Begun.first_score_bpm` of networks; grows as they are begun.
    """

    space: SearchSpace
    probed: Probe
    settings: StudySettings
    cost_of: CostOf
    trainer: Trainer
    progress: Progress
    file: StudyFile
    begun: dict[Arch, float] = field(default_factory=dict)

    @cached_property
    def drawn(self) -> list[Arch]:
        """Different random networks that fit, the one that surely does first."""
        rng = random.Random(f"{self.settings.seed} drawn")
        drawn = {self.probed.start: None}
        for _ in range(TRIES):
            arch = self.space.sample(rng)
            if self._fits(arch):
                drawn[arch] = None
            if len(drawn) == DRAWN:
                break
        return list(drawn)

    @cached_property
    def known(self) -> list[Arch]:
        """See `known_networks`; a supernet has weights for networks of the space alone."""
        space = replace(self.space, published=()) if self.trainer.inherit else self.space
        return known_networks(space, self._fits)

    def _fits(self, arch: Arch) -> bool:
        return self.probed.problem.fits(arch, self.cost_of(arch))

    def explore(self, amount: Amount) -> list[Candidate]:
        """All candidates, judged by everything that was begun."""
        problem = self.probed.problem
        most = round(KNOWN_SHARE * amount.spread)
        known = [self.known[place] for place in evenly(len(self.known), most)]
        others = spread(self.drawn, amount.spread - len(known), beside=known)
        self._begin([*known, *others], "networks known and spread over the space")
        for number in range(amount.rounds):
            label = f"proposals, round {number + 1} of {amount.rounds}"
            candidates = self._study(label, PROPOSALS_SHARE, f"round {number + 1}")
            picked = most_gain(candidates, self._forecaster({}), problem, amount.each)
            self._begin(picked, f"networks of round {number + 1}")
        candidates = self._study("search", 1.0, "search")
        last = representatives(candidates, problem, amount.last)
        self._begin([candidate.arch for candidate in last], "networks for the last choice")
        return self.judged(candidates, {})

    def half_way(self, candidates: Sequence[Candidate]) -> list[Candidate]:
        """Some that were begun, judged by what their weights say after half of their training.

        That is drawn to what was foretold, as far as the deviations of both say.
        """
        archs = [candidate.arch for candidate in candidates]
        with self.progress.phase("networks half way") as tick:
            said = self.trainer.begin_many(archs, tick, "second rungs")
        found = self._forecaster({}).forecast(archs)
        surprise = np.log([each.score_bpm for each in said]) - found.mean
        weight = found.own_sd**2 / (found.own_sd**2 + HALF_WAY_SD**2)
        bpm = np.exp(found.mean + surprise.mean() + weight * (surprise - surprise.mean()))
        return [replace(c, mae_bpm=float(b)) for c, b in zip(candidates, bpm, strict=True)]

    def judged(
        self, candidates: Sequence[Candidate], whole: Mapping[Arch, float]
    ) -> list[Candidate]:
        """The candidates as the forecast sees them.

        Args:
            whole: int8 errors in BPM after whole trainings.
        """
        places = [place for place, candidate in enumerate(candidates) if candidate.feasible]
        found = self._forecaster(whole).forecast([candidates[place].arch for place in places])
        low, high = found.quantile(-INTERVAL_SDS), found.quantile(INTERVAL_SDS)
        out = list(candidates)
        for row, place in enumerate(places):
            out[place] = replace(
                candidates[place],
                mae_bpm=float(found.bpm[row]),
                mae_low_bpm=float(low[row]),
                mae_high_bpm=float(high[row]),
                first_bpm=self.begun.get(candidates[place].arch),
            )
        return out

    def _forecaster(self, whole: Mapping[Arch, float]) -> Forecaster:
        return Forecaster(self.begun, whole, self.drawn)

    def _begin(self, archs: Sequence[Arch], label: str) -> None:
        new = [arch for arch in dict.fromkeys(archs) if arch not in self.begun]
        if new:
            with self.progress.phase(label) as tick:
                said = self.trainer.begin_many(new, tick)
            self.begun.update((a, s.first_score_bpm) for a, s in zip(new, said, strict=True))

    def _study(self, label: str, share: float, name: str) -> list[Candidate]:
        forecaster = self._forecaster({})
        trials = max(len(self.begun) + 1, round(share * self.settings.trials))
        with self.progress.phase(label) as tick:
            found = run_study(
                self.space,
                self.probed,
                settings=replace(self.settings, trials=trials),
                cost_of=self.cost_of,
                mae_of=lambda arch: float(forecaster.forecast([arch]).bpm[0]),
                first=[*self._held(self.begun), *self._beside(round(NEIGHBOURS_SHARE * trials))],
                progress=tick,
                stored=self.file.trials(name),
                on_trial=lambda trial: self.file.add(name, trial),
            )
        outside = [arch for arch in self.begun if not holds(self.space, arch)]
        found += [
            Candidate(number, arch, self.cost_of(arch), True, None, 0.0)
            for number, arch in enumerate(outside, start=len(found))
        ]
        candidates = self.judged(found, {})
        shown = representatives(candidates, self.probed.problem, SHOWN)
        problem = self.probed.problem
        words = (problem.in_words(c.mae_bpm, c.costs) for c in shown if c.mae_bpm is not None)
        self.progress.say(f"Front so far, foretold: {', '.join(words)}")
        return candidates

    def _held(self, archs: Iterable[Arch]) -> list[Arch]:
        """They, and for those that the space names alone the nearest of its choices."""
        space = self.space
        near = [(a, 0) if holds(space, a) else nearest(space, a) for a in archs]
        return [each[0] for each in near if each is not None]

    def _beside(self, most: int) -> list[Arch]:
        """Neighbours of networks that no other one begun beats, each of them in turn."""
        problem, begun = self.probed.problem, list(self.begun)
        values = [problem.objective_values(self.begun[a], self.cost_of(a)) for a in begun]
        best = [arch for arch, kept in zip(begun, nondominated(values), strict=True) if kept]
        order = [
            sorted(set(neighbours(self.space, arch)) - set(begun)) for arch in self._held(best)
        ]
        rng = random.Random(f"{self.settings.seed} beside {len(begun)}")
        for each in order:
            rng.shuffle(each)
        found = dict.fromkeys(a for turn in zip_longest(*order) for a in turn if a is not None)
        return [*found][:most]


def most_gain(
    candidates: Sequence[Candidate], forecaster: Forecaster, problem: Problem, count: int
) -> list[Arch]:
    """Networks whose training promises the largest gain in hypervolume, one after the other.

    The gain is expected over the forecast's distribution, against the front of the foretold
    errors, and of logarithms, so that the small ones are as far apart as the large. What is picked
    counts as begun, so that its neighbours promise less.

    Returns:
        Up to `count` that were not begun.
    """
    fitting = [candidate for candidate in candidates if candidate.feasible]
    picked: list[Arch] = []
    for _ in range(count):
        new = [row for row, c in enumerate(fitting) if c.first_bpm is None]
        new = [row for row in new if fitting[row].arch not in picked]
        if not new:
            break
        found = forecaster.forecast([candidate.arch for candidate in fitting])
        best = fitting[_most_promising(fitting, found, new, problem)].arch
        picked.append(best)
        forecaster = forecaster.believing(best)
    return picked


def _most_promising(
    fitting: Sequence[Candidate], found: Forecast, new: Sequence[int], problem: Problem
) -> int:
    """The row of `new` of the largest expected gain."""

    least_bpm = float(found.bpm.min())

    def values(row: int, sds: float) -> tuple[float, ...]:
        bpm = float(np.exp(found.mean[row] + sds * found.own_sd[row]))
        ratios = problem.by_ratio(bpm, fitting[row].costs, least_bpm=least_bpm)
        return tuple(1.0 + value for value in ratios)

    middle = np.array([values(row, 0.0) for row in range(len(fitting))])
    front = middle[nondominated(middle)]
    # what the front dominates even with luck gains nothing
    lucky = {row: values(row, OPTIMISM_SDS) for row in new}
    hopeful = [row for row in new if not (front <= np.array(lucky[row])).all(axis=1).any()]
    some = hopeful or list(new)
    some = [some[place] for place in evenly(len(some), HOPEFUL)]
    corner = [1.0] * len(problem.objectives)
    hopes = {row: gain(lucky[row], front, corner) for row in some}
    short = sorted(hopes, key=lambda row: -hopes[row])[:SHORTLIST]
    return max(
        short, key=lambda row: np.mean([gain(values(row, sds), front, corner) for sds in _NODES])
    )


MOST_CHANGED = 3
"""Choices of a published network that the space may not have; the nearest stand for them."""


def known_networks(space: SearchSpace, fits: Callable[[Arch], bool]) -> list[Arch]:
    """The published networks that the space names, as they are; where it names none, all that are
    or resemble one of its own.

    All fit the budgets. They read acceleration where the space has networks that do.
    """
    asked = map(published, space.published) if space.published else PUBLISHED.values()
    most = 0 if space.published else MOST_CHANGED
    found: dict[Arch, None] = {}
    for arch in asked:
        arch = replace(arch, acceleration=True in space.acceleration)
        near = nearest(space, arch)
        if near is not None and near[1] <= most:
            found[near[0]] = None
        elif space.published:
            found[at_task(arch, space.task)] = None
    return [arch for arch in found if fits(arch)]
