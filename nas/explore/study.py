"""The search itself: Optuna proposes, the cost model refuses, the forecast judges.

Rules
-----
* Costs come first. An architecture that exceeds a limit gets its constraints and a penalty; its
  accuracy is never computed.
* No architecture is proposed twice: one that would be is changed, see `Fresh`. A space with no
  more networks than trials is gone through in order.
* A trial is drawn by a sampler that is seeded by the trial's number: a study that goes on from
  stored trials is the one that was never interrupted, and nothing is asked for again.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import optuna
from numpy.typing import NDArray
from optuna.trial import FrozenTrial, Trial, create_trial

from nas.explore.problem import CostOf, Probe, Problem
from nas.explore.samplers import Fresh, distributions, make_sampler, remember_parents, reseed
from nas.pareto import hypervolume_share, nondominated, pick_spread
from nas.run.candidates import Candidate
from nas.run.job.progress import Tick
from search_spaces.arch import Arch
from search_spaces.nearest import holds
from search_spaces.space import SearchSpace

# Told to the sampler for what does not fit: worse than any network.
_PENALTY_MAE_BPM = 100.0
# Made anew for each trial: they begin a fit where the last one ended, which no file holds.
_REMEMBERING = ("gp", "GPSampler")


@dataclass(frozen=True)
class StudySettings:
    """How to search: `sampler` by name, `trials` architectures to consider, `seed`."""

    sampler: str
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
    stored: Sequence[FrozenTrial] = (),
    on_trial: Callable[[FrozenTrial], None] = lambda trial: None,
) -> list[Candidate]:
    """Consider `settings.trials` architectures.

    Args:
        probed: the problem, and one architecture that fits; it is proposed first.
        mae_of: its MAE on search people in BPM; called once for each that fits.
        first: what to consider next, before the sampler proposes anything.
        stored: trials of this very study that are known already.
        on_trial: sees every further one.

    Returns:
        All candidates, in the order of consideration, without hypervolume (see `recounted`);
        fewer than asked for when the space is used up.
    """
    state = _State(probed.problem)
    wanted = min(settings.trials, space.size)
    for trial in stored:
        candidate = candidate_of(trial, space)
        if candidate.arch not in state.by_arch:
            state.add(candidate)

    def consider(arch: Arch) -> Candidate:
        candidate = state.judge(arch, cost_of, mae_of)
        state.add(candidate)
        progress(len(state.candidates), wanted, state.note)
        return candidate

    if settings.trials >= space.size:
        for arch in space:
            if arch not in state.by_arch:
                on_trial(frozen_of(consider(arch), space, probed.problem))
        return state.candidates
    sampler = _Sampler(space, probed, settings, first, stored, state.by_arch)
    while len(state.candidates) < wanted:
        proposal = sampler.ask()
        arch = space.suggest(proposal)
        if arch in state.by_arch:  # hardly any is left
            break
        on_trial(sampler.tell(proposal, consider(arch)))
    return state.candidates


class _Sampler:
    """An Optuna study in memory: choice by choice, a file would cost more than the proposal."""

    def __init__(
        self,
        space: SearchSpace,
        probed: Probe,
        settings: StudySettings,
        first: Sequence[Arch],
        stored: Sequence[FrozenTrial],
        known: Container[Arch],
    ) -> None:
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self._problem, self._settings = probed.problem, settings
        self._space, self._known = space, known
        self._asked = len(stored)
        self._sampler = make_sampler(settings.sampler, settings.seed)
        remember_parents(self._sampler)
        self._study = optuna.create_study(directions=["minimize"] * len(self._problem.objectives))
        for trial in stored:
            self._study.add_trial(trial)
        self._recall_parents()
        # Something that fits comes first, so that the front is never empty.
        enqueued = list(dict.fromkeys((probed.start, *first)))
        self._enqueued = len(enqueued)
        for arch in enqueued[len(stored) :]:
            self._study.enqueue_trial(space.choices_of(arch))

    def _recall_parents(self) -> None:
        """Let a genetic sampler choose the parents of every stored generation again.

        The study keeps them in memory, in another order than that in which they are first chosen.
        """
        sampler = self._sampler
        if not isinstance(sampler, optuna.samplers.BaseGASampler):
            return
        attributes = [trial.system_attrs for trial in self._study.get_trials(deepcopy=False)]
        known = [v for each in attributes for k, v in each.items() if k.endswith(":generation")]
        for generation in range(1, max(known, default=0) + 1):
            sampler.get_parent_population(self._study, generation)

    def ask(self) -> Trial:
        number = self._asked
        self._asked += 1
        seed, name = _seed(self._settings.seed, number), self._settings.sampler
        if name in _REMEMBERING:
            self._sampler = make_sampler(name, seed)
        else:
            reseed(self._sampler, seed)
        self._study.sampler = Fresh(
            self._sampler, self._space, known=self._known, enqueued=self._enqueued, seed=seed
        )
        return self._study.ask()

    def tell(self, trial: Trial, candidate: Candidate) -> FrozenTrial:
        for name, excess in self._problem.constraints(candidate.arch, candidate.costs).items():
            trial.set_constraint(name, excess)
        for key, value in _facts(candidate).items():
            trial.set_user_attr(key, value)
        return self._study.tell(trial, _values(candidate, self._problem))


def _seed(seed: int, number: int) -> int:
    """Of the sampler that draws trial `number`."""
    return random.Random(f"{seed} trial {number}").randrange(2**31)


def _values(candidate: Candidate, problem: Problem) -> tuple[float, ...]:
    mae_bpm = _PENALTY_MAE_BPM if candidate.mae_bpm is None else candidate.mae_bpm
    return problem.objective_values(mae_bpm, candidate.costs)


def _facts(candidate: Candidate) -> dict[str, Any]:
    """What a trial says of its network beside choices, values and constraints."""
    facts = {**candidate.row(), "arch": None, "finalist": candidate.finalist}
    return {name: value for name, value in facts.items() if value is not None}


def frozen_of(candidate: Candidate, space: SearchSpace, problem: Problem) -> FrozenTrial:
    """A candidate as a trial of Optuna that has ended; `candidate_of` gives it back.

    One that no choices of the space make has none, and its architecture as a fact.
    """
    held = holds(space, candidate.arch)
    return create_trial(
        values=_values(candidate, problem),
        params=space.choices_of(candidate.arch) if held else {},
        distributions={**distributions(space)} if held else {},
        user_attrs=_facts(candidate) | ({} if held else {"arch": candidate.arch.to_json()}),
        constraints=problem.constraints(candidate.arch, candidate.costs),
    )


def candidate_of(trial: FrozenTrial, space: SearchSpace) -> Candidate:
    """The candidate that a trial of `run_study` or `frozen_of` stands for.

    Raises:
        ValueError: it is no such trial.
    """
    facts = trial.user_attrs
    arch = Arch.from_json(facts["arch"]) if "arch" in facts else space.build(trial.params)
    if facts.get("id") != arch.id:
        raise ValueError(f"trial {trial.number} is not the network {arch.id}")
    unknown = {"mae_bpm": None}  # it is not written
    return Candidate.from_json({**unknown, **facts, "arch": arch.to_json()})


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
        feasible = self.problem.fits(arch, costs)
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
    candidates: Sequence[Candidate],
    problem: Problem,
    count: int,
    *,
    with_them: Sequence[Candidate] = (),
) -> list[Candidate]:
    """Up to `count` that stand for the whole front by ratios, the lowest error first.

    `with_them`, which lie on the front or not, come next. Then those of use, see
    `Problem.by_ratio`, and the others.
    """
    front = front_of(list(candidates), problem)
    if not front:
        return []
    front = list(dict.fromkeys([*front, *with_them]))
    errors = [math.inf if c.mae_bpm is None else c.mae_bpm for c in front]
    picked = [min(range(len(front)), key=lambda index: (errors[index], front[index].number))]
    picked += [front.index(each) for each in with_them]
    for least_bpm in (errors[picked[0]], math.inf):
        values = [
            problem.by_ratio(e, c.costs, least_bpm=least_bpm)
            for e, c in zip(errors, front, strict=True)
        ]
        picked = pick_spread(values, [0.0] * len(problem.objectives), count, include=picked)
    return [front[index] for index in picked]
