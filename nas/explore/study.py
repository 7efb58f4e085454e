"""The search itself: Optuna proposes, the cost model refuses, the forecast judges.

Rules
-----
* Costs come first. An architecture that exceeds a limit gets its constraints and a penalty; its
  accuracy is never computed.
* No architecture is judged twice. A repeated proposal is answered from memory and does not
  count as considered. A space with no more networks than trials is gone through in order.
* A study takes seconds, as nothing is trained in it: one that was killed is made again, to the
  same candidates.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from nas.explore.problem import CostOf, Probe, Problem
from nas.pareto import hypervolume_share, nondominated, pick_spread
from nas.run.candidates import Candidate
from nas.run.config import SAMPLERS, Sampler
from nas.run.progress import Tick
from search_spaces.arch import Arch
from search_spaces.space import SearchSpace

if TYPE_CHECKING:
    import optuna

# Told to the sampler for what does not fit: worse than any network.
_PENALTY_MAE_BPM = 100.0
_POPULATION = 50
# After so many repeats in a row proposals are drawn at random until one is new, and after so many
# the search ends: hardly anything new is left.
_REPEATS_BEFORE_RANDOM = 10
_REPEATS_BEFORE_END = 2000


@dataclass(frozen=True)
class StudySettings:
    """How to search: `sampler` by name, `trials` architectures to consider, `seed`."""

    sampler: Sampler
    trials: int
    seed: int


def run_study(
    space: SearchSpace,
    probed: Probe,
    *,
    settings: StudySettings,
    cost_of: CostOf,
    mae_of: Callable[[Arch], float],
    first: Sequence[Arch],
    progress: Tick,
) -> list[Candidate]:
    """Consider `settings.trials` architectures.

    Args:
        space: where to search.
        probed: the problem, and one architecture that fits; it is proposed first.
        settings: sampler, trials, seed.
        cost_of: costs of an architecture on the target.
        mae_of: its MAE on search people in BPM; called once for each that fits.
        first: what to consider next, before the sampler proposes anything.
        progress: called after each new candidate.

    Returns:
        All candidates, in the order of consideration, without hypervolume (see `recounted`);
        fewer than asked for when the space is used up.
    """
    state = _State(probed.problem)
    wanted = min(settings.trials, space.size)

    def consider(arch: Arch) -> Candidate:
        candidate = state.by_arch.get(arch)
        if candidate is None:
            candidate = state.judge(arch, cost_of, mae_of)
            state.add(candidate)
            progress(len(state.candidates), wanted, state.note)
        return candidate

    if settings.trials >= space.size:
        for arch in space:
            consider(arch)
        return state.candidates
    sampler = _Sampler(space, probed, settings, first)
    seen: set[Arch] = set()
    repeats = 0
    while len(state.candidates) < wanted and repeats < _REPEATS_BEFORE_END:
        trial = sampler.ask(at_random=repeats >= _REPEATS_BEFORE_RANDOM)
        arch = space.suggest(trial)
        repeats = repeats + 1 if arch in seen else 0
        seen.add(arch)
        sampler.tell(trial, consider(arch))
    return state.candidates


class _Sampler:
    """An Optuna study in memory."""

    def __init__(
        self, space: SearchSpace, probed: Probe, settings: StudySettings, first: Sequence[Arch]
    ) -> None:
        import optuna

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self._problem = probed.problem
        with warnings.catch_warnings():
            # NSGA-III and GP are experimental in Optuna 5; the version is pinned.
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            self._sampler = make_sampler(settings.sampler, settings.seed)
        self._random = optuna.samplers.RandomSampler(seed=settings.seed + 1)
        self._study = optuna.create_study(
            directions=["minimize"] * len(self._problem.objectives), sampler=self._sampler
        )
        # Something that fits, so that the front is never empty.
        for arch in (probed.start, *first):
            self._study.enqueue_trial(space.choices_of(arch))

    def ask(self, *, at_random: bool) -> optuna.trial.Trial:
        self._study.sampler = self._random if at_random else self._sampler
        return self._study.ask()

    def tell(self, trial: optuna.trial.Trial, candidate: Candidate) -> None:
        for name, excess in self._problem.constraints(candidate.costs).items():
            trial.set_constraint(name, excess)
        self._study.tell(trial, self._values(candidate))

    def _values(self, candidate: Candidate) -> tuple[float, ...]:
        mae_bpm = _PENALTY_MAE_BPM if candidate.mae_bpm is None else candidate.mae_bpm
        return self._problem.objective_values(mae_bpm, candidate.costs)


def make_sampler(name: str, seed: int) -> optuna.samplers.BaseSampler:
    """An Optuna sampler by its name in `nas.run.config.SAMPLERS`."""
    from optuna import samplers

    if name == "nsga2":
        return samplers.NSGAIISampler(population_size=_POPULATION, seed=seed)
    if name == "nsga3":
        return samplers.NSGAIIISampler(population_size=_POPULATION, seed=seed)
    if name == "tpe":
        return samplers.TPESampler(seed=seed)
    if name == "gp":
        return samplers.GPSampler(seed=seed, deterministic_objective=True)
    if name == "random":
        return samplers.RandomSampler(seed=seed)
    raise ValueError(f"sampler is {name!r}; allowed: {', '.join(SAMPLERS)}")


class _State:
    """Candidates so far and their front."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.candidates: list[Candidate] = []
        self.by_arch: dict[Arch, Candidate] = {}
        self.front = np.empty((0, len(problem.objectives)))
        self.best_mae_bpm: float | None = None

    @property
    def note(self) -> str:
        """For the progress display."""
        if self.best_mae_bpm is None:
            return "nothing fits yet"
        return f"best {self.best_mae_bpm:.2f} BPM, {len(self.front)} on the front"

    def judge(self, arch: Arch, cost_of: CostOf, mae_of: Callable[[Arch], float]) -> Candidate:
        costs = cost_of(arch)
        feasible = max(self.problem.constraints(costs).values()) <= 0
        mae_bpm = float(mae_of(arch)) if feasible else None
        return Candidate(len(self.candidates), arch, costs, feasible, mae_bpm, 0.0)

    def add(self, candidate: Candidate) -> bool:
        """Take a candidate in; returns whether the front moved."""
        self.candidates.append(candidate)
        self.by_arch[candidate.arch] = candidate
        mae_bpm = candidate.mae_bpm
        if mae_bpm is None:
            return False
        if self.best_mae_bpm is None or mae_bpm < self.best_mae_bpm:
            self.best_mae_bpm = mae_bpm
        front = self._front_with(self.problem.objective_values(mae_bpm, candidate.costs))
        if front is None:
            return False
        self.front = front
        return True

    def _front_with(self, values: tuple[float, ...]) -> NDArray[np.float64] | None:
        """The front with a further point, or None if the front stays what it is."""
        point = np.asarray(values)
        if len(self.front) and (self.front <= point).all(axis=1).any():
            return None
        kept = self.front[~(point <= self.front).all(axis=1)]
        return np.vstack([kept, point])


def recounted(candidates: Sequence[Candidate], problem: Problem) -> list[Candidate]:
    """The candidates with the hypervolume of all up to each."""
    state, volume, out = _State(problem), 0.0, []
    for candidate in candidates:
        if state.add(candidate):
            volume = hypervolume_share(state.front, problem.reference_values)
        out.append(replace(candidate, hypervolume=volume))
    return out


def front_of(candidates: list[Candidate], problem: Problem) -> list[Candidate]:
    """The feasible candidates that no other dominates, in the order of consideration."""
    judged = [(c, c.mae_bpm) for c in candidates if c.mae_bpm is not None]
    if not judged:
        return []
    values = [problem.objective_values(mae_bpm, c.costs) for c, mae_bpm in judged]
    keep = nondominated(values)
    return [c for (c, _), on_front in zip(judged, keep, strict=True) if on_front]


def representatives(
    candidates: Sequence[Candidate], problem: Problem, count: int
) -> list[Candidate]:
    """Up to `count` that stand for the whole front, the lowest error first."""
    front = front_of(list(candidates), problem)
    if not front:
        return []
    errors = [math.inf if c.mae_bpm is None else c.mae_bpm for c in front]
    values = [problem.objective_values(e, c.costs) for e, c in zip(errors, front, strict=True)]
    best = min(range(len(front)), key=lambda index: (errors[index], front[index].number))
    picked = pick_spread(values, problem.reference_values, count, include=[best])
    return [front[index] for index in picked]
