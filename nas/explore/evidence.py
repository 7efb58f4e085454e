"""Evidence before order: networks are begun where that says most, and the forecast learns.

First networks spread over the space, then in each round those whose training promises the largest
gain in hypervolume; at the end those that the finalists are chosen from. All of it is the first
rung of the finalists' training, so none is paid for twice.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from nas.explore.forecast import Forecaster
from nas.explore.problem import CostOf, Probe, Problem
from nas.explore.spread import spread
from nas.explore.study import StudySettings, front_of, recounted, representatives, run_study
from nas.models.backend import Trainer
from nas.pareto import gain
from nas.run.candidates import Candidate
from nas.run.progress import Progress
from search_spaces.arch import Arch
from search_spaces.space import SearchSpace

DRAWN, TRIES = 400, 8000
SHORTLIST = 60
SHOWN = 4  # of the front, between two rounds
INTERVAL_SDS = 1.645  # 5 % on each side
OPTIMISM_SDS = -1.0
# Nodes of the forecast's distribution, in deviations, of equal weight.
_NODES = (-1.28, -0.52, 0.0, 0.52, 1.28)


@dataclass(frozen=True)
class Amount:
    """How many networks are begun.

    Attributes:
        spread: over the space, first.
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
    "quick": Amount(12, 1, 6, 12),
    "standard": Amount(24, 2, 8, 16),
    "thorough": Amount(48, 4, 12, 24),
}


@dataclass(frozen=True)
class Explorer:
    """The search of one run.

    Attributes:
        begun: expected error after the first rung in BPM; grows as networks are begun.
    """

    space: SearchSpace
    probed: Probe
    settings: StudySettings
    cost_of: CostOf
    trainer: Trainer
    progress: Progress
    begun: dict[Arch, float] = field(default_factory=dict)

    @cached_property
    def drawn(self) -> list[Arch]:
        """Different random networks that fit, the one that surely does first."""
        rng = random.Random(f"{self.settings.seed} drawn")
        drawn = {self.probed.start: None}
        for _ in range(TRIES):
            arch = self.space.sample(rng)
            if max(self.probed.problem.constraints(self.cost_of(arch)).values()) <= 0:
                drawn[arch] = None
            if len(drawn) == DRAWN:
                break
        return list(drawn)

    def explore(self, amount: Amount) -> list[Candidate]:
        """All candidates, judged by everything that was begun."""
        problem = self.probed.problem
        self._begin(spread(self.drawn, amount.spread), "networks spread over the space")
        for number in range(amount.rounds):
            candidates = self._study(f"proposals, round {number + 1} of {amount.rounds}")
            picked = most_gain(candidates, self._forecaster({}), problem, amount.each)
            self._begin(picked, f"networks of round {number + 1}")
        candidates = self._study("search")
        last = representatives(candidates, problem, amount.last)
        self._begin([candidate.arch for candidate in last], "networks for the last choice")
        return self.judged(candidates, {})

    def judged(
        self, candidates: Sequence[Candidate], whole: Mapping[Arch, float]
    ) -> list[Candidate]:
        """The candidates as the forecast sees them.

        Args:
            candidates: of `explore`.
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
        return recounted(out, self.probed.problem)

    def _forecaster(self, whole: Mapping[Arch, float]) -> Forecaster:
        return Forecaster(self.begun, whole, self.drawn)

    def _begin(self, archs: Sequence[Arch], label: str) -> None:
        new = [arch for arch in archs if arch not in self.begun]
        if new:
            with self.progress.phase(label) as tick:
                said = self.trainer.begin_many(new, tick)
            self.begun.update((a, s.expected_bpm) for a, s in zip(new, said, strict=True))

    def _study(self, label: str) -> list[Candidate]:
        forecaster = self._forecaster({})
        with self.progress.phase(label) as tick:
            found = run_study(
                self.space,
                self.probed,
                settings=self.settings,
                cost_of=self.cost_of,
                mae_of=lambda arch: float(forecaster.forecast([arch]).bpm[0]),
                first=list(self.begun),
                progress=tick,
            )
        candidates = self.judged(found, {})
        shown = representatives(candidates, self.probed.problem, SHOWN)
        words = (f"{c.mae_bpm:.2f} BPM at {c.costs.latency_ms:.2f} ms" for c in shown)
        self.progress.say(f"Front so far, foretold: {', '.join(words)}")
        return candidates


def most_gain(
    candidates: Sequence[Candidate], forecaster: Forecaster, problem: Problem, count: int
) -> list[Arch]:
    """Networks whose training promises the largest gain in hypervolume, one after the other.

    The gain is expected over the forecast's distribution, against the front of the foretold
    errors; what is picked counts as trained, with the error foretold (kriging believer).

    Returns:
        Up to `count` that were not begun.
    """
    fitting = [c for c in candidates if c.feasible]
    found = forecaster.forecast([c.arch for c in fitting])
    middle, corner = found.bpm, problem.reference_values
    numbers = {candidate.number: row for row, candidate in enumerate(fitting)}

    def values(row: int, sds: float) -> tuple[float, ...]:
        bpm = float(middle[row] * np.exp(sds * found.sd[row]))
        return problem.objective_values(bpm, fitting[row].costs)

    front = [values(numbers[c.number], 0.0) for c in front_of(fitting, problem)]

    def expected(row: int) -> float:
        return float(np.mean([gain(values(row, sds), front, corner) for sds in _NODES]))

    new = [row for row, candidate in enumerate(fitting) if candidate.first_bpm is None]
    hopes = {row: gain(values(row, OPTIMISM_SDS), front, corner) for row in new}
    short = sorted(new, key=lambda row: -hopes[row])[:SHORTLIST]
    picked: list[int] = []
    while short and len(picked) < count:
        best = max(short, key=expected)
        short.remove(best)
        picked.append(best)
        front.append(values(best, 0.0))
    return [fitting[row].arch for row in picked]
