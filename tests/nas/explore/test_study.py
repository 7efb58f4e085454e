"""Samplers, what they consider, and how a study goes on."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest
from optuna.trial import FrozenTrial

from nas.explore.study import StudySettings, front_of, recounted, run_study
from nas.pareto import hypervolume_share, nondominated
from nas.run.candidates import Candidate
from nas.run.config import SAMPLERS, Objective
from search_spaces.arch import Arch
from search_spaces.space import SearchSpace
from tests.nas.explore.probed import DEFAULT, OBJECTIVES, TARGET, TINY, cost_of, probed
from tests.nas.fakes import fake_mae


class Judge:
    """Fake accuracy that remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[Arch] = []

    def __call__(self, arch: Arch) -> float:
        self.asked.append(arch)
        return fake_mae(arch)


def study(
    *,
    sampler: str = "nsga2",
    trials: int = 150,
    seed: int = 0,
    space: SearchSpace = DEFAULT,
    judge: Judge | None = None,
    objectives: tuple[Objective, ...] = OBJECTIVES,
    first: Sequence[Arch] = (),
    stored: Sequence[FrozenTrial] = (),
    on_trial: Callable[[FrozenTrial], None] = lambda trial: None,
) -> list[Candidate]:
    problem = probed(space, objectives=objectives)
    candidates = run_study(
        space,
        problem,
        settings=StudySettings(sampler, trials, seed),
        cost_of=cost_of,
        mae_of=judge or Judge(),
        first=first,
        progress=lambda done, total, note: None,
        stored=stored,
        on_trial=on_trial,
    )
    return recounted(candidates, problem.problem)


@pytest.mark.parametrize("sampler", [name for name in SAMPLERS if name != "gp"])
def test_every_sampler_considers_what_it_was_asked_for(sampler: str) -> None:
    count = 30 if sampler == "tpe" else 70  # its own proposals begin at the 11th, or at the 51st
    judge = Judge()
    trials: list[FrozenTrial] = []
    candidates = study(sampler=sampler, trials=count, judge=judge, on_trial=trials.append)
    assert [trial.user_attrs["id"] for trial in trials] == [c.arch.id for c in candidates]
    assert [c.number for c in candidates] == list(range(count))
    assert len({c.arch for c in candidates}) == count
    assert all(DEFAULT.build(DEFAULT.choices_of(c.arch)) == c.arch for c in candidates)
    # Accuracy is asked for once for each that fits, and never for what does not.
    assert judge.asked == [c.arch for c in candidates if c.feasible]
    assert all((c.mae_bpm is None) == (not c.feasible) for c in candidates)
    assert any(not c.feasible for c in candidates)


@pytest.mark.slow
def test_gp_works() -> None:
    assert len(study(sampler="gp", trials=11, space=TINY)) == 11  # the first ten are random


def test_feasible_means_within_every_limit() -> None:
    for candidate in study():
        assert candidate.costs == TARGET.costs(candidate.arch)
        assert candidate.feasible == (candidate.costs.flash_bytes <= 80 * 1024)


def test_the_seed_decides_the_study() -> None:
    first = study(seed=4)
    assert study(seed=4) == first
    assert study(seed=5) != first


@pytest.mark.parametrize("sampler", ["nsga2", "tpe"])
def test_what_comes_first_is_considered_before_any_proposal(sampler: str) -> None:
    start = probed().start
    first = [DEFAULT.largest(), start, DEFAULT.sample(random.Random(1))]
    candidates = study(sampler=sampler, trials=20, first=first)
    assert [c.arch for c in candidates[:3]] == [start, first[0], first[2]]
    assert len(candidates) == 20


@pytest.mark.parametrize(
    ("sampler", "killed_after", "count"),
    [("nsga2", 2, 10), ("nsga2", 61, 66), ("nsga3", 61, 66), ("tpe", 13, 17), ("random", 9, 12)],
)
def test_a_study_that_goes_on_from_stored_trials_is_the_uninterrupted_one(
    sampler: str, killed_after: int, count: int
) -> None:
    trials: list[FrozenTrial] = []
    first = [DEFAULT.largest(), DEFAULT.sample(random.Random(1)), DEFAULT.smallest()]
    whole = study(sampler=sampler, trials=count, first=first, on_trial=trials.append)
    judge = Judge()
    further: list[FrozenTrial] = []
    stored = trials[:killed_after]
    resumed = study(
        sampler=sampler,
        trials=count,
        first=first,
        judge=judge,
        stored=stored,
        on_trial=further.append,
    )
    assert resumed == whole
    assert len(stored) + len(further) == len(trials)
    known = {trial.user_attrs["id"] for trial in stored}
    assert not known & {arch.id for arch in judge.asked}


@pytest.mark.parametrize(("count", "generations"), [(3, [0] * 50), (60, [0] * 61)])
def test_what_comes_first_are_parents(count: int, generations: list[int]) -> None:
    """A population is filled up by chance; the next one has all that came first before it."""
    rng, trials = random.Random(3), list[FrozenTrial]()
    first = [DEFAULT.sample(rng) for _ in range(count)]
    study(trials=len(generations) + 51, first=first, on_trial=trials.append)
    said = [trial.system_attrs["NSGAIISampler:generation"] for trial in trials]
    assert said == [*generations, *[1] * 50, 2]


def test_a_small_space_goes_on_from_stored_trials() -> None:
    small = replace(
        TINY,
        stages=tuple(replace(stage, kernel=(5,), depth=stage.depth[:1]) for stage in TINY.stages),
    )
    trials: list[FrozenTrial] = []
    whole = study(space=small, trials=10_000, on_trial=trials.append)
    judge = Judge()
    assert study(space=small, trials=10_000, judge=judge, stored=trials[:9]) == whole
    assert len(judge.asked) == sum(c.feasible for c in whole[9:])


def test_a_small_space_is_gone_through_once() -> None:
    small = replace(
        TINY,
        stages=tuple(replace(stage, kernel=(5,), depth=stage.depth[:1]) for stage in TINY.stages),
    )
    judge = Judge()
    candidates = study(space=small, trials=10_000, judge=judge)
    assert {c.arch for c in candidates} == set(small)
    assert len(candidates) == small.size < 200
    assert len(judge.asked) == len(set(judge.asked))


def test_a_sampler_that_repeats_itself_still_finds_new_ones() -> None:
    small = replace(
        TINY,
        stages=tuple(replace(stage, kernel=(5,), depth=stage.depth[:1]) for stage in TINY.stages),
    )
    wanted = small.size - 1
    candidates = study(space=small, trials=wanted)
    assert len({c.arch for c in candidates}) == wanted


def test_hypervolume_and_front_against_a_direct_count() -> None:
    candidates = study(trials=120)
    problem = probed().problem
    values = np.array(
        [problem.objective_values(c.mae_bpm, c.costs) for c in candidates if c.mae_bpm is not None]
    )
    numbers = [c.number for c in candidates if c.feasible]
    keep = nondominated(values)
    expected = [number for number, on in zip(numbers, keep, strict=True) if on]
    assert [c.number for c in front_of(candidates, problem)] == expected
    assert candidates[-1].hypervolume == pytest.approx(
        hypervolume_share(values, problem.reference_values), rel=1e-12
    )
    half = [n for n in numbers if n < 60]
    assert candidates[59].hypervolume == pytest.approx(
        hypervolume_share(values[: len(half)], problem.reference_values), rel=1e-12
    )
    course = [c.hypervolume for c in candidates]
    assert course == sorted(course)
    assert 0 < course[0] < course[-1] < 1


@pytest.mark.parametrize("objectives", [("mae",), ("mae", "latency", "flash", "sram")])
def test_one_to_four_objectives(objectives: tuple[Objective, ...]) -> None:
    candidates = study(trials=60, space=TINY, objectives=objectives)
    assert len(candidates) == 60
    front = front_of(candidates, probed(TINY, objectives=objectives).problem)
    errors = [c.mae_bpm for c in candidates if c.mae_bpm is not None]
    assert min(errors) in [c.mae_bpm for c in front]
    if objectives == ("mae",):
        assert len(front) == 1
        assert candidates[-1].hypervolume == pytest.approx(1 - min(errors) / 30)


def test_nsga2_beats_random_search() -> None:
    guided = study(trials=300)
    blind = study(trials=300, sampler="random")
    assert guided[-1].hypervolume > blind[-1].hypervolume
